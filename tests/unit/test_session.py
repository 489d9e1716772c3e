# SPDX-License-Identifier: GPL-2.0-or-later
"""The peer's session: states, violations, cancel, reset, re-attach."""

import unittest

from peers import PythonPeer, life, talk
from support import answers, vector_lines

from usbremote import codec, session
from usbremote._proto import (AttachedResult, ByeReason, ErrorCode, Msg,
                              Speed, Status, TransferType)
from usbremote.codec import (Attach, Attached, Bye, Cancel, Complete, Decoder,
                             Detach, Detached, EndpointEntry, Error, Hello,
                             Limits, Preamble, Ready, Reset, Submit, Wakeup)
from usbremote.errors import (ConnectionLost, LocalError, NotUsbRemote,
                              ProtocolViolation, Refused, VersionMismatch)
from usbremote.session import (Answer, BusReset, Cancelled, Closed, Greeted,
                               NotPluggedIn, PeerSession, PluggedIn, State,
                               Submitted, TRANSITIONS, Unplugged)
from usbremote.testing import QemuSession

BULK = TransferType.BULK


class Wired(unittest.TestCase):
    """A session whose QEMU end is played message by message."""

    def setUp(self):
        self.session = PeerSession("test")
        self.decoder = Decoder(codec.PEER)
        self.heard = []

    def feed(self, *messages):
        """Have QEMU say something; returns the events."""
        data = b"".join(m.encode() for m in messages)
        events = self.session.receive(data)
        self.collect()
        return events

    def collect(self):
        """Take what the session said; returns it."""
        self.decoder.feed(self.session.data_to_send())
        said = []
        while True:
            message = self.decoder.next()
            if message is None:
                self.heard += said
                return said
            said.append(message)

    def open(self, **limits):
        self.feed(Preamble(), Hello(**limits))
        self.session.accept()
        self.collect()

    def attached(self, **limits):
        """Up to the first bus reset."""
        self.open(**limits)
        self.session.attach(1 << Speed.FULL)
        self.feed(Attached(attachment=1), Reset(attachment=1, epoch=1))

    def submit(self, id, endpoint=0x81, length=64, **fields):
        data = b"" if endpoint & 0x80 else bytes(length)
        fields = {"attachment": 1, "epoch": 1, "type": BULK, "data": data,
                  **fields}
        return Submit(id=id, endpoint=endpoint, length=length, **fields)

    def request(self, id, **fields):
        """A SUBMIT arrives; returns its Request."""
        event, = self.feed(self.submit(id, **fields))
        self.assertIsInstance(event, Submitted)
        return event.request

    def violation(self, code, *messages):
        """These must be answered by an ERROR of this code and the end."""
        events = self.feed(*messages)
        self.assertIsInstance(events[-1], Closed)
        self.assertIsInstance(events[-1].error, ProtocolViolation)
        self.assertEqual(events[-1].error.code, code)
        error = self.heard[-1]
        self.assertIsInstance(error, Error)
        self.assertEqual(error.code, code)
        self.assertGreater(len(error.text), 10)
        self.assertIs(self.session.state, State.CLOSED)
        return error


