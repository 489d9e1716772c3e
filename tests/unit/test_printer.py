# SPDX-License-Identifier: GPL-2.0-or-later
"""The printer without a guest."""

import contextlib
import errno
import io
import tempfile
import unittest
from pathlib import Path

from support import load_example, options_of

from usbremote import Device
from usbremote._proto import Speed, Status
from usbremote.functions import hid
from usbremote.functions.printer import Printer as Function
from usbremote.setup import Setup
from usbremote.testing import Bench

printer = load_example("printer")


class FullDisk:
    """A file on it, with room for so many bytes."""

    def __init__(self, file, room):
        self.file, self.room = file, room

    def write(self, data):
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        size = self.file.write(data[:self.room])
        self.room -= size
        return size


class Printer(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "job"

    def bench(self, speed=Speed.FULL, *more):
        options = options_of(printer.Printer, "--output", str(self.path),
                             *more)
        self.addCleanup(options.output.close)
        bench = Bench(lambda: printer.Printer(options))
        bench.plug_in(speed)
        bench.configure()
        self.addCleanup(lambda: bench.device.output.close())
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
        disk = bench.device.output
        bench.device.output = FullDisk(disk, 10)
        with self.assertLogs(level="ERROR") as logged:
            bench.write(0x01, b"0123456789lost" + bytes(1000))
        self.assertIn("No space left", logged.output[0])
        self.assertEqual(self.status(bench), 0x10)
        id = bench.write(0x01, b"more")
        self.assertEqual(bench.answer_to(id).status, Status.STALL)
        bench.device.output = disk
        bench.control(Setup(2, 1, 0, 0x01, 0))      # CLEAR_FEATURE
        bench.write(0x01, b"room")
        self.assertEqual(self.path.read_bytes(), b"0123456789room")
        self.assertEqual(self.status(bench), 0x18)

    def jobs(self):
        """What is in each file, by its name."""
        return {path.name: path.read_bytes()
                for path in self.path.parent.iterdir()}

    def test_after_a_pause_the_next_job_has_a_file_of_its_own(self):
        self.path = self.path.with_suffix(".prn")
        bench = self.bench(Speed.FULL, "--pause", "5")
        for seconds, text in ((0, b"1"), (4, b"2"), (6, b"3"), (1, b"4"),
                              (60, b""), (60, b"5")):
            bench.exchange(seconds)
            bench.write(0x01, text)
        self.assertEqual(self.jobs(), {"job.prn": b"12", "job-2.prn": b"34",
                                       "job-3.prn": b"5"})

    def test_a_file_that_is_there_stays_as_it_is(self):
        self.path.write_bytes(b"before")
        Path(f"{self.path}-2").write_bytes(b"too")
        bench = self.bench(Speed.FULL, "--pause", "5")
        bench.write(0x01, b"new")
        self.assertEqual(self.jobs(), {"job": b"before", "job-2": b"too",
                                       "job-3": b"new"})

    def test_a_reset_or_another_plug_ends_a_job_if_they_are_told_apart(self):
        for more, files in (((), {"job": b"123"}),
                            (("--pause", "5"), {
                                "job": b"1", "job-2": b"2", "job-3": b"3"})):
            self.setUp()
            bench = self.bench(Speed.FULL, *more)
            bench.write(0x01, b"1")
            bench.control(Setup(0x21, 2, 0, 0, 0))
            bench.write(0x01, b"2")
            bench.plug_in()
            bench.configure()
            bench.write(0x01, b"3")
            self.assertEqual(self.jobs(), files)

    def test_a_job_that_waits_for_paper_is_one(self):
        bench = self.bench(Speed.FULL, "--pause", "5")
        bench.write(0x01, b"1")
        self.signal(bench, "out")
        bench.write(0x01, b"2")
        bench.write(0x01, b"3")
        bench.exchange(60)
        self.signal(bench, "in")
        bench.exchange(1)
        self.assertEqual(self.jobs(), {"job": b"123"})

    def test_a_file_that_cannot_be_made_is_an_error_until_it_can(self):
        bench, folder = self.bench(Speed.FULL, "--pause", "5"), self.path.parent
        for text in b"1", b"2":
            bench.write(0x01, text)
            bench.exchange(6)
        elsewhere = folder.rename(folder.with_name(f"{folder.name}-moved"))
        with self.assertLogs(level="ERROR") as logged:
            bench.write(0x01, b"lost")
        self.assertIn("job-2", logged.output[0])
        elsewhere.rename(folder)
        bench.control(Setup(2, 1, 0, 0x01, 0))      # CLEAR_FEATURE
        bench.write(0x01, b"3")
        self.assertEqual(self.jobs(), {"job": b"1", "job-2": b"2",
                                       "job-3": b"3"})

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


class Several(unittest.TestCase):
    """functions.printer beside other functions."""

    def setUp(self):
        self.paper, self.resets = [], []
        self.printers = [
            Function(self.paper.append, model=model,
                     on_reset=lambda: self.resets.append(1))
            for model in ("one", "two")]

        class Thing(Device):
            def __init__(device):
                device.functions = [hid.Mouse(), *self.printers]
        self.bench = Bench(Thing)
        self.bench.plug_in()
        self.bench.configure()

    def test_the_device_id_is_asked_with_the_interface_in_the_high_byte(self):
        for number, model in ((1, b"one"), (2, b"two")):
            answer = self.bench.control(Setup(0xa1, 0, 0, number << 8, 255))
            self.assertIn(b"MDL:%b;" % model, answer.data)

    def test_another_interface_has_no_device_id(self):
        for index in (0, 0x0300):
            answer = self.bench.control(Setup(0xa1, 0, 0, index, 255))
            self.assertEqual(answer.status, Status.STALL)

    def test_each_has_its_own_paper(self):
        self.printers[0].paper = False
        for number, status in ((1, 0x38), (2, 0x18)):
            answer = self.bench.control(Setup(0xa1, 1, 0, number, 1))
            self.assertEqual(answer.data[0], status)
        id = self.bench.write(0x01, bytes(128))
        self.bench.write(0x02, b"two")
        self.assertIsNone(self.bench.answer_to(id))
        self.assertEqual(self.paper, [b"two"])

    def test_a_reset_is_told(self):
        self.bench.control(Setup(0x21, 2, 0, 2, 0))
        self.assertEqual(self.resets, [1])


if __name__ == "__main__":
    unittest.main()
