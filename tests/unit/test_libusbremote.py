# SPDX-License-Identifier: GPL-2.0-or-later
"""The C library's session: by itself, and beside the Python package's."""

import errno
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import libusbremote
from libusbremote import CPeer
from support import ROOT, SocketQemu, vector_lines

from usbremote import codec
from usbremote._proto import (AttachedResult, ErrorCode, Speed, Status,
                              TransferType)
from usbremote.codec import (Attach, Attached, Bye, Cancel, Complete, Decoder, Detached,
                             Error, Hello, Preamble, Reset,
                             Submit)
from usbremote.errors import (ConnectionLost, LocalError, NotUsbRemote,
                              ProtocolViolation, Refused)
from usbremote.session import (Addressed, BusReset, Cancelled, Closed,
                               Greeted, MachineState, NotPluggedIn,
                               PeerSession, PluggedIn, Submitted, Unplugged)
from usbremote.setup import Setup
from usbremote.testing import QemuSession

SEEDS = 60         # random lives that both sessions are led through
STEPS = 60
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
        data = b"" if endpoint & 0x80 else bytes(range(length))
        fields = {"attachment": 1, "epoch": 1, "data": data,
                  "type": TransferType.BULK, **fields}
        return Submit(id=number, endpoint=endpoint, length=length,
                      **fields).encode()

    @staticmethod
    def set_configuration(number):
        return Submit(id=number, attachment=1, epoch=1, endpoint=0, length=0,
                      type=TransferType.CONTROL,
                      setup=bytes([0, 9, 1, 0, 0, 0, 0, 0])).encode()


class Handshake(WithPeers):
    def test_the_preamble_goes_out_at_once_and_hello_after_qemus(self):
        peer = self.peer()
        self.assertEqual(heard(peer.output()), [Preamble()])
        peer.feed(OPENING)
        hello, = later(peer.output())
        self.assertEqual((hello.name, hello.max_requests), ("test", 256))
        self.assertEqual(peer.events, [("greeted", b"QEMU", b"usb0", b"x")])

    def test_limits_of_ones_own_are_announced(self):
        peer = self.opened(max_payload=8192, max_requests=3,
                           max_per_endpoint=2, max_bytes=16384)
        _, hello = heard(peer.output())
        self.assertEqual((hello.max_payload, hello.max_control,
                          hello.max_requests, hello.max_per_endpoint,
                          hello.max_bytes), (8192, 4096, 3, 2, 16384))

    def test_limits_below_the_least_are_misuse(self):
        for wrong in ({"max_payload": 8191}, {"max_control": 63},
                      {"max_bytes": 8192}):
            with self.subTest(wrong):
                self.assertIsNone(self.peer(**wrong).peer)

    def test_the_peer_may_refuse(self):
        peer = self.opened(refusal=b"no such device")
        self.assertEqual(peer.events[-1], ("closed", "bye"))
        error = heard(peer.output())[-1]
        self.assertEqual(error[:2], (Error, ErrorCode.REFUSED))

    def test_what_is_not_usb_remote_gets_no_error(self):
        peer = self.peer()
        peer.output()
        self.assertEqual(peer.feed(b"HTTP/1.1 400"), -errno.ENOTCONN)
        self.assertEqual(peer.events, [("closed", "stranger")])
        self.assertEqual(peer.output(), b"")

    def test_the_end_of_the_stream_is_a_lost_connection(self):
        for peer in (self.peer(), self.opened(), self.plugged()):
            peer.eof()
            self.assertEqual(peer.events[-1], ("closed", "lost"))


