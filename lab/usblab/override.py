# SPDX-License-Identifier: GPL-2.0-or-later
"""
Fields of descriptors by the names that lsusb prints.

    device.bcdDevice
    configuration.0.bNumInterfaces                  by index
    configuration.0.interface.1.bNumEndpoints       by bInterfaceNumber
    configuration.0.interface.1.2.iInterface        its alternate setting 2
    configuration.0.interface.1.endpoint.0x81.bInterval
    string.2                                        a text
    configuration.0, bos, hid-report.1              bytes, as hex
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, Tuple

from .errors import Problem
from .model import (BOS, CONFIGURATION, DEVICE, ENDPOINT, INTERFACE,
                    QUALIFIER, STRING, Description, split, string_descriptor)

Fields = Mapping[str, Tuple[int, int]]      # name -> offset, width

HEAD: Fields = {"bLength": (0, 1), "bDescriptorType": (1, 1)}
DEVICE_FIELDS: Fields = {
    **HEAD, "bcdUSB": (2, 2), "bDeviceClass": (4, 1),
    "bDeviceSubClass": (5, 1), "bDeviceProtocol": (6, 1),
    "bMaxPacketSize0": (7, 1), "idVendor": (8, 2), "idProduct": (10, 2),
    "bcdDevice": (12, 2), "iManufacturer": (14, 1), "iProduct": (15, 1),
    "iSerial": (16, 1), "bNumConfigurations": (17, 1)}
QUALIFIER_FIELDS: Fields = {
    **{name: DEVICE_FIELDS[name] for name in list(DEVICE_FIELDS)[:7]},
    "bNumConfigurations": (8, 1)}
CONFIGURATION_FIELDS: Fields = {
    **HEAD, "wTotalLength": (2, 2), "bNumInterfaces": (4, 1),
    "bConfigurationValue": (5, 1), "iConfiguration": (6, 1),
    "bmAttributes": (7, 1), "bMaxPower": (8, 1)}
INTERFACE_FIELDS: Fields = {
    **HEAD, "bInterfaceNumber": (2, 1), "bAlternateSetting": (3, 1),
    "bNumEndpoints": (4, 1), "bInterfaceClass": (5, 1),
    "bInterfaceSubClass": (6, 1), "bInterfaceProtocol": (7, 1),
    "iInterface": (8, 1)}
ENDPOINT_FIELDS: Fields = {
    **HEAD, "bEndpointAddress": (2, 1), "bmAttributes": (3, 1),
    "wMaxPacketSize": (4, 2), "bInterval": (6, 1), "bRefresh": (7, 1),
    "bSynchAddress": (8, 1)}


def apply(overrides: Mapping[str, Any], description: Description) -> None:
    """Change the description; raises Problem for a name it has not."""
    for name, value in overrides.items():
        try:
            apply_one(name.split("."), value, description)
        except Problem as problem:
            raise Problem(f'[override] "{name}": {problem.args[0]}') from None


def apply_one(words: List[str], value: Any, description: Description) -> None:
    start: Dict[str, Callable[[List[str], Any, Description], None]] = {
        "device": in_single(DEVICE, DEVICE_FIELDS),
        "qualifier": in_single(QUALIFIER, QUALIFIER_FIELDS),
        "bos": in_single(BOS, HEAD), "configuration": in_configuration,
        "string": in_strings, "hid-report": in_reports}
    if words[0] not in start:
        raise Problem("begins with none of " + ", ".join(start))
    start[words[0]](words[1:], value, description)


def in_single(kind: int, fields: Fields
              ) -> Callable[[List[str], Any, Description], None]:
    """A descriptor of which there is one, or a field of it."""
    def change(words: List[str], value: Any, description: Description) -> None:
        data = description.descriptors.get((kind, 0))
        if words and data is None:
            raise Problem("the device has no such descriptor")
        description.descriptors[kind, 0] = (
            with_field(data or b"", 0, fields, words, value) if words
            else from_hex(value))
    return change


def in_configuration(words: List[str], value: Any,
                     description: Description) -> None:
    key = (CONFIGURATION, number(words, 0))
    if len(words) == 1:
        description.descriptors[key] = from_hex(value)
        return
    if key not in description.descriptors:
        raise Problem(f"there is no configuration {key[1]}")
    data = description.descriptors[key]
    at, fields, rest = find(data, words[1:])
    description.descriptors[key] = with_field(data, at, fields, rest, value)


def find(data: bytes, words: List[str]) -> "Tuple[int, Fields, List[str]]":
    """Offset of the descriptor that the words name, its fields, the rest."""
    if words[0] != "interface":
        return 0, CONFIGURATION_FIELDS, words
    wanted, rest = number(words, 1), words[2:]
    alternate = 0
    if rest and rest[0].isdigit():
        alternate, rest = int(rest[0]), rest[1:]
    endpoint = None
    if rest and rest[0] == "endpoint":
        endpoint, rest = number(rest, 1), rest[2:]
    inside = False
    for at, item in split(data):
        if item[1] == INTERFACE and len(item) >= 4:
            inside = item[2] == wanted and item[3] == alternate
            if inside and endpoint is None:
                return at, INTERFACE_FIELDS, rest
        elif inside and item[1] == ENDPOINT and item[2:3] == bytes(
                (endpoint or 0,)):
            return at, ENDPOINT_FIELDS, rest
    what = "interface" if endpoint is None else "endpoint"
    raise Problem(f"there is no such {what}")


def with_field(data: bytes, at: int, fields: Fields, words: List[str],
               value: Any) -> bytes:
    """The bytes with one field of the descriptor at an offset changed."""
    if len(words) != 1 or words[0] not in fields:
        raise Problem("ends in none of " + ", ".join(fields))
    offset, width = fields[words[0]]
    if not isinstance(value, int) or not 0 <= value < 1 << 8 * width:
        raise Problem(f"{value!r} is no number of {width} bytes")
    if at + offset + width > len(data) or offset >= max(data[at], 2):
        raise Problem("the descriptor is too short for it")
    raw = value.to_bytes(width, "little")
    return data[:at + offset] + raw + data[at + offset + width:]


def in_strings(words: List[str], value: Any,
               description: Description) -> None:
    if not isinstance(value, str):
        raise Problem("a string descriptor needs a text")
    description.descriptors[STRING, number(words, 0)] = \
        string_descriptor(value)


def in_reports(words: List[str], value: Any,
               description: Description) -> None:
    description.reports[number(words, 0)] = from_hex(value)


def number(words: List[str], at: int) -> int:
    """A word that is a number of one byte."""
    try:
        value = int(words[at], 0)
    except (IndexError, ValueError):
        value = -1
    if not 0 <= value <= 255:
        raise Problem("a number from 0 to 255 is missing in it")
    return value


def from_hex(value: Any) -> bytes:
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        raise Problem(f"{value!r:.40} is no text of hexadecimal bytes"
                      ) from None
