# SPDX-License-Identifier: MIT
"""
A gamepad with two sticks, buttons and two motors.

HID 1.11 and HID Usage Tables 1.5 have the controls.  No usage is for motors
alone: theirs are a vendor's, and the command is the one that Linux's
hid-zpff sends to those that it knows (0c12:0005 and 0c12:0030).
"""

from __future__ import annotations

import struct
from typing import Callable, Optional

from . import hid, report

STICKS = (report.X, report.Y, report.Z, report.RZ)
CENTER, LARGEST = 0x80, 0xff    # of each axis of a stick
MOST_BUTTONS = 16
MOTORS = b"".join(              # two bytes of a command, strong, weak
    report.field(report.OUTPUT, report.VENDOR, (usage,), 8, 0, 127)
    for usage in range(1, 5))
RUMBLE = b"\0\2"                # the command
STATE, MOTION = struct.Struct("<4BH"), struct.Struct("<2sBB")


def controls(buttons: int) -> bytes:
    """The report descriptor of a gamepad with so many buttons, 1 to 16."""
    rest = MOST_BUTTONS - buttons
    return report.collection(
        report.DESKTOP, report.GAMEPAD,
        report.field(report.INPUT, report.DESKTOP, STICKS, 8, 0, LARGEST),
        report.field(report.INPUT, report.BUTTONS, range(1, buttons + 1), 1,
                     0, 1),
        report.padding(report.INPUT, rest) if rest else b"", MOTORS)


class Gamepad(hid.Hid):
    """
    The left stick is X and Y, the right one Z and RZ; see controls().

    on_rumble is called with what the guest tells the strong and the weak
    motor, 0 (off) to 127; on_unknown with other output reports.  period_ms:
    see Hid.  Subclasses override encode() for wrong reports.
    """

    def __init__(self, buttons: int = 10, period_ms: float = 4,
                 name: Optional[str] = None,
                 on_rumble: Optional[Callable[[int, int], object]] = None,
                 on_unknown: Optional[Callable[[bytes], object]] = None
                 ) -> None:
        self.on_rumble, self.on_unknown = on_rumble, on_unknown
        super().__init__(controls(buttons), STATE.size, period_ms=period_ms,
                         name=name, output=True, on_output=self._told)

    async def hold(self, x: int = CENTER, y: int = CENTER, z: int = CENTER,
                   rz: int = CENTER, buttons: int = 0) -> None:
        """
        Hold the sticks there, 0 to 255, and these buttons down, of which 1
        is bit 0; raises struct.error beyond.
        """
        await self.send(self.encode(x, y, z, rz, buttons))

    def encode(self, x: int, y: int, z: int, rz: int, buttons: int) -> bytes:
        """The input report, 6 bytes."""
        return STATE.pack(x, y, z, rz, buttons)

    def _told(self, data: bytes) -> None:
        if len(data) == MOTION.size and data.startswith(RUMBLE):
            _, strong, weak = MOTION.unpack(data)
            if self.on_rumble is not None:
                self.on_rumble(strong, weak)
        elif self.on_unknown is not None:
            self.on_unknown(data)
