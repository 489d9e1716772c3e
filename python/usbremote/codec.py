# SPDX-License-Identifier: MIT
"""
Bytes to messages and back: no I/O, no state but the bytes not yet used.

Judges what arrives just as hw/usb/remote-codec.h does, with the same error
codes; docs/usb-remote.rst has the meaning of each message.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, fields
from typing import (Any, Callable, ClassVar, Dict, Iterator, Optional, Tuple,
                    Type, TypeVar, cast)

from . import _proto
from ._proto import (AddressPolicy, AttachedResult, AttachFlag, CompleteFlag,
                     ErrorCode, HeaderFlag, MessageInfo, Msg, Place, Speed,
                     Status, TransferType)
from .errors import (LocalError, NotUsbRemote, ProtocolViolation,
                     VersionMismatch, message_name)
from .setup import Standard

QEMU = "QEMU"
PEER = "PEER"

_HEADER = struct.Struct(_proto.LAYOUT_HEADER.format)
_PREAMBLE = struct.Struct(_proto.LAYOUT_PREAMBLE.format)
_ENDPOINT = struct.Struct(_proto.LAYOUT_ENDPOINT.format)
_STRUCTS = {name: struct.Struct(layout.format)
            for name, layout in _proto.LAYOUTS.items()}
_MEMBERS = {name: tuple(f.name for f in layout.fields
                        if not f.name.startswith("reserved"))
            for name, layout in _proto.LAYOUTS.items()}

# bmRequestType and bRequest of those whose answer may bring a table
TABLE_REQUESTS = ((0x00, Standard.SET_CONFIGURATION),
                  (0x01, Standard.SET_INTERFACE))

T = TypeVar("T")


def _slotted(cls: Type[T]) -> Type[T]:
    """Give a dataclass __slots__, as dataclass(slots=True) of 3.10 does."""
    inherited = {name for base in cls.__mro__[1:]
                 for name in getattr(base, "__slots__", ())}
    names = [f.name for f in fields(cast(Any, cls))]
    space = {name: value for name, value in vars(cls).items()
             if name not in (*names, "__dict__", "__weakref__")}
    space["__slots__"] = tuple(n for n in names if n not in inherited)
    slotted: Type[T] = type(cls.__name__, cls.__bases__, space)
    return slotted


@_slotted
@dataclass(frozen=True)
class Limits:
    """What HELLO negotiates; bytes and requests, see UsbRemoteHello."""

    features: int = 0
    max_payload: int = _proto.MAX_PAYLOAD
    max_control: int = _proto.MAX_CONTROL
    max_requests: int = 256
    max_per_endpoint: int = 64
    max_bytes: int = 8 << 20

    def join(self, hello: "Hello") -> "Limits":
        """
        The smaller of both limits, a control stage no larger than a
        payload, and the features that both have.
        """
        payload = min(self.max_payload, hello.max_payload)
        return Limits(
            self.features & hello.features, payload,
            min(self.max_control, hello.max_control, payload),
            min(self.max_requests, hello.max_requests),
            min(self.max_per_endpoint, hello.max_per_endpoint),
            min(self.max_bytes, hello.max_bytes))


@_slotted
@dataclass(frozen=True)
class EndpointEntry:
    """
    An entry of an endpoint table, as in an endpoint descriptor (USB 2.0
    section 9.6.6): address 0x01-0x0f or 0x81-0x8f, type not CONTROL,
    max_packet 16 bits with a packet size that is not 0, interface 0-15.
    """

    address: int = 0
    type: int = TransferType.BULK
    max_packet: int = 0
    interval: int = 0
    interface: int = 0
    max_streams: int = 0

    def valid(self) -> bool:
        """Whether it may be in a table."""
        return bool(self.address & 0x0f and not self.address & 0x70
                    and TransferType.ISO <= self.type <= TransferType.INTERRUPT
                    and self.max_packet & 0x7ff
                    and self.interface <= 15 and self.max_streams <= 16)


@_slotted
@dataclass(frozen=True)
class Preamble:
    """The first 16 bytes of each direction."""

    major: int = _proto.MAJOR
    minor: int = _proto.MINOR

    def encode(self) -> bytes:
        return _PREAMBLE.pack(_proto.MAGIC, self.major, self.minor)


@_slotted
@dataclass(frozen=True)
class Message:
    """What every message has; id is 0 but in SUBMIT, COMPLETE, CANCEL."""

    TYPE: ClassVar[Msg]

    id: int = 0
    attachment: int = 0
    epoch: int = 0

    def tail(self) -> bytes:
        """What follows the fixed part."""
        return b""

    def values(self) -> Dict[str, Any]:
        """Members of the fixed part that are not attributes of that name."""
        return {}

    def encode(self) -> bytes:
        """
        The message as it goes over the wire.

        Raises LocalError when a field has a value that no message may have.
        """
        body = self.encode_body()
        header = _HEADER.pack(self.TYPE, 0, len(body), self.id,
                              self.attachment, self.epoch)
        try:
            _check_body(self.TYPE, self.id, body, _NO_LIMITS)
        except ProtocolViolation as err:
            raise LocalError(f"cannot send this: {err}") from None
        return header + body

    def encode_body(self) -> bytes:
        """Fixed part and tail; raises LocalError when a value does not fit."""
        layout = _proto.MESSAGES[self.TYPE].layout
        special = self.values()
        values = [special[name] if name in special else getattr(self, name)
                  for name in _MEMBERS[layout.name]]
        try:
            return _STRUCTS[layout.name].pack(*values) + self.tail()
        except struct.error as err:
            raise LocalError(f"{self.TYPE.name}: {err}") from None


@_slotted
@dataclass(frozen=True)
class Hello(Message):
    """Limits in bytes and requests; device_id and select are QEMU's."""

    TYPE = Msg.HELLO

    features: int = 0
    max_payload: int = _proto.MAX_PAYLOAD
    max_control: int = _proto.MAX_CONTROL
    max_requests: int = 256
    max_per_endpoint: int = 64
    max_bytes: int = 8 << 20
    session: bytes = bytes(16)
    name: str = ""
    device_id: str = ""
    select: str = ""

    def strings(self) -> Tuple[bytes, bytes, bytes]:
        return (self.name.encode(), self.device_id.encode(),
                self.select.encode())

    def values(self) -> Dict[str, Any]:
        name, device_id, select = self.strings()
        return {"name_length": len(name), "id_length": len(device_id),
                "select_length": len(select)}

    def tail(self) -> bytes:
        return b"".join(self.strings())


