# SPDX-License-Identifier: GPL-2.0-or-later
"""Functions: their numbers in a device, and when the engine runs what."""

import logging
import unittest

import support  # noqa: F401

from usbremote import (Association, Configuration, Device, Direction,
                       Endpoint, Function, Interface, Kind, LocalError,
                       Recipient, Speed, Stall, Standard, Status,
                       TransferAborted, TransferType, control)
from usbremote import descriptors as desc
from usbremote.functions import hid
from usbremote.setup import Setup
from usbremote.testing import Bench

BULK = TransferType.BULK
IN, OUT = Direction.IN, Direction.OUT
OK, STALL = Status.OK, Status.STALL


class Pump(Function):
    """Two interfaces, endpoints 0x81 and 0x01; it logs what happens."""

    name = "pump"

    def __init__(self, log=None, tag=""):
        self.log = [] if log is None else log
        self.tag = tag
        self.places = []

    def interfaces(self, place):
        self.places.append(place)
        numbers = bytes((place.interface(0), place.interface(1),
                         place.endpoint(0x81), place.string("inner")))
        return [Interface(0x02, 6, 0, extra=desc.descriptor(0x24, numbers)),
                Interface(0x0a, number=1),
                Interface(0x0a, number=1, alternate=1, endpoints=[
                    Endpoint(0x81, BULK), Endpoint(0x01, BULK)])]

    def reset(self):
        self.log.append(f"{self.tag}reset")

    def setting_chosen(self, number, alternate):
        self.log.append(f"{self.tag}setting {number} {alternate}")

    def halt_changed(self, endpoint, halted):
        self.log.append(f"{self.tag}halt {endpoint:#x} {halted}")

    async def run(self):
        self.log.append(f"{self.tag}run {self.alternate(1)}")
        try:
            await self.sleep(1000)
        finally:
            self.log.append(f"{self.tag}over")

    @control(Kind.CLASS, Recipient.INTERFACE, 7, IN)
    def who(self, value, index):
        return f"{self.tag}{value} {index}".encode()

    @control(Kind.VENDOR, Recipient.DEVICE, 9, IN)
    def anybody(self):
        return self.tag.encode()


class Source(Function):
    """One interface; the bulk endpoint gives its letter."""

    def __init__(self, letter):
        self.letter = letter

    def interfaces(self, place):
        return [Interface(endpoints=[Endpoint(0x81, BULK)])]

    async def run(self):
        while True:
            await self.ep_in(1).send(self.letter)


class Several(Device):
    """Functions between plain interfaces."""

    def __init__(self):
        self.functions = [Source(b"a"), Pump(tag="p"), Source(b"b")]


class OnBench(unittest.TestCase):
    make = Several

    def setUp(self):
        self.bench = Bench(type(self).make)
        self.bench.plug_in()
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)

    def configuration(self):
        return self.bench.control(Setup(
            0x80, Standard.GET_DESCRIPTOR, 0x200, 0, 4096)).data

    def ask(self, kind, request, value=0, index=0, length=64):
        answer = self.bench.control(Setup(kind, request, value, index,
                                          length))
        return answer.status, answer.data


