# SPDX-License-Identifier: GPL-2.0-or-later
"""The C library's device layer: descriptors, standard requests, pipes."""

import errno
import os
import shutil
import subprocess
import unittest

from support import ROOT, c_examples
from libusbremote import call
from libusbremote_device import (BULK_IN, BULK_OUT, CDevice, c_info)

from usbremote import descriptors as desc
from usbremote._proto import Speed, Status, SubmitFlag, TransferType
from usbremote.codec import Complete
from usbremote.descriptors import Configuration, Endpoint
from usbremote.device import Device
from usbremote.setup import Setup
from usbremote.testing import Bench, QemuSession

MPS = 512
CONFIGURE = Setup(0x00, 9, 1, 0, 0)
CLEAR_HALT_IN = Setup(0x02, 1, 0, BULK_IN, 0)
CLEAR_HALT_OUT = Setup(0x02, 1, 0, BULK_OUT, 0)
OK, STALL = Status.OK, Status.STALL


class Gadget(Device):
    """The same as c_info(), in the words of the Python package."""

    vendor_id, product_id, release = 0x1234, 0x5678, 0x0102
    device_class = (1, 2, 3)
    manufacturer, product, serial = "maker", "gadget", "42"

    def configurations(self, speed):
        size = (0, 64, 512, 1024)[speed]
        bulk = [Endpoint(BULK_IN, TransferType.BULK, size),
                Endpoint(BULK_OUT, TransferType.BULK, size)]
        interrupt = Endpoint(0x83, TransferType.INTERRUPT,
                             (8, 8, 16, 16)[speed], (10, 10, 4, 4)[speed])
        return [
            Configuration([
                desc.Interface(0xff, 1, 2, bulk, name="main",
                               extra=b"\x03\x21\x07"),
                desc.Interface(endpoints=[*bulk, interrupt], alternate=1)]),
            Configuration([desc.Interface(number=3)], value=5,
                          self_powered=True, remote_wakeup=True,
                          max_power=500)]


class PythonTwin:
    """Gadget, with what CDevice has."""

    def __init__(self, speeds, speed):
        Gadget.speeds = [s for s in Speed if speeds >> s & 1]
        self.bench = Bench(Gadget, QemuSession())
        self.bench.exchange()
        self.bench.qemu.attached(speed)
        self.bench.qemu.reset(speed)
        self.bench.exchange()

    def ask(self, setup):
        self.bench.heard.clear()
        self.bench.qemu.control(setup)
        self.bench.exchange()
        answer, = [m for m in self.bench.heard if isinstance(m, Complete)]
        return answer.status, answer.data


class WithDevice(unittest.TestCase):
    def device(self, **options):
        device = CDevice(**options)
        self.addCleanup(device.close)
        return device

    def configured(self, **options):
        device = self.device(**options)
        self.assertEqual(device.ask(CONFIGURE), (OK, b""))
        return device


class BesidePython(WithDevice):
    """Both packages make the same of the same declarations."""

    def assert_alike(self, speeds, speed, setups):
        ours = self.device(info=c_info(speeds), speed=speed)
        theirs = PythonTwin(speeds, speed)
        for setup in setups:
            self.assertEqual(ours.ask(setup), theirs.ask(setup),
                             (speeds, speed, setup))

    def test_descriptors(self):
        # the Python package numbers strings as they come up
        first = [Setup(0x80, 6, 0x200, 0, 4096)]
        setups = first + [
            Setup(0x80, 6, kind << 8 | index, 0, length)
            for kind in (1, 2, 3, 6, 7, 0x0f, 0x21) for index in range(6)
            for length in (4096, 8)]
        for speeds, speed in ((0x6, 1), (0x6, 2), (0xe, 3), (0xe, 2),
                              (0x8, 3), (0x2, 1), (0x4, 2)):
            self.assert_alike(speeds, speed, setups)

    def test_standard_requests(self):
        setups = [CONFIGURE] + [
            Setup(kind, request, value, index, length)
            for request in (0, 1, 3, 8, 9, 10, 11, 9, 12, 48, 49)
            for kind in (0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0xa1, 0xc0)
            for value in (0, 1, 2, 5, 48) for index in (0, 1, 0x81, 0x83, 3)
            for length in ((2,) if kind & 0x80 else (0,))
            # the Python package takes a read in the wrong direction
            if bool(kind & 0x80) == (request in (0, 8, 10))]
        for speed in (1, 2, 3):
            self.assert_alike(0xe, speed, setups)


