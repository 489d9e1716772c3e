# SPDX-License-Identifier: GPL-2.0-or-later
"""The test runner: what it counts, and what it does not let pass."""

import contextlib
import io
import unittest

import trees        # pylint: disable=unused-import

import runner
import suites
import tap


def read(text):
    reader = tap.Reader()
    for line in text.splitlines():
        reader.feed(line)
    return reader


def run(script, seconds=10):
    """Run a shell script as a suite: the totals, and what was said."""
    said = io.StringIO()
    suite = suites.Suite('runner/self', ['/bin/sh', '-c', script], seconds)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        totals = runner.SuiteRun(suite).run()
    return str(totals), said.getvalue()


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

    def test_none(self):
        self.assertEqual(read('1..0\n').complaint(), 'printed no test')


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
        suite = suites.Suite('runner/self', ['/nonexistent'], 1)
        with contextlib.redirect_stdout(io.StringIO()):
            totals = runner.SuiteRun(suite).run()
        self.assertEqual(totals.failed, 1)


if __name__ == '__main__':
    unittest.main()
