# SPDX-License-Identifier: GPL-2.0-or-later
"""Typical mistakes, and the one line that each of them gets."""

import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import PYTHON
from test_commands import Commands

from usbremote import Configuration, Device, Endpoint, Interface, TransferType
from usbremote.testing import Bench

TIMEOUT = 60
HEAD = """from usbremote import (Configuration, Device, Endpoint, Interface,
                       Kind, Direction, Recipient, Speed, TransferType,
                       control)
from usbremote.functions import hid
BULK, INTERRUPT = TransferType.BULK, TransferType.INTERRUPT


class Thing(Device):
"""
INTERFACE = """
    def configurations(self, speed):
        return [Configuration([Interface(endpoints=[Endpoint(%s)])])]
"""
INTERFACES = """
    def configurations(self, speed):
        return [Configuration([%s])]
"""
GOOD = INTERFACE % "0x81, BULK"

# the body of a class, what is remarked of it
REMARKS = (
    ("    def configuration(self, s): return []",
     r"Thing\.configuration hides Device\.configuration: is configurations "
     "meant"),
    ("    pass", "has no interfaces: override configurations"),
    (INTERFACES % "Interface(endpoints=[Endpoint(0x81, BULK), "
                  "Endpoint(0x81, BULK)])",
     r"thing\.py:11: endpoint 0x81 is declared twice"),
    (INTERFACES % "Interface(endpoints=[Endpoint(0x81, BULK)]), "
                  "Interface(endpoints=[Endpoint(0x81, BULK)])",
     "endpoint 0x81 is declared twice"),
    (INTERFACES % "Interface(number=0), Interface(number=0)",
     r"thing\.py:11: interface 0 is declared twice: give one a number"),
    (INTERFACES % "Interface(), Interface(number=3)",
     "not numbered 0, 1, ...: 0, 3"),
    (GOOD + "    def start(self): pass", r"Thing\.start hides Device\.start"),
    (GOOD + "    async def on_reset(self, speed): pass",
     r"Thing\.on_reset\(\) must not be 'async def'"),
    (GOOD + "    def configured(self): pass",
     r"Thing\.configured\(\) has to be 'async def'"),
    (GOOD + "    def on_attach(self, speed): pass",
     r"nothing calls Thing\.on_attach\(\) by itself: is on_attached meant"),
    (INTERFACE % "0x81, BULK, 512",
     r"thing\.py:11: endpoint 0x81: bulk packets at full speed have 8 or 16 "
     "or 32 or 64 bytes, not 512"),
    ("    speeds = (Speed.LOW,)" + GOOD, "is bulk, which at low speed does"),
    (INTERFACE % "0x81, INTERRUPT, 64, 1" + "    speeds = (Speed.LOW,)",
     "64 bytes are more than the 8 of interrupt at low speed"),
    (INTERFACE % "0x81, INTERRUPT", "is never polled: it needs period_ms"),
    (INTERFACE % "0x80, BULK", "endpoint 0x80 is none: addresses are"),
    (GOOD + "    product = 'x' * 200", "'xxxxxxxxxxxxxxxxxxxx'... is cut"),
)

# the body of a class, the line that refuses it
ERRORS = (
    (INTERFACE % "0x81, INTERRUPT, period=10",
     r"thing\.py:11: TypeError: .*'period'"),
    ("    def configurations(self, s):\n"
     "        return [Configuration([], max_power=1000)]",
     r"thing\.py:10: Configuration 1: max_power // 2 is 500, and has to be "
     "from 0 to 255"),
    (INTERFACE % "0x181, BULK",
     r"thing\.py:11: Endpoint 0x181: bEndpointAddress is 385"),
    (INTERFACE % "'0x81', BULK",
     r"Endpoint '0x81': bEndpointAddress is '0x81', and has to be a number"),
    ("    vendor_id = 70000" + GOOD,
     r"thing\.py: Thing: Device: idVendor is 70000"),
    ("    speeds = Speed.FULL", "speeds is .*, and has to be a tuple"),
    ("    @control(Kind.VENDOR, Recipient.DEVICE, 1, Direction.IN)\n"
     "    def rate(self, speed): pass", "a request has no 'speed'; a handler "
     "takes any of setup, request, value"),
    ("    def __init__(self, options):\n"
     "        super().__init__(options)\n"
     "        self.functions = [hid.Mouse() for _ in range(16)]",
     "needs more than 15 IN endpoints"),
)

COMMAND_LINES = (
    ("address 'usb.sock'.*unix:usb.sock?", "run", "mouse", "--connect",
     "usb.sock"),
    (r"address 'localhost:99'.*\(tcp:localhost:99\?\)", "run", "mouse",
     "--connect", "localhost:99"),
    ("which DEVICE.*comes before its options", "run", "--connect", "unix:x",
     "mouse"),
    ("'mouse' is no command: run mouse?", "mouse"),
    ("'nonsense' is no command, only describe, list, run", "nonsense"),
)


