#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A USB serial port, /dev/ttyACM0 in a Linux guest, whose other end is here.

    examples/serial.py --connect unix:./usb.sock --pty ./ttyGuest

and `screen ./ttyGuest` talks to the guest.  With --tcp whoever connects is
the other end, one at a time; what the guest sends before that waits.
"""

import argparse
import asyncio
import logging
import os
import socket
import struct
import sys
import tty

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import (Configuration, Device, Endpoint,         # noqa: E402
                       Interface, Speed, TransferType, main)
from usbremote.functions import cdc                             # noqa: E402

CONTROL, DATA = 0, 1            # interface numbers
NOTIFY, IN, OUT = 1, 2, 3       # endpoint numbers

LINE_CODING = struct.Struct("<IBBB")    # PSTN table 17: bits a second, ...
STOP_BITS, PARITY = ("1", "1.5", "2"), "NOEMS"
DCD_AND_DSR = 0x03                      # PSTN table 31


class Pty:
    """A pseudo terminal, with a symbolic link to it."""

    def __init__(self, link):
        # The terminal's own side stays open: without anybody there, the
        # other side would be at its end.
        self._here, self._there = os.openpty()
        tty.setraw(self._there)
        if os.path.islink(link):
            os.unlink(link)
        os.symlink(os.ttyname(self._there), link)

    async def connect(self):
        """(asyncio.StreamReader, asyncio.StreamWriter) of the other end."""
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._file("rb"))
        transport, protocol = await loop.connect_write_pipe(
            asyncio.streams.FlowControlMixin, self._file("wb"))
        return reader, asyncio.StreamWriter(transport, protocol, None, loop)

    def _file(self, mode):
        return os.fdopen(os.dup(self._here), mode, buffering=0)


class Tcp:
    """Whoever connects to HOST:PORT."""

    def __init__(self, text):
        host, _, port = text.rpartition(":")
        self._listener = socket.create_server((host, int(port)))
        self._listener.setblocking(False)

    async def connect(self):
        loop = asyncio.get_running_loop()
        client, address = await loop.sock_accept(self._listener)
        logging.info("%s has connected", address[0])
        return await asyncio.open_connection(sock=client)


class Serial(Device):
    vendor_id, product_id = 0x1209, 0x0006
    manufacturer, product = "usb-remote", "Python Serial Port"
    speeds = (Speed.FULL, Speed.HIGH, Speed.SUPER)
    device_class = (cdc.COMMUNICATIONS, 0, 0)

    def __init__(self, options):
        super().__init__(options)
        self.line_coding = LINE_CODING.pack(9600, 0, 0, 8)

    @classmethod
    def add_options(cls, parser):
        other_end = parser.add_mutually_exclusive_group(required=True)
        other_end.add_argument("--pty", type=opened(Pty), metavar="LINK",
                               help="a new pseudo terminal; LINK is made a "
                               "symbolic link to it")
        other_end.add_argument("--tcp", type=opened(Tcp), metavar="HOST:PORT",
                               help="wait there for TCP connections")

    def configurations(self, speed):
        functions = (
            cdc.header()
            + cdc.functional(cdc.CALL_MANAGEMENT, bytes((0, DATA)))
            + cdc.functional(cdc.ACM, b"\x06")  # line coding and break
            + cdc.union(CONTROL, DATA))
        return [Configuration([
            Interface(cdc.COMMUNICATIONS, cdc.ABSTRACT_CONTROL, 0, [
                Endpoint(0x80 | NOTIFY, TransferType.INTERRUPT, 16, 8)],
                CONTROL, extra=functions),
            Interface(cdc.DATA, endpoints=[
                Endpoint(0x80 | IN, TransferType.BULK),
                Endpoint(OUT, TransferType.BULK)], number=DATA)])]

    def control(self, setup):
        what = (setup.request_type, setup.request)
        if what == (0xa1, cdc.GET_LINE_CODING):
            return self.line_coding
        if what == (0x21, cdc.SET_LINE_CODING) and setup.length == 7:
            self.line_coding = setup.data
            rate, stop, parity, bits = LINE_CODING.unpack(setup.data)
            logging.info("%d %d%s%s", rate, bits, PARITY[parity % 5],
                         STOP_BITS[stop % 3])
        elif what == (0x21, cdc.SET_CONTROL_LINE_STATE):
            logging.info("DTR %d, RTS %d", setup.value & 1, setup.value >> 1)
        elif what == (0x21, cdc.SEND_BREAK):
            logging.info("break")
        else:
            return super().control(setup)
        return None

    async def configured(self):
        while True:
            other_end = self.options.pty or self.options.tcp
            reader, writer = await other_end.connect()
            to_line = self.start(self.from_guest(writer))
            try:
                await self.carrier(DCD_AND_DSR)
                await self.to_guest(reader)
            finally:
                to_line.cancel()
                writer.close()
            await self.carrier(0)

    async def carrier(self, state):
        await self.ep_in(NOTIFY).send(cdc.notification(
            cdc.SERIAL_STATE, CONTROL, data=struct.pack("<H", state)))

    async def to_guest(self, reader):
        """Until the other end has gone."""
        try:
            while data := await reader.read(4096):
                await self.ep_in(IN).send(data, zlp=True)
        except OSError as err:
            logging.info("the other end has gone: %s", err.strerror)

    async def from_guest(self, writer):
        """The guest waits as long as the other end does not take it."""
        try:
            async for packet in self.ep_out(OUT):
                writer.write(packet)
                await writer.drain()
        except OSError as err:
            logging.info("the other end has gone: %s", err.strerror)


def opened(kind):
    """For argparse: a Pty or Tcp, once for all connections to QEMU."""
    def convert(text):
        try:
            return kind(text)
        except (OSError, ValueError, OverflowError) as err:
            why = getattr(err, "strerror", None) or "not HOST:PORT"
            raise argparse.ArgumentTypeError(f"'{text}': {why}") from None
    return convert


if __name__ == "__main__":
    main(Serial)
