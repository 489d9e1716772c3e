# SPDX-License-Identifier: GPL-2.0-or-later
"""functions.acm: a serial line, alone and with others."""

import unittest

import support  # noqa: F401

from usbremote import Device, Setup, Status, TransferType
from usbremote import descriptors as desc
from usbremote.functions import cdc
from usbremote.functions.acm import DCD, DSR, Acm, LineCoding
from usbremote.functions.hid import Mouse
from usbremote.testing import Bench

TO_LINE, FROM_LINE = 0x21, 0xa1


class OnBench(unittest.TestCase):
    def setUp(self):
        self.told = []
        self.line = Acm(name="line", on_break=self.told.append,
                        on_change=lambda: self.told.append(
                            (str(self.line.line_coding), self.line.dtr,
                             self.line.rts)))

    def bench(self, *functions):
        class Thing(Device):
            def __init__(self):
                self.functions = functions
        bench = Bench(Thing)
        bench.plug_in()
        bench.configure()
        return bench

    def ask(self, bench, kind, request, value=0, index=0, data=b""):
        answer = bench.control(Setup(kind, request, value, index,
                                     len(data) or 64, data))
        return answer.status, answer.data


class Requests(OnBench):
    def test_the_line_coding_that_was_set_is_there(self):
        bench = self.bench(self.line)
        self.assertEqual(self.ask(bench, FROM_LINE, cdc.GET_LINE_CODING)[1],
                         LineCoding().encode())
        data = LineCoding(115200, 2, 2, 7).encode()
        self.ask(bench, TO_LINE, cdc.SET_LINE_CODING, data=data)
        self.assertEqual(self.ask(bench, FROM_LINE, cdc.GET_LINE_CODING)[1],
                         data)
        self.assertEqual(self.told, [("115200 7E2", False, False)])

    def test_a_line_coding_of_another_length_is_refused(self):
        bench = self.bench(self.line)
        for size in (1, 6, 8):
            self.assertEqual(self.ask(bench, TO_LINE, cdc.SET_LINE_CODING,
                                      data=bytes(size))[0], Status.STALL)

    def test_codes_that_nobody_knows_are_shown_all_the_same(self):
        self.assertEqual(str(LineCoding(1, 255, 255, 255)), "1 255N1")

    def test_control_lines_and_breaks(self):
        bench = self.bench(self.line)
        for value in (3, 1, 0):
            bench.control(Setup(TO_LINE, cdc.SET_CONTROL_LINE_STATE, value, 0,
                                0))
        bench.control(Setup(TO_LINE, cdc.SEND_BREAK, 250, 0, 0))
        self.assertEqual(self.told, [
            ("9600 8N1", True, True), ("9600 8N1", True, False),
            ("9600 8N1", False, False), 250])

    def test_a_reset_drops_the_control_lines(self):
        bench = self.bench(self.line)
        bench.control(Setup(TO_LINE, cdc.SET_CONTROL_LINE_STATE, 3, 0, 0))
        bench.qemu.reset()
        bench.exchange()
        self.assertEqual((self.line.dtr, self.line.rts), (False, False))


class Data(OnBench):
    def test_both_ways(self):
        bench = self.bench(self.line)
        got = []

        async def echo():
            data = await self.line.read()
            got.append(data)
            await self.line.write(data.upper())
        bench.spawn(echo())
        bench.write(3, b"hello")
        id = bench.read(0x82, 64)
        self.assertEqual((got, bench.answered(id).data),
                         ([b"hello"], b"HELLO"))

    def test_the_state_of_the_line_has_the_number_of_its_interface(self):
        other = Acm()
        bench = self.bench(Mouse(), self.line, other)
        for line, address, number in ((self.line, 0x82, 1), (other, 0x84, 3)):
            bench.spawn(line.serial_state(DCD | DSR))
            id = bench.read(address, 16, TransferType.INTERRUPT)
            self.assertEqual(bench.answered(id).data.hex(" "),
                             f"a1 20 00 00 {number:02x} 00 02 00 03 00")

    def test_two_lines_in_one_device_are_two_functions(self):
        bench = self.bench(self.line, Acm())
        data = bench.control(Setup(0x80, 6, 0x200, 0, 512)).data
        found = [part[2:7].hex(" ") for part in desc.split(data)
                 if part[1] == desc.ASSOCIATION]
        self.assertEqual(found, ["00 02 02 02 01", "02 02 02 02 01"])
        unions = [part[3:].hex(" ") for part in desc.split(data)
                  if part[1] == 0x24 and part[2] == cdc.UNION]
        self.assertEqual(unions, ["00 01", "02 03"])


if __name__ == "__main__":
    unittest.main()
