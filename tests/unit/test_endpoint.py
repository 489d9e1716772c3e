# SPDX-License-Identifier: GPL-2.0-or-later
"""Endpoints: how send() and the readers span the guest's requests."""

import unittest

import support  # noqa: F401

from usbremote import descriptors as desc
from usbremote._proto import Status, SubmitFlag, TransferType
from usbremote.codec import EndpointEntry
from usbremote.descriptors import Configuration, Endpoint, Interface
from usbremote.device import Device
from usbremote.errors import LocalError, TransferAborted, TransferEnded
from usbremote.setup import Setup, Standard
from usbremote.testing import Bench

BULK = TransferType.BULK


class Pipes(Device):
    """Bulk endpoints 1 IN and 2 OUT of 64 bytes, idle by themselves."""

    def configurations(self, speed):
        return [Configuration([
            Interface(endpoints=[Endpoint(0x81, BULK, 64),
                                 Endpoint(0x02, BULK, 64)]),
            Interface(alternate=1, endpoints=[Endpoint(0x81, BULK, 32)])])]


class OnBench(unittest.TestCase):
    def setUp(self):
        self.bench = Bench(Pipes)
        self.bench.plug_in()
        self.bench.configure()
        self.log = []

    @property
    def device(self):
        return self.bench.device

    def do(self, name, coroutine):
        """Run a call of the device; its result goes to the log."""
        async def main():
            try:
                self.log.append((name, await coroutine))
            except (TransferAborted, TransferEnded, LocalError) as err:
                self.log.append((name, type(err)))
        self.bench.spawn(main())
        self.bench.exchange()

    def send(self, data, zlp=False):
        self.do(len(data), self.device.ep_in(1).send(data, zlp))

    def read(self, length):
        """The guest asks for so many bytes; what it gets at once or None."""
        return self.got(self.bench.read(0x81, length))

    def got(self, id):
        answer = self.bench.answer_to(id)
        return None if answer is None else answer.data

    def write(self, data):
        """The guest writes; whether and how it was answered."""
        answer = self.bench.answer_to(self.bench.write(2, data))
        return None if answer is None else (answer.status, answer.length)


