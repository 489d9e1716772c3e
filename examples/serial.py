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
import sys
import tty

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import Device, Speed, main                       # noqa: E402
from usbremote.functions.acm import DCD, DSR, Acm               # noqa: E402


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

    def __init__(self, options):
        super().__init__(options)
        self.line = Acm(on_change=self.show, on_break=lambda _:
                        logging.info("break"))
        self.functions = [self.line]

    def show(self):
        logging.info("%s, DTR %d, RTS %d", self.line.line_coding,
                     self.line.dtr, self.line.rts)

    @classmethod
    def add_options(cls, parser):
        other_end = parser.add_mutually_exclusive_group(required=True)
        other_end.add_argument("--pty", type=opened(Pty), metavar="LINK",
                               help="a new pseudo terminal; LINK is made a "
                               "symbolic link to it")
        other_end.add_argument("--tcp", type=opened(Tcp), metavar="HOST:PORT",
                               help="wait there for TCP connections")

    async def configured(self):
        while True:
            other_end = self.options.pty or self.options.tcp
            reader, writer = await other_end.connect()
            to_line = self.start(self.from_guest(writer))
            try:
                await self.line.serial_state(DCD | DSR)
                await self.to_guest(reader)
            finally:
                to_line.cancel()
                writer.close()
            await self.line.serial_state(0)

    async def to_guest(self, reader):
        """Until the other end has gone."""
        try:
            while data := await reader.read(4096):
                await self.line.write(data)
        except OSError as err:
            logging.info("the other end has gone: %s", err.strerror)

    async def from_guest(self, writer):
        """The guest waits as long as the other end does not take it."""
        try:
            while True:
                writer.write(await self.line.read())
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
