# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices in C and in Python that have to look the same to the guest."""

import os
import socket
import struct
import subprocess
import sys
import unittest

from support import ROOT, SocketQemu, c_examples

from usbremote._proto import Speed, Status, TransferType
from usbremote.codec import Attach, Complete
from usbremote.setup import Setup

IN, OUT = 0x81, 0x01
CONFIGURE = Setup(0x00, 9, 1, 0, 0)
CLEAR_HALT_IN, CLEAR_HALT_OUT = (Setup(0x02, 1, 0, endpoint, 0)
                                 for endpoint in (IN, OUT))
SOURCE_SINK, LOOPBACK = 3, 2    # bConfigurationValue of Gadget Zero
PIECE, BUFFERS = 4096, 32       # of its loop
SECTORS = 128
DESCRIPTORS = [Setup(0x80, 6, kind << 8 | index, 0, 4096)
               for kind in (1, 2, 3, 6, 7, 0x0f) for index in range(7)]

# SCSI command blocks: REQUEST SENSE, READ(10), WRITE(10) and so on
SENSE = bytes([3, 0, 0, 0, 18, 0])
TEST_UNIT_READY = bytes(6)


def move(code, lba, count):
    return struct.pack(">BxIxHx", code, lba, count)


def mode(control, page, room=255):
    return (bytes([0x1a, 0, control << 6 | page, 0, room, 0]),
            bytes([0x5a, 0, control << 6 | page, 0, 0, 0, 0, 0, room, 0]))


# what the guest expects: bytes, to it or not; command block
PLAIN = [
    *((96, True, bytes([0x12, evpd, page, 0, 96, 0]))
      for evpd, page in ((0, 0), (0, 1), (1, 0), (1, 0x80), (1, 0x83),
                         (1, 0xb0), (1, 0x77))),
    *((192, True, block) for control, page in (
        (0, 0x3f), (1, 8), (2, 8), (3, 8), (0, 1))
      for block in mode(control, page)),
    (8, True, bytes([0x25]) + bytes(9)),
    (32, True, bytes([0x9e, 0x10]) + bytes(11) + bytes([32, 0, 0])),
    (32, True, bytes([0x9e, 0x11]) + bytes(11) + bytes([32, 0, 0])),
    (0, False, TEST_UNIT_READY),
    (0, False, bytes([0x35]) + bytes(9)),
    (0, False, bytes([0x1b, 0, 0, 0, 2, 0])),
    (0, False, bytes([0x1e, 0, 0, 0, 1, 0])),
    (0, False, bytes([0xff]) + bytes(5)),
    (2048, False, move(0x2a, 5, 4)),
    (2048, True, move(0x28, 5, 4)),
    (SECTORS * 512, True, move(0x28, 0, SECTORS)),
    (512, True, move(0x28, SECTORS, 1)),
    (512, False, move(0x2a, SECTORS, 1)),
    (0, False, move(0x28, 0, 0)),
]
# Bulk-Only Transport 1.0 section 6.7, by the numbers there
THIRTEEN = {
    1: (0, False, TEST_UNIT_READY), 2: (0, True, move(0x28, 0, 2)),
    3: (0, False, move(0x2a, 0, 2)), 4: (512, True, TEST_UNIT_READY),
    5: (2048, True, move(0x28, 0, 2)), 6: (1024, True, move(0x28, 0, 2)),
    7: (512, True, move(0x28, 0, 2)), 8: (1024, True, move(0x2a, 0, 2)),
    9: (512, False, TEST_UNIT_READY), 10: (1024, False, move(0x28, 0, 2)),
    11: (2048, False, move(0x2a, 0, 2)), 12: (1024, False, move(0x2a, 0, 2)),
    13: (512, False, move(0x2a, 0, 2)),
}
CASES = {1: 0, 2: 2, 3: 2, 4: 0, 5: 0, 6: 0, 7: 2, 8: 2, 9: 0, 10: 2, 11: 0,
         12: 0, 13: 2}          # what bCSWStatus has to be