class Sending(OnBench):
    def test_one_request(self):
        self.send(b"hello")
        self.assertEqual(self.log, [])
        self.assertEqual(self.read(64), b"hello")
        self.assertEqual(self.log, [(5, None)])

    def test_a_parked_request(self):
        id = self.bench.read(0x81, 64)
        self.assertIsNone(self.got(id))
        self.send(b"hello")
        self.assertEqual(self.got(id), b"hello")
        self.assertEqual(self.log, [(5, None)])

    def test_many_requests_of_a_packet_each(self):
        data = bytes(range(200))
        self.send(data)
        self.assertEqual(b"".join(self.read(64) for _ in range(3)),
                         data[:192])
        self.assertEqual(self.log, [])
        self.assertEqual(self.read(64), data[192:])
        self.assertEqual(self.log, [(200, None)])

    def test_one_large_request(self):
        self.send(bytes(200))
        self.assertEqual(self.read(16384), bytes(200))

    def test_the_guests_stream_is_the_same_however_it_asks(self):
        """UHCI asks for a packet each, xHCI for the whole transfer."""
        sends = ((bytes([1]) * 128, True), (bytes([2]) * 100, False),
                 (bytes([3]) * 64, False), (bytes([4]) * 30, False),
                 (b"", False), (bytes([5]) * 64, True))
        streams = []
        for length in (64, 128, 192, 16384):
            self.setUp()
            for data, zlp in sends:
                self.send(data, zlp)
            transfers, current = [], b""
            while True:
                part = self.read(length)
                if part is None:
                    break
                current += part
                if len(part) % 64 or len(part) < length:
                    transfers.append(current)
                    current = b""
            self.assertEqual(current, b"")
            streams.append([len(t) for t in transfers])
            self.assertEqual(len(self.log), len(sends))
        self.assertEqual(streams, [[128, 100, 94, 0, 64]] * 4)

    def test_whole_packets_without_an_end_wait_for_more(self):
        self.send(bytes(128))
        id = self.bench.read(0x81, 512)
        self.assertIsNone(self.got(id))
        self.send(b"end")
        self.assertEqual(self.got(id), bytes(128) + b"end")
        self.assertCountEqual(self.log, [(128, None), (3, None)])

    def test_send_returns_when_a_request_has_taken_it(self):
        """Else the next one, which makes it full, could not come."""
        self.send(bytes(128))
        self.assertEqual(self.log, [])
        id = self.bench.read(0x81, 512)
        self.assertEqual(self.log, [(128, None)])
        self.send(b"b" * 512)
        self.assertEqual(self.got(id), bytes(128) + b"b" * 384)
        self.assertEqual(self.log, [(128, None)])
        self.assertEqual(self.read(64), b"b" * 64)
        self.assertEqual(self.read(64), b"b" * 64)
        self.assertEqual(self.log, [(128, None), (512, None)])

    def test_an_empty_packet_ends_what_a_request_has_taken(self):
        for last, zlp in ((b"", False), (b"b" * 64, True)):
            self.setUp()
            self.send(b"a" * 64)
            id = self.bench.read(0x81, 512)
            self.send(last, zlp)
            self.assertEqual(self.got(id), b"a" * 64 + last)
            self.assertIsNone(self.read(64))

    def test_what_a_cancelled_request_has_taken_goes_to_smaller_ones(self):
        ids = [self.bench.read(0x81, length) for length in (512, 64, 64, 64)]
        self.send(b"a" * 64 + b"b" * 64)
        self.bench.qemu.cancel(ids[0])
        self.bench.exchange()
        self.assertEqual([self.got(id) for id in ids],
                         [b"", b"a" * 64, b"b" * 64, None])

    def test_whole_packets_that_fill_what_was_asked_do_not_wait(self):
        self.send(bytes(128))
        self.assertEqual(self.read(128), bytes(128))
        self.assertEqual(self.log, [(128, None)])

    def test_zlp_follows_a_request_that_is_full(self):
        self.send(bytes(128), zlp=True)
        self.assertEqual(self.read(128), bytes(128))
        self.assertEqual(self.log, [])
        self.assertEqual(self.read(64), b"")
        self.assertEqual(self.log, [(128, None)])

    def test_zlp_is_not_needed_after_a_short_packet(self):
        self.send(bytes(100), zlp=True)
        self.assertEqual(len(self.read(64)), 64)
        self.assertEqual(len(self.read(64)), 36)
        self.assertIsNone(self.read(64))

    def test_a_short_packet_that_fills_what_was_asked_ends_too(self):
        self.send(bytes(13))
        self.assertEqual(self.read(13), bytes(13))
        self.assertEqual(self.log, [(13, None)])
        self.assertIsNone(self.read(13))

    def test_nothing_at_all_is_an_empty_packet(self):
        self.send(b"")
        self.assertEqual(self.read(64), b"")
        self.assertEqual(self.log, [(0, None)])

    def test_whole_packets_then_an_empty_one(self):
        self.send(bytes(64))
        self.send(b"")
        self.assertEqual(self.read(512), bytes(64))
        self.assertIsNone(self.read(512))
        self.assertEqual(len(self.log), 2)

    def test_order_is_kept(self):
        for size in (1, 2, 3):
            self.send(bytes(size))
        self.assertEqual([len(self.read(64)) for _ in range(3)], [1, 2, 3])

    def test_cancel_before_the_data_keeps_it_for_the_next(self):
        id = self.bench.read(0x81, 64)
        self.bench.qemu.cancel(id)
        self.bench.exchange()
        self.assertEqual(self.bench.answer_to(id).status, Status.CANCELLED)
        self.send(b"kept")
        self.assertEqual(self.read(64), b"kept")

    def test_cancel_of_a_request_that_waits_for_its_rest_loses_nothing(self):
        self.send(bytes(64))
        id = self.bench.read(0x81, 512)
        self.bench.qemu.cancel(id)
        self.bench.exchange()
        self.assertEqual(self.bench.answer_to(id).data, b"")
        self.send(b"x")
        self.assertEqual(self.read(512), bytes(64) + b"x")

    def test_cancel_after_the_data_changes_nothing(self):
        self.send(b"first")
        self.send(b"second")
        id = self.bench.read(0x81, 64)
        self.bench.qemu.cancel(id)
        self.bench.exchange()
        self.assertEqual(self.got(id), b"first")
        self.assertEqual(self.read(64), b"second")
        self.assertIsNone(self.read(64))

    def test_cancel_together_with_its_request_changes_nothing(self):
        self.send(b"first")
        id = self.bench.qemu.submit(0x81, BULK, 64)
        self.bench.qemu.cancel(id)
        self.bench.exchange()
        self.assertEqual(self.got(id), b"first")
        self.assertIsNone(self.read(64))

    def test_reset_ends_a_send(self):
        self.send(bytes(100))
        self.assertEqual(len(self.read(64)), 64)
        self.bench.qemu.reset()
        self.bench.exchange()
        self.assertEqual(self.log, [(100, TransferAborted)])
        self.bench.configure()
        self.assertIsNone(self.read(64))

    def test_what_was_parked_before_a_configuration_gets_nothing(self):
        id = self.bench.read(0x81, 64)
        self.bench.configure()
        self.send(b"new")
        self.assertIsNone(self.bench.answer_to(id))
        self.assertEqual(self.read(64), b"new")

    def test_a_send_that_is_cancelled_takes_its_bytes_along(self):
        task = self.bench.spawn(self.device.ep_in(1).send(b"no"))
        self.bench.exchange()
        task.cancel()
        self.bench.exchange()
        self.assertIsNone(self.read(64))


