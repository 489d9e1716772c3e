# SPDX-License-Identifier: MIT
"""
The base class of devices: declarations, control requests, endpoints.

A device is a subclass that declares what it is, overrides configurations()
and configured(), and perhaps control().  Requests that nobody answers are
stalled and remembered.
"""

from __future__ import annotations

import argparse
import inspect
import logging
import struct
from collections import Counter
from typing import (TYPE_CHECKING, Any, Awaitable, Callable, Coroutine, Dict,
                    List, Mapping, NoReturn, Optional, Sequence, Tuple, Union)

from . import descriptors as desc
from ._proto import (AddressPolicy, DEFAULT_GAP_MS, Speed, Status,
                     TransferType)
from .codec import EndpointEntry
from .endpoint import InEndpoint, OutEndpoint, Pipe
from .errors import Fail, LocalError, RemoteError, Stall
from .session import Request
from .microsoft import STRING_INDEX, Microsoft
from .setup import Kind, Recipient, Setup, Standard
from .standard import STANDARD

if TYPE_CHECKING:
    from .port import Port

log = logging.getLogger(__name__)

# What a control handler gives: bytes for a request that reads, None for one
# that writes, or a coroutine that will.
Answer = Union[bytes, None, Awaitable[Any]]
MULTI_FUNCTION = (0xef, 2, 1)   # where there are interface associations


class Job:
    """
    A coroutine that runs beside others until cancel(); on_failure is called
    after an exception that is a bug.
    """

    def __init__(self, device: "Device",
                 coroutine: Coroutine[Any, Any, Any],
                 on_failure: Callable[[], None] = lambda: None) -> None:
        self._coroutine = coroutine
        self._task = device.port.runtime.spawn(_guard(coroutine, on_failure))

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
        log.error("%s failed; the device goes on without it",
                  coroutine.__qualname__, exc_info=err)
        on_failure()


class Unhandled(Stall):
    """Nobody answers this request; it is stalled and remembered."""


