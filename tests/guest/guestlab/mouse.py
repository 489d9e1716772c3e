# SPDX-License-Identifier: GPL-2.0-or-later
"""examples/mouse.py as the other end of the device under test."""

import itertools
import json
import signal
import subprocess

from guestlab.places import EXAMPLES, PYTHON, Failure
from guestlab.waiting import wait_until

# What the guest's input layer calls it: manufacturer and product string.
INPUT_NAME = "usb-remote Python Mouse"
REPORTS_PER_TURN = 360

_numbers = itertools.count(1)


class Mouse:
    """One running mouse.py.  Use with `with`."""

    def __init__(self, folder, *options):
        program = EXAMPLES / "mouse.py"
        if not program.exists():
            raise Failure(f"there is no {program}")
        stem = folder / f"mouse{next(_numbers)}"
        self.log = stem.with_suffix(".log")
        self._reports = stem.with_suffix(".reports")
        self._stats = stem.with_suffix(".json")
        command = [PYTHON, str(program), "-v", *options,
                   "--report-log", str(self._reports),
                   "--stats", str(self._stats)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=folder)

    def reports(self):
        """The motion of each report that QEMU has taken, as (dx, dy)."""
        if not self._reports.exists():
            return []
        text = self._reports.read_text()
        whole = text[:text.rfind("\n") + 1].splitlines()
        return [tuple(map(int, line.split())) for line in whole]

    def wait_reports(self, count, timeout):
        """Wait until so many reports have been taken."""
        def enough():
            self._check_alive()
            return len(self.reports()) >= count
        wait_until(enough, timeout,
                   lambda: f"{len(self.reports())} of {count} reports were "
                   "taken from the mouse")

    def send_report(self):
        """Have an idle mouse send one report."""
        self._signal(signal.SIGUSR1)

    def submits(self):
        """How many SUBMITs each endpoint has had until now."""
        self._stats.unlink(missing_ok=True)
        self._signal(signal.SIGUSR2)
        return wait_until(self._read_stats, 10,
                          "no counters from the mouse")["submits"]

    def wait_for_file(self, path):
        """Wait until it has made its socket."""
        def there():
            self._check_alive()
            return path.exists()
        wait_until(there, 10, f"mouse.py did not make {path}")

    def during(self, wait):
        """Call @wait; when it fails, a dead mouse is the better reason."""
        try:
            return wait()
        except Failure:
            self._check_alive()
            raise

    def wait_exit(self, timeout=10):
        """Wait for it to end by itself; returns its exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"mouse.py still runs after {timeout} s") from None

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

    def _read_stats(self):
        self._check_alive()
        try:
            return json.loads(self._stats.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    def _signal(self, number):
        self._check_alive()
        self.process.send_signal(number)

    def _check_alive(self):
        status = self.process.poll()
        if status is not None:
            raise Failure(f"mouse.py ended with status {status}:\n"
                          f"{self.log_text().strip()}")
