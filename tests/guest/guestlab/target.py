# SPDX-License-Identifier: GPL-2.0-or-later
"""A vendor device with a bulk endpoint in each direction, for agent/urbs.c.

The guest's program tells it with vendor requests when to answer what, so that
both ends act in one order.  Answers can be held back: for the peer they are
sent, for QEMU they have not come yet, as if they were on the wire.
"""

import asyncio
import math

from guestlab import numbers, peer      # noqa: F401  (peer has the path)

from usbremote import (Configuration, Device, Endpoint, Interface, Speed,
                       Status, TransferType)

PRODUCT = "URB target"
IN, OUT = 0x81, 0x01
VENDOR_OUT = 0x40               # bmRequestType: vendor, to the device

# bRequest; wIndex is the endpoint's address
PARK = 1        # answer nothing from now on
ANSWER = 2      # wait for requests and answer some, but hold these answers
                # back: wValue is how many to wait for, times 256, plus how
                # many to answer
LET_GO = 3      # let the answers go, and answer wValue requests more
ALL = 0xffff    # in LET_GO: without a limit


class Flow:
    """What one endpoint does: IN sends a stream of numbers, OUT takes one.

    end: how many numbers the stream of IN has; empty packets come after it.
    """

    def __init__(self, device, pipe, end):
        self.rounds = []        # for each PARK the runs answered after it
        self._device = device
        self._pipe = pipe
        self._end = end
        self._sent = 0
        self._allowed = 0
        self._awaited = None    # how many requests, and who waits for them
        self._holding = False
        self._wire = b""        # answers on their way

    def park(self, _):
        """PARK."""
        self.rounds.append([])
        self._allowed = 0

    async def answer(self, value):
        """
        ANSWER.

        Nothing is held back before all requests are there: QEMU may still
        cancel one that is left over, and sends no other until it has the
        answer.
        """
        waiter = asyncio.get_running_loop().create_future()
        self._awaited = value >> 8, waiter
        self.advance()
        await waiter
        self._holding = True
        self._allowed = value & 0xff
        self.advance()

    def let_go(self, count):
        """LET_GO."""
        self._allowed = math.inf if count == ALL else count
        self._holding = False
        self._deliver()
        self.advance()

    def advance(self):
        """Answer what there is and may be answered."""
        while self._pipe.parked and self._allowed:
            self._allowed -= 1
            self._answer(self._pipe.parked.popleft())
        if self._awaited and len(self._pipe.parked) >= self._awaited[0]:
            self._awaited[1].set_result(None)
            self._awaited = None

    def _answer(self, request):
        """In the session it is answered; its bytes wait in the wire."""
        port, data = self._device.port, b""
        port.flush()            # whatever else there is goes at once
        if request.submit.is_in():
            data = self._next(request.submit.length // numbers.SIZE)
        port.session.complete(request, Status.OK, data)
        self.rounds[-1] += numbers.runs(data or request.submit.data)
        self._wire += port.session.data_to_send()
        if not self._holding:
            self._deliver()

    def _next(self, count):
        count = min(count, self._end - self._sent)
        self._sent += count
        return numbers.block(self._sent - count, count)

    def _deliver(self):
        wire, self._wire = self._wire, b""
        self._device.port.write(wire)


class Target(Device):
    """See above."""

    product = PRODUCT

    def __init__(self, speed, end=1 << 32):
        self.speeds = (Speed[speed.upper()],)
        super().__init__()
        self.flows = {}
        self._end = end

    def configurations(self, speed):
        size = {Speed.HIGH: 512, Speed.SUPER: 1024}.get(speed, 64)
        return [Configuration([Interface(endpoints=[
            Endpoint(address, TransferType.BULK, size)
            for address in (OUT, IN)])])]

    async def configured(self):
        self.flows = {OUT: Flow(self, self.ep_out(OUT), self._end),
                      IN: Flow(self, self.ep_in(IN & 0x0f), self._end)}

    def control(self, setup):
        if setup.request_type != VENDOR_OUT:
            return super().control(setup)
        flow = self.flows[setup.index]
        return {PARK: flow.park, ANSWER: flow.answer,
                LET_GO: flow.let_go}[setup.request](setup.value)

    def on_request(self, request):
        if request.submit.endpoint in self.flows:
            self.flows[request.submit.endpoint].advance()
