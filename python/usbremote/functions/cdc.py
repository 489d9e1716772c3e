# SPDX-License-Identifier: MIT
"""
Communications devices: USB CDC 1.2, with its subclasses PSTN (modems,
serial lines) and ECM (Ethernet) 1.2.
"""

from __future__ import annotations

import struct

from ..descriptors import descriptor

COMMUNICATIONS, DATA = 0x02, 0x0a       # classes, CDC sections 4.2 and 4.5
ABSTRACT_CONTROL, ETHERNET = 0x02, 0x06     # subclasses, section 4.3

SET_LINE_CODING, GET_LINE_CODING = 0x20, 0x21       # PSTN table 13
SET_CONTROL_LINE_STATE, SEND_BREAK = 0x22, 0x23
SET_PACKET_FILTER = 0x43                            # ECM table 6

# Notifications: CDC table 20, PSTN section 6.5.4
NETWORK_CONNECTION, SERIAL_STATE, CONNECTION_SPEED_CHANGE = 0x00, 0x20, 0x2a

HEADER, CALL_MANAGEMENT, ACM, UNION, ETHERNET_NETWORKING = (
    0x00, 0x01, 0x02, 0x06, 0x0f)                   # CDC table 13


def functional(subtype: int, body: bytes) -> bytes:
    """A functional descriptor, CDC section 5.2.3."""
    return descriptor(0x24, bytes((subtype,)) + body)


def header() -> bytes:
    """The first of them, section 5.2.3.1: CDC 1.2."""
    return functional(HEADER, struct.pack("<H", 0x0120))


def union(control: int, *subordinates: int) -> bytes:
    """Interface numbers that belong together, section 5.2.3.2."""
    return functional(UNION, bytes((control, *subordinates)))


def notification(code: int, interface: int, value: int = 0,
                 data: bytes = b"") -> bytes:
    """What the interrupt endpoint sends, section 6.3; value: wValue."""
    return struct.pack("<BBHHH", 0xa1, code, value, interface,
                       len(data)) + data