class Reading(OnBench):
    def test_some_is_what_came_with_one_request(self):
        for data in (bytes(64), b"", bytes(range(200))):
            self.do("some", self.device.ep_out(2).read_some())
            self.assertEqual(self.write(data), (Status.OK, len(data)))
            self.assertEqual(self.log.pop(), ("some", data))

    def test_some_is_the_rest_of_what_was_read_before(self):
        self.do("packet", self.device.ep_out(2).read_packet())
        self.assertIsNone(self.write(bytes(range(150))))
        self.do("some", self.device.ep_out(2).read_some())
        self.assertEqual(self.log[-1], ("some", bytes(range(64, 150))))

    def test_a_request_waits_for_its_reader(self):
        self.assertIsNone(self.write(b"hello"))
        self.do("read", self.device.ep_out(2).read_transfer())
        self.assertEqual(self.log, [("read", b"hello")])
        self.assertEqual(self.bench.heard[-1].length, 5)

    def test_a_reader_waits_for_its_request(self):
        self.do("read", self.device.ep_out(2).read_transfer())
        self.assertEqual(self.log, [])
        self.assertEqual(self.write(b"hello"), (Status.OK, 5))
        self.assertEqual(self.log, [("read", b"hello")])

    def test_a_transfer_is_the_same_however_it_is_cut(self):
        data = bytes(range(250))
        for length in (64, 128, 250):
            self.setUp()
            self.do("read", self.device.ep_out(2).read_transfer())
            for at in range(0, len(data), length):
                self.assertEqual(self.log, [])
                self.write(data[at:at + length])
            self.assertEqual(self.log, [("read", data)])

    def test_whole_packets_end_with_an_empty_one(self):
        self.do("read", self.device.ep_out(2).read_transfer())
        self.write(bytes(128))
        self.assertEqual(self.log, [])
        self.assertEqual(self.write(b""), (Status.OK, 0))
        self.assertEqual(self.log, [("read", bytes(128))])

    def test_a_transfer_has_a_limit(self):
        self.do("read", self.device.ep_out(2).read_transfer(limit=100))
        self.write(bytes(128))
        self.assertEqual(self.log, [("read", LocalError)])

    def test_exactly_over_many_requests(self):
        self.do("read", self.device.ep_out(2).read_exactly(100))
        self.write(bytes(64))
        self.write(b"x" * 36)
        self.assertEqual(self.log, [("read", bytes(64) + b"x" * 36)])

    def test_exactly_a_part_of_a_request(self):
        id = self.bench.write(2, b"headpayload")
        self.do("head", self.device.ep_out(2).read_exactly(4))
        self.assertIsNone(self.bench.answer_to(id))
        self.do("rest", self.device.ep_out(2).read_exactly(7))
        self.assertEqual(self.bench.answer_to(id).length, 11)
        self.assertEqual(self.log, [("head", b"head"), ("rest", b"payload")])

    def test_exactly_then_the_rest_of_the_transfer(self):
        self.write(b"headpayload")
        self.do("head", self.device.ep_out(2).read_exactly(4))
        self.do("rest", self.device.ep_out(2).read_transfer())
        self.assertEqual(self.log, [("head", b"head"), ("rest", b"payload")])

    def test_exactly_passes_over_the_end_of_the_transfer_before(self):
        self.do("a", self.device.ep_out(2).read_exactly(64))
        self.write(bytes(64))
        self.write(b"")
        self.do("b", self.device.ep_out(2).read_exactly(3))
        self.write(b"abc")
        self.assertEqual(self.log, [("a", bytes(64)), ("b", b"abc")])

    def test_exactly_says_when_the_transfer_ends_early(self):
        self.do("read", self.device.ep_out(2).read_exactly(100))
        self.write(bytes(64))
        self.write(b"x")
        self.assertEqual(self.log, [("read", TransferEnded)])

    def test_cancel_tells_what_was_consumed(self):
        id = self.bench.write(2, b"headpayload")
        self.do("head", self.device.ep_out(2).read_exactly(4))
        self.bench.qemu.cancel(id)
        self.bench.exchange()
        answer = self.bench.answer_to(id)
        self.assertEqual((answer.status, answer.length),
                         (Status.CANCELLED, 4))

    def test_the_rest_of_a_cancelled_request_ends_the_same_transfer(self):
        """68 bytes are a short packet, the 64 that come again are not."""
        data = bytes(range(68))
        id = self.bench.write(2, data)
        self.do("head", self.device.ep_out(2).read_exactly(4))
        self.bench.qemu.cancel(id)
        self.bench.exchange()
        self.bench.qemu.submit(2, BULK, 64, data=data[4:],
                               flags=SubmitFlag.RETRY)
        self.do("rest", self.device.ep_out(2).read_transfer())
        self.assertEqual(self.log, [("head", data[:4]), ("rest", data[4:])])

    def test_what_follows_a_cancelled_request_is_cut_as_usual(self):
        id = self.bench.write(2, bytes(68))
        self.do("head", self.device.ep_out(2).read_exactly(4))
        self.bench.qemu.cancel(id)
        self.bench.exchange()
        self.do("next", self.device.ep_out(2).read_transfer())
        self.write(bytes(64))
        self.bench.qemu.submit(2, BULK, 64, data=bytes(64),
                               flags=SubmitFlag.RETRY)
        self.bench.exchange()
        self.assertEqual(self.log, [("head", bytes(4))])
        self.write(b"x")
        self.assertEqual(self.log[1], ("next", bytes(128) + b"x"))

    def test_a_cancelled_request_is_not_read(self):
        id = self.bench.write(2, b"gone")
        self.bench.qemu.cancel(id)
        self.bench.exchange()
        self.do("read", self.device.ep_out(2).read_transfer())
        self.write(b"here")
        self.assertEqual(self.log, [("read", b"here")])

    def test_unplugging_ends_a_read(self):
        self.do("read", self.device.ep_out(2).read_exactly(4))
        self.bench.port.detach()
        self.bench.exchange()
        self.assertEqual(self.log, [("read", TransferAborted)])

    def test_a_second_reader_is_misuse(self):
        self.do("a", self.device.ep_out(2).read_exactly(4))
        self.do("b", self.device.ep_out(2).read_exactly(4))
        self.assertEqual(self.log, [("b", LocalError)])


