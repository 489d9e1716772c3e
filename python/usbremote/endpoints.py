# SPDX-License-Identifier: MIT
"""
Endpoint descriptors, and numbers that depend on the speed.

See descriptors.py for what they are part of.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from math import log2
from typing import Mapping, Optional, Union

from .blame import made_at
from .fields import of_fields
from .parsed import ENDPOINT
from .types import Speed, TransferType

COMPANION = 0x30                # descriptor type

# A number that depends on the speed: that of the fastest speed listed which
# is not above the one in force, else that of the slowest.
PerSpeed = Union[int, Mapping[Speed, int]]

# wMaxPacketSize at most, USB 2.0 sections 5.5 to 5.8, USB 3.2 table 9-24
LARGEST_PACKET: Mapping[TransferType, PerSpeed] = {
    TransferType.CONTROL: {Speed.LOW: 8, Speed.FULL: 64, Speed.SUPER: 512},
    TransferType.ISO: {Speed.FULL: 1023, Speed.HIGH: 1024},
    TransferType.BULK: {Speed.LOW: 8, Speed.FULL: 64, Speed.HIGH: 512,
                        Speed.SUPER: 1024},
    TransferType.INTERRUPT: {Speed.LOW: 8, Speed.FULL: 64, Speed.HIGH: 1024},
}


def at_speed(value: PerSpeed, speed: Speed) -> int:
    """What a PerSpeed is at this speed."""
    if isinstance(value, int):
        return value
    reached = [listed for listed in value if listed <= speed]
    return value[max(reached) if reached else min(value)]


def encode_period(period_ms: float, type: TransferType, speed: Speed) -> int:
    """
    bInterval for a period of at most so many milliseconds, as near as the
    speed allows (USB 2.0 table 9-13).
    """
    if speed <= Speed.FULL and type != TransferType.ISO:
        return max(1, min(255, int(period_ms)))
    frame_ms = 1 if speed <= Speed.FULL else 0.125
    return max(1, min(16, int(log2(max(1, period_ms / frame_ms))) + 1))


def shown(address: object) -> str:
    """An endpoint's address, whatever was given for it."""
    return f"0x{address:02x}" if isinstance(address, int) else repr(address)


class Declared:
    """The base of what an author declares: made_at is where, for errors."""

    made_at = ""

    def __post_init__(self) -> None:
        self.made_at = made_at(sys._getframe(1), __file__)


@dataclass
class Endpoint(Declared):
    """
    USB 2.0 section 9.6.6.

    address 0x01-0x0f or 0x81-0x8f.  max_packet: wMaxPacketSize, by default
    the largest of the type and speed.  interval: bInterval; or period_ms,
    from which it follows.  attributes: bits 2-7 of bmAttributes.  extra:
    descriptors that follow.  burst (0-15), bytes_per_interval and companion
    (in place of what is computed) are for SuperSpeed only (USB 3.2 section
    9.6.7).
    """

    address: int
    type: TransferType
    max_packet: Optional[PerSpeed] = None
    interval: PerSpeed = 0
    attributes: int = 0
    extra: bytes = b""
    burst: int = 0
    bytes_per_interval: Optional[int] = None
    period_ms: Optional[float] = None
    companion: Optional[bytes] = None
    raw: Optional[bytes] = None

    def encode(self, speed: Speed) -> bytes:
        """The descriptor, at super speed with its companion."""
        data = self.raw
        if data is None:
            data = of_fields(
                ENDPOINT, f"Endpoint {shown(self.address)}", self.made_at,
                ("bEndpointAddress", 1, self.address),
                ("bmAttributes", 1, self.type | self.attributes),
                ("wMaxPacketSize", 2, self.packet_size(speed)),
                ("bInterval", 1, self._interval(speed)))
        if speed >= Speed.SUPER:
            data += self._companion(speed)
        return data + self.extra

    def packet_size(self, speed: Speed) -> int:
        """wMaxPacketSize at this speed."""
        size = self.max_packet
        if size is None:
            size = LARGEST_PACKET[self.type]
        return at_speed(size, speed)

    def _interval(self, speed: Speed) -> int:
        if self.period_ms is not None:
            return encode_period(self.period_ms, self.type, speed)
        return at_speed(self.interval, speed)

    def _companion(self, speed: Speed) -> bytes:
        if self.companion is not None:
            return self.companion
        size = self.bytes_per_interval
        if size is None:
            periodic = self.type in (TransferType.ISO, TransferType.INTERRUPT)
            size = (self.packet_size(speed) * (self.burst + 1) if periodic
                    else 0)
        return of_fields(
            COMPANION, f"Endpoint {shown(self.address)}", self.made_at,
            ("bMaxBurst", 1, self.burst), ("bmAttributes", 1, 0),
            ("wBytesPerInterval", 2, size))
