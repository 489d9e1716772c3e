# SPDX-License-Identifier: GPL-2.0-or-later
"""The asyncio transport over real sockets."""

import asyncio
import os
import socket
import tempfile
import threading
import unittest
from unittest import mock

from support import SocketQemu

from usbremote import transport
from usbremote.codec import Bye, Error, Preamble
from usbremote.device import Device
from usbremote.errors import (ConnectionLost, LocalError, NotUsbRemote,
                              RemoteError, Refused)
from usbremote.setup import Setup
from usbremote.port import Port
from usbremote.transport import Address, Link, Server
from usbremote._proto import ByeReason, ErrorCode


class InThread:
    """Run a blocking function beside the event loop; join() re-raises."""

    def __init__(self, function, *args):
        self.error = None

        def main():
            try:
                function(*args)
            except BaseException as err:
                self.error = err
        self.thread = threading.Thread(target=main)
        self.thread.start()

    def join(self):
        self.thread.join(30)
        if self.error is not None:
            raise self.error
        assert not self.thread.is_alive()


class Sockets(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "socket")
        self.listener = None

    def listen(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listener.close)
        self.listener.bind(self.path)
        self.listener.listen()

    def run_server(self, script, address=None, **options):
        """
        Run a Server while script(server) plays QEMU in a thread; returns
        what run() does.
        """
        async def main():
            server = Server(lambda hello: Device(),
                            Address.parse(address or f"unix:{self.path}"),
                            **options)
            self.loop = asyncio.get_running_loop()
            thread = InThread(script, server)
            try:
                return await asyncio.wait_for(server.run(), 30)
            finally:
                await self.loop.run_in_executor(None, thread.join)
        return asyncio.run(main())

    def stop(self, server):
        self.loop.call_soon_threadsafe(server.stop)

    def accept(self, **options):
        return SocketQemu(self.listener.accept()[0], **options)

    def connect(self):
        """Connect to a server that may not listen yet."""
        while True:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(self.path)
                return SocketQemu(sock)
            except (FileNotFoundError, ConnectionRefusedError):
                sock.close()
                os.sched_yield()


