# SPDX-License-Identifier: GPL-2.0-or-later
"""
HID report descriptors (HID 1.11 section 6.2.2): from the items that lsusb
prints, and something sensible where a text does not have them.
"""

from __future__ import annotations

from typing import Mapping, Optional

from ..errors import Problem
from .lsusb_blocks import Item, Report

# item as lsusb names it -> tag and type, without the size
TAGS: Mapping[str, int] = {
    "Usage Page": 0x04, "Usage": 0x08, "Logical Minimum": 0x14,
    "Usage Minimum": 0x18, "Logical Maximum": 0x24, "Usage Maximum": 0x28,
    "Physical Minimum": 0x34, "Designator Index": 0x38,
    "Physical Maximum": 0x44, "Designator Minimum": 0x48,
    "Unit Exponent": 0x54, "Designator Maximum": 0x58, "Unit": 0x64,
    "Report Size": 0x74, "String Index": 0x78, "Input": 0x80,
    "Report ID": 0x84, "String Minimum": 0x88, "Output": 0x90,
    "Report Count": 0x94, "String Maximum": 0x98, "Collection": 0xa0,
    "Push": 0xa4, "Delimiter": 0xa8, "Feature": 0xb0, "Pop": 0xb4,
    "End Collection": 0xc0,
}
TYPES = {"main": 0, "global": 4, "local": 8, "reserved": 12}
SIZES = {0: 0, 1: 1, 2: 2, 4: 3}

# HID 1.11 appendix E.6 and E.10: what a boot keyboard and mouse declare
BOOT: Mapping[int, bytes] = {
    1: bytes.fromhex("05010906a101050719e029e71500250175019508810295017508"
                     "8101950575010508190129059102950175039101950675081500"
                     "25650507190029658100c0"),
    2: bytes.fromhex("05010902a1010901a1000509190129031500250195037501810295"
                     "01750581010501093009311581257f750895028106c0c0"),
}
VENDOR_HEAD = bytes.fromhex("0600ff0901a101")
VENDOR_REPORT = bytes.fromhex("150026ff007508950809018102")


def encode(report: Report, length: Optional[int]) -> bytes:
    """
    The bytes of the items; length: wDescriptorLength.

    Raises Problem where a tag was not printed or items are missing.
    """
    data = b"".join(encode_item(item) for item in report.items or [])
    wanted = length if report.length < 0 else report.length
    if wanted is not None and len(data) != wanted:
        raise Problem(f"the report descriptor has {wanted} bytes, its items "
                      f"here {len(data)}", report.line)
    return data


def encode_item(item: Item) -> bytes:
    size = len(item.data)
    if item.name not in TAGS:
        raise Problem(f'"{item.name}" is no item of a report descriptor',
                      item.line)
    tag = TAGS[item.name]
    if tag & 0x0c != TYPES[item.type.lower()]:
        raise Problem(f"{item.name} is no {item.type} item", item.line)
    if size not in SIZES:
        raise Problem(f"an item has 0, 1, 2 or 4 bytes, not {size}",
                      item.line)
    number = int.from_bytes(item.data, "little")
    if item.number is not None and item.number % (1 << 32) != number:
        raise Problem(f"{item.number} is not the number of "
                      f"{item.data.hex(' ')}", item.line)
    return bytes((tag | SIZES[size],)) + item.data


def guess(length: int, protocol: int) -> bytes:
    """
    A report descriptor of this length that the kernel takes: a keyboard for
    protocol 1, a mouse for 2, else reports of 8 bytes of a vendor's own.
    """
    boot = BOOT.get(protocol, b"")
    if boot and length >= len(boot):
        return boot[:-1] + filling(length - len(boot)) + b"\xc0"
    body = VENDOR_HEAD + VENDOR_REPORT + b"\xc0"
    if length < len(body):
        return filling(length)
    return body[:-1] + filling(length - len(body)) + b"\xc0"


def filling(count: int) -> bytes:
    """Items that say nothing: Usage Page (Generic Desktop), or Usage 0."""
    return b"\x05\x01" * (count // 2) + b"\x08" * (count % 2)
