#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A measuring instrument: USB Test and Measurement Class with USB488.

    examples/usbtmc.py --connect unix:/tmp/usbtmc

It has one waveform, a sine or a file's bytes, and knows these commands:

    *IDN?  *RST  *CLS  *OPC?     of IEEE 488.2
    CURVE?        gives the waveform as a block, #NLENGTH and the bytes
    CURVE BLOCK   replaces it
    SYSTEM:ERROR? gives the oldest error that was not told yet

With Linux in the guest, write a command to /dev/usbtmc0 and read the answer
from it.
"""

import os
import re
import struct
import sys
from math import pi, sin

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import (Configuration, Device, Endpoint,         # noqa: E402
                       Interface, Speed, TransferAborted, TransferType, cli,
                       main)

# USB Test and Measurement Class Specification 1.0, and its USB488 subclass
TEST_AND_MEASUREMENT, USB488 = (0xfe, 3), 1     # class and subclass, protocol
DEV_DEP_MSG_OUT, REQUEST_DEV_DEP_MSG_IN, DEV_DEP_MSG_IN = 1, 2, 2   # table 2
HEADER = struct.Struct("<BBBBIBxxx")    # MsgID, bTag, ~bTag, 0, TransferSize,
EOM = 1                                 # bmTransferAttributes; tables 3, 4, 9
SUCCESS, PENDING, FAILED, NOT_IN_PROGRESS, SPLIT_NOT_IN_PROGRESS, \
    SPLIT_IN_PROGRESS = 0x01, 0x02, 0x80, 0x81, 0x82, 0x83      # table 16
CLEAR_FEATURE = (0x02, 1)       # of an endpoint, USB 2.0 section 9.4.1
TO_ENDPOINT, TO_INTERFACE = 0xa2, 0xa1  # bmRequestType of what follows
INITIATE_ABORT_OUT, CHECK_ABORT_OUT, INITIATE_ABORT_IN, CHECK_ABORT_IN, \
    INITIATE_CLEAR, CHECK_CLEAR, GET_CAPABILITIES = range(1, 8)  # table 15
READ_STATUS_BYTE = 128                  # USB488 section 4.3.1
MESSAGE_AVAILABLE = 0x10                # in that byte, IEEE 488.2
# Version 1.0 of both, and nothing optional; 4.2.1.8, USB488 4.2.2.
CAPABILITIES = bytes((SUCCESS, 0, 0, 1, *[0] * 8, 0, 1, *[0] * 10))
NO_ERROR = '0,"No error"'


def sine(points):
    """One period, as 16-bit numbers, little-endian."""
    return b"".join(struct.pack("<h", round(32767 * sin(2 * pi * n / points)))
                    for n in range(points))


def waveform(path):
    """For argparse: a file's bytes."""
    return cli.file_bytes(path, 1 << 24)


def block(data):
    """A definite length block, IEEE 488.2 section 8.7.9."""
    length = str(len(data))
    return f"#{len(length)}{length}".encode() + data