class Device:
    """
    One USB device; the class attributes are its declarations.

    options: what its command line says, see add_options().

    usb_version (BCD), device_class (class, subclass, protocol) and
    max_packet0 (bytes) are computed where None.  speeds: what it can run
    at.  capabilities: descriptors for the BOS, besides the usual ones.
    raw_descriptors goes before everything computed: its keys are a
    descriptor type or (type, index).  gap_ms, address_policy and
    endpoint_table: see PeerSession.attach().
    """

    vendor_id = 0x1209          # pid.codes, with its numbers for tests
    product_id = 0x0001
    release = 0x0100
    usb_version: Optional[int] = None
    device_class: Optional[Tuple[int, int, int]] = None
    max_packet0: Optional[int] = None
    manufacturer: Optional[str] = None
    product: Optional[str] = None
    serial: Optional[str] = None

    speeds: Sequence[Speed] = (Speed.FULL,)
    gap_ms = DEFAULT_GAP_MS
    address_policy = AddressPolicy.ACCEPT
    endpoint_table: Optional[Tuple[EndpointEntry, ...]] = None
    capabilities: Sequence[bytes] = ()
    microsoft: Optional[Microsoft] = None
    raw_descriptors: Mapping[Union[int, Tuple[int, int]], bytes] = {}
    auto_attach = True

    port: "Port"

    def __init__(self, options: Optional[argparse.Namespace] = None) -> None:
        self.options = options or argparse.Namespace()
        self.speed = max(self.speeds)
        self.address = 0
        self.configuration = 0
        self.attached = False
        self.remote_wakeup = False
        self.unhandled_requests: "Counter[str]" = Counter()
        self._strings = desc.Strings()
        for text in (self.manufacturer, self.product, self.serial):
            self.string(text)
        self._configurations: Dict[Speed, List[desc.Configuration]] = {}
        self.parsed = desc.Parsed()     # the configuration in force
        self.alternates: Dict[int, int] = {}
        self._pipes: Dict[int, Pipe] = {}
        self._jobs: List[Job] = []
        self._setting_jobs: Dict[int, Job] = {}

    # to be overridden

    @classmethod
    def add_options(cls, parser: argparse.ArgumentParser) -> None:
        """Add what the device takes from its command line."""

    def configurations(self, speed: Speed) -> Sequence[desc.Configuration]:
        """What the device is, at this speed."""
        return [desc.Configuration()]

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
        one: standard requests (USB 2.0 section 9.4), the microsoft
        descriptors, then the interface's own control().  It may be a
        coroutine.
        """
        handler = STANDARD.get((setup.recipient, setup.request))
        if setup.kind is Kind.STANDARD and handler:
            return handler(self, setup)
        told = self.microsoft.answer(setup) if self.microsoft else None
        if told is not None:
            return told
        if setup.recipient == Recipient.INTERFACE:
            interface = self.interface(setup.index & 0xff)
            if interface:
                return interface.control(self, setup)
        return self.unhandled(setup)

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

    def on_machine_state(self, running: bool) -> None:
        """The virtual machine stopped or runs again."""

    def on_user_signal(self) -> None:
        """The program got SIGUSR1."""

    # for device authors

    def ep_in(self, number: int) -> InEndpoint:
        """
        The IN endpoint 1-15, the same object each time.  Using one that no
        setting of the guest's configuration declares raises LocalError.
        """
        pipe = self._pipe(number | 0x80)
        assert isinstance(pipe, InEndpoint)
        return pipe

    def ep_out(self, number: int) -> OutEndpoint:
        """The OUT endpoint 1-15; see ep_in()."""
        pipe = self._pipe(number)
        assert isinstance(pipe, OutEndpoint)
        return pipe

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> Job:
        """Run a coroutine beside configured(), ended with it."""
        job = Job(self, coroutine)
        self._jobs = [j for j in self._jobs if not j.done()] + [job]
        return job

    def wakeup(self) -> bool:
        """
        Signal remote wakeup (USB 2.0 section 9.1.1.6); returns False, and
        does not, while the guest has not enabled it.
        """
        if self.remote_wakeup:
            self.port.wakeup()
        return self.remote_wakeup

    def string(self, text: Optional[str]) -> int:
        """
        The index of a string descriptor, the same for the same text; for
        class-specific descriptors.
        """
        return self._strings.index(text)

    async def sleep(self, seconds: float) -> None:
        await self.port.runtime.sleep(seconds)

    def now(self) -> float:
        """Seconds of a clock that never goes back."""
        return self.port.runtime.now()

    def interface(self, number: int) -> Optional[desc.Interface]:
        """The declared interface of this number in its current setting."""
        chosen = [c for c in self._declared(self.speed)
                  if c.value == self.configuration or not self.configuration]
        alternate = self.alternates.get(number, 0)
        for configuration in chosen:
            for interface in configuration.settings():
                if (interface.number, interface.alternate) == (number,
                                                               alternate):
                    return interface
        return None

    def unhandled(self, setup: Setup) -> NoReturn:
        """Stall a request that nobody answers, and remember it."""
        self.unhandled_requests[str(setup)] += 1
        raise Unhandled(str(setup))

    # descriptors

    def descriptor(self, kind: int, index: int) -> Optional[bytes]:
        """
        The descriptor as GET_DESCRIPTOR to the device gives it, or None to
        stall; raw_descriptors first.
        """
        raw = self.raw_descriptors
        if (kind, index) in raw or kind in raw:
            return raw[(kind, index)] if (kind, index) in raw else raw[kind]
        if kind == desc.DEVICE:
            return self._device_descriptor(self.speed).encode()
        if kind in (desc.CONFIGURATION, desc.OTHER_SPEED):
            return self._configuration(kind, index)
        if kind == desc.STRING:
            if index == STRING_INDEX and self.microsoft:
                return self.microsoft.string()
            return self._strings.encode(index)
        if kind == desc.DEVICE_QUALIFIER and self._other_speed() is not None:
            return self._device_descriptor(
                self._other_speed() or self.speed).encode_qualifier()
        if kind == desc.BOS and self._usb_version(self.speed) >= 0x0201:
            return desc.bos(self.speeds, self._capabilities())
        return None

    def check(self) -> None:
        """
        Compute all descriptors at all speeds; raises LocalError, with the
        speed and what is wrong, when one cannot be.
        """
        now = self.speed
        for self.speed in sorted(self.speeds):
            try:
                self._descriptors()
            except (struct.error, ValueError, TypeError) as err:
                why = str(err).replace("\n", " ")
                raise LocalError(f"at {self.speed.name.lower()} speed, a "
                                 f"descriptor cannot be made: {why}") from err
        self.speed = now

    def _descriptors(self) -> None:
        for kind in (desc.DEVICE, desc.DEVICE_QUALIFIER, desc.BOS):
            self.descriptor(kind, 0)
        for kind in (desc.CONFIGURATION, desc.OTHER_SPEED, desc.STRING):
            for index in range(256):
                if self.descriptor(kind, index) is None:
                    break

    def _capabilities(self) -> List[bytes]:
        told = self.microsoft.capability() if self.microsoft else None
        return [*self.capabilities, *([told] if told else [])]

    def _usb_version(self, speed: Speed) -> int:
        if self.usb_version is not None:
            return self.usb_version
        if speed >= Speed.SUPER:
            return 0x0300
        has_bos = Speed.SUPER in self.speeds or self._capabilities()
        return 0x0210 if has_bos else 0x0200

    def _device_class(self, speed: Speed) -> Tuple[int, int, int]:
        if self.device_class is not None:
            return self.device_class
        parts = [part for c in self._declared(speed) for part in c.interfaces]
        associated = any(isinstance(p, desc.Association) for p in parts)
        return MULTI_FUNCTION if associated else (0, 0, 0)

    def _device_descriptor(self, speed: Speed) -> desc.DeviceDescriptor:
        size = self.max_packet0
        if size is None:
            size = {Speed.LOW: 8, Speed.SUPER: 9}.get(speed, 64)
        index = self._strings.index
        return desc.DeviceDescriptor(
            self._usb_version(speed), *self._device_class(speed), size,
            self.vendor_id, self.product_id, self.release,
            index(self.manufacturer), index(self.product),
            index(self.serial), len(self._declared(speed)))

    def _declared(self, speed: Speed) -> List[desc.Configuration]:
        """configurations() of a speed, asked for once."""
        if speed not in self._configurations:
            self._configurations[speed] = list(self.configurations(speed))
        return self._configurations[speed]

    def _other_speed(self) -> Optional[Speed]:
        """High for full and the reverse, if the device can (9.6.2)."""
        other = {Speed.FULL: Speed.HIGH,
                 Speed.HIGH: Speed.FULL}.get(self.speed)
        return other if other in self.speeds else None

    def _configuration(self, kind: int, index: int) -> Optional[bytes]:
        speed: Optional[Speed] = self.speed
        if kind == desc.OTHER_SPEED:
            speed = self._other_speed()
        if speed is None or index >= len(self._declared(speed)):
            return None
        return self._declared(speed)[index].encode(
            speed, self._strings.index, kind)

    def _parse(self, value: int) -> Optional[desc.Parsed]:
        """The configuration with this bConfigurationValue, raw or not."""
        for index in range(256):
            data = self.descriptor(desc.CONFIGURATION, index)
            if data is None:
                return None
            parsed = desc.parse_configuration(data)
            if parsed.value == value:
                return parsed
            if desc.CONFIGURATION in self.raw_descriptors:
                return None
        return None

    # for standard.py

    def choose_configuration(self, value: int) -> bool:
        """SET_CONFIGURATION; False when there is none of this value."""
        parsed = self._parse(value) if value else desc.Parsed()
        if parsed is None:
            return False
        self._unconfigure("another configuration was set")
        self.configuration, self.parsed = value, parsed
        for configuration in self._declared(self.speed):
            for interface in configuration.settings():
                interface.reset()
        for number in {number for number, _ in parsed.settings}:
            self._choose(number, 0)
        return True

    def choose_interface(self, number: int, alternate: int) -> bool:
        """SET_INTERFACE; False when there is no such setting."""
        if (number, alternate) not in self.parsed.settings:
            return False
        before = (number, self.alternates.get(number, 0))
        self._abort(self.parsed.settings.get(before, {}),
                    "another setting was chosen")
        if number in self._setting_jobs:
            self._setting_jobs.pop(number).cancel()
        self._choose(number, alternate)
        return True

    def existing_pipe(self, index: int) -> Optional[Pipe]:
        """
        The endpoint of a request's wIndex, None for endpoint 0; raises
        Stall when there is none.
        """
        address = index & 0x8f
        if not address & 0x0f:
            return None
        if address not in self._pipes or not self.configuration:
            raise Stall()
        return self._pipes[address]

    def _choose(self, number: int, alternate: int) -> None:
        self.alternates[number] = alternate
        for address, size in self.parsed.settings.get(
                (number, alternate), {}).items():
            if address & 0x0f:
                self._pipe(address & 0x8f).max_packet = size

    # called by the port

    def submitted(self, request: Request) -> None:
        """Answer a request, now or later."""
        submit = request.submit
        if submit.type == TransferType.CONTROL:
            self._control(request)
            return
        pipe = self._pipes.get(submit.endpoint)
        if pipe is None:
            self.port.complete(request, Status.IOERROR)
        else:
            pipe.submitted(request)

    def cancelled(self, request: Request) -> None:
        pipe = self._pipes.get(request.submit.endpoint)
        if pipe is not None:
            pipe.cancelled(request)

    def plugged_in(self, speed: Speed) -> None:
        """In the guest; again where QEMU plugged it in anew."""
        self._unconfigure("plugged in anew")
        self.attached, self.speed = True, speed
        self.address = 0
        log.info("plugged in at %s speed", speed.name.lower())
        self.on_attached(speed)

    def reset(self, speed: Speed) -> None:
        self._unconfigure("the guest reset the bus")
        self.speed, self.address = speed, 0
        self.remote_wakeup = False
        self.on_reset(speed)

    def gone(self, why: str) -> None:
        """Unplugged or disconnected."""
        was, self.attached = self.attached, False
        self._unconfigure(why)
        self._configurations.clear()
        if was:
            log.info("unplugged")
            self.on_detached()

    # helpers

    def _pipe(self, address: int) -> Pipe:
        if not address & 0x0f or address & 0x70:
            raise LocalError(f"no endpoint has the address 0x{address:02x}")
        if address not in self._pipes:
            make = InEndpoint if address & 0x80 else OutEndpoint
            self._pipes[address] = make(self.port, address, self._is_usable)
        return self._pipes[address]

    def _is_usable(self, address: int) -> bool:
        """
        False when the guest knows no such endpoint, in any setting; without
        a configuration that makes sense nobody can tell.
        """
        tables = list(self.parsed.settings.values())
        known = {a & 0x8f for table in tables for a in table}
        known |= {entry.address for entry in self.endpoint_table or ()}
        return not tables or address in known

    def _abort(self, addresses: "Mapping[int, int]", why: str) -> None:
        for address in addresses:
            if address in self._pipes:
                self._pipes[address].abort(why)

    def _unconfigure(self, why: str) -> None:
        self.configuration = 0
        self.parsed = desc.Parsed()
        self.alternates = {}
        for pipe in self._pipes.values():
            pipe.abort(why)
        jobs = [*self._jobs, *self._setting_jobs.values()]
        self._jobs, self._setting_jobs = [], {}
        for job in jobs:
            job.cancel()

    def _halt_all(self) -> None:
        """Nobody serves the endpoints: an error, so that no driver waits."""
        for pipe in self._pipes.values():
            pipe.halt()

    def _control(self, request: Request) -> None:
        """Ask control() and answer; a coroutine answers when it is done."""
        setup = Setup.decode(request.submit.setup, request.submit.data)
        try:
            answer = self.control(setup)
            if inspect.isawaitable(answer):
                self.port.runtime.spawn(
                    self._control_later(request, setup, answer))
                return
            data = _answered(answer)
        except Exception as err:
            self._refuse(request, setup, err)
        else:
            self._reply(request, setup, data)

    async def _control_later(self, request: Request, setup: Setup,
                             answer: Awaitable[Any]) -> None:
        try:
            result: Any = answer
            while inspect.isawaitable(result):
                result = await result
            data = _answered(result)
        except Exception as err:
            self._refuse(request, setup, err)
        else:
            self._reply(request, setup, data)

    def _reply(self, request: Request, setup: Setup, data: bytes) -> None:
        sent = self.port.complete(request, Status.OK,
                                  data[:setup.length] if setup.is_in else b"")
        what = (setup.request_type, setup.request)
        if not sent or not self.configuration:
            return
        if what == (0x00, Standard.SET_CONFIGURATION):
            log.info("configured by the guest")
            self._jobs.append(Job(self, self.configured(), self._halt_all))
        elif what == (0x01, Standard.SET_INTERFACE):
            self._setting_jobs[setup.index] = Job(
                self, self.interface_set(setup.index, setup.value),
                self._halt_all)

    def _refuse(self, request: Request, setup: Setup, err: Exception) -> None:
        if isinstance(err, Fail):
            self.port.complete(request, err.status, err.data)
            return
        if not isinstance(err, Stall):
            log.error("answering a request failed, it is stalled: %s", setup,
                      exc_info=err)
        self.port.complete(request, Status.STALL)


def _answered(answer: Any) -> bytes:
    """What a control handler gave, as bytes."""
    if answer is None:
        return b""
    if isinstance(answer, (bytes, bytearray, memoryview)):
        return bytes(answer)
    raise TypeError("a control request is answered with bytes or None, "
                    f"not with {type(answer).__name__}")
