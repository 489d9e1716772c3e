# SPDX-License-Identifier: GPL-2.0-or-later
"""
Link type 249: USBPcap of Windows (https://desowin.org/usbpcap/
captureformat.html).
"""

from __future__ import annotations

import struct
from typing import Dict, List, Sequence, Tuple

from .pcap import Packet
from .transfer import (BABBLE, BULK, CANCELLED, CONTROL, GONE, INTERRUPT,
                       IO_ERROR, ISO, OK, STALL, Transfer)

KINDS = (ISO, INTERRUPT, CONTROL, BULK)
HEADER = struct.Struct("<HQIHBHHBBI")
FROM_DEVICE = 1             # bit 0 of info: PDO to FDO
SETUP_STAGE = 0
# USBD_STATUS of the Windows driver kit
STATUS = {0: OK, 0xc0000004: STALL, 0xc0000008: BABBLE, 0xc000000c: BABBLE,
          0xc0010000: CANCELLED, 0xc0007000: GONE}


def transfers(packets: Sequence[Packet]) -> List[Transfer]:
    """Requests and answers that belong together, in order."""
    found: List[Transfer] = []
    pending: Dict[Tuple[int, int], Transfer] = {}
    for order, packet in enumerate(packets):
        if len(packet.data) < HEADER.size:
            continue
        (size, irp, status, _, info, bus, device, endpoint, kind,
         length) = HEADER.unpack_from(packet.data)
        if kind >= len(KINDS) or size > len(packet.data):
            continue
        data = packet.data[size:size + length]
        key = (bus, irp)
        if not info & FROM_DEVICE:
            made = pending.get(key)
            if made is None:
                made = Transfer(bus, device, KINDS[kind], endpoint,
                                submitted=order, line=packet.number)
                pending[key] = made
                found.append(made)
            asked(made, packet.data, size, data)
        elif key in pending:
            done = pending.pop(key)
            done.completed, done.status = order, STATUS.get(status, IO_ERROR)
            if done.is_in:
                done.data, done.cut = data, len(data) < length
    return found


def asked(transfer: Transfer, packet: bytes, size: int, data: bytes) -> None:
    """What the machine sends: the setup packet, then data."""
    if transfer.kind == CONTROL and packet[HEADER.size:size] == \
            bytes((SETUP_STAGE,)):
        transfer.setup, data = data[:8], data[8:]
    if not transfer.is_in:
        transfer.data += data
