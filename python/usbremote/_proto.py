# SPDX-License-Identifier: MIT
# Made by scripts/gen-proto from hw/usb/remote-proto.h: do not edit.
"""The wire format's constants and layouts; the header says what they mean."""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import NamedTuple, Tuple


class Field(NamedTuple):
    """One member of a struct; is_bytes: not a little-endian integer."""

    name: str
    offset: int
    size: int
    is_bytes: bool


class Layout(NamedTuple):
    """A struct; format is struct.Struct's and skips reserved members."""

    name: str
    size: int
    format: str
    fields: Tuple[Field, ...]


class MessageInfo(NamedTuple):
    """A row of the message table; sender: QEMU, PEER or BOTH."""

    name: str
    type: int
    sender: str
    layout: Layout
    tail: str


MAGIC = b"usbrem\r\n"
MAJOR = 0
MINOR = 1

MAX_PACKET = 1024
MIN_PAYLOAD = 8192
MAX_PAYLOAD = 1048576
MIN_CONTROL = 64
MAX_CONTROL = 4096
MAX_REQUESTS = 1024
MAX_BYTES = 16777216
MAX_NAME = 256
MAX_SELECT = 1024
MAX_TEXT = 512
MAX_ENDPOINTS = 30
MAX_GAP_MS = 60000
DEFAULT_GAP_MS = 200


class HeaderFlag(IntFlag):
    """USB_REMOTE_FLAG_*."""

    OPTIONAL = 0x0001


class Msg(IntEnum):
    """USB_REMOTE_MSG_*."""

    HELLO = 0x0001
    ERROR = 0x0002
    BYE = 0x0003
    ATTACH = 0x0010
    ATTACHED = 0x0011
    DETACH = 0x0012
    DETACHED = 0x0013
    RESET = 0x0020
    ADDRESS = 0x0021
    VMSTATE = 0x0022
    WAKEUP = 0x0028
    READY = 0x0029
    SUBMIT = 0x0030
    COMPLETE = 0x0031
    CANCEL = 0x0032


class Range(IntEnum):
    """USB_REMOTE_RANGE_*."""

    SUSPEND_FIRST = 0x0024
    SUSPEND_LAST = 0x0027
    STREAMS_FIRST = 0x0038
    STREAMS_LAST = 0x003f
    ISO_FIRST = 0x0040
    ISO_LAST = 0x004f
    SHM_FIRST = 0x0050
    SHM_LAST = 0x005f
    RECONNECT_FIRST = 0x0060
    RECONNECT_LAST = 0x006f
    PRIVATE_FIRST = 0xf000
    PRIVATE_LAST = 0xffff


class Feature(IntFlag):
    """USB_REMOTE_FEATURE_*."""

    ISO = 0x01
    STREAMS = 0x02
    SHM = 0x04
    SUSPEND = 0x08
    RECONNECT = 0x10


class ErrorCode(IntEnum):
    """USB_REMOTE_ERROR_*."""

    NONE = 0
    VERSION = 1
    MALFORMED = 2
    UNEXPECTED = 3
    UNKNOWN_TYPE = 4
    UNKNOWN_ID = 5
    LIMIT = 6
    TIMEOUT = 7
    REFUSED = 8
    INTERNAL = 9


class ByeReason(IntEnum):
    """USB_REMOTE_BYE_*."""

    DONE = 0
    REMOVED = 1


class AttachFlag(IntFlag):
    """USB_REMOTE_ATTACH_*."""

    ENDPOINTS = 0x0001


class Speed(IntEnum):
    """USB_REMOTE_SPEED_*."""

    LOW = 0
    FULL = 1
    HIGH = 2
    SUPER = 3


class AddressPolicy(IntEnum):
    """USB_REMOTE_ADDRESS_*."""

    ACCEPT = 0
    STALL = 1
    IOERROR = 2
    SILENCE = 3


class TransferType(IntEnum):
    """USB_REMOTE_TYPE_*."""

    CONTROL = 0
    ISO = 1
    BULK = 2
    INTERRUPT = 3


class AttachedResult(IntEnum):
    """USB_REMOTE_ATTACHED_*."""

    OK = 0
    NO_SPEED = 1
    REFUSED = 2