class Handshake(Wired):
    def test_the_preamble_goes_out_at_once_and_hello_after_qemus(self):
        self.assertEqual(self.collect(), [Preamble()])
        events = self.feed(Preamble(), Hello(device_id="usb0", select="x"))
        self.assertEqual(events, [Greeted(Hello(device_id="usb0",
                                                select="x"))])
        self.assertEqual(self.collect(), [])
        self.session.accept()
        self.assertIsInstance(self.collect()[0], Hello)
        self.assertIs(self.session.state, State.DETACHED)

    def test_limits_are_the_smaller_of_both(self):
        self.open(max_payload=9000, max_requests=3)
        self.assertEqual(self.session.limits.max_payload, 9000)
        self.assertEqual(self.session.limits.max_requests, 3)

    def test_what_is_not_usb_remote_gets_no_error(self):
        self.collect()
        event, = self.session.receive(b"RFB 003.008\n")
        self.assertIsInstance(event.error, NotUsbRemote)
        self.assertEqual(self.session.data_to_send(), b"")

    def test_another_version_is_told(self):
        event, = self.feed(Preamble(9, 9))
        self.assertIsInstance(event.error, VersionMismatch)
        self.assertEqual(self.heard[-1].code, ErrorCode.VERSION)

    def test_a_second_hello_is_a_violation(self):
        self.open()
        self.violation(ErrorCode.UNEXPECTED, Hello())

    def test_anything_before_hello_is_a_violation(self):
        for message in (Detached(), Attached(), Reset(epoch=1), Cancel(id=1),
                        codec.Vmstate(), codec.Address(),
                        self.submit(1, attachment=0, epoch=0)):
            with self.subTest(message):
                self.setUp()
                error = self.violation(ErrorCode.UNEXPECTED, Preamble(),
                                       message)
                self.assertEqual(error.type, message.TYPE)

    def test_an_optional_message_before_hello_is_a_violation(self):
        self.feed(Preamble())
        raw = bytearray(Detached().encode())
        raw[:4] = b"\xff\x7f\x01\x00"
        event, = self.session.receive(bytes(raw) + Hello().encode())
        self.assertEqual(event.error.code, ErrorCode.UNEXPECTED)

    def test_errors_are_told_in_ascii(self):
        error = self.violation(ErrorCode.UNEXPECTED, Preamble(), Detached())
        self.assertTrue(error.text.isascii())

    def test_a_refusal_of_qemu_is_an_error_of_its_own(self):
        event, = self.feed(Preamble(), Error(code=ErrorCode.VERSION,
                                             text="no\x1b[1m"))
        self.assertIsInstance(event.error, Refused)
        self.assertEqual(event.error.code, ErrorCode.VERSION)
        self.assertRegex(str(event.error), r"VERSION: no\?\[1m")

    def test_the_peer_may_refuse(self):
        self.feed(Preamble(), Hello(select="nothing"))
        self.session.refuse("no device is called nothing")
        self.assertEqual(self.collect()[-1].code, ErrorCode.REFUSED)
        self.assertIs(self.session.state, State.CLOSED)

    def test_the_end_of_the_stream_is_a_lost_connection(self):
        self.feed(Preamble())
        self.session.feed_eof()
        self.assertIsInstance(self.session.next_event().error, ConnectionLost)
        self.session.feed_eof()
        self.assertIsNone(self.session.next_event())

    def test_bye_is_no_error(self):
        self.open()
        event, = self.feed(Bye(reason=ByeReason.REMOVED))
        self.assertEqual(event, Closed(None, ByeReason.REMOVED))

    def test_each_event_comes_before_the_next_message_is_looked_at(self):
        self.session.feed(Preamble().encode() + Hello().encode()
                          + Error(code=ErrorCode.REFUSED).encode())
        self.assertIsInstance(self.session.next_event(), Greeted)
        self.session.accept()
        self.assertIsInstance(self.session.next_event().error, Refused)

    def test_bye_of_the_peer(self):
        self.open()
        self.session.bye()
        self.assertEqual(self.collect(), [Bye(reason=ByeReason.DONE)])
        self.assertEqual(self.feed(Detached()), [Closed(None)])

    def test_unknown_optional_messages_are_passed_over(self):
        self.open()
        raw = bytearray(Detached().encode())
        raw[:4] = b"\xff\x7f\x01\x00"
        self.assertEqual(self.session.receive(bytes(raw)), [])
        self.assertIs(self.session.state, State.DETACHED)


