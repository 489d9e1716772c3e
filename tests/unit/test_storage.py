# SPDX-License-Identifier: GPL-2.0-or-later
"""examples/storage.py: Bulk-Only Transport and SCSI, without a guest."""

import struct
import tempfile
import unittest
import warnings
from pathlib import Path

from support import load_example

from usbremote._proto import Speed, Status
from usbremote.cli import device_parser
from usbremote.setup import Setup
from usbremote.testing import Bench

IN, OUT = 0x81, 0x01
PASSED, FAILED, PHASE_ERROR = 0, 1, 2
BLOCK, BLOCKS = 512, 64
IMAGE = bytes(i // BLOCK for i in range(BLOCK * BLOCKS))
storage = load_example("storage")

TEST_UNIT_READY = bytes(6)
REQUEST_SENSE = bytes((0x03, 0, 0, 0, 18, 0))
INQUIRY = bytes((0x12, 0, 0, 0, 36, 0))
PREVENT, ALLOW = bytes((0x1e, 0, 0, 0, 1, 0)), bytes((0x1e, 0, 0, 0, 0, 0))
EJECT, LOAD = bytes((0x1b, 0, 0, 0, 2, 0)), bytes((0x1b, 0, 0, 0, 3, 0))


def read_10(lba, count):
    return struct.pack(">BxIxHx", 0x28, lba, count)


def write_10(lba, count):
    return struct.pack(">BxIxHx", 0x2a, lba, count)


class Guest:
    """What a host controller's driver and usb-storage do, without errors."""

    def __init__(self, folder, *options, speed=Speed.HIGH):
        self.image = Path(folder, "image")
        self.image.write_bytes(IMAGE)
        self.size = {Speed.FULL: 64, Speed.HIGH: 512, Speed.SUPER: 1024}[speed]
        given = device_parser(storage.Disk, "storage.py").parse_args(
            ["--connect", "unix:x", "--image", str(self.image), *options])
        self.bench = Bench(lambda: storage.Disk(given))
        self.bench.plug_in(speed)
        self.bench.configure()

    def command(self, block, length=0, data=None, lun=0, cut=False):
        """
        A command with its data; cut: a request for each packet, as UHCI
        does.  Returns its data, the endpoints that stalled, CSW status and
        residue.
        """
        to_guest, stalls = data is None, []
        self.bench.write(OUT, struct.pack(
            "<4sIIBBB16s", b"USBC", 7, length, 0x80 * to_guest, lun,
            len(block), block))
        size = self.size if cut else 1 << 20
        came = b""
        while length and to_guest:
            answer = self.read(min(size, length - len(came)), stalls)
            came += answer or b""
            if answer is None or len(came) == length or (
                    not answer or len(answer) % self.size):
                break
        while data and not to_guest:
            status = self.answer(self.bench.write(OUT, data[:size])).status
            assert status == Status.OK, status
            data = data[size:]
        csw = self.read(13, stalls)
        if csw is None:
            csw = self.read(13, stalls)
        signature, tag, residue, status = struct.unpack("<4sIIB", csw)
        assert (signature, tag) == (b"USBS", 7)
        return came, stalls, status, residue

    def read(self, length, stalls):
        """None, and the halt is cleared, for a STALL."""
        answer = self.answer(self.bench.read(IN, length))
        if answer.status == Status.OK:
            return answer.data
        stalls.append(IN)
        self.clear(IN)
        return None

    def clear(self, endpoint):
        self.bench.control(Setup(0x02, 1, 0, endpoint, 0))

    def answer(self, id):
        answer = self.bench.answer_to(id)
        assert answer is not None, "no answer"
        return answer

    def sense(self):
        """What REQUEST SENSE says: key, code, qualifier."""
        data, _, status, _ = self.command(REQUEST_SENSE, 18)
        assert status == PASSED
        return data[2], data[12], data[13]


class Case(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        # the image is open as long as the device lives
        warnings.simplefilter("ignore", ResourceWarning)

    def guest(self, *options, **more):
        return Guest(self.folder, *options, **more)


class Transport(Case):
    """The 13 cases of section 6.7; the device's intention is the command."""

    def both_ways(self, *arguments, **options):
        """The same with one request for all data and with many."""
        results = []
        for cut in (False, True):
            for speed in (Speed.FULL, Speed.HIGH, Speed.SUPER):
                guest = self.guest(speed=speed)
                results.append(guest.command(*arguments, cut=cut, **options))
                self.assertEqual(guest.command(INQUIRY, 36)[2], PASSED)
        for result in results:
            self.assertEqual(result, results[0])
        return results[0]

    def test_1_nothing_is_expected_and_nothing_comes(self):
        self.assertEqual(self.both_ways(TEST_UNIT_READY),
                         (b"", [], PASSED, 0))

    def test_2_nothing_is_expected_but_the_device_wants_to_send(self):
        self.assertEqual(self.both_ways(read_10(0, 1))[2], PHASE_ERROR)

    def test_3_nothing_is_expected_but_the_device_wants_to_receive(self):
        self.assertEqual(self.both_ways(write_10(0, 1))[2], PHASE_ERROR)

    def test_4_data_is_expected_and_nothing_comes(self):
        self.assertEqual(self.both_ways(TEST_UNIT_READY, 36),
                         (b"", [IN], PASSED, 36))

    def test_5_more_is_expected_than_the_device_sends(self):
        data, stalls, status, residue = self.both_ways(INQUIRY, 100)
        self.assertEqual((len(data), stalls, status, residue),
                         (36, [IN], PASSED, 64))

    def test_5_also_with_whole_packets(self):
        self.assertEqual(self.both_ways(read_10(3, 2), 2048),
                         (IMAGE[1536:2560], [IN], PASSED, 1024))

    def test_6_what_is_expected_comes(self):
        self.assertEqual(self.both_ways(read_10(5, 8), 4096),
                         (IMAGE[2560:6656], [], PASSED, 0))

    def test_7_the_device_wants_to_send_more(self):
        data, stalls, status, _ = self.both_ways(read_10(5, 2), 512)
        self.assertEqual((data, stalls, status),
                         (IMAGE[2560:3072], [], PHASE_ERROR))

    def test_8_data_is_expected_but_the_device_wants_to_receive(self):
        data, stalls, status, _ = self.both_ways(write_10(5, 1), 512)
        self.assertEqual((data, stalls, status), (b"", [IN], PHASE_ERROR))

    def test_9_data_is_sent_and_the_device_wants_none(self):
        self.assertEqual(self.both_ways(TEST_UNIT_READY, 512, bytes(512)),
                         (b"", [], PASSED, 512))

    def test_10_data_is_sent_but_the_device_wants_to_send(self):
        self.assertEqual(
            self.both_ways(read_10(0, 1), 512, bytes(512))[2], PHASE_ERROR)

    def test_11_more_is_sent_than_the_device_wants(self):
        guest = self.guest()
        self.assertEqual(guest.command(write_10(1, 1), 1024, b"x" * 1024),
                         (b"", [], PASSED, 512))
        self.assertEqual(guest.image.read_bytes(),
                         IMAGE[:512] + b"x" * 512 + IMAGE[1024:])

    def test_12_what_the_device_wants_is_sent(self):
        for cut in (False, True):
            guest = self.guest()
            self.assertEqual(guest.command(write_10(1, 2), 1024, b"x" * 1024,
                                           cut=cut), (b"", [], PASSED, 0))
            self.assertEqual(guest.image.read_bytes(),
                             IMAGE[:512] + b"x" * 1024 + IMAGE[1536:])

    def test_13_less_is_sent_than_the_device_wants(self):
        guest = self.guest()
        self.assertEqual(guest.command(write_10(1, 2), 512, b"x" * 512)[2],
                         PHASE_ERROR)
        self.assertEqual(guest.image.read_bytes(), IMAGE)


class Recovery(Case):
    def test_what_is_no_cbw_stalls_both_until_the_reset(self):
        guest = self.guest()
        for wrong in (b"USBC", b"X" * 31):
            guest.bench.write(OUT, wrong)
            for _ in range(2):
                for id in (guest.bench.read(IN, 13),
                           guest.bench.write(OUT, bytes(31))):
                    self.assertEqual(guest.answer(id).status, Status.STALL)
                guest.clear(IN)
                guest.clear(OUT)
            self.assertEqual(guest.bench.control(
                Setup(0x21, 0xff, 0, 0, 0)).status, Status.OK)
            guest.clear(IN)
            guest.clear(OUT)
            self.assertEqual(guest.command(INQUIRY, 36)[2], PASSED)

    def test_a_reset_ends_a_command(self):
        guest = self.guest()
        guest.bench.write(OUT, struct.pack(
            "<4sIIBBB16s", b"USBC", 1, 1024, 0, 0, 10, write_10(0, 2)))
        guest.bench.write(OUT, b"y" * 512)
        guest.bench.control(Setup(0x21, 0xff, 0, 0, 0))
        self.assertEqual(guest.command(INQUIRY, 36)[2], PASSED)

    def test_there_is_one_lun(self):
        guest = self.guest()
        self.assertEqual(guest.bench.control(
            Setup(0xa1, 0xfe, 0, 0, 1)).data, b"\0")
        self.assertEqual(guest.command(TEST_UNIT_READY, lun=1)[2], FAILED)
        self.assertEqual(guest.sense(), (5, 0x25, 0))


class Commands(Case):
    def fails(self, guest, block, length, sense, data=None):
        result = guest.command(block, length, data)
        self.assertEqual((result[2], guest.sense()), (FAILED, sense))
        self.assertEqual(guest.sense(), (0, 0, 0))

    def test_the_capacity(self):
        guest = self.guest()
        self.assertEqual(guest.command(bytes((0x25,)) + bytes(9), 8)[0],
                         struct.pack(">II", BLOCKS - 1, BLOCK))
        self.assertEqual(
            guest.command(bytes((0x9e, 0x10)) + bytes(11) + b"\x20\0\0",
                          32)[0],
            struct.pack(">QI20x", BLOCKS - 1, BLOCK))

    def test_large_blocks(self):
        guest = self.guest("--block-size", "4096")
        self.assertEqual(guest.command(bytes((0x25,)) + bytes(9), 8)[0],
                         struct.pack(">II", BLOCKS // 8 - 1, 4096))
        self.assertEqual(guest.command(read_10(1, 1), 4096)[0],
                         IMAGE[4096:8192])

    def test_read_16_and_write_16(self):
        guest = self.guest()
        place = struct.pack(">xQIxx", 2, 1)
        self.assertEqual(guest.command(b"\x8a" + place, 512, b"z" * 512)[2],
                         PASSED)
        self.assertEqual(guest.command(b"\x88" + place, 512)[0], b"z" * 512)

    def test_what_is_behind_the_end_is_refused(self):
        guest = self.guest()
        self.fails(guest, read_10(BLOCKS - 1, 2), 1024, (5, 0x21, 0))
        self.fails(guest, write_10(BLOCKS, 1), 512, (5, 0x21, 0), bytes(512))

    def test_an_unknown_command_is_refused(self):
        self.fails(self.guest(), b"\xff" + bytes(5), 36, (5, 0x20, 0))

    def test_a_read_only_disk_says_so_and_refuses_writes(self):
        guest = self.guest("--read-only")
        self.assertEqual(guest.command(
            bytes((0x1a, 0, 0x3f, 0, 192, 0)), 192)[0][2], 0x80)
        self.fails(guest, write_10(0, 1), 512, (7, 0x27, 0), bytes(512))
        self.assertEqual(guest.image.read_bytes(), IMAGE)

    def test_mode_sense_has_the_caching_page(self):
        guest = self.guest()
        page = bytes((0x08, 18, 0x04)) + bytes(17)
        self.assertEqual(guest.command(
            bytes((0x1a, 0, 0x08, 0, 192, 0)), 192)[0],
            bytes((23, 0, 0, 0)) + page)
        self.assertEqual(guest.command(
            bytes((0x5a, 0, 0x08, 0, 0, 0, 0, 0, 192, 0)), 192)[0],
            bytes((0, 26, 0, 0, 0, 0, 0, 0)) + page)
        self.fails(guest, bytes((0x1a, 0, 0x01, 0, 192, 0)), 192, (5, 0x24, 0))

    def test_vital_product_data(self):
        guest = self.guest("--serial", "ABCDEF012345")

        def page(number):
            return guest.command(bytes((0x12, 1, number, 0, 255, 0)), 255)[0]
        for number in page(0)[4:]:
            self.assertEqual(page(number)[1], number)
            self.assertEqual(page(number)[3], len(page(number)) - 4)
        self.assertEqual(page(0x80)[4:], b"ABCDEF012345")
        self.fails(guest, bytes((0x12, 1, 0x99, 0, 255, 0)), 255, (5, 0x24, 0))

    def test_a_medium_is_ejected_and_loaded_where_it_may_be(self):
        guest = self.guest("--removable")
        guest.command(PREVENT)
        self.fails(guest, EJECT, 0, (5, 0x53, 2))
        guest.command(ALLOW)
        self.assertEqual(guest.command(EJECT)[2], PASSED)
        self.fails(guest, TEST_UNIT_READY, 0, (2, 0x3a, 0))
        self.fails(guest, read_10(0, 1), 512, (2, 0x3a, 0))
        self.assertEqual(guest.command(LOAD)[2], PASSED)
        self.assertEqual(guest.command(read_10(0, 1), 512)[0], IMAGE[:512])

    def test_a_fixed_medium_stays(self):
        guest = self.guest()
        self.assertEqual(guest.command(EJECT)[2], PASSED)
        self.assertEqual(guest.command(TEST_UNIT_READY)[2], PASSED)

    def test_a_file_that_has_become_shorter_is_a_medium_error(self):
        guest = self.guest()
        guest.image.write_bytes(b"")
        self.fails(guest, read_10(0, 1), 512, (3, 0x11, 0))

    def test_the_cache_is_flushed(self):
        guest = self.guest()
        for code in (b"\x35" + bytes(9), b"\x91" + bytes(15)):
            self.assertEqual(guest.command(code)[2], PASSED)


if __name__ == "__main__":
    unittest.main()
