#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A USB tablet: a pointer with absolute positions.

    examples/tablet.py --connect unix:/tmp/tablet --positions FILE

The file has a line "X Y" or "X Y BUTTONS" for each position.  0 0 is the
upper left corner, 32767 32767 the lower right one; BUTTONS is the sum of 1
for the left, 2 for the right and 4 for the middle button, where they are
down.  Without a file the pointer goes along a circle.  SIGUSR1 has it go
through all positions once more.
"""

import argparse
import os
import sys
from math import cos, radians, sin

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import Device, cli, main                         # noqa: E402
from usbremote.functions import tablet                          # noqa: E402
from usbremote.functions.tablet import LARGEST                  # noqa: E402

CIRCLE = [(round(LARGEST * (1 + cos(radians(d)) / 2) / 2),
           round(LARGEST * (1 + sin(radians(d)) / 2) / 2), 0)
          for d in range(360)]


def position(line):
    """(x, y, buttons) of a line; raises ValueError."""
    x, y, buttons = map(int, (line.split() + ["0"])[:3])
    if len(line.split()) > 3 or not (0 <= x <= LARGEST and 0 <= y <= LARGEST
                                     and 0 <= buttons <= 7):
        raise ValueError(line)
    return x, y, buttons


def position_file(path):
    """For argparse: a file of positions."""
    lines = cli.file_bytes(path).decode(errors="replace").splitlines()
    positions = []
    for number, line in enumerate(lines, 1):
        try:
            positions.append(position(line))
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"line {number} of '{path}' is no position: {line[:40]!r}")
    if not positions:
        raise argparse.ArgumentTypeError(f"'{path}' has no positions")
    return positions


class Tablet(Device):
    vendor_id, product_id = 0x1209, 0x0003
    manufacturer, product = "usb-remote", "Python Tablet"

    @classmethod
    def add_options(cls, parser):
        parser.add_argument("--positions", type=position_file,
                            default=CIRCLE, metavar="FILE",
                            help="where the pointer goes (a circle)")
        cli.motion_options(parser, "X Y BUTTONS", "position", "stay there")

    def __init__(self, options):
        super().__init__(options)
        self.pointer = tablet.Tablet()
        self.functions = [self.pointer]

    async def configured(self):
        turn = 0
        while not self.options.idle and turn != (self.options.turns or -1):
            await self.move()
            turn += 1

    async def move(self):
        for x, y, buttons in self.options.positions:
            await self.pointer.point(x, y, buttons)
            if self.options.report_log:
                print(x, y, buttons, file=self.options.report_log,
                      flush=True)
            await self.sleep(1 / self.options.rate)

    def on_user_signal(self):
        if self.is_configured:
            self.start(self.move())


if __name__ == "__main__":
    main(Tablet)