class Guest:
    """One device at the other end of a socket, and what it answers."""

    def __init__(self, sock):
        self.qemu = SocketQemu(sock)
        self.heard = {}         # answers by their request's id
        self.qemu.until(Attach)
        self.qemu.qemu.attached(Speed.HIGH)
        self.qemu.qemu.reset(Speed.HIGH)

    def ask(self, setup):
        answer = self.answer(self.qemu.qemu.control(setup))
        return answer.status, answer.data

    def answer(self, number):
        """Wait for the answer to a request."""
        while number in self.qemu.qemu.in_flight:
            self.qemu.flush()
            data = self.qemu.sock.recv(1 << 20)
            if not data:
                raise EOFError("the device has gone")
            self.heard.update((message.id, message)
                              for message in self.qemu.qemu.receive(data)
                              if isinstance(message, Complete))
        return self.heard[number]

    def begin(self, endpoint, length, data=b""):
        """A request; returns its id."""
        return self.qemu.qemu.submit(endpoint, TransferType.BULK, length,
                                     data=data)

    def give(self, data):
        return self.answer(self.begin(OUT, len(data), data)).status

    def want(self, length):
        """An answer, behind a halt if need be: whether, and the data."""
        halted = False
        while True:
            answer = self.answer(self.begin(IN, length))
            if answer.status != Status.STALL:
                return halted, answer.data
            if halted:
                raise AssertionError("halted twice")
            halted = True
            self.ask(CLEAR_HALT_IN)

    def command(self, length, to_guest, block, fill=0x5a):
        """A command: its data, whether it halted, and its status."""
        cbw = struct.pack("<4sIIBBB16s", b"USBC", 7, length, 0x80 * to_guest,
                          0, len(block), block)
        self.give(cbw)
        data = b""
        if to_guest and length:
            answer = self.answer(self.begin(IN, length))
            data = answer.status, answer.data
            if answer.status == Status.STALL:
                self.ask(CLEAR_HALT_IN)
        elif length:
            data = self.give(bytes([fill]) * length)
        return data, self.want(13)


