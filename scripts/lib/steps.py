# SPDX-License-Identifier: GPL-2.0-or-later
"""Long steps: progress for the person, everything in a log file."""

import os
import re
import subprocess
import sys
import time

from common import LOGS, Failure, say, shown

PROGRESS = (re.compile(r'^\[(\d+)/(\d+)\]'), re.compile(r'^\s*(\d+)%'))
TAIL_LINES = 30
TAIL_WIDTH = 300
LINE_EVERY = 10.0       # seconds between progress lines when not a terminal


class Progress:
    """Shows how far a step is: one changing line, or a line now and then."""

    def __init__(self, title):
        self.title = title
        self.started = self.last = time.monotonic()
        self.terminal = sys.stdout.isatty()
        self.in_line = False        # the cursor is behind a percentage
        say(f'{title} ...')

    def feed(self, line):
        for pattern in PROGRESS:
            match = pattern.match(line)
            if match:
                done = [int(part) for part in match.groups()] + [100]
                self.show(100 * done[0] // max(done[1], 1))

    def show(self, percent):
        now = time.monotonic()
        if self.terminal:
            print(f'\r{self.title}: {percent:3d}%', end='', flush=True)
            self.in_line = True
        elif now - self.last >= LINE_EVERY:
            self.last = now
            say(f'{self.title}: {percent:3d}%')

    def done(self):
        start = '\r' if self.terminal else ''
        took = time.monotonic() - self.started
        say(f'{start}{self.title}: done in {took:.0f} s')

    def broken_off(self):
        """What is said next begins on a line of its own."""
        if self.in_line:
            say('')


class Aloud(Progress):
    """Shows every line, of commands that show progress themselves."""

    def feed(self, line):
        say(f'  {line.rstrip()}')


def tail(log):
    lines = log.read_text(errors='replace').splitlines()
    return '\n'.join(line if len(line) <= TAIL_WIDTH
                     else line[:TAIL_WIDTH] + ' ...'
                     for line in lines[-TAIL_LINES:])


def stop(process):
    """End a child that we started; it gets time to tidy up."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def follow(process, log, progress):
    with log.open('wb') as file, process.stdout:
        for line in process.stdout:
            file.write(line)
            file.flush()
            progress.feed(line.decode(errors='replace'))
    return process.wait()


def run(title, command, log_name, cwd=None, env=None, progress=Progress):
    """Run one long step; its whole output goes to build/logs/LOG_NAME."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / log_name
    progress = progress(title)
    process = subprocess.Popen(
        command, cwd=cwd, env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, close_fds=False)      # see locked()
    try:
        status = follow(process, log, progress)
    except KeyboardInterrupt:
        stop(process)
        progress.broken_off()
        raise
    if status != 0:
        progress.broken_off()
        raise Failure(f'{title} failed (status {status})\n{tail(log)}\n'
                      f'The whole log: {shown(log)}')
    progress.done()
