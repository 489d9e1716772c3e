# SPDX-License-Identifier: GPL-2.0-or-later
"""A program of examples/ as the other end of the device under test."""

import fcntl
import functools
import itertools
import json
import re
import signal
import subprocess
from pathlib import Path

from usblab.guest.waiting import wait_until

from guestlab.places import BUILD, EXAMPLES, PYTHON, Failure

# What each example says of itself in the guest.
MANUFACTURER = "usb-remote"

_numbers = itertools.count(1)


class Example:
    """One running examples/NAME.py.  Use with `with`."""

    def __init__(self, folder, name, *options):
        stem = folder / f"{name}-{next(_numbers)}"
        self.log = stem.with_suffix(".log")
        self._stats = stem.with_suffix(".json")
        command = [*self._command(name), *options]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=folder)

    def _command(self, name):
        program = EXAMPLES / f"{name}.py"
        if not program.exists():
            raise Failure(f"there is no {program}")
        self.name = program.name
        return [PYTHON, str(program), "-v", "--stats", str(self._stats)]

    def submits(self):
        """How many SUBMITs each endpoint has had until now."""
        return self.stats()["submits"]

    def stats(self):
        """The counters, see session.Counters."""
        self._stats.unlink(missing_ok=True)
        self.signal(signal.SIGUSR2)
        return wait_until(self._read_stats, 10,
                          f"no counters from {self.name}")

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

    def wait_printed(self, pattern, count=1, timeout=10):
        """Wait until @pattern was printed so often; returns what it was."""
        def enough():
            self.check_alive()
            return len(self.printed(pattern)) >= count
        wait_until(enough, timeout, lambda: f"{self.name} did not "
                   f"print '{pattern}' {count} times, but:\n"
                   f"{self.log_text().strip()}\n")
        return self.printed(pattern)

    def printed(self, pattern):
        """All places of what it printed that match @pattern."""
        return re.findall(pattern, self.log_text(), re.MULTILINE)

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


class CExample(Example):
    """One running program of examples/c.  It has no counters."""

    def _command(self, name):
        self.name = f"{name}.c"
        return [str(build_c_examples() / name)]


@functools.lru_cache(maxsize=None)
def build_c_examples():
    """Compile examples/c; returns the folder of the programs."""
    folder = BUILD / "examples-c"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)    # guests run side by side
        done = subprocess.run(
            ["make", "-s", "-C", EXAMPLES / "c", f"BUILD={folder}"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False)
    if done.returncode:
        raise Failure(f"cannot compile examples/c:\n{done.stdout}")
    return folder


def plug(lab, bus, name, *options):
    """
    Plug examples/@name.py into @bus of the warm guest; returns it and the
    guest's name for it in /sys/bus/usb/devices.
    """
    device = lab.remote(bus)
    mark = lab.vm.kernel_log.mark()
    example = lab.example(name, "--connect", device.address, *options)
    return example, name_in_guest(lab, example, mark)


def name_in_guest(lab, example, mark):
    """
    Wait until the warm guest has found @example, which it had not at @mark
    of its log; the guest's name for it in /sys/bus/usb/devices.
    """
    return example.during(lambda: lab.vm.kernel_log.wait(
        rf"usb (\S+): Manufacturer: {MANUFACTURER}$", mark)).group(1)


def driver_in_guest(lab, found):
    """
    The driver of the first interface of the device that the guest calls
    @found, when it is done with taking it.

    The link to the driver is there before that.  Who unplugs the device
    meanwhile leaves Linux waiting for answers, on xHCI 5 s for each: nothing
    that is queued after an unplugging completes there.  Linux lets nobody
    read bConfigurationValue until its drivers are done.
    """
    device = f"/sys/bus/usb/devices/{found}"
    link = lab.vm.agent.run(
        f"until readlink {device}:*.0/driver; do usleep 10000; done; "
        f"cat {device}/bConfigurationValue > /dev/null")
    return Path(link).name


def node(lab, pattern):
    """Wait for the guest's file that a shell @pattern names; its path."""
    return lab.vm.agent.run(
        f"until ls -d {pattern} 2>/dev/null; do usleep 10000; done")
