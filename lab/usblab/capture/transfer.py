# SPDX-License-Identifier: GPL-2.0-or-later
"""One transfer, whatever recorded it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

CONTROL, ISO, BULK, INTERRUPT = "control", "iso", "bulk", "interrupt"

# negative error numbers of Linux, as usbmon has them
OK, STALL, IO_ERROR, BABBLE, CANCELLED, GONE = 0, -32, -71, -75, -2, -108
SHORT = -121                    # ok, but with URB_SHORT_NOT_OK
NAMES = {OK: "ok", SHORT: "ok", STALL: "stall", IO_ERROR: "ioerror",
         -84: "ioerror", -62: "ioerror", BABBLE: "babble", -104: "cancelled",
         CANCELLED: "cancelled", GONE: "gone", -19: "gone"}


@dataclass
class Transfer:
    """
    bus, device: as recorded.  kind: one of the four.  endpoint: its address
    with the direction.  setup: 8 bytes, of control transfers.  data: what
    went over the bus; cut: the recording has less of it than there was.
    status: 0 or a negative error number.  submitted, completed: places in
    the order of all events, from 0; completed is None if it never was.
    line: of the text, or number of the packet, where it begins.
    """
    bus: int
    device: int
    kind: str
    endpoint: int
    setup: Optional[bytes] = None
    data: bytes = b""
    cut: bool = False
    status: int = 0
    submitted: int = 0
    completed: Optional[int] = None
    line: int = 0

    @property
    def is_in(self) -> bool:
        if self.setup is not None:
            return bool(self.setup[0] & 0x80)
        return bool(self.endpoint & 0x80)

    @property
    def outcome(self) -> str:
        """ok, stall, ioerror, babble, cancelled, gone, or never."""
        if self.completed is None:
            return "never"
        return NAMES.get(self.status, "ioerror")
