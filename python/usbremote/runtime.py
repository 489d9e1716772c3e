# SPDX-License-Identifier: MIT
"""
What a device needs from an event loop, so that it imports none.

transport.py has the one for asyncio, testing.py one with its own clock.
"""

from __future__ import annotations

from typing import Any, Coroutine, Generator, Protocol


class Waiter(Protocol):
    """A result that is not there yet, such as asyncio.Future."""

    def set_result(self, result: Any) -> None: ...

    def set_exception(self, exception: BaseException) -> None: ...

    def done(self) -> bool: ...

    def __await__(self) -> Generator[Any, None, Any]: ...


class Task(Protocol):
    """A running coroutine, such as asyncio.Task."""

    def cancel(self) -> bool: ...

    def done(self) -> bool: ...


class Runtime(Protocol):
    """An event loop."""

    def now(self) -> float:
        """Seconds of a clock that never goes back."""

    async def sleep(self, seconds: float) -> None:
        """Let others run, at least this long."""

    def waiter(self) -> Waiter:
        """A new result to wait for."""

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> Task:
        """Run a coroutine beside the caller, from the next round on."""
