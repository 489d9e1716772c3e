# SPDX-License-Identifier: MIT
"""
What runs a device: its state, its endpoints, its jobs and its functions.

The port calls it with what happens on the bus.  It calls the device's
methods, and is what the device's helpers use.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import (Any, Coroutine, Dict, NoReturn, Optional, Protocol, Set,
                    Sequence)

from .codec import Submit
from .context import Answer
from .device import Device, Socket
from .endpoint import InEndpoint, OutEndpoint, Pipe
from .ep0 import Ep0
from .errors import LocalError, Stall, Unhandled
from .jobs import Job, Jobs, life
from .layout import Layout, class_of
from .parsed import Parsed
from .pipes import Pipes
from .requests import declared, name_of_handler
from .runs import Runs
from .session import Request
from .setup import Kind, Setup, Standard
from .standard import STANDARD
from .strings import Text
from .types import Speed, Status, TransferType
from .unanswered import Unanswered

class EnginePort(Socket, Protocol):
    """What an engine needs from the port."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...


class Engine:
    """One device's engine, for as long as there is the device."""

    def __init__(self, device: Device) -> None:
        self.device = device
        if isinstance(device.speeds, Speed):
            raise LocalError(f"{class_of(device)}: speeds is {device.speeds!r}"
                             ", and has to be a tuple of speeds")
        self.speed = max(device.speeds)
        self.address = 0
        self.attached = False
        self.remote_wakeup = False
        self.waking_functions: Set[int] = set()     # by interface
        self.link_power = 0
        self.unanswered = Unanswered()
        self.layout = Layout(device)
        self.is_configured = False
        self.alternates: Dict[int, int] = {}
        self.at: Optional[EnginePort] = None
        self._tells_requests = (type(device).on_request
                                is not Device.on_request)
        self._ep0 = Ep0(lambda setup: device.control(setup), self._answered)
        self.pipes = Pipes(device, lambda: self.port)
        self._jobs = Jobs(self.pipes.halt)
        self._setting_jobs: Dict[int, Jobs] = {}
        self._runs = Runs(self, self.layout)
        self._waiting: "list[asyncio.Future[None]]" = []
        device._context = self

    # for the device, see DeviceContext

    @property
    def port(self) -> EnginePort:
        if self.at is None:
            raise LocalError(f"{type(self.device).__name__} is not plugged "
                             "in anywhere yet")
        return self.at

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self.port.loop

    @property
    def unhandled_requests(self) -> "Counter[str]":
        return self.unanswered.counts

    @property
    def parsed(self) -> Parsed:
        """What the configuration in force says of itself."""
        return self.pipes.parsed

    @property
    def configuration(self) -> int:
        return self.parsed.value if self.is_configured else 0

    @property
    def endpoint_addresses(self) -> Sequence[int]:
        found = {address for table in self.parsed.settings.values()
                 for address in table}
        return sorted(a for a in found if a & 0x0f and not a & 0x70)

    def ep_in(self, number: int) -> InEndpoint:
        pipe = self.pipes.pipe(number | 0x80)
        assert isinstance(pipe, InEndpoint)
        return pipe

    def ep_out(self, number: int) -> OutEndpoint:
        pipe = self.pipes.pipe(number)
        assert isinstance(pipe, OutEndpoint)
        return pipe

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Job:
        return self._jobs.start(self.loop, coroutine)

    def string(self, text: Optional[Text]) -> int:
        return self.layout.strings.index(text)

    def descriptor(self, kind: int, index: int, language: int = 0
                   ) -> Optional[bytes]:
        return self.layout.descriptor(kind, index, self.speed, language)

    def unhandled(self, setup: Setup) -> NoReturn:
        self.unanswered.add(setup)
        raise Unhandled(str(setup))

    async def until_configured(self) -> None:
        if not self.is_configured:
            waiter: "asyncio.Future[None]" = self.loop.create_future()
            self._waiting.append(waiter)
            await waiter

    def control(self, setup: Setup) -> Answer:
        """What Device.control() does."""
        owner = self._runs.owner(setup)
        answer = declared(self.device, setup)
        if answer is None and owner is not None:
            answer = declared(owner, setup)
        if answer is not None:
            return answer()
        handler = STANDARD.get((setup.recipient, setup.request))
        if setup.kind is Kind.STANDARD and handler:
            return handler(self, setup)
        microsoft = self.device.microsoft
        told = microsoft.answer(setup) if microsoft else None
        if told is not None:
            return told
        return owner.control(setup) if owner else self._runs.anyone(setup)

    def explain(self, submit: Submit, data: bytes) -> Optional[str]:
        """A name for a request, from what the device's code declares."""
        if submit.type != TransferType.CONTROL:
            return self._runs.explain(submit.endpoint, data)
        setup = Setup.decode(submit.setup)
        for part in (self.device, self._runs.owner(setup)):
            name = name_of_handler(part, setup)
            if name is not None:
                return name
        return None

    # for standard.py

    def get_descriptor(self, kind: int, index: int, language: int
                       ) -> Optional[bytes]:
        return self.device.descriptor(kind, index, language)

    def is_halted(self, index: int) -> bool:
        """The endpoint of a wIndex; endpoint 0 never is."""
        pipe = self._configured_pipe(index)
        return pipe is not None and pipe.halted

    def set_halt(self, index: int, on: bool) -> None:
        """SET_FEATURE and CLEAR_FEATURE(ENDPOINT_HALT)."""
        pipe = self._configured_pipe(index)
        if pipe is None:
            return
        if on:
            pipe.halt()
        elif not pipe.wedged:
            pipe.clear_halt()
        self._runs.halt_changed(pipe.address, on)

    @property
    def may_wake(self) -> bool:
        """Whether the guest has enabled remote wakeup."""
        return self.remote_wakeup or bool(self.waking_functions)

    def set_function_wake(self, interface: int, on: bool) -> None:
        """SET_FEATURE(FUNCTION_SUSPEND), USB 3.2 section 9.4.9."""
        if on:
            self.waking_functions.add(interface)
        else:
            self.waking_functions.discard(interface)

    def _configured_pipe(self, index: int) -> Optional[Pipe]:
        pipe = self.pipes.of_request(index)
        if pipe is not None and not self.is_configured:
            raise Stall()
        return pipe

    def choose_configuration(self, value: int) -> bool:
        """SET_CONFIGURATION; False when there is none of this value."""
        parsed = self.layout.parse(value, self.speed)
        if parsed is None and value:
            return False
        self._unconfigure("another configuration was set")
        if parsed is None:
            return True
        self.pipes.parsed, self.is_configured = parsed, True
        self._runs.choose(value)
        for number in {number for number, _ in parsed.settings}:
            self.alternates[number] = 0
            self.pipes.choose(number, 0)
        return True

    def choose_interface(self, number: int, alternate: int) -> bool:
        """SET_INTERFACE; False when there is no such setting."""
        if (number, alternate) not in self.parsed.settings:
            return False
        self.pipes.abort_setting(number, self.alternates.get(number, 0),
                                 "another setting was chosen")
        if number in self._setting_jobs:
            self._setting_jobs.pop(number).cancel()
        self.alternates[number] = alternate
        self.pipes.choose(number, alternate)
        self._runs.setting_chosen(number, alternate)
        return True

    # called by the port

    def submitted(self, request: Request) -> None:
        """Answer a request, now or later."""
        submit = request.submit
        if submit.type == TransferType.CONTROL:
            self._ep0.submitted(self.port, request)
            return
        pipe = self.pipes.get(submit.endpoint)
        if pipe is None:
            self.port.complete(request, Status.IOERROR)
            return
        pipe.submitted(request)
        if self._tells_requests:
            self.device.on_request(request)

    def cancelled(self, request: Request) -> None:
        """The guest gave it up, and the session has answered."""
        pipe = self.pipes.get(request.submit.endpoint)
        if pipe is not None:
            pipe.cancelled(request)
        else:
            self._ep0.cancelled(request)

    def plugged_in(self, speed: Speed) -> None:
        """In the guest; again where QEMU plugged it in anew."""
        self._ep0.abort()
        self._unconfigure("plugged in anew")
        self.attached, self.speed = True, speed
        self.address = 0
        life.info("plugged in at %s speed", speed.name.lower())
        self.device.on_attached(speed)
        self._runs.bind()

    def reset(self, speed: Speed) -> None:
        """The guest reset the bus."""
        self._ep0.abort()
        self._unconfigure("the guest reset the bus")
        self.speed, self.address = speed, 0
        self.remote_wakeup = False
        self.waking_functions.clear()
        self.link_power = 0
        self.device.on_reset(speed)

    def gone(self, why: str) -> None:
        """Unplugged or disconnected."""
        was, self.attached = self.attached, False
        self._ep0.abort()
        self._unconfigure(why)
        self.layout.forget()
        if was:
            life.info("unplugged")
            self.device.on_detached()

    def ended(self, error: BaseException) -> None:
        """The connection is over: nothing is to be waited for."""
        for waiter in self._take_waiting():
            waiter.set_exception(error)

    # helpers

    def _unconfigure(self, why: str) -> None:
        self.is_configured = False
        self.pipes.parsed = Parsed()
        self.alternates = {}
        self.pipes.abort(why)
        self._runs.end()
        self._jobs.cancel()
        for jobs in self._setting_jobs.values():
            jobs.cancel()
        self._setting_jobs.clear()

    def _answered(self, setup: Setup) -> None:
        """The guest knows that its request succeeded."""
        what = (setup.request_type, setup.request)
        if not self.is_configured:
            return
        if what == (0x00, Standard.SET_CONFIGURATION):
            life.info("configured by the guest")
            self._runs.begin()
            self.start(self.device.configured())
            for waiter in self._take_waiting():
                waiter.set_result(None)
        elif what == (0x01, Standard.SET_INTERFACE):
            self._runs.setting_begun(setup.index)
            jobs = Jobs(self.pipes.halt)
            jobs.start(self.loop, self.device.interface_set(setup.index,
                                                            setup.value))
            self._setting_jobs[setup.index] = jobs

    def _take_waiting(self) -> "list[asyncio.Future[None]]":
        waiting, self._waiting = self._waiting, []
        return [waiter for waiter in waiting if not waiter.done()]


def engine_of(device: Device) -> Engine:
    """The engine of a device, which has one for life."""
    context = device._context
    return context if isinstance(context, Engine) else Engine(device)
