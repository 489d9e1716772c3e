# SPDX-License-Identifier: GPL-2.0-or-later
"""Show what a device file describes: how well it is known, and its bytes."""

from __future__ import annotations

import argparse
from typing import Dict, List, Tuple

from .. import mock
from ..describe import load
from ..model import AREAS, CONFIGURATION, Description, Grade


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="DEVICE", help="a device file")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--hex", action="store_true",
                      help="only the descriptors, as sysfs has them, in hex")
    what.add_argument("--lsusb", action="store_true",
                      help="what this machine's lsusb -v prints of them")


def run(options: argparse.Namespace) -> int:
    description = load(options.file)
    if options.hex:
        print(sysfs_bytes(description).hex())
        return 0
    if options.lsusb:
        print(mock.lsusb([sysfs_bytes(description)])[0], end="")
        return 0
    print(summary(description))
    print("\n".join(notes(description)))
    return 0


def notes(description: Description) -> List[str]:
    """What became of the lines, one row for those with the same note."""
    rows: Dict[Tuple[Grade, str], List[int]] = {}
    for note in description.notes:
        rows.setdefault((note.grade, note.text), []).append(note.line)
    return [f"  {where(lines)}{grade.name.lower()}: {text}"
            for (grade, text), lines in rows.items()]


def where(lines: List[int]) -> str:
    numbers = ", ".join(map(str, filter(None, lines)))
    return f"line{'s' if len(lines) > 1 else ''} {numbers}: " if numbers \
        else ""


def summary(description: Description) -> str:
    """One line: ids, names, speed, sizes, grades."""
    device = description.device.ljust(18, b"\0")
    names = [text for text in map(description.string, device[14:16]) if text]
    sizes = ", ".join(str(len(data)) for data in description.configurations())
    return " ".join([description.ids, *names]) + (
        f": {description.speed} speed, configurations of {sizes or 'no'} "
        "bytes; " + grades(description))


def grades(description: Description) -> str:
    """The grade of the descriptors, and those of the rest if worse."""
    return ", ".join(
        f"{area} {description.grade(area).name.lower()}" for area in AREAS
        if area == AREAS[0] or description.grade(area) > Grade.WHOLE)


def sysfs_bytes(description: Description) -> bytes:
    """Device descriptor and configurations, as /sys has them."""
    return description.device + b"".join(
        data for (kind, _), data in sorted(description.descriptors.items())
        if kind == CONFIGURATION)
