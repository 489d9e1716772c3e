# SPDX-License-Identifier: GPL-2.0-or-later
"""python/usbremote/net.py, with frames written by hand."""

import struct
import unittest
from ipaddress import IPv4Interface

import support  # noqa: F401

from usbremote import net

HOST_MAC, GUEST_MAC = bytes.fromhex("020000000001"), bytes.fromhex(
    "020000000002")
HOST, GUEST = bytes((10, 0, 0, 1)), bytes((10, 0, 0, 2))
FIN, SYN, RST, ACK = net.FIN, net.SYN, net.RST, net.ACK
ANSWER = bytes(range(256)) * 20


def ipv4(protocol, data, to=HOST, source=GUEST):
    head = struct.pack(">BxHxxxxBB2x4s4s", 0x45, 20 + len(data), 64,
                       protocol, source, to)
    head = head[:10] + struct.pack(">H", net.checksum(head)) + head[12:]
    return HOST_MAC + GUEST_MAC + b"\x08\x00" + head + data


def tcp(flags, sequence, acknowledged=0, data=b"", window=0xffff):
    segment = struct.pack(">HHIIBBHxxxx", 4000, 80, sequence, acknowledged,
                          0x50, flags, window) + data
    total = net.checksum(struct.pack(">4s4sxBH", GUEST, HOST, net.TCP,
                                     len(segment)) + segment)
    return ipv4(net.TCP, segment[:16] + struct.pack(">H", total)
                + segment[18:])


class Case(unittest.TestCase):
    def setUp(self):
        self.time, self.frames = 0.0, []
        self.host = net.Host(HOST_MAC, IPv4Interface("10.0.0.1/24"),
                             {80: self.respond}, self.frames.append,
                             lambda: self.time)

    def respond(self, request):
        return ANSWER if request.endswith(b"\n") else None

    def receive(self, frame):
        """What is answered."""
        self.frames.clear()
        self.host.receive(frame)
        return self.segments()

    def segments(self):
        """(flags, sequence, acknowledged, data) of each TCP frame."""
        found = []
        for frame in self.frames:
            packet = frame[14:]
            if frame[12:14] == b"\x08\x00" and packet[9] == net.TCP:
                self.assertEqual(net.checksum(packet[:20]), 0)
                segment = packet[20:]
                self.assertEqual(net.checksum(
                    packet[12:20] + struct.pack(">xBH", net.TCP, len(segment))
                    + segment), 0)
                _, _, sequence, acknowledged, offset, flags = (
                    struct.unpack_from(">HHIIBB", segment))
                found.append((flags, sequence, acknowledged,
                              segment[4 * (offset >> 4):]))
        return found


class Small(Case):
    def test_arp_is_answered_for_the_own_address_only(self):
        ask = (b"\xff" * 6 + GUEST_MAC + bytes.fromhex("08060001080006040001")
               + GUEST_MAC + GUEST + bytes(6))
        self.receive(ask + HOST)
        self.assertEqual(self.frames, [
            GUEST_MAC + HOST_MAC + bytes.fromhex("08060001080006040002")
            + HOST_MAC + HOST + GUEST_MAC + GUEST])
        self.receive(ask + GUEST)
        self.assertEqual(self.frames, [])

    def test_an_echo_request_is_answered(self):
        self.receive(ipv4(net.ICMP, b"\x08\0\xf7\xff" + b"data"))
        reply = self.frames[0][34:]
        self.assertEqual((reply[0], reply[4:], net.checksum(reply)),
                         (0, b"data", 0))

    def test_dhcp_offers_and_acknowledges_the_next_address(self):
        for asked, answer in ((1, 2), (3, 5)):
            request = (struct.pack(">BBBx4s20x6s202x", 1, 1, 6, b"ABCD",
                                   GUEST_MAC) + b"\x63\x82\x53\x63"
                       + bytes((53, 1, asked, 255)))
            self.receive(ipv4(net.UDP, struct.pack(
                ">HHHH", 68, 67, 8 + len(request), 0) + request,
                b"\xff" * 4, bytes(4)))
            reply = self.frames[0][42:]
            self.assertEqual(reply[4:8] + reply[16:20], b"ABCD" + GUEST)
            options = net.dhcp_options(reply[240:])
            self.assertEqual(options[53], bytes((answer,)))
            self.assertEqual(options[1], bytes((255, 255, 255, 0)))

    def test_nonsense_is_dropped(self):
        good = tcp(SYN, 1)
        for size in range(len(good)):
            self.receive(good[:size])
            self.assertEqual(self.frames, [], size)
        for at in range(14, len(good)):
            self.receive(good[:at] + bytes((good[at] ^ 1,)) + good[at + 1:])
            self.assertEqual(self.frames, [], at)


