# SPDX-License-Identifier: MIT
"""QEMU's end of the protocol, for tests of devices without it.  No I/O."""

from __future__ import annotations

from typing import Any, Dict, List, Type, TypeVar

from ._proto import (AttachedResult, ByeReason, ErrorCode, Msg, Speed,
                     TransferType)
from .codec import (PEER, Address, Attach, Attached, Bye, Cancel, Complete,
                    Decoder, Detach, Detached, Error, Hello, Limits, Message,
                    Preamble, Reset, Submit, Vmstate, Wakeup, check_answer)
from .errors import NotUsbRemote, ProtocolViolation
from .setup import Setup

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