class Control(WithDevice):
    def test_the_devices_own_answers_come_first(self):
        device = self.device()
        device.control = lambda r: call("reply", r, b"abcdef", 6) == 0
        self.assertEqual(device.ask(Setup(0x80, 6, 0x100, 0, 4)),
                         (OK, b"abcd"))

    def test_reading_in_the_wrong_direction_is_refused(self):
        device = self.device()
        self.assertEqual(device.ask(Setup(0x00, 6, 0x100, 0, 0)), (STALL, b""))
        self.assertEqual(device.ask(Setup(0x00, 0, 0, 0, 0)), (STALL, b""))

    def test_a_request_kept_and_taken_back_is_told(self):
        device = self.device()
        device.control = lambda request: True
        self.assertIsNone(device.ask(Setup(0xc0, 1, 0, 0, 4)))
        device.qemu.reset(Speed.HIGH)
        device.exchange()
        self.assertEqual(device.events, ["control gone"])

    def test_settings_are_told_when_they_begin(self):
        device = self.configured()
        device.ask(Setup(0x01, 11, 1, 0, 0))
        device.ask(Setup(0x00, 9, 5, 0, 0))
        device.ask(Setup(0x00, 9, 0, 0, 0))
        self.assertEqual(device.events, [(0, 0), (0, 1), (3, 0)])

    def test_tables_that_make_no_sense_are_refused(self):
        for wrong in ({"speeds": 0}, {"speeds": 16},
                      {"configuration_count": 0}):
            info = c_info()
            for name, value in wrong.items():
                setattr(info, name, value)
            self.assertIsNone(CDevice(info=info).device, wrong)
        for wrong in ({"number": 16}, {"endpoint_count": 31},
                      {"extra": bytes(4096), "extra_size": 4096}):
            info = c_info()
            for name, value in wrong.items():
                setattr(info.keep[1][0], name, value)
            self.assertIsNone(CDevice(info=info).device, wrong)
        for wrong in ({"address": 0x80}, {"address": 0x91}, {"address": 0},
                      {"type": TransferType.ISO},
                      {"type": TransferType.CONTROL}, {"type": 6},
                      {"address": BULK_OUT}):       # twice
            info = c_info()
            for name, value in wrong.items():
                setattr(info.keep[0][0], name, value)
            self.assertIsNone(CDevice(info=info).device, wrong)
        info = c_info()
        info.keep[1][0].alternate = 2               # none is 0
        self.assertIsNone(CDevice(info=info).device)


