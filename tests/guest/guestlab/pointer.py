# SPDX-License-Identifier: GPL-2.0-or-later
"""The motion that arrives in the guest's input layer."""

from guestlab.mouse import INPUT_NAME
from guestlab.places import Failure

# linux/input-event-codes.h
EV_SYN, EV_REL = 0, 2
SYN_REPORT, SYN_DROPPED = 0, 3
REL_X, REL_Y = 0, 1

# What may get lost at the start: 50 ms of a mouse that is not too quick.
LOST_AT_OPEN = 60
# So many reports in a row are enough to tell the place on a circle.
SAMPLE = 20


class Pointer:
    """Reads one input device in the guest, report by report."""

    def __init__(self, agent, phys="", name=INPUT_NAME, on_report=None):
        self.reports = []           # (dx, dy) as the guest saw them
        self.event = None           # its name in /sys/class/input
        self.dropped = 0            # times that the guest's queue overflowed
        self._agent = agent
        self._on_report = on_report
        self._motion = [0, 0]
        self._job = agent.start(f"evread '{name}' '{phys}'", self._take)

    def wait_open(self, timeout=20):
        """Wait until the guest has the device, and we read it."""
        found = self._job.wait_line("^open /dev/input/(.*)", timeout)
        self.event = found.group(1)

    def wait_reports(self, count, timeout):
        """Wait for the first @count reports."""
        self._agent.wait(
            lambda: len(self.reports) >= count, timeout,
            lambda: f"{len(self.reports)} of {count} reports reached the "
            f"guest's input layer within {timeout} s", self._job)

    def wait_all(self, sent, timeout):
        """Wait until all that was @sent has come; it must be the same."""
        try:
            self._agent.wait(lambda: is_end(sent, self.reports), timeout,
                             lambda: "not all reports came", self._job)
        except Failure:
            compare(sent, self.reports)
            raise
        if self.dropped:
            raise Failure("the guest's input layer lost events")

    def wait_gone(self, timeout=20):
        """Wait until the guest has taken the device away."""
        self._job.wait_line("^gone$", timeout)

    def close(self):
        """Stop reading."""
        self._job.kill()

    def _take(self, line):
        words = line.split()
        if len(words) == 4 and "." in words[0]:
            self._event(*map(int, words[1:]))

    def _event(self, kind, code, value):
        if kind == EV_REL and code in (REL_X, REL_Y):
            self._motion[code] += value
        elif kind == EV_SYN and code == SYN_DROPPED:
            self.dropped += 1
        elif kind == EV_SYN and code == SYN_REPORT:
            self.reports.append(tuple(self._motion))
            self._motion = [0, 0]
            if self._on_report:
                self._on_report(*self.reports[-1])


def visible(reports):
    """The reports that the input layer passes on: those with motion."""
    return [report for report in reports if any(report)]


def compare(sent, seen):
    """Each report must have reached the guest, in order, but the first few.

    Linux's usbhid throws away what comes in the first 50 ms after a device
    is opened; see usbhid_open().  So @seen has to be an end of @sent.
    """
    expected = visible(sent)
    start = _begin(expected, seen)
    if start > LOST_AT_OPEN:
        raise Failure(f"the guest saw none of the first {start} reports")
    for number, (want, have) in enumerate(zip(expected[start:], seen), 1):
        if want != have:
            raise Failure(f"report {start + number}: the mouse sent {want}, "
                          f"the guest saw {have}")
    if len(expected) - start != len(seen):
        raise Failure(f"the mouse sent {len(expected) - start} reports, "
                      f"the guest saw {len(seen)}")


def _begin(expected, seen):
    """Where in @expected the first reports of @seen are."""
    sample = seen[:SAMPLE]
    for start in range(len(expected) - len(sample) + 1):
        if expected[start:start + len(sample)] == sample:
            return start
    return max(0, len(expected) - len(seen))


def is_end(sent, seen):
    """Whether @seen is all of @sent but the first few."""
    expected = visible(sent)
    return (len(seen) >= len(expected) - LOST_AT_OPEN and
            seen == expected[len(expected) - len(seen):])
