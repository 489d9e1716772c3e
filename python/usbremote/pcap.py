# SPDX-License-Identifier: MIT
"""
What the peer saw, as a capture file that Wireshark reads.

Packets have the form of Linux's usbmon, LINKTYPE_USB_LINUX_MMAPPED
of https://www.tcpdump.org/linktypes.html: an S when a request comes, a C
when it is answered or void.
"""

from __future__ import annotations

import struct
import time
from typing import Callable, Dict, Optional

from ._proto import Status, TransferType
from .codec import Complete, Submit

LINKTYPE = 220
SNAPLEN = 1 << 24

# usbmon's numbers of the types, and Linux's error numbers
TYPES: Dict[int, int] = {TransferType.ISO: 0, TransferType.INTERRUPT: 1,
                         TransferType.CONTROL: 2, TransferType.BULK: 3}
IN_PROGRESS, VOID = -115, -108
STATUSES: Dict[int, int] = {
    Status.OK: 0, Status.STALL: -32, Status.NAK: -11, Status.BABBLE: -75,
    Status.IOERROR: -71, Status.NODEV: -19, Status.CANCELLED: -2}


class PcapWriter:
    """
    The Tap (see session.py) of one connection; bus (1-65535) tells those of
    one file apart.  write() takes whole records; HEADER goes before all.
    """

    HEADER = struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, SNAPLEN,
                         LINKTYPE)

    def __init__(self, write: Callable[[bytes], object], bus: int = 1,
                 now: Callable[[], float] = time.time) -> None:
        self._write, self._bus, self._now = write, bus & 0xffff, now
        self._address = 0

    def addressed(self, address: int) -> None:
        self._address = address

    def submitted(self, submit: Submit) -> None:
        is_in = submit.is_in()
        has_setup = submit.type == TransferType.CONTROL
        self._packet(submit, "S", IN_PROGRESS, submit.length, submit.data,
                     "<" if is_in else "\0", has_setup)

    def completed(self, submit: Submit, answer: Optional[Complete]) -> None:
        status = VOID if answer is None else STATUSES[answer.status]
        length = 0 if answer is None else answer.length
        data = b"" if answer is None else answer.data
        self._packet(submit, "C", status, length, data,
                     "\0" if submit.is_in() else ">", False)

    def _packet(self, submit: Submit, kind: str, status: int, length: int,
                data: bytes, no_data: str, has_setup: bool) -> None:
        direction = 0x80 if submit.is_in() else 0
        now = self._now()
        seconds, micros = int(now), int(now % 1 * 1e6)
        head = struct.pack(
            "<QcBBBHcc", submit.id, kind.encode(), TYPES[submit.type],
            submit.endpoint & 0x0f | direction, self._address, self._bus,
            b"\0" if has_setup else b"-", no_data.encode())
        head += struct.pack("<qiiII", seconds, micros, status, length,
                            len(data))
        head += submit.setup if has_setup else bytes(8)
        head += bytes(16)       # interval, start frame, flags, iso packets
        record = head + data
        self._write(struct.pack("<IIII", seconds, micros, len(record),
                                len(record)) + record)
