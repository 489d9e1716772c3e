# SPDX-License-Identifier: MIT
"""
The peer's end of one connection: bytes in, events out, no I/O.

feed() takes bytes, next_event() gives what they meant, data_to_send() the
bytes to write.  Requests are answered exactly once whatever the caller does:
CANCEL is answered here, and what a reset or an unplugging made void is
dropped.
"""

from __future__ import annotations

import enum
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import (Callable, Deque, Dict, List, Optional, Protocol, Tuple,
                    Type, Union)

from .codec import (QEMU, Address, Attach, Attached, Bye, Cancel, Complete,
                    Decoder, Detach, Detached, EndpointEntry, Error, Hello,
                    Limits, Message, Preamble, Ready, Reset, Submit, Vmstate,
                    Wakeup, check_answer)
from .errors import (ConnectionLost, LocalError, NotUsbRemote,
                     ProtocolViolation, Refused, printable)
from ._proto import (AddressPolicy, AttachedResult, ByeReason, ErrorCode, Msg,
                     Speed, Status, TransferType, DEFAULT_GAP_MS)


class State(enum.Enum):
    """Of the connection and of what is plugged in over it."""

    START = "waiting for QEMU's preamble"
    HELLO = "waiting for QEMU's HELLO"
    READY = "HELLO received, ours not sent yet"
    DETACHED = "nothing plugged in"
    ATTACHING = "ATTACH sent"
    ATTACHED = "plugged in"
    DETACHING = "DETACH sent"
    CLOSED = "closed"


class Do(enum.Enum):
    """What the caller can do that changes the state."""

    ACCEPT = "accept"
    ATTACH = "attach"
    DETACH = "detach"


Cause = Union[Do, Type[Message], Type[Preamble]]

# (state, what was done or received) -> next state.  Attached stands for the
# answer OK to the newest ATTACH, Error for its other answers; both, and
# Detached, only where their number is the newest: older ones are ignored.
TRANSITIONS: Dict[Tuple[State, Cause], State] = {
    (State.START, Preamble): State.HELLO,
    (State.HELLO, Hello): State.READY,
    (State.READY, Do.ACCEPT): State.DETACHED,
    (State.DETACHED, Do.ATTACH): State.ATTACHING,
    (State.ATTACHING, Attached): State.ATTACHED,
    (State.ATTACHING, Error): State.DETACHED,
    (State.ATTACHING, Do.DETACH): State.DETACHING,
    # QEMU plugged it out and in again, as after loadvm
    (State.ATTACHED, Attached): State.ATTACHED,
    (State.ATTACHED, Error): State.DETACHED,
    (State.ATTACHED, Do.ATTACH): State.ATTACHING,
    (State.ATTACHED, Do.DETACH): State.DETACHING,
    # the answer crossed the DETACH
    (State.DETACHING, Attached): State.DETACHING,
    (State.DETACHING, Error): State.DETACHING,
    (State.DETACHING, Detached): State.DETACHED,
    (State.DETACHING, Do.ATTACH): State.ATTACHING,
}
OPEN = (State.DETACHED, State.ATTACHING, State.ATTACHED, State.DETACHING)


class Answer(enum.Enum):
    """What became of a request."""

    PENDING = "waits for its COMPLETE"
    SENT = "was completed"
    CANCELLED = "was cancelled by QEMU"
    VOID = "ended with a reset, an unplugging or the connection"


class Request:
    """
    A SUBMIT that waits for its answer; complete() of the session gives it.

    consumed: bytes of an OUT request used so far, told to QEMU when it
    cancels the request.  carried: bytes of its first packet that a request
    before it brought, which was cancelled when partly consumed.
    """

    __slots__ = ("submit", "answer", "consumed", "carried")

    def __init__(self, submit: Submit) -> None:
        self.submit = submit
        self.answer = Answer.PENDING
        self.consumed = self.carried = 0

    @property
    def pending(self) -> bool:
        return self.answer is Answer.PENDING

    def __repr__(self) -> str:
        return (f"<request {self.submit.id} of endpoint "
                f"0x{self.submit.endpoint:02x}, {self.answer.value}>")


# Events

class Event:
    """The base of what next_event() returns."""

    __slots__ = ()


@dataclass(frozen=True)
class Greeted(Event):
    """QEMU's HELLO is there: look at it, then accept() or refuse()."""

    hello: Hello


