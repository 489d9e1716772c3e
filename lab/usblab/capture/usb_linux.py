# SPDX-License-Identifier: GPL-2.0-or-later
"""
Link types 189 and 220: what Linux' usbmon hands to libpcap, with a header of
48 or 64 bytes (Documentation/usb/usbmon.rst, struct usbmon_packet).
"""

from __future__ import annotations

import struct
from typing import Dict, List, Sequence, Tuple

from .pcap import Packet
from .transfer import BULK, CONTROL, INTERRUPT, ISO, Transfer

KINDS = (ISO, INTERRUPT, CONTROL, BULK)
HEADER = {189: 48, 220: 64}
ISO_DESCRIPTOR = 16
SUBMIT, COMPLETE, ERROR = b"S", b"C", b"E"
PRESENT = 0                 # in flag_setup and flag_data
PENDING = -115


def transfers(packets: Sequence[Packet]) -> List[Transfer]:
    """Submissions and completions that belong together, in order."""
    found: List[Transfer] = []
    pending: Dict[Tuple[int, int], Transfer] = {}
    for order, packet in enumerate(packets):
        size = HEADER[packet.link]
        if len(packet.data) < size:
            continue
        (tag, event, kind, endpoint, device, bus, no_setup, no_data, _, _,
         status, length, captured) = struct.unpack_from(
             f"{packet.order}QcBBBHBBqiiII", packet.data)
        if kind >= len(KINDS):
            continue
        data = packet.data[size:]
        if packet.link == 220:
            count, = struct.unpack_from(f"{packet.order}I", packet.data, 60)
            data = data[ISO_DESCRIPTOR * count:] if kind == 0 else data
        data = data[:captured]
        key = (bus, tag)
        if event == SUBMIT:
            made = Transfer(bus, device, KINDS[kind], endpoint,
                            submitted=order, line=packet.number)
            if kind == KINDS.index(CONTROL) and no_setup == PRESENT:
                made.setup = packet.data[40:48]
            if no_data == PRESENT and not made.is_in:
                made.data, made.cut = data, len(data) < length
            pending[key] = made
            found.append(made)
        elif key in pending:
            done = pending.pop(key)
            done.completed, done.status = order, status
            if done.is_in:
                done.data, done.cut = data, len(data) < length
    return found
