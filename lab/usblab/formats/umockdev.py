# SPDX-License-Identifier: GPL-2.0-or-later
"""
Records of umockdev (umockdev-record): devices with their sysfs attributes.

    P: /devices/pci0000:00/0000:00:14.0/usb1/1-9
    N: bus/usb/001/003=1201...                  the device node
    A: speed=12\\n                               a text
    H: descriptors=1201...                      bytes in hex
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Dict, Iterator, List, Optional

from ..devicefile import DeviceFile, Part
from ..errors import Problem
from ..model import (STRING, SYSFS_SPEEDS, Description, Grade, ids_of,
                     string_descriptor)
from . import hexbytes
from .found import Candidate, Source

LINE = re.compile(r"^([PNEALHS]): ([^=\n]*)(?:=(.*))?$")
# attribute -> offset of the string's index in the device descriptor
STRINGS = {"manufacturer": 14, "product": 15, "serial": 16}
INTERFACE = re.compile(r":\d+\.(\d+)/")


@dataclass
class Record:
    """One device of the file; rows: as they came."""
    path: str
    line: int
    rows: List[str] = field(default_factory=list)
    values: Dict[str, str] = field(default_factory=dict)

    def descriptors(self) -> Optional[bytes]:
        """What the record has of them."""
        text = self.values.get("descriptors") or self.values.get("node")
        try:
            return bytes.fromhex(text or "") or None
        except ValueError:
            return None


def records(text: str) -> Iterator[Record]:
    current: Optional[Record] = None
    for number, row in enumerate(text.split("\n"), 1):
        match = LINE.match(row.rstrip("\r"))
        if match and match[1] == "P":
            if current:
                yield current
            current = Record(match[2], number)
        if current is None:
            continue
        current.rows.append(row)
        if match and match[3] is not None:
            name = "node" if match[1] == "N" else match[2]
            current.values.setdefault(name, unescaped(match[3]))
    if current:
        yield current


def unescaped(text: str) -> str:
    """umockdev writes a line end at the end of an attribute as \\n."""
    return text.removesuffix("\\n").replace("\\\\", "\\")


def find(source: Source) -> List[Candidate]:
    """USB devices with descriptors, and the report descriptors below them."""
    found = []
    for record in records(source.text):
        data = record.descriptors()
        text = "\n".join(record.rows).strip() + "\n"
        line = source.line + record.line - 1
        interface = INTERFACE.search(record.path)
        if data and data[:2] == hexbytes.DEVICE_HEAD:
            found.append(Candidate(
                "umockdev", ids_of(data),
                record.values.get("product", ""), text, line,
                speed=SYSFS_SPEEDS.get(record.values.get("speed", ""))))
        elif "report_descriptor" in record.values and interface:
            found.append(Candidate(
                "hid-report", found[-1].ids if found else "", "",
                record.values["report_descriptor"] + "\n", line,
                str(int(interface[1])), main=False))
    return found


def apply(part: Part, description: Description, file: DeviceFile) -> None:
    """--- umockdev: the record of one device."""
    record = next(records(part.text), None)
    data = record.descriptors() if record else None
    if record is None or data is None:
        raise Problem("no umockdev record with descriptors", 1)
    hexbytes.add_chain(data, description)
    description.speed = SYSFS_SPEEDS.get(record.values.get("speed", ""), "") or \
        description.speed
    for name, offset in STRINGS.items():
        index = description.device.ljust(18, b"\0")[offset]
        text = record.values.get(name)
        if index and text:
            description.descriptors[STRING, index] = string_descriptor(text)
    description.note(Grade.WHOLE, 1, f"{len(data)} bytes of "
                     "descriptors, from sysfs")
