# SPDX-License-Identifier: MIT
"""
USB descriptors: dataclasses to bytes, and a lenient way back.

Field names are those of USB 2.0 section 9.6 without the prefixes.  Nothing
is checked beyond what fits into the bytes, so that broken devices can be
declared too; where even that is too much, raw takes a descriptor's place
(without those that follow it).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from math import log2
from typing import (TYPE_CHECKING, Callable, Dict, List, Mapping, Optional,
                    Sequence, Tuple, Union)

from ._proto import Speed, TransferType

if TYPE_CHECKING:
    from .device import Answer, Device
    from .setup import Setup

DEVICE = 0x01
CONFIGURATION = 0x02
STRING = 0x03
INTERFACE = 0x04
ENDPOINT = 0x05
DEVICE_QUALIFIER = 0x06
OTHER_SPEED = 0x07
ASSOCIATION = 0x0b
BOS = 0x0f
CAPABILITY = 0x10
COMPANION = 0x30

LANGUAGE = 0x0409               # English (United States)
StringIndex = Callable[[Optional[str]], int]

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


def descriptor(kind: int, body: bytes) -> bytes:
    """bLength and bDescriptorType before a body of at most 253 bytes."""
    return bytes((len(body) + 2, kind)) + body


def string_descriptor(text: str) -> bytes:
    """USB 2.0 section 9.6.7: UTF-16LE, at most 126 code units."""
    return descriptor(STRING, text.encode("utf-16-le")[:252])


@dataclass
class Endpoint:
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
            data = descriptor(ENDPOINT, struct.pack(
                "<BBHB", self.address, self.type | self.attributes,
                self.packet_size(speed), self._interval(speed)))
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
        return descriptor(COMPANION, struct.pack("<BBH", self.burst, 0, size))


@dataclass
class Interface:
    """
    USB 2.0 section 9.6.5; extra: class-specific descriptors before the
    endpoints.  An alternate setting is one more Interface with the same
    number.  Subclasses may answer requests to the interface.
    """

    interface_class: int = 0xff
    subclass: int = 0
    protocol: int = 0
    endpoints: Sequence[Endpoint] = ()
    number: int = 0
    alternate: int = 0
    name: Optional[str] = None
    extra: bytes = b""
    raw: Optional[bytes] = None

    def encode(self, speed: Speed, index: StringIndex) -> bytes:
        head = self.raw
        if head is None:
            head = descriptor(INTERFACE, bytes((
                self.number, self.alternate, len(self.endpoints),
                self.interface_class, self.subclass, self.protocol,
                index(self.name))))
        return head + self.extra + b"".join(e.encode(speed)
                                            for e in self.endpoints)

    def reset(self) -> None:
        """The guest chose a configuration: forget all state."""

    def control(self, device: "Device", setup: "Setup") -> "Answer":
        """Answer a request to this interface, see Device.control()."""
        return device.unhandled(setup)


@dataclass
class Association:
    """
    Interfaces that are one function of several (the interface association
    descriptor, USB 3.2 section 9.6.4); their numbers must follow each other.
    """

    interfaces: Sequence[Interface]
    function_class: int = 0xff
    subclass: int = 0
    protocol: int = 0
    name: Optional[str] = None
    raw: Optional[bytes] = None

    def encode(self, speed: Speed, index: StringIndex) -> bytes:
        """The descriptor and the interfaces."""
        head = self.raw
        if head is None:
            numbers = {i.number for i in self.interfaces}
            head = descriptor(ASSOCIATION, bytes((
                min(numbers, default=0), len(numbers), self.function_class,
                self.subclass, self.protocol, index(self.name))))
        return head + b"".join(i.encode(speed, index)
                               for i in self.interfaces)


@dataclass
class Configuration:
    """
    USB 2.0 section 9.6.3; max_power in mA; extra: descriptors before the
    first interface.  raw cannot know wTotalLength by itself.
    """

    interfaces: Sequence[Union[Interface, Association]] = ()
    value: int = 1
    name: Optional[str] = None
    self_powered: bool = False
    remote_wakeup: bool = False
    max_power: int = 100
    extra: bytes = b""
    raw: Optional[bytes] = None

    def settings(self) -> List[Interface]:
        """The interfaces and their alternate settings, in order."""
        found: List[Interface] = []
        for part in self.interfaces:
            found += ([part] if isinstance(part, Interface)
                      else part.interfaces)
        return found

    def encode(self, speed: Speed, index: StringIndex,
               kind: int = CONFIGURATION) -> bytes:
        """The descriptor with all that belongs to it, as it is asked for."""
        body = self.extra + b"".join(i.encode(speed, index)
                                     for i in self.interfaces)
        if self.raw is not None:
            return self.raw + body
        unit = 8 if speed >= Speed.SUPER else 2
        attributes = (0x80 | self.self_powered << 6 | self.remote_wakeup << 5)
        return descriptor(kind, struct.pack(
            "<HBBBBB", len(body) + 9, len({i.number for i in self.settings()}),
            self.value, index(self.name), attributes,
            self.max_power // unit)) + body


@dataclass
class DeviceDescriptor:
    """USB 2.0 section 9.6.1; strings are indices; max_packet0 as encoded."""

    usb: int
    device_class: int
    subclass: int
    protocol: int
    max_packet0: int
    vendor_id: int
    product_id: int
    release: int
    manufacturer: int
    product: int
    serial: int
    configurations: int

    def encode(self) -> bytes:
        return descriptor(DEVICE, struct.pack(
            "<HBBBBHHHBBBB", self.usb, self.device_class, self.subclass,
            self.protocol, self.max_packet0, self.vendor_id, self.product_id,
            self.release, self.manufacturer, self.product, self.serial,
            self.configurations))

    def encode_qualifier(self) -> bytes:
        """USB 2.0 section 9.6.2."""
        return descriptor(DEVICE_QUALIFIER, struct.pack(
            "<HBBBBBB", self.usb, self.device_class, self.subclass,
            self.protocol, self.max_packet0, self.configurations, 0))


def bos(speeds: Sequence[Speed], more: Sequence[bytes] = ()) -> bytes:
    """
    USB 3.2 section 9.6.2: LPM capability, for a device of super speed what
    it supports (latencies 0, fully functional at its lowest speed), and
    more capability descriptors.
    """
    capabilities = [descriptor(CAPABILITY, struct.pack("<BI", 0x02, 0x02))]
    if Speed.SUPER in speeds:
        mask = sum(1 << s for s in set(speeds))
        capabilities.append(descriptor(CAPABILITY, struct.pack(
            "<BBHBBH", 0x03, 0, mask, min(speeds), 0, 0)))
    capabilities += more
    body = b"".join(capabilities)
    return descriptor(BOS, struct.pack("<HB", len(body) + 5,
                                       len(capabilities))) + body


@dataclass
class Parsed:
    """What a configuration descriptor says, as far as it makes sense."""

    value: int = 0
    attributes: int = 0x80
    # (interface, alternate) -> endpoint address -> wMaxPacketSize
    settings: Dict[Tuple[int, int], Dict[int, int]] = field(
        default_factory=dict)


def parse_configuration(data: bytes) -> Parsed:
    """
    Read a configuration descriptor, computed or raw; what is too short or
    out of place is passed over.
    """
    parsed = Parsed()
    if len(data) >= 8:
        parsed.value, parsed.attributes = data[5], data[7]
    current: Dict[int, int] = {}
    for part in split(data):
        if part[1] == INTERFACE and len(part) >= 4:
            current = parsed.settings.setdefault((part[2], part[3]), {})
        elif part[1] == ENDPOINT and len(part) >= 6:
            current[part[2]] = part[4] | part[5] << 8
    return parsed


def split(data: bytes) -> List[bytes]:
    """The single descriptors of a chain, up to the first impossible one."""
    parts, at = [], 0
    while at + 2 <= len(data) and data[at] >= 2:
        parts.append(data[at:at + data[at]])
        at += data[at]
    return parts


class Strings:
    """String descriptors by index; 0 is the language table."""

    def __init__(self) -> None:
        self._texts: List[str] = []

    def index(self, text: Optional[str]) -> int:
        """The index of a text, the same each time; 0 for None."""
        if text is None:
            return 0
        if text not in self._texts:
            self._texts.append(text)
        return self._texts.index(text) + 1

    def encode(self, index: int) -> Optional[bytes]:
        """The descriptor of this index, or None."""
        if index == 0:
            return descriptor(STRING, struct.pack("<H", LANGUAGE))
        if index > len(self._texts):
            return None
        return string_descriptor(self._texts[index - 1])
