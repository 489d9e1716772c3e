# SPDX-License-Identifier: MIT
"""An asyncio loop whose clock does not wait, for tests."""

from __future__ import annotations

import asyncio
import contextlib
import selectors
from typing import Callable, List, Optional, Tuple

RESOLUTION = 1e-9               # seconds
Ready = List[Tuple[selectors.SelectorKey, int]]


class _Selector(selectors.SelectSelector):
    """Nothing is waited for: the clock jumps to the next timer, or the end."""

    now = end = 0.0

    def __init__(self, when_idle: Callable[[], None]) -> None:
        super().__init__()
        self._when_idle = when_idle

    def select(self, timeout: Optional[float] = None) -> Ready:
        if timeout is None or self.now + timeout > self.end + RESOLUTION:
            self.now = self.end
            self._when_idle()
        else:
            self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """
    A loop that runs for so many seconds of a clock of its own, as fast as it
    can.  What other threads and programs do is not waited for.
    """

    def __init__(self) -> None:
        self._virtual = _Selector(self.stop)
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    def run_for(self, seconds: float = 0.0) -> None:
        """Let everything run that can, for this much of the clock."""
        self._virtual.end = self._virtual.now + seconds
        self.run_forever()

    def dispose(self) -> None:
        """End it with all that runs on it."""
        if self.is_closed():
            return
        self.set_exception_handler(lambda loop, context: None)
        for task in asyncio.all_tasks(self):
            task.cancel()
        with contextlib.suppress(RuntimeError):     # inside of another loop
            self.run_for()
        self.close()
