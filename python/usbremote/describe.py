# SPDX-License-Identifier: MIT
"""What the host of a USB device will see, as text like that of lsusb -v."""

from __future__ import annotations

import inspect
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from . import descriptors as desc
from .device import Device
from .engine import engine_of
from .errors import Fail, Stall
from .functions.report_text import decode
from .setup import Recipient, Setup, Standard
from .types import Speed, TransferType

# A field: its name, its size in bytes, how its number is shown.
Show = Callable[[int], str]
Field = Tuple[str, int, Show]


def decimal(value: int) -> str:
    return str(value)


def hexadecimal(value: int) -> str:
    return f"0x{value:02x}"


def wide(value: int) -> str:
    return f"0x{value:04x}"


def bcd(value: int) -> str:
    return f"{value >> 8:x}.{value & 0xff:02x}"


def endpoint_address(value: int) -> str:
    return (f"0x{value:02x}  EP {value & 0x0f} "
            f"{'IN' if value & 0x80 else 'OUT'}")


def endpoint_type(value: int) -> str:
    return f"{value}  {TransferType(value & 3).name.lower()}"


def packet_size(value: int) -> str:
    more = value >> 11 & 3
    return f"0x{value:04x}  {1 + more}x {value & 0x7ff} bytes"


def configuration_attributes(value: int) -> str:
    words = [word for bit, word in ((0x40, "self powered"),
                                    (0x20, "remote wakeup")) if value & bit]
    return "  ".join([hexadecimal(value), *words])


HEAD: List[Field] = [("bLength", 1, decimal), ("bDescriptorType", 1, decimal)]
# descriptor type: its name, its fields after the head
FIELDS: Dict[int, Tuple[str, List[Field]]] = {
    desc.DEVICE: ("Device", [
        ("bcdUSB", 2, bcd), ("bDeviceClass", 1, decimal),
        ("bDeviceSubClass", 1, decimal), ("bDeviceProtocol", 1, decimal),
        ("bMaxPacketSize0", 1, decimal), ("idVendor", 2, wide),
        ("idProduct", 2, wide), ("bcdDevice", 2, bcd),
        ("iManufacturer", 1, decimal), ("iProduct", 1, decimal),
        ("iSerial", 1, decimal), ("bNumConfigurations", 1, decimal)]),
    desc.DEVICE_QUALIFIER: ("Device Qualifier", [
        ("bcdUSB", 2, bcd), ("bDeviceClass", 1, decimal),
        ("bDeviceSubClass", 1, decimal), ("bDeviceProtocol", 1, decimal),
        ("bMaxPacketSize0", 1, decimal), ("bNumConfigurations", 1, decimal),
        ("bReserved", 1, decimal)]),
    desc.CONFIGURATION: ("Configuration", [
        ("wTotalLength", 2, wide), ("bNumInterfaces", 1, decimal),
        ("bConfigurationValue", 1, decimal), ("iConfiguration", 1, decimal),
        ("bmAttributes", 1, configuration_attributes),
        ("bMaxPower", 1, decimal)]),
    desc.INTERFACE: ("Interface", [
        ("bInterfaceNumber", 1, decimal), ("bAlternateSetting", 1, decimal),
        ("bNumEndpoints", 1, decimal), ("bInterfaceClass", 1, decimal),
        ("bInterfaceSubClass", 1, decimal),
        ("bInterfaceProtocol", 1, decimal), ("iInterface", 1, decimal)]),
    desc.ENDPOINT: ("Endpoint", [
        ("bEndpointAddress", 1, endpoint_address),
        ("bmAttributes", 1, endpoint_type),
        ("wMaxPacketSize", 2, packet_size), ("bInterval", 1, decimal)]),
    desc.ASSOCIATION: ("Interface Association", [
        ("bFirstInterface", 1, decimal), ("bInterfaceCount", 1, decimal),
        ("bFunctionClass", 1, decimal), ("bFunctionSubClass", 1, decimal),
        ("bFunctionProtocol", 1, decimal), ("iFunction", 1, decimal)]),
    desc.COMPANION: ("SuperSpeed Endpoint Companion", [
        ("bMaxBurst", 1, decimal), ("bmAttributes", 1, hexadecimal),
        ("wBytesPerInterval", 2, decimal)]),
    desc.BOS: ("Binary Object Store", [
        ("wTotalLength", 2, wide), ("bNumDeviceCaps", 1, decimal)]),
}
FIELDS[desc.OTHER_SPEED] = ("Other Speed Configuration",
                            FIELDS[desc.CONFIGURATION][1])
