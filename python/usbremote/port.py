# SPDX-License-Identifier: MIT
"""
A session and the device that is plugged in over it: events to calls.

No I/O either: receive() and eof() are called by the transport, which is
given the bytes to send by `write`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Callable, List, Optional, Tuple, Type

from ._proto import Speed, Status
from .codec import EndpointEntry, Hello, Submit
from .device import Device
from .endpoint import Waiter
from .engine import Engine, engine_of
from .errors import LocalError, Refused, RemoteError
from .filters import Filter, Reply
from .jobs import Job
from .session import (Addressed, BusReset, Cancelled, Closed, Event, Greeted,
                      MachineState, NotPluggedIn, PeerSession, PluggedIn,
                      Request, State, Submitted, Unplugged)

log = logging.getLogger(__name__)

Factory = Callable[[Hello], Optional[Device]]


class Port:
    """
    One connection's devices, one at a time.

    factory makes the first one from QEMU's HELLO (whose select says which),
    or None for later; it may raise Refused.  on_closed is called once, with
    why.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, factory: Factory,
                 session: Optional[PeerSession] = None) -> None:
        self.loop = loop
        self.factory = factory
        self.session = session or PeerSession()
        self._engine: Optional[Engine] = None
        self.write: Callable[[bytes], None] = lambda data: None
        self.on_closed: Callable[[Closed], None] = lambda closed: None
        self._main: Optional[Job] = None
        self._replugging: Optional[Job] = None
        self._closed: Optional[Closed] = None
        self._closing: List[Waiter] = []
        self._plugging: List[Waiter] = []
        self._unplugging: List[Waiter] = []

    @property
    def device(self) -> Optional[Device]:
        """The one that is, or is to be, plugged in."""
        return self._engine.device if self._engine is not None else None

    def explain(self, submit: Submit, data: bytes) -> Optional[str]:
        """What the device's code calls a request, None if it knows none."""
        return (self._engine.explain(submit, data)
                if self._engine is not None else None)

    @property
    def hello(self) -> Optional[Hello]:
        """What QEMU said first: its device's id, its `select`."""
        return self.session.hello

    async def wait_closed(self) -> None:
        """
        Wait for the end of the connection; raises RemoteError when it ended
        without QEMU's goodbye.
        """
        if self._closed is None:
            waiter = self.loop.create_future()
            self._closing.append(waiter)
            await waiter
        elif self._closed.error is not None:
            raise self._closed.error

    # the transport's side

    def start(self, write: Callable[[bytes], None]) -> None:
        """Connected: write() takes what is to be sent, without waiting."""
        self.write = write
        self.flush()

    def receive(self, data: bytes) -> None:
        self.session.feed(data)
        self._handle()

    def eof(self) -> None:
        self.session.feed_eof()
        self._handle()

    def close(self) -> None:
        """End the connection in order."""
        self.session.bye()
        self._handle()

    def flush(self) -> None:
        data = self.session.data_to_send()
        if data:
            self.write(data)

    # the device's side

    def complete(self, request: Request, status: Status = Status.OK,
                 data: bytes = b"", length: Optional[int] = None,
                 endpoints: Optional[Tuple[EndpointEntry, ...]] = None
                 ) -> bool:
        """
        Answer a request, see PeerSession.complete(); a filter may make it
        another answer, or a later one.
        """
        faults = self._faults
        if faults is not None and request.pending:
            reply = faults.answering(self, request,
                                     Reply(status, data, length))
            if reply is None:
                return True
            status, data, length = reply.status, reply.data, reply.length
        sent = self.session.complete(request, status, data, length, endpoints)
        self.flush()
        return sent

    def answer(self, request: Request, reply: Reply) -> bool:
        """Answer a request past the filter."""
        sent = self.session.complete(request, reply.status, reply.data,
                                     reply.length)
        self.flush()
        return sent

    @property
    def _faults(self) -> Optional[Filter]:
        return self.device.faults if self.device is not None else None

    def attach(self, device: Device) -> int:
        """
        Plug this device in, in place of the one before; returns the number
        of the attachment.  Raises LocalError while the last is unanswered.
        """
        old = self._engine
        speeds = sum(1 << speed for speed in set(device.speeds))
        policy = device.faults.address_policy if device.faults else None
        number = self.session.attach(speeds, device.gap_ms,
                                     device.address_policy
                                     if policy is None else policy,
                                     device.endpoint_table)
        if old is not None:
            old.gone("another device was plugged in")
        if self.device is not device:
            self._start_main(device)
        self.flush()
        return number

    def detach(self) -> None:
        """Unplug the device; Device.on_detached() is called at once."""
        self.session.detach()
        if self._engine is not None:
            self._engine.gone("unplugged")
        self.flush()

    async def plug(self, device: Device) -> Speed:
        """
        Plug in and wait for it; returns the speed.

        Raises Refused when QEMU cannot, RemoteError when the connection
        ends.
        """
        waiter = self.loop.create_future()
        self.attach(device)
        self._plugging.append(waiter)
        speed: Speed = await waiter
        return speed

    async def unplug(self) -> None:
        """Unplug and wait until the guest's host controller knows."""
        waiter = self.loop.create_future()
        self.detach()
        self._unplugging.append(waiter)
        await waiter

    async def replace(self, device: Device) -> None:
        """
        Unplug what is plugged in, and plug in this device instead when the
        guest's host controller knows; connected() starts anew.
        """
        if self._main is not None:
            self._main.cancel()
        if self.session.state in (State.ATTACHING, State.ATTACHED):
            await self.unplug()
        self._begin(device)
        self.flush()

    def replug(self, device: Device, after: float = 0.0) -> None:
        """
        Unplug what is plugged in, now, and plug in this device after so many
        seconds; both go on by themselves.  A later call goes before this.
        """
        if self._replugging is not None:
            self._replugging.cancel()
        self._replugging = Job(self.loop, self._replug(device, after),
                               lambda: None)

    async def _replug(self, device: Device, after: float) -> None:
        if self.session.state in (State.ATTACHING, State.ATTACHED):
            await self.unplug()
        await asyncio.sleep(after)
        self.attach(device)

    def wakeup(self) -> None:
        """Signal remote wakeup (USB 2.0 section 9.1.1.6)."""
        self.session.wakeup()
        self.flush()

    def ready(self, address: int) -> None:
        """Have the request asked again that was answered NAK."""
        self.session.ready(address)
        self.flush()

    def adopt(self, device: Device) -> None:
        """Make it the device that events go to."""
        engine = engine_of(device)
        if engine.at not in (None, self):
            raise LocalError("the device belongs to another connection")
        engine.at = self
        self._engine = engine

    # events

    def _handle(self) -> None:
        while True:
            event = self.session.next_event()
            if event is None:
                break
            log.debug("%s", event)
            try:
                EVENTS[type(event)](self, event)
            except Exception:
                log.exception("the device failed to handle %s", event)
        self.flush()

    def _on_greeted(self, event: Greeted) -> None:
        try:
            device = self.factory(event.hello)
        except Refused as err:
            self.session.refuse(err.text)
            return
        self.session.accept()
        if device is not None:
            self._begin(device)

    def _begin(self, device: Device) -> None:
        self._start_main(device)
        if device.auto_attach:
            self.attach(device)

    def _start_main(self, device: Device) -> None:
        self.adopt(device)
        if self._main is not None:
            self._main.cancel()
        self._main = Job(self.loop, device.connected(), lambda: None)

    def _on_plugged_in(self, event: PluggedIn) -> None:
        if self._engine is not None:
            self._engine.plugged_in(event.speed)
        self._settle(self._plugging, event.speed)

    def _on_not_plugged_in(self, event: NotPluggedIn) -> None:
        waiting = bool(self._plugging)
        self._settle(self._plugging, None,
                     Refused(0, event.text or event.result.name))
        if self._engine is not None and not waiting:
            self._engine.gone("QEMU did not plug it in")
            self._engine.device.on_not_attached(event.text
                                                or event.result.name)

    def _on_unplugged(self, event: Unplugged) -> None:
        self._settle(self._unplugging, None)

    def _on_reset(self, event: BusReset) -> None:
        if self._engine is not None:
            self._engine.reset(event.speed)

    def _on_addressed(self, event: Addressed) -> None:
        if self._engine is not None:
            self._engine.address = event.address

    def _on_machine_state(self, event: MachineState) -> None:
        if self.device is not None:
            self.device.on_machine_state(event.running)

    def _on_submitted(self, event: Submitted) -> None:
        if not event.request.pending or self._engine is None:
            return
        faults = self._faults
        if faults is None or not faults.submitted(self, event.request):
            self._engine.submitted(event.request)

    def _on_cancelled(self, event: Cancelled) -> None:
        if self._engine is not None:
            self._engine.cancelled(event.request)

    def _on_closed(self, event: Closed) -> None:
        error = event.error or RemoteError("the connection is over")
        if self._engine is not None:
            self._engine.gone("the connection is over")
            self._engine.ended(error)
        for job in (self._main, self._replugging):
            if job is not None:
                job.cancel()
        self._settle(self._plugging, None, error)
        self._settle(self._unplugging, None, error)
        self._closed = event
        self._settle(self._closing, None, event.error)
        self.flush()
        self.on_closed(event)

    def _settle(self, waiters: List[Waiter], result: Any,
                error: Optional[BaseException] = None) -> None:
        todo = [w for w in waiters if not w.done()]
        waiters.clear()
        for waiter in todo:
            if error is not None:
                waiter.set_exception(error)
            else:
                waiter.set_result(result)


EVENTS: "dict[Type[Event], Callable[..., None]]" = {
    Greeted: Port._on_greeted, PluggedIn: Port._on_plugged_in,
    NotPluggedIn: Port._on_not_plugged_in, Unplugged: Port._on_unplugged,
    BusReset: Port._on_reset, Addressed: Port._on_addressed,
    MachineState: Port._on_machine_state, Submitted: Port._on_submitted,
    Cancelled: Port._on_cancelled, Closed: Port._on_closed,
}
