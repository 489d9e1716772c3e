# SPDX-License-Identifier: GPL-2.0-or-later
"""The C library's session and the Python package's, fed the same."""

import itertools
import random
import unittest

from libusbremote import CPeer
from peers import OPENING, PythonPeer, WithPeers, heard, life
from qemu_end import BothEnds, CQemu
from support import answers, vector_lines

from usbremote import codec
from usbremote._proto import (AttachedResult, ErrorCode, Speed, Status,
                              TransferType)
from usbremote.codec import (Attach, Attached, Cancel, Complete, Decoder,
                             Detach, Detached, Hello, Preamble, Ready, Reset,
                             Submit, Wakeup)
from usbremote.errors import ProtocolViolation
from usbremote.testing import QemuSession

SEEDS = 60         # random lives that both sessions are led through
STEPS = 60


def errors(said):
    """The codes of the ERRORs in what heard() made."""
    return [ErrorCode(m[1]).name for m in said
            if isinstance(m, tuple)]


class BothSessions(WithPeers):
    def both(self):
        return self.peer(), PythonPeer()

    def assert_alike(self, peers, what):
        """Both show and say the same; returns what they say."""
        one, other = peers
        self.assertEqual(one.events, other.events, what)
        said = heard(one.output())
        self.assertEqual(said, heard(other.output()), what)
        return said


class Vectors(BothSessions):
    """Every line of the vectors, to both sessions."""

    def test_each_message_whole_byte_by_byte_and_with_more(self):
        """Also what only a peer may say, or nobody."""
        for name, sender, text, result, _ in vector_lines("messages.txt"):
            data = bytes.fromhex(text)
            number = int.from_bytes(data[16:20], "little")
            trail = self.submit(1000, attachment=number, epoch=0)
            for pieces in ([data], [bytes([b]) for b in data], [data + trail]):
                said = self.lead(name, number, pieces)
                if sender == "qemu":
                    self.judge(name, result, errors(said))

    def test_each_message_before_hello(self):
        for name, _, text, *_ in vector_lines("messages.txt"):
            peers = self.both()
            for peer in peers:
                peer.feed(Preamble().encode())
                peer.feed(bytes.fromhex(text))
            self.assert_alike(peers, name)

    def judge(self, name, result, codes):
        """What QEMU may say is wrong in the way that the vectors name."""
        if result.split()[0] in ("ok", "skip"):
            self.assertNotIn("MALFORMED", codes, name)
        else:
            self.assertEqual(codes, [result], name)

    def lead(self, name, number, pieces):
        """Plug in until the vector's attachment, then feed it."""
        peers = self.both()
        for peer in peers:
            if "hello" not in name:
                peer.feed(OPENING)
                for attachment in range(1, min(number, 3) + 1):
                    peer.attach()
                    peer.feed(Attached(attachment=attachment).encode())
            else:
                peer.feed(Preamble().encode())
            for piece in pieces:
                peer.feed(piece)
        return self.assert_alike(peers, name)

    def test_each_preamble_whole_and_byte_by_byte(self):
        ends = {"ok": [], "VERSION": [("closed", "violation")],
                "MALFORMED": [("closed", "stranger")]}
        for name, text, result in vector_lines("preambles.txt"):
            data = bytes.fromhex(text)
            for pieces in ([data], [bytes([b]) for b in data]):
                peers = self.both()
                for peer in peers:
                    for piece in pieces:
                        peer.feed(piece)
                said = self.assert_alike(peers, name)
                self.assertEqual(peers[0].events, ends[result], name)
                self.assertEqual(errors(said), ["VERSION"] * (
                    result == "VERSION"), name)

    def test_each_answer_is_made_byte_for_byte_or_is_misuse(self):
        for name, submit, data, result in answers():
            for peer in self.both():
                with self.subTest(name, peer=type(peer).__name__):
                    self.ask(peer, submit)
                    error = self.answer(peer, data)
                    self.assertEqual(bool(error), result != "ok")
                    self.assertEqual(peer.output(), b"" if error else data)

    @staticmethod
    def ask(peer, submit):
        """Plug in, and have this request wait for its answer."""
        peer.feed(OPENING)
        peer.attach()
        peer.feed(Attached(attachment=1).encode()
                  + Reset(attachment=1, epoch=2).encode() + submit.encode())
        peer.output()

    @staticmethod
    def answer(peer, data):
        """Have the peer say this COMPLETE."""
        decoder = Decoder(codec.PEER)
        decoder.feed(Preamble().encode() + Hello().encode() + data)
        *_, wanted = iter(decoder.next, None)
        if wanted.endpoints is None:
            return peer.complete(1, wanted.status, wanted.data or None,
                                 wanted.length)
        table = data[-8 * len(wanted.endpoints):]
        if not isinstance(peer, CPeer):
            return peer.complete_table(1, table, wanted.status)
        if wanted.status:
            return "usbremote_complete_table() has no status"
        return peer.complete_table(1, table)


