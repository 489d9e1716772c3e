# SPDX-License-Identifier: GPL-2.0-or-later
"""The disks in Python and in C: the same answers to whatever a guest does,
in its order or not, with the sense of it or without."""

import os
import random
import socket
import struct
import subprocess
import unittest
import warnings

from support import SocketQemu, c_examples, load_example, options_of

from usbremote._proto import Speed, Status, TransferType
from usbremote.codec import Attach, Complete
from usbremote.setup import Setup
from usbremote.testing import Bench

IN, OUT = 0x81, 0x01
BLOCK, BLOCKS = 512, 400
IMAGE = random.Random(1).randbytes(BLOCK * BLOCKS)
PIECE = 65536                   # bytes that both disks move at a time
PASSED, FAILED, PHASE_ERROR = 0, 1, 2
INQUIRY = bytes((0x12, 0, 0, 0, 36, 0))
MOST_WAITING = 16               # requests of an endpoint
SEQUENCES, STEPS = 60, 80

CONFIGURE = Setup(0x00, 9, 1, 0, 0)
SET_INTERFACE = Setup(0x01, 11, 0, 0, 0)
RESET, GET_MAX_LUN = Setup(0x21, 0xff, 0, 0, 0), Setup(0xa1, 0xfe, 0, 0, 1)


def clear_halt(endpoint):
    return Setup(0x02, 1, 0, endpoint, 0)


def set_halt(endpoint):
    return Setup(0x02, 3, 0, endpoint, 0)


def get_status(endpoint):
    return Setup(0x82, 0, 0, endpoint, 2)


def cbw(block, length=0, to_guest=True, lun=0, size=None, signature=b"USBC",
        flags=0):
    """A command block wrapper, Bulk-Only Transport 1.0 section 5.1."""
    return struct.pack("<4sIIBBB16s", signature, 7, length,
                       0x80 * to_guest | flags, lun,
                       len(block) if size is None else size, block)


def move(code, lba, count):
    """READ(10) 0x28, WRITE(10) 0x2a, READ(16) 0x88, WRITE(16) 0x8a."""
    form = ">BxIxHx" if code < 0x80 else ">BxQIxx"
    return struct.pack(form, code, lba, count)


# Commands that move no blocks.
PLAIN = [INQUIRY, bytes(6), bytes((3, 0, 0, 0, 18, 0)), bytes((3, 0, 0, 0, 4, 0)),
         bytes((0x12, 1, 0x80, 0, 255, 0)),
         bytes((0x12, 1, 0x77, 0, 255, 0)), bytes((0x12, 0, 1, 0, 36, 0)),
         bytes((0x1a, 0, 0x3f, 0, 192, 0)), bytes((0x1a, 0, 1, 0, 192, 0)),
         bytes((0x5a, 0, 0x48, 0, 0, 0, 0, 0, 192, 0)),
         bytes((0x1b, 0, 0, 0, 2, 0)), bytes((0x1b, 0, 0, 0, 3, 0)),
         bytes((0x1e, 0, 0, 0, 1, 0)), bytes((0x1e, 0, 0, 0, 0, 0)),
         bytes((0x25, *[0] * 9)), bytes((0x35, *[0] * 9)),
         bytes((0x9e, 0x10, *[0] * 11, 32, 0, 0)),
         bytes((0x9e, 0x11, *[0] * 11, 32, 0, 0)), b"\xff" + bytes(5), b""]

# Control requests, those of the class and of the halts, right and wrong.
CONTROL = [RESET, RESET, RESET, GET_MAX_LUN, *map(clear_halt, (IN, OUT) * 4),
           *map(set_halt, (IN, OUT)), *map(get_status, (IN, OUT) * 3),
           clear_halt(0x82), clear_halt(0), Setup(0x02, 1, 1, IN, 0),
           get_status(0x05), Setup(0x21, 0xff, 1, 0, 0),
           Setup(0x21, 0xff, 0, 1, 0), Setup(0x21, 0xff, 0, 0, 3, b"abc"),
           Setup(0xa1, 0xff, 0, 0, 1), Setup(0x21, 0xfe, 0, 0, 0),
           Setup(0xa1, 0xfe, 0, 0, 0), Setup(0xa1, 0xfe, 0, 1, 1),
           Setup(0xa1, 0xfe, 1, 0, 9), Setup(0x41, 0xff, 0, 0, 0),
           SET_INTERFACE, Setup(0x01, 11, 1, 0, 0), Setup(0x80, 8, 0, 0, 1)]