class Numbers(OnBench):
    def test_interfaces_and_endpoints_follow_each_other(self):
        parsed = desc.parse_configuration(self.configuration())
        self.assertEqual(parsed.settings, {
            (0, 0): {0x81: 64}, (1, 0): {}, (2, 0): {},
            (2, 1): {0x82: 64, 0x01: 64}, (3, 0): {0x83: 64}})

    def test_a_function_of_several_interfaces_gets_an_association(self):
        parts = desc.split(self.configuration())
        found = [part for part in parts if part[1] == desc.ASSOCIATION]
        self.assertEqual([part.hex(" ")[:17] for part in found],
                         ["08 0b 01 02 02 06"])
        device = self.bench.control(Setup(0x80, 6, 0x100, 0, 18)).data
        self.assertEqual(tuple(device[4:7]), (0xef, 2, 1))

    def test_class_descriptors_get_the_numbers_of_the_device(self):
        part, = [part for part in desc.split(self.configuration())
                 if part[1] == 0x24]
        self.assertEqual(tuple(part[2:5]), (1, 2, 0x82))
        text = self.bench.control(Setup(0x80, 6, 0x300 | part[5], 0x409,
                                        64)).data
        self.assertEqual(text[2:].decode("utf-16-le"), "inner")

    def test_plain_interfaces_keep_their_numbers(self):
        class Mixed(Device):
            def configurations(self, speed):
                return [Configuration([
                    Interface(number=3, endpoints=[Endpoint(0x81, BULK)]),
                    Source(b"x"), Interface()])]
        bench = Bench(Mixed)
        bench.plug_in()
        data = bench.control(Setup(0x80, 6, 0x200, 0, 255)).data
        self.assertEqual(desc.parse_configuration(data).settings, {
            (3, 0): {0x81: 64}, (4, 0): {0x82: 64}, (0, 0): {}})

    def test_alone_it_needs_no_association_and_may_say_the_class(self):
        class Alone(Device):
            def __init__(self):
                pump = Pump()
                pump.device_class = (2, 0, 0)
                self.functions = [pump]
        bench = Bench(Alone)
        bench.plug_in()
        data = bench.control(Setup(0x80, 6, 0x200, 0, 255)).data
        self.assertNotIn(desc.ASSOCIATION,
                         [part[1] for part in desc.split(data)])
        device = bench.control(Setup(0x80, 6, 0x100, 0, 18)).data
        self.assertEqual(tuple(device[4:7]), (2, 0, 0))

    def test_more_endpoints_than_there_are_is_an_error(self):
        class Many(Device):
            def __init__(self):
                self.functions = [Source(b"x") for _ in range(16)]
        with self.assertLogs("usbremote", "ERROR"):
            logging.disable(logging.NOTSET)
            bench = Bench(Many)
            bench.plug_in()
            self.assertEqual(bench.control(
                Setup(0x80, 6, 0x200, 0, 255)).status, STALL)

    def test_one_function_in_two_devices_is_an_error(self):
        class Shared(Device):
            functions = (Source(b"x"),)
        benches = [Bench(Shared), Bench(Shared)]
        benches[0].plug_in()
        self.assertEqual(benches[0].configure().status, OK)
        with self.assertLogs("usbremote", "ERROR") as logs:
            logging.disable(logging.NOTSET)
            benches[1].plug_in()
            benches[1].configure()
        self.assertIn("make one in __init__()", logs.output[0])


