# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/python.md: each of its programs does what the page says."""

import os
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import PYTHON, SocketQemu, manual

from usbremote import Setup, Standard, Status
from usbremote.codec import Bye, Detach
from usbremote.descriptors import parse_configuration

TIMEOUT = 60


class Pages(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.path = self.folder / "socket"
        self.address = f"unix:{self.path}"

    def save(self, name):
        (self.folder / name).write_text(manual.markdown(manual.PYTHON, name))

    def start(self, name, *arguments):
        self.save(name)
        process = subprocess.Popen(
            [sys.executable, name, *arguments], cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(PYTHON)})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def listen(self):
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(self.path))
        listener.listen()
        listener.settimeout(TIMEOUT)
        return listener

    def connected(self, sock, **options):
        self.addCleanup(sock.close)
        return SocketQemu(sock, **options)

    def get_descriptor(self, qemu, kind):
        answer = qemu.control(Setup(0x80, Standard.GET_DESCRIPTOR, kind << 8,
                                    0, 255))
        self.assertEqual(answer.status, Status.OK)
        return answer.data

    def test_several_functions(self):
        listener = self.listen()
        self.start("several.py", "--connect", self.address)
        qemu = self.connected(listener.accept()[0])
        qemu.plug_in()
        parsed = parse_configuration(self.get_descriptor(qemu, 2))
        self.assertEqual(parsed.settings, {
            (0, 0): {0x81: 8}, (1, 0): {0x82: 64, 0x01: 64},
            (2, 0): {0x83: 16}, (3, 0): {0x84: 64, 0x03: 64}})

    def test_a_function_of_ones_own_and_its_test(self):
        self.save("sampler.py")
        process = self.start("sampler_test.py")
        self.assertEqual(process.communicate(timeout=TIMEOUT)[0],
                         "both of them count\n")

    def test_plugging_in_and_out(self):
        listener = self.listen()
        process = self.start("stress.py", self.address)
        qemu = self.connected(listener.accept()[0])
        for _ in range(5):
            qemu.plug_in()
            qemu.qemu.control(Setup(0, Standard.SET_CONFIGURATION, 1, 0, 0))
            qemu.until(Detach)
            qemu.qemu.detached()
            qemu.flush()
        qemu.until(Bye)
        qemu.close()
        self.assertEqual(process.communicate(timeout=TIMEOUT)[0], "")
        self.assertEqual(process.returncode, 0)

    def test_many_devices(self):
        self.start("many.py", self.address)
        for select, length in (("mouse", 18), ("broken", 4)):
            qemu = self.connected(self.when_it_listens(), select=select)
            qemu.plug_in()
            self.assertEqual(len(self.get_descriptor(qemu, 1)), length)

    def when_it_listens(self):
        while True:
            sock = socket.socket(socket.AF_UNIX)
            try:
                sock.connect(str(self.path))
                return sock
            except (FileNotFoundError, ConnectionRefusedError):
                sock.close()
                os.sched_yield()


if __name__ == "__main__":
    unittest.main()
