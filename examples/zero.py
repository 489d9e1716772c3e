#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
Gadget Zero: what Linux's usbtest driver tests a USB stack with.

    examples/zero.py --connect unix:./usb.sock --pattern 1

Configuration 3 is a source and a sink of data, by bulk endpoints, with
interrupt endpoints besides in the alternate setting 1.  Configuration 2
sends back what it gets.  The vendor requests 0x5b and 0x5c write and read a
buffer.  Isochronous endpoints, as the Linux gadget of this name has, are
not there.
"""

import asyncio
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import (Configuration, Device, Endpoint,         # noqa: E402
                       Interface, Speed, TransferType, main)

SOURCE_SINK, LOOPBACK = 3, 2                # bConfigurationValue
WRITE_BUFFER, READ_BUFFER = (0x40, 0x5b), (0xc0, 0x5c)
BUFFER_SIZE = 4096
LOOP_SIZE, LOOP_DEPTH = 4096, 32            # bytes, and how many on the way
NOT_CHECKED = 2                             # a pattern


class Zero(Device):
    vendor_id, product_id = 0x0525, 0xa4a0
    device_class = (0xff, 0, 0)
    speeds = (Speed.FULL, Speed.HIGH, Speed.SUPER)
    manufacturer, product = "usb-remote", "Gadget Zero"
    serial = "0123456789.0123456789.0123456789"

    def __init__(self, options):
        super().__init__(options)
        self.buffer = bytes(BUFFER_SIZE)

    @classmethod
    def add_options(cls, parser):
        parser.add_argument("--pattern", type=int, choices=(0, 1, 2),
                            default=0, help="what source and sink have: 0 "
                            "zeros, 1 bytes that count to 62 in each packet, "
                            "2 zeros, and nothing is checked (0)")
        parser.add_argument("--loop", action="store_true",
                            help="have the guest choose the loopback first")

    def configurations(self, speed):
        bulk = [Endpoint(0x81, TransferType.BULK),
                Endpoint(0x01, TransferType.BULK)]
        interrupt = [Endpoint(address, TransferType.INTERRUPT, period_ms=1)
                     for address in (0x82, 0x02)]
        data, loop = "source and sink data", "loop input to output"
        both = [
            Configuration([
                Interface(endpoints=bulk, name=data),
                Interface(endpoints=bulk + interrupt, name=data,
                          alternate=1)],
                SOURCE_SINK, data, self_powered=True, max_power=2),
            Configuration([Interface(endpoints=bulk, name=loop)],
                          LOOPBACK, loop, self_powered=True, max_power=2)]
        return both[::-1] if self.options.loop else both

    def control(self, setup):
        what = (setup.request_type, setup.request)
        if what == WRITE_BUFFER and not setup.value and not setup.index:
            self.buffer = setup.data + self.buffer[len(setup.data):]
            return None
        if what == READ_BUFFER and not setup.value and not setup.index:
            return self.buffer
        return super().control(setup)

    async def configured(self):
        await self.interface_set(0, 0)

    async def interface_set(self, number, alternate):
        if self.configuration == LOOPBACK:
            await self.loop()
            return
        for endpoint in range(1, 3 if alternate else 2):
            self.start(self.source(self.ep_in(endpoint)))
            self.start(self.sink(self.ep_out(endpoint)))

    def pattern(self, pipe, size):
        """The bytes of a transfer, or the first of one."""
        if self.options.pattern != 1:
            return bytes(size)
        packet = bytes(i % 63 for i in range(pipe.max_packet))
        return (packet * (size // pipe.max_packet + 1))[:size]

    async def source(self, pipe):
        while True:
            request = await pipe.next_request()
            pipe.answer(request, data=self.pattern(pipe,
                                                   request.submit.length))

    async def sink(self, pipe):
        """What is not the pattern halts the endpoint."""
        while True:
            request = await pipe.next_request()
            data = request.submit.data
            pipe.answer(request)
            if (self.options.pattern != NOT_CHECKED
                    and data != self.pattern(pipe, len(data))):
                pipe.halt()

    async def loop(self):
        """Whatever comes goes back, in pieces of up to LOOP_SIZE."""
        room, pipe = asyncio.Semaphore(LOOP_DEPTH), self.ep_out(1)
        while True:
            await room.acquire()
            data = packet = await pipe.read_packet()
            while len(packet) == pipe.max_packet and len(data) < LOOP_SIZE:
                packet = await pipe.read_packet()
                data += packet
            self.start(self.send_back(data, room))

    async def send_back(self, data, room):
        try:
            await self.ep_in(1).send(data, zlp=len(data) < LOOP_SIZE)
        finally:
            room.release()


if __name__ == "__main__":
    main(Zero)
