# SPDX-License-Identifier: MIT
"""Names that a rule may use for requests and SCSI commands."""

from __future__ import annotations

import difflib
from typing import Dict, Iterable, Tuple

from ..errors import LocalError
from ..types import Kind, Standard

# bRequest of class requests: HID 1.11 section 7.2, CDC PSTN 1.2 table 13,
# Bulk-Only 1.0 section 3, Printer 1.1 section 4.2
CLASS = {
    "GET_REPORT": 0x01, "GET_IDLE": 0x02, "GET_PROTOCOL": 0x03,
    "SET_REPORT": 0x09, "SET_IDLE": 0x0a, "SET_PROTOCOL": 0x0b,
    "SET_LINE_CODING": 0x20, "GET_LINE_CODING": 0x21,
    "SET_CONTROL_LINE_STATE": 0x22, "SEND_BREAK": 0x23,
    "GET_MAX_LUN": 0xfe, "BULK_ONLY_RESET": 0xff,
}
# name: kind of request, bRequest
REQUESTS: Dict[str, Tuple[Kind, int]] = {
    **{one.name: (Kind.STANDARD, int(one)) for one in Standard},
    **{name: (Kind.CLASS, number) for name, number in CLASS.items()},
}
# the descriptors of GET_DESCRIPTOR: USB 2.0 table 9-5, USB 3.2 table 9-6,
# HID 1.11 section 7.1
DESCRIPTORS = {
    "device": 1, "config": 2, "string": 3, "qualifier": 6, "other-speed": 7,
    "bos": 15, "hid": 0x21, "report": 0x22, "hub": 0x29,
}
# SPC-3, SBC-2, MMC-5
SCSI = {
    "TEST_UNIT_READY": 0x00, "REQUEST_SENSE": 0x03, "FORMAT_UNIT": 0x04,
    "INQUIRY": 0x12, "MODE_SELECT_6": 0x15, "MODE_SENSE_6": 0x1a,
    "START_STOP_UNIT": 0x1b, "PREVENT_ALLOW_MEDIUM_REMOVAL": 0x1e,
    "READ_FORMAT_CAPACITIES": 0x23, "READ_CAPACITY": 0x25, "READ_10": 0x28,
    "WRITE_10": 0x2a, "VERIFY_10": 0x2f, "SYNCHRONIZE_CACHE": 0x35,
    "WRITE_SAME_10": 0x41, "UNMAP": 0x42, "READ_TOC": 0x43,
    "GET_CONFIGURATION": 0x46, "MODE_SELECT_10": 0x55,
    "MODE_SENSE_10": 0x5a, "ATA_16": 0x85, "READ_16": 0x88,
    "WRITE_16": 0x8a, "SERVICE_ACTION_IN_16": 0x9e, "REPORT_LUNS": 0xa0,
    "READ_12": 0xa8, "WRITE_12": 0xaa,
}


def number(text: str, highest: int = 0xffff) -> int:
    """Decimal or 0x; raises LocalError."""
    try:
        value = int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value <= highest:
        raise LocalError(f"'{text}' is no number from 0 to {highest:#x}")
    return value


def suggestion(word: str, known: Iterable[str]) -> str:
    """" (did you mean ...?)", or nothing."""
    found = difflib.get_close_matches(word.lower(),
                                      {one.lower(): one for one in known}, 1)
    for one in known:
        if found and one.lower() == found[0]:
            return f" (did you mean {one}?)"
    return ""
