# SPDX-License-Identifier: GPL-2.0-or-later
"""Read what people send, and write a device file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ..describe import describe
from ..devicefile import SUFFIX, DeviceFile, Part, write
from ..errors import Problem
from .show import summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE",
                        help="what was sent; - is standard input")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path,
                        help="the device file (VENDOR-PRODUCT.usbdev)")


def run(options: argparse.Namespace) -> int:
    data = read_input(options.file)
    file = DeviceFile(parts=[Part("descriptors", "", as_hex(data))])
    description = describe(file)
    path = options.output or Path(description.ids.replace(":", "-") + SUFFIX)
    path.write_text(write(file))
    print(summary(description))
    for note in description.notes:
        print(f"  {note}")
    print(f"written: {path}")
    return 0


def read_input(name: str) -> bytes:
    try:
        if name == "-":
            return sys.stdin.buffer.read()
        return Path(name).read_bytes()
    except OSError as err:
        raise Problem(f"{name}: {err.strerror}") from None


def as_hex(data: bytes) -> str:
    """Text as it is, binary descriptors as rows of hexadecimal bytes."""
    if data[:2] == b"\x12\x01":
        return "".join(f"{data[at:at + 16].hex(' ')}\n"
                       for at in range(0, len(data), 16))
    return data.decode("utf-8", "replace")