@dataclass(frozen=True)
class PluggedIn(Event):
    """
    The guest's host controller sees the device, at this speed; again for
    the same attachment when QEMU plugged it in anew.
    """

    attachment: int
    speed: Speed


@dataclass(frozen=True)
class NotPluggedIn(Event):
    """QEMU could not attach the device; text says why."""

    attachment: int
    result: AttachedResult
    text: str


@dataclass(frozen=True)
class Unplugged(Event):
    """This attachment and all before it are over."""

    attachment: int


@dataclass(frozen=True)
class BusReset(Event):
    """The guest reset the bus; all requests before it are void."""

    speed: Speed


@dataclass(frozen=True)
class Addressed(Event):
    """The guest gave the device an address."""

    address: int


@dataclass(frozen=True)
class MachineState(Event):
    """The virtual machine was stopped or runs again."""

    running: bool


@dataclass(frozen=True)
class Submitted(Event):
    """A request to be answered."""

    request: Request


@dataclass(frozen=True)
class Cancelled(Event):
    """QEMU cancelled a request that was pending; it has been answered."""

    request: Request


@dataclass(frozen=True)
class Closed(Event):
    """
    The connection is over and whatever is to be sent should be, then close.

    error: why, or None after a BYE of either side; bye: QEMU's reason.
    """

    error: Optional[Exception]
    bye: Optional[ByeReason] = None
    text: str = ""


@dataclass
class Counters:
    """What happened, for --stats; sessions may share one."""

    submits: "Counter[str]" = field(default_factory=Counter)
    completes: "Counter[str]" = field(default_factory=Counter)
    bytes_in: int = 0
    bytes_out: int = 0
    cancels: int = 0
    resets: int = 0
    connections: int = 0
    attaches: int = 0
    attached: int = 0
    detaches: int = 0
    readies: int = 0
    wakeups: int = 0

    def as_dict(self) -> Dict[str, object]:
        """For JSON: counts, and counts by endpoint ("0x81")."""
        values = dict(vars(self))
        values["submits"] = dict(self.submits)
        values["completes"] = dict(self.completes)
        return values


class Tap(Protocol):
    """Who is told of each request and of its end."""

    def addressed(self, address: int) -> None:
        """The guest gave the device an address; 0 after a bus reset."""

    def submitted(self, submit: Submit) -> None:
        """A request came."""

    def completed(self, submit: Submit, answer: Optional[Complete]) -> None:
        """It was answered, or became void."""


