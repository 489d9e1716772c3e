# SPDX-License-Identifier: MIT
"""
Two families of exceptions: RemoteError is what the other side did,
LocalError is what this program did wrong.
"""

from __future__ import annotations

from typing import Optional

from ._proto import ErrorCode, Msg, Status


class UsbRemoteError(Exception):
    """The base of all exceptions of this package."""


class LocalError(UsbRemoteError):
    """This program misused the package; the connection goes on."""


class RemoteError(UsbRemoteError):
    """QEMU, the guest or whatever is at the socket did it."""


class ProtocolViolation(RemoteError):
    """
    The other side broke the protocol, and was told so with an ERROR.

    code, type and id are those of the ERROR: the reason, the offending
    message's type and the offending request's id, 0 where there is none.
    """

    def __init__(self, code: ErrorCode, text: str,
                 type: int = 0, id: int = 0) -> None:
        super().__init__(text)
        self.code, self.text, self.type, self.id = code, text, type, id


class NotUsbRemote(ProtocolViolation):
    """What arrived first is not this protocol's magic; seen: its bytes."""

    def __init__(self, seen: bytes) -> None:
        shown = printable(seen.split(b"\n")[0][:60].decode("ascii", "replace"))
        readable = any(c.isascii() and c.isalnum() for c in shown)
        said = f": it says {shown!r}" if readable else ""
        super().__init__(ErrorCode.MALFORMED,
                         f"what answers there is not usb-remote{said}")
        self.seen = seen


class VersionMismatch(ProtocolViolation):
    """The other side speaks another version; theirs: (major, minor)."""

    def __init__(self, theirs: "tuple[int, int]", text: str) -> None:
        super().__init__(ErrorCode.VERSION, text)
        self.theirs = theirs


class Refused(RemoteError):
    """QEMU sent ERROR: it does not want us, or we broke the protocol."""

    def __init__(self, code: int, text: str, type: int = 0,
                 id: int = 0) -> None:
        super().__init__(f"QEMU says {name_of(ErrorCode, code)}: {text}"
                         if text else f"QEMU says {name_of(ErrorCode, code)}")
        self.code, self.text, self.type, self.id = code, text, type, id


class ConnectionLost(RemoteError):
    """The connection ended without a BYE or an ERROR."""


class TransferAborted(RemoteError):
    """
    The endpoint that was waited for is gone: bus reset, another
    configuration or interface setting, or unplugged.
    """


class TransferEnded(RemoteError):
    """
    A short packet came before as many bytes as read_exactly() wants.

    data: the bytes of the transfer that came so far.
    """

    def __init__(self, data: bytes, wanted: int) -> None:
        super().__init__(f"the transfer ended after {len(data)} bytes, "
                         f"{wanted} were expected")
        self.data = data


class Stall(UsbRemoteError):
    """Raised by a control handler: answer with STALL, knowingly."""


class Unhandled(Stall):
    """Nobody answers this request; it is stalled and remembered."""


class Fail(UsbRemoteError):
    """
    Raised by a control handler: answer with this status and data.

    Any status; data for a request that reads, none with NAK.
    """

    def __init__(self, status: Status, data: bytes = b"") -> None:
        super().__init__(f"answer with {status.name}")
        self.status, self.data = status, data


def name_of(kind: type, value: int) -> str:
    """The name of an enum's value, or the number where it has none."""
    try:
        return str(kind(value).name)
    except ValueError:
        return str(value)


def message_name(type: int) -> str:
    """For logs: the name of a message type, known or not."""
    name = name_of(Msg, type)
    return f"message 0x{type:04x}" if name.isdigit() else name


def printable(text: Optional[str]) -> str:
    """Text of the other side, safe for a terminal, on one line."""
    return "".join(c if c.isprintable() else "?" for c in text or "").strip()
