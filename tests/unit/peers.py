# SPDX-License-Identifier: GPL-2.0-or-later
"""Both languages' sessions, in memory, with the same face."""

import struct
import unittest

from libusbremote import CPeer

from usbremote import codec
from usbremote._proto import Speed, Status, TransferType
from usbremote.codec import (Attached, Decoder, EndpointEntry, Error, Hello,
                             Preamble, Reset, Submit)
from usbremote.errors import (ConnectionLost, LocalError, NotUsbRemote,
                              ProtocolViolation, Refused)
from usbremote.session import (Addressed, BusReset, Cancelled, Closed,
                               Greeted, MachineState, NotPluggedIn,
                               PeerSession, PluggedIn, Submitted, Unplugged)
from usbremote.testing import QemuSession

OPENING = Preamble().encode() + Hello(name="QEMU", device_id="usb0",
                                      select="x").encode()


class PythonPeer:
    """PeerSession with what CPeer shows."""

    def __init__(self, name="test"):
        self.session = PeerSession(name)
        self.events, self.requests = [], {}

    def feed(self, data):
        self.session.feed(data)
        for event in iter(self.session.next_event, None):
            self.take(event)

    def take(self, event):
        kind = type(event)
        if kind is Greeted:
            hello = event.hello
            self.events.append(("greeted", hello.name.encode(),
                                hello.device_id.encode(),
                                hello.select.encode()))
            self.session.accept()
        elif kind is Submitted:
            submit = event.request.submit
            self.requests[submit.id] = event.request
            self.events.append((
                "submit", submit.id, submit.endpoint, submit.type,
                submit.flags, submit.setup, submit.length, submit.data))
        elif kind is Cancelled:
            number = event.request.submit.id
            del self.requests[number]
            self.events.append(("cancelled", number))
        else:
            self.events.append(self.plain(event))

    @staticmethod
    def plain(event):
        if isinstance(event, Closed):
            return ("closed", end_of(event))
        return {
            PluggedIn: lambda: ("attached", event.speed),
            NotPluggedIn: lambda: ("not_attached", event.result, event.text),
            Unplugged: lambda: ("detached", event.attachment),
            BusReset: lambda: ("reset", event.speed),
            Addressed: lambda: ("address", event.address),
            MachineState: lambda: ("vmstate", event.running),
        }[type(event)]()

    def output(self):
        return self.session.data_to_send()

    def attach(self, speeds=2, gap_ms=200):
        return misuse(self.session.attach, speeds, gap_ms)

    def act(self, name, *arguments):
        return misuse(getattr(self.session, name), *arguments)

    def complete(self, number, status=0, data=None, length=None):
        request = self.requests[number]
        error = misuse(lambda: self.session.complete(
            request, Status(status), data or b"", length))
        if not error:
            del self.requests[number]
        return error

    def complete_table(self, number, table, status):
        request = self.requests[number]
        entries = tuple(EndpointEntry(*fields)
                        for fields in struct.iter_unpack("<BBHBBBx", table))
        error = misuse(lambda: self.session.complete(
            request, Status(status), endpoints=entries))
        if not error:
            del self.requests[number]
        return error

    def close(self):
        pass


def misuse(function, *arguments):
    """0, or what stands for the errors of the C library."""
    try:
        function(*arguments)
    except LocalError:
        return "misuse"
    return 0


def end_of(closed):
    """A Closed in the words of UsbRemoteEnd."""
    kinds = ((NotUsbRemote, "stranger"), (ProtocolViolation, "violation"),
             (Refused, "refused"), (ConnectionLost, "lost"))
    for kind, word in kinds:
        if isinstance(closed.error, kind):
            return word
    return "removed" if closed.bye else "bye"


def heard(data):
    """What a peer said, as messages; texts of errors may differ."""
    decoder = Decoder(codec.PEER)
    decoder.feed(data)
    said = []
    for message in iter(decoder.next, None):
        if isinstance(message, Error):
            message = (Error, message.code, message.type, message.id)
        said.append(message)
    return said


def later(data):
    """What a peer said when its preamble had been taken before."""
    return heard(Preamble().encode() + data)[1:]


def talk(peer, qemu, step=None):
    """
    Carry bytes over, in pieces of this size, until there are none; returns
    what QEMU heard.
    """
    said = []
    while True:
        down, up = qemu.data_to_send(), peer.output()
        if not down and not up:
            return said
        for at in range(0, len(down), step or len(down) or 1):
            peer.feed(down[at:at + (step or len(down))])
        for at in range(0, len(up), step or len(up) or 1):
            said += qemu.receive(up[at:at + (step or len(up))])


def life(peer, step=None, end=QemuSession):
    """
    A connection from the handshake to the end, in memory; returns QEMU's
    session, made by end, and what it heard.
    """
    qemu = end("usb0")
    said = talk(peer, qemu, step)
    peer.attach(1 << Speed.HIGH)
    said += talk(peer, qemu, step)
    qemu.attached(Speed.HIGH)
    qemu.reset(Speed.HIGH)
    ids = [qemu.submit(0x81, TransferType.BULK, 512) for _ in range(3)]
    qemu.submit(2, TransferType.BULK, 5, data=b"hello")
    qemu.cancel(ids[1])
    said += talk(peer, qemu, step)
    for number in (4, 1, 3):
        peer.complete(number, length=5 if number == 4 else 0)
    said += talk(peer, qemu, step)
    peer.act("detach")
    said += talk(peer, qemu, step)
    qemu.detached()
    qemu.bye()
    return qemu, said + talk(peer, qemu, step)


class WithPeers(unittest.TestCase):
    def peer(self, **options):
        peer = CPeer(**options)
        self.addCleanup(peer.close)
        return peer

    def opened(self, **options):
        peer = self.peer(**options)
        peer.feed(OPENING)
        return peer

    def plugged(self, **options):
        peer = self.opened(**options)
        self.assertEqual(peer.attach(), 0)
        peer.feed(Attached(attachment=1, speed=Speed.HIGH).encode()
                  + Reset(attachment=1, epoch=1, speed=Speed.HIGH).encode())
        peer.output()
        peer.events.clear()
        return peer

    @staticmethod
    def submit(number, endpoint=0x81, length=64, **fields):
        data = b"" if endpoint & 0x80 else bytes(
            number & 0xff for number in range(length))
        fields = {"attachment": 1, "epoch": 1, "data": data,
                  "type": TransferType.BULK, **fields}
        return Submit(id=number, endpoint=endpoint, length=length,
                      **fields).encode()

    @staticmethod
    def set_configuration(number):
        return Submit(id=number, attachment=1, epoch=1, endpoint=0, length=0,
                      type=TransferType.CONTROL,
                      setup=bytes([0, 9, 1, 0, 0, 0, 0, 0])).encode()
