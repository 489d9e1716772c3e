# SPDX-License-Identifier: GPL-2.0-or-later
"""functions.disk: a disk among other functions, and one that fails."""

import os
import struct
import tempfile
import unittest

import support  # noqa: F401

from usbremote import Device, LocalError, Setup, Standard
from usbremote.functions import bulk_only, disk, hid, scsi
from usbremote.functions.blocks import File, Memory
from usbremote.testing import Bench

READ_10, WRITE_10, REQUEST_SENSE = 0x28, 0x2a, 0x03


class OnBench(unittest.TestCase):
    def bench(self, *functions):
        class Thing(Device):
            def __init__(self):
                self.functions = functions
        self.qemu = Bench(Thing)
        self.qemu.plug_in()
        self.qemu.configure()
        return self.qemu

    def command(self, block, size, data=None, read=0x82, write=0x01):
        """The data that came, and the status and residue."""
        flags = 0x80 if data is None else 0
        self.qemu.write(write, bulk_only.CBW.pack(
            b"USBC", 7, size, flags, 0, len(block), block))
        came = b""
        if data is not None:
            self.qemu.write(write, data)
        elif size:
            came = self.qemu.answered(self.qemu.read(read, size)).data
        _, tag, residue, status = bulk_only.CSW.unpack(
            self.qemu.answered(self.qemu.read(read, 13)).data)
        self.assertEqual(tag, 7)
        return came, status, residue


def blocks_of(code, lba, count):
    return struct.pack(">BBIBHB", code, 0, lba, 0, count, 0)


class Several(OnBench):
    def test_a_disk_beside_a_mouse_keeps_what_is_written(self):
        medium = Memory(8)
        self.bench(hid.Mouse(), disk.Disk(medium))
        data = bytes(range(256)) * 4
        self.assertEqual(self.command(blocks_of(WRITE_10, 3, 2), 1024, data),
                         (b"", 0, 0))
        self.assertEqual(self.command(blocks_of(READ_10, 3, 2), 1024),
                         (data, 0, 0))
        self.assertEqual(medium.data[3 * 512:5 * 512], data)

    def test_a_medium_may_be_anything_that_has_blocks(self):
        class Bad(Memory):
            def read(self, at, size):
                raise OSError("a scratch")
        self.bench(hid.Mouse(), disk.Disk(Bad(8)))
        self.qemu.write(1, bulk_only.CBW.pack(
            b"USBC", 7, 512, 0x80, 0, 10, blocks_of(READ_10, 0, 1)))
        self.qemu.read(0x82, 512)                       # stalls
        self.qemu.control(Setup(2, Standard.CLEAR_FEATURE, 0, 0x82, 0))
        csw = self.qemu.answered(self.qemu.read(0x82, 13)).data
        self.assertEqual(csw[12], 1)
        sense, *_ = self.command(bytes((REQUEST_SENSE, 0, 0, 0, 18, 0)), 18)
        self.assertEqual((sense[2], sense[12]), scsi.READ_ERROR[:2])

    def test_a_command_can_be_overridden(self):
        class Busy(scsi.Target):
            def ready(self, block):
                raise self.failure((0x2, 0x04, 0x01))   # becoming ready
        self.bench(hid.Mouse(), disk.Disk(Memory(8), kind=Busy))
        self.assertEqual(self.command(bytes(6), 0)[1], 1)

    def test_a_file_that_is_none_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "pipe")
            os.mkfifo(path)
            with self.assertRaisesRegex(LocalError, "neither a file nor"):
                File.open(path)


if __name__ == "__main__":
    unittest.main()
