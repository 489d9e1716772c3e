# SPDX-License-Identifier: MIT
"""The transport of disks: USB Mass Storage Class, Bulk-Only Transport 1.0."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import Callable, Optional, Sequence, Tuple, Union

from ..descriptors import Endpoint, Interface
from ..errors import Stall, TransferAborted, TransferEnded
from ..faults.names import SCSI as SCSI_CODES
from ..function import Function
from ..jobs import Job
from ..place import Place
from ..requests import control
from ..types import Direction, Kind, Recipient, TransferType

MASS_STORAGE, SCSI, BULK_ONLY = 0x08, 0x06, 0x50    # section 4.3
RESET, GET_MAX_LUN = 0xff, 0xfe                     # sections 3.1 and 3.2
CBW, CSW = struct.Struct("<4sIIBBB16s"), struct.Struct("<4sIIB")
PASSED, FAILED, PHASE_ERROR = 0, 1, 2               # table 5.3
TO_GUEST = 0x80                 # in bmCBWFlags, section 5.1

SCSI_NAMES = {code: name for name, code in SCSI_CODES.items()}

PIECE = 1 << 16                 # bytes that are taken at a time


class CommandFailed(Exception):
    """Raised by a command: CSW status 1, "the device says why if asked"."""


@dataclass
class Outgoing:
    """
    A command has this many bytes for the guest.

    give is called for the next so many, in order and in pieces, up to what
    the guest wants; it may raise CommandFailed.
    """

    size: int
    give: Callable[[int], bytes]


@dataclass
class Incoming:
    """
    A command wants this many bytes, at least 1, from the guest.

    take is called with them, in order and in pieces; it may raise
    CommandFailed.
    """

    size: int
    take: Callable[[bytes], None]


# A command's bytes for the guest, possibly none, or where they come from, or
# what it wants from it.
Outcome = Union[bytes, Outgoing, Incoming]
Execute = Callable[[int, bytes], Outcome]


class BulkOnly(Function):
    """
    SCSI commands over a bulk endpoint in each direction.

    execute: called with the LUN (0-15) and the command block (16 bytes,
    zeros after its end); see Outcome.
    """

    def __init__(self, execute: Execute) -> None:
        self.execute = execute
        self.reset()

    def reset(self) -> None:
        self._serving: Optional[Job] = None

    def interfaces(self, place: Place) -> Sequence[Interface]:
        return [Interface(MASS_STORAGE, SCSI, BULK_ONLY, [
            Endpoint(Direction.IN | 1, TransferType.BULK),
            Endpoint(Direction.OUT | 1, TransferType.BULK)])]

    @control(Kind.CLASS, Recipient.INTERFACE, GET_MAX_LUN, Direction.IN)
    def get_max_lun(self) -> bytes:
        self._check_configured()
        return b"\0"

    @control(Kind.CLASS, Recipient.INTERFACE, RESET, Direction.OUT)
    def bulk_only_reset(self) -> None:
        """Section 3.1: from the start; what is halted stays so."""
        self._check_configured()
        if self._serving is not None:
            self._serving.cancel()
            self._begin()

    def _check_configured(self) -> None:
        if not self.is_configured:
            raise Stall()

    def explain(self, endpoint: int, data: bytes) -> Optional[str]:
        if endpoint == 0x01 and len(data) == CBW.size and data[:4] == b"USBC":
            _, tag, length, flags, lun, size, block = CBW.unpack(data)
            name = SCSI_NAMES.get(block[0], f"0x{block[0]:02x}")
            way = "from" if flags & TO_GUEST else "to"
            return (f"CBW {name}, tag {tag}, LUN {lun & 0x0f}, {length} bytes "
                    f"{way} the device, {block[:size & 0x1f].hex(' ')}")
        if endpoint == 0x81 and len(data) == CSW.size and data[:4] == b"USBS":
            _, tag, residue, status = CSW.unpack(data)
            return f"CSW tag {tag}, status {status}, residue {residue}"
        return None

    async def run(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._in, self._out = self.ep_in(1), self.ep_out(1)
        self._in.flush()
        for pipe in (self._in, self._out):
            pipe.unwedge()
        self._serving = self.start(self._serve())

    async def _serve(self) -> None:
        """
        Commands, one after the other, until one makes no sense: then both
        endpoints are halted, whatever is cleared, until the reset (section
        6.6.1).
        """
        while True:
            try:
                cbw = await self._command()
                if len(cbw) != CBW.size or cbw[:4] != b"USBC":
                    break
                await self._answer(cbw)
            except TransferAborted:
                self._in.flush()    # the guest gave it up: cleared a halt
        self._in.wedge()
        self._out.wedge()

    async def _command(self) -> bytes:
        """A CBW, which is a short packet, or as much that is none."""
        try:
            return await self._out.read_exactly(self._out.max_packet & 0x7ff)
        except TransferEnded as end:
            return end.data

    async def _answer(self, cbw: bytes) -> None:
        """
        One command, its data and its status.

        The 13 cases of section 6.7 are those of what the guest expects
        (length, flags) against the outcome, what the device does.
        """
        _, tag, length, flags, lun, size, block = CBW.unpack(cbw)
        block = block[:size & 0x1f].ljust(16, b"\0")
        outcome = self._outcome(lun & 0x0f, block)
        if flags & TO_GUEST:
            status, residue = await self._give(outcome, length)
        else:
            status, residue = await self._receive(outcome, length)
        await self._in.send(CSW.pack(b"USBS", tag, residue, status))

    def _outcome(self, lun: int, block: bytes) -> Optional[Outcome]:
        """None for a command that failed."""
        try:
            return self.execute(lun, block)
        except CommandFailed:
            return None

    async def _give(self, outcome: Optional[Outcome], length: int
                    ) -> Tuple[int, int]:
        """
        Data for the guest; CSW status and residue.  Section 6.7.2: after
        less than it expects comes a STALL.
        """
        if isinstance(outcome, bytes):
            outcome = Outgoing(len(outcome), io.BytesIO(outcome).read)
        size = outcome.size if outcome else 0
        wrong = isinstance(outcome, Incoming) or size > length  # 2, 3, 7, 8
        given, status = 0, PHASE_ERROR if wrong else PASSED
        if outcome is None:
            status = FAILED
        elif isinstance(outcome, Outgoing):
            given, whole = await self._send(outcome, length)
            status = status if whole else FAILED
        if given < length:                                      # 4, 5
            self._in.halt()
        return status, 0 if status == PHASE_ERROR else length - given

    async def _send(self, outgoing: Outgoing, length: int
                    ) -> Tuple[int, bool]:
        """How many bytes of it went out, and whether none were missing."""
        given, wanted = 0, min(outgoing.size, length)
        while given < wanted:
            try:
                piece = outgoing.give(min(wanted - given, PIECE))
            except CommandFailed:
                return given, False
            given += len(piece)
            await self._in.send(piece, zlp=given == wanted < length)
        return given, True

    async def _receive(self, outcome: Optional[Outcome], length: int
                       ) -> Tuple[int, int]:
        """Data from the guest; CSW status and residue."""
        if isinstance(outcome, Incoming) and outcome.size <= length:
            return await self._take(outcome, length)            # 11, 12
        await self._receive_nothing(length)                     # 1, 9
        if isinstance(outcome, (Incoming, Outgoing)) or outcome:
            return PHASE_ERROR, 0                               # 10, 13
        return FAILED if outcome is None else PASSED, length

    async def _take(self, incoming: Incoming, length: int
                    ) -> Tuple[int, int]:
        """A piece that a short packet ends too early is dropped."""
        status, left = PASSED, incoming.size
        while left:
            try:
                piece = await self._out.read_exactly(min(left, PIECE))
            except TransferEnded:
                return ((FAILED, length - incoming.size) if status
                        else (PHASE_ERROR, 0))
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
        try:
            while count:
                count -= len(await self._out.read_exactly(min(count, PIECE)))
        except TransferEnded:
            pass
