# SPDX-License-Identifier: GPL-2.0-or-later
"""Fuzzers: what is made of one that ends well, fails or hangs."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import trees        # pylint: disable=unused-import

import fuzzers


class Shell(fuzzers.Fuzzer):
    """A few lines of shell instead of a fuzzer."""

    def __init__(self, script):
        super().__init__('shell')
        self.script = script

    def command(self, seconds, seed):
        return fuzzers.Command(['sh', '-c', self.script, 'sh', str(seed),
                                str(self.folder)])

    def repeat(self, command, path):
        return fuzzers.Command(['again', path])


class Running(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        patch = mock.patch.object(fuzzers, 'FOLDER', Path(folder.name))
        patch.start()
        self.addCleanup(patch.stop)

    def run_shell(self, script, seconds=10, seed=7):
        run = fuzzers.Run(Shell(script), seconds, seed)
        self.said = io.StringIO()
        with contextlib.redirect_stdout(self.said):
            return run, run.run()

    def test_one_that_finds_nothing(self):
        run, found = self.run_shell('echo 12 executions; echo 34 executions')
        self.assertIsNone(found)
        self.assertEqual(run.executions, 34)

    def test_the_seed_is_passed_on(self):
        run, _ = self.run_shell('echo $1 executions', seed=77)
        self.assertEqual(run.executions, 77)

    def test_one_that_fails(self):
        _, found = self.run_shell('exit 3')
        self.assertEqual(found, 'ended with status 3')

    def test_one_that_hangs_is_ended(self):
        with mock.patch.object(fuzzers, 'GRACE', 1):
            run, found = self.run_shell('sleep 60', seconds=0)
        self.assertIn('not done', found)
        self.assertLess(run.took, 30)

    def test_progress_is_shown(self):
        with mock.patch.object(fuzzers, 'REPORT', 0.2):
            self.run_shell('echo 5 executions; sleep 1')
        self.assertIn('5 executions', self.said.getvalue())

    def test_a_failure_is_repeated_with_the_input(self):
        run, _ = self.run_shell('echo x > $2/input-1; exit 1')
        path = fuzzers.FOLDER / 'shell/input-1'
        self.assertEqual(str(run.repeat()), f'again {path}')

    def test_what_was_found_is_kept_when_it_runs_again(self):
        for text in ('old', 'new'):
            run, _ = self.run_shell(f'echo {text} > $2/input-1; exit 1')
            run.keep()
        for number, text in enumerate(('old', 'new'), 1):
            kept = fuzzers.FOLDER / f'found/shell-{number}'
            self.assertEqual((kept / 'input-1').read_text(), f'{text}\n')
            self.assertTrue((kept / 'log').exists())
            self.assertEqual((kept / 'again').read_text(),
                             f'again {kept}/input-1\n')

    def test_a_failure_without_an_input_is_repeated_as_a_whole(self):
        run, _ = self.run_shell('exit 1')
        self.assertIs(run.repeat(), run.command)


class Counting(unittest.TestCase):
    def count(self, fuzzer, *lines):
        run = fuzzers.Run(fuzzer, 1, 1)
        run.look(lines)
        return run.executions

    def test_controllers_are_added_up(self):
        self.assertEqual(self.count(
            fuzzers.Device('d', 'case', 'SECONDS'),
            '# case, xhci: QTEST_SEED=9', '# case, xhci: 10 executions',
            '# case, xhci: 20 executions',
            '# random walk, uhci: 5 steps, seed 9: transfer 2'), 25)

    def test_libfuzzers_lines(self):
        self.assertEqual(self.count(
            fuzzers.Codec('c'), '#2\tINITED cov: 1', 'Done 99 runs in 3 s'),
            99)


if __name__ == '__main__':
    unittest.main()
