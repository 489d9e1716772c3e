# SPDX-License-Identifier: MIT
"""The functions of a device while it runs, see function.py."""

from __future__ import annotations

import asyncio
import logging
from typing import (Any, Callable, Coroutine, Dict, List, Mapping, NoReturn,
                    Optional, Protocol, Tuple)

from .context import Answer
from .endpoint import InEndpoint, OutEndpoint, Pipe
from .errors import LocalError, TransferAborted
from .function import Function
from .jobs import Job, Jobs
from .layout import Layout, Places
from .pipes import ADDRESS, Pipes
from .place import Place
from .requests import declared
from .setup import Recipient, Setup
from .types import Direction, Speed

log = logging.getLogger(__name__)


class DeviceRun(Protocol):
    """What runs the device that the functions are of: its engine."""

    @property
    def speed(self) -> Speed: ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    @property
    def alternates(self) -> Mapping[int, int]: ...

    @property
    def pipes(self) -> Pipes: ...

    def unhandled(self, setup: Setup) -> NoReturn: ...


class FunctionRun:
    """One function; a FunctionContext."""

    def __init__(self, device: DeviceRun, function: Function) -> None:
        self._device = device
        other = function._context
        if isinstance(other, FunctionRun) and other._device is not device:
            raise LocalError(f"the same {type(function).__name__} is part of "
                             "two devices: make one in __init__()")
        function._context = self
        self.function = function
        self._place: Optional[Place] = None
        self._jobs = Jobs(self.halt)
        self._explain_failed = False

    # FunctionContext

    @property
    def place(self) -> Place:
        if self._place is None:
            raise TransferAborted(f"the guest has not configured the "
                                  f"{type(self.function).__name__}")
        return self._place

    @property
    def speed(self) -> Speed:
        return self._device.speed

    @property
    def is_configured(self) -> bool:
        return self._place is not None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self._device.loop

    def alternate(self, number: int) -> int:
        return self._device.alternates.get(self.place.interface(number), 0)

    def ep_in(self, number: int) -> InEndpoint:
        pipe = self._pipe(number | Direction.IN)
        assert isinstance(pipe, InEndpoint)
        return pipe

    def ep_out(self, number: int) -> OutEndpoint:
        pipe = self._pipe(number)
        assert isinstance(pipe, OutEndpoint)
        return pipe

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Job:
        return self._jobs.start(self.loop, coroutine)

    def unhandled(self, setup: Setup) -> NoReturn:
        self._device.unhandled(setup)

    def _pipe(self, own: int) -> Pipe:
        if not self.place.has_endpoint(own):
            raise LocalError(f"the {type(self.function).__name__} declares "
                             f"no endpoint 0x{own:02x}")
        return self._device.pipes.pipe(self.place.endpoint(own))

    # for Runs

    def explain(self, own: int, data: bytes) -> Optional[str]:
        """A bug in it does no harm, and is told once."""
        try:
            return self.function.explain(own, data)
        except Exception:
            if not self._explain_failed:
                log.exception("explain() of the %s failed",
                              type(self.function).__name__)
            self._explain_failed = True
            return None

    def tell(self, hook: Callable[..., None], *values: Any) -> None:
        """Call a hook of the function; a bug in it is logged, no more."""
        try:
            hook(*values)
        except Exception:
            log.exception("%s failed", hook.__qualname__)

    def choose(self, place: Place) -> None:
        self._place = place
        self.tell(self.function.reset)

    def begin(self) -> None:
        """From the start."""
        self._jobs.cancel()
        self.start(self.function.run())

    def cancel(self) -> None:
        self._jobs.cancel()

    def end(self) -> None:
        self._jobs.cancel()
        self._place = None
        self.tell(self.function.reset)

    def halt(self) -> None:
        """Nobody serves its endpoints: an error, so that no driver waits."""
        if self._place is not None:
            self._device.pipes.halt(self._place.addresses())


class Runs:
    """The functions of one device."""

    def __init__(self, device: DeviceRun, layout: Layout) -> None:
        self._device, self._layout = device, layout
        self._runs: Dict[int, FunctionRun] = {}         # by id()
        self._chosen: List[Tuple[FunctionRun, Place]] = []

    def bind(self) -> None:
        """Plugged in: they know whose they are."""
        self._present()

    def choose(self, value: int) -> None:
        """The guest chose this configuration."""
        self._chosen = self._of(self._layout.places(self._device.speed,
                                                    value))
        for run, place in self._chosen:
            run.choose(place)

    def begin(self) -> None:
        """... and knows it."""
        for run, _ in self._chosen:
            run.begin()

    def end(self) -> None:
        """It is not in force any more."""
        chosen, self._chosen = self._chosen, []
        for run, _ in chosen:
            run.end()

    def setting_chosen(self, interface: int, alternate: int) -> None:
        run, place = self._at(interface)
        if run is not None and place is not None:
            run.cancel()
            run.tell(run.function.setting_chosen,
                     place.own_interface(interface), alternate)

    def setting_begun(self, interface: int) -> None:
        """The guest knows it."""
        run, _ = self._at(interface)
        if run is not None:
            run.begin()

    def halt_changed(self, address: int, halted: bool) -> None:
        for run, place in self._chosen:
            own = place.own_endpoint(address)
            if own is not None:
                run.tell(run.function.halt_changed, own, halted)

    def explain(self, address: int, data: bytes) -> Optional[str]:
        """What the function of an endpoint says of a transfer's data."""
        for run, place in self._chosen:
            own = place.own_endpoint(address)
            if own is not None:
                return run.explain(own, data)
        return None

    def owner(self, setup: Setup) -> Optional[Function]:
        """The function whose interface or endpoint a request is for."""
        claimed = self._claimed(setup)
        if claimed is not None:
            return claimed
        if setup.recipient == Recipient.INTERFACE:
            run, _ = self._at(setup.index & 0xff)
            return run.function if run is not None else None
        if setup.recipient == Recipient.ENDPOINT:
            for run, place in self._present():
                if place.own_endpoint(setup.index & ADDRESS) is not None:
                    return run.function
        return None

    def _claimed(self, setup: Setup) -> Optional[Function]:
        for run, place in self._present():
            if run.function.claims(setup, place):
                return run.function
        return None

    def anyone(self, setup: Setup) -> Answer:
        """A request to the device that one of the functions declares."""
        if setup.recipient not in (Recipient.INTERFACE, Recipient.ENDPOINT):
            for run, _ in self._present():
                answer = declared(run.function, setup)
                if answer is not None:
                    return answer()
        self._device.unhandled(setup)

    def _at(self, interface: int
            ) -> Tuple[Optional[FunctionRun], Optional[Place]]:
        for run, place in self._present():
            if place.has_interface(interface):
                return run, place
        return None, None

    def _present(self) -> List[Tuple[FunctionRun, Place]]:
        """Of the configuration in force, before that of the first one."""
        return self._chosen or self._of(
            self._layout.places(self._device.speed))

    def _of(self, places: Places) -> List[Tuple[FunctionRun, Place]]:
        return [(self._run(function), place) for function, place in places]

    def _run(self, function: Function) -> FunctionRun:
        if id(function) not in self._runs:
            self._runs[id(function)] = FunctionRun(self._device, function)
        return self._runs[id(function)]
