# SPDX-License-Identifier: MIT
"""
Endpoint 0: each control request is asked of a handler and answered.

What answers later is cancelled when the guest gives up the request, resets
the bus or loses the device.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import Any, Awaitable, Callable, Dict, Optional, Protocol

from .context import Answer
from .errors import Fail, Stall
from .session import Request
from .setup import Setup
from .types import Status

log = logging.getLogger(__name__)


class Completing(Protocol):
    """What sends an answer, see PeerSession.complete()."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    def complete(self, request: Request, status: Status = Status.OK,
                 data: bytes = b"") -> bool: ...


class Ep0:
    """
    The control requests of one device.

    handler answers a request as Device.control() does.  on_answered is
    called when the guest has got the answer of one that succeeded.
    """

    def __init__(self, handler: Callable[[Setup], Answer],
                 on_answered: Callable[[Setup], None]) -> None:
        self._handler, self._on_answered = handler, on_answered
        self._later: "Dict[Request, asyncio.Task[None]]" = {}

    def submitted(self, line: Completing, request: Request) -> None:
        """Answer a request, now or later."""
        setup = Setup.decode(request.submit.setup, request.submit.data)
        try:
            answer = self._handler(setup)
            if inspect.isawaitable(answer):
                self._answer_later(line, request, setup, answer)
                return
            data = _answered(answer)
        except Exception as err:
            _refuse(line, request, setup, err)
        else:
            self._reply(line, request, setup, data)

    def cancelled(self, request: Request) -> None:
        """The guest gave it up, and the session has answered."""
        task = self._later.pop(request, None)
        if task is not None:
            task.cancel()

    def abort(self) -> None:
        """Bus reset, or unplugged: nobody waits for the answers."""
        for request in list(self._later):
            self.cancelled(request)

    def _answer_later(self, line: Completing, request: Request, setup: Setup,
                      answer: Awaitable[Any]) -> None:
        task = line.loop.create_task(
            self._wait(line, request, setup, answer))
        self._later[request] = task
        task.add_done_callback(lambda _: self._later.pop(request, None))

    async def _wait(self, line: Completing, request: Request, setup: Setup,
                    answer: Awaitable[Any]) -> None:
        try:
            result: Any = answer
            while inspect.isawaitable(result):
                result = await result
            data = _answered(result)
        except Exception as err:
            _refuse(line, request, setup, err)
        else:
            self._reply(line, request, setup, data)

    def _reply(self, line: Completing, request: Request, setup: Setup,
               data: bytes) -> None:
        if line.complete(request, Status.OK,
                         data[:setup.length] if setup.is_in else b""):
            self._on_answered(setup)


def _refuse(line: Completing, request: Request, setup: Setup,
            err: Exception) -> None:
    if isinstance(err, Fail):
        line.complete(request, err.status, err.data)
        return
    if not isinstance(err, Stall):
        log.error("answering a request failed, it is stalled: %s", setup,
                  exc_info=err)
    line.complete(request, Status.STALL)


def _answered(answer: Optional[object]) -> bytes:
    """What a control handler gave, as bytes."""
    if answer is None:
        return b""
    if isinstance(answer, (bytes, bytearray, memoryview)):
        return bytes(answer)
    raise TypeError("a control request is answered with bytes or None, "
                    f"not with {type(answer).__name__}")
