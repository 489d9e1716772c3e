# SPDX-License-Identifier: MIT
"""
A small IPv4 host at the end of a guest's cable: frames in, frames out.

It answers ARP (RFC 826), echo requests (RFC 792), DHCP (RFC 2131) with one
address for the guest, and serves documents over TCP (RFC 9293): a request,
a response, the end.  It opens no connection itself, forwards nothing, and
has neither IP fragments nor TCP options but the segment size.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from typing import Callable, Dict, Optional, Tuple

BROADCAST = b"\xff" * 6
IPV4, ARP = 0x0800, 0x0806              # EtherTypes
ICMP, TCP, UDP = 1, 6, 17               # protocols of IPv4
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10

MTU = 1500                              # bytes of an IPv4 packet
SEGMENT = MTU - 40                      # bytes of data in a TCP segment
WINDOW = 0xffff                         # what a guest may send unacknowledged
RESEND_AFTER = 0.5                      # seconds without an acknowledgement
DHCP_SERVER, DHCP_CLIENT = 67, 68
LEASE = 86400                           # seconds

# Gets what has come so far; returns the whole response, or None to wait.
Respond = Callable[[bytes], Optional[bytes]]


def checksum(data: bytes) -> int:
    """RFC 1071; 0 over data that has its right checksum in it."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


@dataclass
class Connection:
    """
    One TCP connection, opened by the guest.

    Places are counted from 0, the first byte after the SYN, each way; modulo
    2 ** 32 they are the wire's sequence numbers minus a constant.
    """

    transmit: Callable[[int, int, int, bytes], None]
    now: Callable[[], float]
    respond: Respond
    start: int                  # the guest's first sequence number, plus 1
    request: bytes = b""
    response: Optional[bytes] = None
    received: int = 0           # places
    acknowledged: int = 0
    sent: int = 0
    window: int = 0
    open: bool = False          # our SYN was acknowledged
    ended: bool = False         # the guest's FIN has come
    heard: float = field(default=0.0)

    def segment(self, flags: int, sequence: int, acknowledged: int,
                window: int, data: bytes) -> bool:
        """Take one; False when the connection is over."""
        if flags & RST:
            return False
        if flags & SYN:
            self._say(SYN | ACK, -1)
            return True
        self._take_acknowledgement(acknowledged, window)
        if flags & FIN or data:
            self._take_data(sequence, data, bool(flags & FIN))
        self._push()
        return not (self.ended and self.response is not None
                    and self.acknowledged > len(self.response))

    def tick(self) -> None:
        """Send again what nobody has acknowledged."""
        waiting = not self.open or self.acknowledged < self.sent
        if waiting and self.now() - self.heard >= RESEND_AFTER:
            self.heard = self.now()
            self.sent = self.acknowledged
            if self.open:
                self._push()
            else:
                self._say(SYN | ACK, -1)

    def _take_acknowledgement(self, number: int, window: int) -> None:
        self.window = window
        place = (number - 1) & 0xffffffff       # our SYN has the number 0
        self.open = True
        if self.acknowledged < place <= self._end() + 1:
            self.acknowledged, self.heard = place, self.now()
            self.sent = max(self.sent, place)

    def _take_data(self, sequence: int, data: bytes, last: bool) -> None:
        place = (sequence - self.start) & 0xffffffff
        if place == self.received and not self.ended:
            self.received += len(data) + last
            self.ended = last
            if self.response is None:
                self.request += data
                self.response = self.respond(self.request)
            if self.ended and self.response is None:
                self.response = b""
        self._say(ACK, self.sent)

    def _push(self) -> None:
        """Send what the guest has room for, then the end."""
        if self.response is None:
            return
        while self.sent < self._end():
            size = min(SEGMENT, self._end() - self.sent,
                       self.acknowledged + self.window - self.sent)
            if size <= 0:
                return
            self._say(ACK | PSH, self.sent,
                      self.response[self.sent:self.sent + size])
            self.sent += size
        if self.sent == self._end():
            self._say(FIN | ACK, self.sent)
            self.sent += 1

    def _end(self) -> int:
        return len(self.response or b"")

    def _say(self, flags: int, place: int, data: bytes = b"") -> None:
        if self.acknowledged == self.sent:
            self.heard = self.now()
        self.transmit(flags, (place + 1) & 0xffffffff,
                      (self.start + self.received) & 0xffffffff, data)


