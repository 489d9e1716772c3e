# SPDX-License-Identifier: MIT
"""A serial line: USB CDC PSTN 1.2, Abstract Control Model."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Callable, Optional, Sequence

from ..descriptors import Endpoint, Interface
from ..errors import Stall
from ..function import Function
from ..place import Place
from ..requests import control
from ..types import Direction, Kind, Recipient, TransferType
from . import cdc

CLASS, INTERFACE = Kind.CLASS, Recipient.INTERFACE
LINE_CODING = struct.Struct("<IBBB")            # PSTN table 17
STOP_BITS, PARITIES = ("1", "1.5", "2"), "NOEMS"
CAPABILITIES = 0x06             # line coding and break, PSTN table 4
DCD, DSR, BREAK, RING = 0x01, 0x02, 0x04, 0x08          # PSTN table 31
FRAMING, PARITY, OVERRUN = 0x10, 0x20, 0x40

NOTIFY, IN, OUT = 1, 2, 3       # numbers of its endpoints


@dataclass(frozen=True)
class LineCoding:
    """PSTN table 17: bits a second, and codes for the rest."""

    rate: int = 9600
    stop_bits: int = 0          # index of STOP_BITS
    parity: int = 0             # index of PARITIES
    data_bits: int = 8

    def __str__(self) -> str:
        """As in "9600 8N1"."""
        return (f"{self.rate} {self.data_bits}"
                f"{PARITIES[self.parity % len(PARITIES)]}"
                f"{STOP_BITS[self.stop_bits % len(STOP_BITS)]}")

    def encode(self) -> bytes:
        return LINE_CODING.pack(self.rate, self.stop_bits, self.parity,
                                self.data_bits)


class Acm(Function):
    """
    One end of a serial line; the guest's driver has the other.

    on_change is called when the guest has set line_coding, dtr or rts;
    on_break with the milliseconds of a break, 0xffff: until one of 0.
    """

    device_class = (cdc.COMMUNICATIONS, 0, 0)
    association = (cdc.COMMUNICATIONS, cdc.ABSTRACT_CONTROL, 1)

    def __init__(self, name: Optional[str] = None,
                 on_change: Optional[Callable[[], object]] = None,
                 on_break: Optional[Callable[[int], object]] = None) -> None:
        self.name = name
        self.on_change, self.on_break = on_change, on_break
        self.line_coding = LineCoding()
        self.dtr = self.rts = False

    def reset(self) -> None:
        self.dtr = self.rts = False

    def interfaces(self, place: Place) -> Sequence[Interface]:
        line, data = place.interface(0), place.interface(1)
        functional = (
            cdc.header()
            + cdc.functional(cdc.CALL_MANAGEMENT, bytes((0, data)))
            + cdc.functional(cdc.ACM, bytes((CAPABILITIES,)))
            + cdc.union(line, data))
        return [
            Interface(cdc.COMMUNICATIONS, cdc.ABSTRACT_CONTROL, 0, [
                Endpoint(Direction.IN | NOTIFY, TransferType.INTERRUPT, 16,
                         8)], name=self.name, extra=functional),
            Interface(cdc.DATA, endpoints=[
                Endpoint(Direction.IN | IN, TransferType.BULK),
                Endpoint(Direction.OUT | OUT, TransferType.BULK)])]

    async def write(self, data: bytes) -> None:
        """To the guest; see InEndpoint.send()."""
        await self.ep_in(IN).send(data, zlp=True)

    async def read(self) -> bytes:
        """What the guest sends next, a packet at most and perhaps empty."""
        return await self.ep_out(OUT).read_packet()

    async def serial_state(self, bits: int) -> None:
        """Tell the guest: DCD, DSR, BREAK, ..., PSTN section 6.5.4."""
        await self.ep_in(NOTIFY).send_packet(cdc.notification(
            cdc.SERIAL_STATE, self.place.interface(0),
            data=struct.pack("<H", bits)))

    @control(CLASS, INTERFACE, cdc.GET_LINE_CODING, Direction.IN)
    def get_line_coding(self) -> bytes:
        return self.line_coding.encode()

    @control(CLASS, INTERFACE, cdc.SET_LINE_CODING, Direction.OUT)
    def set_line_coding(self, data: bytes) -> None:
        if len(data) != LINE_CODING.size:
            raise Stall()
        self.line_coding = LineCoding(*LINE_CODING.unpack(data))
        self._changed()

    @control(CLASS, INTERFACE, cdc.SET_CONTROL_LINE_STATE, Direction.OUT)
    def set_control_line_state(self, value: int) -> None:
        self.dtr, self.rts = bool(value & 1), bool(value & 2)
        self._changed()

    @control(CLASS, INTERFACE, cdc.SEND_BREAK, Direction.OUT)
    def send_break(self, value: int) -> None:
        if self.on_break is not None:
            self.on_break(value)

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()
