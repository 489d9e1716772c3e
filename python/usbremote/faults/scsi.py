# SPDX-License-Identifier: MIT
"""SCSI commands on the wire of a Bulk-Only device: which request is what."""

from __future__ import annotations

import enum
import struct
from typing import Optional, Tuple

from ..session import Request
from ..types import TransferType

CBW = struct.Struct("<4sIIBBB16s")      # Bulk-Only Transport 1.0 section 5.1
CSW_SIZE = 13                           # section 5.2


class Phase(enum.Enum):
    """Of a command."""

    COMMAND = "the command itself"
    DATA = "its data, or its status where it has none"
    STATUS = "its status"


class Follower:
    """Reads along with what the guest sends."""

    def __init__(self) -> None:
        self.command: Optional[int] = None
        self._has_data = False

    def follow(self, request: Request
               ) -> "Tuple[Optional[Phase], Optional[int]]":
        """The phase that a request belongs to, and the operation code."""
        submit = request.submit
        if submit.type != TransferType.BULK:
            return None, None
        if not submit.is_in() and len(submit.data) == CBW.size \
                and submit.data[:4] == b"USBC":
            _, _, length, _, _, _, block = CBW.unpack(submit.data)
            self.command, self._has_data = block[0], bool(length)
            return Phase.COMMAND, self.command
        if self.command is None:
            return None, None
        return self._later(submit.is_in(), submit.length), self.command

    def _later(self, is_in: bool, length: int) -> Phase:
        """Status is asked for with 13 bytes, after the data if any."""
        if is_in and length == CSW_SIZE and self._has_data:
            return Phase.STATUS
        return Phase.DATA
