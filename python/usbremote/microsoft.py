# SPDX-License-Identifier: MIT
"""
Microsoft OS descriptors: how a device tells Windows its driver.

"OS 1.0" is the Extended Compat ID and Extended Properties specification,
"OS 2.0" the Microsoft OS 2.0 Descriptors Specification.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Mapping, Optional, Sequence, Tuple, Union

from .descriptors import CAPABILITY, STRING, descriptor
from .setup import Kind, Recipient, Setup

STRING_INDEX = 0xee             # of the OS 1.0 string descriptor

COMPATIBLE_ID, PROPERTIES = 4, 5                # wIndex of the OS 1.0 request
DESCRIPTOR_SET = 7                              # and of the OS 2.0 one

PLATFORM = 0x05                 # capability type, USB 3.2 table 9-14
OS2_UUID = bytes.fromhex("df60ddd88945c74c9cd2659d9e648a9f")
WINDOWS_8_1 = 0x06030000

# OS 2.0 table 9, wDescriptorType
SET, CONFIGURATION, FUNCTION, COMPATIBLE, REGISTRY = 0, 1, 2, 3, 4
REG_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ = 1, 3, 4, 7

Value = Union[str, bytes, int, Sequence[str]]


@dataclass(frozen=True)
class Microsoft:
    """
    What Windows is told, at most 8 ASCII characters for each id.

    properties: registry values by name, as text, bytes, a 32-bit number or
    a list of texts.  interface: the first one of the function this is for,
    None for the whole device.  vendor_code: bRequest that reads it.
    versions: 1 and 2 for OS 1.0 and 2.0.  raw: bytes by the wIndex that
    asks for them (COMPATIBLE_ID, PROPERTIES, DESCRIPTOR_SET).
    """

    compatible_id: str = "WINUSB"
    sub_compatible_id: str = ""
    properties: Mapping[str, Value] = field(default_factory=dict)
    interface: Optional[int] = None
    vendor_code: int = 0x20
    versions: Sequence[int] = (1, 2)
    raw: Mapping[int, bytes] = field(default_factory=dict)

    def string(self) -> Optional[bytes]:
        """The string descriptor STRING_INDEX, with OS 1.0."""
        if 1 not in self.versions:
            return None
        return descriptor(STRING, "MSFT100".encode("utf-16-le")
                          + bytes((self.vendor_code, 0)))

    def capability(self) -> Optional[bytes]:
        """For the BOS, with OS 2.0."""
        if 2 not in self.versions:
            return None
        size = len(self.raw.get(DESCRIPTOR_SET, self.descriptor_set()))
        return descriptor(CAPABILITY, struct.pack(
            "<BB16sIHBB", PLATFORM, 0, OS2_UUID, WINDOWS_8_1, size,
            self.vendor_code, 0))

    def answer(self, setup: Setup) -> Optional[bytes]:
        """The answer to a vendor request; None when it is another one."""
        ours = (setup.is_in and setup.kind is Kind.VENDOR
                and setup.recipient in (Recipient.DEVICE, Recipient.INTERFACE)
                and setup.request == self.vendor_code)
        if not ours:
            return None
        if setup.index in self.raw:
            return self.raw[setup.index]
        if setup.index == DESCRIPTOR_SET and 2 in self.versions:
            return self.descriptor_set()
        if setup.index == COMPATIBLE_ID and 1 in self.versions:
            return self.compatible_ids()
        if setup.index == PROPERTIES and 1 in self.versions:
            return self.extended_properties()
        return None

    def compatible_ids(self) -> bytes:
        """OS 1.0, extended compat ID: a header and one function."""
        return struct.pack("<IHHB7xBB8s8s6x", 40, 0x0100, COMPATIBLE_ID, 1,
                           self.interface or 0, 1, *self._ids())

    def extended_properties(self) -> bytes:
        """OS 1.0, extended properties."""
        parts = []
        for name, value in self.properties.items():
            kind, key, data = _encode(name, value)
            parts.append(struct.pack("<IIH", 14 + len(key) + len(data), kind,
                                     len(key)) + key
                         + struct.pack("<I", len(data)) + data)
        body = b"".join(parts)
        return struct.pack("<IHHH", 10 + len(body), 0x0100, PROPERTIES,
                           len(parts)) + body

    def descriptor_set(self) -> bytes:
        """OS 2.0, the whole set."""
        body = struct.pack("<HH8s8s", 20, COMPATIBLE, *self._ids())
        for name, value in self.properties.items():
            kind, key, data = _encode(name, value)
            body += struct.pack("<HHHH", 10 + len(key) + len(data), REGISTRY,
                                kind, len(key)) + key
            body += struct.pack("<H", len(data)) + data
        if self.interface is not None:
            for kind, which in ((FUNCTION, self.interface),
                                (CONFIGURATION, 0)):
                body = struct.pack("<HHBxH", 8, kind, which,
                                   8 + len(body)) + body
        return struct.pack("<HHIH", 10, SET, WINDOWS_8_1,
                           10 + len(body)) + body

    def _ids(self) -> Tuple[bytes, bytes]:
        return self.compatible_id.encode(), self.sub_compatible_id.encode()


def _encode(name: str, value: Value) -> Tuple[int, bytes, bytes]:
    """A registry value: its type, its name and its bytes."""
    key = _text(name)
    if isinstance(value, str):
        return REG_SZ, key, _text(value)
    if isinstance(value, int):
        return REG_DWORD, key, struct.pack("<I", value)
    if isinstance(value, bytes):
        return REG_BINARY, key, value
    return REG_MULTI_SZ, key, b"".join(map(_text, value)) + bytes(2)


def _text(text: str) -> bytes:
    return (text + "\0").encode("utf-16-le")
