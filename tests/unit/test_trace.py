# SPDX-License-Identifier: GPL-2.0-or-later
"""--trace: what it says of each request, and what `run` says by itself."""

import json
import os
import signal
import subprocess
import sys
import unittest

from support import PYTHON, SocketQemu, load_example
import test_cli

from usbremote import Device, Function, Setup, Standard, TransferType
from usbremote.functions import hid
from usbremote.testing import Bench
from usbremote.trace import CYAN, PLAIN, RED, Tracer

TIMEOUT = 30
storage = load_example("storage")
INQUIRY = bytes.fromhex("55534243 03000000 24000000 80 00 06 120000002400"
                        "00000000000000000000")


class Traced(unittest.TestCase):
    def bench(self, make, arguments=(), **options):
        bench = Bench(make, arguments=arguments)
        self.lines = []
        bench.port.session.tap = Tracer(
            lambda line: self.lines.append(line()), bench.port.explain,
            now=bench.now, **options)
        bench.plug_in()
        return bench

    def said(self, bench, setup):
        del self.lines[:]
        bench.control(setup)
        line, = self.lines
        return line

    def test_control_requests_have_their_names(self):
        bench = self.bench(Device)
        for setup, line in (
                (Setup(0x80, 6, 0x100, 0, 8),
                 "   0.0000 ep0  IN  GET_DESCRIPTOR device: 8 of 8, OK, 0.0 "
                 "ms  12 01 00 02 00 00 00 40\n"),
                (Setup(0, 9, 1, 0, 0),
                 "   0.0000 ep0  OUT SET_CONFIGURATION 1: 0 of 0, OK, 0.0 "
                 "ms\n"),
                (Setup(0x80, 6, 0x302, 0x409, 255),
                 "   0.0000 ep0  IN  GET_DESCRIPTOR string 2: 0 of 255, "
                 "STALL, 0.0 ms\n"),
                (Setup(2, 1, 0, 0x81, 0),
                 "   0.0000 ep0  OUT CLEAR_FEATURE 0 of 0x81: 0 of 0, STALL, "
                 "0.0 ms\n"),
                (Setup(0xa1, 0x20, 1, 2, 4),
                 "   0.0000 ep0  IN  class 0x20 to interface, wValue 0x0001, "
                 "wIndex 0x0002: 0 of 4, STALL, 0.0 ms\n")):
            self.assertEqual(self.said(bench, setup), line)

    def test_a_declared_request_has_the_name_of_its_method(self):
        class One(Device):
            def __init__(self):
                self.functions = [hid.Mouse()]
        self.assertIn(" OUT set_idle (class 0x0a to interface, ", self.said(
            self.bench(One), Setup(0x21, hid.SET_IDLE, 0, 0, 0)))

    def test_functions_say_what_their_data_is(self):
        bench = self.bench(storage.Disk, ["--size", "8M"])
        bench.configure()
        del self.lines[:]
        bench.write(1, INQUIRY)
        bench.read(0x81, 36)
        bench.read(0x81, 13)
        command, data, status = self.lines
        self.assertIn("0x01 OUT CBW INQUIRY, tag 3, LUN 0, 36 bytes from the "
                      "device, 12 00 00 00 24 00: 31 of 31, OK", command)
        self.assertIn("0x81 IN  bulk: 36 of 36, OK", data)
        self.assertTrue(data.endswith(" ...\n"))
        self.assertIn("0x81 IN  CSW tag 3, status 0, residue 0: 13 of 13",
                      status)

    def test_how_long_it_took_and_when_it_came(self):
        class Slow(Device):
            async def control(self, setup):
                await self.sleep(0.25)
                return b""
        bench = self.bench(Slow)
        bench.exchange(2)
        bench.qemu.control(Setup(0xc0, 1, 0, 0, 4))
        bench.exchange(1)
        self.assertEqual(self.lines, [
            "   2.0000 ep0  IN  vendor 0x01 to device, wValue 0x0000, wIndex "
            "0x0000: 0 of 4, OK, 250.0 ms\n"])

    def test_what_a_reset_ends_is_void(self):
        bench = self.bench(Device)
        bench.configure()
        bench.device.ep_in(1)
        bench.read(0x81, 8, TransferType.INTERRUPT)
        bench.qemu.reset()
        bench.exchange()
        self.assertIn("0x81 IN  interrupt: 0 of 8, void", self.lines[-1])

    def test_colours(self):
        bench = self.bench(Device, colours=True)
        self.assertIn(f"{CYAN}GET_CONFIGURATION{PLAIN}: 1 of 1, OK,",
                      self.said(bench, Setup(0x80, 8, 0, 0, 1)))
        self.assertIn(f", {RED}STALL{PLAIN}, ",
                      self.said(bench, Setup(0xc0, 8, 0, 0, 1)))

    def test_for_programs(self):
        bench = self.bench(Device, as_json=True)
        found = json.loads(self.said(bench, Setup(
            0x80, Standard.GET_CONFIGURATION, 0, 0, 1)))
        self.assertEqual(found, {
            "time": 0, "endpoint": 0, "in": True, "type": "control",
            "name": "GET_CONFIGURATION", "setup": "8008000000000100",
            "asked": 1, "length": 1, "status": "OK", "seconds": 0,
            "data": "00"})

    def test_what_a_function_cannot_explain_does_no_harm(self):
        class Wrong(Function):
            def interfaces(self, place):
                return hid.Mouse().interfaces(place)

            def explain(self, endpoint, data):
                return data[99]

        class One(Device):
            def __init__(self):
                self.functions = [Wrong()]
        bench = self.bench(One)
        bench.configure()
        with self.assertLogs("usbremote", "ERROR"):
            bench.spawn(bench.device.functions[0].ep_in(1).send(b"x"))
            id = bench.read(0x81, 8, TransferType.INTERRUPT)
        self.assertEqual(bench.answered(id).data, b"x")


