# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases written as Python functions or commands, printed as TAP."""

import subprocess
import traceback

import runner
import tap
from common import Failure, Unavailable

LONGEST = 60        # lines of a failing command's output that are shown


def command(*arguments, **options):
    """Run a command; Failure with its output unless it succeeds."""
    run = subprocess.run(
        [str(argument) for argument in arguments], text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, errors='replace', **options)
    if run.returncode != 0:
        lines = run.stdout.splitlines()[-LONGEST:]
        raise Failure(f'{" ".join(map(str, arguments))}: '
                      f'status {run.returncode}\n' + '\n'.join(lines))
    return run.stdout


class Cases:
    """Runs cases one after the other."""

    def __init__(self):
        self.writer = tap.Writer()

    def run(self, name, function, *arguments):
        """One case; returns what the function returned, None on failure."""
        try:
            value = function(*arguments)
        except Unavailable as reason:
            self.writer.line(True, name, reason=str(reason))
        except Failure as failure:
            self.writer.line(False, name, detail=str(failure))
        except Exception:       # pylint: disable=broad-exception-caught
            self.writer.line(False, name, detail=traceback.format_exc())
        else:
            self.writer.line(True, name)
            return value
        return None

    def done(self):
        return self.writer.done()

    def totals(self):
        writer = self.writer
        return runner.Totals(writer.count - writer.failed - writer.skipped,
                             writer.failed, writer.skipped)
