# SPDX-License-Identifier: GPL-2.0-or-later
"""A minimal system in a folder: what can be said without making one."""

import subprocess
import unittest
from pathlib import Path
from unittest import mock

from trees import SCRIPTS

import common
import fresh

TABLE = r"""
21 1 0:20 / /proc rw - proc proc rw
22 1 0:21 / /b/fresh/trixie/proc rw - proc proc rw
23 1 0:22 / /b/fresh/trixie-old/proc rw - proc proc rw
24 1 0:23 / /b/fresh/with\040space rw - tmpfs tmpfs rw
""".lstrip()


class Mounts(unittest.TestCase):
    """Nothing is deleted through a mount."""

    def test_only_those_below_the_folder(self):
        self.assertEqual(fresh.mounts_below('/b/fresh/trixie', TABLE),
                         ['/b/fresh/trixie/proc'])

    def test_a_name_with_a_space(self):
        self.assertEqual(fresh.mounts_below('/b/fresh/with space', TABLE),
                         ['/b/fresh/with space'])

    def test_a_folder_with_a_mount_is_not_removed(self):
        with mock.patch.object(Path, 'read_text', return_value=TABLE), \
                mock.patch.object(fresh.subprocess, 'run') as run, \
                self.assertRaises(common.Failure) as caught:
            fresh.remove(Path('/b/fresh/trixie'))
        self.assertIn('/b/fresh/trixie/proc is mounted',
                      str(caught.exception))
        run.assert_not_called()


class Command(unittest.TestCase):
    """How a command gets into the system."""

    def test_the_machines_environment_stays_outside(self):
        with mock.patch.dict(fresh.os.environ,
                             {'MAKEFLAGS': '-j9', 'http_proxy': 'p:1'}):
            command = fresh.System('trixie').command('make', 'demo')
        self.assertEqual(command[-2:], ['make', 'demo'])
        self.assertIn('http_proxy=p:1', command)
        self.assertNotIn('MAKEFLAGS=-j9', command)

    def test_mounts_are_made_in_a_namespace_of_its_own(self):
        command = fresh.System('trixie').command('true')
        self.assertEqual(command[:2], ['unshare', '--mount'])


class Arguments(unittest.TestCase):
    """Of scripts/check-fresh."""

    def refused(self, *arguments):
        run = subprocess.run([SCRIPTS / 'check-fresh', *arguments],
                             text=True, check=False, capture_output=True,
                             stdin=subprocess.DEVNULL)
        self.assertEqual((run.returncode, run.stdout), (2, ''))
        return run.stderr

    def test_a_release_that_does_not_exist(self):
        self.assertIn('no release "woody"', self.refused('woody'))

    def test_a_target_that_is_not_the_readmes(self):
        self.assertIn('fuzz', self.refused('--only', 'fuzz'))


if __name__ == '__main__':
    unittest.main()
