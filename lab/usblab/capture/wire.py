# SPDX-License-Identifier: GPL-2.0-or-later
"""
Link types 288 and 293 to 295: the packets on a USB 2.0 wire, from an
analyser (USB 2.0 section 8.3), put together to transactions and control
transfers.  Transfers of other kinds are given as their transactions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Optional, Sequence, Tuple

from .pcap import Packet
from .transfer import BULK, CONTROL, STALL, Transfer

# packet identifiers, USB 2.0 table 8-1
OUT, IN, SETUP, PING = 0xe1, 0x69, 0x2d, 0xb4
DATA = (0xc3, 0x4b, 0x87, 0x0f)
ACK, NYET, STALLED = 0xd2, 0x96, 0x1e
TOKENS = (OUT, IN, SETUP, PING)


@dataclass
class Transaction:
    """A token, and the data that followed it."""
    pid: int
    device: int
    endpoint: int
    data: Optional[bytes] = None


def transfers(packets: Sequence[Packet]) -> List[Transfer]:
    """Control transfers, and what other endpoints took or gave."""
    wire = Wire()
    for order, packet in enumerate(packets):
        wire.feed(packet, order)
    return wire.found


class Wire:
    """What goes on, packet by packet."""

    def __init__(self) -> None:
        self.found: List[Transfer] = []
        self.current: Optional[Transaction] = None
        # device and endpoint number -> its control transfer
        self.controls: Dict[Tuple[int, int], Transfer] = {}

    def feed(self, packet: Packet, order: int) -> None:
        data = packet.data
        if len(data) >= 3 and data[0] in TOKENS:
            word = data[1] | data[2] << 8
            self.current = Transaction(data[0], word & 0x7f, word >> 7 & 15)
        elif self.current is None or not data:
            return
        elif data[0] in DATA and len(data) >= 3:
            self.current.data = data[1:-2]
        elif data[0] in (ACK, NYET, STALLED):
            self.done(self.current, data[0] == STALLED, order, packet.number)
            self.current = None

    def done(self, transaction: Transaction, stalled: bool, order: int,
             line: int) -> None:
        key = (transaction.device, transaction.endpoint)
        if transaction.pid == SETUP:
            if transaction.data is None or len(transaction.data) != 8:
                return
            made = Transfer(0, transaction.device, CONTROL,
                            transaction.endpoint, transaction.data,
                            submitted=order, line=line)
            self.controls[key] = made
            self.found.append(made)
        elif key in self.controls:
            self.stage(key, transaction, stalled, order)
        elif transaction.endpoint and (transaction.data is not None
                                       or stalled):
            is_in = 0x80 if transaction.pid == IN else 0
            self.found.append(Transfer(
                0, transaction.device, BULK, transaction.endpoint | is_in,
                None, transaction.data or b"", False,
                STALL if stalled else 0, order, order, line))

    def stage(self, key: "Tuple[int, int]", transaction: Transaction,
              stalled: bool, order: int) -> None:
        """The data and status stages of a control transfer."""
        transfer = self.controls[key]
        is_data = (transaction.pid == IN) == transfer.is_in and \
            transfer.setup is not None and transfer.setup[6:8] != b"\0\0"
        if not stalled and is_data:
            transfer.data += transaction.data or b""
            return
        transfer.completed = order
        transfer.status = STALL if stalled else 0
        del self.controls[key]