class Packets(OnBench):
    """Read one by one: the same however the guest's transfer is cut."""

    def packets(self, *writes):
        """The packets that these requests are read as."""
        found = []

        async def main():
            async for packet in self.device.ep_out(2):
                found.append(packet)
        self.do("all", main())
        for data in writes:
            self.assertEqual(self.write(data), (Status.OK, len(data)))
        return found

    def test_they_are_cut_by_the_size_of_the_endpoint(self):
        data = bytes(range(200))
        cut = [data[:64], data[64:128], data[128:192], data[192:]]
        self.assertEqual(self.packets(*cut), cut)
        self.setUp()
        self.assertEqual(self.packets(data), cut)

    def test_an_empty_packet_is_one_too(self):
        self.assertEqual(self.packets(bytes(64), b"", b"x"),
                         [bytes(64), b"", b"x"])

    def test_what_read_exactly_left_of_one_is_the_next(self):
        self.bench.write(2, bytes(60) + b"rest" + b"more")
        self.do("head", self.device.ep_out(2).read_exactly(60))
        self.assertEqual(self.packets(), [b"rest", b"more"])

    def test_a_reset_ends_them(self):
        self.packets(b"x")
        self.bench.qemu.reset()
        self.bench.exchange()
        self.assertEqual(self.log, [("all", TransferAborted)])


