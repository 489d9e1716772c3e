# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line of the examples, as a user meets it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from support import MOUSE, SocketQemu

from usbremote.codec import Attach, Bye, Complete, Error, Preamble
from usbremote.setup import Setup, Standard
from usbremote._proto import ByeReason, ErrorCode, Speed, TransferType

TIMEOUT = 30


class Mouse(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.path = os.path.join(self.directory, "socket")
        self.address = f"unix:{self.path}"

    def listen(self):
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.path)
        listener.listen()
        listener.settimeout(TIMEOUT)
        self.listener = listener

    def start(self, *args):
        process = subprocess.Popen(
            [sys.executable, str(MOUSE), *args], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(self.reap, process)
        return process

    def reap(self, process):
        if process.poll() is None:
            process.kill()
            process.wait(TIMEOUT)

    def connect(self, *args, **options):
        """Start a mouse that connects; (process, QEMU's end)."""
        process = self.start("--connect", self.address, *args)
        qemu = SocketQemu(self.listener.accept()[0], **options)
        self.addCleanup(qemu.close)
        return process, qemu

    def connect_when_it_listens(self):
        """QEMU's end of a connection to a mouse that listens."""
        deadline = time.monotonic() + TIMEOUT
        sock = socket.socket(socket.AF_UNIX)
        qemu = SocketQemu(sock)
        self.addCleanup(qemu.close)
        while True:
            try:
                sock.connect(self.path)
                return qemu
            except OSError:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)

    def end(self, process):
        """(exit code, stdout, stderr)."""
        out, err = process.communicate(timeout=TIMEOUT)
        return process.returncode, out, err

    def one_line(self, process, pattern, code=1):
        """It must end with this exit code and one such line of stderr."""
        found, out, err = self.end(process)
        self.assertRegex(err, r"\Amouse\.py: [^\n]*\n\Z")
        self.assertRegex(err, pattern)
        self.assertEqual((found, out), (code, ""))


