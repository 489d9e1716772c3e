# SPDX-License-Identifier: GPL-2.0-or-later
"""
What lsusb prints twice has to agree: the number and what explains it.

lsusb writes both from the same byte, so that a text in which they differ was
changed on its way, or put together of several.
"""

from __future__ import annotations

import re
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from ..errors import Problem
from ..model import CS_DEVICE, CS_ENDPOINT, CS_INTERFACE, HID
from .lsusb_blocks import Block, Field
from .lsusb_bytes import (AUDIO_CONTROL, AUDIO_STREAMING, FORMAT_TYPES,
                          SAME_NAME, UAC_VERSION, Context, number)
from .lsusb_names import HEADINGS

TRANSFER_TYPES = ("Control", "Isochronous", "Bulk", "Interrupt")
SYNCH_TYPES = ("None", "Asynchronous", "Adaptive", "Synchronous")
USAGE_TYPES = ("Data", "Feedback", "Implicit feedback Data", "(reserved)")
# names that usb.ids has had for classes from the start
CLASSES: Mapping[str, int] = {
    "Audio": 1, "Communications": 2, "Human Interface Device": 3,
    "Physical Interface Device": 5, "Imaging": 6, "Printer": 7,
    "Mass Storage": 8, "Hub": 9, "CDC Data": 10,
    "Chip/SmartCard": 11, "Content Security": 13, "Video": 14,
    "Personal Healthcare": 15, "Diagnostic": 220, "Wireless": 224,
    "Miscellaneous Device": 239, "Application Specific Interface": 254,
    "Vendor Specific Class": 255,
}
CLASS_FIELDS = ("bDeviceClass", "bInterfaceClass", "bFunctionClass")
VIDEO_CONTROL = ("", "HEADER", "INPUT_TERMINAL", "OUTPUT_TERMINAL",
                 "SELECTOR_UNIT", "PROCESSING_UNIT", "EXTENSION_UNIT",
                 "ENCODING UNIT")
VIDEO_STREAMING = ("", "INPUT_HEADER", "OUTPUT_HEADER", "STILL_IMAGE_FRAME",
                   "FORMAT_UNCOMPRESSED", "FRAME_UNCOMPRESSED",
                   "FORMAT_MJPEG", "FRAME_MJPEG", "", "", "FORMAT_MPEG2TS",
                   "", "", "COLORFORMAT", "", "", "FORMAT_FRAME_BASED",
                   "FRAME_FRAME_BASED", "FORMAT_STREAM_BASED")
MIDI = ("", "HEADER", "MIDI_IN_JACK", "MIDI_OUT_JACK", "ELEMENT")
ENDPOINT_ADDRESS = re.compile(r"^EP (\d+) (IN|OUT)$")
PACKET_SIZE = re.compile(r"^(1x|2x|3x|\(\?\?\)) (\d+) bytes$")
IN_PARENTHESES = re.compile(r"^\(([^)]*)\)")
# kinds of class-specific descriptors, whose type lsusb does not always check
CLASS_TYPES = {"audiocontrol": CS_INTERFACE, "audiostreaming": CS_INTERFACE,
               "midi": CS_INTERFACE, "videocontrol": CS_INTERFACE,
               "videostreaming": CS_INTERFACE, "audioendpoint": CS_ENDPOINT,
               "midiendpoint": CS_ENDPOINT, "videoendpoint": CS_ENDPOINT,
               "hid": HID, "dfu": CS_DEVICE}
SPEEDS = ("Low Speed", "Full Speed", "High Speed", "SuperSpeed")
HID_NAMES = {"HID": 0x21, "Report": 0x22, "Physical": 0x23}


def problems(block: Block, context: Context) -> Iterator[Problem]:
    """Each contradiction within a block."""
    yield from check_type(block)
    for field in block.fields:
        check = CHECKS.get(field.name)
        text = check(field, block, context) if check else None
        if text:
            yield Problem(text, field.line)
    if block.kind == "configuration":
        yield from check_power(block)
    if block.kind.startswith("capability:"):
        yield from check_capability(block)


