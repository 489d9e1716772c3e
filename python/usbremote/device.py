# SPDX-License-Identifier: MIT
"""
The base class of devices: declarations, control requests, endpoints.

A device is a subclass that declares what it is, overrides configurations()
and configured(), and perhaps control().  Requests that nobody answers are
stalled and remembered.
"""

from __future__ import annotations

import inspect
import logging
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
from .setup import Kind, Recipient, Setup, Standard

if TYPE_CHECKING:
    from .port import Port

log = logging.getLogger(__name__)

# What a control handler gives: bytes for a request that reads, None for one
# that writes, or a coroutine that will.
Answer = Union[bytes, None, Awaitable[Any]]

ENDPOINT_HALT = 0               # features, USB 2.0 table 9-6
REMOTE_WAKEUP = 1
SUPER_FEATURES = (48, 49, 50)   # U1, U2 and LTM, USB 3.2 table 9-7


class Job:
    """A coroutine that runs beside others until cancel()."""

    def __init__(self, device: "Device",
                 coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine
        self._task = device.port.runtime.spawn(_guard(coroutine))

    def done(self) -> bool:
        return self._task.done()

    def cancel(self) -> None:
        """End it, also before it began."""
        self._task.cancel()
        if inspect.getcoroutinestate(self._coroutine) == inspect.CORO_CREATED:
            self._coroutine.close()


async def _guard(coroutine: Coroutine[Any, Any, Any]) -> None:
    """What the guest does ends a coroutine quietly, a bug does not."""
    try:
        await coroutine
    except RemoteError as err:
        log.debug("%s ended: %s", coroutine.__qualname__, err)
    except Exception as err:
        log.error("%s failed; the device goes on without it",
                  coroutine.__qualname__, exc_info=err)


class Unhandled(Stall):
    """Nobody answers this request; it is stalled and remembered."""


class Device:
    """
    One USB device; the class attributes are its declarations.

    usb_version (BCD) and max_packet0 (bytes) follow the speed where None.
    speeds: what it can run at.  raw_descriptors goes before everything
    computed: its keys are a descriptor type or (type, index).  gap_ms,
    address_policy and endpoint_table: see PeerSession.attach().
    """

    vendor_id = 0x1209          # pid.codes, with its numbers for tests
    product_id = 0x0001
    release = 0x0100
    usb_version: Optional[int] = None
    device_class: Tuple[int, int, int] = (0, 0, 0)
    max_packet0: Optional[int] = None
    manufacturer: Optional[str] = None
    product: Optional[str] = None
    serial: Optional[str] = None

    speeds: Sequence[Speed] = (Speed.FULL,)
    gap_ms = DEFAULT_GAP_MS
    address_policy = AddressPolicy.ACCEPT
    endpoint_table: Optional[Tuple[EndpointEntry, ...]] = None
    raw_descriptors: Mapping[Union[int, Tuple[int, int]], bytes] = {}
    auto_attach = True

    port: "Port"

    def __init__(self) -> None:
        self.speed = max(self.speeds)
        self.address = 0
        self.configuration = 0
        self.attached = False
        self.remote_wakeup = False
        self.unhandled_requests: "Counter[str]" = Counter()
        self._strings = desc.Strings()
        for text in (self.manufacturer, self.product, self.serial):
            self._strings.index(text)
        self._configurations: Dict[Speed, List[desc.Configuration]] = {}
        self._parsed = desc.Parsed()
        self._alternates: Dict[int, int] = {}
        self._pipes: Dict[int, Pipe] = {}
        self._jobs: List[Job] = []

    # to be overridden

    def configurations(self, speed: Speed) -> Sequence[desc.Configuration]:
        """What the device is, at this speed."""
        return [desc.Configuration()]

    async def configured(self) -> None:
        """
        Run once each time the guest chooses a configuration; cancelled when
        that ends by another choice, a bus reset or an unplugging.
        """

    async def connected(self) -> None:
        """Run once per connection, plugged in or not."""

    def control(self, setup: Setup) -> Answer:
        """
        Answer a control request; raise Stall or Fail to refuse it.

        An override handles what it wants to and leaves the rest to this
        one: standard requests (USB 2.0 section 9.4), then the interface's
        own control().  It may be a coroutine.
        """
        handler = STANDARD.get((setup.recipient, setup.request))
        if setup.kind is Kind.STANDARD and handler:
            return handler(self, setup)
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

    async def sleep(self, seconds: float) -> None:
        await self.port.runtime.sleep(seconds)

    def now(self) -> float:
        """Seconds of a clock that never goes back."""
        return self.port.runtime.now()

    def interface(self, number: int) -> Optional[desc.Interface]:
        """The declared interface of this number in its current setting."""
        chosen = [c for c in self._declared(self.speed)
                  if c.value == self.configuration or not self.configuration]
        alternate = self._alternates.get(number, 0)
        for configuration in chosen:
            for interface in configuration.interfaces:
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
            return self._strings.encode(index)
        if kind == desc.DEVICE_QUALIFIER and self._other_speed() is not None:
            return self._device_descriptor(
                self._other_speed() or self.speed).encode_qualifier()
        if kind == desc.BOS and self._usb_version(self.speed) >= 0x0201:
            return desc.bos(self.speeds)
        return None

    def _usb_version(self, speed: Speed) -> int:
        if self.usb_version is not None:
            return self.usb_version
        return 0x0300 if speed >= Speed.SUPER else 0x0200

    def _device_descriptor(self, speed: Speed) -> desc.DeviceDescriptor:
        size = self.max_packet0
        if size is None:
            size = {Speed.LOW: 8, Speed.SUPER: 9}.get(speed, 64)
        index = self._strings.index
        return desc.DeviceDescriptor(
            self._usb_version(speed), *self.device_class, size,
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

    # standard requests, USB 2.0 section 9.4

    def _get_status(self, setup: Setup) -> Answer:
        status = 0
        if setup.recipient == Recipient.DEVICE:
            status = (self._parsed.attributes >> 6 & 1
                      | self.remote_wakeup << 1)
        elif setup.recipient == Recipient.ENDPOINT:
            pipe = self._existing(setup.index)
            status = int(pipe is not None and pipe.halted)
        return status.to_bytes(2, "little")

    def _change_feature(self, setup: Setup) -> Answer:
        on = setup.request == Standard.SET_FEATURE
        if setup.recipient == Recipient.DEVICE:
            if setup.value == REMOTE_WAKEUP:
                self.remote_wakeup = on
            elif not (setup.value in SUPER_FEATURES
                      and self.speed >= Speed.SUPER):
                raise Stall()
        elif setup.recipient == Recipient.INTERFACE:
            if setup.value != 0 or self.speed < Speed.SUPER:
                raise Stall()   # but FUNCTION_SUSPEND, USB 3.2 section 9.4.9
        elif setup.value != ENDPOINT_HALT:
            raise Stall()
        else:
            pipe = self._existing(setup.index)
            if pipe is not None:
                pipe.halt() if on else pipe.clear_halt()
        return None

    def _get_descriptor(self, setup: Setup) -> Answer:
        data = self.descriptor(setup.value >> 8, setup.value & 0xff)
        if data is None:
            raise Stall()
        return data

    def _get_configuration(self, setup: Setup) -> Answer:
        return bytes((self.configuration,))

    def _set_configuration(self, setup: Setup) -> Answer:
        value = setup.value & 0xff
        parsed = self._parse(value) if value else desc.Parsed()
        if parsed is None:
            raise Stall()
        self._unconfigure("another configuration was set")
        self.configuration, self._parsed = value, parsed
        for configuration in self._declared(self.speed):
            for interface in configuration.interfaces:
                interface.reset()
        for number in {number for number, _ in parsed.settings}:
            self._choose(number, 0)
        return None

    def _get_interface(self, setup: Setup) -> Answer:
        if setup.index not in self._alternates:
            raise Stall()
        return bytes((self._alternates[setup.index],))

    def _set_interface(self, setup: Setup) -> Answer:
        number, alternate = setup.index, setup.value
        if (number, alternate) not in self._parsed.settings:
            raise Stall()
        for setting, addresses in self._parsed.settings.items():
            if setting == (number, self._alternates.get(number, 0)):
                self._abort(addresses, "another setting was chosen")
        self._choose(number, alternate)
        return None

    def _nothing(self, setup: Setup) -> Answer:
        """SET_SEL, SET_ISOCH_DELAY: nothing here depends on them."""
        if self.speed < Speed.SUPER:
            self.unhandled(setup)
        return None

    def _choose(self, number: int, alternate: int) -> None:
        self._alternates[number] = alternate
        for address, size in self._parsed.settings.get(
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
        tables = list(self._parsed.settings.values())
        known = {a & 0x8f for table in tables for a in table}
        known |= {entry.address for entry in self.endpoint_table or ()}
        return not tables or address in known

    def _existing(self, index: int) -> Optional[Pipe]:
        """The endpoint of a request's wIndex; None for endpoint 0."""
        if not index & 0x0f:
            return None
        pipe = self._pipes.get(index & 0x8f)
        if pipe is None:
            raise Stall()
        return pipe

    def _abort(self, addresses: "Mapping[int, int]", why: str) -> None:
        for address in addresses:
            if address in self._pipes:
                self._pipes[address].abort(why)

    def _unconfigure(self, why: str) -> None:
        self.configuration = 0
        self._parsed = desc.Parsed()
        self._alternates = {}
        for pipe in self._pipes.values():
            pipe.abort(why)
        jobs, self._jobs = self._jobs, []
        for job in jobs:
            job.cancel()

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
        if sent and (setup.request_type, setup.request) == (
                0x00, Standard.SET_CONFIGURATION) and self.configuration:
            log.info("configured by the guest")
            self.start(self.configured())

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


_Handler = Callable[[Device, Setup], Answer]
STANDARD: Dict[Tuple[int, int], _Handler] = {
    (Recipient.DEVICE, Standard.GET_STATUS): Device._get_status,
    (Recipient.INTERFACE, Standard.GET_STATUS): Device._get_status,
    (Recipient.ENDPOINT, Standard.GET_STATUS): Device._get_status,
    (Recipient.DEVICE, Standard.CLEAR_FEATURE): Device._change_feature,
    (Recipient.INTERFACE, Standard.CLEAR_FEATURE): Device._change_feature,
    (Recipient.ENDPOINT, Standard.CLEAR_FEATURE): Device._change_feature,
    (Recipient.DEVICE, Standard.SET_FEATURE): Device._change_feature,
    (Recipient.INTERFACE, Standard.SET_FEATURE): Device._change_feature,
    (Recipient.ENDPOINT, Standard.SET_FEATURE): Device._change_feature,
    (Recipient.DEVICE, Standard.GET_DESCRIPTOR): Device._get_descriptor,
    (Recipient.DEVICE, Standard.GET_CONFIGURATION): Device._get_configuration,
    (Recipient.DEVICE, Standard.SET_CONFIGURATION): Device._set_configuration,
    (Recipient.INTERFACE, Standard.GET_INTERFACE): Device._get_interface,
    (Recipient.INTERFACE, Standard.SET_INTERFACE): Device._set_interface,
    (Recipient.DEVICE, Standard.SET_SEL): Device._nothing,
    (Recipient.DEVICE, Standard.SET_ISOCH_DELAY): Device._nothing,
}
