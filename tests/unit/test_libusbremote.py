# SPDX-License-Identifier: GPL-2.0-or-later
"""The C library's session by itself, and as a program finds it."""

import errno
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import libusbremote
from peers import OPENING, WithPeers, heard, later
from support import ROOT, SocketQemu, manual

from usbremote._proto import ErrorCode, Status, TransferType
from usbremote.codec import (Attach, Bye, Cancel, Complete, Error, Preamble,
                             Reset)
from usbremote.setup import Setup


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
        for size in (100, 10000):       # copied, and taken over
            peer = self.plugged()
            peer.feed(self.submit(1, 0x01, size))
            request = peer.requests[1]
            for number in range(2, 40):
                peer.feed(self.submit(number, 0x02, 2 * size))
            self.assertEqual(libusbremote.ctypes.string_at(
                libusbremote.call("data", request), size),
                bytes(number & 0xff for number in range(size)))

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


LIBRARY = ROOT / "libusbremote"
ECHO = LIBRARY / "tests/echo.c"
STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
COMPILERS = (("gcc", "-std=c99"), ("clang", "-std=c99"),
             ("g++", "-x", "c++", "-std=c++11"))


class Packaged(unittest.TestCase):
    """What a distribution does with it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build, self.root = (Path(folder.name) / name
                                 for name in ("build", "root"))

    def make(self, *arguments):
        return subprocess.run(
            ["make", "-C", LIBRARY, f"BUILD={self.build}",
             f"DESTDIR={self.root}", *arguments], check=True, text=True,
            stdout=subprocess.PIPE).stdout

    def files(self):
        return {str(path.relative_to(self.root))
                for path in self.root.rglob("*") if not path.is_dir()}

    def test_built_for_one_place_and_installed_in_another(self):
        out = self.make("CPPFLAGS=-D_FORTIFY_SOURCE=2")
        self.assertIn("-D_FORTIFY_SOURCE=2", out)
        where = ("PREFIX=/usr", "LIBDIR=/usr/lib/x", "INCLUDEDIR=/usr/inc")
        self.make("install", *where)
        told = (self.root / "usr/lib/x/pkgconfig/usbremote.pc").read_text()
        for line in ("prefix=/usr", "libdir=/usr/lib/x",
                     "includedir=/usr/inc"):
            self.assertIn(f"{line}\n", told)
        self.assertIn("usr/inc/usbremote/usbremote.h", self.files())
        self.make("uninstall", *where)
        self.assertEqual(self.files(), set())


class Installed(unittest.TestCase):
    """The library as a program finds it that is built against it."""

    @classmethod
    def setUpClass(cls):
        cls.root = Path(tempfile.mkdtemp(prefix="usb-remote-"))
        cls.addClassCleanup(shutil.rmtree, cls.root)
        cls.lib = cls.root / ".local/lib"
        for folder in ("libusbremote", "hw"):
            shutil.copytree(ROOT / folder, cls.root / folder,
                            ignore=shutil.ignore_patterns("build"))
        subprocess.run(["sh", "-e"], cwd=cls.root, text=True, check=True,
                       input=manual.markdown(manual.LIBRARY, "install"),
                       env={**os.environ, "HOME": str(cls.root)},
                       stdout=subprocess.DEVNULL)

    @classmethod
    def build(cls, compiler, output):
        flags = subprocess.run(
            ["pkg-config", "--cflags", "--libs", "usbremote"], check=True,
            text=True, stdout=subprocess.PIPE, env={
                **os.environ,
                "PKG_CONFIG_PATH": f"{cls.lib}/pkgconfig"}).stdout
        subprocess.run([*compiler, *STRICT, ECHO, "-o", output,
                        f"-Wl,-rpath,{cls.lib}", *flags.split()],
                       check=True)

    def start(self, *arguments):
        process = subprocess.Popen(["./echo", *map(str, arguments)],
                                   stderr=subprocess.PIPE, text=True,
                                   cwd=self.root)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def qemu(self, how):
        """A QEMU for an echo that connects or listens, and the echo."""
        path = self.root / {"connect": "usb.sock"}.get(how, "listen.sock")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(path))
            server.listen()
            if how == "connect":
                _, *arguments = manual.readme("echo", manual.LIBRARY)
                process = self.start(*arguments)
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
             self.lib / "libusbremote.so"],
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
            for size in (1, 512, 65536, 1 << 20):
                data = os.urandom(size)
                qemu.qemu.submit(0x81, TransferType.BULK, 1 << 20)
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
                                                 "name too long")):
            process = self.start("connect", address)
            self.assertEqual(process.wait(20), 1)
            self.assertIn(text, process.stderr.read())


if __name__ == "__main__":
    unittest.main()
