# SPDX-License-Identifier: MIT
"""Human interface devices, HID 1.11 (Device Class Definition for HID)."""

from __future__ import annotations

import asyncio
import struct
from typing import Callable, Dict, List, Optional, Sequence

from ..context import Answer
from ..descriptors import Endpoint, Interface, PerSpeed, descriptor
from ..function import Function
from ..place import Place
from ..requests import control
from ..setup import Setup
from ..types import Direction, Kind, Recipient, Standard, TransferType
from .report import has_ids

IN, OUT = Direction.IN, Direction.OUT

HID = 0x21                      # descriptor types, section 7.1
REPORT = 0x22
BOOT = 1                        # subclass, section 4.2
KEYBOARD, MOUSE = 1, 2          # protocols of BOOT, section 4.3

GET_REPORT, GET_IDLE, GET_PROTOCOL = 1, 2, 3    # section 7.2
SET_REPORT, SET_IDLE, SET_PROTOCOL = 9, 10, 11

INPUT, OUTPUT, FEATURE = 1, 2, 3                # report types, 7.2.1
IDLE_UNIT = 0.004               # seconds, section 7.2.4

# Section B.2: three buttons, X and Y relative, -127 to 127, 3 bytes.
BOOT_MOUSE = bytes.fromhex(
    "05010902a1010901a100050919012903150025019503750181029501750581"
    "030501093009311581257f750895028106c0c0")


