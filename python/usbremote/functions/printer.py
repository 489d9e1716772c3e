# SPDX-License-Identifier: MIT
"""
Printers: Universal Serial Bus Device Class Definition for Printing Devices
1.1.
"""

from __future__ import annotations

import logging
import struct
from typing import Callable, Optional, Sequence

from ..descriptors import Endpoint, Interface
from ..function import Function
from ..place import Place
from ..requests import control
from ..setup import Setup
from ..types import Direction, Kind, Recipient, TransferType

PRINTER, SUBCLASS, BIDIRECTIONAL = 7, 1, 2      # section 5.3
GET_DEVICE_ID, GET_PORT_STATUS, SOFT_RESET = 0, 1, 2    # section 4.2
NO_ERROR, SELECTED, PAPER_EMPTY = 0x08, 0x10, 0x20      # section 4.2.2
PAPER_POLL = 0.1                # seconds

IN, OUT = 2, 1                  # numbers of its endpoints
CLASS, INTERFACE = Kind.CLASS, Recipient.INTERFACE
log = logging.getLogger(__name__)


class Printer(Function):
    """
    A printer that takes nothing while paper is False, as a real one would.

    write: called with each packet, in order, when there is paper.  on_data:
    called with it when it comes.  Either may raise OSError: then the guest is
    told of an error, and its endpoint halts.  on_reset: called when the guest
    has reset the printer.  manufacturer, model and commands (its languages,
    with commas): of the device id; they have no semicolons.
    """

    def __init__(self, write: Callable[[bytes], object],
                 manufacturer: str = "usb-remote", model: str = "Printer",
                 commands: str = "PCL,POSTSCRIPT",
                 on_data: Optional[Callable[[bytes], object]] = None,
                 on_reset: Optional[Callable[[], object]] = None,
                 name: Optional[str] = None) -> None:
        self.write, self.on_data, self.on_reset = write, on_data, on_reset
        self.manufacturer, self.model = manufacturer, model
        self.commands, self.name = commands, name
        self.paper, self.broken = True, False

    def interfaces(self, place: Place) -> Sequence[Interface]:
        return [Interface(PRINTER, SUBCLASS, BIDIRECTIONAL, [
            Endpoint(Direction.OUT | OUT, TransferType.BULK),
            Endpoint(Direction.IN | IN, TransferType.BULK)], name=self.name)]

    def claims(self, setup: Setup, place: Place) -> bool:
        """
        Section 4.2.1: GET_DEVICE_ID has the interface in the high byte of
        wIndex, and its setting in the low one.
        """
        return ((setup.kind, setup.recipient, setup.request)
                == (CLASS, INTERFACE, GET_DEVICE_ID) and setup.is_in
                and place.has_interface(setup.index >> 8))

    async def run(self) -> None:
        async for packet in self.ep_out(OUT):
            try:
                await self.take(packet)
                self.broken = False
            except OSError as err:
                log.error("%s; the guest is told of an error", err)
                self.broken = True
                self.ep_out(OUT).halt()

    async def take(self, data: bytes) -> None:
        """Print a packet, perhaps an empty one; raises OSError."""
        if self.on_data is not None:
            self.on_data(data)
        while not self.paper:
            await self.sleep(PAPER_POLL)
        self.write(data)

    @control(CLASS, INTERFACE, GET_DEVICE_ID, Direction.IN)
    def device_id(self) -> bytes:
        """IEEE 1284: pairs of key and value, after the length of it all."""
        text = (f"MFG:{self.manufacturer};MDL:{self.model};"
                f"CMD:{self.commands};CLS:PRINTER;").encode()
        return struct.pack(">H", len(text) + 2) + text

    @control(CLASS, INTERFACE, GET_PORT_STATUS, Direction.IN)
    def port_status(self) -> bytes:
        """Section 4.2.2, one byte."""
        return bytes((SELECTED | NO_ERROR * (not self.broken)
                      | PAPER_EMPTY * (not self.paper),))

    @control(CLASS, INTERFACE, SOFT_RESET, Direction.OUT)
    def soft_reset(self) -> None:
        """Of what the guest has sent, all is on paper."""
        if self.on_reset is not None:
            self.on_reset()

    @control(CLASS, Recipient.OTHER, SOFT_RESET, Direction.OUT)
    def soft_reset_1_0(self) -> None:
        """As version 1.0 of the class asked for it."""
        self.soft_reset()