DEPTH = {desc.INTERFACE: 2, desc.ASSOCIATION: 2, desc.ENDPOINT: 3,
         desc.COMPANION: 4}
CLASS_DEPTH = 3                 # of what is shown as bytes only
HID_REPORT, HID = 0x22, 0x21
HID_CLASS, CDC_CLASS, CS_INTERFACE = 0x03, 0x02, 0x24
CDC_HEAD: List[Field] = [("bDescriptorSubtype", 1, decimal)]
# (class of the interface, descriptor type, subtype): as FIELDS.  HID 1.11
# section 6.2.1; CDC 1.2 section 5.2.3, PSTN 1.2 section 5.3, ECM 1.2 5.4
CLASS_FIELDS: Dict[Tuple[int, int, Optional[int]],
                   Tuple[str, List[Field]]] = {
    (HID_CLASS, HID, None): ("HID", [
        ("bcdHID", 2, bcd), ("bCountryCode", 1, decimal),
        ("bNumDescriptors", 1, decimal), ("bDescriptorType", 1, hexadecimal),
        ("wDescriptorLength", 2, decimal)]),
    (CDC_CLASS, CS_INTERFACE, 0x00): ("CDC Header", [
        *CDC_HEAD, ("bcdCDC", 2, bcd)]),
    (CDC_CLASS, CS_INTERFACE, 0x01): ("CDC Call Management", [
        *CDC_HEAD, ("bmCapabilities", 1, hexadecimal),
        ("bDataInterface", 1, decimal)]),
    (CDC_CLASS, CS_INTERFACE, 0x02): ("CDC ACM", [
        *CDC_HEAD, ("bmCapabilities", 1, hexadecimal)]),
    (CDC_CLASS, CS_INTERFACE, 0x06): ("CDC Union", [
        *CDC_HEAD, ("bControlInterface", 1, decimal),
        ("bSubordinateInterface0", 1, decimal)]),
    (CDC_CLASS, CS_INTERFACE, 0x0f): ("CDC Ethernet", [
        *CDC_HEAD, ("iMACAddress", 1, decimal),
        ("bmEthernetStatistics", 4, hexadecimal),
        ("wMaxSegmentSize", 2, decimal), ("wNumberMCFilters", 2, wide),
        ("bNumberPowerFilters", 1, decimal)]),
}


def describe(device: Device) -> Iterator[str]:
    """The lines for a device, at each speed it can run at."""
    engine = engine_of(device)
    for engine.speed in sorted(device.speeds):
        speed = engine.speed
        yield f"At {speed.name.lower()} speed:"
        yield from _at_this_speed(device)


def _at_this_speed(device: Device) -> Iterator[str]:
    data = device.descriptor(desc.DEVICE, 0)
    if data is None:
        yield "  no device descriptor"
        return
    yield from one(device, data, 1)
    count = data[17] if len(data) > 17 else 1
    for index in range(count):
        yield from _chain(device, desc.CONFIGURATION, index)
    if device.speed in (Speed.FULL, Speed.HIGH):
        qualifier = device.descriptor(desc.DEVICE_QUALIFIER, 0)
        if qualifier is not None:
            yield from one(device, qualifier, 1)
    yield from _chain(device, desc.BOS, 0)


