# SPDX-License-Identifier: MIT
"""
Endpoints other than 0 as a device author uses them: streams of packets.

How the guest's transfer is cut into requests is its host controller's
business; what is sent and read here is the same with all of them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Any, Callable, Deque, List, Optional, Protocol, Tuple

from ._proto import Status, SubmitFlag, TransferType
from .errors import LocalError, TransferAborted, TransferEnded
from .session import Request


log = logging.getLogger(__name__)

CLEARED = "the guest cleared a halt in the middle of the transfer"


Waiter = asyncio.Future[Any]


def new_waiter() -> "Waiter":
    """A result that is not there yet."""
    return asyncio.get_running_loop().create_future()


class Line(Protocol):
    """What an endpoint needs from the port; see Port."""

    def complete(self, request: Request, status: Status = Status.OK,
                 data: bytes = b"", length: Optional[int] = None) -> bool: ...


class Pipe:
    """
    What both directions have in common.

    Requests of the guest wait in `parked` until there is an answer;
    `halted` answers STALL until the guest's CLEAR_FEATURE(ENDPOINT_HALT),
    which does nothing while it is `wedged`.
    usable tells whether the guest can know the endpoint of an address.
    """

    def __init__(self, line: Line, address: int,
                 usable: Callable[[int], bool]) -> None:
        self.line = line
        self.address = address
        self._usable = usable
        self.max_packet = 0
        self.halted = self.wedged = False
        self.parked: Deque[Request] = deque()
        self._takers: Deque[Waiter] = deque()

    # called by the device

    def submitted(self, request: Request) -> None:
        """The guest wants something."""
        if self.halted:
            self.line.complete(request, Status.STALL)
            return
        self.parked.append(request)
        self.pump()

    def cancelled(self, request: Request) -> None:
        """It does not want it any more; the session has answered."""
        if request in self.parked:
            self.parked.remove(request)

    def abort(self, why: str) -> None:
        """Reset, unplugged, or another setting: who waits gets an error."""
        self.parked.clear()
        self.halted = self.wedged = False
        self.flush(why)

    def waiters(self) -> "list[Waiter]":
        return list(self._takers)

    def pump(self) -> None:
        """Serve what is parked with what there is."""
        while self.parked and self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(self.parked.popleft())

    def check_usable(self) -> None:
        """Raises LocalError when waiting for the guest would be in vain."""
        if not self._usable(self.address):
            raise LocalError("the guest's configuration has no endpoint "
                             f"0x{self.address:02x}")

    # for device authors

    def halt(self) -> None:
        """Answer STALL, also to what is parked, until the guest clears it."""
        self.halted = True
        while self.parked:
            self.line.complete(self.parked.popleft(), Status.STALL)

    def wedge(self) -> None:
        """
        Halt, and stay so whatever the guest clears, until unwedge(), a bus
        reset, another configuration or setting.
        """
        self.wedged = True
        self.halt()

    def unwedge(self) -> None:
        """It is halted as before; the guest can clear it now."""
        self.wedged = False

    def clear_halt(self) -> None:
        """
        CLEAR_FEATURE(ENDPOINT_HALT) does this.  Who waits goes on, but a
        transfer that had begun is over: TransferAborted.
        """
        self.halted = False

    def flush(self, why: str = "flushed") -> None:
        """
        Drop what is to be sent or was begun to be read: who waits gets
        TransferAborted.  The guest's requests stay parked.
        """
        for waiter in self.waiters():
            if not waiter.done():
                waiter.set_exception(TransferAborted(why))
        self._takers.clear()

    async def next_request(self) -> Request:
        """
        The next request itself, to be answered with answer(); goes before
        whatever else reads or sends on this endpoint.

        Raises TransferAborted, and LocalError without such an endpoint.
        """
        self.check_usable()
        waiter = new_waiter()
        self._takers.append(waiter)
        self.pump()
        request: Request = await waiter
        return request

    def answer(self, request: Request, status: Status = Status.OK,
               data: bytes = b"", length: Optional[int] = None) -> bool:
        """
        Answer a request of next_request(), in any way, see
        PeerSession.complete(); returns False when the guest no longer
        wants it.
        """
        return self.line.complete(request, status, data, length)


class _Sending:
    """
    One send(): its bytes, how many went, and who waits.

    short: its last packet ends the transfer; zlp: an empty one after the
    last shall; alone: it is the answer to one request, whatever that asks.
    """

    __slots__ = ("data", "at", "short", "zlp", "alone", "waiter")

    def __init__(self, data: bytes, short: bool, zlp: bool, alone: bool,
                 waiter: Waiter) -> None:
        self.data, self.at, self.waiter = data, 0, waiter
        self.short, self.zlp = short, zlp and not short
        self.alone = alone


class InEndpoint(Pipe):
    """Bytes for the guest."""

    def __init__(self, line: Line, address: int,
                 usable: Callable[[int], bool]) -> None:
        super().__init__(line, address, usable)
        self._queue: Deque[_Sending] = deque()
        self._held = bytearray()    # taken, but the request is not full yet
        self._remarked = False

    def waiters(self) -> "list[Waiter]":
        return super().waiters() + [s.waiter for s in self._queue]

    def flush(self, why: str = "flushed") -> None:
        super().flush(why)
        self._queue.clear()
        self._held.clear()

    def cancelled(self, request: Request) -> None:
        """What was taken into it is for the next one."""
        super().cancelled(request)
        self.pump()

    def halt(self) -> None:
        """As Pipe.halt(); what was taken into a request goes out before."""
        if self.parked and self._held:
            self.line.complete(self.parked.popleft(), Status.STALL,
                               bytes(self._held))
        self._held.clear()
        super().halt()

    def clear_halt(self) -> None:
        super().clear_halt()
        self._held.clear()
        for sending in [s for s in self._queue if s.at]:
            self._queue.remove(sending)
            if not sending.waiter.done():
                sending.waiter.set_exception(TransferAborted(CLEARED))
        self.pump()

    async def send(self, data: bytes, zlp: bool = False) -> None:
        """
        Send bytes; returns when all of them are in COMPLETEs, or taken into
        a request that is not full yet.

        They go out over as many of the guest's requests as it takes, cut by
        what each asks for.  The transfer ends, as on a bus, with a packet
        shorter than the endpoint's largest; zlp adds an empty one where the
        length is a multiple of it.  Without that end the next send() goes
        on with it, and the rest of a larger request waits for that.  No data
        at all is an empty packet.

        While the endpoint is halted it waits.  Raises TransferAborted on a
        bus reset, another configuration or setting, when unplugged, and,
        when some of it was sent, at CLEAR_FEATURE(ENDPOINT_HALT); what was
        not sent is dropped.  Raises LocalError when the configuration has
        no such endpoint.
        """
        await self._send(data, zlp=zlp)

    async def send_packet(self, data: bytes) -> None:
        """
        Send bytes as the answer to one request, in their turn after what
        waits, as a device does that has but this packet: a guest that asked
        for less meets a babble.

        Waits, and raises, as send() does.
        """
        await self._send(data, alone=True)

    async def _send(self, data: bytes, zlp: bool = False,
                    alone: bool = False) -> None:
        self.check_usable()
        size = self.max_packet & 0x7ff
        short = not data or not size or len(data) % size != 0
        sending = _Sending(bytes(data), short, zlp, alone, new_waiter())
        self._queue.append(sending)
        self.pump()
        try:
            await sending.waiter
        finally:
            if sending in self._queue:
                self._queue.remove(sending)

    def pump(self) -> None:
        super().pump()
        while (self.parked and (self._queue or self._held)
               and self._serve(self.parked[0])):
            pass

    def _serve(self, request: Request) -> bool:
        """Answer one request; False when there is not enough for it yet."""
        want = request.submit.length
        first = self._queue[0] if self._queue else None
        if first is not None and first.alone and not self._held:
            return self._serve_alone(request, first)
        used, ended = self._choose(want - len(self._held))
        if want < self.max_packet & 0x7ff and first is not None and (
                not ended and len(first.data) > want
                and request.submit.type == TransferType.INTERRUPT):
            self._remark("endpoint 0x%02x: the guest asks for %d bytes, less "
                         "than a packet, and gets what is sent in pieces "
                         "(see send_packet())", self.address, want)
        parts = [part for _, part in used]
        full = ended or len(self._held) + sum(map(len, parts)) >= want
        if full:
            data = b"".join([self._held[:want], *parts])
            self.parked.popleft()
            if not self.line.complete(request, Status.OK, data):
                return True
            del self._held[:want]
        else:
            self._held += b"".join(parts)
        for sending, part in used:
            self._sent(sending, len(part), ended)
        return full

    def _serve_alone(self, request: Request, sending: _Sending) -> bool:
        if len(sending.data) > request.submit.length:
            self._remark("endpoint 0x%02x: the guest asked for %d bytes and "
                         "gets a packet of %d, a babble", self.address,
                         request.submit.length, len(sending.data))
        self.parked.popleft()
        if self.line.complete(request, Status.OK, sending.data):
            self._sent(sending, len(sending.data), True)
        return True

    def _remark(self, text: str, *values: int) -> None:
        """Once for each endpoint: what is odd, and done all the same."""
        if not self._remarked:
            log.warning(text, *values)
        self._remarked = True

    def _choose(self, want: int) -> Tuple[List[Tuple[_Sending, bytes]], bool]:
        """
        Parts of what waits, up to so many bytes, besides what is held, and
        whether they end the transfer.
        """
        used: List[Tuple[_Sending, bytes]] = []
        if self._held and want <= 0:
            return used, False
        ended = False
        for sending in self._queue:
            if sending.alone:       # what goes before it is a packet, too
                return used, True
            part = sending.data[sending.at:sending.at + want]
            used.append((sending, part))
            want -= len(part)
            whole = sending.at + len(part) == len(sending.data)
            ended = whole and (sending.short or (sending.zlp and want > 0))
            if ended or not want:
                break
        return used, ended

    def _sent(self, sending: _Sending, count: int, ended: bool) -> None:
        """So many of its bytes are answered, and the transfer ended or not."""
        sending.at += count
        if sending.at < len(sending.data) or (sending.zlp and not ended):
            return
        self._queue.remove(sending)
        if not sending.waiter.done():
            sending.waiter.set_result(None)


class OutEndpoint(Pipe):
    """Bytes from the guest; a request is answered once they were read."""

    def __init__(self, line: Line, address: int,
                 usable: Callable[[int], bool]) -> None:
        super().__init__(line, address, usable)
        self._reader: Optional[Waiter] = None
        self._in_transfer = False       # the reader has some of it
        self._carried = 0

    def submitted(self, request: Request) -> None:
        if request.submit.flags & SubmitFlag.RETRY:
            request.carried = self._carried
        self._carried = 0
        super().submitted(request)

    def cancelled(self, request: Request) -> None:
        """What was consumed of it does not come again, the rest may."""
        super().cancelled(request)
        if request.consumed and self.max_packet & 0x7ff:
            self._carried = ((request.carried + request.consumed)
                             % (self.max_packet & 0x7ff))

    def waiters(self) -> "list[Waiter]":
        return super().waiters() + ([self._reader] if self._reader else [])

    def pump(self) -> None:
        super().pump()
        if self.parked and self._reader and not self._reader.done():
            self._reader.set_result(None)

    def clear_halt(self) -> None:
        super().clear_halt()
        reader = self._reader
        if self._in_transfer and reader and not reader.done():
            reader.set_exception(TransferAborted(CLEARED))

    async def _request(self, in_transfer: bool = False) -> Request:
        """Wait until a request is parked; it stays there."""
        self.check_usable()
        self._in_transfer = in_transfer
        while not self.parked:
            if self._reader is not None:
                raise LocalError(f"two readers of endpoint "
                                 f"0x{self.address:02x}")
            self._reader = new_waiter()
            try:
                await self._reader
            finally:
                self._reader = None
        return self.parked[0]

    def _take(self, request: Request, want: int) -> bytes:
        """Up to `want` of its bytes; answer it when none are left."""
        data = request.submit.data
        part = data[request.consumed:request.consumed + want]
        request.consumed += len(part)
        if request.consumed == len(data):
            self.parked.popleft()
            self.line.complete(request)
        return part

    def _left_of_packet(self, request: Request) -> int:
        """Bytes up to the end of the packet that is to be read next."""
        size = self.max_packet & 0x7ff
        left = request.submit.length - request.consumed
        if not size:
            return left
        return min(left, size - (request.carried + request.consumed) % size)

    def _is_short(self, request: Request) -> bool:
        """Whether its last packet is short and ends the transfer."""
        size, length = self.max_packet & 0x7ff, request.submit.length
        return (not length or not size
                or (request.carried + length) % size != 0)

    async def read_packet(self) -> bytes:
        """
        Read one packet, of at most the endpoint's largest and perhaps
        empty, or what read_exactly() left of it; `async for packet in
        endpoint` does it again and again.

        Raises TransferAborted and LocalError as send() does.
        """
        request = await self._request()
        return self._take(request, self._left_of_packet(request))

    def __aiter__(self) -> "OutEndpoint":
        return self

    async def __anext__(self) -> bytes:
        return await self.read_packet()

    async def read_some(self) -> bytes:
        """
        Read what has come: the rest of the guest's oldest request, which
        may be one packet or a large part of a transfer, and empty where the
        guest sent an empty packet.  Where a transfer ends it does not tell.

        Waits, and raises, as read_packet() does.
        """
        request = await self._request()
        return self._take(request, request.submit.length)

    async def read_transfer(self, limit: int = 1 << 24) -> bytes:
        """
        Read up to the end of the transfer: a packet shorter than the
        endpoint's largest, or an empty one.  Where the guest does not send
        that, as after a multiple of the packet size it need not, this waits
        for more: see read_some(), read_exactly().

        Raises TransferAborted and LocalError as send() does, LocalError
        also when it grows beyond limit bytes.
        """
        parts: List[bytes] = []
        have = 0
        while True:
            request = await self._request(bool(parts))
            short = self._is_short(request)
            parts.append(self._take(request, request.submit.length))
            have += len(parts[-1])
            if have > limit:
                raise LocalError(f"a transfer of more than {limit} bytes")
            if short:
                return b"".join(parts)

    async def read_exactly(self, count: int) -> bytes:
        """
        Read this many bytes, of one transfer that may go on after them.
        An empty packet before the first byte is passed over: it ended the
        transfer before.

        Raises TransferEnded, with what there was, when a short packet comes
        first, TransferAborted and LocalError as send() does.
        """
        parts: List[bytes] = []
        have = 0
        while have < count:
            request = await self._request(have > 0)
            short = self._is_short(request)
            part = self._take(request, count - have)
            parts.append(part)
            have += len(part)
            done = not request.pending
            if short and done and have < count and have:
                raise TransferEnded(b"".join(parts), count)
        return b"".join(parts)
