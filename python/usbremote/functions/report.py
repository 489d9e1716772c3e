# SPDX-License-Identifier: MIT
"""
HID report descriptors, declared as collections of fields.

Each field states all that it depends on, and so they can be put together in
any order.  HID 1.11 section 6.2.2 has the items, the HID Usage Tables have
the pages and usages.  A report is its fields in their order, each from the
lowest bit on.
"""

from __future__ import annotations

from typing import Iterator, Optional, Sequence, Tuple

# usage pages
DESKTOP, KEYS, LEDS, BUTTONS = 0x01, 0x07, 0x08, 0x09
VENDOR = 0xff00                 # up to 0xffff

# usages of DESKTOP
POINTER, MOUSE, GAMEPAD, KEYBOARD = 0x01, 0x02, 0x05, 0x06
X, Y, Z, RX, RY, RZ, WHEEL = 0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x38

# main items, section 6.2.2.4
INPUT, OUTPUT, FEATURE = 0x80, 0x90, 0xb0
COLLECTION, END = 0xa0, 0xc0
PHYSICAL, APPLICATION = 0, 1
CONSTANT, VARIABLE, RELATIVE = 1, 2, 4

# global and local items, sections 6.2.2.7 and 6.2.2.8
USAGE_PAGE, LOGICAL_MINIMUM, LOGICAL_MAXIMUM = 0x04, 0x14, 0x24
REPORT_SIZE, REPORT_COUNT, REPORT_ID = 0x74, 0x94, 0x84
LONG_ITEM = 0xfe
USAGE, USAGE_MINIMUM, USAGE_MAXIMUM = 0x08, 0x18, 0x28


def item(tag: int, value: int) -> bytes:
    """A short item (section 6.2.2.2) as small as its value allows."""
    signed = tag in (LOGICAL_MINIMUM, LOGICAL_MAXIMUM)
    for code, size in (1, 1), (2, 2), (3, 4):
        try:
            return bytes((tag | code,)) + value.to_bytes(
                size, "little", signed=signed)
        except OverflowError:
            continue
    raise ValueError(f"{value} is not a number of 32 bits")


def items(report: bytes) -> Iterator[Tuple[int, bytes]]:
    """The items of a report descriptor, as (tag and type, data)."""
    at = 0
    while at < len(report):
        head = report[at]
        size = (0, 1, 2, 4)[head & 3]
        yield head & 0xfc, report[at + 1:at + 1 + size]
        # a long item (section 6.2.2.3) tells its own size
        long = report[at + 1] if head == LONG_ITEM and at + 1 < len(
            report) else 0
        at += 1 + size + long


def has_ids(report: bytes) -> bool:
    """Whether its reports begin with a report id."""
    return any(tag == REPORT_ID for tag, _ in items(report))


def collection(page: int, usage: int, *parts: bytes,
               kind: int = APPLICATION) -> bytes:
    """A collection of fields and other collections (section 6.2.2.6)."""
    return (item(USAGE_PAGE, page) + item(USAGE, usage)
            + item(COLLECTION, kind) + b"".join(parts) + bytes((END,)))


def field(main: int, page: int, usages: Sequence[int], bits: int, low: int,
          high: int, flags: int = VARIABLE,
          count: Optional[int] = None) -> bytes:
    """
    Values from low to high, of so many bits each.

    main: INPUT, OUTPUT or FEATURE.  With VARIABLE in flags there is a value
    for each of the usages; without, there are count of them, and each tells
    which of the usages is on.  A range of usages becomes a minimum and a
    maximum.
    """
    if isinstance(usages, range):
        names = (item(USAGE_MINIMUM, usages[0])
                 + item(USAGE_MAXIMUM, usages[-1]))
    else:
        names = b"".join(item(USAGE, usage) for usage in usages)
    return (item(USAGE_PAGE, page) + names + item(LOGICAL_MINIMUM, low)
            + item(LOGICAL_MAXIMUM, high) + item(REPORT_SIZE, bits)
            + item(REPORT_COUNT, len(usages) if count is None else count)
            + item(main, flags))


def padding(main: int, bits: int) -> bytes:
    """Bits that mean nothing."""
    return (item(REPORT_SIZE, bits) + item(REPORT_COUNT, 1)
            + item(main, CONSTANT))