@_slotted
@dataclass(frozen=True)
class Error(Message):
    """The receiver broke the protocol; type: the offending message's."""

    TYPE = Msg.ERROR

    code: int = ErrorCode.NONE
    type: int = 0
    text: str = ""

    def tail(self) -> bytes:
        return _cut_text(self.text)


@_slotted
@dataclass(frozen=True)
class Bye(Message):
    """An orderly end; reason: ByeReason."""

    TYPE = Msg.BYE

    reason: int = 0
    text: str = ""

    def tail(self) -> bytes:
        return _cut_text(self.text)


@_slotted
@dataclass(frozen=True)
class Attach(Message):
    """
    Plug in: speeds is a set of 1 << Speed, gap_ms the least time unplugged
    before, endpoints the override table or None.
    """

    TYPE = Msg.ATTACH

    speeds: int = 1 << Speed.FULL
    address_policy: int = AddressPolicy.ACCEPT
    gap_ms: int = _proto.DEFAULT_GAP_MS
    endpoints: Optional[Tuple[EndpointEntry, ...]] = None

    def values(self) -> Dict[str, Any]:
        return _table_values(self.endpoints, AttachFlag.ENDPOINTS)

    def tail(self) -> bytes:
        return _encode_table(self.endpoints)


@_slotted
@dataclass(frozen=True)
class Attached(Message):
    """The answer to ATTACH; speed counts with result OK only."""

    TYPE = Msg.ATTACHED

    result: int = AttachedResult.OK
    speed: int = Speed.FULL
    text: str = ""

    def tail(self) -> bytes:
        return _cut_text(self.text)