class WrongUse(Mouse):
    def test_command_lines(self):
        for args, pattern in (
                ((), "--connect --listen"),
                (("--connect",), "--connect"),
                (("--connect", "a", "--listen", "b"), "not allowed with"),
                (("--connect", self.address, "--radius", "0"), "radius.*'0'"),
                (("--connect", self.address, "--rate", "x"), "rate.*'x'"),
                (("--connect", self.address, "--speed", "warp"), "'warp'"),
                (("--connect", self.address, "--report-log", "/no/log"),
                 "cannot write '/no/log': No such file"),
                (("--connect", self.address, "--nonsense"), "--nonsense")):
            with self.subTest(args):
                self.one_line(self.start(*args), pattern, 2)

    def test_addresses(self):
        for option in ("--connect", "--listen"):
            for text in ("nonsense", "unix:", "tcp:host", "tcp:h:99999"):
                with self.subTest(text, option=option):
                    self.one_line(self.start(option, text),
                                  f"bad address '{text}'.*unix:PATH or tcp:")

    def test_nothing_is_there(self):
        self.one_line(self.start("--connect", self.address),
                      f"{self.address}: cannot connect: No such file")

    def test_nobody_listens(self):
        self.listen()
        self.listener.close()
        self.one_line(self.start("--connect", self.address),
                      "cannot connect: Connection refused")

    def test_a_port_where_nobody_listens(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self.one_line(self.start("--connect", f"tcp:127.0.0.1:{port}"),
                      f"tcp:127.0.0.1:{port}: cannot connect: Connection re")

    def test_no_socket(self):
        with open(self.path, "w"):
            pass
        self.one_line(self.start("--connect", self.address), "not a socket")
        self.one_line(self.start("--listen", self.address), "not a socket")
        self.one_line(self.start("--connect", f"unix:{self.directory}"),
                      "not a socket")

    def test_a_path_too_long_for_a_socket(self):
        for option in ("--connect", "--listen"):
            for size in (200, 300):     # for a socket; for any file, too
                self.one_line(self.start(option, "unix:/" + "x" * size),
                              "too long")

    def test_a_place_where_no_socket_can_be(self):
        self.one_line(self.start("--listen", "unix:/nowhere/socket"),
                      "cannot listen: No such file")
        with open(self.path, "w"):
            pass
        self.one_line(self.start("--listen", f"unix:{self.path}/socket"),
                      "cannot listen: Not a directory")

    def test_an_address_in_use(self):
        self.listen()
        self.one_line(self.start("--listen", self.address), "in use")

    def test_counters_that_cannot_be_written(self):
        self.one_line(self.start("--connect", self.address,
                                 "--stats", "/nowhere/stats"),
                      "cannot write in '/nowhere'", 2)


class WrongOtherSide(Mouse):
    def test_http(self):
        self.listen()
        process, qemu = self.connect()
        qemu.sock.sendall(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n")
        qemu.close()
        self.one_line(process, "not usb-remote.*HTTP/1.1 400 Bad Request")

    def test_vnc(self):
        self.listen()
        process, qemu = self.connect()
        qemu.sock.sendall(b"RFB 003.008\n")
        self.one_line(process, "not usb-remote.*RFB 003.008")

    def test_it_closes_at_once(self):
        self.listen()
        process, qemu = self.connect()
        qemu.close()
        self.one_line(process, "closed it during the handshake")

    def test_it_says_nothing(self):
        self.listen()
        process, _ = self.connect("--handshake-timeout", "0.1")
        self.one_line(process, "no answer within 0.1 s: is another peer "
                      "connected there")

    def test_who_connects_says_nothing(self):
        process = self.start("--listen", self.address,
                             "--handshake-timeout", "0.1")
        self.connect_when_it_listens()
        self.one_line(process, "no answer within 0.1 s$")

    def test_another_version(self):
        self.listen()
        process, qemu = self.connect(preamble=Preamble(9, 7))
        qemu.flush()
        self.one_line(process, "version 9.7 of usb-remote, this is 0.1")

    def test_another_version_that_tells_us(self):
        self.listen()
        process, qemu = self.connect(preamble=Preamble())
        qemu.qemu.send(Error(code=ErrorCode.VERSION, text="I speak 0.2"))
        qemu.flush()
        self.one_line(process, "QEMU says VERSION: I speak 0.2")

    def test_an_error_of_qemu(self):
        self.listen()
        process, qemu = self.connect()
        qemu.plug_in()
        qemu.qemu.send(Error(code=ErrorCode.UNKNOWN_ID,
                             text="nobody asked\nfor \x1b[31mthis"))
        qemu.flush()
        self.one_line(process, r"UNKNOWN_ID: nobody asked\?for \?\[31mthis")

    def test_a_violation(self):
        self.listen()
        process, qemu = self.connect()
        qemu.plug_in()
        qemu.qemu.epoch = 0
        qemu.qemu.reset()
        qemu.flush()
        self.one_line(process, "broke the protocol: RESET")
        self.assertEqual(qemu.until(Error).code, ErrorCode.UNEXPECTED)

    def test_the_connection_is_lost(self):
        self.listen()
        process, qemu = self.connect()
        qemu.plug_in()
        qemu.close()
        self.one_line(process, f"{self.address}: .*closed it without a word")


class GoodLife(Mouse):
    def configure(self, qemu):
        qemu.plug_in()
        qemu.control(Setup(0, Standard.SET_CONFIGURATION, 1, 0, 0))

    def poll(self, qemu):
        qemu.qemu.submit(0x81, TransferType.INTERRUPT, 8)
        return qemu.until(Complete).data

    def test_signals_end_it_in_order(self):
        self.listen()
        for number in (signal.SIGINT, signal.SIGTERM):
            process, qemu = self.connect()
            self.configure(qemu)
            process.send_signal(number)
            qemu.until(Bye)
            self.assertEqual(self.end(process), (0, "", ""))

    def test_signals_end_it_before_anything_else(self):
        self.listen()
        process, _ = self.connect()
        process.terminate()
        self.assertEqual(self.end(process), (0, "", ""))

    def test_removed_by_qemu(self):
        self.listen()
        process, qemu = self.connect()
        self.configure(qemu)
        qemu.qemu.bye()
        qemu.flush()
        self.assertEqual(self.end(process),
                         (0, "mouse.py: QEMU removed the device\n", ""))

    def test_removed_by_qemu_is_said_once(self):
        self.listen()
        process, qemu = self.connect()
        qemu.plug_in()
        qemu.qemu.say(Bye, reason=ByeReason.REMOVED,
                      text="the device was removed from the machine")
        qemu.flush()
        self.assertEqual(self.end(process),
                         (0, "mouse.py: QEMU removed the device\n", ""))

    def told(self, *options):
        """What it says when it is plugged in, configured and removed."""
        self.listen()
        process, qemu = self.connect(*options)
        self.configure(qemu)
        qemu.qemu.bye()
        qemu.flush()
        return self.end(process)[2]

    def test_verbose_tells_its_life(self):
        self.assertEqual(self.told("-v").splitlines(), [
            "mouse.py: connected to QEMU's device 'test'",
            "mouse.py: plugged in at full speed",
            "mouse.py: configured by the guest",
            "mouse.py: unplugged"])

    def test_very_verbose_has_nothing_of_asyncio(self):
        self.assertNotIn("selector", self.told("-vv"))

    def test_speeds(self):
        self.listen()
        for text, mask in (("low", 1), ("full", 2), ("high", 4),
                           ("super", 8), ("full,high", 6)):
            process, qemu = self.connect("--speed", text)
            self.assertEqual(qemu.until(Attach).speeds, mask)
            process.terminate()
            self.end(process)
        process, qemu = self.connect()
        self.assertEqual(qemu.until(Attach).speeds, 1 << Speed.FULL)

    def test_reports_log_and_counters(self):
        self.listen()
        log = os.path.join(self.directory, "log")
        stats = os.path.join(self.directory, "stats")
        process, qemu = self.connect("--report-log", log, "--stats", stats,
                                     "--rate", "1000", "--turns", "1",
                                     "--radius", "10")
        self.configure(qemu)
        reports = [self.poll(qemu) for _ in range(360)]
        qemu.qemu.submit(0x81, TransferType.INTERRUPT, 8)
        qemu.flush()
        self.wait_for(stats, process, {"0x00": 1, "0x81": 361})
        process.terminate()
        self.assertEqual(self.end(process)[0], 0)
        with open(stats) as file:
            counters = json.load(file)
        self.assertEqual(counters["completes"], {"0x00": 1, "0x81": 360})
        self.assertEqual(counters["bytes_in"], 360 * 3)
        with open(log) as file:
            lines = [tuple(map(int, line.split())) for line in file]
        self.assertEqual(lines, [tuple(b - 256 if b > 127 else b
                                       for b in r[1:]) for r in reports])
        self.assertEqual([sum(x) for x in zip(*lines)], [0, 0])

    def wait_for(self, stats, process, submits):
        """Ask for the counters until they say so."""
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            process.send_signal(signal.SIGUSR2)
            try:
                with open(stats) as file:
                    if json.load(file)["submits"] == submits:
                        return
            except FileNotFoundError:
                pass
            time.sleep(0.01)
        self.fail("the counters never said so")

    def test_sigusr1_moves_an_idle_mouse(self):
        self.listen()
        process, qemu = self.connect("--idle")
        self.configure(qemu)
        qemu.qemu.submit(0x81, TransferType.INTERRUPT, 8)
        qemu.flush()
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(qemu.until(Complete).data, b"\0\1\0")

    def test_counters_are_written_after_an_error_too(self):
        stats = os.path.join(self.directory, "stats")
        self.end(self.start("--connect", self.address, "--stats", stats))
        with open(stats) as file:
            self.assertEqual(json.load(file)["connections"], 0)

    def test_reconnect_outlives_qemu_and_its_absence(self):
        process = self.start("--connect", self.address, "--reconnect")
        self.listen()
        for _ in range(2):
            qemu = SocketQemu(self.listener.accept()[0])
            self.configure(qemu)
            qemu.close()
        qemu = SocketQemu(self.listener.accept()[0])
        self.addCleanup(qemu.close)
        self.configure(qemu)
        process.terminate()
        qemu.until(Bye)
        self.assertEqual(self.end(process), (0, "", ""))

    def test_reconnect_does_not_outlive_a_refusal(self):
        self.listen()
        process, qemu = self.connect("--reconnect")
        qemu.qemu.send(Error(code=ErrorCode.VERSION, text="no"))
        qemu.flush()
        self.one_line(process, "VERSION: no")

    def test_listen(self):
        process = self.start("--listen", self.address)
        qemu = self.connect_when_it_listens()
        self.configure(qemu)
        self.assertEqual(len(self.poll(qemu)), 3)
        process.terminate()
        qemu.until(Bye)
        self.assertEqual(self.end(process), (0, "", ""))
        self.assertFalse(os.path.exists(self.path))

    def test_requests_that_nobody_answered_are_told_at_the_end(self):
        self.listen()
        process, qemu = self.connect()
        self.configure(qemu)
        for _ in range(2):
            qemu.control(Setup(0xc0, 0x77, 0, 0, 1))
        process.terminate()
        self.assertRegex(self.end(process)[2],
                         r"\Amouse.py: nobody answered 2 x vendor request "
                         r"0x77 to device.*\n\Z")


if __name__ == "__main__":
    unittest.main()
