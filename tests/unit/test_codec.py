# SPDX-License-Identifier: GPL-2.0-or-later
"""The Python codec against the golden vectors."""

import unittest

from support import answers, number_or_bytes, vector_lines

from usbremote import _proto, codec
from usbremote._proto import ErrorCode, Msg
from usbremote.codec import (PEER, QEMU, Complete, Decoder, EndpointEntry,
                             Hello, Limits, Preamble, Submit, check_answer)
from usbremote.errors import (LocalError, NotUsbRemote, ProtocolViolation,
                              VersionMismatch)


def started(sender, limits=None):
    """A decoder that is past the preamble."""
    decoder = Decoder({"qemu": QEMU, "peer": PEER}[sender])
    decoder.feed(Preamble().encode())
    decoder.next()
    if limits:
        decoder.limits = limits
    return decoder


def outcome(decoder):
    """What the next message is: itself, None or an error's name."""
    try:
        return decoder.next()
    except ProtocolViolation as err:
        return err.code.name


class Messages(unittest.TestCase):
    """Every line of messages.txt."""

    def for_each(self, check):
        """check(sender, bytes, result's words, fields) for each vector."""
        for name, sender, data, result, fields in vector_lines(
                "messages.txt"):
            with self.subTest(name):
                check(sender, bytes.fromhex(data), result.split(),
                      dict(f.split("=", 1) for f in fields.split()))

    def judge(self, found, result, decoder):
        if result[0] == "ok":
            self.assertIsInstance(found, codec.Message)
        elif result[0] == "skip":
            self.assertIsNone(found)
            self.assertEqual(decoder.skipped, 1)
        else:
            self.assertEqual(found, result[0])

    def test_whole(self):
        def check(sender, data, result, _):
            decoder = started(sender)
            decoder.feed(data)
            self.judge(outcome(decoder), result, decoder)
            if result[0] in ("ok", "skip"):
                self.assertEqual(decoder.pending(), b"")
        self.for_each(check)

    def test_byte_by_byte_and_judged_no_byte_late_or_early(self):
        def check(sender, data, result, _):
            decoder = started(sender)
            for at in range(len(data)):
                decoder.feed(data[at:at + 1])
                found = outcome(decoder)
                if at < len(data) - 1:
                    self.assertIsNone(found, f"after byte {at}")
            self.judge(found, result, decoder)
        self.for_each(check)

    def test_with_trailing_bytes(self):
        follower = {"qemu": codec.Detached(attachment=7),
                    "peer": codec.Detach(attachment=7)}

        def check(sender, data, result, _):
            decoder = started(sender)
            decoder.feed(data + follower[sender].encode() + b"\x30")
            if result[0] != "skip":     # that is passed over at once
                self.judge(outcome(decoder), result, decoder)
            if result[0] in ("ok", "skip"):
                self.assertEqual(outcome(decoder), follower[sender])
                self.assertIsNone(outcome(decoder))
                self.assertEqual(decoder.pending(), b"\x30")
        self.for_each(check)

    def test_fields(self):
        def check(sender, data, result, fields):
            if result[0] == "ok":
                decoder = started(sender)
                decoder.feed(data)
                self.compare(decoder.next(), fields, "lossy" in result)
        self.for_each(check)

    def compare(self, message, fields, lossy):
        for key, text in fields.items():
            part, _, name = key.rpartition(".")
            want = number_or_bytes(text)
            if key == "type":
                self.assertEqual(message.TYPE, want)
            elif hasattr(message, name):
                found = getattr(message, name)
                if isinstance(found, str):
                    want = want.decode("utf-8", "replace")
                self.assertEqual(found, want, key)
            else:
                found = self.derived(message, name)
                if lossy and name == "flags":
                    want &= 1   # unknown bits are dropped
                self.assertEqual(found, want, key)

    def derived(self, message, name):
        """Parts of the wire that are no attribute of the message."""
        if name == "table":
            return b"".join(
                bytes((e.address, e.type, e.max_packet & 0xff,
                       e.max_packet >> 8, e.interval, e.interface,
                       e.max_streams, 0)) for e in message.endpoints)
        if name == "flags":
            return int(message.endpoints is not None)
        if name == "endpoint_count":
            return len(message.endpoints or ())
        strings = dict(zip(("name_length", "id_length", "select_length"),
                           message.strings()))
        return len(strings[name])

    def test_encoded_again_they_are_the_same_bytes(self):
        def check(sender, data, result, _):
            if result == ["ok"]:
                decoder = started(sender)
                decoder.feed(data)
                self.assertEqual(decoder.next().encode(), data)
        self.for_each(check)

    def test_every_message_has_good_and_bad_vectors(self):
        good, bad = set(), set()

        def check(sender, data, result, _):
            kind = int.from_bytes(data[:2], "little")
            (good if result[0] == "ok" else bad).add(kind)
        self.for_each(check)
        self.assertEqual(good, set(Msg))
        self.assertLessEqual(set(Msg), bad)

    def test_every_field_of_the_header_is_in_a_vector(self):
        seen = set()

        def check(sender, data, result, fields):
            if result[0] == "ok":
                kind = _proto.MESSAGES[int(fields["type"], 0)].layout.name
                seen.update((kind, f.split(".")[1]) for f in fields
                            if f.startswith("fixed."))
        self.for_each(check)
        wanted = {(info.layout.name, field.name)
                  for info in _proto.MESSAGES.values()
                  for field in info.layout.fields
                  if not field.name.startswith("reserved")}
        self.assertEqual(seen, wanted)


