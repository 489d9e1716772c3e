# SPDX-License-Identifier: GPL-2.0-or-later
"""A device of the C library's device layer, as Python tests can use it."""

import ctypes
from ctypes import (CFUNCTYPE, POINTER, Structure, byref, c_bool, c_char_p,
                    c_int, c_size_t, c_uint, c_uint8, c_uint16, c_uint32,
                    c_void_p)

from libusbremote import CPeer, call, library
from usbremote._proto import Status, TransferType
from usbremote.codec import Complete
from usbremote.testing import QemuSession

BULK_OUT, BULK_IN, MORE_OUT = 0x01, 0x81, 0x02


class Endpoint(Structure):
    _fields_ = [("address", c_uint8), ("type", c_uint8),
                ("max_packet", c_uint16 * 4), ("interval", c_uint8 * 4)]


class Interface(Structure):
    _fields_ = [(name, c_uint8) for name in (
        "number", "alternate", "interface_class", "subclass", "protocol",
        "string")] + [
            ("endpoints", POINTER(Endpoint)), ("endpoint_count", c_size_t),
            ("extra", c_char_p), ("extra_size", c_size_t)]


class Configuration(Structure):
    _fields_ = [("value", c_uint8), ("string", c_uint8),
                ("attributes", c_uint8), ("max_power", c_uint16),
                ("interfaces", POINTER(Interface)),
                ("interface_count", c_size_t)]


class Info(Structure):
    _fields_ = [("speeds", c_uint), ("vendor_id", c_uint16),
                ("product_id", c_uint16), ("release", c_uint16),
                *((name, c_uint8) for name in (
                    "device_class", "subclass", "protocol", "manufacturer",
                    "product", "serial")),
                ("strings", POINTER(c_char_p)), ("string_count", c_size_t),
                ("configurations", POINTER(Configuration)),
                ("configuration_count", c_size_t)]


CALLBACKS = (
    ("control", c_bool, c_void_p), ("control_gone", None, c_void_p),
    ("setting", None, c_uint8, c_uint8), ("closed", None, c_int, c_char_p),
)
TYPES = {name: CFUNCTYPE(result, c_void_p, *arguments)
         for name, result, *arguments in CALLBACKS}
DONE = CFUNCTYPE(None, c_void_p, c_int)


class Ops(Structure):
    _fields_ = [("size", c_size_t), *TYPES.items()]


FUNCTIONS = {
    "device_new": (c_void_p, POINTER(Info), POINTER(Ops), c_void_p, c_char_p),
    "device_free": (None, c_void_p),
    "device_peer": (c_void_p, c_void_p),
    "device_speed": (c_int, c_void_p),
    "device_configuration": (c_uint8, c_void_p),
    "device_pipe": (c_void_p, c_void_p, c_uint8),
    "reply": (c_int, c_void_p, c_char_p, c_size_t),
    "refuse": (c_int, c_void_p),
    "pipe_max_packet": (c_uint16, c_void_p),
    "pipe_read": (c_int, c_void_p, c_void_p, c_uint32, DONE, c_void_p),
    "pipe_read_some": (c_int, c_void_p, c_void_p, c_uint32, DONE, c_void_p),
    "pipe_write": (c_int, c_void_p, c_void_p, c_uint32, c_bool, DONE,
                   c_void_p),
    "pipe_halt": (None, c_void_p),
    "pipe_clear_halt": (None, c_void_p),
    "pipe_is_halted": (c_bool, c_void_p),
    "pipe_cancel": (None, c_void_p),
    "pipe_moved": (c_uint32, c_void_p),
}
for _name, (_result, *_arguments) in FUNCTIONS.items():
    _function = getattr(library(), f"usbremote_{_name}")
    _function.restype, _function.argtypes = _result, _arguments


def array(kind, values):
    """A C array; empty ones have a place, so that there is an address."""
    return (kind * max(1, len(values)))(*values)


