# SPDX-License-Identifier: MIT
"""
A session and the device that is plugged in over it: events to calls.

No I/O either: receive() and eof() are called by the transport, which is
given the bytes to send by `write`.
"""

from __future__ import annotations

import logging
from typing import Any, Callable, List, Optional, Tuple, Type

from ._proto import Speed, Status
from .codec import EndpointEntry, Hello
from .device import Device, Job
from .errors import LocalError, Refused, RemoteError
from .runtime import Runtime, Waiter
from .session import (Addressed, BusReset, Cancelled, Closed, Event, Greeted,
                      MachineState, NotPluggedIn, PeerSession, PluggedIn,
                      Request, State, Submitted, Unplugged)

log = logging.getLogger(__name__)

Factory = Callable[[Hello], Device]


class Port:
    """
    One connection's devices, one at a time.

    factory makes the first one from QEMU's HELLO (whose select says which);
    it may raise Refused.  on_closed is called once, with why.
    """

    def __init__(self, runtime: Runtime, factory: Factory,
                 session: Optional[PeerSession] = None) -> None:
        self.runtime = runtime
        self.factory = factory
        self.session = session or PeerSession()
        self.device: Optional[Device] = None
        self.write: Callable[[bytes], None] = lambda data: None
        self.on_closed: Callable[[Closed], None] = lambda closed: None
        self._main: Optional[Job] = None
        self._plugging: List[Waiter] = []
        self._unplugging: List[Waiter] = []

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
        """Answer a request, see PeerSession.complete()."""
        sent = self.session.complete(request, status, data, length, endpoints)
        self.flush()
        return sent

    def attach(self, device: Device) -> int:
        """
        Plug this device in, in place of the one before; returns the number
        of the attachment.  Raises LocalError while the last is unanswered.
        """
        old = self.device
        speeds = sum(1 << speed for speed in set(device.speeds))
        number = self.session.attach(speeds, device.gap_ms,
                                     device.address_policy,
                                     device.endpoint_table)
        if old is not None:
            old.gone("another device was plugged in")
        self.adopt(device)
        self.flush()
        return number

    def detach(self) -> None:
        """Unplug the device; Device.on_detached() is called at once."""
        self.session.detach()
        if self.device is not None:
            self.device.gone("unplugged")
        self.flush()

    async def plug(self, device: Device) -> Speed:
        """
        Plug in and wait for it; returns the speed.

        Raises Refused when QEMU cannot, RemoteError when the connection
        ends.
        """
        waiter = self.runtime.waiter()
        self.attach(device)
        self._plugging.append(waiter)
        speed: Speed = await waiter
        return speed

    async def unplug(self) -> None:
        """Unplug and wait until the guest's host controller knows."""
        waiter = self.runtime.waiter()
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
        if getattr(device, "port", self) is not self:
            raise LocalError("the device belongs to another connection")
        device.port = self
        self.device = device

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
        self._begin(device)

    def _begin(self, device: Device) -> None:
        self.adopt(device)
        if device.auto_attach:
            self.attach(device)
        self._main = Job(device, device.connected())

    def _on_plugged_in(self, event: PluggedIn) -> None:
        if self.device is not None:
            self.device.plugged_in(event.speed)
        self._settle(self._plugging, event.speed)

    def _on_not_plugged_in(self, event: NotPluggedIn) -> None:
        waiting = bool(self._plugging)
        self._settle(self._plugging, None,
                     Refused(0, event.text or event.result.name))
        if self.device is not None and not waiting:
            self.device.gone("QEMU did not plug it in")
            self.device.on_not_attached(event.text or event.result.name)

    def _on_unplugged(self, event: Unplugged) -> None:
        self._settle(self._unplugging, None)

    def _on_reset(self, event: BusReset) -> None:
        if self.device is not None:
            self.device.reset(event.speed)

    def _on_addressed(self, event: Addressed) -> None:
        if self.device is not None:
            self.device.address = event.address

    def _on_machine_state(self, event: MachineState) -> None:
        if self.device is not None:
            self.device.on_machine_state(event.running)

    def _on_submitted(self, event: Submitted) -> None:
        if event.request.pending and self.device is not None:
            self.device.submitted(event.request)

    def _on_cancelled(self, event: Cancelled) -> None:
        if self.device is not None:
            self.device.cancelled(event.request)

    def _on_closed(self, event: Closed) -> None:
        if self.device is not None:
            self.device.gone("the connection is over")
        if self._main is not None:
            self._main.cancel()
        error = event.error or RemoteError("the connection is over")
        self._settle(self._plugging, None, error)
        self._settle(self._unplugging, None, error)
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
