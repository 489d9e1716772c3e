# SPDX-License-Identifier: GPL-2.0-or-later
"""Long steps: what is shown of them."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import trees        # pylint: disable=unused-import

import common
import steps


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Steps(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        logs = mock.patch.object(steps, 'LOGS', Path(folder.name))
        logs.start()
        self.addCleanup(logs.stop)

    def said(self, screen, script):
        """What is on the screen after a step; the step may fail."""
        with contextlib.redirect_stdout(screen), \
                contextlib.suppress(common.Failure):
            steps.run('Step', ['/bin/sh', '-c', script], 'log')
        return screen.getvalue()

    def test_a_step_that_is_done_overwrites_its_percentage(self):
        said = self.said(Terminal(), 'echo "[1/2] x"')
        self.assertRegex(said, r'^Step \.\.\.\n\rStep:  50%'
                               r'\rStep: done in \d+ s\n$')

    def test_what_follows_a_failure_is_on_a_line_of_its_own(self):
        said = self.said(Terminal(), 'echo "[1/2] x"; false')
        self.assertEqual(said, 'Step ...\n\rStep:  50%\n')

    def test_a_failure_without_a_percentage_has_no_empty_line(self):
        self.assertEqual(self.said(Terminal(), 'false'), 'Step ...\n')
        self.assertEqual(self.said(io.StringIO(), 'echo "[1/2] x"; false'),
                         'Step ...\n')


if __name__ == '__main__':
    unittest.main()