class Out(WithDevice):
    def test_a_transfer_is_assembled_from_requests(self):
        for sizes in ((64, 64, 10), (128, 10), (138,)):
            device = self.configured(speed=1)
            transfer = device.read(4096)
            for number, size in enumerate(sizes):
                self.assertIsNone(transfer.result)
                self.assertEqual(device.give(BULK_OUT, bytes([number]) * size),
                                 [(OK, size)])
            self.assertEqual(transfer.data, b"".join(
                bytes([n]) * size for n, size in enumerate(sizes)))

    def test_an_empty_packet_ends_a_transfer(self):
        device = self.configured()
        transfer = device.read(4096)
        device.give(BULK_OUT, bytes(MPS))
        device.give(BULK_OUT, b"")
        self.assertEqual(transfer.result, MPS)

    def test_a_full_buffer_ends_a_read_and_the_rest_stays(self):
        device = self.configured()
        first = device.read(10)
        self.assertEqual(device.give(BULK_OUT, bytes(range(31))), [])
        self.assertEqual(first.data, bytes(range(10)))
        rest = device.read(100)
        self.assertEqual(device.exchange()[0].length, 31)
        self.assertEqual(rest.data, bytes(range(10, 31)))

    def test_some_is_what_one_request_brings(self):
        """Also where that is a whole packet, or a piece of a transfer."""
        device = self.configured()
        for size, flags in ((MPS, 0), (2 * MPS, SubmitFlag.MORE), (0, 0),
                            (7, 0)):
            some = device.read(4096, how="pipe_read_some")
            self.assertIsNone(some.result)
            data = bytes([size & 0xff]) * size
            self.assertEqual(device.give(BULK_OUT, data, flags),
                             [(OK, size)])
            self.assertEqual((some.result, some.data), (size, data))

    def test_some_is_the_rest_of_what_was_read_before(self):
        device = self.configured()
        device.read(10)
        device.give(BULK_OUT, bytes(range(31)))
        rest = device.read(100, how="pipe_read_some")
        self.assertEqual(rest.data, bytes(range(10, 31)))
        whole = device.read(100)        # the next read is one as before
        device.exchange()
        device.give(BULK_OUT, bytes(MPS))
        self.assertEqual(whole.result, 100)

    def test_a_piece_with_more_to_come_does_not_end_a_transfer(self):
        device = self.configured()
        transfer = device.read(4096)
        device.give(BULK_OUT, bytes(100), SubmitFlag.MORE)
        self.assertIsNone(transfer.result)

    def test_nobody_reads_and_nothing_is_answered(self):
        device = self.configured()
        self.assertEqual(device.give(BULK_OUT, b"abc"), [])

    def test_the_rest_of_a_cancelled_request_goes_on_in_its_packet(self):
        device = self.configured()
        device.read(100)
        device.give(BULK_OUT, bytes(MPS))
        device.qemu.cancel(max(device.qemu.in_flight))
        answer, = device.exchange()
        self.assertEqual((answer.status, answer.length),
                         (Status.CANCELLED, 100))
        rest = device.read(4096)
        device.give(BULK_OUT, bytes(MPS - 100), SubmitFlag.RETRY)
        self.assertIsNone(rest.result)
        device.give(BULK_OUT, b"x")
        self.assertEqual(rest.result, MPS - 100 + 1)

    def test_a_read_may_start_the_next(self):
        device, got = self.configured(), []

        def again(transfer):
            got.append(transfer.data)
            if len(got) < 3:
                self.reader = device.read(4096, then=again)
        self.reader = device.read(4096, then=again)
        for data in (b"a", b"bc", b"d"):
            device.give(BULK_OUT, data)
        self.assertEqual(got, [b"a", b"bc", b"d"])

    def test_misuse_is_told(self):
        device = self.device()
        self.assertEqual(device.read(1).error, -errno.ENOTCONN)
        device.ask(CONFIGURE)
        self.assertEqual(device.read(0).error, -errno.EINVAL)
        self.assertEqual(device.read(1, BULK_IN).error, -errno.EINVAL)
        self.assertEqual(device.read(1).error, 0)
        self.assertEqual(device.read(1).error, -errno.EALREADY)
        self.assertIsNone(device.pipe(0x80))
        self.assertIsNone(device.pipe(0x11))