class Running(OnBench):
    def setUp(self):
        super().setUp()
        self.pump = self.bench.device.functions[1]

    def did(self, what):
        """What is logged while this happens."""
        del self.pump.log[:]
        what()
        self.bench.exchange()
        return self.pump.log

    def set_interface(self, alternate):
        return self.ask(1, Standard.SET_INTERFACE, alternate, 2, 0)

    def test_each_serves_its_own_endpoints(self):
        self.bench.configure()
        for address, letter in ((0x81, b"a"), (0x83, b"b")):
            id = self.bench.read(address, 64)
            self.assertEqual(self.bench.answered(id).data, letter)

    def test_run_begins_with_the_configuration_and_ends_with_it(self):
        self.assertEqual(self.did(self.bench.configure),
                         ["preset", "prun 0"])
        self.assertEqual(self.did(self.bench.qemu.reset),
                         ["preset", "pover"])

    def test_each_setting_of_its_interfaces_begins_it_anew(self):
        self.bench.configure()
        self.assertEqual(self.did(lambda: self.set_interface(1)),
                         ["psetting 1 1", "pover", "prun 1"])
        self.assertEqual(self.did(lambda: self.ask(
            1, Standard.SET_INTERFACE, 0, 0, 0)), [])

    def test_it_is_told_of_halts(self):
        self.bench.configure()
        self.set_interface(1)
        for request, told in ((Standard.SET_FEATURE, True),
                              (Standard.CLEAR_FEATURE, False)):
            self.assertEqual(self.did(lambda: self.ask(
                2, request, 0, 0x82, 0)), [f"phalt 0x81 {told}"])

    def test_its_methods_wait_for_nobody_while_it_is_not_configured(self):
        with self.assertRaisesRegex(TransferAborted, "not configured"):
            self.pump.ep_in(1)
        self.assertFalse(self.pump.is_configured)

    def test_an_endpoint_that_it_does_not_declare_is_misuse(self):
        self.bench.configure()
        with self.assertRaisesRegex(LocalError, "Pump declares no endpoint"):
            self.pump.ep_in(7)

    def test_a_bug_in_a_hook_ends_nothing_else(self):
        class Wrong(Source):
            def reset(self):
                raise ValueError("a bug")
            setting_chosen = halt_changed = reset

        class Two(Device):
            def __init__(self):
                self.functions = [Wrong(b"w"), Source(b"s")]
        bench = Bench(Two)
        bench.plug_in()
        logging.disable(logging.NOTSET)
        with self.assertLogs("usbremote", "ERROR") as logs:
            self.assertEqual(bench.configure().status, OK)
            bench.control(Setup(1, 11, 0, 0, 0))
            bench.control(Setup(2, 3, 0, 0x81, 0))
            id = bench.read(0x82, 64)
            bench.qemu.reset()
            bench.exchange()
        self.assertEqual(bench.answered(id).data, b"s")
        self.assertFalse(bench.device.is_configured)
        self.assertEqual(len(logs.output), 4)

    def test_a_bug_halts_its_endpoints_and_no_others(self):
        class Wrong(Source):
            async def run(self):
                await self.sleep(1)
                raise ValueError("a bug")

        class Two(Device):
            def __init__(self):
                self.functions = [Wrong(b"w"), Source(b"s")]
        bench = Bench(Two)
        bench.plug_in()
        bench.configure()
        logging.disable(logging.NOTSET)
        id = bench.read(0x81, 64)
        with self.assertLogs("usbremote", "ERROR") as logs:
            bench.exchange(1)
        self.assertIn("ValueError: a bug", logs.output[0])
        self.assertEqual(bench.answered(id).status, STALL)
        id = bench.read(0x82, 64)
        self.assertEqual(bench.answered(id).data, b"s")


class Requests(OnBench):
    def test_they_go_to_the_function_whose_interface_it_is(self):
        for configured in (False, True):
            for index in (1, 2):
                self.assertEqual(self.ask(0xa1, 7, 5, index),
                                 (OK, f"p5 {index}".encode()))
            for index in (0, 3, 4):
                self.assertEqual(self.ask(0xa1, 7, 5, index), (STALL, b""))
            self.bench.configure()

    def test_one_to_the_device_goes_to_the_function_that_declares_it(self):
        self.assertEqual(self.ask(0xc0, 9), (OK, b"p"))
        self.assertEqual(self.ask(0xc0, 10)[0], STALL)

    def test_the_device_goes_before_its_functions(self):
        class Strict(Several):
            @control(Kind.CLASS, Recipient.INTERFACE, 7, IN)
            @control(Kind.STANDARD, Recipient.DEVICE,
                     Standard.GET_CONFIGURATION, IN)
            def mine(self, setup):
                return bytes((setup.request,))

            @control(Kind.VENDOR, Recipient.DEVICE, 9, IN)
            async def later(self):
                raise Stall()
        bench = Bench(Strict)
        bench.plug_in()
        for kind, request, expected in ((0xa1, 7, (OK, b"\7")),
                                        (0x80, 8, (OK, b"\x08")),
                                        (0xc0, 9, (STALL, b""))):
            answer = bench.control(Setup(kind, request, 0, 1, 64))
            self.assertEqual((answer.status, answer.data), expected)

    def test_an_override_needs_no_mark(self):
        class Other(Pump):
            def who(self, value, index):
                return b"other"

        class One(Device):
            def __init__(self):
                self.functions = [Other()]
        bench = Bench(One)
        bench.plug_in()
        self.assertEqual(bench.control(Setup(0xa1, 7, 0, 0, 64)).data,
                         b"other")

    def test_a_parameter_that_no_request_has_is_told_at_once(self):
        with self.assertRaisesRegex(LocalError, "has no 'address'; .*value"):
            @control(Kind.VENDOR, Recipient.DEVICE, 1, IN)
            def handler(self, address):
                return b""

    def test_one_to_an_endpoint_goes_to_its_function(self):
        class Lamp(Source):
            @control(Kind.CLASS, Recipient.ENDPOINT, 1, OUT)
            def dim(self):
                return None

        class Two(Device):
            def __init__(self):
                self.functions = [Source(b"s"), Lamp(b"l")]
        bench = Bench(Two)
        bench.plug_in()
        for address, status in ((0x82, OK), (0x81, STALL), (0x02, STALL)):
            self.assertEqual(bench.control(
                Setup(0x22, 1, 0, address, 0)).status, status)


