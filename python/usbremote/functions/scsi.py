# SPDX-License-Identifier: MIT
"""The commands of a disk: SPC-4 and SBC-3."""

from __future__ import annotations

import struct
from typing import Tuple

from .blocks import Blocks
from .bulk_only import CommandFailed, Incoming, Outcome, Outgoing

Sense = Tuple[int, int, int]
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

MAX_BLOCKS = 0xffff             # of one command: bounds the memory it takes


class Target:
    """
    One logical unit whose blocks are those of medium.

    A command is the method that COMMANDS names for its operation code; it
    gets the command block, and returns the bytes for the guest, an Outgoing
    or an Incoming, or raises self.failure().  Subclasses override methods, or
    COMMANDS.  vendor, model and revision have 8, 16 and 4 bytes.
    """

    vendor, model, revision = b"usbremot", b"Storage         ", b"0100"

    COMMANDS = {
        0x00: "ready", 0x03: "request_sense", 0x12: "inquiry",
        0x1a: "mode_sense_6", 0x1b: "start_stop", 0x1e: "prevent_allow",
        0x25: "read_capacity_10", 0x28: "read", 0x2a: "write",
        0x35: "synchronize_cache", 0x5a: "mode_sense_10", 0x88: "read",
        0x8a: "write", 0x91: "synchronize_cache", 0x9e: "read_capacity_16"}

    def __init__(self, medium: Blocks, serial: str, removable: bool = False
                 ) -> None:
        self.medium, self.serial, self.removable = medium, serial, removable
        self.sense, self.ejected, self.prevented = NO_SENSE, False, False

    def execute(self, lun: int, block: bytes) -> Outcome:
        """See BulkOnly."""
        if lun:
            raise self.failure(INVALID_LUN)
        name = self.COMMANDS.get(block[0])
        if name is None:
            raise self.failure(INVALID_COMMAND)
        outcome: Outcome = getattr(self, name)(block)
        return outcome

    def failure(self, sense: Sense) -> CommandFailed:
        """What to raise; REQUEST SENSE will tell the reason."""
        self.sense = sense
        return CommandFailed()

    def ready(self, block: bytes) -> Outcome:
        """TEST UNIT READY; each use of the medium begins with it, too."""
        if self.ejected:
            raise self.failure(NO_MEDIUM)
        return b""

    def request_sense(self, block: bytes) -> Outcome:
        (key, code, qualifier), self.sense = self.sense, NO_SENSE
        return struct.pack(">BxB4xB4xBB4x", 0x70, key, 10, code,
                           qualifier)[:block[4]]

    def inquiry(self, block: bytes) -> Outcome:
        length = int.from_bytes(block[3:5], "big")
        if block[1] & 1:
            return self.vital_product_data(block[2])[:length]
        if block[2]:
            raise self.failure(INVALID_FIELD)
        return struct.pack(
            ">BBBBBxxx8s16s4s", 0, 0x80 * self.removable, 6, 2, 31,
            self.vendor, self.model, self.revision)[:length]

    def vital_product_data(self, page: int) -> bytes:
        serial = self.serial.encode()
        pages = {0x00: b"\x00\x80\x83\xb0", 0x80: serial,
                 0x83: struct.pack(">BBxB8s", 2, 1, 8 + len(serial),
                                   self.vendor) + serial,
                 0xb0: struct.pack(">xxHII48x", 1, MAX_BLOCKS, MAX_BLOCKS)}
        if page not in pages:
            raise self.failure(INVALID_FIELD)
        return struct.pack(">BBH", 0, page, len(pages[page])) + pages[page]

    def mode_sense_6(self, block: bytes) -> Outcome:
        pages = self.mode_pages(block)
        return (struct.pack(">BBBB", 3 + len(pages), 0,
                            0x80 * self.medium.read_only, 0)
                + pages)[:block[4]]

    def mode_sense_10(self, block: bytes) -> Outcome:
        pages = self.mode_pages(block)
        return (struct.pack(">HBBxxH", 6 + len(pages), 0,
                            0x80 * self.medium.read_only, 0)
                + pages)[:int.from_bytes(block[7:9], "big")]

    def mode_pages(self, block: bytes) -> bytes:
        """Only the caching page is there: the write cache is on."""
        control, page = block[2] >> 6, block[2] & 0x3f
        if control == 3 or page not in (0x08, 0x3f):    # 3: saved values
            raise self.failure(INVALID_FIELD)
        return struct.pack(">BBB17x", 0x08, 18, 0x04 * (control != 1))

    def read_capacity_10(self, block: bytes) -> Outcome:
        self.ready(block)
        return struct.pack(">II", min(self.medium.count - 1, 0xffffffff),
                           self.medium.block)

    def read_capacity_16(self, block: bytes) -> Outcome:
        if block[1] & 0x1f != 0x10:     # the service action
            raise self.failure(INVALID_COMMAND)
        self.ready(block)
        return struct.pack(">QI20x", self.medium.count - 1, self.medium.block
                           )[:int.from_bytes(block[10:14], "big")]

    def place(self, block: bytes) -> Tuple[int, int]:
        """LBA and number of blocks of a command of 10 or 16 bytes."""
        self.ready(block)
        lba, count = struct.unpack_from(
            ">2xIxH" if block[0] < 0x80 else ">2xQI", block)
        if lba + count > self.medium.count:
            raise self.failure(OUT_OF_RANGE)
        if count > MAX_BLOCKS:
            raise self.failure(INVALID_FIELD)
        return lba, count

    def read(self, block: bytes) -> Outcome:
        lba, count = self.place(block)
        return Outgoing(
            count * self.medium.block, _Reader(self, lba).give) if count else b""

    def write(self, block: bytes) -> Outcome:
        lba, count = self.place(block)
        if self.medium.read_only:
            raise self.failure(WRITE_PROTECTED)
        return Incoming(
            count * self.medium.block, _Writer(self, lba).take) if count else b""

    def synchronize_cache(self, block: bytes) -> Outcome:
        self.ready(block)
        try:
            self.medium.flush()
        except OSError:
            raise self.failure(WRITE_ERROR) from None
        return b""

    def start_stop(self, block: bytes) -> Outcome:
        load_or_eject, start = block[4] & 2, block[4] & 1
        if load_or_eject and self.removable:
            if self.prevented and not start:
                raise self.failure(REMOVAL_PREVENTED)
            self.ejected = not start
        return b""

    def prevent_allow(self, block: bytes) -> Outcome:
        self.prevented = bool(block[4] & 1)
        return b""


class _Reader:
    """The blocks of a command that reads, in pieces."""

    def __init__(self, target: Target, lba: int) -> None:
        self._target, self._at = target, lba * target.medium.block

    def give(self, size: int) -> bytes:
        at, self._at = self._at, self._at + size
        try:
            return self._target.medium.read(at, size)
        except OSError:
            raise self._target.failure(READ_ERROR) from None


class _Writer:
    """The blocks of a command that writes, in pieces."""

    def __init__(self, target: Target, lba: int) -> None:
        self._target, self._at = target, lba * target.medium.block

    def take(self, data: bytes) -> None:
        try:
            self._target.medium.write(self._at, data)
        except OSError:
            raise self._target.failure(WRITE_ERROR) from None
        self._at += len(data)