class Plugging(Wired):
    def test_attach(self):
        self.open()
        self.assertEqual(self.session.attach(3, 0, 2), 1)
        self.assertEqual(self.collect(), [Attach(
            attachment=1, speeds=3, gap_ms=0, address_policy=2)])
        self.assertEqual(self.feed(Attached(attachment=1, speed=0)),
                         [PluggedIn(1, Speed.LOW)])

    def test_attach_with_an_endpoint_table(self):
        self.open()
        table = (EndpointEntry(0x81, 3, 8, 10),)
        self.session.attach(1, endpoints=table)
        self.assertEqual(self.collect()[0].endpoints, table)

    def test_attach_that_qemu_cannot(self):
        self.open()
        self.session.attach(1)
        events = self.feed(Attached(attachment=1, text="no port",
                                    result=AttachedResult.NO_SPEED))
        self.assertEqual(events, [NotPluggedIn(
            1, AttachedResult.NO_SPEED, "no port")])
        self.assertEqual(self.session.attach(2), 2)

    def test_attach_before_the_last_is_answered_is_misuse(self):
        self.open()
        self.session.attach(1)
        with self.assertRaises(LocalError):
            self.session.attach(1)

    def test_impossible_attach_is_misuse_and_changes_nothing(self):
        self.open()
        with self.assertRaises(LocalError):
            self.session.attach(0)
        self.assertEqual(self.session.attach(1), 1)

    def test_attach_before_hello_is_misuse(self):
        with self.assertRaises(LocalError):
            self.session.attach(1)

    def test_detach(self):
        self.attached()
        self.session.detach()
        self.assertEqual(self.collect(), [Detach(attachment=1)])
        self.assertEqual(self.feed(Detached(attachment=1)), [Unplugged(1)])
        self.assertIs(self.session.state, State.DETACHED)

    def test_detach_of_nothing_is_misuse(self):
        self.open()
        with self.assertRaises(LocalError):
            self.session.detach()

    def test_detach_overtakes_attach(self):
        self.open()
        self.session.attach(1)
        self.session.detach()
        self.assertEqual(self.feed(Detached(attachment=1)), [Unplugged(1)])

    def test_an_attached_that_crossed_the_detach_is_ignored(self):
        for result in AttachedResult:
            self.setUp()
            self.open()
            self.session.attach(1)
            self.session.detach()
            self.assertEqual(self.feed(Attached(attachment=1,
                                                result=result)), [])
            self.assertIs(self.session.state, State.DETACHING)
            self.assertEqual(len(self.feed(Detached(attachment=1))), 1)

    def test_reattach_without_waiting_for_the_detached(self):
        self.attached()
        self.session.detach()
        self.assertEqual(self.session.attach(1), 2)
        self.assertEqual(self.feed(Detached(attachment=1)), [Unplugged(1)])
        self.assertEqual(self.feed(Attached(attachment=2)),
                         [PluggedIn(2, Speed.FULL)])

    def test_an_attached_of_an_attachment_before_is_ignored(self):
        self.open()
        self.session.attach(1)
        self.session.detach()
        self.session.attach(1)
        self.assertEqual(self.feed(Attached(attachment=1)), [])
        self.assertIs(self.session.state, State.ATTACHING)
        self.assertEqual(self.feed(Detached(attachment=1),
                                   Attached(attachment=2)),
                         [Unplugged(1), PluggedIn(2, Speed.FULL)])

    def test_attach_in_place_of_what_is_plugged_in(self):
        self.attached()
        request = self.request(1)
        self.assertEqual(self.session.attach(1), 2)
        self.assertIs(request.answer, Answer.VOID)
        # what QEMU sent before it heard of it
        self.assertEqual(self.feed(
            self.submit(2), Cancel(id=1, attachment=1, epoch=1),
            Reset(attachment=1, epoch=2),
            codec.Address(attachment=1, epoch=2)), [])
        self.assertEqual(self.feed(Attached(attachment=2, epoch=2)),
                         [PluggedIn(2, Speed.FULL)])
        self.assertEqual(len(self.feed(self.submit(
            3, attachment=2, epoch=2))), 1)

    def test_detached_without_detach_is_a_violation(self):
        self.attached()
        self.violation(ErrorCode.UNEXPECTED, Detached(attachment=1))

    def test_attached_again_is_plugged_in_anew(self):
        """As after loadvm: RESET, then ATTACHED of the same number."""
        self.attached()
        request = self.request(1)
        self.assertEqual(
            self.feed(Reset(attachment=1, epoch=2),
                      Attached(attachment=1, epoch=2, speed=2)),
            [BusReset(Speed.FULL), PluggedIn(1, Speed.HIGH)])
        self.assertIs(request.answer, Answer.VOID)
        self.assertEqual(len(self.feed(self.submit(2, epoch=2))), 1)

    def test_attached_again_with_a_refusal_is_unplugged(self):
        self.attached()
        event, = self.feed(Attached(attachment=1, text="no port",
                                    result=AttachedResult.REFUSED))
        self.assertEqual(event.text, "no port")
        self.assertIs(self.session.state, State.DETACHED)

    def test_messages_of_a_later_attachment_are_violations(self):
        for message in (Reset(attachment=2, epoch=3),
                        self.submit(1, attachment=2)):
            self.setUp()
            self.attached()
            self.violation(ErrorCode.UNEXPECTED, message)

    def test_answers_about_what_was_never_plugged_in_are_violations(self):
        for number in (0, 2):
            for kind in (Attached, Detached):
                self.setUp()
                self.attached()
                self.violation(ErrorCode.UNKNOWN_ID, kind(attachment=number))

    def test_every_transition_is_one_that_a_state_can_have(self):
        self.assertNotIn(State.CLOSED, {state for state, _ in TRANSITIONS})
        reached = {State.START, *TRANSITIONS.values()}
        self.assertEqual(reached, set(State) - {State.CLOSED})


