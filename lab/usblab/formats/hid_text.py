# SPDX-License-Identifier: GPL-2.0-or-later
"""
HID report descriptors in hex: /sys/kernel/debug/hid/*/rdesc, usbhid-dump
and hid-recorder.

They add to a device that something else describes.  Where nothing does, a
plain HID device is made up around the report.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional

from ..devicefile import DeviceFile, Part
from ..errors import Problem
from ..model import (CONFIGURATION, DEVICE, HID, INTERFACE, REPORT,
                     Description, Grade, split)
from ..rows import tidy
from . import hexbytes
from .found import Candidate, Source

RDESC = re.compile(r"/(?:0003:)([0-9A-F]{4}):([0-9A-F]{4})\.[0-9A-F]{4}"
                   r"(?:/rdesc)?:?$", re.I)
DUMP = re.compile(r"^\d{3}:\d{3}:(\d{3}):DESCRIPTOR\s+[\d.]+$")
RECORDED = re.compile(r"^R: (\d+)((?: [0-9a-f]{2})+)$", re.I)
BUS = re.compile(r"^I: 3 ([0-9a-f]{1,4}) ([0-9a-f]{1,4})$", re.I)
NAME = re.compile(r"^N: (.*)$")
PLACE = re.compile(r"^P: .*/input(\d+)$")
SKELETON = "hid-skeleton"


@dataclass
class Heading:
    """What the lines above a report say of it."""
    ids: str = ""
    interface: str = ""
    name: str = ""


def find(source: Source) -> List[Candidate]:
    """Report descriptors, each with what is known of its device."""
    return [*after_headings(source), *recorded(source)]


def after_headings(source: Source) -> Iterator[Candidate]:
    """A line that says what follows, then rows of bytes."""
    heading: Optional[Heading] = None
    run: List[str] = []
    rows = source.text.split("\n")
    for number, row in enumerate([*rows, ""], 1):
        text = tidy(row).strip()
        if run and not hexbytes.DIGITS.match(text):
            assert heading is not None
            yield candidate(heading, "\n".join(run) + "\n",
                            source.line + number - 1 - len(run))
            heading, run = None, []
        path, dump = RDESC.search(text), DUMP.match(text)
        if path:
            heading = Heading(f"{path[1]}:{path[2]}".lower())
        elif dump:
            heading = Heading("", str(int(dump[1])))
        elif heading and hexbytes.DIGITS.match(text):
            run.append(text)


def recorded(source: Source) -> Iterator[Candidate]:
    """hid-recorder writes R:, N:, P: and I: for each device."""
    heading, report, line = Heading(), "", 0
    for number, row in enumerate(source.text.split("\n"), 1):
        text = tidy(row).strip()
        match, bus = RECORDED.match(text), BUS.match(text)
        name, place = NAME.match(text), PLACE.match(text)
        if match:
            report, line = match[0], source.line + number - 1
        elif name:
            heading.name = name[1]
        elif place:
            heading.interface = place[1]
        elif bus and report:
            heading.ids = f"{int(bus[1], 16):04x}:{int(bus[2], 16):04x}"
            yield candidate(heading, report + "\n", line)
            heading, report = Heading(), ""


def candidate(heading: Heading, text: str, line: int) -> Candidate:
    return Candidate("hid-report", heading.ids, heading.name, text, line,
                     heading.interface, main=False)


def report_bytes(text: str) -> bytes:
    """The report of a part: rows of bytes, or hid-recorder's R: line."""
    match = RECORDED.match(text.strip())
    if not match:
        return hexbytes.parse(text)
    data = bytes.fromhex(match[2])
    if len(data) != int(match[1]):
        raise Problem(f"R: says {match[1]} bytes, {len(data)} follow", 1)
    return data


def apply_report(part: Part, description: Description,
                 file: DeviceFile) -> None:
    """--- hid-report INTERFACE: its report descriptor."""
    if not part.argument.isdigit() or int(part.argument) > 255:
        raise Problem('"--- hid-report" needs the number of the interface', 0)
    number = int(part.argument)
    data = report_bytes(part.text)
    if not data:
        raise Problem("a report descriptor without bytes", 1)
    declared = lengths(description).get(number)
    if declared is not None and declared != len(data):
        description.note(
            Grade.MISSING, 1, f"the report descriptor of interface "
            f"{number} has {len(data)} bytes, wDescriptorLength is "
            f"{declared}", "reports")
    description.notes = [note for note in description.notes
                         if note.area != "reports"
                         or number not in description.reports
                         or len(description.reports) > 1]
    description.reports[number] = data
    description.note(Grade.WHOLE, 1, "the report descriptor of "
                     f"interface {number}, {len(data)} bytes", "reports")


def lengths(description: Description) -> Dict[int, int]:
    """wDescriptorLength of the report descriptor, by interface."""
    found: Dict[int, int] = {}
    number = -1
    for data in description.configurations():
        for _, item in split(data):
            if item[1] == INTERFACE and len(item) > 2:
                number = item[2]
            elif item[1] == HID and len(item) >= 9 and number >= 0 and \
                    item[6] == REPORT:
                found.setdefault(number,
                                 int.from_bytes(item[7:9], "little"))
    return found


def apply_skeleton(part: Part, description: Description,
                   file: DeviceFile) -> None:
    """--- hid-skeleton VENDOR:PRODUCT LENGTH: a device for a report."""
    match = re.fullmatch(r"([0-9a-f]{4}):([0-9a-f]{4}) (\d+)", part.argument)
    if not match or int(match[3]) > 0xffff:
        raise Problem('"--- hid-skeleton" needs VENDOR:PRODUCT and the '
                      "length of the report descriptor", 0)
    vendor, product = int(match[1], 16), int(match[2], 16)
    description.descriptors[DEVICE, 0] = struct.pack(
        "<BBHBBBBHHHBBBB", 18, DEVICE, 0x200, 0, 0, 0, 64, vendor, product,
        0x100, 0, 0, 0, 1)
    description.descriptors[CONFIGURATION, 0] = struct.pack(
        "<BBHBBBBB9BBBHBBBHBBBBHB", 9, CONFIGURATION, 34, 1, 1, 0, 0xa0, 50,
        9, INTERFACE, 0, 0, 1, 3, 0, 0, 0,
        9, HID, 0x111, 0, 1, REPORT, int(match[3]),
        7, 5, 0x81, 3, 64, 1)
    description.speed = "full"
    description.note(Grade.GUESSED, 1, "all but ids and report: a "
                     "plain HID device")