class Tcp(Case):
    def open(self, window=0xffff):
        """After the handshake; the guest's next number is 1001."""
        answers = self.receive(tcp(SYN, 1000))
        self.assertEqual(answers, [(SYN | ACK, 0, 1001, b"")])
        self.assertEqual(self.receive(tcp(ACK, 1001, 1, window=window)), [])

    def test_a_request_is_answered_and_the_connection_ends(self):
        self.open()
        self.assertEqual(self.receive(tcp(ACK, 1001, 1, b"ask")),
                         [(ACK, 1, 1004, b"")])
        answers = self.receive(tcp(ACK, 1004, 1, b"\n"))
        self.assertEqual(b"".join(a[3] for a in answers), ANSWER)
        self.assertEqual(answers[-1][0], FIN | ACK)
        end = 2 + len(ANSWER)
        self.receive(tcp(FIN | ACK, 1005, end))
        self.assertEqual(self.segments(), [(ACK, end, 1006, b"")])
        self.assertEqual(self.receive(tcp(ACK, 1006, end))[0][0], RST | ACK)

    def test_the_window_is_kept(self):
        self.open()
        answers = self.receive(tcp(ACK, 1001, 1, b"\n", window=2000))
        self.assertEqual(b"".join(a[3] for a in answers), ANSWER[:2000])
        answers = self.receive(tcp(ACK, 1002, 2001, window=100))
        self.assertEqual([a[3] for a in answers], [ANSWER[2000:2100]])

    def test_what_was_lost_is_sent_again(self):
        self.open()
        first = self.receive(tcp(ACK, 1001, 1, b"\n"))
        self.frames.clear()
        self.time = 10.0
        self.host.tick()
        self.assertEqual(self.segments(), first[1:])
        self.receive(tcp(ACK, 1002, 1 + net.SEGMENT))
        self.frames.clear()
        self.time = 20.0
        self.host.tick()
        self.assertEqual(self.segments(), first[2:])

    def test_what_comes_twice_or_too_early_is_taken_once(self):
        self.open()
        self.assertEqual(self.receive(tcp(ACK, 1004, 1, b"\n")),
                         [(ACK, 1, 1001, b"")])
        self.receive(tcp(ACK, 1001, 1, b"ask"))
        self.assertEqual(self.receive(tcp(ACK, 1001, 1, b"ask")),
                         [(ACK, 1, 1004, b"")])
        answers = self.receive(tcp(ACK, 1004, 1, b"\n"))
        self.assertEqual(b"".join(a[3] for a in answers), ANSWER)

    def test_sequence_numbers_wrap(self):
        self.receive(tcp(SYN, 0xffffffff))
        self.receive(tcp(ACK, 0, 1))
        answers = self.receive(tcp(ACK, 0, 1, b"ask\n"))
        self.assertEqual(answers[0], (ACK, 1, 4, b""))
        self.assertEqual(b"".join(a[3] for a in answers), ANSWER)

    def test_a_port_that_nobody_serves_is_refused(self):
        frame = tcp(SYN, 7)
        segment = bytearray(frame[34:])
        segment[2:4], segment[16:18] = struct.pack(">H", 81), bytes(2)
        total = net.checksum(struct.pack(">4s4sxBH", GUEST, HOST, net.TCP,
                                         len(segment)) + bytes(segment))
        segment[16:18] = struct.pack(">H", total)
        self.assertEqual(self.receive(frame[:34] + bytes(segment)),
                         [(RST | ACK, 0, 8, b"")])


if __name__ == "__main__":
    unittest.main()
