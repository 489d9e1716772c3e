# SPDX-License-Identifier: GPL-2.0-or-later
"""python3 -m usbremote: list, describe, what is wrong with a file."""

import contextlib
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import MOUSE, PYTHON, SocketQemu

from usbremote import commands
from usbremote._proto import MAJOR, MINOR, Speed
from usbremote.codec import Attach, Bye, Detach
from usbremote.loader import DeviceFile, shipped

ECHO = '''"""An echo."""
from usbremote import (Configuration, Device, Endpoint, Interface,
                       TransferType)


class Echo(Device):
    product = "%s"

    @classmethod
    def add_options(cls, parser):
        parser.add_argument("--size", type=int, default=64)

    def configurations(self, speed):
        return [Configuration([Interface(endpoints=[
            Endpoint(0x81, TransferType.BULK, self.options.size)])])]
'''


class Commands(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        before, modules = list(sys.path), dict(sys.modules)
        self.addCleanup(sys.path.__setitem__, slice(None), before)
        self.addCleanup(sys.modules.update, modules)

    def file(self, text, name="thing.py"):
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def do(self, *arguments):
        """Run a command line; (exit status or line, stdout, stderr)."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), \
                contextlib.redirect_stderr(err), \
                self.assertRaises(SystemExit) as ended:
            commands.main(arguments)
        return ended.exception.code, out.getvalue(), err.getvalue()

    def refused(self, pattern, *arguments):
        """It must end with an error that is one line."""
        code, out, err = self.do(*arguments)
        line = code if isinstance(code, str) else err.rstrip("\n")
        self.assertNotIn(code, (0, None))
        self.assertEqual((out, line.count("\n")), ("", 0))
        self.assertRegex(line, pattern)


class Help(Commands):
    def test_everywhere(self):
        for words in ((), ("run",), ("list",), ("describe",),
                      ("run", "mouse"), ("describe", "mouse")):
            with self.subTest(words):
                code, out, _ = self.do(*words, "--help")
                self.assertEqual(code, 0)
                self.assertIn("usage:", out)

    def test_that_of_a_device_has_its_own_options(self):
        for command in ("run", "describe"):
            self.assertIn("--radius", self.do(command, "mouse", "--help")[1])

    def test_wrong_command_lines(self):
        for pattern, *words in (
                ("which command", ), ("'nonsense'", "nonsense"),
                ("which DEVICE", "run"), ("which DEVICE", "describe"),
                ("unrecognized", "list", "x"),
                ("--connect --listen", "run", "mouse"),
                ("bad address 'x'", "run", "mouse", "--connect", "x"),
                ("'0' is no number", "describe", "mouse", "--radius", "0")):
            with self.subTest(words):
                self.refused(pattern, *words)


class List(Commands):
    def test_every_example_with_its_first_line(self):
        code, out, _ = self.do("list")
        self.assertEqual(code, 0)
        names = [line.split()[0] for line in out.splitlines()]
        self.assertEqual(names, sorted(p.stem for p in
                                       MOUSE.parent.glob("*.py")))
        self.assertIn("A USB mouse that moves the pointer", out)

    def test_every_one_can_be_loaded_and_described(self):
        for name, _ in shipped():
            with self.subTest(name):
                DeviceFile(name).load()


class Capabilities(Commands):
    def test_they_are_json(self):
        told = json.loads(self.do("--print-capabilities")[1])
        self.assertEqual(told["protocol"], [MAJOR, MINOR])
        self.assertEqual(told["speeds"], [s.name.lower() for s in Speed])
        self.assertIn("mouse", told["devices"])


class Describe(Commands):
    def lines(self, *arguments):
        code, out, err = self.do("describe", *arguments)
        self.assertEqual((code, err), (0, ""))
        return [" ".join(line.split()) for line in out.splitlines()]

    def test_a_shipped_device(self):
        lines = self.lines("mouse", "--speed", "full,high")
        for line in ("At full speed:", "At high speed:", "idVendor 0x1209",
                     "iProduct 2 Python Mouse", "HID Descriptor:",
                     "bcdHID 1.11", "wDescriptorLength 50",
                     "HID Report: 50 bytes", "09 02 Usage (Mouse)",
                     "bEndpointAddress 0x81 EP 1 IN", "bInterval 10",
                     "bInterval 4", "Device Qualifier Descriptor:",
                     "bMaxPower 100 mA"):
            self.assertIn(line, lines)

    def test_class_descriptors_have_their_names(self):
        lines = self.lines("network")
        for line in ("CDC Header Descriptor:", "bcdCDC 1.20",
                     "CDC Union Descriptor:", "bSubordinateInterface0 1",
                     "CDC Ethernet Descriptor:", "wMaxSegmentSize 1514"):
            self.assertIn(line, lines)
        self.assertIn("iMACAddress", " ".join(lines))
        self.assertIn("020000770002", " ".join(lines))

    def test_a_control_that_only_a_guest_can_wait_for_is_left_alone(self):
        text = """
from usbremote import Device
from usbremote.functions import hid


class Thing(Device):
    def __init__(self, options):
        self.functions = [hid.Mouse()]

    async def control(self, setup):
        return super().control(setup)
"""
        self.assertIn("HID Descriptor:", self.lines(self.file(text)))

    def test_options_of_the_device_count(self):
        self.assertIn("wMaxPacketSize 0x0010 1x 16 bytes",
                      self.lines(self.file(ECHO % "x"), "--size", "16"))

    def test_super_speed_has_companions_and_a_bos(self):
        lines = self.lines("mouse", "--speed", "super")
        self.assertIn("SuperSpeed Endpoint Companion Descriptor:", lines)
        self.assertIn("Binary Object Store Descriptor:", lines)

    def test_nonsense_is_shown_as_it_is(self):
        path = self.file(ECHO % "x" + '''
    raw_descriptors = {1: b"\\x12\\1\\0", 2: bytes.fromhex(
        "09022b00010100803205")}
''')
        lines = self.lines(path)
        self.assertIn("(ends here, after 3 bytes)", lines)
        self.assertIn("makes no sense: 05", lines)
        self.assertIn("wTotalLength is 43, there are 10 bytes", lines)

    def test_what_cannot_be_encoded_is_an_error(self):
        self.refused("at full speed, a descriptor cannot be made: ",
                     "describe", self.file(ECHO % "x"), "--size", "99999")


class WrongFiles(Commands):
    START = ("from usbremote import Device\n\n\n"
             "class Thing(Device):\n")

    def test_what_its_code_raises_at_the_start_is_one_line(self):
        for text, why in (
                ("def __init__(self, options):\n        raise KeyError(1)",
                 r"thing\.py:6: KeyError: 1"),
                ("@classmethod\n    def add_options(cls, parser):\n"
                 "        raise ValueError(1)", r"thing\.py:7: ValueError: 1"),
                ("product = 5", r"thing\.py: TypeError"),
                ("speeds = ()", r"thing\.py: ValueError"),
                ("def configurations(self, speed):\n"
                 "        raise ValueError('two\\nlines')",
                 "cannot be made: two lines$")):
            path = self.file(f"{self.START}    {text}\n", "thing.py")
            for command in (("describe", path),
                            ("run", path, "--connect", "unix:/nowhere/x")):
                with self.subTest(text, command=command[0]):
                    self.refused(why, *command)

    def test_one_line_each(self):
        for text, pattern in (
                ("x = (\n", r"thing\.py:1: "),
                ("import nothing_like_it\n", r"thing\.py:1: ModuleNotFound"),
                ("\n1 / 0\n", r"thing\.py:2: ZeroDivisionError"),
                ("raise SystemExit('no')\n", r"thing\.py:1: SystemExit: no"),
                ("\0", r"thing\.py.*null"),
                ("x = 1\n", r"thing\.py defines no class that is a usbrem"),
                (ECHO % "x" + "\n\nclass B(Device):\n    pass\n",
                 "several devices: add :CLASS, one of Echo, B")):
            with self.subTest(pattern):
                self.refused(pattern, "run", self.file(text), "--connect",
                             "unix:x")

    def test_nothing_of_this_name(self):
        for name in ("nothing_like_it", "/no/file.py", "a.b.c", ".x"):
            self.refused(f"no file, device or module '{name}'", "run", name)

    def test_a_module_that_is_no_device(self):
        self.refused("json.*defines no class", "describe", "json")

    def test_a_class_may_be_named(self):
        path = self.file(ECHO % "x" + "\n\nclass B(Device):\n    pass\n")
        self.assertEqual(DeviceFile(path + ":B").load().__name__, "B")
        self.refused("no class C", "describe", path + ":C")

    def test_a_missing_file_of_a_device_is_one_line(self):
        path = self.file(ECHO % "x" + '''
    def __init__(self, options):
        super().__init__(options)
        open("/no/image")
''')
        self.refused("/no/image: No such file", "run", path, "--connect",
                     "unix:x")


class Process(Commands):
    def test_a_life_with_a_reload(self):
        """The whole of it, over a socket, with a capture."""
        path, pcap = self.file(ECHO % "old"), self.folder / "file.pcap"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.folder / "usb.sock"))
            listener.listen()
            listener.settimeout(60)
            process = subprocess.Popen(
                [sys.executable, "-m", "usbremote", "run", path, "--reload",
                 "--connect", f"unix:{self.folder}/usb.sock", "--pcap", pcap],
                env={**os.environ, "PYTHONPATH": str(PYTHON)},
                stderr=subprocess.PIPE, text=True)
            self.addCleanup(process.stderr.close)
            self.addCleanup(process.kill)
            qemu = SocketQemu(listener.accept()[0])
        self.addCleanup(qemu.close)
        qemu.plug_in()
        self.file(ECHO % "other")
        qemu.until(Detach)
        qemu.qemu.detached()
        qemu.until(Attach)
        process.send_signal(signal.SIGTERM)
        qemu.until(Bye)
        self.assertEqual(process.wait(60), 0)
        self.assertIn("thing.py changed: plugged in anew",
                      process.stderr.read())
        self.assertEqual(pcap.read_bytes()[:4].hex(), "d4c3b2a1")


class Modules(Commands):
    def test_by_name(self):
        self.file(ECHO % "x", "some_device_module.py")
        sys.path.insert(0, str(self.folder))
        self.assertEqual(DeviceFile("some_device_module").load().__name__,
                         "Echo")

    def test_imported_anew_each_time(self):
        path = self.file(ECHO % "old")
        file = DeviceFile(path)
        self.assertEqual(file.load().product, "old")
        before = file.stamp()
        self.file(ECHO % "new")
        self.assertNotEqual(file.stamp(), before)
        self.assertEqual(file.load().product, "new")


if __name__ == "__main__":
    unittest.main()
