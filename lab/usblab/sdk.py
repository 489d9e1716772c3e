# SPDX-License-Identifier: GPL-2.0-or-later
"""
A description as a device of the SDK; all that the lab needs of usbremote to
be a device is here.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Optional, Type

from usbremote import (Device, InEndpoint, Kind, Recipient, Setup, Speed,
                       Stall, Standard)

from . import devicefile
from .describe import describe
from .devicefile import POLICIES, PYTHON, DeviceFile
from .errors import Problem
from .model import HID, INTERFACE, REPORT, Description, split

SPEED = {"low": Speed.LOW, "full": Speed.FULL, "high": Speed.HIGH,
         "super": Speed.SUPER}


class Described(Device):
    """
    A device that is a Description: its descriptors byte for byte, and for
    requests that nothing in it answers what `other` says: "stall"; "quiet"
    (control requests stall, transfers wait); "nak" (all wait for ever);
    "zero" (zeros to what reads, and success).
    """

    description: Description
    other = POLICIES[0]

    def descriptor(self, kind: int, index: int, language: int = 0
                   ) -> Optional[bytes]:
        """As they are; what is not there is a stall."""
        return self.description.descriptors.get((kind, index))

    def control(self, setup: Setup) -> Any:
        answer = self.description.answer_to(setup.encode())
        if answer is not None and answer.data is None:
            raise Stall()
        if answer is not None:
            return answer.data if setup.is_in else None
        data = self.of_interface(setup)
        if data is not None:
            return data
        try:
            return super().control(setup)
        except Stall:
            if setup.kind is Kind.STANDARD or self.other in ("quiet",
                                                                 "stall"):
                raise
        return self.unanswered(setup)

    def of_interface(self, setup: Setup) -> Optional[bytes]:
        """GET_DESCRIPTOR to an interface: HID and report descriptors."""
        if (setup.kind, setup.recipient, setup.request) != (
                Kind.STANDARD, Recipient.INTERFACE, Standard.GET_DESCRIPTOR):
            return None
        number = setup.index & 0xff
        if setup.value >> 8 == REPORT:
            return self.description.reports.get(number)
        if setup.value >> 8 == HID:
            return self.hid(number)
        return None

    def hid(self, number: int) -> Optional[bytes]:
        """The HID descriptor in the configuration, as a copy."""
        current = -1
        for data in self.description.configurations():
            for _, item in split(data):
                if item[1] == INTERFACE and len(item) > 2:
                    current = item[2]
                elif item[1] == HID and current == number:
                    return item
        return None

    def unanswered(self, setup: Setup) -> Any:
        if self.other == "nak":
            return self.never()
        return bytes(setup.length) if setup.is_in else None

    async def never(self) -> None:
        """Until the guest gives up."""
        await asyncio.Event().wait()

    async def configured(self) -> None:
        """Endpoints bring what was recorded, then what `other` says."""
        for address in self.endpoint_addresses:
            self.start(self.serve(address))

    async def serve(self, address: int) -> None:
        number = address & 0x0f
        pipe = self.ep_in(number) if address & 0x80 else self.ep_out(number)
        if isinstance(pipe, InEndpoint):
            for data in self.description.streams.get(address, []):
                await pipe.send(data)
        if self.other == "stall" and not self.description.streams.get(address):
            pipe.halt()
        while self.other == "zero":
            request = await pipe.next_request()
            pipe.answer(request, data=bytes(
                request.submit.length if address & 0x80 else 0))


def device_class(file: DeviceFile) -> Type[Device]:
    """
    The class of a device file: Described, or the one that its Python part
    defines as a subclass of it.
    """
    description = describe(file)
    base = own_class(file) or Described
    return type(base.__name__, (base,), {
        "description": description, "other": file.other,
        "deliberate": True,
        "speeds": (SPEED[description.speed],),
        "raw_descriptors": dict(description.descriptors)})


def own_class(file: DeviceFile) -> Optional[Type[Described]]:
    """The class in the part "--- python", run with Described at hand."""
    part = file.part(PYTHON)
    if part is None:
        return None
    name = str(file.path or "device file")
    names = {"Described": Described, "__name__": "usbdev"}
    try:
        exec(compile("\n" * (part.line - 1) + part.text, name, "exec"), names)
    except Exception as err:
        raise Problem(f"--- python: {type(err).__name__}: {err}") from err
    found = [value for value in names.values() if isinstance(value, type)
             and issubclass(value, Described) and value is not Described]
    if len(found) != 1:
        raise Problem(f"--- python defines {len(found)} subclasses of "
                      "Described, not one")
    return found[0]


def device(path: "str | Path") -> Device:
    """The device of a device file, ready to be served by usbremote."""
    return device_class(devicefile.read(path))()