@_slotted
@dataclass(frozen=True)
class Detach(Message):
    """Unplug."""

    TYPE = Msg.DETACH


@_slotted
@dataclass(frozen=True)
class Detached(Message):
    """This attachment and all before it are unplugged."""

    TYPE = Msg.DETACHED


@_slotted
@dataclass(frozen=True)
class Reset(Message):
    """The guest reset the bus; epoch is the new one."""

    TYPE = Msg.RESET

    speed: int = Speed.FULL


@_slotted
@dataclass(frozen=True)
class Address(Message):
    """The guest gave the device this address, 0-127."""

    TYPE = Msg.ADDRESS

    address: int = 0


@_slotted
@dataclass(frozen=True)
class Vmstate(Message):
    """The machine stopped (running 0) or runs again (1)."""

    TYPE = Msg.VMSTATE

    running: int = 0


@_slotted
@dataclass(frozen=True)
class Wakeup(Message):
    """Remote wakeup signalling (USB 2.0 section 9.1.1.6)."""

    TYPE = Msg.WAKEUP


@_slotted
@dataclass(frozen=True)
class Ready(Message):
    """An endpoint that answered nak wants to be asked again."""

    TYPE = Msg.READY

    endpoint: int = 0


@_slotted
@dataclass(frozen=True)
class Submit(Message):
    """One request: length bytes wanted, or those in data given."""

    TYPE = Msg.SUBMIT

    endpoint: int = 0
    type: int = TransferType.CONTROL
    flags: int = 0
    stream: int = 0
    place: int = Place.INLINE
    region: int = 0
    length: int = 0
    offset: int = 0
    setup: bytes = bytes(8)
    data: bytes = b""

    def is_in(self) -> bool:
        """Whether data goes to the guest (USB 2.0 table 9-2 for control)."""
        if self.type == TransferType.CONTROL:
            return bool(self.setup[0] & 0x80)
        return bool(self.endpoint & 0x80)

    def takes_table(self) -> bool:
        """Whether its answer may bring an endpoint table."""
        return self.type == TransferType.CONTROL and (
            tuple(self.setup[:2]) in TABLE_REQUESTS)

    def tail(self) -> bytes:
        return self.data


@_slotted
@dataclass(frozen=True)
class Complete(Message):
    """
    The one answer to a SUBMIT: length bytes given (then they are in data)
    or consumed; endpoints is the override table or None.
    """

    TYPE = Msg.COMPLETE

    status: int = Status.OK
    place: int = Place.INLINE
    length: int = 0
    region: int = 0
    offset: int = 0
    data: bytes = b""
    endpoints: Optional[Tuple[EndpointEntry, ...]] = None

    def values(self) -> Dict[str, Any]:
        return _table_values(self.endpoints, CompleteFlag.ENDPOINTS)

    def tail(self) -> bytes:
        return self.data + _encode_table(self.endpoints)


@_slotted
@dataclass(frozen=True)
class Cancel(Message):
    """The request is no longer wanted; it must still be answered."""

    TYPE = Msg.CANCEL


_ALL: Tuple[Type[Message], ...] = (
    Hello, Error, Bye, Attach, Attached, Detach, Detached, Reset, Address,
    Vmstate, Wakeup, Ready, Submit, Complete, Cancel)
CLASSES: Dict[int, Type[Message]] = {cls.TYPE: cls for cls in _ALL}


def _cut_text(text: str) -> bytes:
    """UTF-8 of at most MAX_TEXT bytes, without NUL, cut at a character."""
    data = text.replace("\0", "?").encode("utf-8", "replace")
    return data[:_proto.MAX_TEXT].decode("utf-8", "ignore").encode()


def _table_values(table: Optional[Tuple[EndpointEntry, ...]],
                  flag: int) -> Dict[str, Any]:
    return {"flags": 0 if table is None else int(flag),
            "endpoint_count": len(table or ())}


def _encode_table(table: Optional[Tuple[EndpointEntry, ...]]) -> bytes:
    return b"".join(_ENDPOINT.pack(e.address, e.type, e.max_packet,
                                   e.interval, e.interface, e.max_streams)
                    for e in table or ())


