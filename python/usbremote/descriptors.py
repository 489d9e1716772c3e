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
from copy import copy
from dataclasses import dataclass
from typing import (Callable, Iterator, List, Optional, Sequence, Tuple,
                    Union)

from .endpoints import COMPANION as COMPANION
from .endpoints import LARGEST_PACKET as LARGEST_PACKET
from .endpoints import Declared
from .endpoints import Endpoint as Endpoint
from .endpoints import PerSpeed as PerSpeed
from .endpoints import at_speed as at_speed
from .endpoints import encode_period as encode_period
from .endpoints import shown as shown
from .fields import Field, of_fields
from .fields import descriptor as descriptor
from .parsed import ENDPOINT as ENDPOINT
from .parsed import INTERFACE as INTERFACE
from .parsed import Parsed as Parsed
from .parsed import parse_configuration as parse_configuration
from .parsed import split as split
from .place import Numbers, Place
from .types import Speed, TransferType

DEVICE = 0x01
CONFIGURATION = 0x02
STRING = 0x03
DEVICE_QUALIFIER = 0x06
OTHER_SPEED = 0x07
ASSOCIATION = 0x0b
BOS = 0x0f
CAPABILITY = 0x10

StringIndex = Callable[[Optional[str]], int]

def string_descriptor(text: str) -> bytes:
    """USB 2.0 section 9.6.7: UTF-16LE, at most 126 code units."""
    return descriptor(STRING, text.encode("utf-16-le")[:252])


@dataclass
class Interface(Declared):
    """
    USB 2.0 section 9.6.5; extra: class-specific descriptors before the
    endpoints.  An alternate setting is one more Interface with the same
    number.  number None: the lowest free one, or for an alternate setting that of
    the interface before it.
    """

    interface_class: int = 0xff
    subclass: int = 0
    protocol: int = 0
    endpoints: Sequence[Endpoint] = ()
    number: Optional[int] = None
    alternate: int = 0
    name: Optional[str] = None
    extra: bytes = b""
    raw: Optional[bytes] = None

    def encode(self, speed: Speed, index: StringIndex) -> bytes:
        head = self.raw
        if head is None:
            head = of_fields(
                INTERFACE, f"Interface {self.number or 0}", self.made_at,
                ("bInterfaceNumber", 1, self.number or 0),
                ("bAlternateSetting", 1, self.alternate),
                ("bNumEndpoints", 1, len(self.endpoints)),
                ("bInterfaceClass", 1, self.interface_class),
                ("bInterfaceSubClass", 1, self.subclass),
                ("bInterfaceProtocol", 1, self.protocol),
                ("iInterface", 1, index(self.name)))
        return head + self.extra + b"".join(e.encode(speed)
                                            for e in self.endpoints)


@dataclass
class Association(Declared):
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
            numbers = {i.number or 0 for i in self.interfaces}
            head = of_fields(
                ASSOCIATION, "Association", self.made_at,
                ("bFirstInterface", 1, min(numbers, default=0)),
                ("bInterfaceCount", 1, len(numbers)),
                ("bFunctionClass", 1, self.function_class),
                ("bFunctionSubClass", 1, self.subclass),
                ("bFunctionProtocol", 1, self.protocol),
                ("iFunction", 1, index(self.name)))
        return head + b"".join(i.encode(speed, index)
                               for i in self.interfaces)


class Composed:
    """What becomes interfaces when its numbers are known: see Function."""

    device_class: Optional[Tuple[int, int, int]] = None
    association: Optional[Tuple[int, int, int]] = None
    name: Optional[str] = None

    def interfaces(self, place: Place) -> Sequence[Interface]:
        raise NotImplementedError


Part = Union[Interface, Association, Composed]


