# SPDX-License-Identifier: GPL-2.0-or-later
"""A device file, or its path, to the device that it describes."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

from . import devicefile, override
from .devicefile import DeviceFile
from .errors import Problem
from .formats import READERS
from .model import (CONFIGURATION, DEVICE, ENDPOINT, QUALIFIER, STRING,
                    Description, Grade, language_table, split)

SUPER_VERSION, HIGH_VERSION = 0x0300, 0x0200
# parts that have no more than was asked while they were made
RECORDINGS = {"control", "usbmon"}
# what reading a text raises that is not what it is taken for
MALFORMED = (ValueError, LookupError, TypeError, OverflowError, struct.error)
BULK, INTERRUPT = 2, 3                      # USB 2.0 table 9-13
MORE_TRANSACTIONS = 0x18                    # bits 12 and 11 of wMaxPacketSize
FULL_SPEED_MOST = 1023                      # bytes of an isochronous packet
HUB, SINGLE_TT, MULTIPLE_TT = 9, 1, 2       # bDeviceClass, bDeviceProtocol


def load(path: "str | Path") -> Description:
    """
    Read a device file and apply its parts and overrides.

    Raises Problem, with the file's line, for what cannot be a device.
    """
    file = devicefile.read(path)
    try:
        return describe(file)
    except Problem as problem:
        raise Problem(f"{path}: {problem}", hints=problem.hints) from None


def describe(file: DeviceFile) -> Description:
    """The device that a file in memory describes."""
    description = Description(speed="")
    for part in file.parts:
        read_part(part, description, file)
    if not description.device:
        raise Problem("no part of it has a device descriptor")
    note_missing_configurations(description,
                                {part.kind for part in file.parts})
    description.speed = file.speed or description.speed or \
        guess_speed(description)
    if any(kind == STRING for kind, _ in description.descriptors):
        description.descriptors.setdefault((STRING, 0),
                                           language_table(0x0409))
    override.apply(file.override, description)
    note_missing_strings(description)
    return description


def note_missing_configurations(description: Description,
                                kinds: "set[str]") -> None:
    """
    Those that bNumConfigurations counts and the evidence does not have; not
    for syzkaller, which counts at random and answers with the first.
    """
    if "syzkaller" in kinds:
        return
    way = "; usb-lab import LSUSB --capture CAPTURE takes it from the output " \
        "of lsusb -v" if kinds <= RECORDINGS else ""
    count = description.device[17] if len(description.device) > 17 else 0
    absent = [str(index) for index in range(count)
              if (CONFIGURATION, index) not in description.descriptors]
    if absent:
        description.note(Grade.MISSING, 0, "the configuration descriptor of "
                         f"index {', '.join(absent)}{way}")


def note_missing_strings(description: Description) -> None:
    """Those of the device descriptor, which the guest asks for."""
    for index in description.device[14:17]:
        if index and (STRING, index) not in description.descriptors:
            description.note(Grade.MISSING, 0, f"string {index}", "strings")


def read_part(part: devicefile.Part, description: Description,
              file: DeviceFile) -> None:
    if part.kind not in READERS:
        raise Problem(f'unknown part "--- {part.kind}" (there are '
                      + ", ".join(READERS) + ")", part.line - 1)
    before = list(description.notes)
    try:
        READERS[part.kind](part, description, file)
    except Problem as problem:
        line = problem.line
        if line is not None:
            line += part.line - 1
        raise Problem(problem.args[0], line, problem.hints) from None
    except MALFORMED as err:
        raise Problem(f"this is no {part.kind}: {type(err).__name__}: {err}",
                      part.line or None) from err
    # what reads a part counts lines from its begin
    description.notes = [
        note if any(note is old for old in before) or not note.line
        else replace(note, line=note.line + part.line - 1)
        for note in description.notes]


def guess_speed(description: Description) -> str:
    """The speed that fits, where nothing says it."""
    speed = likely_speed(description)
    description.note(Grade.GUESSED, 0, f"{speed} speed, from bcdUSB and the "
                     "sizes of packets", "other")
    return speed


def likely_speed(description: Description) -> str:
    """
    By bMaxPacketSize0 and wMaxPacketSize (USB 2.0 sections 5.5 to 5.8, 9.6.1,
    9.6.2; USB 3.2 section 9.6.1).
    """
    device = description.device
    version = int.from_bytes(device[2:4], "little")
    endpoints = [item for data in description.configurations()
                 for _, item in split(data)
                 if item[1] == ENDPOINT and len(item) >= 7]
    bulk = {packet_size(item) for item in endpoints if item[3] & 3 == BULK}
    if version >= SUPER_VERSION and device[7:8] == b"\x09":
        return "super"
    if 512 in bulk or device[7:8] == b"\x40" and (
            is_fast_hub(device) or any(map(is_fast, endpoints))):
        return "high"
    if bulk or version < HIGH_VERSION or device[7:8] != b"\x40":
        return "low" if is_slow(device, endpoints) else "full"
    has_qualifier = (QUALIFIER, 0) in description.descriptors
    if has_qualifier or any(packet_size(item) > 64 for item in endpoints
                            if item[3] & 3 == INTERRUPT):
        return "high"
    return "full" if endpoints else "high"


def is_slow(device: bytes, endpoints: "list[bytes]") -> bool:
    """Low speed has interrupt endpoints of 8 bytes, each 10 ms at most."""
    return device[7:8] == b"\x08" and bool(endpoints) and all(
        item[3] & 3 == INTERRUPT and packet_size(item) <= 8 and item[6] >= 10
        for item in endpoints)


def is_fast(endpoint: bytes) -> bool:
    """Sizes that only high speed has (USB 2.0 sections 5.6.3 and 5.9)."""
    return bool(endpoint[5] & MORE_TRANSACTIONS) or \
        packet_size(endpoint) > FULL_SPEED_MOST


def is_fast_hub(device: bytes) -> bool:
    """A hub with a transaction translator (USB 2.0 section 11.23.1)."""
    return int.from_bytes(device[2:4], "little") >= HIGH_VERSION and \
        device[4] == HUB and device[6] in (SINGLE_TT, MULTIPLE_TT)


def packet_size(endpoint: bytes) -> int:
    return int.from_bytes(endpoint[4:6], "little") & 0x7ff


__all__ = ["DEVICE", "Description", "describe", "load"]
