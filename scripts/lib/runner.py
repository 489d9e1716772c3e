# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs test suites, each in a process group of its own.

Those that may run side by side do, one on each processor.  A test and the
QEMU that it drives take turns, which is much faster on one processor than
across two: each of these suites is kept on one."""

import itertools
import os
import queue
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
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

    def __init__(self, suite, out=say, processor=None):
        self.suite = suite
        self.say = out
        self.processor = processor  # the only one that it may use, or None
        self.reader = tap.Reader()
        self.totals = Totals()
        self.started = time.monotonic()
        self.deadline = self.started + suite.seconds
        self.late = False           # it was ended because time was up
        self.detail = 0             # lines still shown of the last failure
        folder, name = LOGS / 'check', suite.name.replace('/', '-')
        folder.mkdir(parents=True, exist_ok=True)
        self.output = folder / f'{name}.tap'    # a name may have dots
        self.errors = folder / f'{name}.log'

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
        process = subprocess.Popen(
            self.suite.command, cwd=self.suite.folder,
            env={**os.environ, **self.suite.environment},
            stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
            start_new_session=True)
        if self.processor is not None:
            os.sched_setaffinity(process.pid, {self.processor})
        return process

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


class SideBySide:
    """Suites that run at the same time, some on each processor."""

    def __init__(self, processors, each=1):
        self.places = list(processors) * each
        self.free = queue.SimpleQueue()
        for processor in self.places:
            self.free.put(processor)
        self.lock = threading.Lock()
        self.running = set()
        self.over = False

    def tell(self, text):
        with self.lock:
            say(text)

    def supervised(self, suite, out):
        """Run a suite on one processor; None if all is over."""
        processor = self.free.get()
        run = SuiteRun(suite, out, processor)
        try:
            with self.lock:
                if self.over:
                    return None
                self.running.add(run)
            run.run()
            return run
        finally:
            with self.lock:
                self.running.discard(run)
            self.free.put(processor)

    def one(self, suite):
        """Run a suite; what it has to say comes in one piece in the end."""
        said = []
        self.tell(f'{suite.name} ...')
        try:
            run = self.supervised(suite, said.append)
        finally:
            self.tell('\n'.join(said[1:]))     # the first is said already
        return run.totals if run else Totals()

    def end(self):
        with self.lock:
            self.over = True
            for run in self.running:
                run.cut_short()

    def run(self, suites):
        totals = Totals()
        with ThreadPoolExecutor(len(self.places)) as pool:
            jobs = [pool.submit(self.one, suite) for suite in suites]
            try:
                for job in jobs:
                    totals.add(job.result())
            finally:
                self.end()
        return totals


def run_suites(suites, processors=None):
    """Run suites in this order, those together that may be; the totals."""
    processors = processors or sorted(os.sched_getaffinity(0))
    totals = Totals()
    for beside, some in itertools.groupby(suites, lambda suite: suite.beside):
        if beside:
            totals.add(SideBySide(processors, beside).run(some))
        else:
            for suite in some:
                totals.add(SuiteRun(suite).run())
    return totals
