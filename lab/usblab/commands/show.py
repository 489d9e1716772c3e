# SPDX-License-Identifier: GPL-2.0-or-later
"""Show what a device file describes: how well it is known, and its bytes."""

from __future__ import annotations

import argparse

from ..describe import load
from ..model import CONFIGURATION, Description


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="DEVICE", help="a device file")
    parser.add_argument("--hex", action="store_true",
                        help="only the descriptors, as sysfs has them, in hex")


def run(options: argparse.Namespace) -> int:
    description = load(options.file)
    if options.hex:
        print(sysfs_bytes(description).hex())
        return 0
    print(summary(description))
    for note in description.notes:
        print(f"  {note}")
    return 0


def summary(description: Description) -> str:
    """One line: ids, names, speed, grade, sizes."""
    device = description.device.ljust(18, b"\0")
    names = [text for text in map(description.string, device[14:16]) if text]
    sizes = ", ".join(str(len(data)) for data in description.configurations())
    return " ".join([description.ids, *names]) + (
        f": {description.speed} speed, configurations of {sizes or 'no'} "
        f"bytes, {description.worst().name.lower()}")


def sysfs_bytes(description: Description) -> bytes:
    """Device descriptor and configurations, as /sys has them."""
    return description.device + b"".join(
        data for (kind, _), data in sorted(description.descriptors.items())
        if kind == CONFIGURATION)
