# SPDX-License-Identifier: MIT
"""
For tests of devices without QEMU: its end of the protocol, and a clock
that does not wait.  No I/O.
"""

from __future__ import annotations

import heapq
from collections import deque
from typing import (Any, Callable, Coroutine, Deque, Dict, Generator, List,
                    Optional, Tuple, Type, TypeVar)

from ._proto import (AttachedResult, ByeReason, ErrorCode, Msg, Speed, Status,
                     TransferType)
from .codec import (PEER, Address, Attach, Attached, Bye, Cancel, Complete,
                    Decoder, Detach, Detached, Error, Hello, Limits, Message,
                    Preamble, Ready, Reset, Submit, Vmstate, Wakeup,
                    check_answer)
from .device import Device
from .errors import LocalError, NotUsbRemote, ProtocolViolation
from .port import Port
from .session import PeerSession
from .setup import Setup, Standard

M = TypeVar("M", bound=Message)


class QemuSession:
    """
    QEMU's end of one connection, strict about what a peer may do.

    receive() returns the peer's messages and raises ProtocolViolation,
    after queueing the ERROR that QEMU would send (none to a stranger).
    What is about an attachment or, for COMPLETE and READY, an epoch that is
    over is left out.
    """

    def __init__(self, device_id: str = "test", select: str = "",
                 limits: Limits = Limits(),
                 preamble: Preamble = Preamble()) -> None:
        self.limits = limits
        self.attachment = 0
        self.epoch = 0
        self.plugged = False
        self.attaching = False
        self.greeted = False
        self.closed = False
        self.in_flight: Dict[int, Submit] = {}
        self._last_id = 0
        self._decoder = Decoder(PEER)
        self._decoder.may_skip = False
        self._output = [preamble.encode(), Hello(
            features=limits.features, max_payload=limits.max_payload,
            max_control=limits.max_control, max_requests=limits.max_requests,
            max_per_endpoint=limits.max_per_endpoint,
            max_bytes=limits.max_bytes, name="QEMU", device_id=device_id,
            select=select).encode()]

    def data_to_send(self) -> bytes:
        data = b"".join(self._output)
        self._output.clear()
        return data

    def receive(self, data: bytes) -> List[Message]:
        messages = []
        self._decoder.feed(data)
        try:
            while not self.closed:
                message = self._decoder.next()
                if message is None:
                    break
                if isinstance(message, Message) and self._take(message):
                    messages.append(message)
        except ProtocolViolation as err:
            self.closed = True
            if not isinstance(err, NotUsbRemote):
                self.say(Error, code=err.code, type=err.type, id=err.id,
                         text=str(err))
            raise
        return messages

    # what QEMU says

    def send(self, message: Message) -> None:
        self._output.append(message.encode())

    def say(self, kind: Type[M], **fields: Any) -> M:
        """Send a message with the current attachment and epoch."""
        message = kind(attachment=self.attachment, epoch=self.epoch, **fields)
        self.send(message)
        return message

    def attached(self, speed: Speed = Speed.FULL,
                 result: AttachedResult = AttachedResult.OK,
                 text: str = "") -> None:
        self.attaching = False
        self.plugged = result == AttachedResult.OK
        self.say(Attached, result=result, speed=speed, text=text)

    def detached(self) -> None:
        self._drop()
        self.plugged = self.attaching = False
        self.say(Detached)

    def reset(self, speed: Speed = Speed.FULL) -> None:
        self.epoch += 1
        self._drop()
        self.say(Reset, speed=speed)

    def submit(self, endpoint: int, type: TransferType, length: int,
               setup: bytes = bytes(8), data: bytes = b"",
               flags: int = 0) -> int:
        """Send a request; returns its id."""
        self._last_id += 1
        self.in_flight[self._last_id] = self.say(
            Submit, id=self._last_id, endpoint=endpoint, type=type,
            length=length, setup=setup, data=data, flags=flags)
        return self._last_id

    def control(self, setup: Setup) -> int:
        return self.submit(0, TransferType.CONTROL, setup.length,
                           setup.encode(), setup.data)

    def cancel(self, id: int) -> None:
        self.say(Cancel, id=id)

    def address(self, address: int) -> None:
        self.say(Address, address=address)

    def vmstate(self, running: bool) -> None:
        self.say(Vmstate, running=int(running))

    def bye(self, reason: ByeReason = ByeReason.REMOVED) -> None:
        self.closed = True
        self.say(Bye, reason=reason)

    # what the peer says

    def _take(self, message: Message) -> bool:
        """Judge a message; False when it is to be ignored."""
        if isinstance(message, (Error, Bye)):
            self.closed = True
        elif isinstance(message, Hello) == self.greeted:
            raise self._violation(message, "wrong for this state")
        elif isinstance(message, Hello):
            self.greeted = self._decoder.may_skip = True
            self.limits = self._decoder.limits = self.limits.join(message)
        elif isinstance(message, Attach):
            self._take_attach(message)
        elif isinstance(message, Detach):
            return self._take_detach(message)
        elif not self._is_current(message):
            return False
        elif isinstance(message, Complete):
            self._take_complete(message)
        return True

    def _take_attach(self, message: Attach) -> None:
        if self.attaching or message.attachment != self.attachment + 1:
            raise self._violation(message, "out of turn")
        self._drop()
        self.attachment, self.plugged = message.attachment, False
        self.attaching = True

    def _take_detach(self, message: Detach) -> bool:
        if not 1 <= message.attachment <= self.attachment:
            raise self._violation(message, "of an unknown attachment")
        if message.attachment < self.attachment:
            return False
        self._drop()
        self.plugged = self.attaching = False
        return True

    def _is_current(self, message: Message) -> bool:
        """Of what is plugged in now; raises if it has not been."""
        by_epoch = not isinstance(message, Wakeup)
        theirs = message.attachment, message.epoch if by_epoch else 0
        ours = self.attachment, self.epoch if by_epoch else 0
        if theirs > ours:
            raise ProtocolViolation(
                ErrorCode.UNKNOWN_ID, f"{message.TYPE.name} of an attachment "
                "or epoch that has not been", message.TYPE, message.id)
        return self.plugged and theirs == ours

    def _take_complete(self, message: Complete) -> None:
        submit = self.in_flight.pop(message.id, None)
        if submit is None:
            raise ProtocolViolation(ErrorCode.UNKNOWN_ID, "nobody waits for "
                                    "this COMPLETE", Msg.COMPLETE, message.id)
        check_answer(message, submit)

    def _drop(self) -> None:
        self.in_flight.clear()

    def _violation(self, message: Message, why: str) -> ProtocolViolation:
        return ProtocolViolation(ErrorCode.UNEXPECTED,
                                 f"{message.TYPE.name} {why}", message.TYPE,
                                 message.id)