class SubmitFlag(IntFlag):
    """USB_REMOTE_SUBMIT_*."""

    SHORT_NOT_OK = 0x0001
    MORE = 0x0002
    RETRY = 0x0004


class Place(IntEnum):
    """USB_REMOTE_PLACE_*."""

    INLINE = 0
    REGION = 1


class CompleteFlag(IntFlag):
    """USB_REMOTE_COMPLETE_*."""

    ENDPOINTS = 0x0001


class Status(IntEnum):
    """USB_REMOTE_STATUS_*."""

    OK = 0
    STALL = 1
    NAK = 2
    BABBLE = 3
    IOERROR = 4
    NODEV = 5
    CANCELLED = 6


LAYOUT_PREAMBLE = Layout(
    "UsbRemotePreamble", 16, "<8sHH4x", (
        Field("magic", 0, 8, True),
        Field("major", 8, 2, False),
        Field("minor", 10, 2, False),
        Field("reserved", 12, 4, False),
    ))

LAYOUT_HEADER = Layout(
    "UsbRemoteHeader", 24, "<HHIQII", (
        Field("type", 0, 2, False),
        Field("flags", 2, 2, False),
        Field("length", 4, 4, False),
        Field("id", 8, 8, False),
        Field("attachment", 16, 4, False),
        Field("epoch", 20, 4, False),
    ))

LAYOUT_HELLO = Layout(
    "UsbRemoteHello", 56, "<QIIIII4x16sHHH2x", (
        Field("features", 0, 8, False),
        Field("max_payload", 8, 4, False),
        Field("max_control", 12, 4, False),
        Field("max_requests", 16, 4, False),
        Field("max_per_endpoint", 20, 4, False),
        Field("max_bytes", 24, 4, False),
        Field("reserved", 28, 4, False),
        Field("session", 32, 16, True),
        Field("name_length", 48, 2, False),
        Field("id_length", 50, 2, False),
        Field("select_length", 52, 2, False),
        Field("reserved2", 54, 2, False),
    ))

LAYOUT_ERROR_MSG = Layout(
    "UsbRemoteErrorMsg", 8, "<IH2x", (
        Field("code", 0, 4, False),
        Field("type", 4, 2, False),
        Field("reserved", 6, 2, False),
    ))

LAYOUT_BYE = Layout(
    "UsbRemoteBye", 8, "<I4x", (
        Field("reason", 0, 4, False),
        Field("reserved", 4, 4, False),
    ))

LAYOUT_ATTACH = Layout(
    "UsbRemoteAttach", 16, "<BBHIH6x", (
        Field("speeds", 0, 1, False),
        Field("address_policy", 1, 1, False),
        Field("flags", 2, 2, False),
        Field("gap_ms", 4, 4, False),
        Field("endpoint_count", 8, 2, False),
        Field("reserved", 10, 6, True),
    ))

LAYOUT_ENDPOINT = Layout(
    "UsbRemoteEndpoint", 8, "<BBHBBB1x", (
        Field("address", 0, 1, False),
        Field("type", 1, 1, False),
        Field("max_packet", 2, 2, False),
        Field("interval", 4, 1, False),
        Field("interface", 5, 1, False),
        Field("max_streams", 6, 1, False),
        Field("reserved", 7, 1, False),
    ))

LAYOUT_ATTACHED = Layout(
    "UsbRemoteAttached", 8, "<BB6x", (
        Field("result", 0, 1, False),
        Field("speed", 1, 1, False),
        Field("reserved", 2, 6, True),
    ))

LAYOUT_DETACH = Layout(
    "UsbRemoteDetach", 8, "<8x", (
        Field("reserved", 0, 8, False),
    ))

LAYOUT_DETACHED = Layout(
    "UsbRemoteDetached", 8, "<8x", (
        Field("reserved", 0, 8, False),
    ))

LAYOUT_RESET = Layout(
    "UsbRemoteReset", 8, "<B7x", (
        Field("speed", 0, 1, False),
        Field("reserved", 1, 7, True),
    ))

LAYOUT_ADDRESS = Layout(
    "UsbRemoteAddress", 8, "<B7x", (
        Field("address", 0, 1, False),
        Field("reserved", 1, 7, True),
    ))