def _decode_table(data: bytes) -> Tuple[EndpointEntry, ...]:
    return tuple(EndpointEntry(*values)
                 for values in _ENDPOINT.iter_unpack(data))


# What arrives

def version_ok(preamble: Preamble) -> bool:
    """While the major number is 0 the minor must match too."""
    return preamble.major == _proto.MAJOR and (
        _proto.MAJOR != 0 or preamble.minor == _proto.MINOR)


def max_length(info: MessageInfo, limits: Limits) -> int:
    """The longest body in bytes that a message may have."""
    table = _proto.MAX_ENDPOINTS * _proto.LAYOUT_ENDPOINT.size
    return info.layout.size + {
        "NONE": 0, "TEXT": _proto.MAX_TEXT,
        "STRINGS": 2 * _proto.MAX_NAME + _proto.MAX_SELECT,
        "TABLE": table, "DATA": limits.max_payload,
        "DATA_TABLE": limits.max_payload + table}[info.tail]


def _check_header(type: int, flags: int, length: int, sender: str,
                  limits: Limits) -> Optional[MessageInfo]:
    """
    Judge a header before its body is there; None: skip that message.

    Raises ProtocolViolation.
    """
    info = _proto.MESSAGES.get(type)
    if info is None:
        if not flags & HeaderFlag.OPTIONAL:
            raise _violation(ErrorCode.UNKNOWN_TYPE, type, "is not known")
        if length > limits.max_payload:
            raise _violation(ErrorCode.LIMIT, type,
                             f"is {length} bytes long, at most "
                             f"{limits.max_payload} may be")
        return None
    if info.sender not in (sender, "BOTH"):
        raise _violation(ErrorCode.UNEXPECTED, type, "goes the other way")
    if length < info.layout.size:
        raise _violation(ErrorCode.MALFORMED, type,
                         f"is {length} bytes long, its fixed part has "
                         f"{info.layout.size}")
    if length > max_length(info, limits):
        code = (ErrorCode.MALFORMED if info.tail == "NONE"
                else ErrorCode.LIMIT)
        raise _violation(code, type, f"is {length} bytes long, at most "
                                     f"{max_length(info, limits)} may be")
    return info


def _violation(code: ErrorCode, type: int, text: str) -> ProtocolViolation:
    return ProtocolViolation(code, f"{message_name(type)} {text}")


def _text_ok(data: bytes) -> bool:
    """Well-formed UTF-8 without NUL."""
    try:
        return "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _table_ok(data: bytes) -> bool:
    """Every entry valid, no address twice."""
    table = _decode_table(data)
    return (all(e.valid() for e in table)
            and len({e.address for e in table}) == len(table))


def _fixed(type: int, body: bytes) -> Dict[str, Any]:
    """The fixed part's members by name, without the reserved ones."""
    layout = _proto.MESSAGES[type].layout
    values = _STRUCTS[layout.name].unpack_from(body)
    return dict(zip(_MEMBERS[layout.name], values))


def _check_hello(m: Dict[str, Any], rest: bytes, _: Limits) -> ErrorCode:
    lengths = (m["name_length"], m["id_length"], m["select_length"])
    ok = (max(lengths[:2]) <= _proto.MAX_NAME
          and lengths[2] <= _proto.MAX_SELECT and len(rest) == sum(lengths)
          and m["max_payload"] >= _proto.MIN_PAYLOAD
          and m["max_control"] >= _proto.MIN_CONTROL
          and m["max_requests"] > 0 and m["max_per_endpoint"] > 0
          and m["max_bytes"] >= m["max_payload"])
    return _malformed_unless(ok and all(map(_text_ok, _split(rest, lengths))))


def _check_attach(m: Dict[str, Any], rest: bytes, _: Limits) -> ErrorCode:
    count = m["endpoint_count"]
    return _malformed_unless(
        len(rest) == count * _ENDPOINT.size
        and (not count or bool(m["flags"] & AttachFlag.ENDPOINTS))
        and 0 < m["speeds"] <= 0x0f
        and m["address_policy"] <= AddressPolicy.SILENCE
        and m["gap_ms"] <= _proto.MAX_GAP_MS and _table_ok(rest))


