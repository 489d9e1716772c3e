#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A USB network adapter with a small network behind it.

    examples/network.py --connect unix:./usb.sock --www ./files

In a Linux guest it is usb0.  The guest gets an address by DHCP, can ping the
other end of the cable, and fetch the files of the folder from there:

    udhcpc -i usb0; wget http://192.168.77.1/NAME
"""

import argparse
import ipaddress
import os
import struct
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import (Configuration, Device, Endpoint,         # noqa: E402
                       Interface, Speed, TransferType, main)
from usbremote.functions import cdc                             # noqa: E402
from usbremote.net import RESEND_AFTER, Host                    # noqa: E402

CONTROL, DATA = 0, 1            # interface numbers
NOTIFY, IN, OUT = 1, 2, 3       # endpoint numbers
LARGEST_FRAME = 1514
BIT_RATE = {Speed.FULL: 12 * 10 ** 6, Speed.HIGH: 480 * 10 ** 6,
            Speed.SUPER: 4294 * 10 ** 6}        # fits into 32 bits


class Network(Device):
    vendor_id, product_id = 0x1209, 0x0007
    manufacturer, product = "usb-remote", "Python Network Adapter"
    speeds = (Speed.FULL, Speed.HIGH, Speed.SUPER)
    device_class = (cdc.COMMUNICATIONS, 0, 0)

    def __init__(self, options):
        super().__init__(options)
        self.host = None

    @classmethod
    def add_options(cls, parser):
        parser.add_argument("--www", type=folder, metavar="DIR",
                            help="serve the files of this folder at port 80")
        parser.add_argument("--address", type=interface, metavar="IP/BITS",
                            default="192.168.77.1/24",
                            help="the other end's; the guest gets the next "
                            "one (192.168.77.1/24)")
        parser.add_argument("--mac", type=mac, default="02:00:00:77:00:02",
                            help="the guest's (02:00:00:77:00:02)")

    def configurations(self, speed):
        functions = (
            cdc.header() + cdc.union(CONTROL, DATA)
            + cdc.functional(cdc.ETHERNET_NETWORKING, struct.pack(
                "<BIHHB", self.string(self.options.mac.hex().upper()), 0,
                LARGEST_FRAME, 0, 0)))
        return [Configuration([
            Interface(cdc.COMMUNICATIONS, cdc.ETHERNET, 0, [
                Endpoint(0x80 | NOTIFY, TransferType.INTERRUPT, 16,
                         period_ms=32)],
                CONTROL, extra=functions),
            Interface(cdc.DATA, number=DATA, alternate=0),
            Interface(cdc.DATA, number=DATA, alternate=1, endpoints=[
                Endpoint(0x80 | IN, TransferType.BULK),
                Endpoint(OUT, TransferType.BULK)])])]

    def control(self, setup):
        if (setup.request_type, setup.request) == (0x21,
                                                   cdc.SET_PACKET_FILTER):
            return None         # there is nobody else on this cable
        return super().control(setup)

    async def interface_set(self, number, alternate):
        """The guest begins, or ends with alternate 0."""
        if (number, alternate) != (DATA, 1):
            return
        other = bytes((self.options.mac[0],)) + bytes(
            byte ^ 0xff for byte in self.options.mac[1:])
        host = Host(other, self.options.address, {80: self.respond},
                    self.to_guest, self.now)
        self.start(self.tell_link())
        self.start(self.resend(host))
        while True:
            host.receive(await self.ep_out(OUT).read_transfer())

    def to_guest(self, frame):
        self.start(self.ep_in(IN).send(frame, zlp=True))

    async def tell_link(self):
        rate = struct.pack("<II", *[BIT_RATE[self.speed]] * 2)
        for code, value, data in ((cdc.CONNECTION_SPEED_CHANGE, 0, rate),
                                  (cdc.NETWORK_CONNECTION, 1, b"")):
            await self.ep_in(NOTIFY).send_packet(cdc.notification(
                code, CONTROL, value, data))

    async def resend(self, host):
        while True:
            await self.sleep(RESEND_AFTER)
            host.tick()

    def respond(self, request):
        """HTTP/1.0 (RFC 1945), one request for each connection."""
        head, end, _ = request.partition(b"\r\n\r\n")
        if not end:
            return None if len(head) < 8192 else b""
        method, path = (head.decode("latin-1").split(None, 2) + [""])[:2]
        if method not in ("GET", "HEAD"):
            return response("501 Not Implemented")
        body = self.read_file(path)
        if body is None:
            return response("404 Not Found")
        return response("200 OK", body, method == "GET")

    def read_file(self, path):
        """The bytes of a file in the folder itself, or None."""
        name = urllib.parse.unquote(path).lstrip("/")
        if not self.options.www or not name or os.sep in name:
            return None
        try:
            with open(os.path.join(self.options.www, name), "rb") as file:
                return file.read()
        except (OSError, ValueError):
            return None


def response(status, body=b"", whole=True):
    head = (f"HTTP/1.0 {status}\r\nContent-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n").encode()
    return head + (body if whole else b"")


def folder(text):
    """For argparse."""
    if not os.path.isdir(text):
        raise argparse.ArgumentTypeError(f"'{text}' is not a folder")
    return text


def interface(text):
    """For argparse: an address and its network, with one more in it."""
    try:
        value = ipaddress.IPv4Interface(text)
        hosts = value.network.num_addresses - 2
        fits = 1 <= int(value.ip) - int(value.network.network_address) < hosts
    except ValueError:
        fits = False
    if not fits:
        raise argparse.ArgumentTypeError(
            f"'{text}' is not like 192.168.77.1/24")
    return value


def mac(text):
    """For argparse: 6 bytes, of one station."""
    try:
        value = bytes.fromhex(text.replace(":", ""))
    except ValueError:
        value = b""
    if len(value) != 6 or value[0] & 1 or not any(value):
        raise argparse.ArgumentTypeError(
            f"'{text}' is not like 02:00:00:77:00:02")
    return value


if __name__ == "__main__":
    main(Network)
