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
import struct
import sys
from math import cos, radians, sin

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import Device, cli, main                         # noqa: E402
from usbremote.functions import hid, report                     # noqa: E402

BUTTONS = 10
STICKS = (report.X, report.Y, report.Z, report.RZ)
MOTORS = tuple(                 # two bytes of a command, strong, weak
    report.field(report.OUTPUT, report.VENDOR, (usage,), 8, 0, 127)
    for usage in range(1, 5))
CONTROLS = report.collection(
    report.DESKTOP, report.GAMEPAD,
    report.field(report.INPUT, report.DESKTOP, STICKS, 8, 0, 255),
    report.field(report.INPUT, report.BUTTONS, range(1, BUTTONS + 1), 1,
                 0, 1),
    report.padding(report.INPUT, 16 - BUTTONS), *MOTORS)
RUMBLE = b"\0\2"                # the command


def state(degrees):
    """The report's values there: four of the sticks, a mask of buttons."""
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
        self.pad = hid.Hid(CONTROLS, size=6, period_ms=4, output=True,
                           on_output=self.rumble)
        self.functions = [self.pad]

    async def configured(self):
        turn = 0
        while not self.options.idle and turn != (self.options.turns or -1):
            await self.play()
            turn += 1

    async def play(self):
        for degrees in range(360):
            values = state(degrees)
            await self.pad.send(struct.pack("<BBBBH", *values))
            if self.options.report_log:
                print(*values, file=self.options.report_log, flush=True)
            await self.sleep(1 / self.options.rate)

    def rumble(self, data):
        """An output report, over its endpoint or as SET_REPORT."""
        if len(data) == len(MOTORS) and data.startswith(RUMBLE):
            print(f"rumble: strong {data[2]}, weak {data[3]}", flush=True)
        else:
            print("unknown output report:", data.hex(" "), flush=True)

    def on_user_signal(self):
        if self.is_configured:
            self.start(self.play())


if __name__ == "__main__":
    main(Gamepad)
