# SPDX-License-Identifier: MIT
"""The transport of disks: USB Mass Storage Class, Bulk-Only Transport 1.0."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, List, Optional, Tuple, Union

from .._proto import Status, TransferType
from ..descriptors import Endpoint, Interface
from ..endpoint import Pipe
from ..errors import TransferAborted
from ..setup import Kind, Setup

if TYPE_CHECKING:
    from ..device import Answer, Device, Job

MASS_STORAGE, SCSI, BULK_ONLY = 0x08, 0x06, 0x50    # section 4.3
RESET, GET_MAX_LUN = 0xff, 0xfe                     # sections 3.1 and 3.2
CBW, CSW = struct.Struct("<4sIIBBB16s"), struct.Struct("<4sIIB")
PASSED, FAILED, PHASE_ERROR = 0, 1, 2               # table 5.3

PIECE = 1 << 16                 # bytes that are taken at a time


class CommandFailed(Exception):
    """Raised by a command: CSW status 1, "the device says why if asked"."""


@dataclass
class Incoming:
    """
    A command wants this many bytes, at least 1, from the guest.

    take is called with them, in order and in pieces; it may raise
    CommandFailed.
    """

    size: int
    take: Callable[[bytes], None]


# A command's bytes for the guest, possibly none, or what it wants from it.
Outcome = Union[bytes, Incoming]
Execute = Callable[[int, bytes], Outcome]


class BulkOnlyInterface(Interface):
    """
    SCSI commands over a bulk endpoint in each direction.

    execute: called with the LUN (0-15) and the command block (16 bytes,
    zeros after its end); see Outcome.  The device calls begin() in its
    configured().
    """

    def __init__(self, execute: Execute, in_number: int = 1,
                 out_number: int = 1, number: int = 0) -> None:
        super().__init__(MASS_STORAGE, SCSI, BULK_ONLY, [
            Endpoint(0x80 | in_number, TransferType.BULK),
            Endpoint(out_number, TransferType.BULK)], number)
        self.execute = execute
        self._numbers = in_number, out_number
        self._jobs: List["Job"] = []

    def begin(self, device: "Device") -> None:
        """Serve commands; after a Bulk-Only Reset from the start."""
        for job in self._jobs:
            job.cancel()
        self._in = device.ep_in(self._numbers[0])
        self._out = device.ep_out(self._numbers[1])
        self._jobs = [device.start(self._serve(device))]

    def control(self, device: "Device", setup: Setup) -> "Answer":
        if setup.kind is Kind.CLASS and setup.request == GET_MAX_LUN:
            return b"\0"
        if setup.kind is not Kind.CLASS or setup.request != RESET:
            return device.unhandled(setup)
        self.begin(device)
        return None

    async def _serve(self, device: "Device") -> None:
        """Commands, one after the other, until one makes no sense."""
        while True:
            try:
                cbw = await self._out.read_transfer()
                if len(cbw) != CBW.size or cbw[:4] != b"USBC":
                    break
                await self._answer(cbw)
            except TransferAborted:
                pass            # the guest gave it up, by clearing a halt
        self._jobs += [device.start(self._refuse(pipe))
                       for pipe in (self._in, self._out)]

    async def _answer(self, cbw: bytes) -> None:
        _, tag, length, flags, lun, size, block = CBW.unpack(cbw)
        block = block[:size & 0x1f].ljust(16, b"\0")
        status, residue = await self._run(lun & 0x0f, block, length,
                                          bool(flags & 0x80))
        await self._in.send(CSW.pack(b"USBS", tag, residue, status))

    async def _refuse(self, pipe: Pipe) -> None:
        """Section 6.6.1: STALL, whatever is cleared, until the reset."""
        while True:
            pipe.halt()
            pipe.answer(await pipe.next_request(), Status.STALL)

    async def _run(self, lun: int, block: bytes, length: int,
                   to_guest: bool) -> Tuple[int, int]:
        """
        One command with its data; returns CSW status and residue.

        The 13 cases of section 6.7 are those of `length` and `to_guest`,
        what the guest expects, against the outcome, what the device does.
        """
        outcome = self._outcome(lun, block)
        if isinstance(outcome, Incoming):
            if not to_guest and outcome.size <= length:
                return await self._receive(outcome, length)     # 11, 12
            data, wrong = b"", True                             # 3, 8, 13
        else:
            data = outcome or b""
            wrong = len(data) > (length if to_guest else 0)     # 2, 7, 10
        if to_guest:
            await self._give(data[:length], length)             # 4-6
        else:
            await self._receive_nothing(length)                 # 1, 9
        if wrong:
            return PHASE_ERROR, 0
        return FAILED if outcome is None else PASSED, length - len(data)

    def _outcome(self, lun: int, block: bytes) -> Optional[Outcome]:
        """None for a command that failed."""
        try:
            return self.execute(lun, block)
        except CommandFailed:
            return None

    async def _give(self, data: bytes, length: int) -> None:
        """Section 6.7.2: after less than the guest expects comes a STALL."""
        if data:
            await self._in.send(data, zlp=len(data) < length)
        if len(data) < length:
            self._in.halt()

    async def _receive(self, incoming: Incoming, length: int
                       ) -> Tuple[int, int]:
        status, left = PASSED, incoming.size
        while left:
            piece = await self._out.read_exactly(min(left, PIECE))
            left -= len(piece)
            if status == PASSED:
                try:
                    incoming.take(piece)
                except CommandFailed:
                    status = FAILED
        await self._receive_nothing(length - incoming.size)
        return status, length - incoming.size

    async def _receive_nothing(self, count: int) -> None:
        """Take bytes that no command wants; a STALL would do as well."""
        while count:
            count -= len(await self._out.read_exactly(min(count, PIECE)))
