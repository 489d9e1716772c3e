# SPDX-License-Identifier: GPL-2.0-or-later
"""examples/mouse.py: the transcript of the docs, and its circle."""

import struct
import tempfile
import unittest

from support import MOUSE, VECTORS, load_example, mouse_options

from usbremote import descriptors as desc
from usbremote._proto import Speed, Status, TransferType
from usbremote.port import Port
from usbremote.setup import Setup
from usbremote.testing import Bench, VirtualLoop

INTERRUPT = TransferType.INTERRUPT
mouse = load_example("mouse")


def transcript():
    """(who, bytes) for each message of the transcript."""
    text = (VECTORS / "mouse-enumeration.txt").read_text()
    for block in text.split("\n\n"):
        lines = [x for x in block.splitlines() if not x.startswith("#")]
        if lines:
            who = {line[0] for line in lines}
            assert len(who) == 1, block
            yield who.pop(), bytes.fromhex("".join(x[2:] for x in lines))


class Transcript(unittest.TestCase):
    def play(self, step):
        """Play it, QEMU's messages cut into pieces of this many bytes."""
        loop = VirtualLoop()
        self.addCleanup(loop.dispose)
        said = bytearray()
        port = Port(loop, lambda hello: mouse.Mouse(mouse_options()))
        port.start(said.extend)
        for number, (who, data) in enumerate(transcript(), 1):
            if who == "Q":
                for at in range(0, len(data), step):
                    loop.call_soon(port.receive, data[at:at + step])
                loop.run_for()
                continue
            if len(said) < len(data):
                loop.run_for(1 / 100)    # the pause between two reports
            self.assertEqual(said[:len(data)].hex(" "), data.hex(" "),
                             f"message {number}")
            del said[:len(data)]
        self.assertEqual(said, b"")
        self.assertTrue(port.session.requests == {})

    def test_whole_messages(self):
        self.play(1 << 16)

    def test_byte_by_byte(self):
        self.play(1)


class Moving(unittest.TestCase):
    def bench(self, speed=Speed.FULL, **options):
        bench = Bench(lambda: mouse.Mouse(mouse_options(**options)))
        bench.plug_in(speed)
        bench.configure()
        return bench

    def poll(self, bench, seconds=0.01):
        """One report as (dx, dy), or None while it is parked."""
        id = bench.read(0x81, 8, INTERRUPT)
        bench.exchange(seconds)
        answer = bench.answer_to(id)
        if answer is None:
            return None
        buttons, dx, dy = struct.unpack("bbb", answer.data)
        self.assertEqual(buttons, 0)
        return dx, dy

    def test_a_turn_is_a_closed_circle_of_the_radius(self):
        for radius in (1, 50, 100, 7000):
            bench = self.bench(radius=radius)
            x, y, far = radius, 0, []
            for _ in range(360):
                dx, dy = self.poll(bench)
                x, y = x + dx, y + dy
                far.append((x * x + y * y) ** 0.5)
            self.assertEqual((x, y), (radius, 0))
            self.assertLess(max(abs(r - radius) for r in far), 1)
            self.assertIsNotNone(self.poll(bench))

    def test_turns(self):
        bench = self.bench(turns=2, radius=9)
        for _ in range(720):
            self.assertIsNotNone(self.poll(bench))
        self.assertIsNone(self.poll(bench, 60))

    def test_it_moves_only_when_the_guest_asks(self):
        bench = self.bench()
        bench.exchange(60)
        first = self.poll(bench)
        bench.exchange(60)
        fresh = self.bench()
        self.assertEqual([first, self.poll(bench)],
                         [self.poll(fresh), self.poll(fresh)])

    def test_the_rate(self):
        bench = self.bench(rate=2)
        bench.read(0x81, 8, INTERRUPT)
        id = bench.read(0x81, 8, INTERRUPT)
        bench.exchange(0.4)
        self.assertIsNone(bench.answer_to(id))
        bench.exchange(0.2)
        self.assertIsNotNone(bench.answer_to(id))

    def test_it_does_not_hurry_after_a_guest_that_was_slow(self):
        bench = self.bench(rate=100)
        bench.exchange(60)
        self.assertIsNotNone(self.poll(bench, 0))
        self.assertIsNotNone(self.poll(bench, 0))   # it was due long ago
        self.assertIsNone(self.poll(bench, 0))

    def test_a_new_configuration_starts_the_circle_again(self):
        bench = self.bench()
        begin = [self.poll(bench) for _ in range(40)]
        for again in (lambda: None, bench.qemu.reset):
            again()
            bench.exchange()
            bench.configure()
            self.assertEqual([self.poll(bench) for _ in range(40)], begin)

    def test_idle_is_silent_until_the_signal(self):
        with tempfile.NamedTemporaryFile("r") as log, \
                open(log.name, "a") as append:
            bench = self.bench(idle=True, report_log=append)
            id = bench.read(0x81, 8, INTERRUPT)
            said = len(bench.heard)
            bench.exchange(3600)
            self.assertEqual(len(bench.heard), said)
            bench.device.on_user_signal()
            self.assertEqual(log.read(), "")
            bench.exchange()
            self.assertEqual(bench.answer_to(id).data, b"\0\1\0")
            self.assertEqual(log.read(), "1 0\n")
            self.assertIsNone(self.poll(bench))

    def test_the_signal_does_nothing_before_the_guest_is_there(self):
        bench = Bench(lambda: mouse.Mouse(mouse_options(idle=True)))
        bench.plug_in()
        bench.device.on_user_signal()
        bench.configure()
        self.assertIsNone(self.poll(bench))

    def test_a_cancelled_poll_loses_no_motion(self):
        bench, fresh = self.bench(), self.bench()
        moves = []
        while len(moves) < 50:
            id = bench.read(0x81, 8, INTERRUPT)
            if len(moves) % 3:
                bench.qemu.cancel(id)
                bench.exchange()
            bench.exchange(0.01)
            answer = bench.answer_to(id)
            if answer.status == Status.OK:
                moves.append(struct.unpack("bb", answer.data[1:]))
            else:
                moves.append(self.poll(bench))
        self.assertEqual(moves, [self.poll(fresh) for _ in range(50)])


class Identity(unittest.TestCase):
    def ask(self, speed, value):
        bench = Bench(lambda: mouse.Mouse(mouse_options()))
        bench.plug_in(speed)
        return bench.control(Setup(0x80, 6, value, 0, 255)).data

    def test_intervals_by_speed(self):
        for speed, interval in ((Speed.LOW, 10), (Speed.FULL, 10),
                                (Speed.HIGH, 4), (Speed.SUPER, 4)):
            endpoint = [d for d in desc.split(self.ask(speed, 0x200))
                        if d[1] == desc.ENDPOINT]
            self.assertEqual(endpoint, [bytes(
                (7, 5, 0x81, 3, 8, 0, interval))])

    def test_names(self):
        device = self.ask(Speed.FULL, 0x100)
        self.assertEqual(device[8:12], b"\x09\x12\x01\x00")
        self.assertEqual(
            [self.ask(Speed.FULL, 0x300 + i)[2:].decode("utf-16-le")
             for i in device[14:16]], ["usb-remote", "Python Mouse"])

    def test_it_reads_as_one_page(self):
        text = MOUSE.read_text()
        body = text[text.index('"""', text.index('"""') + 3) + 4:]
        self.assertLessEqual(body.count("\n"), 60)


if __name__ == "__main__":
    unittest.main()
