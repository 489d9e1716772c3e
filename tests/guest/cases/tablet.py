# SPDX-License-Identifier: GPL-2.0-or-later
"""The positions of tablet.py arrive exactly."""

import random
import signal

from guestlab import controls
from guestlab.example import plug
from guestlab.registry import case

NAME = "usb-remote Python Tablet"
LARGEST = 32767
CORNERS = [(LARGEST, LARGEST, 0), (0, LARGEST, 1), (LARGEST, 0, 2),
           (0, 0, 4), (1, 1, 7), (0, 0, 0)]


@case("a tablet on UHCI: every position arrives exactly")
def on_uhci(lab):
    every_position(lab, "uhci")


@case("a tablet on xHCI: every position arrives exactly")
def on_xhci(lab):
    every_position(lab, "xhci")


def every_position(lab, bus):
    """The corners and two hundred places anywhere."""
    chance = random.Random(1)
    sent = CORNERS + [(chance.randrange(LARGEST + 1),
                       chance.randrange(LARGEST + 1), chance.randrange(8))
                      for _ in range(200)]
    path = lab.folder / "positions"
    path.write_text("".join(f"{x} {y} {buttons}\n" for x, y, buttons in sent))
    guest = controls.Controls(
        lab.vm.agent, NAME, (controls.ABS_X, controls.ABS_Y),
        (controls.BTN_LEFT, controls.BTN_RIGHT, controls.BTN_MIDDLE))
    tablet, _ = plug(lab, bus, "tablet", "--idle", "--rate", "1000",
                     "--positions", str(path))
    guest.wait_open()
    tablet.signal(signal.SIGUSR1)
    tablet.during(lambda: guest.wait_states(sent))
