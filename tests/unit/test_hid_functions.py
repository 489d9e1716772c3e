# SPDX-License-Identifier: GPL-2.0-or-later
"""The functions on hid.Hid: what they send and take, among others."""

import struct
import unittest

import support  # noqa: F401

from usbremote import Device, Setup, Status, TransferType
from usbremote.functions import report
from usbremote.functions.consumer import USAGES, ConsumerControl
from usbremote.functions.gamepad import Gamepad
from usbremote.functions.hid import OUTPUT, SET_REPORT, Mouse
from usbremote.functions.tablet import LARGEST, LEFT, MIDDLE, Tablet
from usbremote.testing import Bench

INTERRUPT = TransferType.INTERRUPT


class OnBench(unittest.TestCase):
    def plug(self, *functions):
        class Thing(Device):
            def __init__(self):
                self.functions = functions
        self.bench = Bench(Thing)
        self.bench.plug_in()
        self.bench.configure()

    def sent(self, coroutine, endpoint=0x82):
        self.bench.spawn(coroutine)
        id = self.bench.read(endpoint, 8, INTERRUPT)
        return self.bench.answered(id).data

    def bits(self, function, main=report.INPUT):
        """How many bits its report descriptor gives a report."""
        size = bits = 0
        for tag, data in report.items(function.report):
            value = int.from_bytes(data, "little")
            if tag == report.REPORT_SIZE:
                size = value
            elif tag == report.REPORT_COUNT:
                count = value
            elif tag == main:
                bits += size * count
        return bits


class TabletPoints(OnBench):
    def test_a_place_and_buttons_beside_a_mouse(self):
        pointer = Tablet()
        self.plug(Mouse(), pointer)
        self.assertEqual(
            self.sent(pointer.point(LARGEST, 1, LEFT | MIDDLE)).hex(" "),
            "05 ff 7f 01 00")
        self.assertEqual(self.bits(pointer), 40)

    def test_what_is_no_place_is_sent_as_it_is(self):
        pointer = Tablet()
        self.plug(Mouse(), pointer)
        self.assertEqual(self.sent(pointer.point(0xffff, 0)).hex(" "),
                         "00 ff ff 00 00")

    def test_what_has_no_room_is_an_error(self):
        pointer = Tablet()
        self.plug(Mouse(), pointer)
        with self.assertRaises(struct.error):
            self.sent(pointer.point(0x10000, 0))

    def test_a_wrong_report_is_one_method(self):
        class Short(Tablet):
            def encode(self, x, y, buttons):
                return super().encode(x, y, buttons)[:3]
        pointer = Short()
        self.plug(Mouse(), pointer)
        self.assertEqual(self.sent(pointer.point(2, 3)), b"\0\2\0")


class GamepadHolds(OnBench):
    def pad(self, **options):
        self.told, self.odd = [], []
        pad = Gamepad(on_rumble=lambda *force: self.told.append(force),
                      on_unknown=self.odd.append, **options)
        self.plug(Mouse(), pad)
        return pad

    def test_sticks_and_buttons(self):
        pad = self.pad()
        self.assertEqual(self.sent(pad.hold(1, 2, 3, 4, 0x201)),
                         b"\1\2\3\4\1\2")
        self.assertEqual(self.sent(pad.hold(buttons=1)), b"\x80" * 4 + b"\1\0")

    def test_a_report_has_the_same_size_with_any_number_of_buttons(self):
        for buttons in (1, 10, 16):
            with self.subTest(buttons):
                pad = self.pad(buttons=buttons)
                self.assertEqual((self.bits(pad), self.bits(pad,
                                                            report.OUTPUT)),
                                 (48, 32))

    def test_the_motors_are_told_both_ways(self):
        self.pad()
        self.bench.write(0x01, bytes((0, 2, 127, 0)), INTERRUPT)
        self.bench.control(Setup(0x21, SET_REPORT, OUTPUT << 8, 1, 4,
                                 bytes((0, 2, 0, 5))))
        self.assertEqual((self.told, self.odd), ([(127, 0), (0, 5)], []))

    def test_what_is_no_command_of_the_motors(self):
        self.pad()
        for data in (b"\0\1\0\5", b"\0\2\0", b"\0\2\0\5\0"):
            self.bench.write(0x01, data, INTERRUPT)
        self.assertEqual((self.told, self.odd),
                         ([], [b"\0\1\0\5", b"\0\2\0", b"\0\2\0\5\0"]))

    def test_nobody_has_to_listen(self):
        self.plug(Gamepad())
        for data in (b"\0\2\0\5", b"?"):
            id = self.bench.write(0x01, data, INTERRUPT)
            self.assertEqual(self.bench.answered(id).status, Status.OK)


class ConsumerKeys(OnBench):
    def setUp(self):
        self.keys = ConsumerControl()
        self.plug(Mouse(), self.keys)

    def test_a_tap_is_down_and_up(self):
        self.bench.spawn(self.keys.tap(USAGES["Play/Pause"]))
        heard = [self.bench.answered(self.bench.read(0x82, 8, INTERRUPT)).data
                 for _ in range(2)]
        self.assertEqual(heard, [b"\xcd" + bytes(7), bytes(8)])

    def test_four_keys_are_down_at_once(self):
        self.assertEqual(
            self.sent(self.keys.press(USAGES["Volume Increment"], 0x3ff, 1,
                                      0xffff)).hex(" "),
            "e9 00 ff 03 01 00 ff ff")
        self.assertEqual(self.bits(self.keys), 64)

    def test_a_fifth_has_no_room(self):
        with self.assertRaises(struct.error):
            self.sent(self.keys.press(1, 2, 3, 4, 5))

    def test_a_wrong_report_is_one_method(self):
        self.keys.encode = lambda *usages: b"\1"
        self.assertEqual(self.sent(self.keys.press(2)), b"\1")


if __name__ == "__main__":
    unittest.main()
