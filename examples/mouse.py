#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A USB mouse that moves the pointer in a circle.

    qemu-system-x86_64 ... -device qemu-xhci \\
        -chardev socket,id=c0,path=/tmp/mouse,server=on,wait=off \\
        -device usb-remote,chardev=c0
    examples/mouse.py --connect unix:/tmp/mouse

Each report moves by one degree, and it moves only when the guest asks.
SIGUSR1 sends one more report, one count to the right.
"""

import os
import sys
from math import cos, radians, sin

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import Device, Speed, cli, main                  # noqa: E402
from usbremote.functions import hid                             # noqa: E402


class Mouse(Device):
    vendor_id, product_id = 0x1209, 0x0001
    manufacturer, product = "usb-remote", "Python Mouse"

    @classmethod
    def add_options(cls, parser):
        parser.add_argument("--radius", type=cli.number(1, 7000), default=100,
                            metavar="N", help="in counts (100)")
        cli.motion_options(parser, "dx dy", idle="stay idle")

    def __init__(self, options):
        super().__init__(options)
        self.mouse = hid.Mouse(
            interval={Speed.FULL: 10, Speed.HIGH: 4})   # 10 ms and 1 ms
        self.functions = [self.mouse]

    async def configured(self):
        radius, pause = self.options.radius, 1 / self.options.rate
        path = [(round(radius * cos(radians(d))),
                 round(radius * sin(radians(d)))) for d in range(360)]
        turn, due = 0, self.now()
        while not self.options.idle and turn != (self.options.turns or -1):
            for (x, y), (to_x, to_y) in zip(path, path[1:] + path[:1]):
                await self.move(to_x - x, to_y - y)
                due = max(due + pause, self.now())
                await self.sleep(due - self.now())
            turn += 1

    async def move(self, dx, dy):
        await self.mouse.move(dx, dy)
        if self.options.report_log:
            print(dx, dy, file=self.options.report_log, flush=True)

    def on_user_signal(self):
        if self.is_configured:
            self.start(self.move(1, 0))


if __name__ == "__main__":
    main(Mouse)
