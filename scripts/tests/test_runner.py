# SPDX-License-Identifier: GPL-2.0-or-later
"""The test runner: what it counts, and what it does not let pass."""

import contextlib
import io
import os
import tempfile
import time
import unittest
import unittest.mock
from pathlib import Path

import trees        # pylint: disable=unused-import

import common
import runner
import suites
import tap

# Two suites at a time, on any machine
PROCESSORS = (sorted(os.sched_getaffinity(0)) * 2)[:2]


def read(text):
    reader = tap.Reader()
    for line in text.splitlines():
        reader.feed(line)
    return reader


def suite_of(script, seconds=120, name='runner/self', beside=0):
    return suites.Suite(name, ['/bin/sh', '-c', script], seconds,
                        beside=beside)


def run_all(*those):
    """Run suites: the totals, and what was said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        totals = runner.run_suites(those, PROCESSORS)
    return str(totals), said.getvalue()


def run(script, seconds=120):
    """Run a shell script as the only suite."""
    return run_all(suite_of(script, seconds))


class Reading(unittest.TestCase):
    """TAP as GLib, Python and shell write it."""

    def test_results_and_skips(self):
        reader = read('1..3\nok 1 - a\nnot ok 2 /b\nok 3 c # SKIP no disk\n')
        self.assertEqual([(result.name, result.passed, result.reason)
                          for result in reader.results],
                         [('a', True, None), ('/b', False, None),
                          ('c', True, 'no disk')])
        self.assertIsNone(reader.complaint())

    def test_the_line_of_a_group_is_not_a_case(self):
        reader = read('# Subtest: g\n    ok 1 - a\n    ok 2 - b\n    1..2\n'
                      'ok 1 - g\n1..1\n')
        self.assertEqual([result.name for result in reader.results],
                         ['a', 'b'])
        self.assertIsNone(reader.complaint())

    def test_everything_skipped(self):
        reader = read('1..0 # SKIP no kernel\n')
        self.assertEqual(reader.results[0].reason, 'no kernel')
        self.assertIsNone(reader.complaint())

    def test_too_few(self):
        self.assertIn('ran 1', read('1..2\nok 1 - a\n').complaint())

    def test_a_reason_that_is_not_behind_bail_out(self):
        reader = read('1..2\nnot ok 1 /a - ERROR:t.c:3:bad: 1 == 2\n'
                      'Bail out!\n')
        self.assertEqual(reader.bailed, 'ERROR:t.c:3:bad: 1 == 2')

    def test_no_reason_at_all(self):
        self.assertEqual(read('ok 1 /a\nBail out!\n').bailed,
                         'no reason given')

    def test_none(self):
        self.assertEqual(read('1..0\n').complaint(), 'printed no test')


class Listing(unittest.TestCase):
    """The cases of a qtest program, as GLibs of several ages list them."""

    def listed(self, text):
        return suites.case_paths(
            suites.Suite('list', [self.program(text)], 9))

    def program(self, text):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name, 'program')
        path.write_text(f"#!/bin/sh\n[ $1 = -l ] && cat <<'END'\n{text}END\n")
        path.chmod(0o755)
        return str(path)

    def test_one_path_a_line(self):
        self.assertEqual(self.listed('/x86_64/a/b\n/x86_64/a/c\n'),
                         ['/x86_64/a/b', '/x86_64/a/c'])

    def test_comments_of_tap(self):
        self.assertEqual(
            self.listed('TAP version 14\n# random seed: R02S1\n1..1\n'
                        '# Start of a tests\n# /x86_64/a/b\n'
                        '# End of a tests\n'),
            ['/x86_64/a/b'])

    def test_indented_subtests(self):
        self.assertEqual(
            self.listed('TAP version 14\n# Subtest: a\n    # /x86_64/a/b\n'
                        '    /x86_64/a/c\n'),
            ['/x86_64/a/b', '/x86_64/a/c'])


class Running(unittest.TestCase):
    """Suites that end well, badly, or not at all."""

    def test_a_suite_that_passes(self):
        totals, _ = run('echo 1..1; echo ok 1 - a')
        self.assertEqual(totals, '1 passed, 0 failed, 0 skipped')

    def test_a_failure_is_shown_with_its_detail(self):
        totals, said = run('echo "not ok 1 - a"; echo "# why"; echo 1..1')
        self.assertEqual(totals, '0 passed, 1 failed, 0 skipped')
        self.assertIn('FAIL runner/self: a\n       why\n', said)

    def test_a_skip_is_shown_with_its_reason(self):
        totals, said = run('echo "ok 1 - a # SKIP too old"; echo 1..1')
        self.assertEqual(totals, '0 passed, 0 failed, 1 skipped')
        self.assertIn('SKIP runner/self: a: too old', said)

    def test_a_suite_that_prints_nothing_fails(self):
        self.assertEqual(run('true')[0], '0 passed, 1 failed, 0 skipped')

    def test_a_suite_that_dies_after_its_cases_fails(self):
        totals, said = run('echo 1..1; echo ok 1 - a; echo oh >&2; kill -9 $$')
        self.assertEqual(totals, '1 passed, 1 failed, 0 skipped')
        self.assertIn('oh', said)

    def test_a_suite_that_hangs_is_ended_with_its_children(self):
        totals, said = run('echo ok 1 - a; sleep 100 & echo $!; wait', 0.5)
        self.assertEqual(totals, '1 passed, 1 failed, 0 skipped')
        self.assertIn('not done after 0.5 s', said)

    def test_a_command_that_is_missing_fails(self):
        totals, _ = run_all(suites.Suite('runner/self', ['/nonexistent'], 1))
        self.assertEqual(totals, '0 passed, 1 failed, 0 skipped')


def waits_for(file, other):
    """A suite's script that passes if another one runs at the same time."""
    return (f'echo 1..1; : >{file}; n=0; '
            f'while ! [ -e {other} ]; do sleep 0.02; n=$((n+1)); '
            '[ $n -lt 3000 ] || { echo not ok 1 - alone; exit; }; done; '
            'echo ok 1 - together')