def c_info(speeds=0x6, strings=(b"maker", b"gadget", b"42", b"main")):
    """
    What test_libusbremote_device.Gadget declares, as tables.  Returns the
    Info, which keeps alive what it points to.
    """
    sizes, none = (c_uint16 * 4)(0, 64, 512, 1024), (c_uint8 * 4)()
    ends = array(Endpoint, [
        Endpoint(BULK_IN, TransferType.BULK, sizes, none),
        Endpoint(BULK_OUT, TransferType.BULK, sizes, none),
        Endpoint(0x83, TransferType.INTERRUPT, (c_uint16 * 4)(8, 8, 16, 16),
                 (c_uint8 * 4)(10, 10, 4, 4))])
    first = array(Interface, [
        Interface(0, 0, 0xff, 1, 2, 4, ends, 2, b"\x03\x21\x07", 3),
        Interface(0, 1, 0xff, 0, 0, 0, ends, 3)])
    second = array(Interface, [Interface(3, 0, 0xff)])
    both = array(Configuration, [
        Configuration(1, 0, 0x80, 100, first, 2),
        Configuration(5, 0, 0xe0, 500, second, 1)])
    info = Info(speeds, 0x1234, 0x5678, 0x0102, 1, 2, 3, 1, 2, 3,
                array(c_char_p, strings), len(strings), both, 2)
    info.keep = ends, first, second, both
    return info


class Transfer:
    """A read or write; result is None while it goes on."""

    def __init__(self, size, then=None):
        self.buffer = ctypes.create_string_buffer(size or 1)
        self.size, self.result, self.error = size, None, None
        self._then = then
        self.done = DONE(self._done)

    def _done(self, _opaque, result):
        self.result = result
        if self._then:
            self._then(self)

    @property
    def data(self):
        """What was read."""
        return self.buffer.raw[:self.result]


class CDevice(CPeer):
    """One UsbRemoteDevice, plugged into a QemuSession and configured."""

    def __init__(self, info=None, speed=2):     # high
        self.events, self.control = [], None
        self.info = info or c_info()
        self._keep = {kind: make(getattr(self, f"_{kind}"))
                      for kind, make in TYPES.items()}
        self.device = call("device_new", byref(self.info),
                           byref(Ops(ctypes.sizeof(Ops), **self._keep)),
                           None, b"test")
        if self.device:
            self.peer = call("device_peer", self.device)
            self.qemu = QemuSession()
            self.exchange()
            self.qemu.attached(speed)
            self.qemu.reset(speed)
            self.exchange()

    def close(self):
        call("device_free", self.device)

    def _control(self, _opaque, request):
        return bool(self.control and self.control(request))

    def _control_gone(self, _opaque, _request):
        self.events.append("control gone")

    def _setting(self, _opaque, interface, alternate):
        self.events.append((interface, alternate))

    def exchange(self):
        """Carry over what QEMU said; what the device answered."""
        self.feed(self.qemu.data_to_send())
        return [m for m in self.qemu.receive(self.output())
                if isinstance(m, Complete)]

    def ask(self, setup):
        """A control request's answer: status and data."""
        self.qemu.control(setup)
        answers = self.exchange()
        return (answers[0].status, answers[0].data) if answers else None

    def give(self, endpoint, data, flags=0):
        """An OUT request; what was answered meanwhile."""
        self.qemu.submit(endpoint, TransferType.BULK, len(data), data=data,
                         flags=flags)
        return [(Status(m.status), m.length) for m in self.exchange()]

    def want(self, *lengths, endpoint=BULK_IN):
        """IN requests; what was answered meanwhile."""
        for length in lengths:
            self.qemu.submit(endpoint, TransferType.BULK, length)
        return self.sent()

    def sent(self):
        """What the device answers to IN requests: data, or a status."""
        return [m.data if m.status == Status.OK else
                (Status(m.status), m.data) for m in self.exchange()]

    def pipe(self, address):
        return call("device_pipe", self.device, address)

    def read(self, size, endpoint=BULK_OUT, then=None, how="pipe_read"):
        transfer = Transfer(size, then)
        transfer.error = call(how, self.pipe(endpoint),
                              transfer.buffer, size, transfer.done, None)
        return transfer

    def write(self, data, end=False, then=None):
        transfer = Transfer(len(data), then)
        transfer.buffer.raw = data or b"\0"
        transfer.error = call("pipe_write", self.pipe(BULK_IN),
                              transfer.buffer, len(data), end, transfer.done,
                              None)
        return transfer
