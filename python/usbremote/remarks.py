# SPDX-License-Identifier: MIT
"""
What cannot be in a device, and what makes no sense and is done all the same.

Broken devices are wanted, and mistakes are not: whatever is declared goes to
the guest, and a line says what is odd about it.  Device.deliberate = True says
that it is meant so, and mutes them.
"""

from __future__ import annotations

import difflib
import inspect
import struct
from typing import Any, Dict, Iterator, List, Set, Tuple, Type

from . import descriptors as desc
from .device import Device
from .engine import Engine
from .errors import LocalError
from .function import Function
from .types import Speed, TransferType

# What Device offers for its author to call, not to override.
HELPERS = {"address", "attached", "configuration", "endpoint_addresses",
           "ep_in", "ep_out", "is_configured", "now", "port",
           "remote_wakeup", "replug", "sleep", "speed", "start", "string",
           "unhandled", "unhandled_requests", "until_configured", "wakeup"}
CLOSE = 0.8                     # names that are as like as this
# bulk and control: USB 2.0 sections 5.5.3 and 5.8.3
BULK_AT = {Speed.FULL: (8, 16, 32, 64), Speed.HIGH: (512,),
           Speed.SUPER: (1024,)}


def check(engine: Engine) -> None:
    """
    Compute all descriptors at all speeds; raises LocalError, with the speed
    and what is wrong, when one cannot be.
    """
    now = engine.speed
    for engine.speed in sorted(engine.device.speeds):
        try:
            _compute(engine.device)
        except (struct.error, ValueError) as err:
            why = str(err).replace("\n", " ")
            raise LocalError(f"at {engine.speed.name.lower()} speed, a "
                             f"descriptor cannot be made: {why}") from err
    engine.speed = now


def _compute(device: Device) -> None:
    for kind in (desc.DEVICE, desc.DEVICE_QUALIFIER, desc.BOS):
        device.descriptor(kind, 0)
    for kind in (desc.CONFIGURATION, desc.OTHER_SPEED, desc.STRING):
        for index in range(256):
            if device.descriptor(kind, index) is None:
                break


def remarks(engine: Engine) -> List[str]:
    """The lines for a device, whose descriptors can be made."""
    device = engine.device
    if device.deliberate:
        return []
    found = dict.fromkeys(_of_class(type(device), Device))
    for speed in sorted(device.speeds):
        for configuration in engine.layout.declared(speed):
            found.update(dict.fromkeys(_of_configuration(configuration,
                                                         speed)))
        if not _has_raw_configuration(device) and not any(
                c.settings() for c in engine.layout.declared(speed)):
            found["the device has no interfaces: override configurations(), "
                  "or set self.functions"] = None
    for run in engine.layout.places(engine.speed):
        found.update(dict.fromkeys(_of_class(type(run[0]), Function)))
    for text in engine.layout.strings.too_long():
        found[f"the string {text[:20]!r}... is cut: a descriptor has room "
              "for 126 UTF-16 code units"] = None
    return list(found)


def _has_raw_configuration(device: Device) -> bool:
    """Its interfaces are in bytes then, and not declared."""
    return any(desc.CONFIGURATION in (key if isinstance(key, tuple)
                                      else (key,))[:1]
               for key in device.raw_descriptors)


def _of_class(kind: Type[Any], base: Type[Any]) -> Iterator[str]:
    """Names that do not do what they seem to be meant for."""
    overridable = [name for name in dir(base)
                   if not name.startswith("_") and name not in HELPERS]
    for owner in kind.__mro__[:kind.__mro__.index(base)]:
        if owner.__module__.startswith(__package__ + ".functions"):
            continue
        for name, value in vars(owner).items():
            if name.startswith("_"):
                continue
            what = f"{owner.__name__}.{name}"
            if name in HELPERS:
                yield f"{what} hides {base.__name__}.{name}" + _meant(
                    name, overridable)
            elif hasattr(base, name):
                yield from _of_coroutine(what, value, getattr(base, name))
            elif inspect.isfunction(value) and _meant(name, overridable):
                yield (f"nothing calls {what}() by itself"
                       + _meant(name, overridable))


def _meant(name: str, names: List[str]) -> str:
    close = difflib.get_close_matches(name, names, 1, CLOSE)
    return f": is {close[0]} meant?" if close else ""


def _of_coroutine(what: str, value: object, original: object
                  ) -> Iterator[str]:
    if not inspect.isfunction(value) or what.endswith(".control"):
        return
    is_async = inspect.iscoroutinefunction(value)
    if inspect.iscoroutinefunction(original) and not is_async and (
            not inspect.isasyncgenfunction(value)):
        yield f"{what}() has to be 'async def'"
    elif is_async and inspect.isfunction(original) and not (
            inspect.iscoroutinefunction(original)):
        yield f"{what}() must not be 'async def': nobody waits for it"


def _of_configuration(configuration: desc.Configuration, speed: Speed
                      ) -> Iterator[str]:
    settings = configuration.settings()
    seen: Set[Tuple[object, int]] = set()
    owners: Dict[int, object] = {}
    for interface in settings:
        which = interface.number, interface.alternate
        where = f"{interface.made_at}interface {interface.number}"
        if which in seen:
            yield (f"{where} is declared twice"
                   + (f" with alternate setting {interface.alternate}"
                      if interface.alternate else "")
                   + ": give one a number of its own, or none")
        seen.add(which)
        here: Set[int] = set()
        for endpoint in interface.endpoints:
            yield from _of_endpoint(endpoint, speed)
            owner = owners.setdefault(endpoint.address, interface.number)
            if endpoint.address in here or owner != interface.number:
                yield (f"{endpoint.made_at}endpoint "
                       f"{desc.shown(endpoint.address)} is declared twice")
            here.add(endpoint.address)
    numbers = {i.number for i in settings}
    if numbers and numbers != set(range(len(numbers))):
        yield ("the interfaces are not numbered 0, 1, ...: "
               + ", ".join(str(n) for n in sorted(
                   n for n in numbers if n is not None)))


def _of_endpoint(endpoint: desc.Endpoint, speed: Speed) -> Iterator[str]:
    if endpoint.raw is not None:
        return
    where = f"{endpoint.made_at}endpoint {desc.shown(endpoint.address)}"
    if not endpoint.address & 0x0f or endpoint.address & 0x70:
        yield (f"{where} is none: addresses are 0x01 to 0x0f and 0x81 to "
               "0x8f")
    size = endpoint.packet_size(speed) & 0x7ff
    at = f"at {speed.name.lower()} speed"
    if endpoint.type == TransferType.BULK:
        allowed = BULK_AT.get(speed, ())
        if not allowed:
            yield f"{where} is bulk, which {at} does not exist"
        elif size not in allowed:
            yield (f"{where}: bulk packets {at} have "
                   f"{' or '.join(map(str, allowed))} bytes, not {size}")
    else:
        largest = desc.at_speed(desc.LARGEST_PACKET[endpoint.type], speed)
        if size > largest:
            yield (f"{where}: {size} bytes are more than the {largest} of "
                   f"{endpoint.type.name.lower()} {at}")
    if endpoint.type == TransferType.INTERRUPT and not (
            endpoint.interval or endpoint.period_ms):
        yield f"{where} is never polled: it needs period_ms or interval"
