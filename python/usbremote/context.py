# SPDX-License-Identifier: MIT
"""
What a device and its functions can do while they run.

The engine (engine.py) is behind it.  Nothing of it is a method of the device,
so that names of the author's own never meet those of the engine.
"""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Coroutine, NoReturn, Optional, Protocol, Union

from .endpoint import InEndpoint, OutEndpoint
from .errors import LocalError
from .jobs import Job
from .setup import Setup
from .types import Speed

# What a control handler gives: bytes for a request that reads, None for one
# that writes, or a coroutine that will.
Answer = Union[bytes, bytearray, memoryview, None, Awaitable[Any]]


class Context(Protocol):
    """What runs a device or a function."""

    @property
    def speed(self) -> Speed:
        """That in force, before that the fastest."""

    @property
    def is_configured(self) -> bool:
        """Whether the guest has chosen a configuration that has it."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop of the connection."""

    def ep_in(self, number: int) -> InEndpoint: ...

    def ep_out(self, number: int) -> OutEndpoint: ...

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Job: ...

    def unhandled(self, setup: Setup) -> NoReturn: ...


class Running:
    """The base of Device and Function: what their methods may use."""

    _context: Optional[Context] = None

    @property
    def _runs(self) -> Context:
        if self._context is None:
            raise LocalError(f"{type(self).__name__} is not part of a "
                             "device, or the device not at work yet")
        return self._context

    @property
    def is_configured(self) -> bool:
        """Whether the guest has chosen a configuration that has it."""
        return self._context is not None and self._context.is_configured

    def ep_in(self, number: int) -> InEndpoint:
        """
        The IN endpoint 1-15, the same object each time.  Using one that no
        setting of the guest's configuration declares raises LocalError.
        """
        return self._runs.ep_in(number)

    def ep_out(self, number: int) -> OutEndpoint:
        """The OUT endpoint 1-15; see ep_in()."""
        return self._runs.ep_out(number)

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Job:
        """
        Run a coroutine beside what runs, ended with it.  A bug in it is
        logged and halts the endpoints.
        """
        return self._runs.start(coroutine)

    def unhandled(self, setup: Setup) -> NoReturn:
        """Stall a request that nobody answers, and remember it."""
        self._runs.unhandled(setup)

    async def sleep(self, seconds: float) -> None:
        """asyncio.sleep()."""
        await asyncio.sleep(seconds)

    def now(self) -> float:
        """Seconds of a clock that never goes back."""
        return self._runs.loop.time()