LAYOUT_VMSTATE = Layout(
    "UsbRemoteVmstate", 8, "<B7x", (
        Field("running", 0, 1, False),
        Field("reserved", 1, 7, True),
    ))

LAYOUT_WAKEUP = Layout(
    "UsbRemoteWakeup", 8, "<8x", (
        Field("reserved", 0, 8, False),
    ))

LAYOUT_READY = Layout(
    "UsbRemoteReady", 8, "<B7x", (
        Field("endpoint", 0, 1, False),
        Field("reserved", 1, 7, True),
    ))

LAYOUT_SUBMIT = Layout(
    "UsbRemoteSubmit", 32, "<BBHHBBI4xQ8s", (
        Field("endpoint", 0, 1, False),
        Field("type", 1, 1, False),
        Field("flags", 2, 2, False),
        Field("stream", 4, 2, False),
        Field("place", 6, 1, False),
        Field("region", 7, 1, False),
        Field("length", 8, 4, False),
        Field("reserved", 12, 4, False),
        Field("offset", 16, 8, False),
        Field("setup", 24, 8, True),
    ))

LAYOUT_COMPLETE = Layout(
    "UsbRemoteComplete", 24, "<BBHIHB5xQ", (
        Field("status", 0, 1, False),
        Field("place", 1, 1, False),
        Field("flags", 2, 2, False),
        Field("length", 4, 4, False),
        Field("endpoint_count", 8, 2, False),
        Field("region", 10, 1, False),
        Field("reserved", 11, 5, True),
        Field("offset", 16, 8, False),
    ))

LAYOUT_CANCEL = Layout(
    "UsbRemoteCancel", 8, "<8x", (
        Field("reserved", 0, 8, False),
    ))

LAYOUTS = {layout.name: layout for layout in (
    LAYOUT_PREAMBLE,
    LAYOUT_HEADER,
    LAYOUT_HELLO,
    LAYOUT_ERROR_MSG,
    LAYOUT_BYE,
    LAYOUT_ATTACH,
    LAYOUT_ENDPOINT,
    LAYOUT_ATTACHED,
    LAYOUT_DETACH,
    LAYOUT_DETACHED,
    LAYOUT_RESET,
    LAYOUT_ADDRESS,
    LAYOUT_VMSTATE,
    LAYOUT_WAKEUP,
    LAYOUT_READY,
    LAYOUT_SUBMIT,
    LAYOUT_COMPLETE,
    LAYOUT_CANCEL,
)}

MESSAGES = {info.type: info for info in (
    MessageInfo("HELLO", 0x0001, "BOTH",
                LAYOUT_HELLO, "STRINGS"),
    MessageInfo("ERROR", 0x0002, "BOTH",
                LAYOUT_ERROR_MSG, "TEXT"),
    MessageInfo("BYE", 0x0003, "BOTH",
                LAYOUT_BYE, "TEXT"),
    MessageInfo("ATTACH", 0x0010, "PEER",
                LAYOUT_ATTACH, "TABLE"),
    MessageInfo("ATTACHED", 0x0011, "QEMU",
                LAYOUT_ATTACHED, "TEXT"),
    MessageInfo("DETACH", 0x0012, "PEER",
                LAYOUT_DETACH, "NONE"),
    MessageInfo("DETACHED", 0x0013, "QEMU",
                LAYOUT_DETACHED, "NONE"),
    MessageInfo("RESET", 0x0020, "QEMU",
                LAYOUT_RESET, "NONE"),
    MessageInfo("ADDRESS", 0x0021, "QEMU",
                LAYOUT_ADDRESS, "NONE"),
    MessageInfo("VMSTATE", 0x0022, "QEMU",
                LAYOUT_VMSTATE, "NONE"),
    MessageInfo("WAKEUP", 0x0028, "PEER",
                LAYOUT_WAKEUP, "NONE"),
    MessageInfo("READY", 0x0029, "PEER",
                LAYOUT_READY, "NONE"),
    MessageInfo("SUBMIT", 0x0030, "QEMU",
                LAYOUT_SUBMIT, "DATA"),
    MessageInfo("COMPLETE", 0x0031, "PEER",
                LAYOUT_COMPLETE, "DATA_TABLE"),
    MessageInfo("CANCEL", 0x0032, "QEMU",
                LAYOUT_CANCEL, "NONE"),
)}
