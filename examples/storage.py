#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A USB disk: an image file, or an empty one of some size.

    truncate -s 64M disk.img
    examples/storage.py --connect unix:./usb.sock --image disk.img

What the guest writes is in the file at once; when the guest flushes, it is
on the disk that the file is on.  With --size it is lost with the program.
"""

import argparse
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import Device, Speed, main                       # noqa: E402
from usbremote.functions import blocks, disk                    # noqa: E402


class Disk(Device):
    vendor_id, product_id = 0x1209, 0x0008
    manufacturer, product = "usb-remote", "Storage"
    speeds = (Speed.FULL, Speed.HIGH, Speed.SUPER)

    def __init__(self, options):
        self.serial = options.serial
        super().__init__(options)
        how = options.block_size, options.read_only
        medium = (blocks.File(options.size, "the empty disk", *how)
                  if options.size else blocks.File.open(options.image, *how))
        self.functions = [disk.Disk(medium, options.serial,
                                    options.removable)]

    @classmethod
    def add_options(cls, parser):
        medium = parser.add_mutually_exclusive_group(required=True)
        medium.add_argument("--image", metavar="FILE", help="a disk image")
        medium.add_argument("--size", type=empty_disk, metavar="SIZE",
                            help="an empty disk, such as 64M, that is lost "
                            "with the program")
        parser.add_argument("--read-only", action="store_true",
                            help="refuse to write")
        parser.add_argument("--removable", action="store_true",
                            help="let the guest eject the medium")
        parser.add_argument("--block-size", type=int, default=512,
                            choices=(512, 1024, 2048, 4096),
                            help="in bytes (512)")
        parser.add_argument("--serial", default="000000000001",
                            type=serial_number, metavar="DIGITS",
                            help="12 or more of 0-9 and A-F")


def empty_disk(text):
    """For argparse: a file of so many bytes; K, M and G are known."""
    shift = {"K": 10, "M": 20, "G": 30}.get(text[-1:].upper(), 0)
    number = text[:-1] if shift else text
    if not number.isdecimal() or not 4096 <= int(number) << shift <= 1 << 43:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no size from 4K to 8192G")
    file = tempfile.TemporaryFile(buffering=0)
    file.truncate(int(number) << shift)
    return file


def serial_number(text):
    """For argparse: Bulk-Only Transport 1.0 section 4.1.1."""
    if not 12 <= len(text) <= 126 or set(text) - set("0123456789ABCDEF"):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not 12 to 126 of 0-9 and A-F")
    return text


if __name__ == "__main__":
    main(Disk)