class Hid(unittest.TestCase):
    def bench(self, function):
        class One(Device):
            def __init__(self):
                self.functions = [function]
        bench = Bench(One)
        bench.plug_in()
        bench.configure()
        return bench

    def reports(self, bench, seconds, step=0.004):
        """(time, report) of each that the guest gets meanwhile."""
        found, end = [], bench.now() + seconds
        id = bench.read(0x81, 8, TransferType.INTERRUPT)
        while bench.now() < end - step / 2:
            bench.exchange(step)
            if bench.answer_to(id):
                found.append((round(bench.now(), 3),
                              bench.answered(id).data))
                id = bench.read(0x81, 8, TransferType.INTERRUPT)
        return found

    def test_reports_are_repeated_at_the_idle_rate(self):
        mouse = hid.Mouse()
        bench = self.bench(mouse)
        bench.spawn(mouse.move(1, 2))
        self.assertEqual([data for _, data in self.reports(bench, 0.1)],
                         [b"\0\1\2"])
        bench.control(Setup(0x21, hid.SET_IDLE, 5 << 8, 0, 0))
        repeated = self.reports(bench, 0.1)
        self.assertEqual({data for _, data in repeated}, {b"\0\1\2"})
        self.assertIn(len(repeated), (5, 6))        # each 20 ms
        bench.control(Setup(0x21, hid.SET_IDLE, 0, 0, 0))
        self.assertLess(len(self.reports(bench, 0.1)), 2)

    def test_before_any_report_the_state_is_zeros(self):
        bench = self.bench(hid.Mouse())
        bench.control(Setup(0x21, hid.SET_IDLE, 1 << 8, 0, 0))
        self.assertEqual(self.reports(bench, 0.02)[0][1], bytes(3))

    def test_a_report_longer_than_the_request_is_one_babble(self):
        mouse = hid.Mouse()
        bench = self.bench(mouse)
        id = bench.read(0x81, 1, TransferType.INTERRUPT)
        bench.spawn(mouse.move(1, 2))
        bench.exchange()
        self.assertEqual(bench.answered(id).data, b"\0\1\2")

    def test_a_report_longer_than_a_packet_spans_requests(self):
        pad = hid.Hid(b"", 20)
        bench = self.bench(pad)
        bench.spawn(pad.send(bytes(range(20))))
        got = []
        for _ in range(3):
            id = bench.read(0x81, 8, TransferType.INTERRUPT)
            got.append(bench.answered(id).data)
        self.assertEqual(b"".join(got), bytes(range(20)))

    def test_the_idle_rate_of_one_report_id(self):
        two = hid.Hid(bytes.fromhex("8501"), 2)
        bench = self.bench(two)
        bench.control(Setup(0x21, hid.SET_IDLE, 0x0700, 0, 0))
        bench.control(Setup(0x21, hid.SET_IDLE, 0x0902, 0, 0))
        for id, rate in ((1, 7), (2, 9)):
            self.assertEqual(bench.control(
                Setup(0xa1, hid.GET_IDLE, id, 0, 1)).data, bytes((rate,)))


class Composite(unittest.TestCase):
    def test_an_association_of_plain_interfaces_still_works(self):
        class Plain(Device):
            def configurations(self, speed):
                return [Configuration([
                    Association([Interface(2), Interface(10)], 2, 2, 1),
                    Interface(3)])]
        bench = Bench(Plain)
        bench.plug_in(Speed.FULL)
        data = bench.control(Setup(0x80, 6, 0x200, 0, 255)).data
        self.assertEqual(sorted(desc.parse_configuration(data).settings),
                         [(0, 0), (1, 0), (2, 0)])
        self.assertEqual(data[4], 3)


if __name__ == "__main__":
    unittest.main()
