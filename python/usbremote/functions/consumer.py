# SPDX-License-Identifier: MIT
"""
The keys of a remote control or a keyboard's media keys: HID Usage Tables 1.5
section 15, Consumer Page.
"""

from __future__ import annotations

import struct
from typing import Dict, Optional

from . import hid, report
from .usages import CONSUMER

PAGE, CONTROL = 0x0c, 0x01
LARGEST = 0x3ff                 # usage
AT_ONCE = 4                     # keys
STATE = struct.Struct(f"<{AT_ONCE}H")
# Four keys that are down, 0 for none.
KEYS = report.collection(
    PAGE, CONTROL,
    report.field(report.INPUT, PAGE, range(LARGEST + 1), 16, 0, LARGEST,
                 flags=0, count=AT_ONCE))
# "Volume Increment", "Play/Pause", ...: its usage
USAGES: Dict[str, int] = {name: usage for usage, name in CONSUMER.items()}


class ConsumerControl(hid.Hid):
    """
    Keys for volume, playing, brightness and the like.  period_ms: see Hid.

    Subclasses override encode() for wrong reports.
    """

    def __init__(self, period_ms: float = 4,
                 name: Optional[str] = None) -> None:
        super().__init__(KEYS, STATE.size, period_ms=period_ms, name=name)

    async def press(self, *usages: int) -> None:
        """
        Have up to four keys down, and no others; none for all up.

        A usage is 1 to LARGEST, of USAGES or by its number; up to 0xffff it
        is sent as it is.  More, or a fifth key, raises struct.error.
        """
        await self.send(self.encode(*usages))

    async def tap(self, usage: int) -> None:
        """A key down and up."""
        await self.press(usage)
        await self.press()

    def encode(self, *usages: int) -> bytes:
        """The input report, 8 bytes."""
        return STATE.pack(*usages, *(0,) * (AT_ONCE - len(usages)))