class Requests(WithPeers):
    def test_answers_come_in_any_order(self):
        peer = self.plugged()
        peer.feed(self.submit(1) + self.submit(2) + self.submit(3))
        for number in (2, 3, 1):
            peer.complete(number, data=b"%d" % number)
        said = later(peer.output())
        self.assertEqual([(m.id, m.data) for m in said],
                         [(2, b"2"), (3, b"3"), (1, b"1")])

    def test_data_of_an_out_stays_until_it_is_answered(self):
        peer = self.plugged()
        peer.feed(self.submit(1, 0x01, 100))
        request = peer.requests[1]
        for number in range(2, 40):
            peer.feed(self.submit(number, 0x02, 200))
        self.assertEqual(libusbremote.ctypes.string_at(
            libusbremote.call("data", request), 100), bytes(range(100)))

    def test_impossible_answers_are_misuse_and_leave_it_pending(self):
        peer = self.plugged()
        peer.feed(self.submit(1) + self.submit(2, 0x01))
        for number, status, data, length, error in (
                (1, 7, b"", 0, errno.EINVAL), (1, -1, b"", 0, errno.EINVAL),
                (1, Status.NAK, b"a", 1, errno.EINVAL),
                (1, Status.CANCELLED, b"a", 1, errno.EINVAL),
                (1, 0, None, 1, errno.EINVAL),
                (1, 0, bytes(1048577), 1048577, errno.EMSGSIZE),
                (2, 0, b"a", 1, errno.EINVAL),
                (2, 0, None, 65, errno.EINVAL)):
            self.assertEqual(peer.complete(number, status, data, length),
                             -error)
        self.assertEqual(peer.output(), b"")
        self.assertEqual(sorted(peer.requests), [1, 2])

    def test_babble_can_be_said_by_too_much_data(self):
        peer = self.plugged()
        peer.feed(self.submit(1, length=4))
        self.assertEqual(peer.complete(1, data=b"12345"), 0)

    def test_a_silent_device_still_answers_a_cancel(self):
        peer = self.plugged()
        peer.feed(self.submit(1) + self.submit(2, 0x01))
        peer.consume[2] = 5
        for number in (1, 2):
            peer.feed(Cancel(id=number, attachment=1, epoch=1).encode())
        said = later(peer.output())
        self.assertEqual([(m.id, m.status, m.length) for m in said],
                         [(1, Status.CANCELLED, 0), (2, Status.CANCELLED, 5)])

    def test_requests_are_dropped_oldest_first(self):
        for what in (lambda p: p.feed(Reset(attachment=1, epoch=2).encode()),
                     lambda p: p.attach(), lambda p: p.act("detach"),
                     lambda p: p.eof(), lambda p: p.act("bye", b"")):
            peer = self.plugged()
            peer.feed(self.submit(4) + self.submit(5) + self.submit(7))
            what(peer)
            self.assertEqual(peer.dropped, [4, 5, 7])
            self.assertNotIn(Complete, map(type, later(peer.output())))

    def test_tables_go_with_set_configuration_only(self):
        table = bytes([0x81, 2, 64, 0, 0, 0, 0, 0])
        peer = self.plugged()
        peer.feed(self.set_configuration(1))
        self.assertEqual(peer.complete_table(1, table[:8] * 2),
                         -errno.EINVAL)
        self.assertEqual(peer.complete_table(1, table), 0)
        answer = later(peer.output())[0]
        self.assertEqual(len(answer.endpoints), 1)
        peer.feed(self.submit(2))
        self.assertEqual(peer.complete_table(2, table), -errno.EINVAL)

    def test_credit_is_counted(self):
        peer = self.plugged(max_requests=3, max_per_endpoint=2)
        peer.feed(self.submit(1) + self.submit(2, 0x82)
                  + self.submit(3, 0x83))
        peer.complete(1)
        peer.feed(self.set_configuration(4) + self.submit(5))
        self.assertEqual(len(peer.requests), 4)
        peer.feed(self.submit(6))
        self.assertEqual(peer.events[-1], ("closed", "violation"))
        self.assertEqual(later(peer.output())[-1][1],
                         ErrorCode.LIMIT)

    def test_an_unread_stream_of_hints_is_bounded(self):
        peer = self.plugged(max_bytes=1 << 20)
        errors = {peer.act("ready", 0x81) for _ in range(1 << 17)}
        self.assertEqual(errors, {0, -errno.ENOBUFS})


class BesidePython(WithPeers):
    """Both sessions hear the same, and must say and show the same."""

    def both(self):
        return self.peer(), PythonPeer()

    def assert_alike(self, peers, what):
        one, other = peers
        self.assertEqual(one.events, other.events, what)
        self.assertEqual(heard(one.output()), heard(other.output()), what)

    def test_each_vector_whole_byte_by_byte_and_with_more(self):
        """Also what only a peer may say, or nobody."""
        for name, _, text, *_ in vector_lines("messages.txt"):
            data = bytes.fromhex(text)
            number = int.from_bytes(data[16:20], "little")
            trail = self.submit(1000, attachment=number, epoch=0)
            self.lead(name, number, [data])
            self.lead(name, number, [bytes([b]) for b in data])
            self.lead(name, number, [data + trail])

    def test_each_preamble(self):
        for name, text, *_ in vector_lines("preambles.txt"):
            peers = self.both()
            for peer in peers:
                peer.feed(bytes.fromhex(text))
            self.assert_alike(peers, name)

    def lead(self, name, number, pieces):
        """Plug in until the vector's attachment, then feed it."""
        peers = self.both()
        for peer in peers:
            if "hello" not in name:
                peer.feed(OPENING)
                for attachment in range(1, min(number, 3) + 1):
                    peer.attach()
                    peer.feed(Attached(attachment=attachment).encode())
            else:
                peer.feed(Preamble().encode())
            for piece in pieces:
                peer.feed(piece)
        self.assert_alike(peers, name)

    def test_random_lives(self):
        for seed in range(SEEDS):
            with self.subTest(seed=seed):
                Life(seed, self).run()