class In(WithDevice):
    def test_bytes_go_over_as_many_requests_as_it_takes(self):
        data = bytes(i % 251 for i in range(138))
        for sizes in ((64, 64, 64), (128, 64), (65536,)):
            device = self.configured(speed=1)
            transfer = device.write(data)
            self.assertEqual(b"".join(device.want(*sizes)), data)
            self.assertEqual(transfer.result, 138)

    def test_requests_wait_for_something_to_send(self):
        device = self.configured()
        self.assertEqual(device.want(MPS, MPS), [])
        device.write(b"abc")
        self.assertEqual(device.sent(), [b"abc"])

    def test_an_end_is_an_empty_packet_where_the_length_does_not_tell(self):
        for size, asked, answers in (
                (MPS, (MPS, MPS), [MPS, 0]), (MPS, (4096, MPS), [MPS]),
                (100, (MPS, MPS), [100]), (0, (MPS, MPS), [0])):
            device = self.configured()
            transfer = device.write(bytes(size), end=True)
            self.assertEqual([len(d) for d in device.want(*asked)], answers)
            self.assertEqual(transfer.result, size)

    def test_without_an_end_a_larger_request_waits_for_the_next_write(self):
        device = self.configured()
        self.assertEqual(device.want(4096), [])
        first = device.write(b"a" * MPS)
        self.assertEqual((first.result, device.sent()), (MPS, []))
        device.write(b"b" * 10)
        self.assertEqual(device.sent(), [b"a" * MPS + b"b" * 10])

    def test_an_empty_write_ends_what_waits_in_a_larger_request(self):
        device = self.configured()
        device.want(4096)
        device.write(b"a" * MPS)
        device.write(b"")
        self.assertEqual(device.sent(), [b"a" * MPS])

    def test_nothing_is_lost_when_a_request_is_cancelled(self):
        device = self.configured()
        device.want(4096)
        device.write(b"a" * MPS)
        device.qemu.cancel(max(device.qemu.in_flight))
        device.write(b"b" * 2 * MPS)
        self.assertEqual(device.sent(), [(Status.CANCELLED, b"")])
        self.assertEqual(device.want(MPS, MPS, MPS),
                         [b"a" * MPS, b"b" * MPS, b"b" * MPS])

    def test_what_a_cancelled_request_has_taken_goes_to_smaller_ones(self):
        device = self.configured()
        device.want(4096, MPS, MPS, MPS)
        device.write(b"a" * MPS + b"b" * MPS)
        device.qemu.cancel(min(device.qemu.in_flight))
        self.assertCountEqual(device.sent(), [
            b"a" * MPS, b"b" * MPS, (Status.CANCELLED, b"")])

    def test_a_cancelled_write_is_gone_with_what_a_request_has_of_it(self):
        device = self.configured()
        device.want(4096)
        device.write(b"a" * MPS)
        rest = device.write(b"b" * MPS, end=False)
        call("pipe_cancel", device.pipe(BULK_IN))
        device.write(b"new")
        self.assertEqual((rest.result, device.sent()), (MPS, [b"new"]))

    def test_how_much_of_a_write_was_moved_can_be_asked(self):
        device = self.configured()
        moved = [call("pipe_moved", device.pipe(BULK_IN))]
        device.write(b"a" * 2 * MPS)
        for _ in range(3):
            moved.append(call("pipe_moved", device.pipe(BULK_IN)))
            device.want(MPS)
        self.assertEqual(moved, [0, 0, MPS, 0])

    def test_a_cancelled_request_in_the_middle_is_forgotten(self):
        device = self.configured()
        device.want(1, 2, 3)
        device.qemu.cancel(sorted(device.qemu.in_flight)[1])
        self.assertEqual(device.sent(), [(Status.CANCELLED, b"")])
        device.write(b"abcdef")
        self.assertEqual(device.sent(), [b"a", b"bcd"])

    def test_an_empty_request_waits_as_any_other(self):
        device = self.configured()
        self.assertEqual(device.want(0), [])

    def test_a_write_may_start_the_next_a_thousand_times(self):
        device, self.count = self.configured(), 0

        def again(_):
            self.count += 1
            if self.count < 1000:
                self.writers.append(device.write(bytes(MPS), then=again))
        self.writers = [device.write(bytes(MPS), then=again)]
        for _ in range(8):
            device.want(*[64 * MPS] * 2)
        self.assertEqual(self.count, 1000)


