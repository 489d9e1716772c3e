# SPDX-License-Identifier: GPL-2.0-or-later
"""A program of examples/ as the other end of the device under test."""

import itertools
import json
import signal
import subprocess

from guestlab.places import EXAMPLES, PYTHON, Failure
from guestlab.waiting import wait_until

_numbers = itertools.count(1)


class Example:
    """One running examples/NAME.py.  Use with `with`."""

    def __init__(self, folder, name, *options):
        program = EXAMPLES / f"{name}.py"
        if not program.exists():
            raise Failure(f"there is no {program}")
        self.name = program.name
        stem = folder / f"{name}-{next(_numbers)}"
        self.log = stem.with_suffix(".log")
        self._stats = stem.with_suffix(".json")
        command = [PYTHON, str(program), "-v", "--stats", str(self._stats),
                   *options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=folder)

    def submits(self):
        """How many SUBMITs each endpoint has had until now."""
        self._stats.unlink(missing_ok=True)
        self.signal(signal.SIGUSR2)
        return wait_until(self._read_stats, 10,
                          f"no counters from {self.name}")["submits"]

    def wait_for_file(self, path):
        """Wait until it has made its socket."""
        def there():
            self.check_alive()
            return path.exists()
        wait_until(there, 10, f"{self.name} did not make {path}")

    def during(self, wait):
        """Call @wait; when it fails, its end is the better reason."""
        try:
            return wait()
        except Failure:
            self.check_alive()
            raise

    def wait_exit(self, timeout=10):
        """Wait for it to end by itself; returns its exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} still runs after {timeout} s"
                          ) from None

    def stop(self, how=signal.SIGTERM):
        """End it; the connection goes with it."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def log_text(self):
        """What it printed."""
        return self.log.read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def signal(self, number):
        """Send it a signal."""
        self.check_alive()
        self.process.send_signal(number)

    def check_alive(self):
        """Fail with its last words when it has ended."""
        status = self.process.poll()
        if status is not None:
            raise Failure(f"{self.name} ended with status {status}:\n"
                          f"{self.log_text().strip()}")

    def _read_stats(self):
        self.check_alive()
        try:
            return json.loads(self._stats.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
