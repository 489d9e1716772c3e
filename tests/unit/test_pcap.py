# SPDX-License-Identifier: GPL-2.0-or-later
"""The capture file: usbmon's records of what the peer saw."""

import struct
import unittest

import support  # noqa: F401

from usbremote._proto import Status, TransferType
from usbremote.descriptors import Configuration, Endpoint, Interface
from usbremote.device import Device
from usbremote.pcap import PcapWriter
from usbremote.setup import Setup, Standard
from usbremote.testing import Bench

BULK = TransferType.BULK


class Pipes(Device):
    """A bulk endpoint in each direction."""

    def configurations(self, speed):
        return [Configuration([Interface(endpoints=[
            Endpoint(0x81, BULK), Endpoint(0x02, BULK)])])]


class Record:
    """One packet, as linux/Documentation/usb/usbmon.rst has it."""

    def __init__(self, data):
        (self.id, kind, self.type, self.endpoint, self.address, self.bus,
         self.no_setup, self.no_data, self.seconds, self.micros, self.status,
         self.length, captured) = struct.unpack_from("<QcBBBHccqiiII", data)
        self.kind = kind.decode()
        self.setup, self.data = data[40:48], data[64:]
        assert captured == len(self.data)


class Captured(unittest.TestCase):
    def setUp(self):
        self.file = [PcapWriter.HEADER]
        self.bench = Bench(Pipes)
        self.bench.port.session.tap = PcapWriter(
            self.file.append, bus=7, now=lambda: 1000000000.25)
        self.bench.plug_in()
        self.bench.qemu.address(5)
        self.bench.configure()
        del self.file[1:]

    def records(self):
        """All of the file, after its header."""
        data, found = b"".join(self.file), []
        self.assertEqual(struct.unpack_from("<IHHiIII", data),
                         (0xa1b2c3d4, 2, 4, 0, 0, 1 << 24, 220))
        data = data[24:]
        while data:
            seconds, micros, size, whole = struct.unpack_from("<IIII", data)
            self.assertEqual((seconds, micros, size),
                             (1000000000, 250000, whole))
            found.append(Record(data[16:16 + size]))
            data = data[16 + size:]
        return found

    def test_a_control_read(self):
        setup = Setup(0x80, Standard.GET_STATUS, 0, 0, 2)
        self.bench.control(setup)
        asked, done = self.records()
        self.assertEqual((asked.kind, asked.type, asked.endpoint, asked.bus,
                          asked.address), ("S", 2, 0x80, 7, 5))
        self.assertEqual((asked.no_setup, asked.setup),
                         (b"\0", setup.encode()))
        self.assertEqual((asked.status, asked.length, asked.no_data),
                         (-115, 2, b"<"))
        self.assertEqual((done.kind, done.id, done.status, done.length,
                          done.data), ("C", asked.id, 0, 2, b"\0\0"))
        self.assertEqual((done.no_setup, done.no_data), (b"-", b"\0"))

    def test_a_write(self):
        self.bench.spawn(self.bench.device.ep_out(2).read_transfer())
        self.bench.write(2, b"hello")
        asked, done = self.records()
        self.assertEqual((asked.endpoint, asked.type, asked.data,
                          asked.no_data), (2, 3, b"hello", b"\0"))
        self.assertEqual((done.length, done.data, done.no_data),
                         (5, b"", b">"))

    def test_failures_have_the_numbers_of_linux(self):
        pipe = self.bench.device.ep_in(1)
        for status, number in ((Status.STALL, -32), (Status.BABBLE, -75),
                               (Status.IOERROR, -71), (Status.NODEV, -19),
                               (Status.NAK, -11)):
            id = self.bench.read(0x81, 64)
            pipe.answer(pipe.parked.popleft(), status)
            done = self.records()[-1]
            self.assertEqual((done.kind, done.status), ("C", number), id)

    def test_a_cancelled_request(self):
        self.bench.device.ep_in(1)
        self.bench.qemu.cancel(self.bench.read(0x81, 64))
        self.bench.exchange()
        self.assertEqual(self.records()[-1].status, -2)

    def test_a_reset_ends_what_is_in_flight_and_the_address(self):
        self.bench.device.ep_in(1)
        id = self.bench.read(0x81, 64)
        self.bench.qemu.reset()
        self.bench.exchange()
        self.bench.control(Setup(0x80, Standard.GET_STATUS, 0, 0, 2))
        asked, void, fresh, _ = self.records()
        self.assertEqual((void.kind, void.id, void.status),
                         ("C", asked.id, -108))
        self.assertEqual((asked.id, asked.address, fresh.address), (id, 5, 0))


if __name__ == "__main__":
    unittest.main()