@dataclass
class Configuration(Declared):
    """
    USB 2.0 section 9.6.3; max_power in mA; extra: descriptors before the
    first interface.  raw cannot know wTotalLength by itself.
    """

    interfaces: Sequence[Part] = ()
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
            if isinstance(part, Interface):
                found.append(part)
            elif isinstance(part, Association):
                found += part.interfaces
        return found

    def encode(self, speed: Speed, index: StringIndex,
               kind: int = CONFIGURATION) -> bytes:
        """The descriptor with all that belongs to it, as it is asked for."""
        whole = numbered(self, speed, index)[0]
        body = self.extra + b"".join(
            part.encode(speed, index) for part in whole.interfaces
            if not isinstance(part, Composed))
        if self.raw is not None:
            return self.raw + body
        unit = 8 if speed >= Speed.SUPER else 2
        attributes = (0x80 | self.self_powered << 6 | self.remote_wakeup << 5)
        return of_fields(
            kind, f"Configuration {self.value}", self.made_at,
            ("wTotalLength", 2, len(body) + 9),
            ("bNumInterfaces", 1, len({i.number for i in whole.settings()})),
            ("bConfigurationValue", 1, self.value),
            ("iConfiguration", 1, index(self.name)),
            ("bmAttributes", 1, attributes),
            (f"max_power // {unit}", 1, self.max_power // unit)) + body


Placed = List[Tuple[Composed, Place]]


def numbered(configuration: Configuration, speed: Speed, index: StringIndex
             ) -> Tuple[Configuration, Placed]:
    """
    A copy in which functions have become interfaces, and each interface has
    its number; and what each function has got.  Numbers that are declared
    outside of functions are not touched.
    """
    fixed = configuration.settings()
    numbers = Numbers((i.number for i in fixed if i.number is not None),
                      (e.address for i in fixed for e in i.endpoints))
    placed: Placed = []
    whole = copy(configuration)
    parts: List[Part] = []
    alone = len(configuration.interfaces) == 1
    for part in configuration.interfaces:
        if isinstance(part, Composed):
            place = Place(speed, numbers, index)
            placed.append((part, place))
            parts += _composed(part, place, alone)
        elif isinstance(part, Association):
            part = copy(part)
            part.interfaces = list(_with_numbers(part.interfaces, numbers))
            parts.append(part)
        else:
            parts += _with_numbers([part], numbers, parts)
    whole.interfaces = parts
    return whole, placed


def _with_numbers(interfaces: Sequence[Interface], numbers: Numbers,
                  before: Sequence[Part] = ()) -> Iterator[Interface]:
    """Interfaces outside of functions, those without a number copied."""
    last = before[-1] if before else None
    for interface in interfaces:
        if interface.number is None:
            interface = copy(interface)
            follows = interface.alternate and isinstance(last, Interface)
            interface.number = (
                last.number if follows and isinstance(last, Interface)
                else numbers.take_interface(numbers.free_interface()))
        last = interface
        yield interface


def _composed(part: Composed, place: Place, alone: bool) -> List[Part]:
    """
    A function's interfaces, copied, with what it has got; as an association
    when it has several and is not alone in the configuration.
    """
    found: List[Interface] = []
    own = -1
    for declared in part.interfaces(place):
        interface = copy(declared)
        if declared.number is not None:
            own = declared.number
        elif not declared.alternate or own < 0:
            own += 1
        interface.number = place.interface(own)
        interface.endpoints = [copy(e) for e in declared.endpoints]
        for endpoint in interface.endpoints:
            endpoint.address = place.endpoint(endpoint.address)
        found.append(interface)
    several = len({i.number for i in found}) > 1
    if alone or not several:
        return list(found)
    first = found[0]
    kind = part.association or (first.interface_class, first.subclass,
                                first.protocol)
    return [Association(found, *kind, name=part.name)]


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
    made_at: str = ""

    def encode(self) -> bytes:
        return of_fields(
            DEVICE, "Device", self.made_at, *self._head(),
            ("idVendor", 2, self.vendor_id), ("idProduct", 2, self.product_id),
            ("bcdDevice", 2, self.release),
            ("iManufacturer", 1, self.manufacturer),
            ("iProduct", 1, self.product), ("iSerialNumber", 1, self.serial),
            ("bNumConfigurations", 1, self.configurations))

    def encode_qualifier(self) -> bytes:
        """USB 2.0 section 9.6.2."""
        return of_fields(
            DEVICE_QUALIFIER, "Device", self.made_at, *self._head(),
            ("bNumConfigurations", 1, self.configurations),
            ("bReserved", 1, 0))

    def _head(self) -> Tuple[Field, ...]:
        return (("bcdUSB", 2, self.usb),
                ("bDeviceClass", 1, self.device_class),
                ("bDeviceSubClass", 1, self.subclass),
                ("bDeviceProtocol", 1, self.protocol),
                ("bMaxPacketSize0", 1, self.max_packet0))


# How long the link takes to wake up (section 9.6.2.2), in us: as of a common
# device.  Linux uses no link power management where they are 0, and says so.
U1_EXIT_US, U2_EXIT_US = 10, 32


def bos(speeds: Sequence[Speed], more: Sequence[bytes] = ()) -> bytes:
    """
    USB 3.2 section 9.6.2: LPM capability, for a device of super speed what
    it supports (fully functional at its lowest speed), and more capability
    descriptors.
    """
    capabilities = [descriptor(CAPABILITY, struct.pack("<BI", 0x02, 0x02))]
    if Speed.SUPER in speeds:
        mask = sum(1 << s for s in set(speeds))
        capabilities.append(descriptor(CAPABILITY, struct.pack(
            "<BBHBBH", 0x03, 0, mask, min(speeds), U1_EXIT_US, U2_EXIT_US)))
    capabilities += more
    body = b"".join(capabilities)
    return descriptor(BOS, struct.pack("<HB", len(body) + 5,
                                       len(capabilities))) + body
