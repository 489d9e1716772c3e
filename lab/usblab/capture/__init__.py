# SPDX-License-Identifier: GPL-2.0-or-later
"""
What was recorded on a bus, as transfers.

pcap reads the files, usb_linux, usbpcap and wire the link types in them,
usbmon the text of the same; all give Transfer.
"""

from __future__ import annotations

from ..errors import Problem
from . import pcap, usb_linux, usbmon, usbpcap, wire
from .transfer import Transfer

READERS = {189: usb_linux.transfers, 220: usb_linux.transfers,
           249: usbpcap.transfers, 288: wire.transfers}
# the speed-specific kinds of captures from a wire
READERS.update({link: wire.transfers for link in (293, 294, 295)})


def transfers(data: bytes) -> "list[Transfer]":
    """
    The transfers in a capture file (pcap, pcapng) or usbmon text.

    Raises Problem for other files, other link types, and truncated ones.
    """
    if not pcap.is_capture(data):
        return usbmon.transfers(data.decode("utf-8", "replace"))
    packets = list(pcap.packets(data))
    found: "list[Transfer]" = []
    for link in sorted({packet.link for packet in packets}):
        if link not in READERS:
            raise Problem(f"link type {link} is none of USB's ("
                          + ", ".join(map(str, READERS)) + ")")
        found += READERS[link]([packet for packet in packets
                                if packet.link == link])
    return found


__all__ = ["Transfer", "transfers"]
