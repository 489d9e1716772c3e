#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A USB keyboard that types a given text.

    examples/keyboard.py --connect unix:/tmp/keyboard --text "ls -l" --enter

Its keys are those of a US keyboard, and the guest has to have that layout.
The text is typed a moment after each plugging in, and again on SIGUSR1.
What the guest shows with the LEDs is printed.
"""

import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import Device, cli, main                         # noqa: E402
from usbremote.functions import keyboard                        # noqa: E402


def typeable(text):
    """For argparse: a text that the keys can type."""
    for character in text:
        if character not in keyboard.STROKES:
            raise argparse.ArgumentTypeError(
                f"no key of a US keyboard types {character!r}")
    return text


def text_file(path):
    """For argparse: a file with such a text."""
    return typeable(cli.file_bytes(path).decode(errors="replace"))


class Keyboard(Device):
    vendor_id, product_id = 0x1209, 0x0002
    manufacturer, product = "usb-remote", "Python Keyboard"

    @classmethod
    def add_options(cls, parser):
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--text", type=typeable, default="Hello, world!",
                          help="what it types (Hello, world!)")
        what.add_argument("--file", type=text_file, dest="text",
                          metavar="FILE", help="or all of a file, up to 1 MiB")
        parser.add_argument("--enter", action="store_true",
                            help="and Enter at the end")
        parser.add_argument("--rate", type=cli.number(0.01, 1e4, float),
                            default=20, metavar="HZ",
                            help="keys a second, at most (20)")
        parser.add_argument("--delay", type=cli.number(0, 1e6, float),
                            default=1, metavar="SECONDS",
                            help="from plugging in to the first key (1)")
        parser.add_argument("--idle", action="store_true",
                            help="type on SIGUSR1 only")

    def __init__(self, options):
        super().__init__(options)
        self.keys = keyboard.Keyboard(on_leds=self.show_leds)
        self.functions = [self.keys]

    def show_leds(self, on):
        print("LEDs:", ", ".join(on) or "none", flush=True)

    async def configured(self):
        if not self.options.idle:
            await self.sleep(self.options.delay)
            await self.type()

    async def type(self):
        for character in self.options.text + "\n" * self.options.enter:
            await self.keys.stroke(character)
            await self.sleep(1 / self.options.rate)

    def on_user_signal(self):
        if self.is_configured:
            self.start(self.type())


if __name__ == "__main__":
    main(Keyboard)
