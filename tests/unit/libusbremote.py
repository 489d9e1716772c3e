# SPDX-License-Identifier: GPL-2.0-or-later
"""The C library's session, without a socket, as Python tests can use it."""

import ctypes
import subprocess
from ctypes import (CFUNCTYPE, POINTER, Structure, byref, c_bool, c_char_p,
                    c_int, c_size_t, c_uint, c_uint8, c_uint32, c_uint64,
                    c_void_p)
from functools import lru_cache

from support import ROOT

FLAGS = ("-std=c99", "-O1", "-g", "-fPIC", "-shared", "-Wall", "-Wextra",
         "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
SOURCES = ROOT / "libusbremote/src"
INCLUDES = ("-I", ROOT / "libusbremote/include", "-I", ROOT / "hw/usb")

# UsbRemoteEnd, by number
ENDS = ("bye", "removed", "refused", "violation", "stranger", "lost")


class Greeting(Structure):
    _fields_ = [("name", c_char_p), ("device_id", c_char_p),
                ("select", c_char_p)]


class Plug(Structure):
    _fields_ = [("speeds", c_uint), ("address_policy", c_int),
                ("gap_ms", c_uint32), ("endpoints", c_void_p),
                ("endpoint_count", c_size_t)]


class Capacity(Structure):
    _fields_ = [(name, c_uint32) for name in (
        "max_payload", "max_control", "max_requests", "max_per_endpoint",
        "max_bytes")]


# name, what it returns, what it takes besides opaque
CALLBACKS = (
    ("greeted", c_void_p, POINTER(Greeting)), ("opened", None),
    ("attached", None, c_int), ("not_attached", None, c_int, c_char_p),
    ("detached", None, c_uint32), ("reset", None, c_int), ("address", None, c_int),
    ("vmstate", None, c_bool), ("submit", None, c_void_p),
    ("cancelled", None, c_void_p), ("dropped", None, c_void_p),
    ("closed", None, c_int, c_char_p),
)
TYPES = {name: CFUNCTYPE(result, c_void_p, *arguments)
         for name, result, *arguments in CALLBACKS}


class Callbacks(Structure):
    _fields_ = [("size", c_size_t), *TYPES.items()]


# function: what it returns, what it takes
FUNCTIONS = {
    "new": (c_void_p, POINTER(Callbacks), c_void_p, c_char_p,
            POINTER(Capacity)),
    "free": (None, c_void_p),
    "attach": (c_int, c_void_p, POINTER(Plug)),
    "detach": (c_int, c_void_p),
    "wakeup": (c_int, c_void_p),
    "ready": (c_int, c_void_p, c_uint8),
    "bye": (None, c_void_p, c_char_p),
    "id": (c_uint64, c_void_p),
    "endpoint": (c_uint8, c_void_p),
    "type": (c_int, c_void_p),
    "flags": (c_uint, c_void_p),
    "is_in": (c_bool, c_void_p),
    "length": (c_uint32, c_void_p),
    "setup": (c_void_p, c_void_p),
    "data": (c_void_p, c_void_p),
    "complete": (c_int, c_void_p, c_int, c_char_p, c_uint32),
    "complete_table": (c_int, c_void_p, c_char_p, c_size_t),
    "consumed": (c_int, c_void_p, c_uint32),
    "feed": (c_int, c_void_p, c_char_p, c_size_t),
    "feed_eof": (None, c_void_p),
    "output": (c_void_p, c_void_p, POINTER(c_size_t)),
    "output_sent": (None, c_void_p, c_size_t),
    "is_closed": (c_bool, c_void_p),
}


@lru_cache(maxsize=None)
def library():
    """Compiled from the sources; its functions are typed."""
    path = ROOT / "build/unit/libusbremote.so"
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", *FLAGS, *INCLUDES, "-o", path,
                    *sorted(SOURCES.glob("*.c"))], check=True)
    lib = ctypes.CDLL(str(path))
    for name, (result, *arguments) in FUNCTIONS.items():
        function = getattr(lib, f"usbremote_{name}")
        function.restype, function.argtypes = result, arguments
    return lib


