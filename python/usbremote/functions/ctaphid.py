# SPDX-License-Identifier: MIT
"""What carries a security key's messages: CTAP 2.1 section 11.2, CTAPHID."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Optional, Tuple

from ..context import Answer
from ..errors import Stall
from ..jobs import Job
from . import hid, report

FIDO = 0xf1d0                   # usage page, section 11.2.8.2
AUTHENTICATOR, INPUT_DATA, OUTPUT_DATA = 0x01, 0x20, 0x21       # its usages
SIZE = 64                       # of each packet
FIRST, NEXT = struct.Struct(">IBH"), struct.Struct(">IB")       # 11.2.4
FIRST_ROOM, NEXT_ROOM = SIZE - FIRST.size, SIZE - NEXT.size
SEQUENCES = 0x80                # sequence numbers: 0 to 127
LONGEST = FIRST_ROOM + SEQUENCES * NEXT_ROOM    # of a message: 7609
BROADCAST = 0xffffffff
TIMEOUT = 0.5                   # seconds from packet to packet, 11.2.5.2

# commands, section 11.2.9; bit 7 tells a first packet
PING, MSG, LOCK, INIT, WINK, CBOR, CANCEL = (
    0x81, 0x83, 0x84, 0x86, 0x88, 0x90, 0x91)
KEEPALIVE, ERROR = 0xbb, 0xbf
# what ERROR says, section 11.2.9.1.6
INVALID_CMD, INVALID_LEN, INVALID_SEQ, MSG_TIMEOUT, CHANNEL_BUSY = (
    0x01, 0x03, 0x04, 0x05, 0x06)
INVALID_CHANNEL = 0x0b
# of capabilities, section 11.2.9.1.3
CAN_WINK, CAN_CBOR, NO_MSG = 0x01, 0x04, 0x08

PROTOCOL = 2
NONCE = 8                       # bytes
REPORT = report.collection(
    FIDO, AUTHENTICATOR,
    report.field(report.INPUT, FIDO, (INPUT_DATA,), 8, 0, 255, count=SIZE),
    report.field(report.OUTPUT, FIDO, (OUTPUT_DATA,), 8, 0, 255, count=SIZE))


class CommandFailed(Exception):
    """Raised by message() for an answer of ERROR with this code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"CTAPHID error 0x{code:02x}")
        self.code = code


@dataclass
class _Message:
    """One that comes, of which some packets are still missing."""

    channel: int
    command: int
    length: int
    data: bytes
    sequence: int = 0
    timer: Optional[Job] = None


class CtapHid(hid.Hid):
    """
    Messages to a security key and back, one at a time.

    Subclasses override message().  version: of the device, three bytes.
    capabilities: see CAN_WINK; by default it takes MSG alone.
    """

    version: Tuple[int, int, int] = (1, 0, 0)
    capabilities = 0

    def __init__(self, name: Optional[str] = None) -> None:
        super().__init__(REPORT, SIZE, period_ms=5, max_packet=SIZE,
                         output=True, name=name)

    def reset(self) -> None:
        super().reset()
        self._channels = 0              # given out: 1 up to this one
        self._coming: Optional[_Message] = None

    async def run(self) -> None:
        self._drop()                    # its timer ended with the last run()
        await super().run()

    def message(self, command: int, data: bytes) -> bytes:
        """
        The answer to a message on an open channel, at most LONGEST bytes;
        raises CommandFailed.  INIT does not come here.
        """
        if command == PING:
            return data
        raise CommandFailed(INVALID_CMD)

    def set_report(self, kind: int, id: int, data: bytes) -> Answer:
        """A packet; one of another size than SIZE is dropped."""
        if kind != hid.OUTPUT:
            raise Stall()
        return self._packet(data) if len(data) == SIZE else None

    async def reply(self, channel: int, command: int, data: bytes) -> None:
        """Send a message in as many packets as it takes."""
        packet = FIRST.pack(channel, command, len(data)) + data[:FIRST_ROOM]
        await self.send(packet.ljust(SIZE, b"\0"))
        for sequence, at in enumerate(range(FIRST_ROOM, len(data),
                                            NEXT_ROOM)):
            packet = NEXT.pack(channel, sequence) + data[at:at + NEXT_ROOM]
            await self.send(packet.ljust(SIZE, b"\0"))

    async def _packet(self, data: bytes) -> None:
        channel, command = NEXT.unpack_from(data)
        try:
            whole = (self._first(data) if command & 0x80
                     else self._next(channel, command, data[NEXT.size:]))
            if whole is not None:
                answer = self._answer(whole)
                if answer is not None:
                    await self.reply(channel, whole.command, answer)
        except CommandFailed as err:
            await self._failed(channel, err.code)

    async def _failed(self, channel: int, code: int) -> None:
        await self.reply(channel, ERROR, bytes((code,)))

    def _first(self, packet: bytes) -> Optional[_Message]:
        """The message that this packet begins, if that is all of it."""
        channel, command, length = FIRST.unpack_from(packet)
        if self._coming is not None:
            if self._coming.channel != channel:
                raise CommandFailed(CHANNEL_BUSY)
            self._drop()
            if command not in (INIT, CANCEL):
                raise CommandFailed(INVALID_SEQ)
        if length > LONGEST:
            raise CommandFailed(INVALID_LEN)
        if not (1 <= channel <= self._channels
                or channel == BROADCAST and command == INIT):
            raise CommandFailed(INVALID_CHANNEL)
        self._coming = _Message(channel, command, length,
                                packet[FIRST.size:][:length])
        return self._whole(self._coming)

    def _next(self, channel: int, sequence: int, data: bytes
              ) -> Optional[_Message]:
        """The message that this packet ends."""
        coming = self._coming
        if coming is None or coming.channel != channel:
            return None                 # section 11.2.5.4: ignored
        if sequence != coming.sequence:
            self._drop()
            raise CommandFailed(INVALID_SEQ)
        coming.data = (coming.data + data)[:coming.length]
        coming.sequence += 1
        return self._whole(coming)

    def _whole(self, coming: _Message) -> Optional[_Message]:
        if coming.timer is not None:
            coming.timer.cancel()
        if len(coming.data) < coming.length:
            coming.timer = self.start(self._expire(coming.channel))
            return None
        self._coming = None
        return coming

    async def _expire(self, channel: int) -> None:
        await self.sleep(TIMEOUT)
        self._coming = None
        await self._failed(channel, MSG_TIMEOUT)

    def _drop(self) -> None:
        if self._coming is not None and self._coming.timer is not None:
            self._coming.timer.cancel()
        self._coming = None

    def _answer(self, whole: _Message) -> Optional[bytes]:
        """None for nothing to say."""
        if whole.command == INIT:
            return self._init(whole)
        if whole.command == CANCEL:     # section 11.2.9.1.5: no answer
            return None
        return self.message(whole.command, whole.data)

    def _init(self, whole: _Message) -> bytes:
        """Section 11.2.9.1.3: open a channel, or begin anew on this one."""
        if whole.length != NONCE:
            raise CommandFailed(INVALID_LEN)
        channel = whole.channel
        if channel == BROADCAST:
            self._channels = self._channels % (BROADCAST - 1) + 1
            channel = self._channels
        return whole.data + struct.pack(">IB3BB", channel, PROTOCOL,
                                        *self.version, self.capabilities)