class Mistakes(Commands):
    def test_what_is_odd_is_remarked_on_when_it_is_described(self):
        for body, pattern in REMARKS:
            with self.subTest(pattern):
                code, out, err = self.do("describe",
                                         self.file(f"{HEAD}{body}\n"))
                self.assertEqual((code, err), (0, ""))
                found = [line for line in out.splitlines()
                         if line.startswith("Remark: ")]
                self.assertRegex(found[0], pattern)
                # without configurations() there are no interfaces either
                self.assertEqual(len(found), 1 + ("hides Device.conf"
                                                  in found[0]), found)

    def test_a_device_without_mistakes_has_no_remarks(self):
        out = self.do("describe", self.file(HEAD + GOOD))[1]
        self.assertNotIn("Remark", out)

    def test_a_configuration_given_as_bytes_has_its_interfaces(self):
        raw = "bytes.fromhex('090212000101008032090400000103000000')"
        for key in ("2", "(2, 0)"):
            body = f"    raw_descriptors = {{{key}: {raw}}}\n"
            out = self.do("describe", self.file(HEAD + body))[1]
            self.assertNotIn("Remark", out)

    def test_one_word_says_that_it_is_meant_so(self):
        for body, _ in REMARKS:
            text = f"{HEAD}    deliberate = True\n{body}\n"
            self.assertNotIn("Remark", self.do("describe",
                                               self.file(text))[1])

    def test_what_cannot_be_is_refused_with_its_place(self):
        for body, pattern in ERRORS:
            with self.subTest(pattern):
                self.refused(pattern, "describe",
                             self.file(f"{HEAD}{body}\n"))

    def test_wrong_command_lines(self):
        for pattern, *words in COMMAND_LINES:
            with self.subTest(words):
                self.refused(pattern, *words)

    def test_the_version(self):
        self.assertRegex(self.do("--version")[1], r"^usbremote \d+\.\d+")


class InAProgram(unittest.TestCase):
    def run_package(self, *arguments, code=None):
        return subprocess.run(
            [sys.executable, *(("-c", code) if code else ("-m", "usbremote")),
             *arguments], text=True, timeout=TIMEOUT, check=False,
            capture_output=True, env={**os.environ,
                                      "PYTHONPATH": str(PYTHON)})

    def test_run_says_it_too_and_goes_on(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "thing.py"
            path.write_text(HEAD + GOOD + "    def start(self): pass\n")
            done = self.run_package("run", str(path), "--connect",
                                    "unix:/nowhere/x")
        first, second = done.stderr.splitlines()
        self.assertIn("Thing.start hides Device.start", first)
        self.assertIn("cannot connect", second)

    def test_a_reader_that_has_enough_is_no_error(self):
        done = subprocess.run(
            [f"{sys.executable} -m usbremote describe mouse "
             "--speed full,high,super | true"], shell=True, text=True,
            timeout=TIMEOUT, check=False, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(PYTHON)})
        self.assertEqual(done.stderr, "")

    def test_an_old_python_is_told(self):
        done = self.run_package(
            code="import sys; sys.version_info = (3, 8, 1); import usbremote")
        self.assertIn("usbremote needs Python 3.9 or later, and this is 3.8",
                      done.stderr)


class Reports(unittest.TestCase):
    """What the guest asks for and a report of 20 bytes."""

    class Thing(Device):
        def configurations(self, speed):
            return [Configuration([Interface(endpoints=[Endpoint(
                0x81, TransferType.INTERRUPT, 8, period_ms=1)])])]

    def setUp(self):
        self.bench = Bench(self.Thing)
        self.bench.plug_in()
        self.bench.configure()

    def answers(self, name):
        pipe = self.bench.device.ep_in(1)
        self.bench.spawn(getattr(pipe, name)(bytes(range(20))))
        found = []
        for _ in range(3):
            id = self.bench.read(0x81, 1, TransferType.INTERRUPT)
            answer = self.bench.answer_to(id)
            found += [answer.data] if answer else []
        return found

    def test_send_cuts_it_and_says_so_once(self):
        with self.assertLogs("usbremote.endpoint", "WARNING") as logs:
            self.assertEqual(self.answers("send"), [b"\0", b"\1", b"\2"])
        self.assertEqual(len(logs.output), 1)
        self.assertIn("asks for 1 bytes, less than a packet", logs.output[0])

    def test_a_packet_stays_whole(self):
        with self.assertLogs("usbremote.endpoint", "WARNING") as logs:
            self.assertEqual(self.answers("send_packet"), [bytes(range(20))])
        self.assertIn("asked for 1 bytes and gets a packet of 20",
                      logs.output[0])


if __name__ == "__main__":
    unittest.main()