class Flushing(OnBench):
    def test_what_was_to_be_sent_is_dropped_and_requests_stay(self):
        self.send(bytes(64))
        id = self.bench.read(0x81, 512)     # has taken them
        self.device.ep_in(1).flush()
        self.bench.exchange()
        self.send(b"new")
        self.assertEqual(self.got(id), b"new")

    def test_who_sends_is_told(self):
        self.send(bytes(100))
        self.device.ep_in(1).flush()
        self.bench.exchange()
        self.assertEqual(self.log, [(100, TransferAborted)])
        self.assertIsNone(self.read(64))

    def test_a_reader_is_ended_and_what_it_had_not_read_stays(self):
        self.do("read", self.device.ep_out(2).read_exactly(100))
        self.device.ep_out(2).flush()
        self.bench.exchange()
        self.assertEqual(self.log, [("read", TransferAborted)])
        self.write(b"later")
        self.do("read", self.device.ep_out(2).read_transfer())
        self.assertEqual(self.log[1:], [("read", b"later")])


class Halting(OnBench):
    clear = Setup(0x02, Standard.CLEAR_FEATURE, 0, 0x81, 0)

    def status(self, id):
        answer = self.bench.answer_to(id)
        return None if answer is None else answer.status

    def test_a_halted_endpoint_stalls_until_the_guest_clears_it(self):
        parked = self.bench.read(0x81, 64)
        self.device.ep_in(1).halt()
        self.bench.exchange()
        self.assertEqual(self.status(parked), Status.STALL)
        self.assertEqual(self.status(self.bench.read(0x81, 64)),
                         Status.STALL)
        self.assertEqual(self.bench.control(Setup(
            0x82, Standard.GET_STATUS, 0, 0x81, 2)).data, b"\1\0")
        self.bench.control(self.clear)
        self.assertIsNone(self.status(self.bench.read(0x81, 64)))

    def test_what_a_request_has_taken_goes_out_with_the_stall(self):
        self.send(b"a" * 64)
        id = self.bench.read(0x81, 512)
        self.device.ep_in(1).halt()
        self.bench.exchange()
        answer = self.bench.answer_to(id)
        self.assertEqual((answer.status, answer.data),
                         (Status.STALL, b"a" * 64))
        self.bench.control(self.clear)
        self.assertIsNone(self.status(self.bench.read(0x81, 64)))

    def test_a_clear_drops_what_a_request_has_taken(self):
        self.send(b"a" * 64)
        self.bench.read(0x81, 512)
        self.bench.control(self.clear)
        self.bench.qemu.cancel(min(self.bench.qemu.in_flight))
        self.bench.exchange()
        self.send(b"new")
        self.assertEqual(self.read(512), b"new")

    def test_data_waits_while_it_is_halted(self):
        self.device.ep_in(1).halt()
        self.send(b"data")
        self.bench.read(0x81, 64)
        self.bench.control(self.clear)
        self.assertEqual(self.read(64), b"data")

    def test_a_send_that_had_not_begun_goes_on_after_the_halt(self):
        self.send(b"data")
        self.device.ep_in(1).halt()
        self.bench.control(self.clear)
        self.assertEqual(self.read(64), b"data")

    def test_a_transfer_sent_in_part_ends_when_the_halt_is_cleared(self):
        self.send(bytes(100))
        self.send(b"next")
        self.read(64)
        self.device.ep_in(1).halt()
        self.assertEqual(self.log, [])
        self.bench.control(self.clear)
        self.assertEqual(self.log, [(100, TransferAborted)])
        self.assertEqual(self.read(64), b"next")

    def test_a_transfer_read_in_part_ends_when_the_halt_is_cleared(self):
        for call in ("read_transfer", "read_exactly"):
            self.setUp()
            out = self.device.ep_out(2)
            arguments = (100,) if call == "read_exactly" else ()
            self.do(call, getattr(out, call)(*arguments))
            self.write(bytes(64))
            self.bench.control(Setup(2, Standard.CLEAR_FEATURE, 0, 2, 0))
            self.assertEqual(self.log, [(call, TransferAborted)])

    def test_a_reader_that_has_nothing_yet_goes_on_after_the_halt(self):
        self.do("read", self.device.ep_out(2).read_transfer())
        self.device.ep_out(2).halt()
        self.assertEqual(self.write(b"no"), (Status.STALL, 0))
        self.bench.control(Setup(2, Standard.CLEAR_FEATURE, 0, 2, 0))
        self.write(b"yes")
        self.assertEqual(self.log, [("read", b"yes")])

    def test_a_wedged_endpoint_stays_halted_whatever_is_cleared(self):
        pipe = self.device.ep_in(1)
        pipe.wedge()
        self.bench.control(self.clear)
        self.assertEqual(self.bench.control(Setup(
            0x82, Standard.GET_STATUS, 0, 0x81, 2)).data, b"\1\0")
        self.assertEqual(self.status(self.bench.read(0x81, 64)),
                         Status.STALL)
        pipe.unwedge()
        self.assertTrue(pipe.halted)
        self.bench.control(self.clear)
        self.assertFalse(pipe.halted)

    def test_a_configuration_ends_a_wedge(self):
        self.device.ep_in(1).wedge()
        self.bench.configure()
        self.device.ep_in(1).halt()
        self.bench.control(self.clear)
        self.assertFalse(self.device.ep_in(1).halted)

    def test_the_guest_may_halt_it(self):
        self.bench.control(Setup(0x02, Standard.SET_FEATURE, 0, 0x02, 0))
        self.assertEqual(self.write(b"x"), (Status.STALL, 0))

    def test_a_configuration_clears_it(self):
        self.device.ep_in(1).halt()
        self.bench.configure()
        self.assertIsNone(self.status(self.bench.read(0x81, 64)))


