# SPDX-License-Identifier: MIT
"""
Says which line of a device's code keeps everything else waiting.

A coroutine that never waits, or a handler that sleeps, stops the answers to
the guest, signals and timers alike, and nothing in the loop can say so.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from types import TracebackType
from typing import Optional, Type

from .blame import authors, described, places_of

log = logging.getLogger(__name__)


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