class Connecting(Sockets):
    def test_handshake_request_and_a_removed_device(self):
        self.listen()

        def script(server):
            qemu = self.accept()
            qemu.plug_in()
            answer = qemu.control(Setup(0x80, 6, 0x100, 0, 18))
            self.assertEqual(len(answer.data), 18)
            qemu.qemu.bye()
            qemu.flush()
            self.assertEqual(qemu.sock.recv(100), b"")
            qemu.close()
        closed = self.run_server(script)
        self.assertEqual((closed.error, closed.bye),
                         (None, ByeReason.REMOVED))

    def test_byte_by_byte(self):
        self.listen()

        def script(server):
            qemu = self.accept()
            for byte in qemu.qemu.data_to_send():
                qemu.sock.sendall(bytes((byte,)))
            qemu.plug_in()
            self.stop(server)
            qemu.until(Bye)
            qemu.close()
        self.assertIsNone(self.run_server(script))

    def test_stop_says_bye(self):
        self.listen()

        def script(server):
            qemu = self.accept()
            qemu.plug_in()
            self.stop(server)
            self.assertEqual(qemu.until(Bye).reason, ByeReason.DONE)
            self.assertEqual(qemu.sock.recv(100), b"")
            qemu.close()
        self.assertIsNone(self.run_server(script))

    def test_a_lost_connection(self):
        self.listen()

        def script(server):
            qemu = self.accept()
            qemu.plug_in()
            qemu.close()
        with self.assertRaises(ConnectionLost):
            self.run_server(script)

    def test_a_connection_lost_in_the_middle_of_a_message(self):
        self.listen()

        def script(server):
            qemu = self.accept()
            qemu.sock.sendall(Preamble().encode()[:5])
            qemu.close()
        with self.assertRaisesRegex(ConnectionLost, "handshake"):
            self.run_server(script)

    def test_something_else_is_there(self):
        self.listen()

        def script(server):
            sock = self.listener.accept()[0]
            sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            sock.close()
        with self.assertRaisesRegex(NotUsbRemote, "HTTP/1.1 400"):
            self.run_server(script)

    def test_last_words_are_heard_though_nothing_can_be_written(self):
        async def main():
            ours, theirs = socket.socketpair()
            theirs.sendall(b"RFB 003.008\n")
            theirs.close()
            link = Link(Port(asyncio.get_running_loop(),
                             lambda hello: Device()), None)
            await asyncio.get_running_loop().create_connection(
                lambda: link, sock=ours)
            await link.ended
            return link.result()
        with self.assertRaisesRegex(NotUsbRemote, "RFB 003.008"):
            asyncio.run(main())

    def test_who_has_to_wait_is_told_why_it_may_be(self):
        self.listen()           # and never accepts
        with mock.patch.object(transport, "PATIENCE", 0.01), \
                self.assertLogs("usbremote.transport", "WARNING") as logs, \
                self.assertRaises(ConnectionLost):
            self.run_server(lambda server: None, timeout=0.05)
        self.assertIn("no answer yet: is another peer connected",
                      logs.output[0])

    def test_nobody_answers(self):
        self.listen()           # and never accepts
        with self.assertRaisesRegex(ConnectionLost, "within 0.05 s"):
            self.run_server(lambda server: None, timeout=0.05)

    def test_a_violation_of_qemu_is_told_and_ends_it(self):
        self.listen()

        def script(server):
            qemu = self.accept()
            qemu.plug_in()
            qemu.qemu.epoch -= 1
            qemu.qemu.reset()   # to the epoch that is
            self.assertEqual(qemu.until(Error).code, ErrorCode.UNEXPECTED)
            qemu.close()
        with self.assertRaisesRegex(RemoteError, "broke the protocol.*RESET"):
            self.run_server(script)

    def test_a_refusal(self):
        self.listen()

        def script(server):
            qemu = self.accept()
            qemu.qemu.send(Error(code=ErrorCode.VERSION, text="too old"))
            qemu.flush()
            while qemu.sock.recv(1000):
                pass
            qemu.close()
        with self.assertRaisesRegex(Refused, "VERSION: too old"):
            self.run_server(script)

    def test_nothing_is_there(self):
        with self.assertRaisesRegex(ConnectionLost, "No such file"):
            self.run_server(lambda server: None)

    def test_a_file_is_there(self):
        with open(self.path, "w"):
            pass
        with self.assertRaisesRegex(LocalError, "not a socket"):
            self.run_server(lambda server: None)

    def test_reconnect_waits_and_connects_again(self):
        def script(server):
            self.listen()       # later than the first attempt, or not
            for end in ("close", "bye", "stop"):
                qemu = self.accept()
                qemu.plug_in()
                if end == "bye":
                    qemu.qemu.bye()
                    qemu.flush()
                    self.assertEqual(qemu.sock.recv(100), b"")
                if end == "stop":
                    self.stop(server)
                    qemu.until(Bye)
                qemu.close()
            self.counters = server.counters
        self.assertIsNone(self.run_server(script, reconnect=True))
        self.assertEqual(self.counters.connections, 3)

    def test_tcp(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        port = self.listener.getsockname()[1]

        def script(server):
            qemu = self.accept()
            qemu.plug_in()
            self.stop(server)
            qemu.until(Bye)
            qemu.close()
        self.assertIsNone(self.run_server(script, f"tcp:127.0.0.1:{port}"))


class Listening(Sockets):
    def test_one_connection(self):
        def script(server):
            qemu = self.connect()
            qemu.plug_in()
            qemu.close()
        with self.assertRaises(ConnectionLost):
            self.run_server(script, listen=True)
        self.assertFalse(os.path.exists(self.path))

    def test_many_at_a_time_with_reconnect(self):
        def script(server):
            both = [self.connect(), self.connect()]
            for qemu in both:
                qemu.plug_in()
            self.assertEqual(len(server.devices()), 2)
            both.pop().close()
            stranger = self.connect()
            stranger.sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while stranger.sock.recv(1000):
                pass
            stranger.close()
            both.append(self.connect())
            both[1].plug_in()
            self.stop(server)
            for qemu in both:
                qemu.until(Bye)
                qemu.close()
        with self.assertLogs("usbremote.transport", "WARNING"):
            self.assertIsNone(self.run_server(script, listen=True,
                                              reconnect=True))

    def test_a_dead_socket_is_taken_away(self):
        self.listen()
        self.listener.close()

        def script(server):
            self.connect().close()
        with self.assertRaises(ConnectionLost):
            self.run_server(script, listen=True)

    def test_what_is_in_use_is_left_alone(self):
        self.listen()
        with self.assertRaisesRegex(LocalError, "in use"):
            self.run_server(lambda server: None, listen=True)
        self.assertTrue(os.path.exists(self.path))

    def test_a_file_is_left_alone(self):
        with open(self.path, "w"):
            pass
        with self.assertRaisesRegex(LocalError, "not a socket"):
            self.run_server(lambda server: None, listen=True)
        self.assertTrue(os.path.exists(self.path))


class Addresses(unittest.TestCase):
    def test_good_ones(self):
        self.assertEqual(Address.parse("unix:a:b").host, "a:b")
        for text, host, port in (("tcp:h:1", "h", 1),
                                 ("tcp:[::1]:65535", "::1", 65535)):
            address = Address.parse(text)
            self.assertEqual((address.host, address.port), (host, port))

    def test_bad_ones_name_what_is_right(self):
        for text in ("", "x", "unix:", "unix", "tcp:", "tcp:h", "tcp:h:",
                     "tcp::1", "tcp:h:65536", "tcp:h:-1", "udp:h:1",
                     "/tmp/socket"):
            with self.assertRaisesRegex(LocalError, "unix:PATH or tcp:HOST"):
                Address.parse(text)


if __name__ == "__main__":
    unittest.main()