class Preambles(unittest.TestCase):
    def test_vectors_whole_and_byte_by_byte(self):
        for name, data, result in vector_lines("preambles.txt"):
            data = bytes.fromhex(data)
            for step in (len(data), 1):
                with self.subTest(name, step=step):
                    decoder = Decoder(QEMU)
                    for at in range(0, len(data), step):
                        decoder.feed(data[at:at + step])
                        found = outcome(decoder)
                        if at + step < len(data):
                            self.assertIsNone(found)
                    self.assertEqual(
                        result, "ok" if isinstance(found, Preamble)
                        else found)

    def test_what_is_not_usb_remote_is_quoted(self):
        decoder = Decoder(QEMU)
        decoder.feed(b"HTTP/1.1 400 Bad\x1b Request\r\nServer: x\r\n")
        with self.assertRaisesRegex(NotUsbRemote, "HTTP/1.1 400 Bad. Req"):
            decoder.next()

    def test_another_version_is_named(self):
        decoder = Decoder(QEMU)
        decoder.feed(Preamble(7, 3).encode())
        with self.assertRaisesRegex(VersionMismatch, "7.3.*0.1") as caught:
            decoder.next()
        self.assertEqual(caught.exception.theirs, (7, 3))


class Answers(unittest.TestCase):
    def test_vectors(self):
        for name, submit, data, result in answers():
            with self.subTest(name):
                decoder = started("peer")
                decoder.feed(data)
                found = "ok"
                try:
                    check_answer(decoder.next(), submit)
                except ProtocolViolation as err:
                    found = err.code.name
                self.assertEqual(found, result)


class LimitsInForce(unittest.TestCase):
    limits = Limits(max_payload=2048, max_control=64)

    def found(self, message, sender):
        decoder = started(sender, self.limits)
        decoder.feed(message.encode())
        return outcome(decoder)

    def test_a_submit_up_to_the_limit_is_taken(self):
        message = Submit(id=1, endpoint=1, type=2, length=2048,
                         data=bytes(2048))
        self.assertEqual(self.found(message, "qemu"), message)

    def test_a_submit_beyond_it_is_not(self):
        for message in (Submit(id=1, endpoint=0x81, type=2, length=2049),
                        Submit(id=1, endpoint=1, type=2, length=2049,
                               data=bytes(2049)),
                        Submit(id=1, length=65,
                               setup=bytes.fromhex("8006000100004100"))):
            self.assertEqual(self.found(message, "qemu"), "LIMIT")

    def test_a_complete_beyond_it_is_not(self):
        message = Complete(id=1, length=2049, data=bytes(2049))
        self.assertEqual(self.found(message, "peer"), "LIMIT")

    def test_the_smaller_of_both_holds(self):
        own = Limits(5, 4096, 128, 9, 8, 8192)
        theirs = Hello(features=6, max_payload=2048, max_control=4096,
                       max_requests=10, max_per_endpoint=7, max_bytes=9999)
        self.assertEqual(own.join(theirs), Limits(4, 2048, 128, 9, 7, 8192))

    def test_a_control_stage_is_no_larger_than_a_payload(self):
        self.assertEqual(Limits().join(Hello(max_payload=2048)).max_control,
                         2048)


class Encoding(unittest.TestCase):
    def test_what_no_message_may_have_is_a_local_error(self):
        for message in (codec.Attach(speeds=0), codec.Attach(gap_ms=60001),
                        codec.Attach(speeds=256), Complete(id=0),
                        codec.Attach(endpoints=(EndpointEntry(),)),
                        Complete(id=1, status=2, length=1)):
            with self.subTest(message), self.assertRaises(LocalError):
                message.encode()

    def test_long_texts_are_cut_at_a_character(self):
        data = codec.Error(text="\u20ac" * 300).encode()
        self.assertEqual(len(data), 24 + 8 + 510)

    def test_messages_are_frozen_and_slotted(self):
        message = Hello()
        self.assertFalse(hasattr(message, "__dict__"))
        with self.assertRaises(AttributeError):
            message.name = "x"

    def test_the_offending_message_and_id_are_told(self):
        decoder = started("peer")
        decoder.feed(Complete(id=9).encode()[:24 + 1])
        self.assertIsNone(decoder.next())
        decoder = started("peer")
        data = bytearray(Complete(id=9).encode())
        data[24] = 77
        decoder.feed(bytes(data))
        with self.assertRaises(ProtocolViolation) as caught:
            decoder.next()
        self.assertEqual((caught.exception.code, caught.exception.type,
                          caught.exception.id),
                         (ErrorCode.MALFORMED, Msg.COMPLETE, 9))


if __name__ == "__main__":
    unittest.main()
