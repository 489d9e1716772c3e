# SPDX-License-Identifier: MIT
"""
Signals of a program whose loop may be blocked by a device's code.

The first SIGINT or SIGTERM ends the program in order.  When the loop does not
get to it, because a handler blocks or a coroutine never waits, the next one
interrupts that code.  Systems without some of the signals do without them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import warnings
from types import FrameType, TracebackType
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Type

STOPPING = ("SIGINT", "SIGTERM")
PATIENCE = 3                    # so many interrupt in any case


class Signals:
    """
    Use with `with`, around the loop that is named with attach().

    stop is called on the loop at the first SIGINT or SIGTERM; others by
    their names, each time.
    """

    def __init__(self, stop: Callable[[], None],
                 others: Mapping[str, Callable[[], None]]) -> None:
        self._stop = stop
        self._actions: Dict[int, Callable[[], None]] = {
            getattr(signal, name): call for name, call in others.items()
            if hasattr(signal, name)}
        self._stopping = [getattr(signal, name) for name in STOPPING
                          if hasattr(signal, name)]
        self._before: Dict[int, Any] = {}
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._count = 0         # SIGINT and SIGTERM that came
        self._taken = False     # whether the loop got to the first

    def __enter__(self) -> "Signals":
        for number in [*self._stopping, *self._actions]:
            self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, kind: Optional[Type[BaseException]],
                 error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    @contextlib.contextmanager
    def attached(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        """Have the running loop act meanwhile."""
        with wakeups(loop):
            self._loop = loop
            if self._count:             # it came early
                loop.call_soon(self._take)
            try:
                yield
            finally:
                self._loop = None

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        """Called between any two steps of the program."""
        if number not in self._stopping:
            self._on_loop(self._actions[number])
            return
        self._count += 1
        if self._count == 1:
            self._on_loop(self._take)
        elif not self._taken or self._count >= PATIENCE:
            interrupt(frame)

    def _on_loop(self, call: Callable[[], None]) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(call)

    def _take(self) -> None:
        self._taken = True
        self._stop()


def interrupt(frame: Optional[FrameType]) -> None:
    """
    Raise KeyboardInterrupt in what runs; if that is a warning about a
    coroutine that is thrown away, where it would be lost, in what threw it.
    """
    inner, outer = frame, None
    while inner is not None:
        if inner.f_code.co_filename == warnings.__file__:
            outer = inner.f_back
        inner = inner.f_back
    if outer is None:
        raise KeyboardInterrupt
    outer.f_trace = _interrupt_here
    sys.settrace(lambda frame, event, argument: None)


def _interrupt_here(frame: FrameType, event: str, argument: Any) -> Any:
    sys.settrace(None)
    raise KeyboardInterrupt


@contextlib.contextmanager
def wakeups(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """
    A signal that comes just before the loop begins to wait must end that:
    Python writes a byte for it into a pipe.  Where there is no such pipe, the
    loop sees to it itself.
    """
    if not hasattr(signal, "siginterrupt"):     # no Unix
        yield
        return
    here, there = os.pipe()
    for end in (here, there):
        os.set_blocking(end, False)
    loop.add_reader(here, lambda: os.read(here, 4096))
    before = signal.set_wakeup_fd(there, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        loop.remove_reader(here)
        os.close(here)
        os.close(there)
