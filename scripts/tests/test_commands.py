# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands: what they say when they are used wrongly."""

import contextlib
import errno
import io
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from trees import SCRIPTS

import common


class Commands(unittest.TestCase):
    """One clear line, and a status that is not 0."""

    def refused(self, script, *arguments, **environment):
        run = subprocess.run(
            [SCRIPTS / script, *arguments], text=True, check=False,
            env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
        return run.stderr

    def test_qemu_src_that_is_missing(self):
        said = self.refused('qemu', QEMU_SRC='/nonexistent')
        self.assertIn('QEMU_SRC=/nonexistent: not a QEMU source tree', said)

    def test_qemu_src_that_is_something_else(self):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, 'VERSION').write_text('10.0.0\n')
            said = self.refused('qemu', QEMU_SRC=folder)
        self.assertIn('not a QEMU source tree', said)

    def test_a_base_that_is_not_in_the_lock(self):
        said = self.refused('qemu', QEMU_SRC='', BASE='1.2')
        self.assertIn('BASE=1.2: not in overlay/base.lock', said)

    def test_series_without_a_folder(self):
        said = self.refused('series', '', GIT_CONFIG_COUNT='2',
                            GIT_CONFIG_KEY_0='user.name',
                            GIT_CONFIG_VALUE_0='A Name',
                            GIT_CONFIG_KEY_1='user.email',
                            GIT_CONFIG_VALUE_1='a@localhost')
        self.assertIn('make series OUT=DIR', said)

    def test_series_without_an_identity(self):
        with tempfile.TemporaryDirectory() as folder:
            said = self.refused('series', folder, GIT_CONFIG_COUNT='1',
                                GIT_CONFIG_KEY_0='user.name',
                                GIT_CONFIG_VALUE_0='')
        self.assertIn('git config --global user.name', said)

    def test_a_file_of_another_user(self):
        said = self.ended_with(PermissionError(
            errno.EACCES, 'Permission denied', str(common.BUILD / 'x/lock')))
        self.assertEqual(said, 'cannot write build/x/lock: Permission denied '
                         '(built by another user?)')

    def test_a_program_that_is_missing(self):
        said = self.ended_with(FileNotFoundError(
            errno.ENOENT, 'No such file or directory', 'gcc'))
        self.assertEqual(said, 'gcc: No such file or directory')

    def test_a_full_disk(self):
        said = self.ended_with(OSError(errno.ENOSPC, 'No space left'))
        self.assertIn('No space left', said)

    def ended_with(self, error):
        """What main() says of an error, without the program's name."""
        def fails(_):
            raise error
        said = io.StringIO()
        with contextlib.redirect_stderr(said), \
                self.assertRaises(SystemExit) as end:
            common.main(fails)
        self.assertEqual(end.exception.code, common.EXIT_FAILED)
        line, = said.getvalue().splitlines()
        return line.partition(': ')[2]

    def test_a_group_of_tests_that_does_not_exist(self):
        said = self.refused('check', 'nothing')
        self.assertIn('no group of tests "nothing"', said)

    def test_a_base_to_measure_against_that_is_nothing(self):
        said = self.refused('bench', BASE='nonsense')
        self.assertIn('nonsense: neither a commit nor in overlay/base.lock',
                      said)

    def test_a_mutant_that_is_not_a_patch(self):
        said = self.refused('check-mutants', __file__)
        self.assertIn(f'{common.shown(__file__)}: not a patch', said)


class CommandLines(unittest.TestCase):
    """Of every script."""

    NAMES = sorted(path.name for path in SCRIPTS.iterdir() if path.is_file())

    def use(self, name, *arguments):
        """Run a script; its status, and what it printed to each output."""
        run = subprocess.run(
            [SCRIPTS / name, *arguments], text=True, check=False,
            stdin=subprocess.DEVNULL, capture_output=True)
        return run.returncode, run.stdout, run.stderr

    def test_help_says_how_it_is_used(self):
        for name in self.NAMES:
            with self.subTest(name):
                status, said, errors = self.use(name, '--help')
                self.assertEqual((status, errors), (0, ''))
                self.assertRegex(said, f'(?m)^usage: .*{name}')

    def test_an_option_that_does_not_exist(self):
        for name in self.NAMES:
            with self.subTest(name):
                status, said, errors = self.use(name, '--nonsense')
                self.assertEqual((status, said), (2, ''))
                self.assertRegex(errors.splitlines()[-1],
                                 f'{name}: .*(--nonsense|required)')

    def test_arguments_that_are_missing(self):
        for name, *arguments in (('c-test',), ('library-test', 'gcc'),
                                 ('unittest-tap',)):
            with self.subTest(name):
                status, _, errors = self.use(name, *arguments)
                self.assertEqual(status, 2)
                self.assertRegex(errors, rf'{name}: .*arguments.*\n\Z')


if __name__ == '__main__':
    unittest.main()
