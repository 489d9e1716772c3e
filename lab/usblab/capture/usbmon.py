# SPDX-License-Identifier: GPL-2.0-or-later
"""
The text of Linux' usbmon (Documentation/usb/usbmon.rst): 32 bytes at most of
each transfer.
"""

from __future__ import annotations

import re
from typing import Dict, List, Optional, Tuple

from ..rows import tidy
from .transfer import BULK, CONTROL, INTERRUPT, ISO, Transfer

KINDS = {"C": CONTROL, "Z": ISO, "I": INTERRUPT, "B": BULK}
EVENT = re.compile(r"^([0-9a-f]{8,16}) (\d+) ([SCE]) ([CZIB])([io]):"
                   r"(?:(\d+):)?(\d{3}):(\d+) (.*)$")
SETUP = re.compile(r"^s ([0-9a-f]{2}) ([0-9a-f]{2}) ([0-9a-f]{4}) "
                   r"([0-9a-f]{4}) ([0-9a-f]{4}) (\d+) ?(.*)$")
REST = re.compile(r"^(-?\d+)(?::[-\d:]+)?(?: (\d+))?(.*)$")
DATA = re.compile(r"=((?: (?:[0-9a-f]{2}){1,4})+)\s*$")


def transfers(text: str) -> List[Transfer]:
    """The transfers in usbmon's text; other lines are passed over."""
    found: List[Transfer] = []
    pending: Dict[Tuple[int, str], Transfer] = {}
    for order, row in enumerate(text.split("\n")):
        match = EVENT.match(tidy(row).strip())
        if not match:
            continue
        bus, device = int(match[6] or 0), int(match[7])
        endpoint = int(match[8]) | (0x80 if match[5] == "i" else 0)
        key = (bus, match[1])
        if match[3] == "S":
            made = Transfer(bus, device, KINDS[match[4]], endpoint,
                            submitted=order, line=order + 1)
            submitted(made, match[9])
            pending[key] = made
            found.append(made)
        elif key in pending:
            completed(pending.pop(key), match[9], order)
    return found


def submitted(transfer: Transfer, rest: str) -> None:
    """Setup packet, or status; length; data that goes out."""
    setup = SETUP.match(rest)
    if setup:
        value, index, length = (int(setup[at], 16) for at in (3, 4, 5))
        transfer.setup = bytes((int(setup[1], 16), int(setup[2], 16))) + \
            b"".join(word.to_bytes(2, "little")
                     for word in (value, index, length))
    count, data = payload(rest if not setup else f"0 {setup[6]} {setup[7]}")
    if not transfer.is_in:
        transfer.data, transfer.cut = data, len(data) < count


def completed(transfer: Transfer, rest: str, order: int) -> None:
    match = REST.match(rest)
    if not match:
        return
    transfer.completed, transfer.status = order, int(match[1])
    count, data = payload(rest)
    if transfer.is_in:
        transfer.data, transfer.cut = data, len(data) < count


def payload(rest: str) -> "Tuple[int, bytes]":
    """The length that is said, and the bytes that are there."""
    match = REST.match(rest)
    data: Optional[re.Match[str]] = DATA.search(rest)
    count = int(match[2]) if match and match[2] else 0
    return count, bytes.fromhex(data[1].replace(" ", "")) if data else b""
