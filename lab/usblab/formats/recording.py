# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures (pcap, pcapng) and usbmon's text as evidence of devices."""

from __future__ import annotations

from typing import List, Tuple

from ..capture import pcap, transfers, usbmon
from ..capture.transfer import Transfer
from ..devicefile import DeviceFile, Part
from ..errors import Problem
from ..model import Description, Grade
from ..rows import tidy
from . import enumeration
from .found import Candidate, Source


def find(source: Source) -> List[Candidate]:
    """Each device whose device descriptor was read."""
    if pcap.is_capture(source.data):
        return of_capture(source)
    return of_text(source)


def of_capture(source: Source) -> List[Candidate]:
    found = [Candidate("control", ids, where(key), enumeration.write(own),
                       own[0].line, capture=True)
             for key, ids, own in enumerated(transfers(source.data))]
    if not found:
        raise Problem(f"{source.name}: the capture has no device whose "
                      "descriptors were read: it began after the device was "
                      "plugged in")
    return found


def of_text(source: Source) -> List[Candidate]:
    """The lines of a device, as they came."""
    rows = source.text.split("\n")
    found = []
    for key, ids, own in enumerated(usbmon.transfers(source.text)):
        lines = sorted({number for transfer in own for number in (
            transfer.submitted, transfer.completed) if number is not None})
        found.append(Candidate(
            "usbmon", ids, where(key), "".join(
                f"{tidy(rows[number]).strip()}\n" for number in lines),
            source.line + lines[0]))
    return found


def enumerated(recorded: List[Transfer]
               ) -> "List[Tuple[Tuple[int, int], str, List[Transfer]]]":
    """
    (bus and device, ids, transfers) of each device whose descriptor was
    read; address 0 only where nothing else has these ids.
    """
    groups = [(key, ids, own) for key, own in
              enumeration.by_device(recorded).items()
              for ids in [enumeration.ids_in(own)] if ids]
    addressed = {ids for key, ids, _ in groups if key[1]}
    return [group for group in groups
            if group[0][1] or group[1] not in addressed]


def where(key: Tuple[int, int]) -> str:
    return f"on bus {key[0]}, device {key[1]}"


def apply(part: Part, description: Description, file: DeviceFile) -> None:
    """--- usbmon: the text of one device's transfers."""
    own: List[Transfer] = usbmon.transfers(part.text)
    enumeration.add(own, description)
    if any(transfer.cut for transfer in own):
        description.note(Grade.MISSING, 1, "usbmon's text has 32 "
                         "bytes at most of a transfer", "other")