def call(name, *arguments):
    return getattr(library(), f"usbremote_{name}")(*arguments)


class CPeer:
    """
    One UsbRemotePeer.  events has a tuple for each callback but dropped,
    whose requests are in dropped; requests has those that wait.
    """

    def __init__(self, name="test", refusal=None, **capacity):
        self.events, self.dropped, self.requests = [], [], {}
        self.refusal = refusal and ctypes.create_string_buffer(refusal)
        self.consume = {}       # id: what to say consumed when cancelled
        self._keep = {kind: make(getattr(self, f"_{kind}"))
                      for kind, make in TYPES.items()}
        callbacks = Callbacks(ctypes.sizeof(Callbacks), **self._keep)
        self.peer = call("new", byref(callbacks), None, name.encode(),
                         byref(Capacity(**capacity)))

    def close(self):
        call("free", self.peer)
        self.peer = None

    # callbacks

    def _greeted(self, _opaque, greeting):
        hello = greeting.contents
        self.events.append(("greeted", hello.name, hello.device_id,
                            hello.select))
        return self.refusal and ctypes.addressof(self.refusal)

    def _opened(self, _opaque):
        pass

    def _attached(self, _opaque, speed):
        self.events.append(("attached", speed))

    def _not_attached(self, _opaque, result, text):
        self.events.append(("not_attached", result, text.decode()))

    def _detached(self, _opaque, attachment):
        self.events.append(("detached", attachment))

    def _reset(self, _opaque, speed):
        self.events.append(("reset", speed))

    def _address(self, _opaque, address):
        self.events.append(("address", address))

    def _vmstate(self, _opaque, running):
        self.events.append(("vmstate", running))

    def _submit(self, _opaque, request):
        data = b""
        if not call("is_in", request) and call("length", request):
            data = ctypes.string_at(call("data", request),
                                    call("length", request))
        number = call("id", request)
        self.requests[number] = request
        self.events.append((
            "submit", number, call("endpoint", request),
            call("type", request), call("flags", request),
            ctypes.string_at(call("setup", request), 8),
            call("length", request), data))

    def _cancelled(self, _opaque, request):
        number = call("id", request)
        if number in self.consume:
            call("consumed", request, self.consume[number])
        del self.requests[number]
        self.events.append(("cancelled", number))

    def _dropped(self, _opaque, request):
        number = call("id", request)
        del self.requests[number]
        self.dropped.append(number)

    def _closed(self, _opaque, end, text):
        assert text
        self.events.append(("closed", ENDS[end]))

    # what a device does

    def feed(self, data):
        return call("feed", self.peer, data, len(data))

    def eof(self):
        call("feed_eof", self.peer)

    def output(self):
        """All that is to be sent, taken."""
        size = c_size_t()
        at = call("output", self.peer, byref(size))
        data = ctypes.string_at(at, size.value) if size.value else b""
        call("output_sent", self.peer, size.value)
        return data

    def attach(self, speeds=2, gap_ms=200, address_policy=0, table=None):
        plug = Plug(speeds, address_policy, gap_ms)
        if table is not None:
            self._table = ctypes.create_string_buffer(table)
            plug.endpoints = ctypes.addressof(self._table)
            plug.endpoint_count = len(table) // 8
        return call("attach", self.peer, byref(plug))

    def act(self, name, *arguments):
        """detach, wakeup, ready or bye."""
        return call(name, self.peer, *arguments)

    def complete(self, number, status=0, data=None, length=None):
        length = len(data or b"") if length is None else length
        error = call("complete", self.requests[number], status, data, length)
        if not error:
            del self.requests[number]
        return error

    def complete_table(self, number, table):
        error = call("complete_table", self.requests[number], table,
                     len(table) // 8)
        if not error:
            del self.requests[number]
        return error
