# SPDX-License-Identifier: GPL-2.0-or-later
"""The instrument without a guest: messages cut and ended in any way."""

import struct
import unittest

from support import load_example, options_of

from usbremote._proto import Speed, Status
from usbremote.setup import Setup
from usbremote.testing import Bench

usbtmc = load_example("usbtmc")
IDENTITY = b"usb-remote,Python Instrument,0001,1.0\n"
SUCCESS, PENDING, FAILED, NOT_IN_PROGRESS, NO_SPLIT, SPLIT = (
    bytes((code,)) for code in (0x01, 0x02, 0x80, 0x81, 0x82, 0x83))
ABORT_OUT, CHECK_OUT, ABORT_IN, CHECK_IN, CLEAR, CHECK_CLEAR, \
    CAPABILITIES = range(1, 8)
CLEAR_HALT_OUT = Setup(2, 1, 0, 0x01, 0)
STATUS_BYTE = 128


def header(kind, tag, size, attributes):
    return struct.pack("<BBBBIBxxx", kind, tag, tag ^ 0xff, 0, size,
                       attributes)


class Instrument(unittest.TestCase):
    def setUp(self):
        self.bench = Bench(lambda: usbtmc.Instrument(
            options_of(usbtmc.Instrument, "--points", "4")))
        self.bench.plug_in(Speed.HIGH)
        self.bench.configure()

    def say(self, text, end=True, tag=1):
        self.bench.write(0x01, header(1, tag, len(text), int(end)) + text
                         + bytes(-len(text) % 4))

    def ask(self, size=4096, tag=2):
        """A request for an answer; the id of the read that waits for it."""
        self.bench.write(0x01, header(2, tag, size, 0))
        return self.bench.read(0x82, 4096)

    def answer(self, size=4096, tag=2):
        """(bytes of the answer, whether it ends)."""
        data = self.bench.answer_to(self.ask(size, tag)).data
        kind, echo, inverse, _, count, end = struct.unpack("<BBBBIBxxx",
                                                           data[:12])
        self.assertEqual((kind, echo, inverse, count),
                         (2, tag, tag ^ 0xff, len(data) - 12))
        return data[12:], bool(end)

    def request(self, number, value=0, to=0xa1, index=0, length=24):
        return self.bench.control(Setup(to, number, value, index,
                                        length)).data

    def test_a_question_in_pieces_is_one_question(self):
        self.say(b"*I", end=False)
        self.say(b"DN?", tag=3)
        self.assertEqual(self.answer(), (IDENTITY, True))

    def test_an_answer_in_pieces_ends_with_the_last(self):
        self.say(b"*IDN?")
        self.assertEqual(self.answer(10), (IDENTITY[:10], False))
        self.assertEqual(self.answer(100), (IDENTITY[10:], True))

    def test_an_answer_of_whole_packets_ends_with_an_empty_one(self):
        self.say(b"CURVE #3500" + bytes(500))
        self.say(b"CURVE?")
        self.assertEqual(self.answer(500), (b"#3500" + bytes(495), False))
        self.assertEqual(self.answer(), (bytes(5) + b"\n", True))

    def test_the_waveform_is_a_sine(self):
        self.say(b"curve?")
        self.assertEqual(self.answer(), (
            b"#18" + struct.pack("<4h", 0, 32767, 0, -32767) + b"\n", True))

    def test_a_block_may_have_any_bytes(self):
        data = b" \n#;CURVE?" + bytes(range(256))
        self.say(b"CURVE #3%d" % len(data) + data)
        self.say(b"CURVE?")
        self.assertEqual(self.answer()[0], b"#3%d" % len(data) + data + b"\n")

    def test_errors_are_told_one_by_one(self):
        for wrong in b"NONSENSE", b"CURVE #29", b"CURVE 1 2", b"CURVE #3abc":
            self.say(wrong)
        for code in -113, -161, -161, -161, 0:
            self.say(b"SYSTEM:ERROR?")
            self.assertEqual(int(self.answer()[0].split(b",")[0]), code)

    def test_an_answer_waits_for_its_question(self):
        id = self.ask()
        self.bench.exchange(60)
        self.assertIsNone(self.bench.answer_to(id))
        self.say(b"*OPC?")
        self.assertEqual(self.bench.answer_to(id).data[12:], b"1\n")

    def abort(self, number, tag):
        """Status and bTag of INITIATE_ABORT_*."""
        told = self.request(number, tag, 0xa2, 0x01 if number < 3 else 0x82,
                            2)
        return told[:1], told[1]

    def check(self, number):
        """Status, flags and the count of CHECK_ABORT_*_STATUS."""
        told = self.request(number, 0, 0xa2, 0x01 if number < 3 else 0x82, 8)
        self.assertEqual((len(told), told[2:4]), (8, b"\0\0"))
        return told[:1], told[1], int.from_bytes(told[4:], "little")

    def test_an_abort_ends_the_answer_that_is_waited_for(self):
        id = self.ask(tag=7)
        for tag, status in (8, NOT_IN_PROGRESS), (7, SUCCESS), (7, FAILED):
            self.assertEqual(self.abort(ABORT_IN, tag), (status, 7))
        self.assertEqual(self.bench.answer_to(id).data, b"")
        self.assertEqual(self.check(CHECK_IN), (SUCCESS, 0, 0))
        self.assertEqual(self.check(CHECK_IN), (NO_SPLIT, 0, 0))
        self.say(b"*OPC?")
        self.assertEqual(self.answer(), (b"1\n", True))

    def test_an_abort_of_an_answer_counts_what_was_sent_of_it(self):
        self.say(b"CURVE #42000" + bytes(2000))
        for read in 0, 512, 1024, 1536:
            self.say(b"CURVE?")
            self.bench.write(0x01, header(2, 9, 4096, 0))
            if read:
                self.bench.read(0x82, read)
            self.assertEqual(self.abort(ABORT_IN, 9), (SUCCESS, 9))
            self.assertEqual(self.check(CHECK_IN), (PENDING, 1, 0))
            for number in ABORT_IN, ABORT_OUT:
                self.assertEqual(self.abort(number, 9)[0], SPLIT)
            id = self.bench.read(0x82, 4096)
            self.assertEqual(self.bench.answer_to(id).data, b"")
            self.assertEqual(self.check(CHECK_IN),
                             (SUCCESS, 0, max(0, read - 12)))
            self.say(b"*OPC?")
            self.assertEqual(self.answer(), (b"1\n", True))

    def test_an_abort_of_a_message_counts_what_came_of_it(self):
        self.assertEqual(self.check(CHECK_OUT), (NO_SPLIT, 0, 0))
        command = b"CURVE #41000" + bytes(range(250)) * 4
        self.bench.write(0x01, header(1, 5, 1012, 1) + command[:500])
        self.assertEqual(self.abort(ABORT_OUT, 6), (NOT_IN_PROGRESS, 5))
        self.assertEqual(self.abort(ABORT_OUT, 5), (SUCCESS, 5))
        id = self.bench.write(0x01, command[500:])
        self.assertEqual(self.bench.answer_to(id).status, Status.STALL)
        self.assertEqual(self.check(CHECK_OUT), (SUCCESS, 0, 500))
        self.assertEqual(self.abort(ABORT_OUT, 5), (FAILED, 5))
        self.bench.control(CLEAR_HALT_OUT)
        self.say(command[500:])         # what had come is not lost
        self.say(b"CURVE?")
        self.assertEqual(self.answer()[0], command[6:] + b"\n")

    def test_an_abort_between_messages_fails(self):
        self.say(b"*OPC?", tag=3)
        self.assertEqual(self.abort(ABORT_OUT, 3), (FAILED, 3))
        self.assertEqual(self.answer(tag=4), (b"1\n", True))
        self.assertEqual(self.abort(ABORT_IN, 4), (FAILED, 4))

    def test_too_few_or_too_many_bytes_halt_the_endpoint(self):
        for size in 3, 20:
            self.setUp()
            self.bench.write(0x01, header(1, 1, size, 1) + b"*OPC?  ;")
            self.assertEqual(self.stalled(b"*OPC?"), Status.STALL)
            self.bench.control(CLEAR_HALT_OUT)
            self.bench.control(Setup(0xa1, CLEAR, 0, 0, 1))
            self.bench.control(CLEAR_HALT_OUT)
            self.say(b"*IDN?")
            self.assertEqual(self.answer(), (IDENTITY, True))

    def test_a_halt_cleared_in_the_middle_of_a_message_forgets_it(self):
        self.bench.write(0x01, header(1, 1, 2000, 1) + bytes(500))
        self.bench.control(CLEAR_HALT_OUT)
        self.say(b"*IDN?")
        self.assertEqual(self.answer(), (IDENTITY, True))

    def test_a_clear_in_the_middle_of_a_message_forgets_it(self):
        self.bench.write(0x01, header(1, 1, 2000, 1) + bytes(1012))
        self.assertEqual(self.request(CLEAR, length=1), SUCCESS)
        self.assertEqual(self.request(CHECK_CLEAR, length=2), SUCCESS + b"\0")
        self.assertEqual(self.stalled(b"*OPC?"), Status.STALL)
        self.bench.control(CLEAR_HALT_OUT)
        self.say(b"*IDN?")
        self.assertEqual(self.answer(), (IDENTITY, True))

    def test_a_wrong_header_halts_the_endpoint(self):
        for wrong in header(1, 5, 4, 1)[:2] + b"\0" * 10, header(9, 5, 4, 1):
            self.bench.write(0x01, wrong)
            self.assertEqual(self.stalled(b"*OPC?"), Status.STALL)
            self.bench.control(CLEAR_HALT_OUT)
        self.say(b"*OPC?")
        self.assertEqual(self.answer(), (b"1\n", True))

    def test_the_status_byte_tells_of_an_answer(self):
        self.assertEqual(self.request(STATUS_BYTE, 9, length=3),
                         SUCCESS + b"\x09\0")
        self.say(b"*IDN?")
        self.assertEqual(self.request(STATUS_BYTE, 9, length=3),
                         SUCCESS + b"\x09\x10")

    def test_the_capabilities(self):
        told = self.request(CAPABILITIES)
        self.assertEqual(len(told), 24)
        self.assertEqual((told[:4], told[12:14]),
                         (SUCCESS + b"\0\0\1", b"\0\1"))

    def stalled(self, text):
        id = self.bench.write(0x01, header(1, 1, len(text), 1) + text)
        return self.bench.answer_to(id).status


if __name__ == "__main__":
    unittest.main()
