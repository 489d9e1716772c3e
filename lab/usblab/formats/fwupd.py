# SPDX-License-Identifier: GPL-2.0-or-later
"""
What fwupd records of devices for its emulation (JSON, "UsbDevices").

An event's id is a text, or # and the first 8 digits of its SHA-1; both are
looked for.  Recordings since fwupd 2.0.8 or so have the descriptors; of
older ones the interfaces are put together.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import struct
from typing import Any, Dict, List, Optional

from ..devicefile import DeviceFile, Part
from ..errors import Problem
from ..model import (BOS, CONFIGURATION, DEVICE, HID, REPORT, STRING, Answer,
                     Description, Grade, string_descriptor)
from . import hexbytes, hid_text
from .found import Candidate, Source

CONTROL = re.compile(r"^ControlTransfer:Direction=0x0?([01]),RequestType=0x"
                     r"([0-9a-f]+),Recipient=0x([0-9a-f]+),Request=0x"
                     r"([0-9a-f]+),Value=0x([0-9a-f]+),Idx=0x([0-9a-f]+),"
                     r".*Length=0x([0-9a-f]+)$", re.I | re.S)
DESCRIPTORS = "LoadDescriptor:basename=descriptors"
BOS_DESCRIPTORS = "LoadDescriptor:basename=bos_descriptors"
STRING_EVENT = "GetStringDescriptor:DescIndex=0x{:02x}"
HID_INTERFACE = 3


def find(source: Source) -> List[Candidate]:
    """The USB devices of a recording."""
    if '"UsbDevices"' not in source.text:
        return []
    try:
        value = json.loads(source.text)
        devices = value["UsbDevices"]
    except (ValueError, KeyError, TypeError):
        return []
    found = []
    for device in devices if isinstance(devices, list) else []:
        if isinstance(device, dict) and "IdVendor" in device:
            found.append(Candidate(
                "fwupd", f"{number(device, 'IdVendor'):04x}:"
                f"{number(device, 'IdProduct'):04x}",
                f"recorded by fwupd at {device.get('PlatformId', '?')}",
                json.dumps(device, indent=1) + "\n", source.line))
    return found


def apply(part: Part, description: Description, file: DeviceFile) -> None:
    """--- fwupd: one device of a recording."""
    try:
        device = json.loads(part.text)
    except ValueError as err:
        raise Problem(f"no JSON: {err}") from None
    if not isinstance(device, dict):
        raise Problem("no device of a recording of fwupd")
    events = Events(device)
    data = events.data(DESCRIPTORS)
    if data:
        hexbytes.add_chain(data, description)
        description.note(Grade.WHOLE, 1,
                         f"{len(data)} bytes of descriptors")
    else:
        put_together(device, description)
    bos = events.data(BOS_DESCRIPTORS)
    if bos:
        description.descriptors[BOS, 0] = bos
    for index in range(1, 256):
        text = events.data(STRING_EVENT.format(index))
        if text:
            description.descriptors[STRING, index] = string_descriptor(
                text.split(b"\0")[0].decode("utf-8", "replace"))
    description.answers += events.answers()
    reports(device, description)
    if events.hashed:
        description.note(Grade.MISSING, 1, f"{events.hashed} events "
                         "have only a hash for a name", "other")


class Events:
    """The events of a device, by name or hash."""

    def __init__(self, device: Dict[str, Any]) -> None:
        self.events = [event for event in device.get("UsbEvents", [])
                       if isinstance(event, dict)]
        known = {hashed(name) for name in (
            DESCRIPTORS, BOS_DESCRIPTORS,
            *map(STRING_EVENT.format, range(256)))}
        self.hashed = sum(1 for event in self.events
                          if str(event.get("Id", "")).startswith("#")
                          and event["Id"] not in known)

    def data(self, name: str) -> bytes:
        """What the last event with this name brought."""
        found = b""
        for event in self.events:
            if event.get("Id") in (name, hashed(name)):
                found = decoded(event.get("Data")) or found
        return found

    def answers(self) -> List[Answer]:
        """Control transfers, in their order."""
        found = []
        for event in self.events:
            match = CONTROL.match(str(event.get("Id", "")))
            if not match:
                continue
            direction, kind, to, request, value, index, length = (
                int(match[at], 16) for at in range(1, 8))
            setup = struct.pack(
                "<BBHHH", (0 if direction else 0x80) | (kind & 3) << 5
                | to & 0x1f, request & 0xff, value & 0xffff, index & 0xffff,
                length & 0xffff)
            data = None if "Error" in event else \
                decoded(event.get("Data")) if not direction else b""
            found.append(Answer(setup, data))
        return found


def hashed(name: str) -> str:
    """How fwupd shortens the id of an event."""
    return "#" + hashlib.sha1(name.encode()).hexdigest()[:8]


def decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text) if isinstance(text, str) else b""
    except (binascii.Error, ValueError):
        return b""


def number(values: Dict[str, Any], name: str, default: int = 0) -> int:
    value = values.get(name, default)
    return value if isinstance(value, int) else default


def put_together(device: Dict[str, Any],
                 description: Description) -> None:
    """A device from the fields that older recordings have."""
    listed = device.get("UsbConfigDescriptors") or [{}]
    first = listed[0] if isinstance(listed[0], dict) else {}
    interfaces = [entry for entry in device.get("UsbInterfaces", [])
                  if isinstance(entry, dict)]
    sizes = [len(decoded(text)) for text in
             device.get("UsbHidDescriptors") or []]
    body = b"".join(interface_bytes(entry, sizes) for entry in interfaces)
    numbers = {number(entry, "InterfaceNumber") for entry in interfaces}
    description.descriptors[DEVICE, 0] = struct.pack(
        "<BBHBBBBHHHBBBB", 18, DEVICE, number(device, "USB", 0x200),
        number(device, "DeviceClass"), number(device, "DeviceSubClass"),
        number(device, "DeviceProtocol"), 64, number(device, "IdVendor"),
        number(device, "IdProduct"), number(device, "Device"),
        number(device, "Manufacturer"), number(device, "Product"),
        number(device, "SerialNumber"), 1)
    description.descriptors[CONFIGURATION, 0] = struct.pack(
        "<BBHBBBBB", 9, CONFIGURATION, 9 + len(body), len(numbers),
        number(first, "ConfigurationValue", 1),
        number(first, "Configuration"), 0x80, 50) + body
    description.note(Grade.GUESSED, 1, "bMaxPacketSize0, bmAttributes and "
                     "MaxPower: the recording has the interfaces only")


def interface_bytes(entry: Dict[str, Any], sizes: List[int]) -> bytes:
    """sizes: of the report descriptors that no interface has had yet."""
    endpoints = [value for value in entry.get("UsbEndpoints", [])
                 if isinstance(value, dict)]
    head = bytes((9, 4, *(number(entry, name) & 0xff for name in (
        "InterfaceNumber", "AlternateSetting")), len(endpoints), *(
            number(entry, name) & 0xff for name in (
                "InterfaceClass", "InterfaceSubClass", "InterfaceProtocol",
                "Interface"))))
    extra = decoded(entry.get("ExtraData"))
    if not extra and number(entry, "InterfaceClass") == HID_INTERFACE and \
            sizes:
        extra = struct.pack("<BBHBBBH", 9, HID, 0x111, 0, 1, REPORT,
                            sizes.pop(0))
    return head + extra + b"".join(
        struct.pack("<BBBBHB", 7, 5, number(value, "EndpointAddress") & 0xff,
                    3 if number(entry, "InterfaceClass") == HID_INTERFACE
                    else 2, number(value, "MaxPacketSize") & 0xffff,
                    number(value, "Interval") & 0xff) for value in endpoints)


def reports(device: Dict[str, Any], description: Description) -> None:
    """Report descriptors, in the order of the HID interfaces."""
    listed = device.get("UsbHidDescriptors")
    places: List[Optional[int]] = list(hid_text.lengths(description)) or [0]
    for place, text in zip(places, listed if isinstance(listed, list)
                           else []):
        if place is not None and decoded(text):
            description.reports[place] = decoded(text)
