# SPDX-License-Identifier: GPL-2.0-or-later
"""What gamepad.py does arrives, and its motors are driven by the guest."""

import itertools
import signal

from usblab.guest.waiting import wait_until

from guestlab import controls
from guestlab.example import plug
from guestlab.places import Failure
from guestlab.registry import case

NAME = "usb-remote Python Gamepad"
AXES = (controls.ABS_X, controls.ABS_Y, controls.ABS_Z, controls.ABS_RZ)
BUTTONS = range(controls.BTN_GAMEPAD, controls.BTN_GAMEPAD + 10)
REPORTS = 360                   # a turn

OFF = (0, 0)
# What the guest plays, and what Linux's hid-zpff makes of it.
EFFECTS = {(0xffff, 0): (127, 0), (0x8000, 0x4000): (63, 31),
           (0, 0xffff): (0, 127)}


@case("a gamepad on UHCI: sticks and buttons arrive, the guest's effects "
      "come back")
def on_uhci(lab):
    plays_and_rumbles(lab, "uhci")


@case("a gamepad on xHCI: sticks and buttons arrive, the guest's effects "
      "come back")
def on_xhci(lab):
    plays_and_rumbles(lab, "xhci")


def plays_and_rumbles(lab, bus):
    """A turn of the sticks, and some effects."""
    lab.vm.agent.run("load hid_zpff")
    log = lab.folder / "gamepad.reports"
    guest = controls.Controls(lab.vm.agent, NAME, AXES, BUTTONS)
    gamepad, _ = plug(lab, bus, "gamepad", "--idle", "--rate", "1000",
                      "--report-log", str(log))
    path = guest.wait_open()
    gamepad.signal(signal.SIGUSR1)
    sent = gamepad.during(lambda: wait_until(
        lambda: reports(log), 60, lambda: "the gamepad's turn did not end"))
    guest.wait_states(sent)
    check_effects(lab, gamepad, path)


def reports(log):
    """All that the gamepad has sent, once its turn has ended."""
    lines = log.read_text().splitlines()
    return [tuple(map(int, line.split())) for line in lines
            ] if len(lines) == REPORTS else None


def check_effects(lab, gamepad, path):
    """Play each; it ends when the program does."""
    expected = [OFF]            # the driver does this first
    for (strong, weak), felt in EFFECTS.items():
        player = lab.vm.agent.start(f"rumble {path} {strong} {weak}")
        expected.append(felt)
        check_felt(gamepad, expected)
        player.kill()
        expected.append(OFF)
        check_felt(gamepad, expected)


def check_felt(gamepad, expected):
    """The motors got this, and nothing else; Linux may say it twice."""
    wait_until(lambda: len(felt(gamepad)) >= len(expected), 10,
               lambda: f"the motors got {felt(gamepad)}, not {expected}")
    if felt(gamepad) != expected:
        raise Failure(f"the motors got {felt(gamepad)}, not {expected}")


def felt(gamepad):
    """What the motors got, (strong, weak), without repetitions."""
    found = gamepad.printed(r"^rumble: strong (\d+), weak (\d+)$")
    return [tuple(map(int, values)) for values, _ in
            itertools.groupby(found)]
