# SPDX-License-Identifier: GPL-2.0-or-later
"""A device file, or its path, to the device that it describes."""

from __future__ import annotations

from pathlib import Path

from . import devicefile, override
from .devicefile import DeviceFile
from .errors import Problem
from .formats import READERS
from .model import DEVICE, STRING, Description, language_table

SUPER_VERSION, HIGH_VERSION = 0x0300, 0x0200


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
    description.speed = file.speed or description.speed or \
        likely_speed(description.device)
    if any(kind == STRING for kind, _ in description.descriptors):
        description.descriptors.setdefault((STRING, 0),
                                           language_table(0x0409))
    override.apply(file.override, description)
    return description


def read_part(part: devicefile.Part, description: Description,
              file: DeviceFile) -> None:
    if part.kind not in READERS:
        raise Problem(f'unknown part "--- {part.kind}" (there are '
                      + ", ".join(READERS) + ")", part.line - 1)
    try:
        READERS[part.kind](part, description, file)
    except Problem as problem:
        line = problem.line
        if line is not None:
            line += part.line - 1
        raise Problem(problem.args[0], line, problem.hints) from None


def likely_speed(device: bytes) -> str:
    """The speed of a device that says nothing else, by USB 2.0 and 3.2."""
    version = int.from_bytes(device[2:4], "little")
    if version >= SUPER_VERSION and device[7:8] == b"\x09":
        return "super"
    if version >= HIGH_VERSION and device[7:8] == b"\x40":
        return "high"
    return "full"


__all__ = ["DEVICE", "Description", "describe", "load"]
