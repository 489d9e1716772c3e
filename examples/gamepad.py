#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A USB gamepad with two sticks, ten buttons and two motors that rumble.

    examples/gamepad.py --connect unix:/tmp/gamepad

It calls itself a Zeroplus gamepad, because Linux has a driver for the motors
of that one (hid-zpff).  The left stick goes round, the right one the other
way, and each button is down for a tenth of the way; on SIGUSR1 once more.
What the guest tells the motors is printed: 0 is off, 127 the strongest.
"""

import os
import sys
from math import cos, radians, sin

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import Device, cli, main                         # noqa: E402
from usbremote.functions import gamepad                         # noqa: E402

BUTTONS = 10


def state(degrees):
    """What is held there: four values of the sticks, a mask of buttons."""
    x = round(127.5 + 127.5 * cos(radians(degrees)))
    y = round(127.5 + 127.5 * sin(radians(degrees)))
    return x, y, x, 255 - y, 1 << degrees * BUTTONS // 360


class Gamepad(Device):
    vendor_id, product_id = 0x0c12, 0x0005
    manufacturer, product = "usb-remote", "Python Gamepad"

    @classmethod
    def add_options(cls, parser):
        cli.motion_options(parser, "X Y Z RZ BUTTONS")

    def __init__(self, options):
        super().__init__(options)
        self.pad = gamepad.Gamepad(BUTTONS, on_rumble=self.rumble,
                                   on_unknown=self.unknown)
        self.functions = [self.pad]

    async def configured(self):
        turn = 0
        while not self.options.idle and turn != (self.options.turns or -1):
            await self.play()
            turn += 1

    async def play(self):
        for degrees in range(360):
            values = state(degrees)
            await self.pad.hold(*values)
            if self.options.report_log:
                print(*values, file=self.options.report_log, flush=True)
            await self.sleep(1 / self.options.rate)

    def rumble(self, strong, weak):
        print(f"rumble: strong {strong}, weak {weak}", flush=True)

    def unknown(self, data):
        print("unknown output report:", data.hex(" "), flush=True)

    def on_user_signal(self):
        if self.is_configured:
            self.start(self.play())


if __name__ == "__main__":
    main(Gamepad)