class Life:
    """A QEMU that does anything, now and then wrong, to two peers."""

    def __init__(self, seed, test):
        self.random = random.Random(seed)
        self.test = test
        self.qemu = QemuSession(device_id="usb0")
        self.peers = test.both()
        self.said = [b"", b""]

    def run(self):
        self.deliver()
        for step in range(STEPS):
            self.step()
            self.deliver()
            self.test.assertEqual(self.peers[0].events, self.peers[1].events,
                                  f"after step {step}")
            self.test.assertEqual(heard(self.said[0]), heard(self.said[1]),
                                  f"after step {step}")

    def step(self):
        self.random.choice((
            self.attach, self.attached, self.reset, self.submit, self.submit,
            self.submit, self.complete, self.complete, self.cancel,
            self.act, self.stray))()

    def deliver(self):
        """What QEMU says, cut anywhere; then what the peers say."""
        data = self.qemu.data_to_send()
        cut = self.random.randrange(len(data) + 1)
        for index, peer in enumerate(self.peers):
            peer.feed(data[:cut])
            peer.feed(data[cut:])
            said = peer.output()
            self.said[index] += said
        try:
            self.qemu.receive(said)
        except ProtocolViolation as err:
            self.test.fail(f"the peer broke the protocol: {err}")

    def each(self, name, *arguments, **options):
        results = [getattr(peer, name)(*arguments, **options)
                   for peer in self.peers]
        self.test.assertEqual(bool(results[0]), bool(results[1]), name)

    def attach(self):
        self.each("attach", self.random.randrange(20),
                  self.random.choice((0, 200, 60001)))

    def attached(self):
        result = self.random.choice((AttachedResult.OK, AttachedResult.OK,
                                     AttachedResult.REFUSED))
        self.qemu.attached(Speed.HIGH, result, "" if not result else "why")

    def reset(self):
        self.qemu.reset(Speed.FULL)

    def submit(self):
        endpoint = self.random.choice((0x81, 0x02, 0x83))
        length = self.random.choice((0, 1, 64, 5000))
        self.qemu.submit(endpoint, TransferType.BULK, length,
                         data=b"" if endpoint & 0x80 else bytes(length))

    def complete(self):
        waiting = sorted(self.peers[0].requests)
        if waiting:
            number = self.random.choice(waiting)
            is_in = self.peers[1].requests[number].submit.is_in()
            status = self.random.choice((Status.OK, Status.STALL, Status.NAK))
            self.each("complete", number, status,
                      b"ab" if is_in and status == Status.OK else None,
                      None if is_in else 0)

    def cancel(self):
        self.qemu.cancel(self.random.randrange(1, 40))

    def act(self):
        self.each("act", *self.random.choice((
            ("detach",), ("wakeup",), ("ready", 0x81))))

    def stray(self):
        """Rarely, what QEMU would never send; else an answer to DETACH."""
        if self.random.random() < 0.1:
            self.qemu.send(self.random.choice((
                Submit(id=1, endpoint=0x81, length=1, type=2),
                Detached(attachment=9), Hello(), Reset(epoch=0),
                Cancel(id=1000000, attachment=self.qemu.attachment))))
        else:
            self.qemu.send(Detached(
                attachment=max(0, self.qemu.attachment - 1)))
            self.qemu.vmstate(self.random.random() < 0.5)


LIBRARY = ROOT / "libusbremote"
ECHO = LIBRARY / "tests/echo.c"
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
COMPILERS = (("gcc", "-std=c99"), ("clang", "-std=c99"),
             ("g++", "-x", "c++", "-std=c++11"))


