# SPDX-License-Identifier: GPL-2.0-or-later
"""
syzkaller's programs for USB: syz_usb_connect and what follows it.

The device is bytes (ANYBLOB), or a literal whose structures are those of
sys/linux/vusb.txt: the standard descriptors, and class-specific ones by the
names of their fields.  What a program does in the guest is not for a device:
those calls are named, and left out.
"""

from __future__ import annotations

import itertools
import struct
from typing import Callable, Dict, Iterator, List, Optional, Tuple

from ..devicefile import DeviceFile, Part
from ..errors import Problem
from ..model import (AREAS, CONFIGURATION, CS_ENDPOINT, CS_INTERFACE, DEVICE,
                     ENDPOINT, QUALIFIER, REPORT, STRING, Answer, Description,
                     Grade, ids_of, language_table, split, string_descriptor)
from ..rows import tidy
from .found import Candidate, Source
from .lsusb_names import PARSED, width_of
from .syz_values import (Call, Group, Unknown, Value, parse_call, stand_in,
                         unknown)

SPEEDS = {0: "high", 1: "low", 2: "full", 3: "high", 5: "super", 6: "super"}
# widths of the standard descriptors in vusb.txt; endpoints have 9 bytes there
STANDARD = {1: (1, 1, 2, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1),
            2: (1, 1, 2, 1, 1, 1, 1, 1), 4: (1,) * 9,
            5: (1, 1, 1, 1, 2, 1, 1, 1), 0x0b: (1,) * 8,
            0x21: (1, 1, 2, 1, 1, 1, 2)}
COMMUNICATIONS, AUDIO = 2, 1
IN_KINDS = (0x80, 0x81, 0x82, 0x83)     # to device, interface, endpoint, other
DEFAULT_STRING = "syz"
# an answer (vusb_descriptor and vusb_response in sys/linux/vusb.txt)
ANSWER_FIELDS = 3
ANSWER_HEAD = struct.Struct("<BBI")
MAX_LENGTH = 0xffff             # wLength


def find(source: Source) -> List[Candidate]:
    """Programs: from each syz_usb_connect to the last call that follows."""
    rows = source.text.split("\n")
    found = []
    begins = [number for number, row in enumerate(rows)
              if "syz_usb_connect" in tidy(row) and "(0x" in row
              and not tidy(row).lstrip().startswith("#")]
    for begin, end in zip(begins, [*begins[1:], len(rows)]):
        text = "".join(f"{tidy(row).strip()}\n" for row in itertools.takewhile(
            is_program, rows[begin:end]))
        try:
            calls = read(text)
            device = device_bytes(calls[0])
        except (Problem, IndexError):
            ids = "????:????"
        else:
            ids = ids_of(device)
        found.append(Candidate("syzkaller", ids, "a syzkaller program", text,
                               source.line + begin))
    return found


def is_program(row: str) -> bool:
    row = tidy(row).strip()
    return "(" in row or row.startswith("#") or not row


def read(text: str) -> List[Call]:
    calls = [parse_call(tidy(row), number)
             for number, row in enumerate(text.split("\n"), 1)]
    return [call for call in calls if call is not None]


def apply(part: Part, description: Description, file: DeviceFile) -> None:
    """--- syzkaller: the calls of one program."""
    calls = read(part.text)
    first = next((call for call in calls
                  if call.name.startswith("syz_usb_connect")), None)
    if first is None or len(first.arguments) < 3:
        raise Problem("no call of syz_usb_connect with a device", 1)
    connect(first, description, part)
    note_unknown(first.arguments[2:3], first.line, description, AREAS[0])
    for call in calls:
        if call is first:
            continue
        handler = HANDLERS.get(call.name)
        if handler is None:
            description.note(Grade.MISSING, call.line,
                             f"{call.name} happens in the guest, not in the "
                             "device", "other")
        else:
            handler(call, description)
            note_unknown(call.arguments[1:], call.line, description, "other")


def note_unknown(values: List[Value], line: int, description: Description,
                 area: str) -> None:
    """What the device has in place of values that are not in the text."""
    for value in unknown(values):
        if value.width:
            description.note(Grade.GUESSED, line, f"{value.what} is made when "
                             f"the program runs: {value.width} bytes of zero "
                             "in its place", area)
        else:
            description.note(Grade.MISSING, line, "the default value of "
                             f"{value.what}", area)


# the device