class Twin:
    """One of the disks; see settle()."""

    def __init__(self, qemu, image):
        self.qemu, self.image = qemu, image
        self._places = {}       # of requests in the order of all: by id

    def submit(self, endpoint, length, data=b""):
        self._count(self.qemu.submit(endpoint, TransferType.BULK, length,
                                     data=data))

    def control(self, setup):
        self._count(self.qemu.control(setup))

    def cancel(self, place):
        self.qemu.cancel(next(id for id, at in self._places.items()
                              if at == place))

    def waiting(self, endpoint):
        """Places of an endpoint's requests without an answer."""
        return [self._places[id] for id, submit in self.qemu.in_flight.items()
                if submit.endpoint == endpoint and id in self._places]

    def answers(self):
        """What has been answered since: place, status, length and bytes."""
        return sorted((self._places[m.id], m.status, m.length, m.data)
                      for m in self.settle()
                      if isinstance(m, Complete) and m.id in self._places)

    def settle(self):
        """Wait until it has nothing more to say; returns its messages."""
        raise NotImplementedError

    def _count(self, id):
        self._places[id] = len(self._places)


class InPython(Twin):
    """In memory."""

    def __init__(self, image, speed, *options):
        module = load_example("storage")
        given = options_of(module.Disk, "--image", str(image), *options)
        self._bench = Bench(lambda: module.Disk(given))
        self._bench.plug_in(speed)
        super().__init__(self._bench.qemu, image)

    def settle(self):
        return self._bench.exchange()


class InC(Twin):
    """At the other end of a socket; it answers one thing after the other."""

    def __init__(self, sock, image, speed):
        self._link = SocketQemu(sock)
        self._link.until(Attach)
        self._link.qemu.attached(speed)
        self._link.qemu.reset(speed)
        super().__init__(self._link.qemu, image)

    def settle(self):
        last, heard = self.qemu.control(Setup(0x80, 8, 0, 0, 1)), []
        while last in self.qemu.in_flight:
            self._link.flush()
            data = self._link.sock.recv(1 << 20)
            if not data:
                raise EOFError("the disk has gone")
            heard += self.qemu.receive(data)
        return heard


class Sequence:
    """What a guest does with a disk, more or less by the book."""

    def __init__(self, seed, size):
        self.random = random.Random(seed)
        self.size = size        # of a packet
        self._next = []         # what a sensible guest would do now

    def step(self):
        """A name of Pair's methods and its arguments."""
        chance = self.random.random()
        if self._next and chance < 0.85:
            return self._next.pop(0)
        if chance < 0.5:
            self._command()
            return self._next.pop(0)
        return self.random.choice((self._control, self._control, self._in,
                                   self._out, self._nonsense, self._cancel,
                                   self._recover))()

    def _command(self):
        """A CBW, its data by the book or not, and its CSW."""
        pick = self.random
        if pick.random() < 0.4:
            block, length = pick.choice(PLAIN), pick.choice((0, 0, 18, 36, 96))
            to_guest = pick.random() < 0.8
        else:
            code = pick.choice((0x28, 0x28, 0x2a, 0x88, 0x8a))
            count = pick.choice((0, 1, 2, 3, 8, 128, 129, 300))
            block = move(code, pick.choice((0, 7, 99, BLOCKS - 1)), count)
            length = pick.choice((count, count, count, count + 1,
                                  max(0, count - 1), 0)) * BLOCK
            to_guest = (code & 0xf == 8) ^ (pick.random() < 0.1)
        self._next = [("write", cbw(block, length, to_guest,
                                    int(pick.random() < 0.05)))]
        self._data(length, to_guest)
        self._next.append(("read", 13))

    def _data(self, length, to_guest):
        """In one request, or in many, the last perhaps too large."""
        cut = self.random.choice((length, length, PIECE, 4 * self.size,
                                  length + 100, 2 * self.size))
        while length:
            part = min(length, cut) if cut <= length or not to_guest else cut
            self._next.append(("read", part) if to_guest else
                              ("write", self.random.randbytes(part)))
            length -= min(part, length)
            if len(self._next) > 12:
                break

    def _control(self):
        return "control", self.random.choice(CONTROL)

    def _in(self):
        return "read", self.random.choice((0, 1, 13, 64, 512, 1024, 70000))

    def _out(self):
        return "write", self.random.randbytes(self.random.choice(
            (0, 1, 30, 31, 32, 64, 512, 1024, 1055, 70000)))

    def _nonsense(self):
        """What is no CBW, or is one that means little."""
        block = self.random.choice(PLAIN)
        return "write", self.random.choice((
            cbw(block, signature=b"USBS"), cbw(block)[:30], cbw(block) + b"x",
            cbw(block) + bytes(self.size - 31) + cbw(block),
            cbw(block, size=0), cbw(block, size=0xff), cbw(block, size=17),
            cbw(block, 36, flags=0x7f), cbw(block, lun=0xf0), b"",
            bytes(PIECE), bytes(self.size)))

    def _cancel(self):
        return "cancel", self.random.choice((IN, OUT))

    def _recover(self):
        """Reset recovery, section 5.3.4; the medium may be another then."""
        self._next = [("give_up", OUT), ("control", RESET),
                      ("shrink", self.random.choice((BLOCKS, 150, 20))),
                      ("control", clear_halt(IN)),
                      ("control", clear_halt(OUT))]
        return "give_up", IN