class Installed(unittest.TestCase):
    """The library as a program finds it that is built against it."""

    @classmethod
    def setUpClass(cls):
        cls.root = Path(tempfile.mkdtemp(prefix="usb-remote-"))
        cls.addClassCleanup(shutil.rmtree, cls.root)
        subprocess.run(["make", "-s", "-C", LIBRARY, "install",
                        f"BUILD={cls.root}/build", f"PREFIX={cls.root}/usr"],
                       check=True)
        cls.echo = cls.root / "echo"
        cls.build(("gcc", "-std=c99"), cls.echo)

    @classmethod
    def build(cls, compiler, output):
        flags = subprocess.run(
            ["pkg-config", "--cflags", "--libs", "usbremote"], check=True,
            text=True, stdout=subprocess.PIPE, env={
                **os.environ,
                "PKG_CONFIG_PATH": f"{cls.root}/usr/lib/pkgconfig"}).stdout
        subprocess.run([*compiler, *STRICT, ECHO, "-o", output,
                        f"-Wl,-rpath,{cls.root}/usr/lib", *flags.split()],
                       check=True)

    def start(self, *arguments):
        process = subprocess.Popen([self.echo, *map(str, arguments)],
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def qemu(self, how):
        """A QEMU for an echo that connects or listens, and the echo."""
        path = self.root / f"{how}.sock"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            server.listen()
            if how == "connect":
                process = self.start(how, f"unix:{path}")
                sock, _ = server.accept()
        if how == "listen":     # in place of the dead socket of before
            process = self.start(how, f"unix:{path}")
            sock = self.connected(path, process)
        self.addCleanup(sock.close)
        qemu = SocketQemu(sock)
        self.addCleanup(path.unlink)
        return qemu, process

    def connected(self, path, process):
        """A connection to the echo, once it has replaced the dead socket."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            self.assertIsNone(process.poll(), "the echo has ended")
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(str(path))
                return sock
            except (ConnectionRefusedError, FileNotFoundError):
                sock.close()
        self.fail("the echo does not listen")

    def test_its_own_programs_compile_everywhere(self):
        for compiler in COMPILERS:
            if shutil.which(compiler[0]):
                self.build(compiler, self.root / "other")

    def test_only_what_is_public_is_exported(self):
        text = subprocess.run(
            ["nm", "-D", "--defined-only",
             self.root / "usr/lib/libusbremote.so"],
            text=True, stdout=subprocess.PIPE, check=True).stdout
        names = [line.split()[-1] for line in text.splitlines()]
        self.assertIn("usbremote_process", names)
        self.assertEqual([n for n in names
                          if not n.startswith("usbremote_")], [])

    def test_an_echo_over_a_socket(self):
        for how in ("connect", "listen"):
            qemu, process = self.qemu(how)
            qemu.plug_in()
            answer = qemu.control(Setup(0x80, 6, 0x100, 0, 18))
            self.assertEqual(answer.data[8:12].hex(), "09120100")
            for size in (1, 512, 65536):
                data = os.urandom(size)
                qemu.qemu.submit(0x81, TransferType.BULK, 65536)
                qemu.qemu.submit(0x01, TransferType.BULK, size, data=data)
                self.assertEqual(self.answers(qemu, 2)[1].data, data)
            process.send_signal(signal.SIGTERM)
            qemu.until(Bye)
            self.assertEqual(process.wait(20), 0)

    @staticmethod
    def answers(qemu, count):
        """The next answers, which may come at once."""
        qemu.flush()
        found = []
        while len(found) < count:
            found += qemu.qemu.receive(qemu.sock.recv(65536))
        return found

    def test_a_lost_connection_is_told(self):
        qemu, process = self.qemu("connect")
        qemu.until(Attach)
        qemu.close()
        self.assertEqual(process.wait(20), 1)
        self.assertIn("without a word", process.stderr.read())

    def test_addresses_that_cannot_be_used_are_told(self):
        for address, text in (
                ("unix:/nowhere/x", "No such file"), ("unix:", "Invalid"),
                ("tcp:localhost", "Invalid"), ("tcp:localhost:0x1", "Invalid"),
                ("tcp:localhost:70000", "Invalid"), ("/tmp/x", "Invalid"),
                ("tcp:127.0.0.1:1", "refused"), ("unix:" + 200 * "x",
                                                 "Invalid")):
            process = self.start("connect", address)
            self.assertEqual(process.wait(20), 1)
            self.assertIn(text, process.stderr.read())


if __name__ == "__main__":
    unittest.main()