def connect(call: Call, description: Description, part: Part) -> None:
    speed, length = call.arguments[0], call.arguments[1]
    data = device_bytes(call, description)
    if not isinstance(speed, int) or not isinstance(length, int):
        raise Problem("speed and length of the device are no numbers",
                      call.line)
    if len(data) > length:
        description.note(Grade.INFERRED, call.line,
                         f"the device has {len(data)} bytes, {length} of "
                         "which are used")
    data = to_length(data, length)
    if len(data) < 18:
        raise Problem(f"a device of {len(data)} bytes", call.line)
    description.speed = SPEEDS.get(speed & 7, "high")
    description.descriptors[DEVICE, 0] = data[:18]
    if len(data) > 18:
        description.descriptors[CONFIGURATION, 0] = data[18:]
    # what syzkaller's executor answers by itself (executor/common_usb.h)
    description.descriptors[QUALIFIER, 0] = struct.pack(
        "<BBHBBBBBB", 10, QUALIFIER, *struct.unpack("<HBBBB", data[2:8]),
        data[17], 0)
    description.descriptors[STRING, 0] = language_table(0x0409)
    for index in data[14:17]:
        if index:
            description.descriptors[STRING, index] = string_descriptor(
                DEFAULT_STRING)
    description.note(Grade.WHOLE, call.line,
                     f"{len(data)} bytes of a syzkaller program")


def device_bytes(call: Call, description: Optional[Description] = None
                 ) -> bytes:
    """The third argument as it lies in memory."""
    if len(call.arguments) < 3:
        raise Problem("syz_usb_connect has too few arguments", call.line)
    serializer = Serializer(call.line)
    data = serializer.emit(call.arguments[2])
    for head in serializer.guessed if description else []:
        assert description is not None
        description.note(Grade.GUESSED, 0, f"the widths of the fields after "
                         f"{head.hex(' ')}, which do not add up to bLength")
    return data