class Ends(unittest.TestCase):
    """QEMU's end in C and in Python, which have to judge the same."""

    @staticmethod
    def plugged(attachments):
        """Both ends, after so many ATTACHes and two resets."""
        qemu = BothEnds()
        qemu.receive(Preamble().encode() + Hello().encode())
        for number in range(1, attachments + 1):
            qemu.receive(Attach(attachment=number).encode())
            qemu.attached()
        for _ in range(2):
            qemu.reset()
        return qemu

    @staticmethod
    def judge(qemu, pieces):
        """The code of the ERROR that they say, or "ok"."""
        code = "ok"
        try:
            for piece in pieces:
                qemu.receive(piece)
        except ProtocolViolation as err:
            code = err.code.name
        qemu.data_to_send()
        return code

    def test_each_message_before_hello_and_in_each_attachment(self):
        """Also what only QEMU may say, or nobody; judge() compares."""
        for name, _, text, *_ in vector_lines("messages.txt"):
            data = bytes.fromhex(text)
            number = min(3, int.from_bytes(data[16:20], "little"))
            before = BothEnds()
            before.receive(Preamble().encode())
            for qemu in (before, *map(self.plugged, range(number + 1))):
                with self.subTest(name, attachment=qemu.attachment):
                    self.judge(qemu, [data])

    def test_each_preamble_whole_and_byte_by_byte(self):
        for name, text, result in vector_lines("preambles.txt"):
            data = bytes.fromhex(text)
            for pieces in ([data], [bytes([b]) for b in data]):
                with self.subTest(name, pieces=len(pieces)):
                    self.assertEqual(self.judge(BothEnds(), pieces), result)

    def test_each_answer(self):
        for name, submit, data, result in answers():
            for pieces in ([data], [bytes([b]) for b in data]):
                with self.subTest(name, pieces=len(pieces)):
                    qemu = self.plugged(1)
                    qemu.submit(submit.endpoint, submit.type, submit.length,
                                submit.setup, submit.data)
                    self.assertEqual(self.judge(qemu, pieces), result)

    def test_numbers_that_have_not_been(self):
        for data, code in (
                (Wakeup(attachment=2), "UNKNOWN_ID"),
                (Ready(attachment=2, epoch=2, endpoint=0x81), "UNKNOWN_ID"),
                (Ready(attachment=1, epoch=3, endpoint=0x81), "UNKNOWN_ID"),
                (Complete(id=1, attachment=1, epoch=3), "UNKNOWN_ID"),
                (Complete(id=1, attachment=2, epoch=2), "UNKNOWN_ID"),
                (Complete(id=1, attachment=1, epoch=2), "UNKNOWN_ID"),
                (Complete(id=1, attachment=1, epoch=1), "ok"),
                (Complete(id=1, attachment=0, epoch=9), "ok"),
                (Wakeup(attachment=0), "ok"), (Detach(attachment=1), "ok"),
                (Detach(attachment=2), "UNEXPECTED"),
                (Detach(attachment=0), "UNEXPECTED"),
                (Attach(attachment=1), "UNEXPECTED"),
                (Attach(attachment=3), "UNEXPECTED"),
                (Attach(attachment=2), "ok")):
            with self.subTest(data):
                self.assertEqual(self.judge(self.plugged(1),
                                            [data.encode()]), code)

    def test_a_detach_ends_the_wait_for_attached(self):
        for between, code in ((b"", "UNEXPECTED"),
                              (Detach(attachment=2).encode(), "ok"),
                              (Detach(attachment=1).encode(), "UNEXPECTED")):
            with self.subTest(between):
                self.assertEqual(self.judge(self.plugged(1), [
                    Attach(attachment=2).encode() + between
                    + Attach(attachment=3).encode()]), code)


