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

from usbremote import cli                                       # noqa: E402
from usbremote.descriptors import (Configuration, Endpoint,     # noqa: E402
                                   Interface)
from usbremote.device import Device, Speed, TransferType        # noqa: E402
from usbremote.errors import TransferAborted, TransferEnded     # noqa: E402

# USB Test and Measurement Class Specification 1.0, and its USB488 subclass
TEST_AND_MEASUREMENT, USB488 = (0xfe, 3), 1     # class and subclass, protocol
DEV_DEP_MSG_OUT, REQUEST_DEV_DEP_MSG_IN, DEV_DEP_MSG_IN = 1, 2, 2   # table 2
HEADER = struct.Struct("<BBBBIBxxx")    # MsgID, bTag, ~bTag, 0, TransferSize,
EOM = 1                                 # bmTransferAttributes; tables 3, 4, 9
SUCCESS, FAILED, NOT_IN_PROGRESS = 0x01, 0x80, 0x81             # table 16
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
        what.add_argument("--waveform", type=cli.file_bytes, metavar="FILE",
                          help="these bytes instead")

    def __init__(self, options):
        super().__init__(options)
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
        self.asked = None       # bTag and size of a request to be answered

    async def configured(self):
        self.clear()
        while True:
            try:
                await self.take_message()
            except (TransferAborted, TransferEnded):
                self.input = b""

    async def take_message(self):
        out = self.ep_out(1)
        kind, tag, inverse, _, size, attributes = HEADER.unpack(
            await out.read_exactly(HEADER.size))
        if tag ^ inverse != 0xff or kind not in (DEV_DEP_MSG_OUT,
                                                 REQUEST_DEV_DEP_MSG_IN):
            out.halt()
            return
        if kind == REQUEST_DEV_DEP_MSG_IN:
            self.asked = tag, size
        else:
            self.input += (await out.read_exactly(size + -size % 4))[:size]
            if attributes & EOM:
                message, self.input = self.input, b""
                self.output = self.execute(message) or b""
        await self.answer()

    async def answer(self):
        """Send what there is to say, or nothing yet, as a slow one would."""
        if self.asked and self.output:
            tag, size = self.asked
            part, rest = self.output[:size], self.output[size:]
            await self.ep_in(2).send(HEADER.pack(
                DEV_DEP_MSG_IN, tag, tag ^ 0xff, 0, len(part),
                0 if rest else EOM) + part, zlp=True)
            self.output, self.asked = rest, None

    # requests, section 4.2

    def control(self, setup):
        answer = {
            (TO_ENDPOINT, INITIATE_ABORT_OUT): self.abort_out,
            (TO_ENDPOINT, CHECK_ABORT_OUT): lambda tag: (SUCCESS, *[0] * 7),
            (TO_ENDPOINT, INITIATE_ABORT_IN): self.abort_in,
            (TO_ENDPOINT, CHECK_ABORT_IN): lambda tag: (SUCCESS, *[0] * 7),
            (TO_INTERFACE, INITIATE_CLEAR): self.initiate_clear,
            (TO_INTERFACE, CHECK_CLEAR): lambda tag: (SUCCESS, 0),
            (TO_INTERFACE, GET_CAPABILITIES): lambda tag: CAPABILITIES,
            (TO_INTERFACE, READ_STATUS_BYTE): lambda tag: (
                SUCCESS, tag, MESSAGE_AVAILABLE * bool(self.output)),
        }.get((setup.request_type, setup.request))
        return (bytes(answer(setup.value & 0xff)) if answer
                else super().control(setup))

    def abort_out(self, tag):
        """A message is taken as soon as it comes: there is none to stop."""
        return FAILED, tag

    def abort_in(self, tag):
        """End the answer that the guest waits for with an empty packet."""
        if not self.asked or self.asked[0] != tag:
            return (NOT_IN_PROGRESS if self.asked else FAILED), tag
        self.clear()
        self.ep_in(2).flush()
        self.start(self.ep_in(2).send(b""))
        return SUCCESS, tag

    def initiate_clear(self, _):
        """Forget all; Bulk-OUT is halted until the guest goes on (4.2.1.6)."""
        self.clear()
        self.ep_in(2).flush()
        self.ep_out(1).flush()
        self.ep_out(1).halt()
        return (SUCCESS,)


if __name__ == "__main__":
    cli.main(Instrument)