class Cancelled(BaseException):
    """Thrown into a coroutine whose task is cancelled."""


class VirtualWaiter:
    """A Waiter of VirtualRuntime."""

    def __init__(self, runtime: "VirtualRuntime") -> None:
        self._runtime = runtime
        self._done = False
        self._result: Any = None
        self._error: Optional[BaseException] = None
        self._tasks: List["VirtualTask"] = []

    def done(self) -> bool:
        return self._done

    def set_result(self, result: Any) -> None:
        self._settle(result, None)

    def set_exception(self, exception: BaseException) -> None:
        self._settle(None, exception)

    def _settle(self, result: Any, error: Optional[BaseException]) -> None:
        if self._done:
            raise LocalError("settled twice")
        self._done, self._result, self._error = True, result, error
        self._runtime.ready.extend(self._tasks)

    def cancel_for(self, task: "VirtualTask") -> None:
        self._done = True
        self._tasks.remove(task)

    def __await__(self) -> Generator[Any, None, Any]:
        if not self._done:
            yield self
        if self._error is not None:
            raise self._error
        return self._result

    def add(self, task: "VirtualTask") -> None:
        self._tasks.append(task)


class VirtualTask:
    """A Task of VirtualRuntime."""

    def __init__(self, runtime: "VirtualRuntime",
                 coroutine: Coroutine[Any, Any, Any]) -> None:
        self._runtime, self._coroutine = runtime, coroutine
        self._waits_for: Optional[VirtualWaiter] = None
        self._cancel = False
        self._done = False
        runtime.ready.append(self)

    def done(self) -> bool:
        return self._done

    def cancel(self) -> bool:
        if self._done or self._cancel:
            return False
        self._cancel = True
        if self._waits_for is not None and not self._waits_for.done():
            self._waits_for.cancel_for(self)
            self._runtime.ready.append(self)
        return True

    def step(self) -> None:
        """Run until it waits again or ends."""
        if self._done:
            return
        self._waits_for = None
        try:
            waiter = (self._coroutine.throw(Cancelled()) if self._cancel
                      else self._coroutine.send(None))
        except (StopIteration, Cancelled):
            self._done = True
        else:
            self._waits_for = waiter
            waiter.add(self)
            if self._cancel:    # by itself, while it ran
                waiter.cancel_for(self)
                self._runtime.ready.append(self)


