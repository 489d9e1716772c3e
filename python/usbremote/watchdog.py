# SPDX-License-Identifier: MIT
"""
Says which line of a device's code keeps everything else waiting.

A coroutine that never waits, or a handler that sleeps, stops the answers to
the guest, signals and timers alike, and nothing in the loop can say so.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import sysconfig
import threading
from types import CodeType, FrameType, TracebackType
from typing import Iterable, List, Optional, Tuple, Type

log = logging.getLogger(__name__)

PACKAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
EXAMPLES = os.path.join(PACKAGE, "examples", "")
LIBRARY = tuple(os.path.join(os.path.abspath(sysconfig.get_path(name)), "")
                for name in ("stdlib", "platstdlib"))

Place = Tuple[CodeType, int]    # and the line


class Watchdog:
    """
    Watches the running loop while in `with`; it has to turn at least once in
    so many seconds.
    """

    def __init__(self, seconds: float = 1.0) -> None:
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._end = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watchdog":
        self._watcher.start()
        return self

    def __exit__(self, kind: Optional[Type[BaseException]],
                 error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self._end.set()
        self._watcher.join()

    def _watch(self) -> None:
        while not self._end.wait(self._seconds):
            turned = threading.Event()
            try:
                self._loop.call_soon_threadsafe(turned.set)
            except RuntimeError:        # closed
                return
            if not turned.wait(self._seconds) and not self._end.is_set():
                self._report()
                while not turned.wait(self._seconds):
                    if self._end.is_set():
                        return

    def _report(self) -> None:
        place = authors(places_of(sys._current_frames().get(self._thread)))
        if place is not None:
            log.warning(
                "%s has not waited for anything for %g s, and nothing else "
                "runs: is an 'await' missing, or does it block?  (Ctrl-C "
                "twice ends it)", described(place), self._seconds)


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
        ours = name.startswith(PACKAGE) and not name.startswith(EXAMPLES)
        pythons = name.startswith(LIBRARY) and "site-packages" not in name
        if not ours and not pythons and os.path.exists(name):
            return place
    return None


def described(place: Place) -> str:
    """FILE:LINE: FUNCTION()"""
    code, line = place
    return f"{code.co_filename}:{line}: {code.co_name}()"
