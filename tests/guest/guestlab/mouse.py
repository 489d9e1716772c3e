# SPDX-License-Identifier: GPL-2.0-or-later
"""examples/mouse.py as the other end of the device under test."""

import itertools
import signal

from usblab.guest.waiting import wait_until

from guestlab.example import Example

# What the guest's input layer calls it: manufacturer and product string.
INPUT_NAME = "usb-remote Python Mouse"
REPORTS_PER_TURN = 360

_numbers = itertools.count(1)


class Mouse(Example):
    """One running mouse.py.  Use with `with`."""

    def __init__(self, folder, *options):
        self._reports = folder / f"mouse{next(_numbers)}.reports"
        super().__init__(folder, "mouse", *options,
                         "--report-log", str(self._reports))

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
            self.check_alive()
            return len(self.reports()) >= count
        wait_until(enough, timeout,
                   lambda: f"{len(self.reports())} of {count} reports were "
                   "taken from the mouse")

    def send_report(self):
        """Have an idle mouse send one report."""
        self.signal(signal.SIGUSR1)