def _check_attached(m: Dict[str, Any], rest: bytes, _: Limits) -> ErrorCode:
    return _malformed_unless(m["result"] <= AttachedResult.REFUSED
                             and m["speed"] <= Speed.SUPER)


def _check_submit(m: Dict[str, Any], rest: bytes,
                  limits: Limits) -> ErrorCode:
    control = m["type"] == TransferType.CONTROL
    length, setup, address = m["length"], m["setup"], m["endpoint"]
    is_in = bool((setup[0] if control else address) & 0x80)
    if length > (limits.max_control if control else limits.max_payload):
        return ErrorCode.LIMIT
    return _malformed_unless(
        len(rest) == (0 if is_in else length)
        and m["type"] <= TransferType.INTERRUPT
        and not address & 0x70 and m["place"] == Place.INLINE
        and control == (address & 0x0f == 0)
        and not (control and address)
        and (not control or int.from_bytes(setup[6:], "little") == length))


def _check_complete(m: Dict[str, Any], rest: bytes,
                    limits: Limits) -> ErrorCode:
    count, length = m["endpoint_count"], m["length"]
    table = count * _ENDPOINT.size
    if length > limits.max_payload or count > _proto.MAX_ENDPOINTS:
        return ErrorCode.LIMIT
    return _malformed_unless(
        m["status"] <= Status.CANCELLED and m["place"] == Place.INLINE
        and (not count or bool(m["flags"] & CompleteFlag.ENDPOINTS))
        and not (m["status"] == Status.NAK and length)
        and len(rest) in (table, table + length)
        and _table_ok(rest[len(rest) - table:]))


def _malformed_unless(ok: bool) -> ErrorCode:
    return ErrorCode.NONE if ok else ErrorCode.MALFORMED


def _small(name: str, allowed: Callable[[int], bool]) -> "_Check":
    """A check of one member of the fixed part."""
    return lambda m, rest, limits: _malformed_unless(allowed(m[name]))


_Check = Callable[[Dict[str, Any], bytes, Limits], ErrorCode]
_CHECKS: Dict[int, _Check] = {
    Msg.HELLO: _check_hello,
    Msg.ATTACH: _check_attach,
    Msg.ATTACHED: _check_attached,
    Msg.RESET: _small("speed", lambda v: v <= Speed.SUPER),
    Msg.ADDRESS: _small("address", lambda v: v <= 127),
    Msg.VMSTATE: _small("running", lambda v: v <= 1),
    Msg.READY: _small("endpoint", lambda v: not v & 0x70 and v != 0x80),
    Msg.SUBMIT: _check_submit,
    Msg.COMPLETE: _check_complete,
}
_WITH_ID = (Msg.SUBMIT, Msg.CANCEL, Msg.COMPLETE)
_NO_LIMITS = Limits()


def _check_body(type: int, id: int, body: bytes, limits: Limits) -> None:
    """Judge a body whose header was judged; raises ProtocolViolation."""
    if type != Msg.ERROR and (id != 0) != (type in _WITH_ID):
        raise _violation(ErrorCode.MALFORMED, type, f"with the id {id}")
    check = _CHECKS.get(type)
    if check is None:
        return
    size = _proto.MESSAGES[type].layout.size
    code = check(_fixed(type, body), body[size:], limits)
    if code == ErrorCode.LIMIT:
        raise _violation(code, type, "asks for more than the limits allow")
    if code != ErrorCode.NONE:
        raise _violation(code, type, "has a length or value that it may not "
                                     "have")


def _split(data: bytes, lengths: Tuple[int, ...]) -> Iterator[bytes]:
    at = 0
    for length in lengths:
        yield data[at:at + length]
        at += length


