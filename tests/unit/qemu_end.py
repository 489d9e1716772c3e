# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU's end of a session in C, with the face of Python's QemuSession."""

import ctypes
import struct
import subprocess
from ctypes import (POINTER, Structure, byref, c_bool, c_char_p, c_int,
                    c_size_t, c_uint, c_uint8, c_uint16, c_uint32, c_uint64,
                    c_void_p)
from dataclasses import replace
from functools import lru_cache

from libusbremote import FLAGS, INCLUDES
from support import ROOT

from usbremote import codec
from usbremote._proto import AttachedResult, ByeReason, ErrorCode, Speed
from usbremote.codec import Decoder, Error, Preamble
from usbremote.errors import NotUsbRemote, ProtocolViolation
from usbremote.testing import QemuSession

HEADER = "<HHIQII"      # UsbRemoteHeader
SOURCE = ROOT / "libusbremote/tests/qemu-end.c"


class Head(Structure):
    _fields_ = [("type", c_uint16), ("flags", c_uint16), ("length", c_uint32),
                ("id", c_uint64), ("attachment", c_uint32),
                ("epoch", c_uint32)]


class Heard(Structure):
    _fields_ = [("head", Head), ("body", c_void_p)]


class QemuSubmit(Structure):
    _fields_ = [("endpoint", c_int), ("type", c_int), ("flags", c_uint),
                ("length", c_uint32), ("setup", c_char_p), ("data", c_char_p)]


# function: what it returns, what it takes
FUNCTIONS = {
    "new": (c_void_p, c_char_p, c_char_p, c_void_p),
    "free": (None, c_void_p),
    "output": (c_void_p, c_void_p, POINTER(c_size_t)),
    "feed": (c_uint32, c_void_p, c_char_p, c_size_t),
    "next": (c_bool, c_void_p, POINTER(Heard)),
    "send": (None, c_void_p, POINTER(Head), c_char_p, c_size_t),
    "attached": (None, c_void_p, c_int, c_int, c_char_p),
    "detached": (None, c_void_p),
    "reset": (None, c_void_p, c_int),
    "address": (None, c_void_p, c_int),
    "vmstate": (None, c_void_p, c_bool),
    "bye": (None, c_void_p, c_uint32),
    "submit": (c_uint64, c_void_p, POINTER(QemuSubmit)),
    "cancel": (None, c_void_p, c_uint64),
    "in_flight": (c_size_t, c_void_p),
    "attachment": (c_uint32, c_void_p),
    "epoch": (c_uint32, c_void_p),
}


@lru_cache(maxsize=None)
def library():
    """Compiled from the source; its functions are typed."""
    path = ROOT / "build/unit/qemu-end.so"
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", *FLAGS, *INCLUDES, "-o", path, SOURCE], check=True)
    lib = ctypes.CDLL(str(path))
    for name, (result, *arguments) in FUNCTIONS.items():
        function = getattr(lib, f"qemu_end_{name}")
        function.restype, function.argtypes = result, arguments
    return lib


class CQemu:
    """A QemuEnd; what is not here is as in QemuSession."""

    def __init__(self, device_id="test", select=""):
        self.end = self._call("new", device_id.encode(), select.encode(),
                              None, end=())
        self.heard = Decoder(codec.PEER)
        self.heard.feed(Preamble().encode())
        self.heard.next()

    def __del__(self):
        self._call("free")

    def _call(self, name, *arguments, end=None):
        end = (self.end,) if end is None else end
        return getattr(library(), f"qemu_end_{name}")(*end, *arguments)

    # bytes

    def data_to_send(self):
        size = c_size_t()
        at = self._call("output", byref(size))
        return ctypes.string_at(at, size.value) if size.value else b""

    def receive(self, data):
        code = self._call("feed", data, len(data))
        messages = list(self._messages())
        if code:
            raise ProtocolViolation(ErrorCode(code), "as the C end has it")
        return messages

    def _messages(self):
        one = Heard()
        while self._call("next", byref(one)):
            head = (getattr(one.head, name) for name, _ in Head._fields_)
            self.heard.feed(struct.pack(HEADER, *head) + ctypes.string_at(
                one.body, one.head.length))
            yield self.heard.next()

    # what QEMU says

    def send(self, message):
        data = message.encode()
        head = struct.unpack_from(HEADER, data)
        body = data[struct.calcsize(HEADER):]
        self._call("send", byref(Head(*head)), body, len(body))

    def attached(self, speed=Speed.FULL, result=AttachedResult.OK, text=""):
        self._call("attached", result, speed, text.encode())

    def detached(self):
        self._call("detached")

    def reset(self, speed=Speed.FULL):
        self._call("reset", speed)

    def submit(self, endpoint, type, length, setup=None, data=None, flags=0):
        return self._call("submit", byref(QemuSubmit(
            endpoint, type, flags, length, setup, data or None)))

    control = QemuSession.control

    def cancel(self, id):
        self._call("cancel", id)

    def address(self, address):
        self._call("address", address)

    def vmstate(self, running):
        self._call("vmstate", running)

    def bye(self, reason=ByeReason.REMOVED):
        self._call("bye", reason)

    @property
    def attachment(self):
        return self._call("attachment")

    @property
    def epoch(self):
        return self._call("epoch")

    @property
    def in_flight(self):
        """How many requests have no answer."""
        return self._call("in_flight")


class BothEnds:
    """A QemuSession and a CQemu that have to say and to hear the same."""

    def __init__(self, *arguments):
        self.ends = QemuSession(*arguments), CQemu(*arguments)

    def __getattr__(self, name):
        """What both are asked, or do: it has to have the same result."""
        ours, theirs = (getattr(end, name) for end in self.ends)
        if not callable(ours):
            return same(ours, theirs)
        return lambda *arguments, **named: same(
            ours(*arguments, **named), theirs(*arguments, **named))

    def receive(self, data):
        ours, theirs = (outcome(end, data) for end in self.ends)
        same(ours[1] and ours[1].code, theirs[1] and theirs[1].code)
        if ours[1]:
            raise ours[1]
        return same(ours[0], theirs[0])

    def data_to_send(self):
        """The same bytes, but for the texts of ERRORs."""
        data, other = (end.data_to_send() for end in self.ends)
        if data != other:
            same(*map(without_text, (data, other)))
        return data


def same(ours, theirs):
    if ours != theirs:
        raise AssertionError(f"the Python end: {ours}, the C end: {theirs}")
    return ours


def outcome(end, data):
    """The messages that came, or the violation."""
    try:
        return end.receive(data), None
    except NotUsbRemote as err:
        return None, ProtocolViolation(ErrorCode.MALFORMED, str(err))
    except ProtocolViolation as err:
        return None, err


def without_text(data):
    """Messages of QEMU's as bytes; of an ERROR, its fixed part."""
    decoder = Decoder(codec.QEMU)
    if not data.startswith(Preamble().encode()):
        decoder.feed(Preamble().encode())
        decoder.next()
    decoder.feed(data)
    return [replace(message, text="").encode()
            if isinstance(message, Error) else message.encode()
            for message in iter(decoder.next, None)]
