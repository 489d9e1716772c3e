# SPDX-License-Identifier: GPL-2.0-or-later
"""functions.ctaphid, and examples/security_key.py on it."""

import contextlib
import io
import unittest

from support import load_example

from usbremote import Setup, Standard, Status, TransferType
from usbremote.functions import ctaphid, hid
from usbremote.functions.ctaphid import FIRST, NEXT, SIZE
from usbremote.testing import Bench

LONGEST = 7609                  # bytes of a message, CTAP 2.1 section 11.2.4
INTERRUPT = TransferType.INTERRUPT
INIT, PING, MSG, CBOR = (ctaphid.INIT, ctaphid.PING, ctaphid.MSG,
                         ctaphid.CBOR)
security_key = load_example("security_key")


class OnBench(unittest.TestCase):
    def setUp(self):
        self.bench = Bench(security_key.SecurityKey)
        self.bench.plug_in()
        self.bench.configure()
        shown = contextlib.redirect_stdout(io.StringIO())
        self.shown = shown.__enter__()
        self.addCleanup(shown.__exit__, None, None, None)

    def packet(self, packet):
        self.bench.write(0x01, packet.ljust(SIZE, b"\0"), INTERRUPT)

    def first(self, channel, command, data=b"", length=None):
        """The first packet of a message, perhaps the only one."""
        length = len(data) if length is None else length
        self.packet(FIRST.pack(channel, command, length)
                    + data[:ctaphid.FIRST_ROOM])

    def say(self, channel, command, data):
        """A whole message."""
        self.first(channel, command, data)
        rest = data[ctaphid.FIRST_ROOM:]
        for sequence in range(-(-len(rest) // ctaphid.NEXT_ROOM)):
            at = sequence * ctaphid.NEXT_ROOM
            self.packet(NEXT.pack(channel, sequence)
                        + rest[at:at + ctaphid.NEXT_ROOM])

    def read(self):
        id = self.bench.read(0x81, SIZE, INTERRUPT)
        self.bench.exchange()
        return self.bench.answer_to(id)

    def heard(self):
        """(channel, command, data) of the next message."""
        packet = self.read().data
        channel, command, length = FIRST.unpack_from(packet)
        data, sequence = packet[FIRST.size:], 0
        while len(data) < length:
            packet = self.read().data
            self.assertEqual(NEXT.unpack_from(packet), (channel, sequence))
            data, sequence = data + packet[NEXT.size:], sequence + 1
        return channel, command, data[:length]

    def asked(self, channel, command, data=b""):
        self.say(channel, command, data)
        return self.heard()

    def open(self):
        data = self.asked(ctaphid.BROADCAST, INIT, b"12345678")[2]
        return int.from_bytes(data[8:12], "big")

    def error(self, code, channel):
        self.assertEqual(self.heard(), (channel, ctaphid.ERROR,
                                        bytes((code,))))


class Channels(OnBench):
    def test_each_init_opens_another(self):
        for channel in (1, 2):
            self.assertEqual(
                self.asked(ctaphid.BROADCAST, INIT, b"12345678"),
                (ctaphid.BROADCAST, INIT, b"12345678"
                 + channel.to_bytes(4, "big") + b"\2\1\0\0\0"))

    def test_one_that_is_open_is_kept(self):
        channel = self.open()
        self.assertEqual(self.asked(channel, INIT, b"abcdefgh")[2][8:12],
                         channel.to_bytes(4, "big"))

    def test_one_that_nobody_opened_is_refused(self):
        self.open()
        for channel, command in ((0, PING), (2, PING), (7, INIT),
                                 (ctaphid.BROADCAST, PING)):
            with self.subTest(channel):
                self.say(channel, command, b"12345678")
                self.error(ctaphid.INVALID_CHANNEL, channel)

    def test_a_bus_reset_closes_all(self):
        channel = self.open()
        self.bench.qemu.reset()
        self.bench.exchange()
        self.bench.configure()
        self.say(channel, PING, b"")
        self.error(ctaphid.INVALID_CHANNEL, channel)

    def test_a_nonce_has_8_bytes(self):
        self.say(ctaphid.BROADCAST, INIT, b"1234567")
        self.error(ctaphid.INVALID_LEN, ctaphid.BROADCAST)


class Messages(OnBench):
    def test_a_ping_of_any_length_comes_back(self):
        channel = self.open()
        for length in (0, 1, 57, 58, 116, 117, LONGEST):
            with self.subTest(length):
                data = bytes(n % 251 for n in range(length))
                self.assertEqual(self.asked(channel, PING, data),
                                 (channel, PING, data))

    def test_one_that_is_too_long_is_refused_at_once(self):
        channel = self.open()
        self.first(channel, PING, length=LONGEST + 1)
        self.error(ctaphid.INVALID_LEN, channel)

    def test_a_packet_out_of_order_ends_it(self):
        channel = self.open()
        self.first(channel, PING, bytes(100))
        self.packet(NEXT.pack(channel, 1))
        self.error(ctaphid.INVALID_SEQ, channel)
        self.assertEqual(self.asked(channel, PING, b"x")[2], b"x")

    def test_another_in_the_middle_ends_it(self):
        channel = self.open()
        self.first(channel, PING, bytes(100))
        self.first(channel, PING, b"x")
        self.error(ctaphid.INVALID_SEQ, channel)

    def test_init_in_the_middle_begins_anew(self):
        channel = self.open()
        self.first(channel, PING, bytes(100))
        self.assertEqual(self.asked(channel, INIT, b"12345678")[:2],
                         (channel, INIT))
        self.packet(NEXT.pack(channel, 0))
        self.assertIsNone(self.read())

    def test_another_channel_finds_it_busy(self):
        one, other = self.open(), self.open()
        self.first(one, PING, bytes(64))
        self.say(other, PING, b"")
        self.error(ctaphid.CHANNEL_BUSY, other)
        self.packet(NEXT.pack(other, 0) + b"not of it")
        self.packet(NEXT.pack(one, 0))
        self.assertEqual(self.heard(), (one, PING, bytes(64)))

    def test_the_rest_has_half_a_second_to_come(self):
        channel = self.open()
        self.first(channel, PING, bytes(200))
        self.bench.exchange(0.4)
        self.packet(NEXT.pack(channel, 0))
        self.bench.exchange(0.4)
        id = self.bench.read(0x81, SIZE, INTERRUPT)
        self.assertIsNone(self.bench.answer_to(id))
        self.bench.exchange(0.2)
        self.assertEqual(
            self.bench.answered(id).data[:8],
            FIRST.pack(channel, ctaphid.ERROR, 1)
            + bytes((ctaphid.MSG_TIMEOUT,)))
        self.assertEqual(self.asked(channel, PING, b"x")[2], b"x")

    def test_a_setting_that_is_chosen_again_ends_it(self):
        one, other = self.open(), self.open()
        self.first(one, PING, bytes(100))
        self.bench.control(Setup(1, Standard.SET_INTERFACE, 0, 0, 0))
        self.assertEqual(self.asked(other, PING, b"x")[2], b"x")

    def test_what_continues_nothing_is_ignored(self):
        channel = self.open()
        self.packet(NEXT.pack(channel, 0))
        self.assertEqual(self.asked(channel, PING, b"x")[2], b"x")

    def test_a_packet_of_another_size_is_ignored(self):
        channel = self.open()
        self.bench.write(0x01, FIRST.pack(channel, PING, 0), INTERRUPT)
        self.assertEqual(self.asked(channel, PING, b"x")[2], b"x")

    def test_it_comes_as_set_report_too(self):
        channel = self.open()
        id = self.bench.read(0x81, SIZE, INTERRUPT)
        packet = FIRST.pack(channel, PING, 0).ljust(SIZE, b"\0")
        self.bench.control(Setup(0x21, hid.SET_REPORT, hid.OUTPUT << 8, 0,
                                 SIZE, packet))
        self.assertEqual(self.bench.answered(id).data, packet)

    def test_a_feature_report_is_refused(self):
        answer = self.bench.control(Setup(
            0x21, hid.SET_REPORT, hid.FEATURE << 8, 0, SIZE, bytes(SIZE)))
        self.assertEqual(answer.status, Status.STALL)

    def test_cancel_has_no_answer(self):
        channel = self.open()
        self.say(channel, ctaphid.CANCEL, b"")
        self.assertEqual(self.asked(channel, PING, b"x")[1], PING)


class Key(OnBench):
    def test_u2f_says_its_version(self):
        channel = self.open()
        for end in (b"", b"\0\0\0", b"\0\0\0\0\0"):
            self.assertEqual(self.asked(channel, MSG, b"\0\3\0\0" + end)[2],
                             b"U2F_V2\x90\0")

    def test_what_u2f_does_not_know(self):
        channel = self.open()
        for command, status in ((b"\0\1\0\0", "6d00"), (b"\1\3\0\0", "6e00"),
                                (b"\0\3\0", "6700"),
                                (b"\0\3\0\0\1x", "6700")):
            self.assertEqual(self.asked(channel, MSG, command)[2].hex(),
                             status)

    def test_it_refuses_cbor(self):
        channel = self.open()
        self.say(channel, CBOR, b"\4")
        self.error(ctaphid.INVALID_CMD, channel)

    def test_what_it_is_asked_is_printed(self):
        channel = self.open()
        self.asked(channel, MSG, b"\0\3\0\0")
        self.assertEqual(self.shown.getvalue(), "command 0x83, 4 bytes\n")


if __name__ == "__main__":
    unittest.main()