class VirtualRuntime:
    """A Runtime (see runtime.py) whose clock moves when told to."""

    def __init__(self) -> None:
        self.time = 0.0
        self.ready: Deque[VirtualTask] = deque()
        self._timers: List[Tuple[float, int, VirtualWaiter]] = []
        self._count = 0

    def now(self) -> float:
        return self.time

    def waiter(self) -> VirtualWaiter:
        return VirtualWaiter(self)

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> VirtualTask:
        return VirtualTask(self, coroutine)

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        waiter = self.waiter()
        heapq.heappush(self._timers,
                       (self.time + seconds, self._count, waiter))
        await waiter

    def run(self, seconds: float = 0.0) -> None:
        """Let everything run that can, for this much of the clock."""
        end = self.time + seconds
        while True:
            while self.ready:
                self.ready.popleft().step()
            if not self._timers or self._timers[0][0] > end:
                break
            self.time, _, waiter = heapq.heappop(self._timers)
            if not waiter.done():
                waiter.set_result(None)
        self.time = end


class Bench:
    """
    A device, its port and QEMU's end in memory.

    qemu says things, exchange() carries them over and collects what the
    device said in `heard`.
    """

    def __init__(self, make: Callable[[], Device],
                 qemu: Optional[QemuSession] = None) -> None:
        self.runtime = VirtualRuntime()
        self.qemu = qemu or QemuSession()
        self.heard: List[Message] = []
        self.port = Port(self.runtime, lambda hello: make(), PeerSession())
        self._to_qemu: List[bytes] = []
        self.port.start(self._to_qemu.append)

    @property
    def device(self) -> Device:
        assert self.port.device is not None
        return self.port.device

    def exchange(self, seconds: float = 0.0) -> List[Message]:
        """
        Carry bytes both ways until nobody says more, let this much time
        pass, and return what the device said since.
        """
        start = len(self.heard)
        self.runtime.run(seconds)
        while True:
            data, self._to_qemu[:] = b"".join(self._to_qemu), []
            back = self.qemu.data_to_send()
            if not data and not back:
                return self.heard[start:]
            self.heard += self.qemu.receive(data)
            self.port.receive(back)
            self.runtime.run()

    def plug_in(self, speed: Speed = Speed.FULL) -> None:
        """Handshake, attach and the bus reset that every guest begins with."""
        self.exchange()
        self.qemu.attached(speed)
        self.qemu.reset(speed)
        self.exchange()

    def answer_to(self, id: int) -> Optional[Complete]:
        """The COMPLETE of this request, if it came."""
        return next((m for m in self.heard if isinstance(m, Complete)
                     and m.id == id), None)

    def control(self, setup: Setup) -> Complete:
        """A control request and its answer."""
        id = self.qemu.control(setup)
        self.exchange()
        answer = self.answer_to(id)
        assert answer is not None, f"no answer to {setup}"
        return answer

    def configure(self, value: int = 1) -> Complete:
        return self.control(Setup(0, Standard.SET_CONFIGURATION, value, 0, 0))

    def read(self, endpoint: int, length: int,
             type: TransferType = TransferType.BULK) -> int:
        """Ask an IN endpoint; returns the request's id."""
        id = self.qemu.submit(endpoint, type, length)
        self.exchange()
        return id

    def write(self, endpoint: int, data: bytes,
              type: TransferType = TransferType.BULK) -> int:
        """Write to an OUT endpoint; returns the request's id."""
        id = self.qemu.submit(endpoint, type, len(data), data=data)
        self.exchange()
        return id


__all__ = ["Bench", "QemuSession", "Status", "VirtualRuntime"]
