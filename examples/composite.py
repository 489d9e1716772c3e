#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A serial port, a disk and a keyboard in one USB device.

    examples/composite.py --connect unix:./usb.sock

What the guest writes to the serial port, the keyboard types:

    echo ls >/dev/ttyACM0

Its keys are those of a US keyboard; what none of them types is left out.
What is on the disk is lost with the program.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import Device, Speed, cli, main                  # noqa: E402
from usbremote.functions.acm import Acm                         # noqa: E402
from usbremote.functions.blocks import Memory                   # noqa: E402
from usbremote.functions.disk import Disk                       # noqa: E402
from usbremote.functions.keyboard import STROKES, Keyboard      # noqa: E402

BLOCKS_OF_MIB = 2048            # of 512 bytes


class Composite(Device):
    vendor_id, product_id = 0x1209, 0x000a
    manufacturer, product = "usb-remote", "Composite"
    serial = "000000000001"     # Bulk-Only Transport 1.0 section 4.1.1
    speeds = (Speed.FULL, Speed.HIGH)

    @classmethod
    def add_options(cls, parser):
        parser.add_argument("--size", type=cli.number(1, 256), default=8,
                            metavar="MIB", help="of the disk (8)")

    def __init__(self, options):
        super().__init__(options)
        self.line = Acm("Serial port")
        self.disk = Disk(Memory(options.size * BLOCKS_OF_MIB))
        self.keys = Keyboard(name="Keyboard")
        self.functions = [self.line, self.disk, self.keys]

    async def configured(self):
        while True:
            for character in (await self.line.read()).decode("latin-1"):
                if character in STROKES:
                    await self.keys.stroke(character)


if __name__ == "__main__":
    main(Composite)
