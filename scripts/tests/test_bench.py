# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench: what is read from the program, and what is made of it."""

import sys
import unittest
import xml.etree.ElementTree as ET
from pathlib import Path

import trees        # pylint: disable=unused-import

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'bench'))

# pylint: disable=wrong-import-position
import duel
import liveness
import plot
import program
import samples
import table
import throughput


def latency(device, samples):
    return {'figure': 'liveness', 'device': device, 'rounds': 64,
            'full': False, 'before': 0, 'after': 0, 'samples_us': samples}


def memory(device, growth, rounds=1000):
    return {'figure': 'memory', 'device': device, 'peer': 'stopped',
            'rounds': rounds, 'submits': 0, 'cancels': 0, 'before': 1 << 20,
            'after': (1 << 20) + growth, 'seconds': 1.5}


class Lines(unittest.TestCase):

    def test_among_others(self):
        output = 'TAP version 13\n# bench { "figure": "memory" }\nok 1 /a\n'
        self.assertEqual(program.lines(output), [{'figure': 'memory'}])

    def test_none(self):
        self.assertEqual(program.lines('ok 1 /a\n# a bench { }\n'), [])


class Percentile(unittest.TestCase):

    def test_of_two_hundred(self):
        self.assertEqual(samples.percentile(range(1, 201), 99), 198)

    def test_of_one(self):
        self.assertEqual(samples.percentile([7], 99), 7)


class Quartiles(unittest.TestCase):

    def test_of_nine(self):
        self.assertEqual(samples.quartiles([9, 8, 7, 6, 5, 4, 3, 2, 1]),
                         (3, 5, 7))

    def test_of_one(self):
        self.assertEqual(samples.quartiles([7]), (7, 7, 7))


class Ratios(unittest.TestCase):

    def test_more_is_better(self):
        self.assertEqual(samples.ratios([3, 2], [2, 4], True), [1.5, 0.5])

    def test_less_is_better(self):
        self.assertEqual(samples.ratios([2, 4], [3, 2], False), [1.5, 0.5])


class Level(unittest.TestCase):
    """Of ratios: quartiles of five are the second, third and fourth."""

    def test_the_median_is_one(self):
        self.assertTrue(samples.is_level([0.1, 0.2, 1.0, 1.5, 2.0]))

    def test_one_is_between_quartiles_that_are_close(self):
        self.assertTrue(samples.is_level([0.5, 0.92, 0.99, 1.01, 3.0]))

    def test_one_is_between_quartiles_that_are_far_apart(self):
        self.assertFalse(samples.is_level([0.5, 0.90, 0.99, 1.01, 3.0]))

    def test_all_quartiles_are_below_one(self):
        self.assertFalse(samples.is_level([0.97, 0.98, 0.985, 0.99, 1.2]))


class NotSlower(unittest.TestCase):

    def test_slightly_less_will_do(self):
        self.assertTrue(samples.is_not_slower([0.5, 0.96, 0.97, 0.98, 1.5]))

    def test_less_than_that_will_not(self):
        self.assertFalse(samples.is_not_slower([0.9, 0.95, 0.96, 0.97, 1.0]))

    def test_what_is_level_will(self):
        self.assertTrue(samples.is_not_slower([0.5, 0.93, 0.96, 1.01, 3.0]))


def cell(ours, theirs, required=True, pinned=True, **more):
    return {'figure': 'cell', 'name': 'bulk in 512 B x 1', 'unit': 'MiB/s',
            'more_is_better': True, 'required': required, 'pinned': pinned,
            'samples': {'usb-remote': ours, 'usb-redir': theirs}, **more}


class Throughput(unittest.TestCase):

    def test_slower_is_not_met(self):
        self.assertTrue(throughput.is_met(cell([2, 2, 2], [2, 2, 2])))
        self.assertFalse(throughput.is_met(cell([1, 1, 1], [2, 2, 2])))

    def test_longer_is_not_met(self):
        self.assertFalse(throughput.is_met(
            cell([2, 2, 2], [1, 1, 1], more_is_better=False)))

    def test_what_is_not_required_is_met(self):
        self.assertTrue(throughput.is_met(cell([1], [2], required=False)))
        self.assertTrue(throughput.is_met({'figure': 'drive'}))

    def beside(self, name, ours, theirs, **more):
        figure = cell(ours, ours, **more)
        figure['samples'][name] = theirs
        return figure

    def test_another_commit_may_be_slightly_faster(self):
        for ours, good in (([98] * 3, True), ([96] * 3, False)):
            figure = self.beside('usb-remote before', ours, [100] * 3)
            self.assertEqual(throughput.is_met(figure), good)

    def test_of_another_commit_everything_is_required(self):
        self.assertFalse(throughput.is_met(self.beside(
            'usb-remote before', [1] * 3, [2] * 3, required=False)))

    def test_usb_redir_with_our_patch_is_only_shown(self):
        figure = self.beside('usb-redir here', [1] * 3, [2] * 3)
        self.assertTrue(throughput.is_met(figure))
        text = '\n'.join(throughput.report([figure]))
        self.assertRegex(text, r'x 1, MiB/s +1 +2 +0\.500 +[-0-9.]+\n')

    def test_report_says_what_was_missed_and_what_it_does_not_mean(self):
        text = '\n'.join(throughput.report([
            cell([1], [2]), cell([3], [2], pinned=False),
            {'figure': 'drive', 'name': 'drive in 512 B x 1',
             'unit': 'MiB/s', 'samples': [5], 'pinned': True},
            {'figure': 'memory', 'name': 'usb-remote', 'before': 1 << 20,
             'after': 3 << 20}]))
        self.assertRegex(text, r'x 1, MiB/s +1 +2 +0\.500 .*NO: level')
        self.assertRegex(text, r'x 1, MiB/s +3 +2 +1\.500 .*yes: level')
        self.assertRegex(text, r'drive in 512 B x 1, MiB/s +5 ')
        self.assertRegex(text, r'usb-remote +3 +2\.0')
        self.assertIn('What these numbers do not mean', text)


