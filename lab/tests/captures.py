# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures of one plugging in, in every form; written for the tests."""

import struct

import examples

REPORT = examples.read(examples.text("keyboard")).reports[0]
NAME = b"\x0e\x03" + "Boards".encode("utf-16-le")
STALL = None


def get_descriptor(kind, index, length, to=0x80, where=0):
    return struct.pack("<BBBBHH", to, 6, index, kind, where, length)


SET_IDLE = bytes.fromhex("210a000000000000")
VENDOR = bytes.fromhex("c001341200000400")
# (setup, what came or went, or STALL)
TALK = [
    (get_descriptor(1, 0, 64), examples.KEYBOARD[:18]),
    (get_descriptor(1, 0, 18), examples.KEYBOARD[:18]),
    (get_descriptor(2, 0, 9), examples.KEYBOARD[18:27]),
    (get_descriptor(2, 0, 34), examples.KEYBOARD[18:]),
    (get_descriptor(3, 2, 255, where=0x409), NAME),
    (get_descriptor(6, 0, 10), STALL),
    (bytes.fromhex("0009010000000000"), b""),
    (get_descriptor(0x22, 0, 63, 0x81), REPORT),
    (SET_IDLE, STALL),
    (VENDOR, b"\1\2\3\4"),
]
BUS, DEVICE = 2, 7


def usbmon(most=32):
    """The text, with so many bytes of each transfer."""
    rows = []
    for number, (setup, data) in enumerate(TALK):
        tag = f"ffff8881{number:08x}"
        direction = "i" if setup[0] & 0x80 else "o"
        where = f"C{direction}:{BUS}:{DEVICE:03}:0"
        value, index, length = struct.unpack("<HHH", setup[2:])
        rows.append(f"{tag} {number}00 S {where} s {setup[0]:02x} "
                    f"{setup[1]:02x} {value:04x} {index:04x} {length:04x} "
                    f"{length} {'<' if setup[0] & 0x80 else ''}".rstrip())
        shown = (data or b"")[:most]
        words = " ".join(shown[at:at + 4].hex()
                         for at in range(0, len(shown), 4))
        rows.append(f"{tag} {number}50 C {where} {-32 if data is STALL else 0}"
                    f" {len(data or b'')}" + (f" = {words}" if shown else ""))
    return "\n".join(rows) + "\n"


def usb_linux(link, order="<"):
    packets = []
    for number, (setup, data) in enumerate(TALK):
        is_in = setup[0] & 0x80
        length = struct.unpack("<H", setup[6:])[0]
        tail = b"" if link == 189 else struct.pack(f"{order}iiII", 0, 0, 0, 0)
        for event in b"SC":
            there = data if event == ord("C") and is_in and data else b""
            status = -115 if event == ord("S") else -32 if data is STALL \
                else 0
            packets.append(struct.pack(
                f"{order}QBBBBHBBqiiII", 0x1000 + number, event, 2, is_in,
                DEVICE, BUS, 0 if event == ord("S") else ord("-"),
                0 if there else ord("<"), 1, number, status,
                length if event == ord("S") else len(there), len(there))
                + (setup if event == ord("S") else bytes(8)) + tail + there)
    return packets


def usbpcap():
    packets = []
    for number, (setup, data) in enumerate(TALK):
        is_in = setup[0] & 0x80
        for info in (0, 1):
            there = setup if not info else (data or b"") if is_in else b""
            packets.append(struct.pack(
                "<HQIHBHHBBIB", 28, 0x1000 + number,
                0xc0000004 if info and data is STALL else 0, 8, info, BUS,
                DEVICE, is_in, 2, len(there), 3 if info else 0) + there)
    return packets


def token(pid, endpoint=0):
    word = DEVICE | endpoint << 7
    return bytes((pid, word & 0xff, word >> 8))


def wire():
    """USB 2.0 packets: CRCs are not looked at."""
    out, in_, setup_pid, data0, data1, ack, stall = (
        0xe1, 0x69, 0x2d, 0xc3, 0x4b, b"\xd2", b"\x1e")
    packets = [b"\xa5\0\0"]
    for setup, data in TALK:
        packets += [token(setup_pid), bytes((data0,)) + setup + b"\0\0", ack]
        if data is STALL:
            packets += [token(in_), stall]
            continue
        if setup[0] & 0x80:
            for at in range(0, len(data), 8):
                packets += [token(in_), b"\x5a",         # a NAK first
                            token(in_), bytes((data1,)) + data[at:at + 8]
                            + b"\0\0", ack]
            packets += [token(out), bytes((data1, 0, 0)), ack]
        else:
            packets += [token(in_), bytes((data1, 0, 0)), ack]
    return packets


def pcap(link, packets, order="<", most=0xffff):
    magic = 0xa1b2c3d4
    head = struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 65535, link)
    return head + b"".join(
        struct.pack(f"{order}IIII", 0, 0, len(data[:most]), len(data))
        + data[:most] for data in packets)


def block(kind, body, order):
    body += bytes(-len(body) % 4)
    size = len(body) + 12
    return struct.pack(f"{order}II", kind, size) + body + struct.pack(
        f"{order}I", size)


def pcapng(link, packets, order="<"):
    return b"".join([
        block(0x0a0d0d0a, struct.pack(f"{order}IHHq", 0x1a2b3c4d, 1, 0, -1),
              order),
        block(1, struct.pack(f"{order}HHI", link, 0, 0), order),
        block(99, b"of a kind that nobody knows.", order),
        *(block(6, struct.pack(f"{order}IIIII", 0, 0, 0, len(data),
                               len(data)) + data, order) for data in packets)])


FILES = {
    "pcap 189": pcap(189, usb_linux(189)),
    "pcap 220": pcap(220, usb_linux(220)),
    "pcap 220, big-endian": pcap(220, usb_linux(220, ">"), ">"),
    "pcapng 189": pcapng(189, usb_linux(189)),
    "pcapng 220": pcapng(220, usb_linux(220)),
    "pcapng 220, big-endian": pcapng(220, usb_linux(220, ">"), ">"),
    "pcap 249": pcap(249, usbpcap()), "pcapng 249": pcapng(249, usbpcap()),
    "pcap 288": pcap(288, wire()), "pcapng 288": pcapng(288, wire()),
    "usbmon's text": usbmon(most=4096).encode(),
    "quoted usbmon's text": ("> " + usbmon(most=4096).replace(
        "\n", "\n> ")).encode(),
}