class PeerSession:
    """
    One connection as the peer sees it.

    Methods that send raise LocalError when the state does not allow them.
    """

    def __init__(self, name: str = "usbremote for Python",
                 limits: Limits = Limits(),
                 counters: Optional[Counters] = None,
                 tap: Optional[Tap] = None) -> None:
        self.state = State.START
        self.name = name
        self.tap = tap
        self.limits = limits
        self.counters = counters if counters is not None else Counters()
        self.attachment = 0
        self.epoch = 0
        self.speed = Speed.FULL
        self.hello: Optional[Hello] = None
        self.requests: Dict[int, Request] = {}
        self._newest_id = 0
        self._on_endpoint: "Counter[int]" = Counter()
        self._bytes = 0
        self._decoder = Decoder(QEMU)
        self._decoder.may_skip = False
        self._output: List[bytes] = [Preamble().encode()]
        self._events: Deque[Event] = deque()

    # bytes

    def feed(self, data: bytes) -> None:
        """Take what arrived; next_event() says what it meant."""
        if self.state is not State.CLOSED:
            self._decoder.feed(data)

    def feed_eof(self) -> None:
        """The connection ended."""
        if self.state is not State.CLOSED:
            early = self.state in (State.START, State.HELLO, State.READY)
            when = "during the handshake" if early else "without a word"
            self._close(ConnectionLost(f"the other side closed it {when}"))

    def next_event(self) -> Optional[Event]:
        """
        The next event, or None until more arrives; the state is as it was
        then, so each should be acted on before the next is asked for.
        """
        try:
            while not self._events and self.state is not State.CLOSED:
                if not self._receive_one():
                    break
        except NotUsbRemote as err:
            self._close(err)
        except ProtocolViolation as err:
            self._send(Error(code=err.code, type=err.type, id=err.id,
                             text=err.text))
            self._close(err)
        return self._events.popleft() if self._events else None

    def receive(self, data: bytes) -> List[Event]:
        """feed() and all events that come of it."""
        self.feed(data)
        return list(iter(self.next_event, None))

    def data_to_send(self) -> bytes:
        """The bytes to be written next; empty if there are none."""
        data = b"".join(self._output)
        self._output.clear()
        return data

    # what the peer does

    def accept(self) -> None:
        """Answer QEMU's HELLO with ours."""
        self._step(Do.ACCEPT)
        own, hello = self.limits, self.hello
        assert hello is not None
        self._send(Hello(features=own.features, max_payload=own.max_payload,
                         max_control=own.max_control,
                         max_requests=own.max_requests,
                         max_per_endpoint=own.max_per_endpoint,
                         max_bytes=own.max_bytes, name=self.name))
        self.limits = self._decoder.limits = own.join(hello)
        self.counters.connections += 1

    def attach(self, speeds: int, gap_ms: int = DEFAULT_GAP_MS,
               address_policy: int = AddressPolicy.ACCEPT,
               endpoints: Optional[Tuple[EndpointEntry, ...]] = None) -> int:
        """
        Plug in, in place of what is plugged in; returns the number of the
        attachment.

        speeds is a set of 1 << Speed, gap_ms 0-60000 the least time
        unplugged before, endpoints a table that overrides descriptors.
        """
        if self.state is State.ATTACHING:
            raise LocalError("the ATTACH before is not answered yet")
        message = Attach(attachment=self.attachment + 1, speeds=speeds,
                         gap_ms=gap_ms, address_policy=address_policy,
                         endpoints=endpoints)
        data = message.encode()
        self._step(Do.ATTACH)
        self._void_requests()
        self.attachment += 1
        self.counters.attaches += 1
        self._output.append(data)
        return self.attachment

    def detach(self) -> None:
        """Unplug; Unplugged follows."""
        self._step(Do.DETACH)
        self._void_requests()
        self.counters.detaches += 1
        self._send(Detach(attachment=self.attachment))

    def wakeup(self) -> None:
        """Signal remote wakeup (USB 2.0 section 9.1.1.6)."""
        self._need(State.ATTACHED)
        self.counters.wakeups += 1
        self._send(Wakeup(attachment=self.attachment))

    def ready(self, endpoint: int) -> None:
        """Ask for the request that was answered NAK on this endpoint."""
        self._need(State.ATTACHED)
        self.counters.readies += 1
        self._send(Ready(attachment=self.attachment, epoch=self.epoch,
                         endpoint=endpoint))

    def complete(self, request: Request, status: Status = Status.OK,
                 data: bytes = b"", length: Optional[int] = None,
                 endpoints: Optional[Tuple[EndpointEntry, ...]] = None
                 ) -> bool:
        """
        Answer a request.

        IN: data is what the guest gets, none with NAK and CANCELLED.  OUT:
        length is the number of bytes consumed, by default all with OK and
        request.consumed otherwise.
        endpoints: a table that overrides descriptors, only with OK to
        SET_CONFIGURATION and SET_INTERFACE.

        Returns whether the answer went out: False when QEMU cancelled the
        request or it became void, so that data can be kept for the next.
        Raises LocalError when it was answered before or cannot be sent.
        """
        if request.answer is Answer.SENT:
            raise LocalError(f"{request!r} cannot be answered twice")
        if not request.pending:
            return False
        submit = request.submit
        if not submit.is_in() and data:
            raise LocalError("an OUT request cannot be given data")
        if length is None:
            length = (len(data) if submit.is_in()
                      else submit.length if status == Status.OK
                      else 0 if status == Status.NAK else request.consumed)
        if len(data) > self.limits.max_payload:
            raise LocalError(f"{len(data)} bytes in one answer, the limit is "
                             f"{self.limits.max_payload}; use Status.BABBLE")
        if not submit.is_in() and length > submit.length:
            raise LocalError(f"{length} bytes of {submit.length} consumed")
        answer = Complete(
            id=submit.id, attachment=submit.attachment, epoch=submit.epoch,
            status=status, length=length, data=data, endpoints=endpoints)
        try:
            check_answer(answer, submit)
        except ProtocolViolation as err:
            raise LocalError(f"cannot send this: {err}") from None
        self._answer(request, Answer.SENT, answer)
        return True

    def refuse(self, text: str) -> None:
        """Tell QEMU that it cannot have this device, and close."""
        self.fail(ErrorCode.REFUSED, text)

    def fail(self, code: ErrorCode, text: str) -> None:
        """Send an ERROR and close."""
        if self.state is not State.CLOSED:
            self._send(Error(code=code, text=text))
            self._close(None)

    def bye(self, text: str = "") -> None:
        """End the connection in order."""
        if self.state is not State.CLOSED:
            self._send(Bye(reason=ByeReason.DONE, text=text))
            self._close(None)

    # what QEMU does

    def _receive_one(self) -> bool:
        """Act on the next message; False when there is none."""
        message = self._decoder.next()
        if isinstance(message, Preamble):
            self._step_remote(message, Preamble)
        elif message is not None:
            self._dispatch(message)
        return message is not None

    def _dispatch(self, message: Message) -> None:
        greeting = isinstance(message, (Hello, Error, Bye))
        if not greeting and self.state not in OPEN:
            raise self._unexpected(message)
        if isinstance(message, (Attached, Detached)) and not (
                1 <= message.attachment <= self.attachment):
            raise ProtocolViolation(
                ErrorCode.UNKNOWN_ID, f"{message.TYPE.name} of attachment "
                f"{message.attachment}, which was never plugged in",
                message.TYPE)
        if not greeting and message.attachment > self.attachment:
            raise self._unexpected(message, f"of attachment "
                                   f"{message.attachment}, the newest is "
                                   f"{self.attachment}")
        HANDLERS[type(message)](self, message)

    def _on_hello(self, message: Hello) -> None:
        self._step_remote(message, Hello)
        self._decoder.may_skip = True
        self.hello = message
        self._events.append(Greeted(message))

    def _on_error(self, message: Error) -> None:
        self._close(Refused(message.code, printable(message.text),
                            message.type, message.id))

    def _on_bye(self, message: Bye) -> None:
        try:
            reason = ByeReason(message.reason)
        except ValueError:
            reason = ByeReason.DONE
        self._close(None, reason, printable(message.text))

    def _on_attached(self, message: Attached) -> None:
        if message.attachment < self.attachment:
            return
        good = message.result == AttachedResult.OK
        self._step_remote(message, Attached if good else Error)
        self._void_requests()
        if self.state is State.ATTACHED:
            self.speed = Speed(message.speed)
            self.counters.attached += 1
            self._events.append(PluggedIn(self.attachment, self.speed))
        elif self.state is State.DETACHED:
            self._events.append(NotPluggedIn(
                self.attachment, AttachedResult(message.result),
                printable(message.text)))

    def _on_detached(self, message: Detached) -> None:
        if message.attachment == self.attachment:
            self._step_remote(message, Detached)
        self._events.append(Unplugged(message.attachment))

    def _on_reset(self, message: Reset) -> None:
        if message.epoch <= self.epoch:
            raise self._unexpected(message, f"to epoch {message.epoch}, the "
                                   f"last was {self.epoch}")
        self.epoch = message.epoch
        self.counters.resets += 1
        if self._is_live(message):
            self._void_requests()
            self.speed = Speed(message.speed)
            self._addressed(0)
            self._events.append(BusReset(self.speed))

    def _on_address(self, message: Address) -> None:
        if self._is_live(message):
            self._addressed(message.address)
            self._events.append(Addressed(message.address))

    def _on_vmstate(self, message: Vmstate) -> None:
        self._events.append(MachineState(bool(message.running)))

    def _on_submit(self, message: Submit) -> None:
        if message.attachment == self.attachment and self.state not in (
                State.ATTACHED, State.DETACHING):
            raise self._unexpected(message)
        if not self._is_live(message):
            return
        if message.epoch != self.epoch:
            raise self._unexpected(message, f"of epoch {message.epoch}, the "
                                   f"current one is {self.epoch}")
        if message.id <= self._newest_id:
            raise self._unexpected(message, f"with the id {message.id}, "
                                   f"which is not above {self._newest_id}")
        self._newest_id = message.id
        self._check_limits(message)
        request = self.requests[message.id] = Request(message)
        self._account(message, 1)
        self.counters.submits[f"0x{message.endpoint:02x}"] += 1
        if self.tap is not None:
            self.tap.submitted(message)
        self._events.append(Submitted(request))

    def _on_cancel(self, message: Cancel) -> None:
        self.counters.cancels += 1
        if message.id > self._newest_id and self._is_live(message):
            raise ProtocolViolation(
                ErrorCode.UNKNOWN_ID, f"CANCEL of {message.id}, which was "
                "never submitted", Msg.CANCEL, message.id)
        request = self.requests.get(message.id)
        if request is None:
            return              # its COMPLETE is on the way, or it is void
        submit = request.submit
        self._answer(request, Answer.CANCELLED, Complete(
            id=submit.id, attachment=submit.attachment, epoch=submit.epoch,
            status=Status.CANCELLED,
            length=0 if submit.is_in() else request.consumed))
        self._events.append(Cancelled(request))

    # helpers

    def _is_live(self, message: Message) -> bool:
        """Whether it is about what is plugged in now."""
        return (message.attachment == self.attachment
                and self.state is State.ATTACHED)

    def _check_limits(self, new: Submit) -> None:
        """
        QEMU promised not to have more than this in flight; endpoint 0 has
        one request at most, which does not count.
        """
        limits, same = self.limits, self._on_endpoint[new.endpoint]
        if new.type == TransferType.CONTROL:
            ok = same == 0
        else:
            count = len(self.requests) - self._on_endpoint[0]
            ok = (count < limits.max_requests
                  and same < limits.max_per_endpoint
                  and self._bytes + new.length <= limits.max_bytes)
        if not ok:
            raise ProtocolViolation(
                ErrorCode.LIMIT, "more requests or bytes in flight than the "
                "limits allow", Msg.SUBMIT, new.id)

    def _account(self, submit: Submit, count: int) -> None:
        """One request more (1) or less (-1) in flight."""
        self._on_endpoint[submit.endpoint] += count
        if submit.type != TransferType.CONTROL:
            self._bytes += count * submit.length

    def _answer(self, request: Request, answer: Answer,
                message: Complete) -> None:
        data = message.encode()
        del self.requests[request.submit.id]
        self._account(request.submit, -1)
        request.answer = answer
        where = f"0x{request.submit.endpoint:02x}"
        self.counters.completes[where] += 1
        if request.submit.is_in():
            self.counters.bytes_in += message.length
        else:
            self.counters.bytes_out += message.length
        if self.tap is not None:
            self.tap.completed(request.submit, message)
        self._output.append(data)

    def _addressed(self, address: int) -> None:
        if self.tap is not None:
            self.tap.addressed(address)

    def _void_requests(self) -> None:
        for request in self.requests.values():
            request.answer = Answer.VOID
            if self.tap is not None:
                self.tap.completed(request.submit, None)
        self.requests.clear()
        self._on_endpoint.clear()
        self._bytes = 0

    def _send(self, message: Message) -> None:
        self._output.append(message.encode())

    def _close(self, error: Optional[Exception],
               bye: Optional[ByeReason] = None, text: str = "") -> None:
        self._void_requests()
        self.state = State.CLOSED
        self._events.append(Closed(error, bye, text))

    def _need(self, *states: State) -> None:
        if self.state not in states:
            raise LocalError(f"not possible now: {self.state.value}")

    def _step(self, what: Do) -> None:
        after = TRANSITIONS.get((self.state, what))
        if after is None:
            raise LocalError(f"{what.value} is not possible now: "
                             f"{self.state.value}")
        self.state = after

    def _step_remote(self, message: "Message | Preamble",
                     cause: Cause) -> None:
        after = TRANSITIONS.get((self.state, cause))
        if after is None:
            raise self._unexpected(message)
        self.state = after

    def _unexpected(self, message: "Message | Preamble",
                    why: str = "") -> ProtocolViolation:
        number = message.TYPE if isinstance(message, Message) else 0
        id = message.id if isinstance(message, Message) else 0
        why = why or f"in the state '{self.state.value}'"
        return ProtocolViolation(
            ErrorCode.UNEXPECTED,
            f"{type(message).__name__.upper()} {why}", number, id)


HANDLERS: Dict[Type[Message], Callable[..., None]] = {
    Hello: PeerSession._on_hello, Error: PeerSession._on_error,
    Bye: PeerSession._on_bye, Attached: PeerSession._on_attached,
    Detached: PeerSession._on_detached, Reset: PeerSession._on_reset,
    Address: PeerSession._on_address, Vmstate: PeerSession._on_vmstate,
    Submit: PeerSession._on_submit, Cancel: PeerSession._on_cancel,
}