class Ends(WithDevice):
    """Halts, and what cancels."""

    def test_a_halt_stalls_what_waits_and_what_comes(self):
        device = self.configured()
        device.want(MPS, MPS)
        call("pipe_halt", device.pipe(BULK_IN))
        self.assertEqual(device.sent(), [(STALL, b"")] * 2)
        self.assertEqual(device.want(MPS), [(STALL, b"")])
        self.assertEqual(device.ask(Setup(0x82, 0, 0, BULK_IN, 2)),
                         (OK, b"\1\0"))

    def test_what_was_written_goes_out_with_the_stall(self):
        device = self.configured()
        device.want(4096)
        device.write(b"a" * MPS)
        call("pipe_halt", device.pipe(BULK_IN))
        self.assertEqual(device.sent(), [(STALL, b"a" * MPS)])

    def test_after_a_halt_a_write_goes_on(self):
        device = self.configured()
        call("pipe_halt", device.pipe(BULK_IN))
        device.write(b"after")
        self.assertEqual(device.want(MPS), [(STALL, b"")])
        self.assertEqual(device.ask(CLEAR_HALT_IN), (OK, b""))
        self.assertEqual(device.want(MPS), [b"after"])

    def test_a_write_sent_in_part_ends_when_the_halt_is_cleared(self):
        device = self.configured()
        cut = device.write(b"a" * 3 * MPS)
        self.assertEqual(device.want(MPS), [b"a" * MPS])
        call("pipe_halt", device.pipe(BULK_IN))
        self.assertIsNone(cut.result)
        self.assertEqual(device.ask(CLEAR_HALT_IN), (OK, b""))
        self.assertEqual(cut.result, -errno.ECANCELED)
        device.write(b"next")
        self.assertEqual(device.want(4096), [b"next"])

    def test_a_transfer_read_in_part_ends_when_the_halt_is_cleared(self):
        device = self.configured()
        cut = device.read(4096)
        device.give(BULK_OUT, b"a" * MPS)
        call("pipe_halt", device.pipe(BULK_OUT))
        self.assertIsNone(cut.result)
        self.assertEqual(device.ask(CLEAR_HALT_OUT), (OK, b""))
        self.assertEqual(cut.result, -errno.ECANCELED)
        after = device.read(4096)
        device.give(BULK_OUT, b"next")
        self.assertEqual(after.data, b"next")

    def test_a_read_that_has_nothing_yet_goes_on_after_the_halt(self):
        device = self.configured()
        device.read(4096)
        whole = device.give(BULK_OUT, b"whole")
        after = device.read(4096)
        call("pipe_halt", device.pipe(BULK_OUT))
        self.assertEqual(device.ask(CLEAR_HALT_OUT), (OK, b""))
        device.give(BULK_OUT, b"after")
        self.assertEqual((whole, after.data), ([(OK, 5)], b"after"))

    def test_who_is_cut_off_by_a_clear_may_write_the_next(self):
        device, after = self.configured(), []
        device.write(b"a" * 3 * MPS, then=lambda _: after.append(
            device.write(b"next")))
        device.want(MPS)
        self.assertEqual(device.ask(CLEAR_HALT_IN), (OK, b""))
        self.assertEqual(device.want(MPS), [b"next"])
        self.assertEqual([t.result for t in after], [4])

    def test_who_is_cut_off_by_a_clear_may_unplug_the_device(self):
        for end, *words in ("bye", b""), ("detach",):
            with self.subTest(end):
                device = self.configured()
                cut = device.write(b"a" * 3 * MPS, then=lambda _, d=device,
                                   e=end, w=words: call(e, d.peer, *w))
                device.want(MPS)
                self.assertIsNone(device.ask(CLEAR_HALT_IN))
                self.assertEqual(cut.result, -errno.ECANCELED)

    def test_what_waits_in_a_larger_request_is_gone_with_its_transfer(self):
        device = self.configured()
        device.want(4096)
        device.write(b"a" * MPS)
        self.assertEqual(device.ask(CLEAR_HALT_IN), (OK, b""))
        device.write(b"next")
        self.assertEqual(device.sent(), [b"next"])

    def test_a_halted_out_says_how_much_was_read(self):
        device = self.configured()
        device.read(10)
        device.give(BULK_OUT, bytes(31))
        call("pipe_halt", device.pipe(BULK_OUT))
        answer, = device.exchange()
        self.assertEqual((answer.status, answer.length), (STALL, 10))

    def test_whatever_ends_a_setting_cancels(self):
        for what in (lambda d: d.qemu.reset(Speed.HIGH),
                     lambda d: d.qemu.control(CONFIGURE),
                     lambda d: d.qemu.control(Setup(0x01, 11, 1, 0, 0)),
                     lambda d: d.qemu.bye()):
            device = self.configured()
            reader, writer = device.read(10), device.write(b"abc")
            what(device)
            device.exchange()
            self.assertEqual((reader.result, writer.result),
                             (-errno.ECANCELED,) * 2)

    def test_what_is_in_flight_when_a_setting_ends_is_answered(self):
        device = self.configured()
        device.want(MPS)
        device.ask(Setup(0x01, 11, 1, 0, 0))
        self.assertEqual(len(device.qemu.in_flight), 0)

    def test_who_is_cancelled_by_a_choice_may_unplug_the_device(self):
        for choice in (CONFIGURE, Setup(0x01, 11, 1, 0, 0)):
            for end, *words, events in (("bye", b"", [("closed", "bye")]),
                                        ("detach", [])):
                with self.subTest(choice, end=end):
                    device = self.configured()
                    device.events.clear()
                    reader = device.read(10, then=lambda _: call(
                        end, device.peer, *words))
                    self.assertIsNone(device.ask(choice))
                    self.assertEqual((reader.result, device.events),
                                     (-errno.ECANCELED, events))

    def test_a_new_setting_has_no_halt(self):
        device = self.configured()
        call("pipe_halt", device.pipe(BULK_IN))
        device.ask(Setup(0x01, 11, 0, 0, 0))
        self.assertFalse(call("pipe_is_halted", device.pipe(BULK_IN)))

    def test_a_pipe_that_no_setting_has_is_an_error(self):
        device = self.configured()
        self.assertEqual(device.want(8, endpoint=0x83),
                         [(Status.IOERROR, b"")])