class Requests(Wired):
    def test_in_is_answered_with_data(self):
        self.attached()
        request = self.request(5)
        self.assertTrue(self.session.complete(request, data=b"abc"))
        self.assertEqual(self.collect(), [Complete(
            id=5, attachment=1, epoch=1, length=3, data=b"abc")])

    def test_out_is_answered_with_what_was_consumed(self):
        self.attached()
        for id, kwargs, length in ((1, {}, 64), (2, {"length": 10}, 10),
                                   (3, {"status": Status.STALL}, 0),
                                   (4, {"status": Status.NAK}, 0)):
            request = self.request(id, endpoint=1)
            self.session.complete(request, **kwargs)
            self.assertEqual(self.collect()[0].length, length)

    def test_any_order(self):
        self.attached()
        requests = [self.request(id) for id in (1, 2, 3)]
        for request in reversed(requests):
            self.session.complete(request)
        self.assertEqual([m.id for m in self.collect()], [3, 2, 1])

    def test_answering_twice_is_misuse(self):
        self.attached()
        request = self.request(1)
        self.session.complete(request)
        with self.assertRaises(LocalError):
            self.session.complete(request)

    def test_impossible_answers_are_misuse_and_leave_it_pending(self):
        self.attached(max_payload=8192, max_bytes=1 << 20)
        read, write = self.request(1), self.request(2, endpoint=1)
        for request, kwargs in (
                (read, {"data": bytes(8193)}),
                (read, {"data": b"a", "status": Status.NAK}),
                (read, {"status": 7}),
                (write, {"data": b"a"}), (write, {"length": 65})):
            with self.subTest(kwargs), self.assertRaises(LocalError):
                self.session.complete(request, **kwargs)
            self.assertTrue(request.pending)
        self.assertEqual(self.collect(), [])

    def test_babble_can_be_said_by_too_much_data(self):
        self.attached()
        request = self.request(1, length=4)
        self.session.complete(request, data=bytes(9))
        self.assertEqual(self.collect()[0].length, 9)

    def test_cancel_is_answered_for_a_device_that_is_silent(self):
        self.attached()
        request = self.request(1)
        event, = self.feed(Cancel(id=1, attachment=1, epoch=1))
        self.assertEqual(event, Cancelled(request))
        self.assertEqual(self.heard[-1], Complete(
            id=1, attachment=1, epoch=1, status=Status.CANCELLED))
        self.assertFalse(self.session.complete(request, data=b"late"))
        self.assertEqual(self.collect(), [])

    def test_cancel_of_out_tells_what_was_consumed(self):
        self.attached()
        request = self.request(1, endpoint=1)
        request.consumed = 7
        self.feed(Cancel(id=1, attachment=1, epoch=1))
        self.assertEqual(self.heard[-1].length, 7)

    def test_cancel_of_what_was_answered_is_ignored(self):
        self.attached()
        self.session.complete(self.request(1))
        self.collect()
        self.assertEqual(self.feed(Cancel(id=1, attachment=1, epoch=1)), [])
        self.assertEqual(self.heard[-1].id, 1)
        self.assertEqual(sum(isinstance(m, Complete) for m in self.heard), 1)

    def test_reset_voids_requests_without_an_answer(self):
        self.attached()
        request = self.request(1)
        self.assertEqual(self.feed(Reset(attachment=1, epoch=2, speed=2)),
                         [BusReset(Speed.HIGH)])
        self.assertIs(request.answer, Answer.VOID)
        self.assertFalse(self.session.complete(request, data=b"x"))
        self.assertEqual(self.collect(), [])
        self.assertEqual(len(self.feed(self.submit(2, epoch=2))), 1)

    def test_resets_may_be_joined(self):
        self.attached()
        self.assertEqual(len(self.feed(Reset(attachment=1, epoch=9))), 1)

    def test_an_epoch_that_goes_back_or_stays_is_a_violation(self):
        for epoch in (0, 1):
            self.setUp()
            self.attached()
            self.violation(ErrorCode.UNEXPECTED,
                           Reset(attachment=1, epoch=epoch))

    def test_a_submit_of_another_epoch_is_a_violation(self):
        for epoch in (0, 2):
            self.setUp()
            self.attached()
            error = self.violation(ErrorCode.UNEXPECTED,
                                   self.submit(8, epoch=epoch))
            self.assertEqual((error.type, error.id), (Msg.SUBMIT, 8))

    def test_ids_grow(self):
        for id in (4, 5):
            self.setUp()
            self.attached()
            self.session.complete(self.request(5))
            self.violation(ErrorCode.UNEXPECTED, self.submit(id))

    def test_cancel_of_what_was_never_submitted_is_a_violation(self):
        self.attached()
        self.request(5)
        error = self.violation(ErrorCode.UNKNOWN_ID,
                               Cancel(id=6, attachment=1, epoch=1))
        self.assertEqual(error.id, 6)

    def test_submit_before_attached_is_a_violation(self):
        self.open()
        self.session.attach(1)
        self.violation(ErrorCode.UNEXPECTED, self.submit(1, epoch=0))

    def test_submits_that_cross_a_detach_are_dropped(self):
        self.attached()
        self.session.detach()
        self.collect()
        self.assertEqual(self.feed(self.submit(1)), [])
        self.assertEqual(self.session.requests, {})

    def test_a_lost_connection_voids_requests(self):
        self.attached()
        request = self.request(1)
        self.session.feed_eof()
        self.assertFalse(self.session.complete(request))
        self.assertEqual(self.session.data_to_send(), b"")

    def test_a_malformed_message_is_named_with_its_id(self):
        self.attached()
        raw = bytearray(self.submit(7).encode())
        raw[24] = 0x91
        events = self.session.receive(bytes(raw))
        self.collect()
        self.assertEqual(events[-1].error.code, ErrorCode.MALFORMED)
        self.assertEqual((self.heard[-1].type, self.heard[-1].id),
                         (Msg.SUBMIT, 7))

    def test_ready_and_wakeup(self):
        self.attached()
        self.session.ready(0x81)
        self.session.wakeup()
        self.assertEqual(self.collect(), [
            Ready(attachment=1, epoch=1, endpoint=0x81),
            Wakeup(attachment=1)])

    def test_ready_and_wakeup_need_an_attachment(self):
        self.open()
        for call in (self.session.wakeup, lambda: self.session.ready(1)):
            with self.assertRaises(LocalError):
                call()