class Pair:
    """Both disks, which are told the same."""

    def __init__(self, *disks):
        self.disks = disks

    def read(self, length):
        self._submit(IN, length)

    def write(self, data):
        self._submit(OUT, len(data), data)

    def _submit(self, endpoint, length, data=b""):
        if len(self.disks[0].waiting(endpoint)) < MOST_WAITING:
            for disk in self.disks:
                disk.submit(endpoint, length, data)

    def control(self, setup):
        if setup == SET_INTERFACE:      # as drivers do before that
            self.give_up(IN)
            self.give_up(OUT)
        for disk in self.disks:
            disk.control(setup)

    def cancel(self, endpoint, how_many=1):
        """Of the requests that wait the last, as drivers do."""
        for disk in self.disks:
            for place in disk.waiting(endpoint)[:-1 - how_many:-1]:
                disk.cancel(place)

    def give_up(self, endpoint):
        self.cancel(endpoint, MOST_WAITING)

    def shrink(self, blocks):
        """The image has become shorter, or as long as it was."""
        for disk in self.disks:
            os.truncate(disk.image, BLOCK * blocks)

    def answers(self):
        return [disk.answers() for disk in self.disks]


class Disks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = c_examples(cls)

    def setUp(self):
        # the images are open as long as the devices live
        warnings.simplefilter("ignore", ResourceWarning)

    def pair(self, speed=Speed.HIGH, *options):
        images = [self.folder / name for name in ("python.img", "c.img")]
        for image in images:
            image.write_bytes(IMAGE)
        pair = Pair(InPython(images[0], speed, *options),
                    self.in_c(images[1], speed, *options))
        pair.control(CONFIGURE)
        self.assertEqual(*pair.answers())
        return pair

    def in_c(self, image, speed, *options):
        with socket.socket(socket.AF_UNIX) as server:
            path = self.folder / "disk.sock"
            path.unlink(missing_ok=True)
            server.bind(str(path))
            server.listen()
            server.settimeout(20)
            process = subprocess.Popen(
                [self.folder / "storage", "--connect", f"unix:{path}",
                 "--image", image, *options],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            sock, _ = server.accept()
        self.addCleanup(sock.close)
        return InC(sock, image, speed)

    def both(self, pair, name, *arguments):
        """What both say to that, which has to be the same."""
        getattr(pair, name)(*arguments)
        ours, theirs = pair.answers()
        self.assertEqual(ours, theirs, (name, *arguments))
        return [(status, data or length)
                for _, status, length, data in ours]

    def csw(self, pair, status, residue=0):
        self.assertEqual(self.both(pair, "read", 13), [
            (Status.OK, struct.pack("<4sIIB", b"USBS", 7, residue, status))])

    def test_what_is_no_command_halts_whatever_is_cleared(self):
        for wrong in (cbw(INQUIRY, signature=b"USBS"), cbw(INQUIRY)[:30],
                      cbw(INQUIRY) + b"x", bytes(512), bytes(PIECE)):
            pair = self.pair()
            self.both(pair, "write", wrong)
            for endpoint in IN, OUT:
                self.both(pair, "control", clear_halt(endpoint))
                self.assertEqual(
                    self.both(pair, "control", get_status(endpoint)),
                    [(Status.OK, b"\1\0")])
            self.assertEqual(self.both(pair, "read", 13), [(Status.STALL, 0)])
            self.recover(pair)

    def recover(self, pair):
        """Section 3.1: what is halted stays so in spite of the reset."""
        self.both(pair, "control", RESET)
        for endpoint in IN, OUT:
            for halted in b"\1\0", b"\0\0":
                self.assertEqual(
                    self.both(pair, "control", get_status(endpoint)),
                    [(Status.OK, halted)])
                self.both(pair, "control", clear_halt(endpoint))
        self.works(pair)

    def works(self, pair):
        self.both(pair, "write", cbw(INQUIRY, 36))
        self.assertEqual(len(self.both(pair, "read", 36)[0][1]), 36)
        self.csw(pair, PASSED)

    def test_another_setting_ends_the_refusal_of_commands(self):
        pair = self.pair()
        self.both(pair, "write", b"nonsense")
        self.both(pair, "control", SET_INTERFACE)
        self.works(pair)

    def test_an_empty_packet_before_a_command_is_passed_over(self):
        pair = self.pair()
        self.assertEqual(self.both(pair, "write", b""), [(Status.OK, 0)])
        self.works(pair)

    def test_data_that_ends_early_is_a_phase_error(self):
        pair = self.pair()
        self.both(pair, "write", cbw(move(0x2a, 0, 2), 1024, False))
        self.both(pair, "write", bytes(1000))
        self.csw(pair, PHASE_ERROR)
        self.works(pair)
        self.assertEqual(pair.disks[0].image.read_bytes(), IMAGE)

    def test_data_that_nobody_wants_may_end_early(self):
        pair = self.pair()
        self.both(pair, "write", cbw(bytes(6), 1024, False))
        self.both(pair, "write", bytes(1000))
        self.csw(pair, PASSED, 1024)
        self.works(pair)

    def test_a_request_for_more_than_announced_takes_the_status_too(self):
        pair = self.pair()
        self.both(pair, "write", cbw(move(0x28, 0, 2), 1024))
        (status, data), = self.both(pair, "read", 2048)
        self.assertEqual((status, data[:1024], len(data)),
                         (Status.OK, IMAGE[:1024], 1037))
        self.works(pair)

    def test_a_medium_that_fails_on_the_way_stalls_there(self):
        pair = self.pair()
        pair.shrink(150)
        self.both(pair, "write", cbw(move(0x28, 0, 256), 256 * BLOCK))
        self.assertEqual(self.both(pair, "read", 256 * BLOCK),
                         [(Status.STALL, IMAGE[:PIECE])])
        self.both(pair, "control", clear_halt(IN))
        self.csw(pair, FAILED, 256 * BLOCK - PIECE)
        self.works(pair)

    def test_clearing_a_halt_amid_the_data_gives_the_command_up(self):
        pair = self.pair()
        self.both(pair, "write", cbw(move(0x28, 0, 2), 1024))
        self.assertEqual(self.both(pair, "read", 512),
                         [(Status.OK, IMAGE[:512])])
        self.both(pair, "control", clear_halt(IN))
        self.works(pair)
        self.both(pair, "write", cbw(move(0x2a, 0, 2), 1024, False))
        self.both(pair, "write", bytes(512))
        self.both(pair, "control", clear_halt(OUT))
        self.works(pair)

    def test_requests_of_the_class_in_the_wrong_way_are_refused(self):
        pair = self.pair()
        for setup in (Setup(0x21, 0xfe, 0, 0, 0), Setup(0xa1, 0xff, 0, 0, 1),
                      Setup(0xa1, 0xfe, 0, 1, 1), Setup(0x22, 0xff, 0, 0, 0)):
            self.assertEqual(self.both(pair, "control", setup),
                             [(Status.STALL, 0)])
        self.both(pair, "control", Setup(0x00, 9, 0, 0, 0))
        for setup in RESET, GET_MAX_LUN:    # not configured any more
            self.assertEqual(self.both(pair, "control", setup),
                             [(Status.STALL, 0)])

    def test_whatever_the_guest_does_the_answers_are_the_same(self):
        for seed in range(SEQUENCES):
            speed, size = ((Speed.FULL, 64), (Speed.HIGH, 512),
                           (Speed.SUPER, 1024))[seed % 3]
            options = ((), ("--removable",), ("--read-only",))[seed // 3 % 3]
            sequence, done = Sequence(seed, size), []
            pair = self.pair(speed, *options)
            for _ in range(STEPS):
                name, argument = sequence.step()
                done.append(f"{name} {argument!r:.80}")
                getattr(pair, name)(argument)
                ours, theirs = pair.answers()
                self.assertEqual(ours, theirs, f"seed {seed}\n" +
                                 "\n".join(done))
            self.assertEqual(*(disk.image.read_bytes()
                               for disk in pair.disks), f"seed {seed}")
            self.doCleanups()


if __name__ == "__main__":
    unittest.main()