class Twins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = c_examples(cls)

    def guest(self, command):
        """Start a device and plug it in."""
        with socket.socket(socket.AF_UNIX) as server:
            path = f"{self.folder}/{len(os.listdir(self.folder))}.sock"
            server.bind(path)
            server.listen()
            server.settimeout(20)
            process = subprocess.Popen([*command, "--connect", f"unix:{path}"],
                                       stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            sock, _ = server.accept()
        self.addCleanup(sock.close)
        return Guest(sock)

    def both(self, name, *options):
        """The device in C and the one in Python."""
        python = [sys.executable, ROOT / f"examples/{name}.py"]
        return [self.guest([*command, *options])
                for command in ([self.folder / name], python)]

    def disks(self, *options):
        """Two disks with the same contents."""
        pair = self.both("storage", "--size", f"{SECTORS // 2}K", *options)
        for disk in pair:
            disk.ask(CONFIGURE)
        return pair

    def assert_alike(self, pair, function):
        ours, theirs = map(function, pair)
        self.assertEqual(ours, theirs)
        return ours

    def test_descriptors_are_the_same_at_every_speed(self):
        for name, options in (("zero", ()), ("zero", ("--loop",)),
                              ("storage", ("--size", "64K"))):
            pair = self.both(name, *options)
            for speed in (Speed.FULL, Speed.HIGH, Speed.SUPER):
                for guest in pair:
                    guest.qemu.qemu.reset(speed)
                for setup in DESCRIPTORS:
                    with self.subTest(name, speed=speed, setup=setup):
                        self.assert_alike(pair, lambda d: d.ask(setup))

    def test_gadget_zero_says_the_same(self):
        pair = self.both("zero", "--pattern", "1")
        write = Setup(0x40, 0x5b, 0, 0, 5, b"hello")
        for setup in (
                Setup(0x00, 9, 3, 0, 0), write, Setup(0xc0, 0x5c, 0, 0, 9),
                Setup(0xc0, 0x5c, 1, 0, 9), Setup(0x01, 11, 1, 0, 0),
                Setup(0x81, 10, 0, 0, 1), Setup(0x01, 11, 2, 0, 0)):
            self.assert_alike(pair, lambda d: d.ask(setup))
        self.assert_alike(pair, lambda d: d.want(4096))
        self.assert_alike(pair, lambda d: d.give(bytes(range(63)) * 4))

    def test_source_and_sink_go_on_when_a_halt_is_cleared_on_the_way(self):
        for alternate in 0, 1:
            pair = self.both("zero", "--pattern", "1")
            packet = bytes(i % 63 for i in range(512))
            for guest in pair:
                guest.ask(Setup(0x00, 9, SOURCE_SINK, 0, 0))
                guest.ask(Setup(0x01, 11, alternate, 0, 0))
                for _ in range(2):
                    self.assertEqual(guest.want(512), (False, packet))
                    self.assertEqual(guest.give(packet), Status.OK)
                    guest.ask(CLEAR_HALT_IN)
                    guest.ask(CLEAR_HALT_OUT)

    def test_the_loop_goes_on_when_a_halt_is_cleared_on_the_way(self):
        for guest in self.loops():
            for _ in range(2):
                guest.give(bytes(PIECE))
                self.assertEqual(guest.want(512), (False, bytes(512)))
                guest.ask(CLEAR_HALT_IN)
                guest.give(b"next")
                self.assertEqual(guest.want(512), (False, b"next"))
                guest.give(bytes(512))
                guest.ask(CLEAR_HALT_OUT)
                guest.give(b"next")
                self.assertEqual(guest.want(PIECE)[1][-4:], b"next")
            guest.ask(Setup(0x01, 11, 0, 0, 0))     # starts it anew
            guest.give(b"anew")
            self.assertEqual(guest.want(512), (False, b"anew"))

    def test_the_loop_gives_back_the_same(self):
        pair = self.both("zero", "--loop")
        for guest in pair:
            guest.ask(Setup(0x00, 9, 2, 0, 0))
            guest.give(bytes(range(200)))
            guest.give(b"")
        self.assert_alike(pair, lambda d: [d.want(512) for _ in range(2)])

    def loops(self):
        """Two Gadget Zeros in the loopback's configuration."""
        pair = self.both("zero", "--loop")
        for guest in pair:
            guest.ask(Setup(0x00, 9, LOOPBACK, 0, 0))
        return pair

    def test_the_loop_fills_a_request_larger_than_its_buffers(self):
        data = bytes(i % 251 for i in range(1 << 20))
        for guest in self.loops():
            for size in (1 << 20, 1 << 16, PIECE):
                first = guest.begin(IN, 1 << 20)
                for at in range(0, len(data), size):
                    self.assertEqual(guest.give(data[at:at + size]),
                                     Status.OK)
                self.assertEqual(guest.answer(first).data, data)

    def test_the_loop_has_as_many_buffers(self):
        """What is more waits until the guest has asked for one."""
        for guest in self.loops():
            ids = [guest.begin(OUT, PIECE, bytes([i]) * PIECE)
                   for i in range(BUFFERS + 1)]
            for number in ids[:BUFFERS]:
                guest.answer(number)
            guest.ask(Setup(0x80, 8, 0, 0, 1))
            self.assertIn(ids[BUFFERS], guest.qemu.qemu.in_flight)
            got = [guest.want(PIECE) for _ in range(BUFFERS + 1)]
            self.assertEqual([data for _, data in got],
                             [bytes([i]) * PIECE for i in range(BUFFERS + 1)])
            guest.answer(ids[BUFFERS])

    def test_a_cancelled_request_of_the_loop_loses_nothing(self):
        """What it had taken goes to what asks for less."""
        for guest in self.loops():
            first, second = guest.begin(IN, 1 << 16), guest.begin(IN, PIECE)
            guest.give(bytes(range(256)) * (2 * PIECE // 256))
            guest.qemu.qemu.cancel(first)
            self.assertEqual(guest.answer(second).data,
                             bytes(range(256)) * (PIECE // 256))
            self.assertEqual(guest.want(PIECE), (
                False, bytes(range(256)) * (PIECE // 256)))

    def test_commands_of_a_disk_have_the_same_answers(self):
        for options in ((), ("--read-only",), ("--removable",)):
            if "--read-only" in options:
                (self.folder / "image").write_bytes(bytes(SECTORS * 512))
                pair = self.both("storage", "--read-only", "--image",
                                 str(self.folder / "image"))
                for disk in pair:
                    disk.ask(CONFIGURE)
            else:
                pair = self.disks(*options)
            for command in PLAIN:
                with self.subTest(options, command=command):
                    self.assert_alike(pair, lambda d: d.command(*command))
                    self.assert_alike(pair,
                                      lambda d: d.command(18, True, SENSE))

    def test_the_thirteen_cases(self):
        pair = self.disks()
        for number, command in THIRTEEN.items():
            with self.subTest(number):
                _, (_, csw) = self.assert_alike(
                    pair, lambda d: d.command(*command))
                self.assertEqual((csw[:8], csw[12]),
                                 (b"USBS\7\0\0\0", CASES[number]))

    def test_what_was_written_is_read(self):
        for disk in self.disks():
            disk.command(2048, False, move(0x2a, 3, 4), 0xa5)
            (status, data), _ = disk.command(3072, True, move(0x28, 2, 6))
            self.assertEqual((status, data), (
                Status.OK, bytes(512) + b"\xa5" * 2048 + bytes(512)))

    def test_a_wrong_command_halts_until_the_reset(self):
        for disk in self.disks():
            disk.give(b"USBC too short")
            for _ in range(2):
                number = disk.qemu.qemu.submit(IN, TransferType.BULK, 13)
                self.assertEqual(disk.answer(number).status, Status.STALL)
                disk.ask(Setup(0x02, 1, 0, IN, 0))
            disk.ask(Setup(0x21, 0xff, 0, 0, 0))
            for endpoint in (IN, OUT):
                disk.ask(Setup(0x02, 1, 0, endpoint, 0))
            self.assertEqual(disk.command(0, False, TEST_UNIT_READY)[1][1][12],
                             0)


if __name__ == "__main__":
    unittest.main()
