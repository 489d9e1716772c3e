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
PHYSICAL, APPLICATION, LOGICAL = 0, 1, 2
# flags of INPUT, OUTPUT and FEATURE, section 6.2.2.5
CONSTANT, VARIABLE, RELATIVE, WRAP = 0x01, 0x02, 0x04, 0x08
NONLINEAR, NO_PREFERRED, NULL_STATE, VOLATILE = 0x10, 0x20, 0x40, 0x80
BUFFERED = 0x100

# global and local items, sections 6.2.2.7 and 6.2.2.8
USAGE_PAGE, LOGICAL_MINIMUM, LOGICAL_MAXIMUM = 0x04, 0x14, 0x24
PHYSICAL_MINIMUM, PHYSICAL_MAXIMUM = 0x34, 0x44
UNIT_EXPONENT, UNIT, PUSH, POP = 0x54, 0x64, 0xa4, 0xb4
REPORT_SIZE, REPORT_COUNT, REPORT_ID = 0x74, 0x94, 0x84
LONG_ITEM = 0xfe
USAGE, USAGE_MINIMUM, USAGE_MAXIMUM = 0x08, 0x18, 0x28
DESIGNATOR_INDEX, DESIGNATOR_MINIMUM, DESIGNATOR_MAXIMUM = 0x38, 0x48, 0x58
STRING_INDEX, STRING_MINIMUM, STRING_MAXIMUM, DELIMITER = (
    0x78, 0x88, 0x98, 0xa8)
SIGNED = (LOGICAL_MINIMUM, LOGICAL_MAXIMUM, PHYSICAL_MINIMUM,
          PHYSICAL_MAXIMUM)

# units of section 6.2.2.7: system and exponents of length, mass, time, ...
CENTIMETER, RADIAN, SECOND, INCH, DEGREE = (
    0x11, 0x12, 0x1001, 0x13, 0x14)


def item(tag: int, value: int) -> bytes:
    """A short item (section 6.2.2.2) as small as its value allows."""
    signed = tag in SIGNED
    for code, size in (1, 1), (2, 2), (3, 4):
        try:
            return bytes((tag | code,)) + value.to_bytes(
                size, "little", signed=signed)
        except OverflowError:
            continue
    raise ValueError(f"{value} is not a number of 32 bits")


def items(report: bytes) -> Iterator[Tuple[int, bytes]]:
    """The items of a report descriptor, as (tag and type, data)."""
    for tag, data, _ in sized_items(report):
        yield tag, data


def sized_items(report: bytes) -> Iterator[Tuple[int, bytes, int]]:
    """The same with the bytes that each takes; the last may be cut."""
    at = 0
    while at < len(report):
        head = report[at]
        size = 1 + (0, 1, 2, 4)[head & 3]
        data = report[at + 1:at + size]
        if head == LONG_ITEM:           # section 6.2.2.3
            size += data[0] if data else 0
            data = report[at + 3:at + size]
        yield head & 0xfc, data, size
        at += size


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


def scaled(low: int, high: int, part: bytes, unit: int = 0,
           exponent: int = 0) -> bytes:
    """
    A field, or several, whose values stand for low to high of a unit (such as
    CENTIMETER, times ten to the exponent, -8 to 7), section 6.2.2.7.
    """
    return (bytes((PUSH,)) + item(PHYSICAL_MINIMUM, low)
            + item(PHYSICAL_MAXIMUM, high) + item(UNIT, unit)
            + item(UNIT_EXPONENT, exponent & 0x0f) + part + bytes((POP,)))


def numbered(id: int, *parts: bytes) -> bytes:
    """
    Fields of the report of this id, 1 to 255, which is its first byte; with
    one numbered report all have to be.
    """
    return item(REPORT_ID, id) + b"".join(parts)


def padding(main: int, bits: int) -> bytes:
    """Bits that mean nothing."""
    return (item(REPORT_SIZE, bits) + item(REPORT_COUNT, 1)
            + item(main, CONSTANT))