def _chain(device: Device, kind: int, index: int) -> Iterator[str]:
    """A descriptor with all that follows it."""
    data = device.descriptor(kind, index)
    if data is None:
        if kind == desc.CONFIGURATION:
            yield f"  no configuration descriptor {index}"
        return
    parts = desc.split(data)
    interface, of_class = 0, 0
    for part in parts:
        if part[1] == desc.INTERFACE and len(part) > 5:
            interface, of_class = part[2], part[5]
        yield from one(device, part, DEPTH.get(
            part[1], 1 if part is parts[0] else CLASS_DEPTH), of_class)
        if part[1] == HID and kind == desc.CONFIGURATION:
            yield from _report(device, interface)
    yield from _remarks(data, parts)


def _report(device: Device, number: int) -> Iterator[str]:
    """The HID report descriptor of an interface, if it has one."""
    setup = Setup(0x80 | Recipient.INTERFACE, Standard.GET_DESCRIPTOR,
                  HID_REPORT << 8, number, 0xffff)
    try:
        report = device.control(setup)
    except (Stall, Fail):
        return
    if inspect.iscoroutine(report):     # only a guest can wait for it
        report.close()
    if isinstance(report, bytes):
        pad = "  " * (CLASS_DEPTH + 1)
        yield f"{pad}HID Report: {len(report)} bytes"
        for line in decode(report):
            yield f"{pad}  {line}"


def _known(data: bytes, of_class: int) -> Optional[Tuple[str, List[Field]]]:
    """The name and the fields of a descriptor."""
    kind = data[1] if len(data) > 1 else -1
    subtype = data[2] if len(data) > 2 else None
    return (FIELDS.get(kind) or CLASS_FIELDS.get((of_class, kind, None))
            or CLASS_FIELDS.get((of_class, kind, subtype)))


def one(device: Device, data: bytes, depth: int, of_class: int = 0
        ) -> Iterator[str]:
    """One descriptor, whole or not, in an interface of this class."""
    known = _known(data, of_class)
    if known is None:
        kind = data[1] if len(data) > 1 else 0
        yield from _bytes(f"Descriptor 0x{kind:02x}", data, depth)
        return
    name, fields = known
    pad, at = "  " * depth, 0
    yield f"{pad}{name} Descriptor:"
    for field, size, show in (*HEAD, *fields):
        value = int.from_bytes(data[at:at + size], "little")
        if at + size > len(data):
            yield f"{pad}  (ends here, after {len(data)} bytes)"
            return
        text = show(value) + _string(device, field, value)
        if field == "bMaxPower":
            unit = 8 if device.speed >= Speed.SUPER else 2
            text = f"{value * unit} mA"
        yield f"{pad}  {field:<20} {text}"
        at += size
    if at < len(data):
        yield f"{pad}  and more              {data[at:].hex(' ')}"


def _string(device: Device, field: str, value: int) -> str:
    if field[0] != "i" or field[:2] == "id" or not value:
        return ""
    data = device.descriptor(desc.STRING, value)
    if data is None:
        return "  (no such string)"
    return "  " + data[2:].decode("utf-16-le", "replace")


def _bytes(name: str, data: bytes, depth: int) -> Iterator[str]:
    pad = "  " * depth
    yield f"{pad}{name}: {len(data)} bytes"
    for at in range(0, len(data), 16):
        yield f"{pad}  {data[at:at + 16].hex(' ')}"


def _remarks(data: bytes, parts: Sequence[bytes]) -> Iterator[str]:
    """What makes no sense in a chain."""
    rest = data[sum(map(len, parts)):]
    if rest:
        yield f"  makes no sense: {rest.hex(' ')}"
    if parts and any(len(part) < part[0] for part in parts):
        yield "  the last descriptor is cut"
    if len(data) >= 4:
        told: Optional[int] = int.from_bytes(data[2:4], "little")
        if told != len(data):
            yield f"  wTotalLength is {told}, there are {len(data)} bytes"
