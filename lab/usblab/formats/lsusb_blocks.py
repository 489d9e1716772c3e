# SPDX-License-Identifier: GPL-2.0-or-later
"""
lsusb's lines as blocks: a heading with its fields, or a descriptor in hex.

This is syntax only; what the fields mean is for lsusb_bytes.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Iterable, List, Optional

from .lsusb_lines import Line
from .lsusb_names import CDC, FIELD_AT, HEADINGS, NAMES, width_of

HEX = r"(?:[0-9a-f]{2}(?:\s+|$))*"
HEX_ROW = re.compile(rf"^{HEX}$", re.I)
# a descriptor, or what is left of one, in hexadecimal bytes
RAW = re.compile(rf"^(?:\*\* UNRECOGNIZED:|UNRECOGNIZED CDC:|"
                 rf"INVALID CDC \([^)]*\):|INTERFACE CLASS:|DEVICE CLASS:)"
                 rf"\s*({HEX})$", re.I)
REST = re.compile(rf"^(?:Invalid desc (?:subtype|format type):|"
                  rf"Process-Specific)\s*({HEX})$", re.I)
JUNK = re.compile(rf"^junk(?: at descriptor end:)?\s+({HEX})$", re.I)
JUNK_FOLLOWS = "Warning: Junk at end of descriptor"
TOO_LITTLE_FOLLOWS = "Warning: Length insufficient for descriptor type"
TOO_SHORT = "Warning: Descriptor too short"
INVALID = "Warning: Invalid descriptor"
PIPE = re.compile(r"^(?:Reserved|Command pipe|Status pipe|Data-in pipe|"
                  r"Data-out pipe|Vendor specific) \((0x[0-9a-f]{2})\)$")
VALUE = re.compile(r"^(?:\s*[\[(]\s*(\d+)\s*[\])])?\s*(.*)$")
ITEM = re.compile(r"^Item\((Main|Global|Local|reserved)\s*\):\s+(.+?), "
                  r"data=\s*(?:none|\[\s*((?:0x[0-9a-f]{2}\s+)+)\]\s*"
                  r"(-?\d+))$", re.I)
ITEM_BEGINS = re.compile(r"^Item\(")
REPORT = re.compile(r"^Report Descriptor: \(length is (-?\d+)\)$")
UNAVAILABLE = "** UNAVAILABLE **"
UNKNOWN_HEADING = re.compile(r"^(?!Report)[A-Z][\w .-]*(?:Descriptor|Capability|"
                             r"Association)[\w .()-]*:$")


@dataclass
class Field:
    """name, index in an array, the text after it."""
    name: str
    index: Optional[int]
    value: str
    line: int

    @property
    def token(self) -> str:
        """The value without what explains it."""
        words = self.value.split()
        if not words:
            return ""
        # usbutils before 009 prints one byte as "0x 9"
        if words[0] == "0x" and len(words) > 1:
            return "0x0" + words[1]
        return words[0]

    @property
    def rest(self) -> str:
        """What explains the value: a name, a string, units."""
        return " ".join(self.value.split()[1:])


@dataclass
class Item:
    """A line of a report descriptor; data: its bytes."""
    type: str
    name: str
    data: bytes
    number: Optional[int]
    line: int


@dataclass
class Report:
    """length: as printed; items: None where it was not available."""
    length: int
    line: int
    items: Optional[List[Item]] = None
    short: bool = False


@dataclass
class Block:
    """
    kind: as in lsusb_names.HEADINGS, cdc:N, pipe, companion, raw or unknown.
    raw: the descriptor, where the text has it in hex; junk: bytes after the
    fields.  too_short: the printed fields go beyond the descriptor's end;
    too_little: they stop there; invalid: bDescriptorType is another one than
    the heading's.  remarks: lines that are no fields.
    """
    kind: str
    line: int
    type: Optional[int] = None
    fields: List[Field] = field(default_factory=list)
    raw: bytes = b""
    junk: bytes = b""
    too_short: bool = False
    invalid: bool = False
    too_little: bool = False
    reports: List[Report] = field(default_factory=list)
    remarks: List[Line] = field(default_factory=list)

    def get(self, *names: str) -> Optional[Field]:
        """The first field with one of these names."""
        for found in self.fields:
            if found.name in names:
                return found
        return None


class Splitter:
    """Makes blocks of lines, one line at a time."""

    def __init__(self) -> None:
        self.blocks: List[Block] = []
        self.strange: List[Line] = []       # before any block
        self._expect_hex = ""               # "junk", "rest", "raw" or ""
        self._half: Optional[Line] = None   # an item that is cut in two

    def feed(self, line: Line) -> None:
        if self._half is not None:
            line = Line(self._half.number, f"{self._half.text} {line.text}")
            self._half = None
        expected, self._expect_hex = self._expect_hex, ""
        if expected and HEX_ROW.match(line.text) and line.text:
            self._more_hex(expected, line)
        elif not (self._heading(line) or self._hex(line) or self._item(line)
                  or self._field(line)):
            self._remark(line)

    @property
    def current(self) -> Optional[Block]:
        return self.blocks[-1] if self.blocks else None

    def _open(self, kind: str, line: Line,
              type: Optional[int] = None) -> Block:
        self.blocks.append(Block(kind, line.number, type))
        return self.blocks[-1]

    def _heading(self, line: Line) -> bool:
        name, colon, _ = line.text.partition(":")
        if not colon:
            return False
        if name in CDC:
            self._open(f"cdc:{CDC[name]}", line, 0x24)
        elif name in HEADINGS:
            self._open(HEADINGS[name][0], line, HEADINGS[name][1])
        elif UNKNOWN_HEADING.match(line.text):
            self._open("unknown", line)
        else:
            return False
        return True

    def _hex(self, line: Line) -> bool:
        raw, rest = RAW.match(line.text), REST.match(line.text)
        junk, pipe = JUNK.match(line.text), PIPE.match(line.text)
        if raw:
            self._open("raw", line).raw = bytes.fromhex(raw[1])
            self._expect_hex = "raw"
        elif pipe:
            self._open("pipe", line).raw = bytes((4, 0x24, int(pipe[1], 16),
                                                  0))
        elif self.current is None:
            return False
        elif rest:
            self.current.fields.append(Field("bytes", None, rest[1],
                                             line.number))
            self._expect_hex = "rest"
        elif junk:
            self.current.junk += bytes.fromhex(junk[1])
            self._expect_hex = "junk"
        elif line.text.startswith((JUNK_FOLLOWS, TOO_LITTLE_FOLLOWS)):
            self.current.too_little |= line.text.startswith(
                TOO_LITTLE_FOLLOWS)
            self._expect_hex = "junk"
        else:
            return False
        return True

    def _more_hex(self, expected: str, line: Line) -> None:
        assert self.current is not None
        if expected == "rest":
            self.current.fields[-1].value += " " + line.text
        elif expected == "junk":
            self.current.junk += bytes.fromhex(line.text)
        else:
            self.current.raw += bytes.fromhex(line.text)
        self._expect_hex = expected

    def _item(self, line: Line) -> bool:
        report, item = REPORT.match(line.text), ITEM.match(line.text)
        if self.current is None:
            return False
        if report:
            # usbutils 014 prints -1 for a report that it could not read
            self.current.reports.append(Report(
                int(report[1]), line.number,
                [] if int(report[1]) >= 0 else None))
        elif line.text == UNAVAILABLE:
            self.current.reports.append(Report(0, line.number))
        elif item:
            if not self.current.reports:
                self.current.reports.append(Report(-1, line.number, []))
            data = bytes(int(word, 16) for word in (item[3] or "").split())
            items = self.current.reports[-1].items
            if items is not None:
                items.append(Item(item[1], item[2], data, item[4] and
                                  int(item[4]) or None, line.number))
        elif ITEM_BEGINS.match(line.text) and "[" in line.text and \
                "]" not in line.text:
            self._half = line
        else:
            return False
        return True

    def _field(self, line: Line) -> bool:
        match = FIELD_AT.match(line.text)
        if not match:
            return self._unnamed(line)
        name = match[0].split()[0]
        value = VALUE.match(line.text[match.end():])
        assert value is not None
        if name not in NAMES and (width_of(name) is None or not value[2]
                                  or not value[2][0].isdigit()):
            return False
        self._add(Field(name, int(value[1]) if value[1] else None, value[2],
                        line.number))
        return True

    def _unnamed(self, line: Line) -> bool:
        """The value of a field whose line was broken; a mixer's bytes."""
        last = self.current.fields[-1] if self.current and \
            self.current.fields else None
        if last is None or self.current is None:
            return False
        if not last.value and last.name != "iSerial":
            last.value = line.text
            return True
        if self.current.kind == "audiocontrol" and \
                last.name == "iChannelNames" and HEX_ROW.match(line.text):
            self.current.fields.append(Field("bytes", None, line.text,
                                             line.number))
            return True
        return False

    def _add(self, new: Field) -> None:
        """A field; bLength without a heading begins a block of its own."""
        line = Line(new.line, "")
        if new.name == "bMaxBurst":
            self._open("companion", line)
        elif self.current is None or (new.name == "bLength"
                                      and self.current.get("bLength")):
            self._open("unknown", line)
        assert self.current is not None
        self.current.fields.append(new)

    def _remark(self, line: Line) -> None:
        if self.current is None:
            self.strange.append(line)
        else:
            self.current.remarks.append(line)


def split(lines: Iterable[Line]) -> List[Block]:
    """The blocks of one device."""
    splitter = Splitter()
    warnings: List[str] = []
    for line in lines:
        # before the heading of its block, or between its fields
        if line.text.startswith((TOO_SHORT, INVALID)):
            warnings.append(line.text)
            continue
        splitter.feed(line)
        if splitter.current:
            for text in warnings:
                splitter.current.too_short |= text.startswith(TOO_SHORT)
                splitter.current.invalid |= text.startswith(INVALID)
            warnings = []
    return splitter.blocks
