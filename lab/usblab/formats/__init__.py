# SPDX-License-Identifier: GPL-2.0-or-later
"""
The forms in which people send devices, one module each.

A module has apply(part, description, file), which adds what a part of a
device file says to the description, with a note for what it had to infer;
parts are applied in their order, and a later one has the last word.  Most have
find(source) too, which finds such parts in what people send.
"""

from __future__ import annotations

from typing import Callable, List, Mapping, Tuple

from ..devicefile import PYTHON, DeviceFile, Part
from ..model import Description
from . import (enumeration, fwupd, hexbytes, hid_text, lsusb, recording,
               syzkaller, umockdev, usb_devices)
from .found import Candidate, Source

Finder = Callable[[Source], List[Candidate]]
Apply = Callable[[Part, Description, DeviceFile], None]


def nothing(part: Part, description: Description, file: DeviceFile) -> None:
    """The class of a device is no evidence."""


# kind of a part -> what reads it
READERS: Mapping[str, Apply] = {
    "lsusb": lsusb.apply,
    "descriptors": hexbytes.apply_descriptors,
    "umockdev": umockdev.apply,
    "control": enumeration.apply,
    "usbmon": recording.apply,
    "syzkaller": syzkaller.apply,
    "usb-devices": usb_devices.apply,
    "fwupd": fwupd.apply,
    hid_text.SKELETON: hid_text.apply_skeleton,
    "hid-report": hid_text.apply_report,
    "strings": hexbytes.apply_strings,
    PYTHON: nothing,
}

# what finds devices in a source
FINDERS: Tuple[Finder, ...] = (
    umockdev.find,
    lsusb.find,
    hexbytes.find,
    hid_text.find,
    recording.find,
    syzkaller.find,
    usb_devices.find,
    fwupd.find,
)
