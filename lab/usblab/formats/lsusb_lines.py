# SPDX-License-Identifier: GPL-2.0-or-later
"""
The lines of lsusb's text as they were before mail programs had them.

Quotation marks, no-break spaces, tabs and log prefixes go; what lsusb wrote
to standard error into the middle of a line goes, and the line is whole
again; lines that were joined are cut at the names of fields.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Iterable, Iterator, List

from ..rows import tidy
from .lsusb_names import FIELD_AT, HEADING_AT, is_known

# what lsusb and libusb write to standard error, to the end of the line
MESSAGE = re.compile(
    r"(?:can't get (?:hub descriptor|device qualifier|debug descriptor)"
    r"|cannot read (?:device status|port \d+ status|wireless [\w ]+)"
    r"|Couldn't (?:open device|get device capability|get configuration"
    r" descriptor \d+)|unable to initialize|libusb: (?:warning|error|info))"
    r".*$")
VALUE_AT = re.compile(r" *[(\[]? *(?:\d|0x|\{)")
NO_CONFIGURATION = re.compile(r"Couldn't get configuration descriptor (\d+)")


@dataclass(frozen=True)
class Line:
    """number: in what was read, from 1; text: without margins."""
    number: int
    text: str


@dataclass
class Cleaned:
    """The lines, and the messages that stood between them."""
    lines: List[Line]
    messages: List[Line]


def clean(text: str) -> Cleaned:
    """Lines with their numbers; empty ones are left out."""
    messages: List[Line] = []
    rows = [(number, tidy(row))
            for number, row in enumerate(text.split("\n"), 1)]
    lines = [Line(number, part)
             for number, row in without_messages(rows, messages)
             for part in cut(row)]
    return Cleaned(lines, messages)


def without_messages(rows: "Iterable[tuple[int, str]]",
                     messages: List[Line]) -> "Iterator[tuple[int, str]]":
    """Rows without messages; what one cut in two is put together."""
    begun, begun_at = "", 0
    for number, row in rows:
        message = MESSAGE.search(row)
        if message:
            messages.append(Line(number, message[0]))
            begun += row[:message.start()]
            begun_at = begun_at or number
            continue
        if not row.strip() and begun.strip():
            continue
        yield begun_at if begun.strip() else number, begun + row
        begun, begun_at = "", 0
    if begun.strip():
        yield begun_at, begun


def cut(row: str) -> List[str]:
    """One line for each field or heading, where several are on one."""
    row = row.strip()
    if not row:
        return []
    places = [match.start() for match in FIELD_AT.finditer(row)
              if is_known(match[0]) and VALUE_AT.match(row, match.end())]
    if places or HEADING_AT.match(row):
        places += [match.start() for match in HEADING_AT.finditer(row)]
    places = sorted({at for at in places if at and row[at - 1] == " "})
    return [row[begin:end].strip()
            for begin, end in zip([0, *places], [*places, len(row)])]
