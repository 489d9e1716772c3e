# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs test suites, each in a process group of its own."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass

import steps
import tap
from common import LOGS, say, shown

POLL = 0.05
DETAIL_LINES = 25
GRACE = 5.0         # seconds from SIGTERM to SIGKILL


@dataclass
class Totals:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return (f'{self.passed} passed, {self.failed} failed, '
                f'{self.skipped} skipped')


def signal_group(process, number):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def end_group(process):
    """End what is left of a suite's own process group."""
    signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(POLL)
    signal_group(process, signal.SIGKILL)
    process.wait()


class SuiteRun:
    """One suite being run: reads its TAP while it comes, and says lines of
    what it finds."""

    def __init__(self, suite, out=say):
        self.suite = suite
        self.say = out
        self.reader = tap.Reader()
        self.totals = Totals()
        self.started = time.monotonic()
        self.deadline = self.started + suite.seconds
        self.late = False           # it was ended because time was up
        self.detail = 0             # lines still shown of the last failure
        stem = LOGS / 'check' / suite.name.replace('/', '-')
        stem.parent.mkdir(parents=True, exist_ok=True)
        self.output = stem.with_suffix('.tap')
        self.errors = stem.with_suffix('.log')

    def fail(self, what):
        self.totals.failed += 1
        self.say(f'  FAIL {self.suite.name}: {what}')

    def result(self, result):
        self.detail = 0
        if result.reason is not None:
            self.totals.skipped += 1
            self.say(f'  SKIP {self.suite.name}: {result.name}: '
                     f'{result.reason}')
        elif result.passed:
            self.totals.passed += 1
        else:
            self.fail(result.name)
            self.detail = DETAIL_LINES

    def line(self, line):
        result = self.reader.feed(line)
        if result:
            self.result(result)
        elif self.detail and line.startswith('#'):
            self.detail -= 1
            self.say(f'       {line[2:].rstrip()}' if self.detail
                     else f'       ... the rest is in {shown(self.output)}')

    def follow(self, process, file):
        """Read lines until the process ends; False when time is up."""
        rest = ''
        while True:
            ended = process.poll() is not None
            *lines, rest = (rest + file.read()).split('\n')
            for line in lines:
                self.line(line)
            if ended:
                self.line(rest)
                return True
            if time.monotonic() > self.deadline:
                return False
            time.sleep(POLL)

    def start(self, output, errors):
        return subprocess.Popen(
            self.suite.command, cwd=self.suite.folder,
            env={**os.environ, **self.suite.environment},
            stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
            start_new_session=True)

    def cut_short(self):
        """Have it ended now (from another thread)."""
        self.deadline = 0

    def judge(self, process):
        """Failures of the suite as a whole."""
        complaint = None
        if self.late:
            complaint = f'not done after {self.suite.seconds} s: ended'
        elif self.reader.complaint():
            complaint = self.reader.complaint()
        elif process.returncode != 0 and not self.totals.failed:
            complaint = 'no case failed'
        if complaint:
            self.fail(f'{complaint} (status {process.returncode})')
            self.say(steps.tail(self.errors))

    def run(self):
        self.say(f'{self.suite.name} ...')
        with self.output.open('wb') as output, \
                self.errors.open('wb') as errors, \
                self.output.open(errors='replace') as file:
            try:
                process = self.start(output, errors)
            except OSError as error:
                self.fail(str(error))
                return self.totals
            try:
                self.late = not self.follow(process, file)
            finally:
                end_group(process)
        self.judge(process)
        took = time.monotonic() - self.started
        log = f' (logs: {shown(self.output)}, .log)' \
            if self.totals.failed else ''
        self.say(f'{self.suite.name}: {self.totals} in {took:.1f} s{log}')
        return self.totals
