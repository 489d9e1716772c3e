# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the measuring cases of usb-remote-test and reads their lines."""

import json
import os
import re
import subprocess

from common import LOGS, Failure, shown
from suites import PYTHON

TEST = 'tests/qtest/usb-remote-test'
LINE = re.compile(r'^\s*# bench (\{.*\})$', re.M)
SECONDS = 600       # for one case


def lines(output):
    """What the measuring cases said, one dictionary for each line."""
    return [json.loads(found) for found in LINE.findall(output)]


class Program:
    """usb-remote-test with the QEMU of one build tree.

    @sides: what takes part where real guests are compared;
    @quick: the measure is only to show that it works."""

    def __init__(self, tree, binary, sides=(), quick=False):
        self.tree = tree
        self.sides = sides
        self.binary = binary
        self.quick = quick
        self.environment = {**os.environ, 'PYTHON': PYTHON,
                            'QTEST_QEMU_BINARY': str(binary)}

    def run(self, case):
        """Run one case; returns the only line that it printed."""
        log = LOGS / 'bench' / (case.replace('/', '-') + '.log')
        log.parent.mkdir(parents=True, exist_ok=True)
        path = f'/x86_64/usb-remote/bench/{case}'
        try:
            done = subprocess.run(
                [str(self.tree / TEST), '--tap', '-m', 'perf', '-p', path],
                cwd=self.tree, env=self.environment, check=False, text=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f'{case}: not done after {SECONDS} s') from None
        log.write_text(done.stdout)
        found = lines(done.stdout)
        if done.returncode or len(found) != 1:
            raise Failure(f'{case} failed (status {done.returncode}); '
                          f'see {shown(log)}')
        return found[0]