def check_type(block: Block) -> Iterator[Problem]:
    """bDescriptorType is that of the heading."""
    field = block.get("bDescriptorType")
    if field is None:
        return
    expected = block.type
    if expected is None and not block.invalid:
        expected = CLASS_TYPES.get(block.kind)
    if expected is not None and number(field) != expected:
        heading = next((name for name, (kind, _) in HEADINGS.items()
                        if kind == block.kind), block.kind)
        yield Problem(f"bDescriptorType is {number(field)} under the heading "
                      f"{heading}, which is for {expected}", field.line)


def check_power(block: Block) -> Iterator[Problem]:
    """bmAttributes of a configuration and what is said of its bits."""
    field = block.get("bmAttributes")
    if field is None:
        return
    said = {line.text.strip("()") for line in block.remarks}
    value = number(field)
    for bit, name in ((0x40, "Self Powered"), (0x20, "Remote Wakeup"),
                      (0x10, "Battery Powered")):
        if name in said and not value & bit:
            yield Problem(f"{name}, but bmAttributes is {value:#04x}",
                          field.line)
    if "Bus Powered" in said and value & 0x40:
        yield Problem(f"Bus Powered, but bmAttributes is {value:#04x}",
                      field.line)


def check_capability(block: Block) -> Iterator[Problem]:
    """bDevCapabilityType is that of the heading; the speeds are said."""
    kind = block.get("bDevCapabilityType")
    if kind and number(kind) != int(block.kind.partition(":")[2]):
        yield Problem(f"bDevCapabilityType {kind.token} is not that of the "
                      "heading", kind.line)
    said = " ".join(line.text for line in block.remarks)
    speeds, lowest = block.get("wSpeedsSupported"), block.get(
        "bFunctionalitySupport")
    for value, name in enumerate(SPEEDS):
        if speeds and "operate at" in said and \
                (f"operate at {name} (" in said) != bool(
                    number(speeds) >> value & 1):
            yield Problem(f"wSpeedsSupported {speeds.token} and what is said "
                          f"of {name} differ", speeds.line)
        if lowest and f"device speed is {name} (" in said and \
                number(lowest) != value:
            yield Problem(f"bFunctionalitySupport {lowest.token} is not "
                          f"{name}", lowest.line)


Check = Callable[[Field, Block, Context], Optional[str]]


def endpoint_address(field: Field, block: Block,
                     context: Context) -> Optional[str]:
    match = ENDPOINT_ADDRESS.match(field.rest)
    if not match:
        return None
    value = number(field)
    if (value & 15, value >> 7) == (int(match[1]), match[2] == "IN"):
        return None
    return f"{field.token} is not {match[0]}"


def packet_size(field: Field, block: Block,
                context: Context) -> Optional[str]:
    match = PACKET_SIZE.match(field.rest)
    if not match:
        return None
    value = number(field)
    times = ("1x", "2x", "3x", "(??)")[value >> 11 & 3]
    if (times, value & 0x7ff) == (match[1], int(match[2])):
        return None
    return f"{field.token} is not {match[0]}"


def attributes(field: Field, block: Block,
               context: Context) -> Optional[str]:
    """Those of an endpoint."""
    if block.kind != "endpoint":
        return None
    value = number(field)
    said = " ".join([field.rest, *(line.text for line in block.remarks)])
    for label, names, shift in (("Transfer Type", TRANSFER_TYPES, 0),
                                ("Synch Type", SYNCH_TYPES, 2),
                                ("Usage Type", USAGE_TYPES, 4)):
        match = re.search(rf"{label} +(\(?[A-Z][a-z]+(?: feedback Data)?\)?)",
                          said, re.I)
        name = names[value >> shift & 3]
        if match and match[1].lower() in map(str.lower, names) and \
                match[1].lower() != name.lower():
            return f"bmAttributes {value} is not {label} {match[1]}"
    return None


def class_name(field: Field, block: Block,
               context: Context) -> Optional[str]:
    value = CLASSES.get(field.rest)
    if value is None or value == number(field):
        return None
    return f"{field.name} {field.token} is not {field.rest}"


