# SPDX-License-Identifier: MIT
"""A pointer with absolute positions, HID 1.11 and HID Usage Tables 1.5."""

from __future__ import annotations

import struct
from typing import Optional

from . import hid, report

LARGEST = 0x7fff                # of X and Y: right, and at the bottom
LEFT, RIGHT, MIDDLE = 1, 2, 4   # Usage Tables section 12: Button 1, 2, 3

POSITION = report.collection(
    report.DESKTOP, report.MOUSE,
    report.collection(
        report.DESKTOP, report.POINTER,
        report.field(report.INPUT, report.BUTTONS, range(1, 4), 1, 0, 1),
        report.padding(report.INPUT, 5),
        report.field(report.INPUT, report.DESKTOP, (report.X, report.Y),
                     16, 0, LARGEST),
        kind=report.PHYSICAL))
STATE = struct.Struct("<BHH")


class Tablet(hid.Hid):
    """
    A pointer that is put at a place; three buttons.  period_ms: see Hid.

    Subclasses override encode() for wrong reports.
    """

    def __init__(self, period_ms: float = 4,
                 name: Optional[str] = None) -> None:
        super().__init__(POSITION, STATE.size, period_ms=period_ms, name=name)

    async def point(self, x: int, y: int, buttons: int = 0) -> None:
        """
        Point there, with these of LEFT, RIGHT and MIDDLE down.

        x and y are 0 to LARGEST; up to 0xffff they are sent as they are, and
        what is more raises struct.error.
        """
        await self.send(self.encode(x, y, buttons))

    def encode(self, x: int, y: int, buttons: int) -> bytes:
        """The input report, 5 bytes."""
        return STATE.pack(buttons, x, y)