class Raw(OnBench):
    def test_a_request_may_be_answered_in_any_way(self):
        for status, data in ((Status.IOERROR, b""), (Status.BABBLE, b"xy"),
                             (Status.OK, bytes(100)), (Status.NAK, b"")):
            self.log.clear()
            self.do("request", self.device.ep_in(1).next_request())
            id = self.bench.read(0x81, 64)
            request = self.log[0][1]
            self.assertTrue(self.device.ep_in(1).answer(request, status,
                                                        data))
            self.bench.exchange()
            answer = self.bench.answer_to(id)
            self.assertEqual((answer.status, answer.data), (status, data))

    def test_it_goes_before_a_send(self):
        self.do("request", self.device.ep_in(1).next_request())
        self.send(b"later")
        self.assertIsNone(self.read(64))
        self.assertEqual(self.log[0][0], "request")
        self.assertEqual(self.read(64), b"later")

    def test_one_that_was_cancelled_is_not_answered_again(self):
        self.do("request", self.device.ep_in(1).next_request())
        id = self.bench.read(0x81, 64)
        self.bench.qemu.cancel(id)
        self.bench.exchange()
        self.assertFalse(self.device.ep_in(1).answer(self.log[0][1]))


class Settings(OnBench):
    def test_another_setting_ends_what_waits_and_has_its_packet_size(self):
        self.send(bytes(65))
        self.bench.read(0x81, 64)
        answer = self.bench.control(Setup(1, Standard.SET_INTERFACE, 1, 0, 0))
        self.assertEqual(answer.status, Status.OK)
        self.assertEqual(self.log, [(65, TransferAborted)])
        self.assertEqual(self.device.ep_in(1).max_packet, 32)

    def use_all(self, number):
        """Use both directions in each way; what the log has at once."""
        into, out = self.device.ep_in(number), self.device.ep_out(number)
        for call in (into.send(b"x"), into.next_request(),
                     out.next_request(), out.read_transfer(),
                     out.read_exactly(1)):
            self.do("call", call)
        return self.log

    def test_an_endpoint_that_no_setting_declares_is_an_error(self):
        self.assertEqual(self.use_all(3), [("call", LocalError)] * 5)

    def test_the_error_names_the_endpoint(self):
        with self.assertRaisesRegex(LocalError, "no endpoint 0x83"):
            self.device.ep_in(3).check_usable()

    def test_an_endpoint_of_another_setting_is_waited_for(self):
        self.bench.control(Setup(1, Standard.SET_INTERFACE, 1, 0, 0))
        self.do("read", self.device.ep_out(2).read_transfer())
        self.assertEqual(self.log, [])

    def test_without_a_configuration_it_is_waited_for(self):
        self.bench.configure(0)
        self.do("send", self.device.ep_in(3).send(b"x"))
        self.assertEqual(self.log, [])

    def test_an_endpoint_of_a_raw_descriptor_is_declared(self):
        self.device.raw_descriptors = {desc.CONFIGURATION: bytes.fromhex(
            "090219000101008032" "0904000001ff000000" "07058302400000")}
        self.bench.configure()
        self.send(b"x")
        self.assertEqual(self.log, [(1, LocalError)])
        self.do("send", self.device.ep_in(3).send(b"x"))
        self.assertEqual(self.got(self.bench.read(0x83, 64)), b"x")

    def test_a_raw_descriptor_without_sense_forbids_nothing(self):
        self.device.raw_descriptors = {desc.CONFIGURATION: bytes.fromhex(
            "090219000101008032" "00")}
        self.bench.configure()
        self.do("send", self.device.ep_in(3).send(b"x"))
        self.assertEqual(self.got(self.bench.read(0x83, 64)), b"x")

    def test_an_endpoint_of_the_table_for_qemu_is_declared(self):
        self.device.endpoint_table = (
            EndpointEntry(address=0x83, type=BULK, max_packet=64),)
        self.do("send", self.device.ep_in(3).send(b"x"))
        self.assertEqual(self.log, [])


if __name__ == "__main__":
    unittest.main()
