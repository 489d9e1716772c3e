#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A USB disk: an image file, or an empty one of some size.

    truncate -s 64M disk.img
    examples/storage.py --connect unix:./usb.sock --image disk.img

What the guest writes is in the file at once; when the guest flushes, it is
on the disk that the file is on.  With --size it is lost with the program.
"""

import argparse
import os
import struct
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import Device, LocalError, Speed, main           # noqa: E402
from usbremote.functions.bulk_only import (BulkOnly,            # noqa: E402
                                           CommandFailed, Incoming,
                                           Outgoing)

# SPC-4 section 4.5: sense key, additional sense code, its qualifier
NO_SENSE = (0x0, 0x00, 0x00)
NO_MEDIUM = (0x2, 0x3a, 0x00)
WRITE_ERROR = (0x3, 0x0c, 0x00)
READ_ERROR = (0x3, 0x11, 0x00)
INVALID_COMMAND = (0x5, 0x20, 0x00)
OUT_OF_RANGE = (0x5, 0x21, 0x00)
INVALID_FIELD = (0x5, 0x24, 0x00)
INVALID_LUN = (0x5, 0x25, 0x00)
REMOVAL_PREVENTED = (0x5, 0x53, 0x02)
WRITE_PROTECTED = (0x7, 0x27, 0x00)

VENDOR, MODEL, REVISION = b"usbremot", b"Storage         ", b"0100"
MAX_BLOCKS = 0xffff             # of one command: bounds the memory it takes


def without_waiting(path, flags):
    """For open(): a pipe waits for who writes to it else."""
    return os.open(path, flags | os.O_NONBLOCK)


class Medium:
    """Blocks in a file."""

    def __init__(self, options):
        self.block, self.read_only = options.block_size, options.read_only
        how = "rb" if options.read_only else "r+b"
        self._file = options.size or open(options.image, how, buffering=0,
                                          opener=without_waiting)
        if not self._file.seekable():
            self._file.close()
            raise LocalError(f"{options.image}: is neither a file nor a disk")
        self.count = self._file.seek(0, os.SEEK_END) // self.block
        if not self.count:
            self._file.close()
            raise LocalError(f"{options.image}: has not even one block of "
                             f"{self.block} bytes")

    def read(self, at, size):
        """`at` is in bytes, as all here; raises OSError, also for less."""
        self._file.seek(at)
        data = self._file.read(size)
        if len(data) < size:
            raise OSError("the file has become shorter")
        return data

    def write(self, at, data):
        self._file.seek(at)
        while data:
            data = data[self._file.write(data):]

    def flush(self):
        os.fsync(self._file.fileno())


class Scsi:
    """
    The commands of a disk, SPC-4 and SBC-3.

    A handler gets the command block; it returns the bytes for the guest, an
    Outgoing or an Incoming, or raises self.failure().
    """

    def __init__(self, options):
        self.options, self.medium = options, Medium(options)
        self.sense, self.ejected, self.prevented = NO_SENSE, False, False

    def execute(self, lun, block):
        if lun:
            raise self.failure(INVALID_LUN)
        handler = self.COMMANDS.get(block[0])
        if handler is None:
            raise self.failure(INVALID_COMMAND)
        return handler(self, block)

    def failure(self, sense):
        """What to raise; REQUEST SENSE will tell the reason."""
        self.sense = sense
        return CommandFailed()

    def ready(self, block):
        """TEST UNIT READY; each use of the medium begins with it, too."""
        if self.ejected:
            raise self.failure(NO_MEDIUM)
        return b""

    def request_sense(self, block):
        (key, code, qualifier), self.sense = self.sense, NO_SENSE
        return struct.pack(">BxB4xB4xBB4x", 0x70, key, 10, code,
                           qualifier)[:block[4]]

    def inquiry(self, block):
        length = int.from_bytes(block[3:5], "big")
        if block[1] & 1:
            return self.vital_product_data(block[2])[:length]
        if block[2]:
            raise self.failure(INVALID_FIELD)
        return struct.pack(
            ">BBBBBxxx8s16s4s", 0, 0x80 * self.options.removable, 6, 2, 31,
            VENDOR, MODEL, REVISION)[:length]

    def vital_product_data(self, page):
        serial = self.options.serial.encode()
        pages = {0x00: b"\x00\x80\x83\xb0", 0x80: serial,
                 0x83: struct.pack(">BBxB8s", 2, 1, 8 + len(serial),
                                   VENDOR) + serial,
                 0xb0: struct.pack(">xxHII48x", 1, MAX_BLOCKS, MAX_BLOCKS)}
        if page not in pages:
            raise self.failure(INVALID_FIELD)
        return struct.pack(">BBH", 0, page, len(pages[page])) + pages[page]

    def mode_sense_6(self, block):
        pages = self.mode_pages(block)
        return (struct.pack(">BBBB", 3 + len(pages), 0,
                            0x80 * self.medium.read_only, 0)
                + pages)[:block[4]]

    def mode_sense_10(self, block):
        pages = self.mode_pages(block)
        return (struct.pack(">HBBxxH", 6 + len(pages), 0,
                            0x80 * self.medium.read_only, 0)
                + pages)[:int.from_bytes(block[7:9], "big")]

    def mode_pages(self, block):
        """Only the caching page is there: the write cache is on."""
        control, page = block[2] >> 6, block[2] & 0x3f
        if control == 3 or page not in (0x08, 0x3f):    # 3: saved values
            raise self.failure(INVALID_FIELD)
        return struct.pack(">BBB17x", 0x08, 18, 0x04 * (control != 1))

    def read_capacity_10(self, block):
        self.ready(block)
        return struct.pack(">II", min(self.medium.count - 1, 0xffffffff),
                           self.medium.block)

    def read_capacity_16(self, block):
        if block[1] & 0x1f != 0x10:     # the service action
            raise self.failure(INVALID_COMMAND)
        self.ready(block)
        return struct.pack(">QI20x", self.medium.count - 1, self.medium.block
                           )[:int.from_bytes(block[10:14], "big")]

    def place(self, block):
        """LBA and number of blocks of a command of 10 or 16 bytes."""
        self.ready(block)
        lba, count = struct.unpack_from(
            ">2xIxH" if block[0] < 0x80 else ">2xQI", block)
        if lba + count > self.medium.count:
            raise self.failure(OUT_OF_RANGE)
        if count > MAX_BLOCKS:
            raise self.failure(INVALID_FIELD)
        return lba, count

    def read(self, block):
        lba, count = self.place(block)
        at = lba * self.medium.block

        def give(size):
            nonlocal at
            at += size
            try:
                return self.medium.read(at - size, size)
            except OSError:
                raise self.failure(READ_ERROR) from None
        return Outgoing(count * self.medium.block, give) if count else b""

    def write(self, block):
        lba, count = self.place(block)
        if self.medium.read_only:
            raise self.failure(WRITE_PROTECTED)
        at = lba * self.medium.block

        def take(data):
            nonlocal at
            try:
                self.medium.write(at, data)
            except OSError:
                raise self.failure(WRITE_ERROR) from None
            at += len(data)
        return Incoming(count * self.medium.block, take) if count else b""

    def synchronize_cache(self, block):
        self.ready(block)
        try:
            self.medium.flush()
        except OSError:
            raise self.failure(WRITE_ERROR) from None
        return b""

    def start_stop(self, block):
        load_or_eject, start = block[4] & 2, block[4] & 1
        if load_or_eject and self.options.removable:
            if self.prevented and not start:
                raise self.failure(REMOVAL_PREVENTED)
            self.ejected = not start
        return b""

    def prevent_allow(self, block):
        self.prevented = bool(block[4] & 1)
        return b""

    COMMANDS = {
        0x00: ready, 0x03: request_sense, 0x12: inquiry, 0x1a: mode_sense_6,
        0x1b: start_stop, 0x1e: prevent_allow, 0x25: read_capacity_10,
        0x28: read, 0x2a: write, 0x35: synchronize_cache,
        0x5a: mode_sense_10, 0x88: read, 0x8a: write,
        0x91: synchronize_cache, 0x9e: read_capacity_16}


class Disk(Device):
    vendor_id, product_id = 0x1209, 0x0008
    manufacturer, product = "usb-remote", "Storage"
    speeds = (Speed.FULL, Speed.HIGH, Speed.SUPER)

    def __init__(self, options):
        self.serial = options.serial
        super().__init__(options)
        self.functions = [BulkOnly(Scsi(options).execute)]

    @classmethod
    def add_options(cls, parser):
        medium = parser.add_mutually_exclusive_group(required=True)
        medium.add_argument("--image", metavar="FILE", help="a disk image")
        medium.add_argument("--size", type=empty_disk, metavar="SIZE",
                            help="an empty disk, such as 64M, that is lost "
                            "with the program")
        parser.add_argument("--read-only", action="store_true",
                            help="refuse to write")
        parser.add_argument("--removable", action="store_true",
                            help="let the guest eject the medium")
        parser.add_argument("--block-size", type=int, default=512,
                            choices=(512, 1024, 2048, 4096),
                            help="in bytes (512)")
        parser.add_argument("--serial", default="000000000001",
                            type=serial_number, metavar="DIGITS",
                            help="12 or more of 0-9 and A-F")


def empty_disk(text):
    """For argparse: a file of so many bytes; K, M and G are known."""
    shift = {"K": 10, "M": 20, "G": 30}.get(text[-1:].upper(), 0)
    number = text[:-1] if shift else text
    if not number.isdecimal() or not 4096 <= int(number) << shift <= 1 << 43:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no size from 4K to 8192G")
    file = tempfile.TemporaryFile(buffering=0)
    file.truncate(int(number) << shift)
    return file


def serial_number(text):
    """For argparse: Bulk-Only Transport 1.0 section 4.1.1."""
    if not 12 <= len(text) <= 126 or set(text) - set("0123456789ABCDEF"):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not 12 to 126 of 0-9 and A-F")
    return text


if __name__ == "__main__":
    main(Disk)
