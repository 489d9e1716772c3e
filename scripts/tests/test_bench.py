# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench: what is read from the program, and what is made of it."""

import sys
import unittest
from pathlib import Path

import trees        # pylint: disable=unused-import

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'bench'))

# pylint: disable=wrong-import-position
import liveness
import program
import table


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
        self.assertEqual(liveness.percentile(range(1, 201), 99), 198)

    def test_of_one(self):
        self.assertEqual(liveness.percentile([7], 99), 7)


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