class Credits(Wired):
    """QEMU may not have more in flight than was agreed."""

    def test_requests_in_all(self):
        self.attached(max_requests=2)
        self.request(1)
        self.request(2, endpoint=0x82)
        self.violation(ErrorCode.LIMIT, self.submit(3, endpoint=0x83))

    def test_requests_of_an_endpoint(self):
        self.attached(max_per_endpoint=2)
        self.request(1)
        self.request(2)
        self.request(3, endpoint=1)
        self.violation(ErrorCode.LIMIT, self.submit(4))

    def test_bytes(self):
        self.attached(max_payload=8192, max_bytes=8192)
        self.request(1, length=8000)
        self.request(2, length=192)
        self.violation(ErrorCode.LIMIT, self.submit(3, length=1))

    control = {"endpoint": 0, "type": TransferType.CONTROL, "length": 8,
               "setup": bytes.fromhex("8006000100000800"), "data": b""}

    def test_a_control_request_counts_nowhere(self):
        self.attached(max_requests=2, max_payload=8192, max_bytes=8192)
        self.request(1, length=8192)
        self.request(2, **self.control)
        self.request(3, length=0)

    def test_a_second_control_request_is_one_too_many(self):
        self.attached()
        self.request(1, **self.control)
        self.violation(ErrorCode.LIMIT, self.submit(2, **self.control))

    def test_an_answer_gives_it_back(self):
        self.attached(max_requests=1, max_per_endpoint=1, max_payload=8192,
                      max_bytes=8192)
        for id, epoch in ((1, 1), (2, 1), (3, 1), (4, 2)):
            request = self.request(id, length=8192, epoch=epoch)
            if id == 1:
                self.session.complete(request)
            elif id == 2:
                self.feed(Cancel(id=id, attachment=1, epoch=1))
            else:
                self.feed(Reset(attachment=1, epoch=epoch + 1))
        self.assertEqual(len(self.session.requests), 0)


