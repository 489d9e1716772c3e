# SPDX-License-Identifier: MIT
"""
For tests of devices without QEMU: its end of the protocol, and a clock
that does not wait.  No I/O.
"""

from __future__ import annotations

import asyncio
import inspect
import weakref
from functools import partial
from typing import Any, Callable, Coroutine, List, Optional, Sequence

from .cli import plain_parser
from .clock import VirtualLoop
from .codec import Complete, Hello, Message
from .device import Device
from .engine import Engine, engine_of
from .errors import Refused
from .port import Port
from .qemu import QemuSession
from .session import PeerSession
from .setup import Setup, Standard
from .types import Speed, TransferType


async def _watched(coroutine: Coroutine[Any, Any, Any],
                   errors: List[BaseException]) -> Any:
    try:
        return await coroutine
    except Exception as err:
        errors.append(err)


def maker(make: Callable[..., Device], arguments: Sequence[str]
          ) -> Callable[[], Device]:
    """
    What makes the device: a class that takes options is given what its
    command line makes of these arguments.
    """
    if not (isinstance(make, type) and issubclass(make, Device)
            and inspect.signature(make).parameters):
        return make
    parser = plain_parser(None, make.__name__)
    make.add_options(parser)
    options = parser.parse_args(arguments)
    return partial(make, options)


def _made(make: Callable[[], Device], errors: List[BaseException],
          hello: Hello) -> Device:
    """The device of a bench; that it cannot be made is told to the test."""
    try:
        return make()
    except Refused:
        raise
    except Exception as err:
        errors.append(err)
        raise Refused(0, "the device could not be made") from err


class Bench:
    """
    A device, its port and QEMU's end in memory.

    make: a device's class, or what makes the device.  arguments: of the
    class's own command line, without --connect and its like.

    qemu says things, exchange() carries them over and collects what the
    device said in `heard`.
    """

    def __init__(self, make: Callable[..., Device],
                 qemu: Optional[QemuSession] = None,
                 arguments: Sequence[str] = ()) -> None:
        made = maker(make, arguments)
        self.loop = VirtualLoop()
        self.qemu = qemu or QemuSession()
        self.heard: List[Message] = []
        self._errors: List[BaseException] = []
        self.port = Port(self.loop, partial(_made, made, self._errors),
                         PeerSession())
        self._to_qemu: List[bytes] = []
        self._close = weakref.finalize(self, self.loop.dispose)
        self.port.start(self._to_qemu.append)

    @property
    def device(self) -> Device:
        assert self.port.device is not None
        return self.port.device

    @property
    def engine(self) -> Engine:
        """What runs the device."""
        return engine_of(self.device)

    def now(self) -> float:
        """Seconds on the clock."""
        return self.loop.time()

    def spawn(self, coroutine: Coroutine[Any, Any, Any]
              ) -> "asyncio.Task[Any]":
        """
        Have a coroutine run from the next exchange() on, which raises what
        it raises.
        """
        return self.loop.create_task(_watched(coroutine, self._errors))

    def close(self) -> None:
        """End all that runs; happens by itself when nobody has it any more."""
        self._close()

    def exchange(self, seconds: float = 0.0) -> List[Message]:
        """
        Carry bytes both ways until nobody says more, let this much time
        pass, carry what is said meanwhile, and return what the device said.
        Raises what making the device raised.
        """
        start = len(self.heard)
        self._carry()
        if seconds:
            self._run(seconds)
            self._carry()
        return self.heard[start:]

    def _carry(self) -> None:
        self._run()
        while True:
            data, self._to_qemu[:] = b"".join(self._to_qemu), []
            back = self.qemu.data_to_send()
            if not data and not back:
                return
            self.heard += self.qemu.receive(data)
            self.loop.create_task(_watched(self._receive(back),
                                           self._errors))
            self._run()

    async def _receive(self, data: bytes) -> None:
        self.port.receive(data)

    def _run(self, seconds: float = 0.0) -> None:
        self.loop.run_for(seconds)
        if self._errors:
            raise self._errors.pop(0)

    def plug_in(self, speed: Speed = Speed.FULL) -> None:
        """Handshake, attach and the bus reset that every guest begins with."""
        self.exchange()
        self.qemu.attached(speed)
        self.qemu.reset(speed)
        self.exchange()

    def answer_to(self, id: int) -> Optional[Complete]:
        """The COMPLETE of this request, if it came."""
        return next((m for m in self.heard if isinstance(m, Complete)
                     and m.id == id), None)

    def answered(self, id: int) -> Complete:
        """The COMPLETE of this request, which must have come."""
        answer = self.answer_to(id)
        assert answer is not None, f"request {id} has no answer yet"
        return answer

    def control(self, setup: Setup) -> Complete:
        """A control request and its answer."""
        id = self.qemu.control(setup)
        self.exchange()
        answer = self.answer_to(id)
        assert answer is not None, f"no answer to {setup}"
        return answer

    def configure(self, value: int = 1) -> Complete:
        return self.control(Setup(0, Standard.SET_CONFIGURATION, value, 0, 0))

    def read(self, endpoint: int, length: int,
             type: TransferType = TransferType.BULK) -> int:
        """Ask an IN endpoint; returns the request's id."""
        id = self.qemu.submit(endpoint, type, length)
        self.exchange()
        return id

    def write(self, endpoint: int, data: bytes,
              type: TransferType = TransferType.BULK) -> int:
        """Write to an OUT endpoint; returns the request's id."""
        id = self.qemu.submit(endpoint, type, len(data), data=data)
        self.exchange()
        return id


__all__ = ["Bench", "QemuSession", "VirtualLoop"]