class Hid(Function):
    """
    An interface that sends and takes reports.

    report: the report descriptor.  size: bytes of the input report, of
    which zeros are the state before the first send().  period_ms or
    interval (bInterval), max_packet (wMaxPacketSize): of the interrupt
    endpoints; a report of at most one packet meets one request.  output:
    whether there is an interrupt OUT endpoint.  on_output is called with
    each output report, however it comes; see set_report().

    Reports are repeated as the guest asks with SET_IDLE (section 7.2.4); it
    begins with "only when something changes".
    """

    def __init__(self, report: bytes, size: int = 0, *, subclass: int = 0,
                 protocol: int = 0, period_ms: Optional[float] = 4,
                 interval: PerSpeed = 0, max_packet: PerSpeed = 8,
                 output: bool = False, name: Optional[str] = None,
                 on_output: Optional[Callable[[bytes], object]] = None
                 ) -> None:
        self.report, self.size, self.name = report, size, name
        self.subclass, self.protocol = subclass, protocol
        self.period_ms = None if interval else period_ms
        self.interval, self.max_packet = interval, max_packet
        self.output, self.on_output = output, on_output
        self._has_ids = has_ids(report)
        self._idle_set: Optional[asyncio.Event] = None
        self.reset()

    def interfaces(self, place: Place) -> Sequence[Interface]:
        addresses = (IN | 1, OUT | 1) if self.output else (IN | 1,)
        return [Interface(3, self.subclass, self.protocol, [
            Endpoint(address, TransferType.INTERRUPT, self.max_packet,
                     self.interval, period_ms=self.period_ms)
            for address in addresses],
            name=self.name, extra=self.hid_descriptor())]

    def hid_descriptor(self) -> bytes:
        """Section 6.2.1."""
        return descriptor(HID, struct.pack(
            "<HBBBH", 0x0111, 0, 1, REPORT, len(self.report)))

    def reset(self) -> None:
        """Section 7.2.6: report protocol; 7.2.4: no repetition."""
        self.boot_protocol = 1
        self._idle: Dict[int, int] = {}         # by report id
        self._state: Dict[int, bytes] = {}      # what was sent last
        self._sent_at: Dict[int, float] = {}

    # reports

    async def send(self, data: bytes) -> None:
        """
        Send an input report, with its report id first if it has one.
        Returns when the guest has got it, see InEndpoint.send().
        """
        id = self._id_of(data)
        self._state[id] = bytes(data)
        pipe = self.ep_in(1)
        if len(data) <= pipe.max_packet & 0x7ff:
            await pipe.send_packet(data)
        else:
            await pipe.send(data)
        self._sent_at[id] = self.now()

    def get_report(self, kind: int, id: int) -> Answer:
        """GET_REPORT of INPUT, OUTPUT or FEATURE: the input report's state."""
        return self._state.get(id, bytes(self.size))

    def set_report(self, kind: int, id: int, data: bytes) -> Answer:
        """
        SET_REPORT, or a report over the OUT endpoint (then an OUTPUT one of
        id 0); may be a coroutine.
        """
        if self.on_output is not None:
            self.on_output(data)
        return None

    async def run(self) -> None:
        if self.output:
            self.start(self._take_output())
        self._idle_set = asyncio.Event()
        while True:
            await self._repeat_due(self._idle_set)

    async def _take_output(self) -> None:
        async for data in self.ep_out(1):
            answer = self.set_report(OUTPUT, 0, data)
            if asyncio.iscoroutine(answer):
                await answer

    async def _repeat_due(self, idle_set: asyncio.Event) -> None:
        """Send the report that is to be repeated next, when it is due."""
        idle_set.clear()
        due = {id: self._sent_at.get(id, 0.0) + IDLE_UNIT * self._idle_of(id)
               for id in self._ids() if self._idle_of(id)}
        id = min(due, key=lambda id: due[id], default=0)
        wait = due[id] - self.now() if due else None
        if wait is None or wait > 0:
            try:
                await asyncio.wait_for(idle_set.wait(), wait)
            except asyncio.TimeoutError:
                pass
        else:
            await self.send(self._state.get(id, bytes(self.size)))

    def _ids(self) -> List[int]:
        """The report ids that were sent, or set idle by themselves."""
        return (sorted({*self._state, *self._idle} - {0}) if self._has_ids
                else [0])

    def _idle_of(self, id: int) -> int:
        return self._idle.get(id, self._idle.get(0, 0))

    def _id_of(self, data: bytes) -> int:
        return data[0] if data and self._has_ids else 0

    # requests, sections 7.1 and 7.2

    @control(Kind.STANDARD, Recipient.INTERFACE, Standard.GET_DESCRIPTOR, IN)
    def get_descriptor(self, setup: Setup) -> Answer:
        if setup.value >> 8 == HID:
            return self.hid_descriptor()
        if setup.value >> 8 == REPORT:
            return self.report
        self.unhandled(setup)

    @control(Kind.CLASS, Recipient.INTERFACE, GET_REPORT, IN)
    def get_report_asked(self, value: int) -> Answer:
        return self.get_report(value >> 8, value & 0xff)

    @control(Kind.CLASS, Recipient.INTERFACE, SET_REPORT, OUT)
    def set_report_asked(self, setup: Setup) -> Answer:
        if self.on_output is None and type(self).set_report is Hid.set_report:
            self.unhandled(setup)
        return self.set_report(setup.value >> 8, setup.value & 0xff,
                               setup.data)

    @control(Kind.CLASS, Recipient.INTERFACE, GET_IDLE, IN)
    def get_idle(self, value: int) -> bytes:
        return bytes((self._idle_of(value & 0xff),))

    @control(Kind.CLASS, Recipient.INTERFACE, SET_IDLE, OUT)
    def set_idle(self, value: int) -> None:
        if not value & 0xff:
            self._idle.clear()
        self._idle[value & 0xff] = value >> 8
        if self._idle_set is not None:
            self._idle_set.set()

    @control(Kind.CLASS, Recipient.INTERFACE, GET_PROTOCOL, IN)
    def get_protocol(self, setup: Setup) -> bytes:
        if self.subclass != BOOT:
            self.unhandled(setup)
        return bytes((self.boot_protocol,))

    @control(Kind.CLASS, Recipient.INTERFACE, SET_PROTOCOL, OUT)
    def set_protocol(self, setup: Setup) -> None:
        if self.subclass != BOOT:
            self.unhandled(setup)
        self.boot_protocol = setup.value & 0xff


class Mouse(Hid):
    """
    A boot mouse: three buttons, X and Y relative (section B.2).

    interval or period_ms: see Hid.
    """

    def __init__(self, period_ms: Optional[float] = 10,
                 interval: PerSpeed = 0, name: Optional[str] = None) -> None:
        super().__init__(BOOT_MOUSE, 3, subclass=BOOT, protocol=MOUSE,
                         period_ms=period_ms, interval=interval, name=name)

    async def move(self, dx: int = 0, dy: int = 0, buttons: int = 0) -> None:
        """
        Move by so many counts, -127 to 127, right and down, with these
        buttons (1 left, 2 right, 4 middle) down.
        """
        await self.send(bytes((buttons & 7, dx & 0xff, dy & 0xff)))