class TwoSessions(unittest.TestCase):
    """The peer's session and QEMU's in memory; see test_both_sessions.py."""

    def test_qemus_end_finds_violations(self):
        peer, qemu = PythonPeer(), QemuSession("usb0")
        talk(peer, qemu)
        peer.attach(1)
        talk(peer, qemu)
        qemu.attached()
        for message, code in (
                (Complete(id=1, attachment=1), ErrorCode.UNKNOWN_ID),
                (Attach(attachment=3), ErrorCode.UNEXPECTED),
                (Hello(), ErrorCode.UNEXPECTED),
                (Ready(attachment=2), ErrorCode.UNKNOWN_ID)):
            with self.subTest(message):
                qemu.closed = False
                with self.assertRaises(ProtocolViolation) as caught:
                    qemu.receive(message.encode())
                self.assertEqual(caught.exception.code, code)

    def test_counters(self):
        peer = PythonPeer()
        life(peer)
        counted = peer.session.counters.as_dict()
        self.assertEqual(counted["submits"], {"0x81": 3, "0x02": 1})
        self.assertEqual(counted["completes"], {"0x81": 3, "0x02": 1})
        for name in ("cancels", "resets", "attaches", "attached", "detaches",
                     "connections"):
            self.assertEqual(counted[name], 1, name)
        self.assertEqual(counted["bytes_out"], 5)


class Vectors(unittest.TestCase):
    """Every line of the vectors, to the session that it is meant for."""

    def cuts(self, data):
        """The ways in which it may arrive."""
        return [data], [data[at:at + 1] for at in range(len(data))], [
            data + Error(text="trail").encode()]

    def errors(self, said):
        """The codes of the ERRORs in these messages."""
        return [ErrorCode(m.code).name for m in said if isinstance(m, Error)]

    def vectors(self, sender):
        """(bytes, whether it is a HELLO, the error it is) of each one."""
        for name, who, text, result, _ in vector_lines("messages.txt"):
            if who == sender:
                wrong = None if result.split()[0] in ("ok", "skip") else result
                for pieces in self.cuts(bytes.fromhex(text)):
                    with self.subTest(name, pieces=len(pieces)):
                        yield pieces, text.startswith("0100"), wrong

    def test_what_qemu_says(self):
        for pieces, greeting, wrong in self.vectors("qemu"):
            wired = Wired()
            wired.setUp()
            if greeting:
                wired.feed(Preamble())
            else:
                wired.attached()
            for piece in pieces:
                wired.session.receive(piece)
            codes = self.errors(wired.collect())
            if wrong:
                self.assertEqual(codes, [wrong])
                self.assertIs(wired.session.state, State.CLOSED)
            else:
                self.assertNotIn("MALFORMED", codes)

    def test_what_a_peer_says(self):
        for pieces, greeting, wrong in self.vectors("peer"):
            qemu = QemuSession()
            qemu.receive(Preamble().encode()
                         + (b"" if greeting else Hello().encode()))
            decoder = Decoder(codec.QEMU)
            codes = []
            try:
                for piece in pieces:
                    qemu.receive(piece)
            except ProtocolViolation:
                pass
            decoder.feed(qemu.data_to_send())
            codes = self.errors(iter(decoder.next, None))
            if wrong:
                self.assertEqual(codes, [wrong])
                self.assertTrue(qemu.closed)
            else:
                self.assertNotIn("MALFORMED", codes)

    def test_answers(self):
        for name, submit, data, result in answers():
            with self.subTest(name):
                self.answer(submit, data, result)

    def answer(self, submit, data, result):
        """A COMPLETE to this request."""
        qemu = QemuSession()
        qemu.receive(Preamble().encode() + Hello().encode()
                     + Attach(attachment=1).encode())
        qemu.attached()
        qemu.reset()
        qemu.reset()            # the vectors are of epoch 2
        qemu.submit(submit.endpoint, submit.type, submit.length, submit.setup,
                    submit.data)
        try:
            found = qemu.receive(data) and "ok"
        except ProtocolViolation as err:
            found = err.code.name
        self.assertEqual(found, result)


class Names(unittest.TestCase):
    def test_every_event_and_state_is_documented(self):
        for value in vars(session).values():
            if isinstance(value, type) and issubclass(value, session.Event):
                self.assertTrue(value.__doc__)

    def test_limits_are_announced(self):
        peer = PeerSession(limits=Limits(max_requests=5))
        decoder = Decoder(codec.PEER)
        peer.receive(Preamble().encode() + Hello().encode())
        peer.accept()
        decoder.feed(peer.data_to_send())
        decoder.next()
        self.assertEqual(decoder.next().max_requests, 5)


if __name__ == "__main__":
    unittest.main()