class Serializer:
    """A literal to its bytes; knows the interface that it is in."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.interface = (0, 0, 0)
        self.guessed: List[bytes] = []      # heads of what does not add up

    def emit(self, value: Value) -> bytes:
        if isinstance(value, bytes):
            return value
        if isinstance(value, int):
            raise Problem(f"the width of {value:#x} in the device is not "
                          "known: only a program in which the device is "
                          '@ANYBLOB="..." can be read', self.line)
        if value is None:
            return b""
        if isinstance(value, Unknown):
            return stand_in(value, self.line)
        ints = leading(value.items)
        if len(ints) >= 2:
            return self.descriptor(value)
        return b"".join(map(self.emit, value.items))

    def descriptor(self, group: Group) -> bytes:
        """A group that begins with bLength and bDescriptorType."""
        numbers, rest = leading(group.items), group.items
        kind = numbers[1] & 0xff
        widths = STANDARD.get(kind)
        if widths is None:
            widths = self.class_widths(numbers, trailing(group.items))
        flat, rest = flattened(group.items, len(widths))
        if kind == 4 and len(flat) >= 8:
            self.interface = (flat[5] & 255, flat[6] & 255, flat[7] & 255)
        data = b"".join((number % (1 << 8 * width)).to_bytes(width, "little")
                        for number, width in zip(flat, widths))
        if kind in STANDARD:
            data += bytes(sum(widths) - len(data))
        return data + b"".join(map(self.emit, rest))

    def class_widths(self, numbers: List[int], more: int) -> Tuple[int, ...]:
        """
        By the names of the fields, so that they add up to bLength with so
        many bytes that follow.
        """
        if len(numbers) < 3:
            return (1,) * len(numbers)
        names = self.names(numbers)
        choices = [choice(names[at] if at < len(names) else "b")
                   for at in range(len(numbers) - 3)]
        for widths in itertools.product(*choices):
            if sum(widths) + 3 + more == numbers[0]:
                return (1, 1, 1, *widths)
        self.guessed.append(bytes(number & 0xff for number in numbers[:3]))
        return (1, 1, 1, *(options[0] for options in choices))

    def names(self, numbers: List[int]) -> List[str]:
        """The fields that follow bDescriptorSubtype."""
        steps = PARSED.get(self.layout(numbers), [])
        names = []
        for step in steps:
            name = step.groups[0][0]
            if name not in ("bLength", "bDescriptorType",
                            "bDescriptorSubtype") and not step.optional:
                names.append(name)
        return names

    def layout(self, numbers: List[int]) -> str:
        kind, subtype = numbers[1] & 0xff, numbers[2] & 0xff
        class_, subclass, protocol = self.interface
        version = {0x20: "2", 0x30: "3"}.get(protocol, "1")
        if kind == CS_ENDPOINT and class_ == AUDIO:
            return f"audioendpoint:{version}"
        if class_ == COMMUNICATIONS:
            return f"cdc:{subtype}"
        if class_ != AUDIO or kind != CS_INTERFACE:
            return ""
        if subclass == 1:
            name = ("", "HEADER", "INPUT_TERMINAL", "OUTPUT_TERMINAL",
                    "MIXER_UNIT", "SELECTOR_UNIT", "FEATURE_UNIT")
            return f"audiocontrol:{name[subtype] if subtype < 7 else ''}" \
                f":{version}"
        if subtype == 1:
            return f"audiostreaming:AS_GENERAL:{version}"
        type_ = "I" * min(numbers[3] & 3, 3) if len(numbers) > 3 else ""
        return f"audiostreaming:FORMAT_TYPE:FORMAT_TYPE_{type_}:{version}"


def choice(name: str) -> Tuple[int, ...]:
    """The widths that a field of this name may have."""
    if name.startswith("bm"):
        return (1, 2, 4)
    return (width_of(name) or 1,)


def leading(items: List[Value]) -> List[int]:
    """The numbers before anything else."""
    return [item for item in itertools.takewhile(
        lambda item: isinstance(item, int), items) if isinstance(item, int)]


def trailing(items: List[Value]) -> int:
    """The bytes that follow the numbers as such, also in lists."""
    count = 0
    for item in items:
        if isinstance(item, bytes):
            count += len(item)
        elif isinstance(item, Unknown):
            count += max(item.width, 0)
        elif isinstance(item, Group) and not leading(item.items):
            count += trailing(item.items)
    return count


def flattened(items: List[Value], count: int
              ) -> "Tuple[List[int], List[Value]]":
    """So many numbers, also out of groups within; and what is left."""
    found: List[int] = []
    rest = list(items)
    while rest and len(found) < count:
        item = rest[0]
        if isinstance(item, int):
            found.append(item)
            rest.pop(0)
        elif isinstance(item, Group) and leading(item.items):
            rest[:1] = item.items
        else:
            break
    return found, rest


# what is asked later

def control_io(call: Call, description: Description) -> None:
    """Descriptors by their type, answers by their request."""
    for kind, subtype, data in answers(call, 1, description):
        descriptor_answer(kind, subtype, data, description)
    for kind, request, data in answers(call, 2, description):
        for to in IN_KINDS:
            description.answers.append(Answer(
                bytes((to | kind & 0x60, request)), data))


def answers(call: Call, number: int, description: Description
            ) -> Iterator[Tuple[int, int, bytes]]:
    """
    (type, request or descriptor type, data) of each that is in an argument;
    numbers are the length of the whole, and pointers to nothing.
    """
    given = call.arguments[number] if number < len(call.arguments) else None
    for item in given.items if isinstance(given, Group) else [given]:
        if item is None or isinstance(item, (int, Unknown)):
            continue
        try:
            yield answer(item, call.line)
        except ValueError as err:
            description.note(Grade.MISSING, call.line, "an answer of "
                             f"{call.name}: {err}", "other")


def answer(item: Value, line: int) -> Tuple[int, int, bytes]:
    """One answer, also squashed to bytes; ValueError for what is none."""
    if not isinstance(item, Group):
        raise ValueError("bytes that are no structure")
    if not leading(item.items):
        return squashed_answer(Serializer(line).emit(item))
    if len(item.items) < ANSWER_FIELDS:
        raise ValueError(f"{len(item.items)} values, no data")
    kind, what, length, *rest = item.items
    if not (isinstance(kind, int) and isinstance(what, int)
            and isinstance(length, int)):
        raise ValueError("no numbers for type, request and length")
    data = b"".join(answer_bytes(value, length, line) for value in rest)
    return kind & 0xff, what & 0xff, to_length(data, length)


def squashed_answer(data: bytes) -> Tuple[int, int, bytes]:
    """As it lies in memory: two bytes, the length in 32 bits, the data."""
    if len(data) < ANSWER_HEAD.size:
        raise ValueError(f"squashed to {len(data)} bytes")
    kind, what, length = ANSWER_HEAD.unpack_from(data)
    return kind, what, to_length(data[ANSWER_HEAD.size:], length)


def to_length(data: bytes, length: int) -> bytes:
    """Cut, or with the zeros that memory has."""
    return data[:length].ljust(min(length, MAX_LENGTH), b"\0")


def answer_bytes(value: Value, length: int, line: int) -> bytes:
    if isinstance(value, int):
        return (value % (1 << 8 * min(length, 8))).to_bytes(
            min(length, 8), "little")
    if isinstance(value, Group):
        if is_item(value):
            return report_item(value)
        numbers = leading(value.items)
        if len(numbers) >= 2 and len(numbers) == len(value.items) and \
                sum(1 for _ in numbers) < length:
            return equal_widths(numbers, length, line)
        if numbers and not any(isinstance(item, Group)
                               for item in value.items):
            return bytes(number & 0xff for number in numbers) + b"".join(
                item for item in value.items if isinstance(item, bytes))
        return b"".join(answer_bytes(item, length, line)
                        for item in value.items)
    if isinstance(value, Unknown):
        return stand_in(value, line)
    return value or b""


def equal_widths(numbers: List[int], length: int, line: int) -> bytes:
    """Numbers of a structure: bLength and type first, or all as wide."""
    if numbers[1] == STRING and numbers[0] <= length:
        return Serializer(line).descriptor(Group(list(numbers)))
    for width in (2, 4, 8):
        if width * len(numbers) >= length:
            return b"".join((number % (1 << 8 * width)).to_bytes(
                width, "little") for number in numbers)[:length]
    return bytes(number & 0xff for number in numbers)


def is_item(group: Group) -> bool:
    """A short item: size, type, tag, data (HID 1.11 section 6.2.2.2)."""
    return len(group.items) == 4 and isinstance(group.items[3], bytes) and \
        len(leading(group.items)) == 3


def report_item(group: Group) -> bytes:
    size, kind, tag = leading(group.items)
    data = group.items[3]
    assert isinstance(data, bytes)
    count = (0, 1, 2, 4)[size & 3]
    return bytes((size & 3 | (kind & 3) << 2 | (tag & 15) << 4,)) + \
        data[:count].ljust(count, b"\0")


def descriptor_answer(kind: int, subtype: int, data: bytes,
                      description: Description) -> None:
    """Looked up by type alone: every string, every interface."""
    if kind & 0x60:
        for to in IN_KINDS[:2]:
            description.answers.append(Answer(bytes(
                (to | kind & 0x60, 6, 0, subtype, 0, 0, len(data) & 255,
                 len(data) >> 8)), data))
    elif subtype == REPORT:
        for number in interfaces(description):
            description.reports[number] = data
    elif subtype == STRING:
        for where, index in list(description.descriptors):
            if where == STRING and index:
                description.descriptors[STRING, index] = data
    else:
        description.descriptors[subtype, 0] = data


def interfaces(description: Description) -> List[int]:
    return [item[2] for data in description.configurations()
            for _, item in split(data) if item[1] == 4 and len(item) > 2]


def ep_write(call: Call, description: Description) -> None:
    """What an IN endpoint brings; by address, or by its place before."""
    address = written_to(call, description)
    length = call.arguments[2] if len(call.arguments) > 3 else None
    if address is None or not isinstance(length, int):
        description.note(Grade.MISSING, call.line, "the endpoint or the "
                         f"length of {call.name}", "other")
        return
    data = call.arguments[3]
    body = Serializer(call.line).emit(data) if not isinstance(data, int) \
        else b""
    description.streams.setdefault(address, []).append(to_length(body, length))


def written_to(call: Call, description: Description) -> Optional[int]:
    """The address of the endpoint, None where there is none."""
    where = call.arguments[1] if len(call.arguments) > 1 else None
    if not isinstance(where, int):
        return None
    return where & 0xff if where & 0x80 else nth_in_endpoint(description,
                                                             where)


def nth_in_endpoint(description: Description, number: int) -> Optional[int]:
    endpoints = [item[2] for data in description.configurations()
                 for _, item in split(data)
                 if item[1] == ENDPOINT and len(item) > 2 and item[2] & 0x80]
    return endpoints[number] if number < len(endpoints) else None


def ep_read(call: Call, description: Description) -> None:
    """Endpoints that take data do so in every device."""


def disconnect(call: Call, description: Description) -> None:
    description.note(Grade.MISSING, call.line, "syz_usb_disconnect: the end "
                     "of a device is a fault rule (unplug)", "other")


HANDLERS: Dict[str, Callable[[Call, Description], None]] = {
    "syz_usb_control_io": control_io, "syz_usb_ep_write": ep_write,
    "syz_usb_ep_read": ep_read, "syz_usb_disconnect": disconnect}
