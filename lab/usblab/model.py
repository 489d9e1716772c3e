# SPDX-License-Identifier: GPL-2.0-or-later
"""A device as bytes, and how each line of the evidence led to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Dict, Iterator, List, Optional, Tuple

SPEEDS = ("low", "full", "high", "super")

DEVICE, CONFIGURATION, STRING, INTERFACE, ENDPOINT = 1, 2, 3, 4, 5
QUALIFIER, OTHER_SPEED, BOS = 6, 7, 15
HID, REPORT = 0x21, 0x22
# class-specific ones (USB Common Class 1.0 section 3.11)
CS_DEVICE, CS_INTERFACE, CS_ENDPOINT = 0x21, 0x24, 0x25
COMPANION = 0x30                # USB 3.2 table 9-6

# what sysfs has in "speed", in Mbit/s
SYSFS_SPEEDS = {"1.5": "low", "12": "full", "480": "high", "5000": "super",
                "10000": "super", "20000": "super"}


class Grade(IntEnum):
    """How well the bytes that a line led to are known."""
    WHOLE = 0           # the evidence has them
    INFERRED = 1        # a rule without exception gives them
    GUESSED = 2         # something sensible in place of what is not known
    MISSING = 3         # not in the evidence, and nothing in its place


# what a note is about; a device whose descriptors are whole enumerates as the
# real one did, whatever is not known of the rest
AREAS = ("descriptors", "strings", "reports", "other")


@dataclass(frozen=True)
class Note:
    """
    What became of a line; line: in the evidence, from 1, 0 for none; area:
    what it is about, one of AREAS.
    """
    grade: Grade
    line: int
    text: str
    area: str = AREAS[0]

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.grade.name.lower()}: {self.text}"


@dataclass(frozen=True)
class Answer:
    """
    What one control request gives: the setup packet (8 bytes, or 2 for
    whatever follows bRequest) and the data of its data stage, or None for a
    stall.
    """
    setup: bytes
    data: Optional[bytes]


@dataclass
class Description:
    """
    One USB device: descriptors, and what it says to other requests.

    descriptors: (type, index) -> bytes, as GET_DESCRIPTOR to the device
    gives them, strings included; reports: interface number -> HID report
    descriptor; answers: other control requests, in the order in which they
    were seen; streams: endpoint address -> what its IN transfers bring.
    """
    speed: str = "full"
    descriptors: Dict[Tuple[int, int], bytes] = field(default_factory=dict)
    reports: Dict[int, bytes] = field(default_factory=dict)
    answers: List[Answer] = field(default_factory=list)
    streams: Dict[int, List[bytes]] = field(default_factory=dict)
    notes: List[Note] = field(default_factory=list)

    @property
    def device(self) -> bytes:
        """The device descriptor, b"" where it is not known."""
        return self.descriptors.get((DEVICE, 0), b"")

    @property
    def ids(self) -> str:
        """idVendor:idProduct as lsusb writes them."""
        return ids_of(self.device)

    def configurations(self) -> List[bytes]:
        """The configuration descriptors that are known, in order."""
        return [data for (kind, _), data in sorted(self.descriptors.items())
                if kind == CONFIGURATION]

    def string(self, index: int) -> Optional[str]:
        """The text of a string descriptor."""
        data = self.descriptors.get((STRING, index))
        if not index or data is None:
            return None
        return data[2:].decode("utf-16-le", "replace")

    def answer_to(self, setup: bytes) -> Optional[Answer]:
        """
        What was recorded for a request: the same one, else that which
        differs in wLength only, else one of 2 bytes.
        """
        for size in (8, 6, 2):
            for answer in self.answers:
                if answer.setup[:size] == setup[:size] and \
                        (size > 2 or len(answer.setup) == 2):
                    return answer
        return None

    def grade(self, area: str = AREAS[0]) -> Grade:
        """The worst grade that a note on this area has."""
        return max((note.grade for note in self.notes if note.area == area),
                   default=Grade.WHOLE)

    def note(self, grade: Grade, line: int, text: str,
             area: str = AREAS[0]) -> None:
        self.notes.append(Note(grade, line, text, area))


def split(data: bytes) -> Iterator[Tuple[int, bytes]]:
    """(offset, descriptor) of a chain, as far as bLength makes sense."""
    at = 0
    while at + 2 <= len(data) and data[at] >= 2:
        yield at, data[at:at + data[at]]
        at += data[at]


def ids_of(device: bytes) -> str:
    """idVendor:idProduct of a device descriptor, zeros where it ends."""
    return (f"{int.from_bytes(device[8:10], 'little'):04x}:"
            f"{int.from_bytes(device[10:12], 'little'):04x}")


def string_descriptor(text: str) -> bytes:
    """USB 2.0 section 9.6.7; what is too long is cut."""
    body = text.encode("utf-16-le", "replace")[:252]
    return bytes((len(body) + 2, STRING)) + body


def language_table(*languages: int) -> bytes:
    """String descriptor 0."""
    body = b"".join(code.to_bytes(2, "little") for code in languages)
    return bytes((len(body) + 2, STRING)) + body