class Instrument(Device):
    vendor_id, product_id = 0x1209, 0x0005
    manufacturer, product = "usb-remote", "Python Instrument"
    serial = "0001"
    speeds = (Speed.FULL, Speed.HIGH)

    @classmethod
    def add_options(cls, parser):
        parser.add_argument("--identity", metavar="TEXT",
                            type=cli.ascii_text(),
                            default="usb-remote,Python Instrument,0001,1.0",
                            help="what *IDN? gives")
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--points", type=cli.number(1, 1 << 20),
                          default=1000, metavar="N",
                          help="so many of a sine, 2 bytes each (1000)")
        what.add_argument("--waveform", type=waveform, metavar="FILE",
                          help="these bytes instead, up to 16 MiB")

    def __init__(self, options):
        super().__init__(options)
        self.out_tag, self.received = 0, 0      # of the last transfer: data
        self.in_tag, self.sent = 0, 0           # bytes, header and data
        self.reset_instrument()
        self.clear()

    def configurations(self, speed):
        bulk = TransferType.BULK
        return [Configuration([Interface(
            *TEST_AND_MEASUREMENT, USB488,
            endpoints=[Endpoint(0x01, bulk), Endpoint(0x82, bulk)])])]

    # the instrument

    def reset_instrument(self):
        self.curve = self.options.waveform
        if self.curve is None:
            self.curve = sine(self.options.points)
        self.errors = []

    def execute(self, message):
        """Carry out a command; what it answers, or None."""
        command, _, argument = message.partition(b" ")
        name = command.strip().upper().decode("latin-1")
        if name == "CURVE":
            return self.set_curve(argument)
        known = {
            "*IDN?": lambda: self.options.identity.encode() + b"\n",
            "*OPC?": lambda: b"1\n",
            "*RST": self.reset_instrument,
            "*CLS": self.errors.clear,
            "CURVE?": lambda: block(self.curve) + b"\n",
            "SYSTEM:ERROR?": lambda: self.next_error().encode() + b"\n",
        }.get(name)
        if known is None:
            self.errors.append('-113,"Undefined header"')
        return known and known()

    def set_curve(self, argument):
        digits = re.match(rb"#([1-9])", argument)
        start = 2 + int(digits.group(1)) if digits else 0
        length = argument[2:start]
        data = argument[start:start + int(length)] if length.isdigit() else b""
        if not length.isdigit() or len(data) != int(length):
            self.errors.append('-161,"Invalid block data"')
        else:
            self.curve = data

    def next_error(self):
        return self.errors.pop(0) if self.errors else NO_ERROR

    # its messages, USBTMC section 3

    def clear(self):
        self.input, self.output = b"", b""
        self.asked = None       # size of an answer that the guest waits for
        self.receiving = False  # in the middle of a transfer
        self.split = None       # what asks for the end of an abort

    async def configured(self):
        self.clear()
        while True:
            try:
                await self.take_message(await self.ep_out(1).read_packet())
            except TransferAborted:
                self.receiving = False

    async def take_message(self, packet):
        kind, tag, inverse, _, size, attributes = HEADER.unpack(
            packet[:HEADER.size].ljust(HEADER.size, b"\0"))
        if tag ^ inverse != 0xff or kind not in (DEV_DEP_MSG_OUT,
                                                 REQUEST_DEV_DEP_MSG_IN):
            self.ep_out(1).halt()
            return
        if kind == REQUEST_DEV_DEP_MSG_IN:
            self.asked, self.in_tag, self.sent = size, tag, 0
        else:
            self.out_tag = tag
            if await self.receive(packet, size) and attributes & EOM:
                message, self.input = self.input, b""
                self.output = self.execute(message) or b""
        await self.answer()

    async def receive(self, packet, size):
        """
        The data of a transfer, which begins with this packet; False, and a
        halt, if it has too many or too few bytes (table 7).
        """
        out, data = self.ep_out(1), packet[HEADER.size:]
        left = HEADER.size + size + -size % 4
        self.receiving, self.received = True, 0
        while True:
            data = data[:size - self.received]
            self.input += data
            self.received += len(data)
            left -= len(packet)
            if left <= 0 or len(packet) < out.max_packet:
                break
            packet = data = await out.read_packet()
        self.receiving = False
        if left:
            out.halt()
        return not left

    async def answer(self):
        """Send what there is to say, or nothing yet, as a slow one would."""
        if self.asked is not None and self.output:
            part, rest = self.output[:self.asked], self.output[self.asked:]
            await self.send(HEADER.pack(
                DEV_DEP_MSG_IN, self.in_tag, self.in_tag ^ 0xff, 0, len(part),
                0 if rest else EOM) + part)
            self.output, self.asked = rest, None

    async def send(self, data):
        """A transfer, which ends with a short packet; counted on the way."""
        pipe, ended = self.ep_in(2), False
        while not ended:
            request = await pipe.next_request()
            want = request.submit.length
            part = data[self.sent:self.sent + want]
            if pipe.answer(request, data=part):
                self.sent += len(part)
                ended = len(part) < want or len(part) % pipe.max_packet

    # requests, section 4.2

    def control(self, setup):
        answer = {
            (TO_ENDPOINT, INITIATE_ABORT_OUT): self.abort_out,
            (TO_ENDPOINT, CHECK_ABORT_OUT): self.check_abort_out,
            (TO_ENDPOINT, INITIATE_ABORT_IN): self.abort_in,
            (TO_ENDPOINT, CHECK_ABORT_IN): self.check_abort_in,
            (TO_INTERFACE, INITIATE_CLEAR): self.initiate_clear,
            (TO_INTERFACE, CHECK_CLEAR): lambda tag: (SUCCESS, 0),
            (TO_INTERFACE, GET_CAPABILITIES): lambda tag: CAPABILITIES,
            (TO_INTERFACE, READ_STATUS_BYTE): lambda tag: (
                SUCCESS, tag, MESSAGE_AVAILABLE * bool(self.output)),
        }.get((setup.request_type, setup.request))
        if (setup.request_type, setup.request) == CLEAR_FEATURE:
            self.give_up(setup.index)
        return (bytes(answer(setup.value & 0xff)) if answer
                else super().control(setup))

    def give_up(self, endpoint):
        """In the middle of a transfer the guest clears a halt."""
        if endpoint == 0x01 and self.receiving:
            self.input = b""
            self.ep_out(1).flush()

    def abort_out(self, tag):
        """What came is the instrument's, and no more comes (4.2.1.2)."""
        if self.is_ending():
            return SPLIT_IN_PROGRESS, self.out_tag
        if not self.receiving or tag != self.out_tag:
            return (NOT_IN_PROGRESS if self.receiving else FAILED,
                    self.out_tag)
        self.ep_out(1).halt()
        self.ep_out(1).flush()
        self.split = CHECK_ABORT_OUT
        return SUCCESS, tag

    def check_abort_out(self, _):
        if self.split != CHECK_ABORT_OUT:
            return SPLIT_NOT_IN_PROGRESS, *bytes(7)
        self.split = None
        return SUCCESS, 0, 0, 0, *self.received.to_bytes(4, "little")

    def abort_in(self, tag):
        """End the answer that the guest waits for with an empty packet."""
        if self.is_ending():
            return SPLIT_IN_PROGRESS, self.in_tag
        if self.asked is None or tag != self.in_tag:
            return (FAILED if self.asked is None else NOT_IN_PROGRESS,
                    self.in_tag)
        self.output, self.asked = b"", None
        self.ep_in(2).flush()
        self.ending = self.start(self.ep_in(2).send(b""))
        self.split = CHECK_ABORT_IN
        return SUCCESS, tag

    def is_ending(self):
        """Whether the guest has not read that empty packet yet."""
        return self.split == CHECK_ABORT_IN and not self.ending.done()

    def check_abort_in(self, _):
        if self.split != CHECK_ABORT_IN:
            return SPLIT_NOT_IN_PROGRESS, *bytes(7)
        if self.is_ending():
            return PENDING, 1, *bytes(6)    # the guest has to read
        self.split = None
        count = max(0, self.sent - HEADER.size)
        return SUCCESS, 0, 0, 0, *count.to_bytes(4, "little")

    def initiate_clear(self, _):
        """Forget all; Bulk-OUT is halted until the guest goes on (4.2.1.6)."""
        self.clear()
        self.ep_in(2).flush()
        self.ep_out(1).flush()
        self.ep_out(1).halt()
        return (SUCCESS,)


if __name__ == "__main__":
    main(Instrument)
