# SPDX-License-Identifier: GPL-2.0-or-later
"""examples/composite.py: three functions that do not disturb each other."""

import struct
import unittest

from support import load_example

from usbremote import Setup, Speed, TransferType
from usbremote import descriptors as desc
from usbremote.functions import bulk_only
from usbremote.testing import Bench

composite = load_example("composite")
INTERFACE = 4                   # descriptor type, USB 2.0 table 9-5
LINE_OUT, DISK_IN, DISK_OUT, KEYS_IN = 0x03, 0x83, 0x01, 0x84
READ_CAPACITY = bytes((0x25,)).ljust(10, b"\0")


class Composite(unittest.TestCase):
    def plug(self, *arguments, speed=Speed.FULL):
        self.bench = Bench(composite.Composite, arguments=arguments)
        self.bench.plug_in(speed)
        self.bench.configure()

    def typed(self, count):
        """The keys of the next so many reports."""
        keys = []
        for _ in range(count):
            id = self.bench.read(KEYS_IN, 8, TransferType.INTERRUPT)
            keys.append(self.bench.answered(id).data[2])
        return keys

    def test_three_functions_one_of_them_associated(self):
        for speed in (Speed.FULL, Speed.HIGH):
            self.plug(speed=speed)
            data = self.bench.control(Setup(0x80, 6, 0x200, 0, 512)).data
            classes = [(part[2], part[5]) for part in desc.split(data)
                       if part[1] == INTERFACE]
            self.assertEqual(classes, [(0, 2), (1, 10), (2, 8), (3, 3)])
            self.assertEqual([part[2:4] for part in desc.split(data)
                              if part[1] == desc.ASSOCIATION], [b"\0\2"])

    def test_what_comes_over_the_line_is_typed(self):
        self.plug()
        self.bench.write(LINE_OUT, b"ab\n")
        self.assertEqual(self.typed(6), [4, 0, 5, 0, 0x28, 0])

    def test_what_no_key_types_is_left_out(self):
        self.plug()
        self.bench.write(LINE_OUT, b"\xff\0\r" + "é".encode() + b"a")
        self.assertEqual(self.typed(2), [4, 0])

    def test_the_disk_is_read_while_nobody_asks_the_keyboard(self):
        self.plug("--size", "3")
        self.bench.write(LINE_OUT, b"waiting")
        self.bench.write(DISK_OUT, bulk_only.CBW.pack(
            b"USBC", 1, 8, 0x80, 0, 10, READ_CAPACITY))
        data = self.bench.answered(self.bench.read(DISK_IN, 8)).data
        self.assertEqual(struct.unpack(">II", data), (3 * 2048 - 1, 512))


if __name__ == "__main__":
    unittest.main()
