# SPDX-License-Identifier: MIT
"""SETUP packets (USB 2.0 section 9.3) and the standard requests' names."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from .types import Direction, Kind, Recipient, Standard


@dataclass(frozen=True)
class Setup:
    """
    A control request: the SETUP packet's fields, and data, the bytes that
    the guest sends with it (empty for requests that read).
    """

    request_type: int
    request: int
    value: int
    index: int
    length: int
    data: bytes = b""

    @classmethod
    def decode(cls, packet: bytes, data: bytes = b"") -> "Setup":
        """From the 8 bytes of a SETUP packet."""
        kind, request, value, index, length = struct.unpack("<BBHHH", packet)
        return cls(kind, request, value, index, length, data)

    def encode(self) -> bytes:
        """The 8 bytes of the SETUP packet."""
        return struct.pack("<BBHHH", self.request_type, self.request,
                           self.value, self.index, self.length)

    @property
    def is_in(self) -> bool:
        return bool(self.request_type & 0x80)

    @property
    def direction(self) -> Direction:
        return Direction(self.request_type & Direction.IN)

    @property
    def kind(self) -> Kind:
        return Kind(self.request_type >> 5 & 3)

    @property
    def recipient(self) -> int:
        return self.request_type & 0x1f

    def __str__(self) -> str:
        name = f"0x{self.request:02x}"
        if self.kind is Kind.STANDARD and self.request in set(Standard):
            name = Standard(self.request).name
        to = (Recipient(self.recipient).name.lower()
              if self.recipient < 4 else f"recipient {self.recipient}")
        return (f"{self.kind.name.lower()} request {name} to {to}: "
                f"bmRequestType 0x{self.request_type:02x}, wValue "
                f"0x{self.value:04x}, wIndex 0x{self.index:04x}, wLength "
                f"{self.length}")


__all__ = ["Kind", "Recipient", "Setup", "Standard"]