class Host:
    """
    A host with one Ethernet port.

    mac: its 6 bytes; interface: its address and network, the guest gets the
    next address; services: TCP port to what answers there; transmit: called
    with each frame to send; now: seconds of a clock.
    """

    def __init__(self, mac: bytes, interface: IPv4Interface,
                 services: Dict[int, Respond],
                 transmit: Callable[[bytes], None],
                 now: Callable[[], float]) -> None:
        self.mac, self.services = mac, services
        self.address = interface.ip.packed
        self.guest_address = (interface.ip + 1).packed
        self.netmask = interface.netmask.packed
        self._transmit, self._now = transmit, now
        self._connections: Dict[Tuple[bytes, int, int], Connection] = {}

    def receive(self, frame: bytes) -> None:
        """A frame has come; what makes no sense is dropped."""
        if len(frame) < 14 or frame[:6] not in (self.mac, BROADCAST):
            return
        source, kind = frame[6:12], int.from_bytes(frame[12:14], "big")
        if kind == ARP and len(frame) >= 42:
            self._arp(source, frame[14:42])
        elif kind == IPV4 and len(frame) >= 34:
            self._ipv4(source, frame[14:])

    def tick(self) -> None:
        """To be called now and then: see RESEND_AFTER."""
        for connection in list(self._connections.values()):
            connection.tick()

    def _frame(self, to: bytes, kind: int, data: bytes) -> None:
        self._transmit(to + self.mac + struct.pack(">H", kind) + data)

    def _arp(self, source: bytes, packet: bytes) -> None:
        head, asked = packet[:8], packet[24:28]
        if head == bytes.fromhex("0001080006040001") and asked == self.address:
            self._frame(source, ARP, head[:7] + b"\2" + self.mac
                        + self.address + packet[8:18])

    def _ipv4(self, source: bytes, packet: bytes) -> None:
        size = 4 * (packet[0] & 0x0f)
        length, fragment = struct.unpack_from(">H2xH", packet, 2)
        if (packet[0] >> 4 != 4 or not 20 <= size <= length <= len(packet)
                or checksum(packet[:size]) or fragment & 0x3fff):
            return
        protocol, sender, to = packet[9], packet[12:16], packet[16:20]
        data = packet[size:length]
        if protocol == UDP and len(data) >= 8:
            if struct.unpack_from(">HH", data) == (DHCP_CLIENT, DHCP_SERVER):
                self._dhcp(source, data[8:])
        elif to == self.address and protocol == ICMP and data[:2] == b"\x08\0":
            self._icmp_echo(source, sender, data)
        elif to == self.address and protocol == TCP and len(data) >= 20:
            self._tcp(source, sender, data)

    def _send_ipv4(self, mac: bytes, to: bytes, protocol: int,
                   data: bytes) -> None:
        head = struct.pack(">BxHxxxxBB2x4s4s", 0x45, 20 + len(data), 64,
                           protocol, self.address, to)
        head = head[:10] + struct.pack(">H", checksum(head)) + head[12:]
        self._frame(mac, IPV4, head + data)

    def _pseudo_header(self, other: bytes, protocol: int, size: int) -> bytes:
        """What UDP's and TCP's checksums cover besides."""
        return struct.pack(">4s4sxBH", self.address, other, protocol, size)

    def _icmp_echo(self, mac: bytes, to: bytes, data: bytes) -> None:
        reply = b"\0\0\0\0" + data[4:]
        self._send_ipv4(mac, to, ICMP, reply[:2] + struct.pack(
            ">H", checksum(reply)) + reply[4:])

    def _dhcp(self, mac: bytes, packet: bytes) -> None:
        """DISCOVER gets an OFFER, REQUEST an ACK; both are broadcast."""
        if len(packet) < 240 or packet[236:240] != b"\x63\x82\x53\x63":
            return
        asked = dhcp_options(packet[240:]).get(53)
        answer = {b"\1": b"\2", b"\3": b"\5"}.get(asked or b"")
        if answer is None:
            return
        options = {53: answer, 54: self.address, 1: self.netmask,
                   3: self.address, 51: struct.pack(">I", LEASE)}
        reply = (struct.pack(">BBBx4s8x4s4s4x16s192x", 2, 1, 6, packet[4:8],
                             self.guest_address, self.address, packet[28:44])
                 + packet[236:240]
                 + b"".join(bytes((code, len(value))) + value
                            for code, value in options.items()) + b"\xff")
        # without a checksum, which UDP over IPv4 allows
        self._send_ipv4(BROADCAST, b"\xff" * 4, UDP, struct.pack(
            ">HHHxx", DHCP_SERVER, DHCP_CLIENT, 8 + len(reply)) + reply)

    def _tcp(self, mac: bytes, sender: bytes, segment: bytes) -> None:
        if checksum(self._pseudo_header(sender, TCP, len(segment)) + segment):
            return
        there, here, sequence, acknowledged, offset, flags, window = (
            struct.unpack_from(">HHIIBBH", segment))
        key = (sender, there, here)
        if flags & SYN and here in self.services:
            def transmit(flags: int, sequence: int, acknowledged: int,
                         data: bytes) -> None:
                self._send_tcp(mac, key, flags, sequence, acknowledged, data)
            self._connections.setdefault(key, Connection(
                transmit, self._now, self.services[here],
                (sequence + 1) & 0xffffffff))
        if key in self._connections:
            if not self._connections[key].segment(
                    flags, sequence, acknowledged, window,
                    segment[4 * (offset >> 4):]):
                del self._connections[key]
        elif not flags & RST:
            self._send_tcp(mac, key, RST | ACK, acknowledged, (
                sequence + bool(flags & SYN)) & 0xffffffff, b"")

    def _send_tcp(self, mac: bytes, key: Tuple[bytes, int, int], flags: int,
                  sequence: int, acknowledged: int, data: bytes) -> None:
        to, there, here = key
        options = struct.pack(">BBH", 2, 4, SEGMENT) if flags & SYN else b""
        head = struct.pack(">HHIIBBHxxxx", here, there, sequence, acknowledged,
                           (20 + len(options)) << 2, flags, WINDOW) + options
        segment = head + data
        total = checksum(self._pseudo_header(to, TCP, len(segment)) + segment)
        self._send_ipv4(mac, to, TCP, segment[:16] + struct.pack(">H", total)
                        + segment[18:])


def dhcp_options(data: bytes) -> Dict[int, bytes]:
    """RFC 2132: code to value, up to the end or the first that is cut."""
    options, at = {}, 0
    while at + 1 < len(data) and data[at] != 0xff:
        if data[at] == 0:
            at += 1
            continue
        options[data[at]] = data[at + 2:at + 2 + data[at + 1]]
        at += 2 + data[at + 1]
    return options