def subtype(field: Field, block: Block, context: Context) -> Optional[str]:
    """(HEADER) and the like."""
    printed = IN_PARENTHESES.match(field.rest)
    names = subtype_names(block, context)
    if not printed or not names:
        return None
    name = SAME_NAME.get(printed[1], printed[1])
    if name in names and names.index(name) != number(field):
        return f"{field.name} {field.token} is not {printed[1]}"
    return None


def subtype_names(block: Block, context: Context) -> Tuple[str, ...]:
    if block.kind == "audiocontrol":
        return AUDIO_CONTROL[UAC_VERSION.get(context.interface[2], "1")]
    return {"audiostreaming": AUDIO_STREAMING, "midi": MIDI,
            "videocontrol": VIDEO_CONTROL,
            "videostreaming": VIDEO_STREAMING}.get(block.kind, ())


def format_type(field: Field, block: Block,
                context: Context) -> Optional[str]:
    printed = IN_PARENTHESES.match(field.rest)
    if printed and printed[1] in FORMAT_TYPES and \
            FORMAT_TYPES.index(printed[1]) != number(field):
        return f"{field.name} {field.token} is not {printed[1]}"
    return None


def hid_type(field: Field, block: Block, context: Context) -> Optional[str]:
    """What a HID descriptor lists, by name."""
    value = HID_NAMES.get(field.rest)
    if value is None or value == number(field):
        return None
    return f"bDescriptorType {field.token} is not {field.rest}"


def array_index(field: Field, block: Block,
                context: Context) -> Optional[str]:
    """Elements are numbered from 0, or 1, without gaps."""
    if field.index is None:
        return None
    before = [other for other in block.fields if other.name == field.name
              and other.line < field.line]
    if not before:
        return None if field.index <= 1 else \
            f"the first {field.name} has the number {field.index}"
    last = before[-1].index
    # a control of several bytes has as many lines (usbutils up to 009)
    if last is None or field.index in (last, last + 1):
        return None
    return f"{field.name} {field.index} follows {last}"


CHECKS: Dict[str, Check] = {
    "bEndpointAddress": endpoint_address, "wMaxPacketSize": packet_size,
    "bmAttributes": attributes, "bDescriptorSubtype": subtype,
    "bFormatType": format_type, "bDescriptorType": hid_type, **{name: class_name for name in CLASS_FIELDS},
    **{name: array_index for name in (
        "baInterfaceNr", "baSourceID", "baSource", "bmaControls",
        "bmControls", "tSamFreq", "dwFrameInterval", "wWidth", "wHeight",
        "CapabilityData", "bmSublinkSpeedAttr", "baAssocJackID",
        "baCSourceID", "BaSourcePin")},
}


def counts(blocks: List[Block]) -> Iterator[Problem]:
    """bNumInterfaces, bNumEndpoints and bNumDeviceCaps."""
    yield from count_endpoints(blocks)
    yield from count_interfaces(blocks)
    capabilities = blocks[0].get("bNumDeviceCaps")
    if capabilities and number(capabilities) != len(blocks) - 1:
        yield Problem(f"bNumDeviceCaps is {number(capabilities)}, but there "
                      f"are {len(blocks) - 1}", capabilities.line)


def count_endpoints(blocks: List[Block]) -> Iterator[Problem]:
    current: Optional[Block] = None
    found = 0
    for block in [*blocks, Block("interface", 0)]:
        if block.kind == "endpoint":
            found += 1
        if block.kind != "interface":
            continue
        declared = current.get("bNumEndpoints") if current else None
        if declared and number(declared) != found:
            yield Problem(f"bNumEndpoints is {number(declared)}, but {found} "
                          "follow", declared.line)
        current, found = block, 0


def count_interfaces(blocks: List[Block]) -> Iterator[Problem]:
    declared = blocks[0].get("bNumInterfaces") if blocks else None
    numbers = {number(field) for block in blocks
               if block.kind == "interface"
               for field in [block.get("bInterfaceNumber")] if field}
    if declared and number(declared) != len(numbers):
        yield Problem(f"bNumInterfaces is {number(declared)}, but there are "
                      f"{len(numbers)}", declared.line)
