# SPDX-License-Identifier: MIT
"""
The base class of devices: declarations, and what a device does when.

A device is a subclass that declares what it is, overrides configurations()
or has functions, and overrides configured() and perhaps control().  Requests
that nobody answers are stalled and remembered.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from typing import Mapping, Optional, Protocol, Sequence, Tuple, Union

from ._proto import DEFAULT_GAP_MS
from .codec import EndpointEntry
from .context import Answer, Context, Running
from .descriptors import Configuration
from .endpoint import Line
from .errors import LocalError
from .filters import Filter
from .function import Function
from .microsoft import Microsoft
from .session import Request
from .setup import Setup
from .strings import Text
from .types import AddressPolicy, Speed

log = logging.getLogger(__name__)


Options = argparse.Namespace     # what a command line says


class Socket(Line, Protocol):
    """Where a device is plugged in, see Port."""

    def attach(self, device: "Device") -> int: ...

    def detach(self) -> None: ...

    async def plug(self, device: "Device") -> Speed: ...

    async def unplug(self) -> None: ...

    async def replace(self, device: "Device") -> None: ...

    def replug(self, device: "Device", after: float = 0.0) -> None: ...

    def wakeup(self) -> None: ...

    def ready(self, address: int) -> None: ...


class DeviceContext(Context, Protocol):
    """What runs a device, see Engine."""

    @property
    def unhandled_requests(self) -> "Counter[str]": ...

    @property
    def address(self) -> int: ...

    @property
    def configuration(self) -> int: ...

    @property
    def attached(self) -> bool: ...

    @property
    def endpoint_addresses(self) -> Sequence[int]: ...

    @property
    def may_wake(self) -> bool: ...

    @property
    def port(self) -> Socket: ...

    def control(self, setup: Setup) -> Answer: ...

    def descriptor(self, kind: int, index: int, language: int
                   ) -> Optional[bytes]: ...

    def string(self, text: Optional[Text]) -> int: ...

    async def until_configured(self) -> None: ...


class Device(Running):
    """
    One USB device; the class attributes are its declarations.

    options: what its command line says, see add_options().

    usb_version (BCD), device_class (class, subclass, protocol) and
    max_packet0 (bytes) are computed where None.  manufacturer, product and
    serial are texts, or texts by LANGID.  speeds: what it can run at.
    functions: what it consists of, see Function; or configurations().
    capabilities: descriptors for the BOS, besides the usual ones.
    raw_descriptors goes before everything computed: its keys are a
    descriptor type or (type, index).  gap_ms, address_policy and
    endpoint_table: see PeerSession.attach().  auto_attach: plug it in when
    connected.  deliberate: what seems to be a mistake is meant so, and not
    remarked on.  faults: see usbremote.faults.Plan.
    """

    vendor_id = 0x1209          # pid.codes, with its numbers for tests
    product_id = 0x0001
    release = 0x0100
    usb_version: Optional[int] = None
    device_class: Optional[Tuple[int, int, int]] = None
    max_packet0: Optional[int] = None
    manufacturer: Optional[Text] = None
    product: Optional[Text] = None
    serial: Optional[Text] = None

    speeds: Sequence[Speed] = (Speed.FULL,)
    functions: Sequence[Function] = ()
    gap_ms = DEFAULT_GAP_MS
    address_policy = AddressPolicy.ACCEPT
    endpoint_table: Optional[Tuple[EndpointEntry, ...]] = None
    capabilities: Sequence[bytes] = ()
    microsoft: Optional[Microsoft] = None
    raw_descriptors: Mapping[Union[int, Tuple[int, int]], bytes] = {}
    auto_attach = True
    deliberate = False
    faults: Optional[Filter] = None

    options = Options()
    _context: Optional[DeviceContext] = None

    def __init__(self, options: Optional[Options] = None) -> None:
        if options is not None:
            self.options = options

    # to be overridden

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add what the device takes from its command line."""

    def configurations(self, speed: Speed) -> Sequence[Configuration]:
        """What the device is, at this speed."""
        return [Configuration(self.functions)]

    async def configured(self) -> None:
        """
        Run once each time the guest chooses a configuration; cancelled when
        that ends by another choice, a bus reset or an unplugging.
        """

    async def interface_set(self, number: int, alternate: int) -> None:
        """
        Run each time the guest chooses a setting of an interface with
        SET_INTERFACE; cancelled by the next choice for it and with the
        configuration.
        """

    async def connected(self) -> None:
        """Run once per connection, plugged in or not."""

    def control(self, setup: Setup) -> Answer:
        """
        Answer a control request; raise Stall or Fail to refuse it.

        An override handles what it wants to and leaves the rest to this
        one: the device's methods with @control, those of the function whose
        interface or endpoint is meant, standard requests (USB 2.0 section
        9.4), the microsoft descriptors, then the function's control().  It
        may be a coroutine; that is cancelled when the guest gives up the
        request.
        """
        return self._engine.control(setup)

    def descriptor(self, kind: int, index: int, language: int = 0
                   ) -> Optional[bytes]:
        """
        The descriptor as GET_DESCRIPTOR to the device gives it (language:
        its wIndex), or None to stall; raw_descriptors first.
        """
        return self._engine.descriptor(kind, index, language)

    def on_attached(self, speed: Speed) -> None:
        """
        The guest's host controller sees the device; it may come again
        without on_detached(), when QEMU plugs it in anew.
        """

    def on_not_attached(self, text: str) -> None:
        """QEMU could not attach it; text says why."""
        log.error("QEMU did not attach the device: %s", text)

    def on_detached(self) -> None:
        """Unplugged, or the connection is over."""

    def on_reset(self, speed: Speed) -> None:
        """The guest reset the bus; the device is unconfigured."""

    def on_request(self, request: Request) -> None:
        """
        An endpoint other than 0 has got this request of the guest, and has
        answered it or keeps it in its `parked`.
        """

    def on_machine_state(self, running: bool) -> None:
        """The virtual machine stopped or runs again."""

    def on_user_signal(self) -> None:
        """The program got SIGUSR1."""

    # for device authors

    def wakeup(self) -> bool:
        """
        Signal remote wakeup (USB 2.0 section 9.1.1.6); returns False, and
        does not, while the guest has not enabled it.
        """
        if self.remote_wakeup:
            self.port.wakeup()
        return self.remote_wakeup

    def replug(self, after: float = 0.0, device: Optional["Device"] = None
               ) -> None:
        """
        Be unplugged now, and plugged in again after so many seconds, or
        another device instead.  It goes on by itself: the jobs of the device
        end with the unplugging, this does not.  connected() goes on, too.
        """
        self.port.replug(device or self, after)

    def string(self, text: Optional[Text]) -> int:
        """
        The index of a string descriptor, the same for the same text; for
        class-specific descriptors in configurations().
        """
        return self._engine.string(text)

    async def until_configured(self) -> None:
        """
        Wait until the guest has chosen a configuration; raises RemoteError
        when the connection ends before.
        """
        await self._engine.until_configured()

    @property
    def speed(self) -> Speed:
        """That in force, before that the fastest."""
        return self._engine.speed

    @property
    def address(self) -> int:
        """What the guest's SET_ADDRESS gave it, 0 before that."""
        return self._engine.address

    @property
    def configuration(self) -> int:
        """bConfigurationValue in force, 0 without; see is_configured."""
        return self._engine.configuration

    @property
    def attached(self) -> bool:
        """Whether the guest's host controller sees it."""
        return self._engine.attached

    @property
    def endpoint_addresses(self) -> Sequence[int]:
        """
        Those of all settings of the guest's configuration that are endpoints
        (0x01-0x0f and 0x81-0x8f); none without one.
        """
        return self._engine.endpoint_addresses

    @property
    def remote_wakeup(self) -> bool:
        """Whether the guest has enabled it, at super speed for a function."""
        return self._engine.may_wake

    @property
    def unhandled_requests(self) -> "Counter[str]":
        """How often the guest asked what nobody answers."""
        return self._engine.unhandled_requests

    @property
    def port(self) -> Socket:
        """Where it is plugged in; raises LocalError before that."""
        return self._engine.port

    @property
    def _engine(self) -> DeviceContext:
        if self._context is None:
            raise LocalError(f"{type(self).__name__} is not at work yet")
        return self._context
