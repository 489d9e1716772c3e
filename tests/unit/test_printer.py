# SPDX-License-Identifier: GPL-2.0-or-later
"""The printer without a guest."""

import contextlib
import errno
import io
import tempfile
import unittest
from pathlib import Path

from support import load_example, options_of

from usbremote._proto import Speed, Status
from usbremote.setup import Setup
from usbremote.testing import Bench

printer = load_example("printer")


class FullDisk:
    """A file on it."""

    def write(self, data):
        raise OSError(errno.ENOSPC, "No space left on device")


class Printer(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "job"

    def bench(self, speed=Speed.FULL):
        options = options_of(printer.Printer, "--output", str(self.path))
        self.addCleanup(options.output.close)
        bench = Bench(lambda: printer.Printer(options))
        bench.plug_in(speed)
        bench.configure()
        return bench

    def status(self, bench):
        return bench.control(Setup(0xa1, 1, 0, 0, 1)).data[0]

    def signal(self, bench, where):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            bench.device.on_user_signal()
        self.assertEqual(out.getvalue(), f"paper is {where}\n")

    def test_a_job_without_a_short_packet_is_written_at_once(self):
        bench = self.bench(Speed.HIGH)
        bench.write(0x01, bytes(range(256)) * 4)
        self.assertEqual(self.path.read_bytes(), bytes(range(256)) * 4)

    def test_jobs_are_appended(self):
        self.path.write_bytes(b"before")
        bench = self.bench()
        bench.write(0x01, b"one")
        bench.write(0x01, b"two")
        self.assertEqual(self.path.read_bytes(), b"beforeonetwo")

    def test_without_paper_it_takes_nothing_and_says_so(self):
        bench = self.bench()
        self.signal(bench, "out")
        id = bench.write(0x01, bytes(128))
        bench.exchange(60)
        self.assertIsNone(bench.answer_to(id))
        self.assertEqual(self.status(bench), 0x38)
        self.signal(bench, "in")
        bench.exchange(1)
        self.assertEqual(bench.answer_to(id).status, Status.OK)
        self.assertEqual(self.path.read_bytes(), bytes(128))
        self.assertEqual(self.status(bench), 0x18)

    def test_a_full_disk_is_an_error_until_there_is_room(self):
        bench = self.bench()
        disk, bench.device.options.output = (bench.device.options.output,
                                             FullDisk())
        with self.assertLogs(level="ERROR") as logged:
            bench.write(0x01, bytes(1000))
        self.assertIn("No space left", logged.output[0])
        self.assertEqual(self.status(bench), 0x10)
        id = bench.write(0x01, b"more")
        self.assertEqual(bench.answer_to(id).status, Status.STALL)
        bench.device.options.output = disk
        bench.control(Setup(2, 1, 0, 0x01, 0))      # CLEAR_FEATURE
        bench.write(0x01, b"room")
        self.assertEqual(self.path.read_bytes(), b"room")
        self.assertEqual(self.status(bench), 0x18)

    def test_the_device_id_has_its_length_before_it(self):
        data = self.bench().control(Setup(0xa1, 0, 0, 0, 255)).data
        self.assertEqual(int.from_bytes(data[:2], "big"), len(data))
        self.assertEqual(data[2:], b"MFG:usb-remote;MDL:Python Printer;"
                         b"CMD:PCL,POSTSCRIPT;CLS:PRINTER;")

    def test_a_soft_reset_is_accepted_in_both_forms(self):
        bench = self.bench()
        for request_type in 0x21, 0x23:
            answer = bench.control(Setup(request_type, 2, 0, 0, 0))
            self.assertEqual(answer.status, Status.OK)


if __name__ == "__main__":
    unittest.main()
