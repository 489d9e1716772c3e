# SPDX-License-Identifier: GPL-2.0-or-later
"""
Control transfers to a device: the descriptors that were read, and what other
requests got.

    80 06 0100 0000 0012 = 12 01 ...        bmRequestType bRequest wValue
    80 06 0600 0000 000a ! stall            wIndex wLength, and the answer
    21 0a 0000 0000 0000 =
"""

from __future__ import annotations

import re
from typing import Dict, Iterable, List, Optional, Tuple

from ..capture.transfer import CONTROL, Transfer
from ..devicefile import DeviceFile, Part
from ..errors import Problem
from ..model import (BOS, CONFIGURATION, DEVICE, REPORT, STRING, Answer,
                     Description, Grade, ids_of)

LINE = re.compile(r"^([0-9a-f]{2}) ([0-9a-f]{2}) ([0-9a-f]{4}) ([0-9a-f]{4}) "
                  r"([0-9a-f]{4}) (?:=((?: ?[0-9a-f]{2})*)( \.\.\.)?|! (\w+))$",
                  re.I)
GET_DESCRIPTOR, SET_ADDRESS = 6, 5
FROM_DEVICE, FROM_INTERFACE, TO_DEVICE = 0x80, 0x81, 0x00
CLASS_OR_VENDOR = 0x60          # bits of bmRequestType
WITH_TOTAL = (CONFIGURATION, BOS)


def by_device(transfers: Iterable[Transfer]
              ) -> "Dict[Tuple[int, int], List[Transfer]]":
    """
    Transfers by bus and device; what went to address 0 belongs to the
    device that got an address there.
    """
    found: Dict[Tuple[int, int], List[Transfer]] = {}
    for transfer in transfers:
        key = (transfer.bus, transfer.device)
        found.setdefault(key, []).append(transfer)
        setup = transfer.setup
        if setup and not transfer.device and setup[:2] == bytes(
                (TO_DEVICE, SET_ADDRESS)) and transfer.outcome == "ok":
            given = (transfer.bus, setup[2])
            found[given] = [*found.pop(key), *found.get(given, [])]
    return found


def ids_in(transfers: Iterable[Transfer]) -> Optional[str]:
    """idVendor:idProduct, if the device descriptor was read."""
    for transfer in transfers:
        setup = transfer.setup
        if setup and setup[:4] == bytes((FROM_DEVICE, GET_DESCRIPTOR, 0,
                                         DEVICE)) and \
                len(transfer.data) >= 18:
            return ids_of(transfer.data)
    return None


def write(transfers: Iterable[Transfer]) -> str:
    """The control transfers as lines, each answer once."""
    lines: Dict[str, None] = {}
    for transfer in transfers:
        if transfer.kind != CONTROL or transfer.setup is None or \
                transfer.outcome in ("never", "cancelled", "gone"):
            continue
        answer = f"! {transfer.outcome}"
        if transfer.outcome == "ok":
            data = transfer.data if transfer.is_in else b""
            answer = f"= {data.hex(' ')}".rstrip() + (
                " ..." if transfer.cut and transfer.is_in else "")
        lines[f"{setup_words(transfer.setup)} {answer}"] = None
    return "".join(f"{line}\n" for line in lines)


def setup_words(setup: bytes) -> str:
    words = [int.from_bytes(setup[at:at + 2], "little") for at in (2, 4, 6)]
    return f"{setup[0]:02x} {setup[1]:02x} " + " ".join(
        f"{word:04x}" for word in words)


def apply(part: Part, description: Description, file: DeviceFile) -> None:
    """--- control: requests with their answers, one a line."""
    add(read(part.text), description)


def read(text: str) -> List[Transfer]:
    """The lines of a part as transfers."""
    found = []
    for number, row in enumerate(text.split("\n"), 1):
        row = row.strip()
        if not row or row.startswith("#"):
            continue
        match = LINE.match(row)
        if not match:
            raise Problem(f'"{row:.50}" is not "80 06 0100 0000 0012 = 12 '
                          '..." or "... ! stall"', number)
        setup = bytes((int(match[1], 16), int(match[2], 16))) + b"".join(
            int(match[at], 16).to_bytes(2, "little") for at in (3, 4, 5))
        status = -32 if match[8] == "stall" else -71 if match[8] else 0
        found.append(Transfer(0, 0, CONTROL, 0, setup,
                              bytes.fromhex(match[6] or ""), bool(match[7]),
                              status, number, number, number))
    return found


def add(transfers: Iterable[Transfer], description: Description) -> None:
    """What the transfers say of the device."""
    read_once: Dict[Tuple[int, int], Transfer] = {}
    seen = {answer.setup for answer in description.answers}
    for transfer in transfers:
        setup = transfer.setup
        if setup is None or transfer.outcome in ("never", "cancelled",
                                                 "gone"):
            continue
        if setup[1] == GET_DESCRIPTOR and setup[0] in (FROM_DEVICE,
                                                       FROM_INTERFACE):
            keep_longest(transfer, read_once, description)
        elif setup[0] & CLASS_OR_VENDOR and setup not in seen and \
                transfer.outcome in ("ok", "stall"):
            seen.add(setup)
            description.answers.append(Answer(
                setup, transfer.data if transfer.outcome == "ok" else None))
    for (kind, index), transfer in sorted(read_once.items()):
        description.descriptors[kind, index] = transfer.data
        check_length(kind, index, transfer, description)
    description.note(Grade.WHOLE, 1, f"{len(read_once)} descriptors as "
                     "they were read on the bus")


def keep_longest(transfer: Transfer,
                 found: "Dict[Tuple[int, int], Transfer]",
                 description: Description) -> None:
    """A descriptor is often read in part first."""
    setup = transfer.setup
    assert setup is not None
    if transfer.outcome != "ok" or len(transfer.data) < 2:
        return
    if setup[0] == FROM_INTERFACE:
        before = description.reports.get(setup[4], b"")
        if setup[3] == REPORT and len(transfer.data) > len(before):
            description.reports[setup[4]] = transfer.data
        return
    key = (setup[3], setup[2])
    if key not in found or len(transfer.data) > len(found[key].data):
        found[key] = transfer


def check_length(kind: int, index: int, transfer: Transfer,
                 description: Description) -> None:
    """Was it read whole?"""
    data = transfer.data
    length = data[0]
    if kind in WITH_TOTAL and len(data) >= 4:
        length = int.from_bytes(data[2:4], "little")
    if len(data) >= length:
        return
    asked = int.from_bytes((transfer.setup or bytes(8))[6:8], "little")
    if transfer.cut or len(data) >= asked:
        area = "strings" if kind == STRING else "descriptors"
        description.note(
            Grade.MISSING, transfer.line, f"descriptor {kind:#04x} {index}: "
            f"{length - len(data)} of {length} bytes are not in the "
            "recording", area)