class SideBySide(unittest.TestCase):
    """Suites that may run at the same time, and those that may not."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.first = f'{self.folder.name}/first'
        self.second = f'{self.folder.name}/second'

    def pair(self, **others):
        return (suite_of(waits_for(self.first, self.second),
                         name='runner/first', **others),
                suite_of(waits_for(self.second, self.first),
                         name='runner/second', **others))

    def test_two_that_may_run_together_do(self):
        totals, _ = run_all(*self.pair(beside=1))
        self.assertEqual(totals, '2 passed, 0 failed, 0 skipped')

    def test_no_more_than_there_are_processors(self):
        count = (f'echo 1..1; : >{self.folder.name}/$$; sleep 0.3; '
                 f'n=$(ls {self.folder.name} | wc -l); '
                 f'rm {self.folder.name}/$$; '
                 '[ $n -le 2 ] && echo ok 1 - a || echo not ok 1 - $n')
        totals, _ = run_all(*[suite_of(count, name=f'runner/{n}', beside=1)
                              for n in range(5)])
        self.assertEqual(totals, '5 passed, 0 failed, 0 skipped')

    def test_those_that_wait_share_a_processor(self):
        """Two on one, whose scripts each wait for the other."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            totals = runner.run_suites(self.pair(beside=2), PROCESSORS[:1])
        self.assertEqual(str(totals), '2 passed, 0 failed, 0 skipped')

    def test_one_that_must_be_alone_is(self):
        alone = suite_of(f'echo 1..1; [ -e {self.first} ] && '
                         'echo not ok 1 - a || echo ok 1 - a')
        busy = suite_of(f'echo 1..1; : >{self.first}; sleep 0.3; '
                        f'rm {self.first}; echo ok 1 - b',
                        name='runner/busy', beside=1)
        totals, _ = run_all(busy, alone, busy, alone)
        self.assertEqual(totals, '4 passed, 0 failed, 0 skipped')

    def test_what_they_say_is_not_mixed(self):
        noisy = ('echo 1..2; for n in 1 2; do echo not ok $n - case; '
                 'echo "# why"; sleep 0.1; done')
        _, said = run_all(*[suite_of(noisy, name=f'runner/{n}', beside=1)
                            for n in range(2)])
        for n in range(2):
            self.assertIn(f'  FAIL runner/{n}: case\n       why\n' * 2 +
                          f'runner/{n}: 0 passed, 2 failed', said)

    def test_each_is_kept_on_one_processor(self):
        totals, _ = run_all(suite_of(
            'echo 1..1; sleep 0.2; [ $(nproc) = 1 ] && echo ok 1 - a || '
            'echo not ok 1 - a', beside=1))
        self.assertEqual(totals, '1 passed, 0 failed, 0 skipped')

    def test_none_outlives_an_interrupted_run(self):
        def interrupt():
            while not os.path.exists(self.first):
                time.sleep(0.02)
            raise KeyboardInterrupt

        suite = suite_of(f'echo $$ >{self.second}; mv {self.second} '
                         f'{self.first}; sleep 100', beside=1)
        with unittest.mock.patch('concurrent.futures.Future.result',
                                 side_effect=interrupt):
            with self.assertRaises(KeyboardInterrupt):
                run_all(suite)
        with open(self.first, encoding='ascii') as file:
            self.assertRaises(ProcessLookupError, os.kill, int(file.read()),
                              0)


class Shards(unittest.TestCase):
    """The parts of our qtest program."""

    PATHS = ('/x86_64/usb-remote/xhci/one', '/x86_64/usb-remote/xhci/two',
             '/x86_64/usbhc/xhci/one', '/x86_64/usb-remote/uhci/one',
             '/x86_64/usb-remote/new/one', '/x86_64/other/uhci/one',
             '/x86_64/usb-remote/xhci/group/one')

    def test_every_case_is_in_exactly_one(self):
        """GLib runs what is directly in the folder, and nothing below."""
        parts = suites.shards(self.PATHS)
        for path in self.PATHS:
            self.assertEqual(
                sum(path.rpartition('/')[0] == folder
                    for folders in parts.values() for folder in folders),
                1, path)

    def test_they_are_named_after_controllers_the_largest_first(self):
        parts = suites.shards(self.PATHS)
        self.assertEqual(list(parts), ['xhci', 'uhci', 'new'])
        self.assertEqual(parts['uhci'], ['/x86_64/other/uhci',
                                         '/x86_64/usb-remote/uhci'])

    def test_cases_by_a_part_of_their_paths(self):
        self.assertEqual(suites.matching(self.PATHS, ['new', '/two']),
                         [self.PATHS[1], self.PATHS[4]])

    def test_a_name_that_no_case_has(self):
        with self.assertRaisesRegex(common.Failure, '"three"'):
            suites.matching(self.PATHS, ['one', 'three'])


if __name__ == '__main__':
    unittest.main()