def _decode(type: int, head: Tuple[int, int, int], body: bytes) -> Message:
    """A message that passed every check."""
    info = _proto.MESSAGES[type]
    m = _fixed(type, body)
    rest = body[info.layout.size:]
    m.update(zip(("id", "attachment", "epoch"), head))
    if info.tail == "TEXT":
        m["text"] = rest.decode("utf-8", "replace")
    elif info.tail == "STRINGS":
        lengths = tuple(m.pop(n) for n in ("name_length", "id_length",
                                           "select_length"))
        texts = (part.decode() for part in _split(rest, lengths))
        m.update(zip(("name", "device_id", "select"), texts))
    elif info.tail == "DATA":
        m["data"] = rest
    elif info.tail in ("TABLE", "DATA_TABLE"):
        flag = m.pop("flags") & AttachFlag.ENDPOINTS
        at = len(rest) - m.pop("endpoint_count") * _ENDPOINT.size
        m["endpoints"] = _decode_table(rest[at:]) if flag else None
        if info.tail == "DATA_TABLE":
            m["data"] = rest[:at]
    return CLASSES[type](**m)


class Decoder:
    """
    Bytes of one direction in, messages out, however the bytes are cut.

    sender is the end that sent them, QEMU or PEER.  limits are to be
    replaced when the HELLOs are known.  While may_skip is false, as it has
    to be before HELLO, a message that could be skipped is UNEXPECTED.  After
    an exception the decoder is of no further use.
    """

    def __init__(self, sender: str) -> None:
        self.sender = sender
        self.limits = Limits()
        self.preamble: Optional[Preamble] = None
        self.may_skip = True
        self.skipped = 0
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Take any number of bytes."""
        self._buffer += data

    def pending(self) -> bytes:
        """The bytes that make no whole message yet."""
        return bytes(self._buffer)

    def next(self) -> "Optional[Preamble | Message]":
        """
        The next preamble or message, or None until more bytes are fed.

        Raises ProtocolViolation as soon as the bytes cannot become a
        message; its subclass NotUsbRemote for a wrong magic and
        VersionMismatch for a version that is not ours.
        """
        if self.preamble is None:
            return self._next_preamble()
        while len(self._buffer) >= _HEADER.size:
            type, flags, length, *head = _HEADER.unpack_from(self._buffer)
            try:
                info = _check_header(type, flags, length, self.sender,
                                     self.limits)
                if info is None and not self.may_skip:
                    raise ProtocolViolation(ErrorCode.UNEXPECTED,
                                            "HELLO has to be the first")
                if len(self._buffer) < _HEADER.size + length:
                    return None
                body = bytes(self._buffer[_HEADER.size:_HEADER.size + length])
                del self._buffer[:_HEADER.size + length]
                if info is None:
                    self.skipped += 1
                    continue
                _check_body(type, head[0], body, self.limits)
            except ProtocolViolation as err:
                err.type, err.id = type, head[0]
                raise
            return _decode(type, (head[0], head[1], head[2]), body)
        return None

    def _next_preamble(self) -> Optional[Preamble]:
        start = bytes(self._buffer[:len(_proto.MAGIC)])
        if not _proto.MAGIC.startswith(start):
            raise NotUsbRemote(bytes(self._buffer[:64]))
        if len(self._buffer) < _PREAMBLE.size:
            return None
        _, major, minor = _PREAMBLE.unpack_from(self._buffer)
        del self._buffer[:_PREAMBLE.size]
        self.preamble = Preamble(major, minor)
        if not version_ok(self.preamble):
            raise VersionMismatch(
                (major, minor),
                f"the other side speaks version {major}.{minor} of usb-remote,"
                f" this is {_proto.MAJOR}.{_proto.MINOR}")
        return self.preamble


def check_answer(answer: Complete, submit: Submit) -> None:
    """
    Judge a COMPLETE against its request: its direction, the bytes asked
    for, whether it may carry an endpoint table.  Raises ProtocolViolation.
    """
    is_in = submit.is_in()
    ok = (len(answer.data) == (answer.length if is_in else 0)
          and (is_in or answer.length <= submit.length)
          and not (is_in and answer.length
                   and answer.status == Status.CANCELLED)
          and (answer.endpoints is None
               or (submit.takes_table() and answer.status == Status.OK)))
    if not ok:
        raise ProtocolViolation(ErrorCode.MALFORMED,
                                "COMPLETE does not fit its request",
                                Msg.COMPLETE, answer.id)
