# SPDX-License-Identifier: GPL-2.0-or-later
"""Signals, also to devices whose code never lets anything else run."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

from support import PYTHON, SocketQemu

from usbremote import Setup
from usbremote.codec import Bye
from usbremote.watchdog import Watchdog

TIMEOUT = 30
HEAD = """import time
from usbremote import Device


class Thing(Device):
    deliberate = True           # it has no interfaces
"""
NEVER_WAITS = HEAD + """    async def configured(self):
        while True:
            self.sleep(1)
"""
SLEEPS = HEAD + """    def control(self, setup):
        if setup.request == 9:
            time.sleep(60)
        return super().control(setup)
"""
# A system that has none of this.
NOT_UNIX = """
import asyncio, runpy, signal, socket, sys
for name in ("SIGUSR1", "SIGUSR2", "SIGALRM", "siginterrupt"):
    delattr(signal, name)
def missing(*args):
    raise NotImplementedError
for name in ("add_signal_handler", "remove_signal_handler",
             "create_unix_connection"):
    setattr(asyncio.SelectorEventLoop, name, missing)
sys.argv[0] = "usbremote"
runpy.run_module("usbremote", run_name="__main__", alter_sys=False)
"""


class Programs(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        self.listener.settimeout(TIMEOUT)
        self.address = f"tcp:127.0.0.1:{self.listener.getsockname()[1]}"

    def run_thing(self, text, *python):
        """The running program and QEMU's end, plugged in."""
        path = self.folder / "thing.py"
        path.write_text(text)
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", *(python or ("-m", "usbremote")),
             "run", str(path), "--connect", self.address, "--log-level",
             "warning"], text=True,
            stderr=subprocess.PIPE, cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(PYTHON)})
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        qemu = SocketQemu(self.listener.accept()[0])
        self.addCleanup(qemu.close)
        qemu.plug_in()
        return process, qemu

    def configure(self, qemu):
        qemu.qemu.control(Setup(0, 9, 1, 0, 0))
        qemu.flush()

    def blocked(self, text, line, function):
        """It says where it blocks; two signals end it in order."""
        process, qemu = self.run_thing(text)
        self.configure(qemu)
        said = process.stderr.readline()
        self.assertRegex(said, rf"thing\.py:{line}: {function}\(\) has not "
                               "waited for anything for 1 s")
        process.send_signal(signal.SIGINT)
        time.sleep(0)
        process.send_signal(signal.SIGTERM)
        said = process.stderr.readline()
        self.assertRegex(said, rf"interrupted in .*thing\.py:{line}: "
                               rf"{function}\(\)")
        self.assertEqual(process.wait(TIMEOUT), 130)
        qemu.until(Bye)

    def test_a_coroutine_that_never_waits(self):
        self.blocked(NEVER_WAITS, "[89]", "configured")

    def test_a_handler_that_blocks(self):
        self.blocked(SLEEPS, "9", "control")

    def test_a_system_without_unix_signals_connects_by_tcp(self):
        process, qemu = self.run_thing(HEAD + "    product = 'p'\n", "-c",
                                       NOT_UNIX)
        answer = qemu.control(Setup(0x80, 6, 0x0301, 0x409, 64))
        self.assertEqual(answer.data[2:], "p".encode("utf-16-le"))
        process.send_signal(signal.SIGINT)
        qemu.until(Bye)
        self.assertEqual(process.wait(TIMEOUT), 0, process.stderr.read())

    def test_unix_sockets_that_are_not_there_are_told(self):
        path = self.folder / "socket"
        with socket.socket(socket.AF_UNIX) as there:
            there.bind(str(path))
        done = subprocess.run(
            [sys.executable, "-c", NOT_UNIX, "run", "mouse", "--connect",
             f"unix:{path}"], text=True, stderr=subprocess.PIPE, check=False,
            timeout=TIMEOUT, env={**os.environ, "PYTHONPATH": str(PYTHON)})
        self.assertIn("use tcp:HOST:PORT", done.stderr)

    def test_signals_at_the_end_leave_no_trace(self):
        """They come while the loop is closed and after that."""
        process, qemu = self.run_thing(HEAD + "    product = 'p'\n")
        for _ in range(200):
            try:
                process.send_signal(signal.SIGUSR2)
            except ProcessLookupError:
                break
        qemu.qemu.bye()
        qemu.flush()
        while process.poll() is None:
            process.send_signal(signal.SIGUSR2)
            os.sched_yield()
        said = process.stderr.read()
        self.assertNotIn("Exception ignored", said)
        self.assertNotIn("Traceback", said)


class Watching(unittest.TestCase):
    def watched(self, function, seconds=0.02):
        """What the watchdog says while this runs in a loop."""
        async def main():
            with Watchdog(seconds):
                await function()
        with self.assertLogs("usbremote.watchdog", "WARNING") as logs:
            asyncio.run(main())
        return logs.output

    def test_a_blockage_is_told_once(self):
        gate = threading.Event()

        async def blocks():
            gate.wait(0.3)
            await asyncio.sleep(0)
        said, = self.watched(blocks)
        self.assertIn(f"{__file__}:", said)
        self.assertIn("blocks()", said)

    def test_work_that_waits_now_and_then_is_none(self):
        async def works():
            end = time.monotonic() + 0.2
            while time.monotonic() < end:
                await asyncio.sleep(0)

        async def main():
            with Watchdog(0.05):
                await works()
        with self.assertNoLogs("usbremote.watchdog") if hasattr(
                self, "assertNoLogs") else self.subTest():
            asyncio.run(main())


if __name__ == "__main__":
    unittest.main()
