# SPDX-License-Identifier: GPL-2.0-or-later
"""A description as the Python source of a device of usbremote."""

from __future__ import annotations

import keyword
import re
from typing import Dict, List, Mapping, Optional, Tuple

from .model import (BOS, COMPANION, CONFIGURATION, CS_ENDPOINT, CS_INTERFACE,
                    DEVICE, ENDPOINT, HID, INTERFACE, OTHER_SPEED, QUALIFIER, STRING, Answer, Description,
                    split, string_descriptor)

NAMES: Mapping[int, str] = {
    DEVICE: "device", CONFIGURATION: "configuration", QUALIFIER: "qualifier",
    OTHER_SPEED: "other speed", BOS: "BOS", 11: "interface association",
    HID: "HID", CS_INTERFACE: "class-specific, interface",
    CS_ENDPOINT: "class-specific, endpoint",
    COMPANION: "SuperSpeed companion",
    16: "capability"}
TYPES = ("control", "iso", "bulk", "interrupt")
BYTES_A_ROW = 16

HEAD = '''#!/usr/bin/env python3
"""
{title}

    {program} --connect unix:/tmp/usb
"""

from usbremote import Device, Speed, {names}main
'''
CONTROL = '''
    def control(self, setup):
        packet = setup.encode()
        for request, data in ANSWERS:
            if packet.startswith(request):
                if data is None:
                    raise Stall()
                return data if setup.is_in else None
        return super().control(setup)
'''
MAIN = '''

if __name__ == "__main__":
    main({name})
'''


def python_source(description: Description, title: str, program: str) -> str:
    """
    The text of a program that is this device: the same descriptors byte for
    byte, and the same answers.
    """
    name = class_name(description.string(
        description.device.ljust(18, b"\0")[15]) or title)
    answers = requests(description)
    text = HEAD.format(title=printable(title), program=program,
                       names="Stall, " if answers else "")
    if answers:
        text += "\n# the begin of a setup packet, and what the request gets\n"
        text += "ANSWERS = [\n" + "".join(map(answer_row, answers)) + "]\n"
    text += f"\n\nclass {name}(Device):\n"
    text += f"    speeds = (Speed.{description.speed.upper()},)\n"
    text += "    raw_descriptors = {\n" + "".join(
        entry(kind, index, data) for (kind, index), data in sorted(
            description.descriptors.items())) + "    }\n"
    return text + (CONTROL if answers else "") + MAIN.format(name=name)


def class_name(text: str) -> str:
    """A product's name as that of a class."""
    words = re.findall(r"[A-Za-z0-9]+", text)
    name = "".join(word[:1].upper() + word[1:] for word in words)
    if not name or not name[0].isalpha() or keyword.iskeyword(name) or \
            name in ("Device", "Speed", "Stall"):
        name = f"Device{name}"
    return name[:40]


def printable(text: str) -> str:
    """For a docstring."""
    return "".join(char if char.isprintable() and char not in '"\\' else "?"
                   for char in text)


def requests(description: Description) -> List[Answer]:
    """Answers, and GET_DESCRIPTOR of reports to their interfaces."""
    found = [Answer(bytes((0x81, 6, 0, 0x22, number, 0)), data)
             for number, data in sorted(description.reports.items())]
    seen: Dict[bytes, None] = {}
    for answer in description.answers:
        # wLength is the guest's business
        if answer.setup[:6] not in seen:
            seen[answer.setup[:6]] = None
            found.append(Answer(answer.setup[:6], answer.data))
    return found


def answer_row(answer: Answer) -> str:
    head = f'    (bytes.fromhex("{answer.setup.hex(" ")}"), '
    if answer.data is None:
        return head + "None),\n"
    rows = hex_rows(answer.data)
    if not rows:
        return head + 'b""),\n'
    return head + "bytes.fromhex(\n" + "".join(
        f'        "{row}"\n' for row in rows)[:-1] + ")),\n"


def entry(kind: int, index: int, data: bytes) -> str:
    """One descriptor of raw_descriptors, a row for each of its parts."""
    key = f"        ({kind:#04x}, {index}): bytes.fromhex("
    rows = [(row, comment if at == 0 else "")
            for part, comment in parts(kind, index, data)
            for at, row in enumerate(hex_rows(part))]
    if not rows:
        return key + '""),\n'
    return key + "\n" + "".join(
        (f"            # {comment}\n" if comment else "")
        + f'            "{row}"\n' for row, comment in rows)[:-1] + "),\n"


def parts(kind: int, index: int, data: bytes
          ) -> "List[Tuple[bytes, str]]":
    """A descriptor cut into those that it consists of, with comments."""
    if kind == STRING:
        return [(data, string_comment(index, data))]
    found: List[Tuple[bytes, str]] = []
    end = 0
    for at, item in split(data):
        found.append((item, comment_on(item)))
        end = at + len(item)
    if end < len(data):
        found.append((data[end:], "no descriptor"))
    return found


def string_comment(index: int, data: bytes) -> str:
    if not index:
        return "languages"
    text = data[2:].decode("utf-16-le", "replace")
    return printable(text) if string_descriptor(text) == data else "string"


def comment_on(item: bytes) -> str:
    if item[1] == INTERFACE and len(item) >= 8:
        alternate = f", alternate setting {item[3]}" if item[3] else ""
        return f"interface {item[2]}{alternate}, class {item[5]:#04x}"
    if item[1] == ENDPOINT and len(item) >= 4:
        direction = "IN" if item[2] & 0x80 else "OUT"
        return f"endpoint {item[2] & 15} {direction}, {TYPES[item[3] & 3]}"
    name: Optional[str] = NAMES.get(item[1])
    return name or f"of type {item[1]:#04x}"


def hex_rows(data: bytes) -> List[str]:
    return [data[at:at + BYTES_A_ROW].hex(" ")
            for at in range(0, len(data), BYTES_A_ROW)]
