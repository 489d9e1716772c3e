# SPDX-License-Identifier: MIT
"""Which line of a device author's code something comes from."""

from __future__ import annotations

import os
import sysconfig
from types import CodeType, FrameType, TracebackType
from typing import Iterable, List, Optional, Tuple

PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
EXAMPLES = os.path.join(PACKAGE, "examples", "")
LIBRARY = tuple(os.path.join(os.path.abspath(sysconfig.get_path(name)), "")
                for name in ("stdlib", "platstdlib"))

Place = Tuple[CodeType, int]    # and the line


def places_of(frame: Optional[FrameType]) -> List[Place]:
    """What runs, the innermost first."""
    found = []
    while frame is not None:
        found.append((frame.f_code, frame.f_lineno))
        frame = frame.f_back
    return found


def places_of_error(trace: Optional[TracebackType]) -> List[Place]:
    """Where an exception came through, the innermost first."""
    found: List[Place] = []
    while trace is not None:
        found.insert(0, (trace.tb_frame.f_code, trace.tb_lineno))
        trace = trace.tb_next
    return found


def authors(places: Iterable[Place]) -> Optional[Place]:
    """The innermost that is neither this package's nor Python's own."""
    for place in places:
        name = os.path.abspath(place[0].co_filename)
        ours = is_package(name)
        pythons = name.startswith(LIBRARY) and "site-packages" not in name
        if not ours and not pythons and os.path.exists(name):
            return place
    return None


def described(place: Place) -> str:
    """FILE:LINE: FUNCTION()"""
    code, line = place
    return f"{code.co_filename}:{line}: {code.co_name}()"


def is_package(name: str) -> bool:
    """Whether a file is one of this package, the examples not."""
    return name.startswith(PACKAGE) and not name.startswith(EXAMPLES)


def made_at(frame: Optional[FrameType], *inside: str) -> str:
    """
    "FILE:LINE: " of the first caller outside of these files, "" when that is
    one of the package, too.
    """
    while frame is not None and frame.f_code.co_filename in (*inside,
                                                             "<string>"):
        frame = frame.f_back
    if frame is None or is_package(os.path.abspath(
            frame.f_code.co_filename)):
        return ""
    return f"{frame.f_code.co_filename}:{frame.f_lineno}: "
