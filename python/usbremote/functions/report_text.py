# SPDX-License-Identifier: MIT
"""HID report descriptors as text: an item in each line, with its bytes."""

from __future__ import annotations

from typing import Iterator, List, Tuple

from . import report as hid
from .usages import page_name, usage_name

NAMES = {
    hid.INPUT: "Input", hid.OUTPUT: "Output", hid.FEATURE: "Feature",
    hid.COLLECTION: "Collection", hid.END: "End Collection",
    hid.USAGE_PAGE: "Usage Page", hid.LOGICAL_MINIMUM: "Logical Minimum",
    hid.LOGICAL_MAXIMUM: "Logical Maximum",
    hid.PHYSICAL_MINIMUM: "Physical Minimum",
    hid.PHYSICAL_MAXIMUM: "Physical Maximum",
    hid.UNIT_EXPONENT: "Unit Exponent", hid.UNIT: "Unit",
    hid.REPORT_SIZE: "Report Size", hid.REPORT_ID: "Report ID",
    hid.REPORT_COUNT: "Report Count", hid.PUSH: "Push", hid.POP: "Pop",
    hid.USAGE: "Usage", hid.USAGE_MINIMUM: "Usage Minimum",
    hid.USAGE_MAXIMUM: "Usage Maximum",
    hid.DESIGNATOR_INDEX: "Designator Index",
    hid.DESIGNATOR_MINIMUM: "Designator Minimum",
    hid.DESIGNATOR_MAXIMUM: "Designator Maximum",
    hid.STRING_INDEX: "String Index", hid.STRING_MINIMUM: "String Minimum",
    hid.STRING_MAXIMUM: "String Maximum", hid.DELIMITER: "Delimiter"}
KINDS = ("Physical", "Application", "Logical", "Report", "Named Array",
         "Usage Switch", "Usage Modifier")
# of the bits of Input, Output and Feature, section 6.2.2.5: for 0 and 1
BITS = (("Data", "Constant"), ("Array", "Variable"),
        ("Absolute", "Relative"), ("", "Wrap"), ("", "Nonlinear"),
        ("", "No Preferred State"), ("", "Null State"), ("", "Volatile"),
        ("", "Buffered Bytes"))
USAGES = (hid.USAGE, hid.USAGE_MINIMUM, hid.USAGE_MAXIMUM)
MAIN = (hid.INPUT, hid.OUTPUT, hid.FEATURE)


def decode(report: bytes) -> Iterator[str]:
    """
    The lines for a report descriptor, indented by collection; what makes no
    sense is said, and nothing is an error.
    """
    depth, page, pages = 0, 0, []       # type: int, int, List[int]
    for tag, data, raw in _with_bytes(report):
        value = int.from_bytes(data, "little",
                               signed=tag in hid.SIGNED)
        if tag == hid.USAGE_PAGE:
            page = value
        elif tag == hid.PUSH:
            pages.append(page)
        elif tag == hid.POP and pages:
            page = pages.pop()
        elif tag == hid.END:
            depth -= 1
        text = _text(tag, data, value, page)
        if tag == hid.END and depth < 0:
            text, depth = f"{text}: there is none", 0
        yield f"{raw.hex(' '):<15} {'  ' * depth}{text}"
        depth += tag == hid.COLLECTION
    if depth:
        yield f"{'':<15} {depth} collections are not ended"


def _with_bytes(report: bytes) -> Iterator[Tuple[int, bytes, bytes]]:
    at = 0
    for tag, data, size in hid.sized_items(report):
        yield tag, data, report[at:at + size]
        at += size


def _text(tag: int, data: bytes, value: int, page: int) -> str:
    name = NAMES.get(tag, f"Item 0x{tag:02x}")
    if tag in USAGES:
        if len(data) == 4:              # with its own page
            page, value = value >> 16, value & 0xffff
            return f"{name} ({page_name(page)}: {usage_name(page, value)})"
        return f"{name} ({usage_name(page, value)})"
    if tag == hid.USAGE_PAGE:
        return f"{name} ({page_name(value)})"
    if tag == hid.COLLECTION:
        kind = KINDS[value] if value < len(KINDS) else f"0x{value:02x}"
        return f"{name} ({kind})"
    if tag in MAIN:
        words = [pair[value >> bit & 1] for bit, pair in enumerate(BITS)]
        return f"{name} ({', '.join(word for word in words if word)})"
    return f"{name} ({value})" if data else name