class Sides(unittest.TestCase):

    def test_those_of_one_qemu_share_a_guest(self):
        sides = [duel.Side('a', 'usb-remote', Path('/q')),
                 duel.Side('b', 'usb-redir', Path('/stock')),
                 duel.Side('c', 'usb-redir', Path('/q'))]
        them = duel.Duel(sides)
        self.assertEqual(them.names, ['a', 'b', 'c'])
        self.assertIs(them.of('a'), them.of('c'))
        self.assertIsNot(them.of('a'), them.of('b'))


class Boots(unittest.TestCase):

    def test_samples_of_a_cell_are_joined_pair_by_pair(self):
        joined = throughput.joined(iter([cell([1], [2]), cell([3], [4])]))
        self.assertEqual([figure['samples'] for figure in joined],
                         [{'usb-remote': [1, 3], 'usb-redir': [2, 4]}])

    def test_pinned_and_unpinned_are_two(self):
        self.assertEqual(len(throughput.joined(
            [cell([1], [2]), cell([3], [4], pinned=False)])), 2)

    def test_samples_of_the_drive_are_joined(self):
        drive = {'figure': 'drive', 'name': 'drive in 512 B x 1',
                 'unit': 'MiB/s', 'pinned': True}
        joined = throughput.joined([{**drive, 'samples': [5]},
                                    {**drive, 'samples': [6, 7]}])
        self.assertEqual([figure['samples'] for figure in joined],
                         [[5, 6, 7]])


class Picture(unittest.TestCase):

    def picture(self, *rows):
        return ET.fromstring(plot.ratios([('pinned', rows)]))

    def found(self, picture, name):
        return picture.findall(f'{{http://www.w3.org/2000/svg}}{name}')

    def test_names_are_text_whatever_is_in_them(self):
        picture = self.picture(('a < b & c', 0.9, 1.0, 1.1, True))
        self.assertIn('a < b & c',
                      [text.text for text in self.found(picture, 'text')])

    def test_better_is_further_to_the_right(self):
        picture = self.picture(('a', 0.9, 0.9, 0.9, True),
                               ('b', 1.1, 1.1, 1.1, True))
        first, second = (float(dot.get('cx'))
                         for dot in self.found(picture, 'circle'))
        self.assertLess(first, second)

    def test_what_is_too_far_off_is_at_the_edge(self):
        picture = self.picture(('a', 2.0, 2.0, 2.0, True),
                               ('b', 9.0, 9.0, 9.0, True))
        first, second = (dot.get('cx')
                         for dot in self.found(picture, 'circle'))
        self.assertEqual(first, second)

    def test_all_cells_of_a_measure_are_in_it(self):
        picture = ET.fromstring(throughput.picture(
            [cell([1], [2]), cell([3], [2], pinned=False)]))
        self.assertEqual([dot.get('fill')
                          for dot in self.found(picture, 'circle')],
                         [plot.BAD, plot.GOOD])


class Verdict(unittest.TestCase):
    """The limits are usb-remote's, and the limit itself is good."""

    def test_latency(self):
        self.assertTrue(liveness.is_met(latency('usb-remote', [1, 50000])))
        self.assertFalse(liveness.is_met(latency('usb-remote', [1, 50001])))

    def test_memory(self):
        self.assertTrue(liveness.is_met(memory('usb-remote', 4 << 20)))
        self.assertFalse(liveness.is_met(memory('usb-remote', (4 << 20) + 1)))

    def test_the_other_device_has_none(self):
        self.assertTrue(liveness.is_met(latency('usb-redir', [10 ** 9])))
        self.assertTrue(liveness.is_met(memory('usb-redir', 1 << 40)))
        self.assertEqual(liveness.verdict_of(memory('usb-redir', 1 << 40)),
                         '')


class Report(unittest.TestCase):

    def test_it_says_who_missed_what_and_what_was_given_up(self):
        text = '\n'.join(liveness.report([
            latency('usb-remote', [100, 60000]), latency('usb-redir', [5]),
            memory('usb-remote', 1 << 20), memory('usb-redir', 1 << 30, 10)]))
        self.assertIn('NO: worst at most 50 ms', text)
        self.assertIn('yes: growth at most 4 MiB', text)
        self.assertIn('10 (ended)', text)
        self.assertIn('What these numbers do not mean', text)

    def test_columns_are_aligned(self):
        self.assertEqual(list(table.table(['', 'n'], [['a', 5], ['bb', 10]])),
                         ['     n', 'a    5', 'bb  10'])


if __name__ == '__main__':
    unittest.main()