class InPrograms(test_cli.Mouse):
    def run_package(self, *options):
        process = subprocess.Popen(
            [sys.executable, "-m", "usbremote", "run", "mouse", "--connect",
             self.address, *options], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(PYTHON)})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.stderr.close)
        self.addCleanup(self.reap, process)
        qemu = SocketQemu(self.listener.accept()[0])
        self.addCleanup(qemu.close)
        qemu.plug_in()
        qemu.control(Setup(0, Standard.SET_CONFIGURATION, 1, 0, 0))
        return process, qemu

    def end_of(self, process):
        process.send_signal(signal.SIGTERM)
        return process.communicate(timeout=TIMEOUT)

    def test_run_tells_the_life_of_a_device(self):
        self.listen()
        process, _ = self.run_package()
        self.assertEqual(self.end_of(process)[1].splitlines(), [
            "mouse.py: connected to QEMU's device 'test'",
            "mouse.py: plugged in at full speed",
            "mouse.py: configured by the guest",
            "mouse.py: unplugged"])

    def test_but_not_when_it_is_told_to_be_silent(self):
        self.listen()
        process, _ = self.run_package("--log-level", "warning")
        self.assertEqual(self.end_of(process), ("", ""))

    def test_a_trace_goes_to_standard_output(self):
        self.listen()
        process, _ = self.run_package("--trace")
        out, _ = self.end_of(process)
        self.assertRegex(out, r"(?m)^ +\d+\.\d{4} ep0  OUT "
                              r"SET_CONFIGURATION 1: 0 of 0, OK, ")

    def test_a_reader_of_the_trace_that_leaves_ends_nothing(self):
        self.listen()
        process, qemu = self.run_package("--trace=json")
        self.assertEqual(json.loads(process.stdout.readline())["name"],
                         "SET_CONFIGURATION 1")
        process.stdout.close()
        for _ in range(3):
            answer = qemu.control(Setup(0x80, 8, 0, 0, 1))
            self.assertEqual(answer.data, b"\1")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(TIMEOUT), 0)


if __name__ == "__main__":
    unittest.main()
