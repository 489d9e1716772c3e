# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes written as hexadecimal digits: plain, with blanks, or as xxd does."""

from __future__ import annotations

import re
from typing import Iterator, List, Tuple

from ..devicefile import DeviceFile, Part
from ..errors import Problem
from ..model import (BOS, CONFIGURATION, DEVICE, OTHER_SPEED, QUALIFIER,
                     STRING, Description, Grade, ids_of, string_descriptor)
from ..rows import tidy
from .found import Candidate, Source

# Each row can be read in one way only: what can be read in several takes a
# time that doubles with each byte of a row that is none.
# xxd: offset, colon, groups, then two blanks and the characters; hexdump -C:
# offset, two blanks, 16 bytes in two halves, the characters between bars
XXD = re.compile(r"^([0-9a-f]{4,16}): ((?:[0-9a-f]{2} ?)+?)(?:  .*)?$", re.I)
HEXDUMP = re.compile(r"^([0-9a-f]{6,16})  ((?:[0-9a-f]{2} {0,2}){1,16})"
                     r"(?: *\|.*)?$", re.I)
DIGITS = re.compile(r"^(?:(?:0x)?[0-9a-f]{2}[\s,:;]*)+$", re.I)
PATH_FIRST = re.compile(r"^/\S+ (?:[0-9a-f]{2}){18,}$", re.I)
DEVICE_HEAD = b"\x12\x01"


def parse(text: str) -> bytes:
    """
    The bytes of a dump; lines that begin with # and empty ones are left out.
    Raises Problem with the line.
    """
    lines = [(number, line.strip())
             for number, line in enumerate(text.splitlines(), 1)
             if line.strip() and not line.lstrip().startswith("#")]
    if lines and all(is_addressed(line) for _, line in lines):
        return b"".join(addressed(lines))
    return b"".join(plain(number, line) for number, line in lines)


def is_addressed(line: str) -> bool:
    """A row of a dump with offsets, or the offset that ends it."""
    return bool(XXD.match(line) or HEXDUMP.match(line)
                or re.fullmatch(r"[0-9a-f]{7,8}", line, re.I))


def addressed(lines: List[Tuple[int, str]]) -> Iterator[bytes]:
    """What xxd and hexdump -C print; the offsets have to fit."""
    at = 0
    for number, line in lines:
        match = XXD.match(line) or HEXDUMP.match(line)
        last = re.fullmatch(r"[0-9a-f]{4,16}", line, re.I)  # hexdump's end
        offset = match[1] if match else last[0] if last else "-1"
        if int(offset, 16) != at:
            raise Problem(f'"{line:.40}" is not the dump of offset {at:#x}',
                          number)
        if match:
            data = bytes.fromhex(match[2].replace(" ", ""))
            at += len(data)
            yield data


def plain(number: int, line: str) -> bytes:
    if not DIGITS.match(line):
        raise Problem(f'"{line:.40}" is no row of hexadecimal bytes', number)
    return bytes.fromhex(re.sub(r"0x|[\s,:;]", "", line, flags=re.I))


def find(source: Source) -> List[Candidate]:
    """Runs of rows of bytes that begin with a device descriptor."""
    if source.data[:2] == DEVICE_HEAD and not source.text:
        return [candidate(source.data, rows_of(source.data), 1)]
    found = []
    run: List[str] = []
    rows = source.text.split("\n")
    for number, row in enumerate([*rows, ""], 1):
        text = tidy(row).strip()
        if PATH_FIRST.match(text):
            found += from_run([text.split()[1]], source.line + number - 1)
        if is_addressed(text) or DIGITS.match(text):
            run.append(text)
            continue
        if run:
            found += from_run(run, source.line + number - 1 - len(run))
        run = []
    return found


def from_run(run: List[str], line: int) -> List[Candidate]:
    try:
        data = parse("\n".join(run))
    except Problem:
        return []
    if data[:2] != DEVICE_HEAD or len(data) < DEVICE_HEAD[0]:
        return []
    return [candidate(data, "\n".join(run) + "\n", line)]


def candidate(data: bytes, text: str, line: int) -> Candidate:
    return Candidate("descriptors", ids_of(data), "descriptors in hex", text,
                     line)


def rows_of(data: bytes) -> str:
    """16 bytes a row."""
    return "".join(f"{data[at:at + 16].hex(' ')}\n"
                   for at in range(0, len(data), 16))


def apply_descriptors(part: Part, description: Description,
                      file: DeviceFile) -> None:
    """
    A chain of descriptors: device, configurations with all they have, BOS,
    qualifier, strings; what sysfs has in "descriptors" is its beginning.
    """
    data = parse(part.text)
    add_chain(data, description)
    description.note(Grade.WHOLE, 1,
                     f"{len(data)} bytes of descriptors")


def add_chain(data: bytes, description: Description) -> None:
    """Cut a chain into what GET_DESCRIPTOR gives each."""
    at, configurations = 0, 0
    while at < len(data):
        head = data[at:at + 2]
        if len(head) < 2 or head[0] < 2:
            raise Problem(f"no descriptor begins at byte {at}: "
                          f"{data[at:at + 9].hex(' ')}")
        length = whole_length(data, at)
        item = data[at:at + length]
        if head[1] == CONFIGURATION:
            description.descriptors[head[1], configurations] = item
            configurations += 1
        elif head[1] == DEVICE and at:
            raise Problem(f"byte {at}: a second device descriptor")
        elif head[1] in (DEVICE, QUALIFIER, BOS, OTHER_SPEED):
            description.descriptors[head[1], 0] = item
        else:
            raise Problem(f"byte {at}: a descriptor of type {head[1]:#04x} "
                          "belongs into a configuration")
        if len(item) < length:
            description.note(
                Grade.MISSING, 0, f"the descriptor at byte {at} says "
                f"{length} bytes, {len(item)} are there")
        at += length
    if DEVICE not in (kind for kind, _ in description.descriptors):
        raise Problem("no device descriptor (12 01 ...)")


def whole_length(data: bytes, at: int) -> int:
    """bLength, or wTotalLength where there is one."""
    if data[at + 1] in (CONFIGURATION, OTHER_SPEED, BOS) and \
            at + 4 <= len(data):
        return max(int.from_bytes(data[at + 2:at + 4], "little"), data[at])
    return data[at]


def apply_strings(part: Part, description: Description,
                  file: DeviceFile) -> None:
    """Lines "INDEX TEXT", or "INDEX hex: BYTES" for the descriptor as is."""
    for number, line in enumerate(part.text.splitlines(), 1):
        if not line.strip():
            continue
        match = re.match(r"^\s*(\d{1,3})\s(?:hex:(.*)|(.*))$", line)
        if not match or int(match[1]) > 255:
            raise Problem(f'"{line:.40}" is not "INDEX TEXT"', number)
        description.descriptors[STRING, int(match[1])] = (
            string_descriptor(match[3]) if match[2] is None
            else plain(number, match[2].strip()))
