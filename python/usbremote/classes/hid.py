# SPDX-License-Identifier: MIT
"""Human interface devices, HID 1.11 (Device Class Definition for HID)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Callable, Optional, Sequence

from ..descriptors import Endpoint, Interface, descriptor
from ..setup import Kind, Setup, Standard

if TYPE_CHECKING:
    from ..device import Answer, Device

HID = 0x21                      # descriptor types, section 7.1
REPORT = 0x22
BOOT = 1                        # subclass, section 4.2
KEYBOARD, MOUSE = 1, 2          # protocols of BOOT, section 4.3

GET_REPORT, GET_IDLE, GET_PROTOCOL = 1, 2, 3    # section 7.2
SET_REPORT, SET_IDLE, SET_PROTOCOL = 9, 10, 11

# Section B.2: three buttons, X and Y relative, -127 to 127, 3 bytes.
BOOT_MOUSE = bytes.fromhex(
    "05010902a1010901a100050919012903150025019503750181029501750581"
    "030501093009311581257f750895028106c0c0")


class HidInterface(Interface):
    """
    A HID interface that answers what section 7 asks for.

    report: the report descriptor.  on_get_report and on_set_report are
    asked with (type 1-3, report id) and for SET_REPORT the bytes; without
    them the first gives `size` zeros and the second stalls.  The idle rate
    is remembered, but reports are not repeated.
    """

    def __init__(self, report: bytes, endpoints: Sequence[Endpoint],
                 subclass: int = 0, protocol: int = 0, size: int = 0,
                 number: int = 0, name: Optional[str] = None,
                 on_get_report: Optional[Callable[[int, int], bytes]] = None,
                 on_set_report: Optional[
                     Callable[[int, int, bytes], None]] = None) -> None:
        self.report = report
        self.size = size
        self.on_get_report = on_get_report
        self.on_set_report = on_set_report
        self.hid_descriptor = descriptor(HID, struct.pack(
            "<HBBBH", 0x0111, 0, 1, REPORT, len(report)))
        super().__init__(3, subclass, protocol, endpoints, number,
                         name=name, extra=self.hid_descriptor)
        self.reset()

    def reset(self) -> None:
        """Section 7.2.6: report protocol; 7.2.4: idle rate of no repeats."""
        self.idle, self.boot_protocol = 0, 1

    def control(self, device: "Device", setup: Setup) -> "Answer":
        if setup.kind is Kind.STANDARD:
            return self._descriptor(device, setup)
        if setup.kind is not Kind.CLASS:
            return device.unhandled(setup)
        kind, index = setup.value >> 8, setup.value & 0xff
        if setup.request == GET_REPORT and setup.is_in:
            return (self.on_get_report(kind, index) if self.on_get_report
                    else bytes(self.size))
        if setup.request == SET_REPORT and self.on_set_report:
            self.on_set_report(kind, index, setup.data)
        elif setup.request == SET_IDLE:
            self.idle = kind
        elif setup.request == SET_PROTOCOL and self.subclass == BOOT:
            self.boot_protocol = index
        elif setup.request == GET_IDLE:
            return bytes((self.idle,))
        elif setup.request == GET_PROTOCOL and self.subclass == BOOT:
            return bytes((self.boot_protocol,))
        else:
            device.unhandled(setup)
        return None

    def _descriptor(self, device: "Device", setup: Setup) -> "Answer":
        """GET_DESCRIPTOR to the interface, section 7.1.1."""
        if setup.request == Standard.GET_DESCRIPTOR:
            if setup.value >> 8 == HID:
                return self.hid_descriptor
            if setup.value >> 8 == REPORT:
                return self.report
        return device.unhandled(setup)
