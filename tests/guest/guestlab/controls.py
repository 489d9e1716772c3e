# SPDX-License-Identifier: GPL-2.0-or-later
"""The state of an input device's controls, as the guest sees it change."""

from guestlab.places import Failure

# linux/input-event-codes.h
EV_SYN, EV_KEY, EV_ABS, EV_LED, EV_REP = 0, 1, 3, 17, 20
SYN_REPORT = 0
ABS_X, ABS_Y, ABS_Z, ABS_RZ = 0, 1, 2, 5
BTN_LEFT, BTN_RIGHT, BTN_MIDDLE, BTN_GAMEPAD = 0x110, 0x111, 0x112, 0x130


class Controls:
    """
    Reads one input device in the guest.

    axes: codes of EV_ABS; buttons: codes of EV_KEY.  After each report that
    changed something there is a tuple in `states`: the axes' values, and
    the buttons as one number, the first in its lowest bit.
    """

    def __init__(self, agent, name, axes, buttons):
        self.states = []
        self._values = {
            **{(EV_ABS, code): 0 for code in axes},
            **{(EV_KEY, code): 0 for code in buttons}}
        self._axes = len(axes)
        self._agent = agent
        self._job = agent.start(f"evread '{name}'", self._take)

    def wait_open(self, timeout=20):
        """Wait until the guest has the device, and we read it; its node."""
        return self._job.wait_line("^open (.*)", timeout).group(1)

    def wait_states(self, sent, timeout=60):
        """Wait for as many as were @sent; they must be the same."""
        try:
            self._agent.wait(
                lambda: len(self.states) >= len(sent), timeout,
                lambda: f"{len(self.states)} of {len(sent)} reports reached "
                f"the guest's input layer within {timeout} s", self._job)
        finally:
            self._compare(sent)

    def _compare(self, sent):
        """A wrong report says more than a missing one."""
        for number, (want, have) in enumerate(zip(sent, self.states), 1):
            if want != have:
                raise Failure(f"report {number}: the device sent {want}, "
                              f"the guest saw {have}")

    def _take(self, line):
        words = line.split()
        if len(words) == 4 and "." in words[0]:
            self._event(*map(int, words[1:]))

    def _event(self, kind, code, value):
        if (kind, code) in self._values:
            self._values[kind, code] = value
        elif (kind, code) == (EV_SYN, SYN_REPORT):
            values = list(self._values.values())
            mask = sum(down << bit for bit, down in
                       enumerate(values[self._axes:]))
            self.states.append((*values[:self._axes], mask))
