# SPDX-License-Identifier: GPL-2.0-or-later
"""
The forms in which people send devices, one module each.

A module has apply(part, description, file), which adds what a part of a
device file says to the description, with a note for what it had to infer;
parts are applied in their order, and a later one has the last word.
"""

from __future__ import annotations

from typing import Callable, Mapping

from ..devicefile import PYTHON, DeviceFile, Part
from ..model import Description
from . import hexbytes

Apply = Callable[[Part, Description, DeviceFile], None]


def nothing(part: Part, description: Description, file: DeviceFile) -> None:
    """The class of a device is no evidence."""


# kind of a part -> what reads it
READERS: Mapping[str, Apply] = {
    "descriptors": hexbytes.apply_descriptors,
    "hid-report": hexbytes.apply_report,
    "strings": hexbytes.apply_strings,
    PYTHON: nothing,
}