class InMemory(BothSessions):
    """A peer and a QEMU's end of each language, and nothing between them."""

    def test_a_life_whole_and_byte_by_byte(self):
        for step, end in itertools.product((None, 1), (QemuSession, CQemu)):
            peers = self.both()
            for peer in peers:
                with self.subTest(step=step, end=end.__name__,
                                  peer=type(peer).__name__):
                    qemu, said = life(peer, step, end)
                    self.assertEqual([(m.id, m.status, m.length)
                                      for m in said
                                      if isinstance(m, Complete)],
                                     [(2, Status.CANCELLED, 0), (4, 0, 5),
                                      (1, 0, 0), (3, 0, 0)])
                    self.assertFalse(qemu.in_flight or peer.requests)
            self.assert_alike(peers, step)

    def test_random_lives(self):
        for seed in range(SEEDS):
            with self.subTest(seed=seed):
                Life(seed, self).run()


class Life:
    """Two QEMU's ends that do anything, now and then wrong, to two peers."""

    def __init__(self, seed, test):
        self.random = random.Random(seed)
        self.test = test
        self.qemu = BothEnds("usb0")
        self.peers = test.both()
        self.said = [b"", b""]

    def run(self):
        self.deliver()
        for step in range(STEPS):
            self.step()
            self.deliver()
            self.test.assertEqual(self.peers[0].events, self.peers[1].events,
                                  f"after step {step}")
            self.test.assertEqual(heard(self.said[0]), heard(self.said[1]),
                                  f"after step {step}")

    def step(self):
        self.random.choice((
            self.attach, self.attached, self.reset, self.submit, self.submit,
            self.submit, self.complete, self.complete, self.cancel,
            self.act, self.stray))()

    def deliver(self):
        """What QEMU says, cut anywhere; then what the peers say."""
        data = self.qemu.data_to_send()
        cut = self.random.randrange(len(data) + 1)
        for index, peer in enumerate(self.peers):
            peer.feed(data[:cut])
            peer.feed(data[cut:])
            said = peer.output()
            self.said[index] += said
        try:
            self.qemu.receive(said)
        except ProtocolViolation as err:
            self.test.fail(f"the peer broke the protocol: {err}")

    def each(self, name, *arguments, **options):
        results = [getattr(peer, name)(*arguments, **options)
                   for peer in self.peers]
        self.test.assertEqual(bool(results[0]), bool(results[1]), name)

    def attach(self):
        self.each("attach", self.random.randrange(20),
                  self.random.choice((0, 200, 60001)))

    def attached(self):
        result = self.random.choice((AttachedResult.OK, AttachedResult.OK,
                                     AttachedResult.REFUSED))
        self.qemu.attached(Speed.HIGH, result, "" if not result else "why")

    def reset(self):
        self.qemu.reset(Speed.FULL)

    def submit(self):
        endpoint = self.random.choice((0x81, 0x02, 0x83))
        length = self.random.choice((0, 1, 64, 5000))
        self.qemu.submit(endpoint, TransferType.BULK, length,
                         data=b"" if endpoint & 0x80 else bytes(length))

    def complete(self):
        waiting = sorted(self.peers[0].requests)
        if waiting:
            number = self.random.choice(waiting)
            is_in = self.peers[1].requests[number].submit.is_in()
            status = self.random.choice((Status.OK, Status.STALL, Status.NAK))
            self.each("complete", number, status,
                      b"ab" if is_in and status == Status.OK else None,
                      None if is_in else 0)

    def cancel(self):
        self.qemu.cancel(self.random.randrange(1, 40))

    def act(self):
        self.each("act", *self.random.choice((
            ("detach",), ("wakeup",), ("ready", 0x81))))

    def stray(self):
        """Rarely, what QEMU would never send; else an answer to DETACH."""
        if self.random.random() < 0.1:
            self.qemu.send(self.random.choice((
                Submit(id=1, endpoint=0x81, length=1, type=2),
                Detached(attachment=9), Hello(), Reset(epoch=0),
                Cancel(id=1000000, attachment=self.qemu.attachment))))
        else:
            self.qemu.send(Detached(
                attachment=max(0, self.qemu.attachment - 1)))
            self.qemu.vmstate(self.random.random() < 0.5)


if __name__ == "__main__":
    unittest.main()
