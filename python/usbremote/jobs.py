# SPDX-License-Identifier: MIT
"""Coroutines that run beside others, and end together."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import Any, Callable, Coroutine, List

from .errors import RemoteError

log = logging.getLogger(__name__)
# What happens to a device as a whole; `run` tells it by default.
life = logging.getLogger("usbremote.life")


class Job:
    """
    A coroutine that runs beside others until cancel(); on_failure is called
    after an exception that is a bug.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop,
                 coroutine: Coroutine[Any, Any, Any],
                 on_failure: Callable[[], None]) -> None:
        self._coroutine = coroutine
        self._task = loop.create_task(_guard(coroutine, on_failure))

    def done(self) -> bool:
        return self._task.done()

    def cancel(self) -> None:
        """End it, also before it began."""
        self._task.cancel()
        if inspect.getcoroutinestate(self._coroutine) == inspect.CORO_CREATED:
            self._coroutine.close()


async def _guard(coroutine: Coroutine[Any, Any, Any],
                 on_failure: Callable[[], None]) -> None:
    """What the guest does ends a coroutine quietly, a bug does not."""
    try:
        await coroutine
    except RemoteError as err:
        log.debug("%s ended: %s", coroutine.__qualname__, err)
    except Exception as err:
        log.error("%s failed, its endpoints are halted",
                  coroutine.__qualname__, exc_info=err)
        on_failure()


class Jobs:
    """Jobs that end together; on_failure is called for each that fails."""

    def __init__(self, on_failure: Callable[[], None]) -> None:
        self._on_failure = on_failure
        self._jobs: List[Job] = []

    def start(self, loop: asyncio.AbstractEventLoop,
              coroutine: Coroutine[Any, Any, Any]) -> Job:
        job = Job(loop, coroutine, self._on_failure)
        self._jobs = [j for j in self._jobs if not j.done()] + [job]
        return job

    def cancel(self) -> None:
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.cancel()
