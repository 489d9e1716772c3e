# SPDX-License-Identifier: MIT
"""The way back from a configuration descriptor's bytes, leniently."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Dict, List, Tuple

INTERFACE, ENDPOINT = 0x04, 0x05        # descriptor types


@dataclass
class Parsed:
    """What a configuration descriptor says, as far as it makes sense."""

    value: int = 0
    attributes: int = 0x80
    # (interface, alternate) -> endpoint address -> wMaxPacketSize
    settings: Dict[Tuple[int, int], Dict[int, int]] = field(
        default_factory=dict)


def parse_configuration(data: bytes) -> Parsed:
    """
    Read a configuration descriptor, computed or raw; what is too short or
    out of place is passed over.
    """
    parsed = Parsed()
    if len(data) >= 8:
        parsed.value, parsed.attributes = data[5], data[7]
    current: Dict[int, int] = {}
    for part in split(data):
        if part[1] == INTERFACE and len(part) >= 4:
            current = parsed.settings.setdefault((part[2], part[3]), {})
        elif part[1] == ENDPOINT and len(part) >= 6:
            current[part[2]] = part[4] | part[5] << 8
    return parsed


def split(data: bytes) -> List[bytes]:
    """The single descriptors of a chain, up to the first impossible one."""
    parts, at = [], 0
    while at + 2 <= len(data) and data[at] >= 2:
        parts.append(data[at:at + data[at]])
        at += data[at]
    return parts
