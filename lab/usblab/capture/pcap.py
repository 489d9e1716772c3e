# SPDX-License-Identifier: GPL-2.0-or-later
"""
Capture files: pcap (draft-ietf-opsawg-pcap) and pcapng
(draft-ietf-opsawg-pcapng), to packets.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Iterator, List

from ..errors import Problem

MAGIC = {b"\xd4\xc3\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">",
         b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\x3c\x4d": ">"}
SECTION, INTERFACE, OLD_PACKET, SIMPLE, ENHANCED = 0x0a0d0d0a, 1, 2, 3, 6
NEW = struct.pack("<I", SECTION)
BYTE_ORDER = {b"\x4d\x3c\x2b\x1a": "<", b"\x1a\x2b\x3c\x4d": ">"}
LINK_MASK = 0x0fffffff          # above, pcap keeps the length of the FCS


@dataclass(frozen=True)
class Packet:
    """order: "<" or ">", the byte order of the machine that recorded it."""
    link: int
    order: str
    data: bytes
    length: int
    number: int


def is_capture(data: bytes) -> bool:
    return data[:4] in MAGIC or data[:4] == NEW


def packets(data: bytes) -> Iterator[Packet]:
    """Raises Problem where the file ends in a packet or makes no sense."""
    if data[:4] in MAGIC:
        return plain(data, MAGIC[data[:4]])
    return blocks(data)


def plain(data: bytes, order: str) -> Iterator[Packet]:
    if len(data) < 24:
        raise Problem("the capture ends in its header")
    link = int(struct.unpack_from(f"{order}I", data, 20)[0]) & LINK_MASK
    at, number = 24, 0
    while at < len(data):
        number += 1
        if at + 16 > len(data):
            raise ends_early(number)
        captured, length = struct.unpack_from(f"{order}II", data, at + 8)
        at += 16
        if at + captured > len(data):
            raise ends_early(number)
        yield Packet(link, order, data[at:at + captured], length, number)
        at += captured


def ends_early(number: int) -> Problem:
    return Problem(f"the capture is truncated: it ends in packet {number}")


def blocks(data: bytes) -> Iterator[Packet]:
    order, at, number = "<", 0, 0
    links: List[int] = []
    while at < len(data):
        if at + 12 > len(data):
            raise ends_early(number + 1)
        kind = int(struct.unpack_from(f"{order}I", data, at)[0])
        if kind == SECTION:
            order = BYTE_ORDER.get(data[at + 8:at + 12], "")
            links = []
            if not order:
                raise Problem("a section of the capture has no byte order")
        size = int(struct.unpack_from(f"{order}I", data, at + 4)[0])
        if size < 12 or size % 4 or at + size > len(data):
            raise ends_early(number + 1)
        body = data[at + 8:at + size - 4]
        at += size
        if kind == INTERFACE:
            links.append(int(struct.unpack_from(f"{order}H", body)[0]))
        elif kind in (OLD_PACKET, SIMPLE, ENHANCED):
            number += 1
            yield from packet(kind, body, order, links, number)


def packet(kind: int, body: bytes, order: str, links: List[int],
           number: int) -> Iterator[Packet]:
    """The packet in a block."""
    try:
        if kind == SIMPLE:
            length = int(struct.unpack_from(f"{order}I", body)[0])
            interface, head, captured = 0, 4, min(length, len(body) - 4)
        else:
            interface = int(struct.unpack_from(
                f"{order}{'I' if kind == ENHANCED else 'H'}", body)[0])
            head = 20
            captured, length = struct.unpack_from(f"{order}II", body, 12)
        link = links[interface]
    except (struct.error, IndexError):
        raise Problem(f"packet {number} of the capture makes no sense"
                      ) from None
    if head + captured > len(body):
        raise ends_early(number)
    yield Packet(link, order, body[head:head + captured], length, number)