STRICT = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
INCLUDES = ("-I", ROOT / "libusbremote/include", "-I", ROOT / "hw/usb")


class Examples(unittest.TestCase):
    """The devices in examples/c."""

    @classmethod
    def setUpClass(cls):
        cls.folder = c_examples(cls)

    def run_wrong(self, program, *arguments):
        """What a command that cannot work says."""
        done = subprocess.run([self.folder / program, *arguments], text=True,
                              capture_output=True, check=False, timeout=20,
                              env={**os.environ, "LC_ALL": "C"})
        return done.returncode, done.stderr

    def test_sources_compile_with_every_compiler(self):
        sources = [*ROOT.glob("examples/c/*.c"),
                   *ROOT.glob("libusbremote/src/*.c")]
        for compiler in (("gcc", "-std=c99"), ("clang", "-std=c99"),
                         ("g++", "-x", "c++", "-std=c++11")):
            if shutil.which(compiler[0]):
                subprocess.run([*compiler, *STRICT, *INCLUDES,
                                "-fsyntax-only", *sources], check=True)

    def test_a_pipe_is_no_image(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        for more in (), ("--read-only",):
            self.refused(1, "is neither a file nor a disk", "storage",
                         "--listen", "unix:x", "--image", pipe, *more)

    def test_wrong_use_is_one_line(self):
        zero, disk = ("zero",), ("storage", "--listen", "unix:x")
        for arguments, status, text in (
                (zero, 2, "one of --connect and --listen"),
                ((*zero, "--connect", "unix:x", "--listen", "unix:y"), 2,
                 "one of"),
                ((*zero, "--connect"), 2, "missing after --connect"),
                ((*zero, "--nonsense"), 2, "no such option: --nonsense"),
                ((*zero, "--listen", "unix:x", "--speed", "warp"), 2, "warp"),
                ((*zero, "--listen", "unix:x", "--pattern", "9"), 2,
                 "pattern: 9"),
                ((*zero, "--connect", "unix:/nowhere/x"), 1, "No such file"),
                ((*zero, "--connect", f"unix:{'x' * 200}"), 1,
                 "File name too long"),
                # a label of more than 63, of which no server has to be asked
                ((*zero, "--connect", f"tcp:{'x' * 64}:1"), 1,
                 "no such host is known"),
                (disk, 2, "one of --image and --size"),
                ((*disk, "--size", "12"), 2, "no size from 4K"),
                ((*disk, "--size", "1MM"), 2, "no size from 4K"),
                ((*disk, "--size", "9000G"), 2, "no size from 4K"),
                ((*disk, "--size", "1M", "--serial", "abc"), 2, "abc"),
                ((*disk, "--size", "1M", "--block-size", "5"), 2, "size: 5"),
                ((*disk, "--image", "/nowhere/x"), 1, "No such file"),
                ((*disk, "--image", self.folder), 1, "Is a directory"),
                ((*disk, "--image", self.folder, "--read-only"), 1,
                 "Is a directory"),
                ((*disk, "--image", "/dev/null"), 1, "not even one block")):
            self.refused(status, text, *arguments)

    def test_what_is_no_address_is_told_with_what_is_one(self):
        for program in ("zero",), ("storage", "--size", "1M"):
            for way in "--connect", "--listen":
                for text in ("nonsense", "", "unix:", "tcp:host",
                             "tcp:h:99999", "tcp::1", "udp:h:1"):
                    self.refused(1, f"{program[0]}: bad address '{text}': it "
                                 "must be unix:PATH or tcp:HOST:PORT\n",
                                 *program, way, text)

    def refused(self, status, text, *arguments):
        """It has to end with this status and one line with this text."""
        with self.subTest(arguments):
            code, said = self.run_wrong(*arguments)
            self.assertEqual((code, said.count("\n")), (status, 1))
            self.assertIn(text, said)


if __name__ == "__main__":
    unittest.main()
