# SPDX-License-Identifier: GPL-2.0-or-later
"""What an importer is given, and what it finds there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Optional


@dataclass
class Source:
    """
    A text, or the bytes of a binary file; name: for people; line: that of
    the text's first line in what was given.
    """
    name: str
    text: str = ""
    data: bytes = b""
    line: int = 1


@dataclass
class Candidate:
    """
    Evidence of one device: a part of a device file to be.  ids:
    "vvvv:pppp", or "" where the evidence does not say; line: of its first
    line in what was given; main: does it describe a device alone, or only
    add to one?  capture: is the source itself to be replayed?
    """
    kind: str
    ids: str
    name: str
    text: str
    line: int
    argument: str = ""
    main: bool = True
    speed: Optional[str] = None
    capture: bool = False
    notes: List[str] = field(default_factory=list)
