# SPDX-License-Identifier: GPL-2.0-or-later
"""The device base class: standard requests, handlers, life and death."""

import logging
import unittest

import support  # noqa: F401

from usbremote import descriptors as desc
from usbremote._proto import (AddressPolicy, AttachedResult, ErrorCode, Speed,
                              Status, TransferType)
from usbremote.functions import hid
from usbremote.codec import (Attach, Complete, Detach, EndpointEntry, Error,
                             Ready, Wakeup)
from usbremote.descriptors import Configuration, Endpoint, Interface
from usbremote.device import Device
from usbremote.errors import Fail, LocalError, Refused, Stall
from usbremote.setup import Setup, Standard
from usbremote.testing import Bench, QemuSession

GET, SET = 0x80, 0x00
OK, STALL = Status.OK, Status.STALL


class Gadget(Device):
    """Two configurations, alternate settings, and handlers that fail."""

    vendor_id, product_id, release = 0x1234, 0x5678, 0x0102
    manufacturer, product, serial = "maker", "gadget", "42"
    speeds = (Speed.FULL, Speed.HIGH)

    def __init__(self):
        super().__init__()
        self.log = []

    def configurations(self, speed):
        size = 512 if speed == Speed.HIGH else 64
        bulk = Endpoint(0x81, TransferType.BULK, size)
        return [
            Configuration([Interface(endpoints=[bulk], name="main"),
                           Interface(endpoints=[], alternate=1)]),
            Configuration([Interface(number=3)], value=5, self_powered=True,
                          remote_wakeup=True)]

    def control(self, setup):
        if setup.request_type == 0xc0 and setup.request == 1:
            return b"0123456789"
        if setup.request_type == 0x40 and setup.request == 2:
            self.log.append(setup.data)
            return None
        if setup.request == 3 and setup.request_type & 0x60:
            raise Stall()
        if setup.request == 4 and setup.request_type & 0x60:
            raise Fail(Status.IOERROR)
        if setup.request == 5 and setup.request_type & 0x60:
            return 1 // 0
        if setup.request == 6 and setup.request_type & 0x60:
            return self.later()
        return super().control(setup)

    async def later(self):
        await self.sleep(1)
        return b"late"

    async def configured(self):
        self.log.append("configured")
        try:
            await self.sleep(100)
        finally:
            self.log.append("ended")

    def on_attached(self, speed):
        self.log.append(f"attached {speed.name}")

    def on_detached(self):
        self.log.append("detached")

    def on_reset(self, speed):
        self.log.append(f"reset {speed.name}")

    def on_machine_state(self, running):
        self.log.append(f"running {running}")

    def on_not_attached(self, text):
        self.log.append(f"not attached: {text}")


class OnBench(unittest.TestCase):
    make = Gadget
    speed = Speed.FULL

    def setUp(self):
        self.bench = Bench(type(self).make)
        self.bench.plug_in(self.speed)
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)

    @property
    def device(self):
        return self.bench.device

    def ask(self, kind, request, value=0, index=0, length=0, data=b""):
        """A control request; (status, bytes)."""
        answer = self.bench.control(Setup(kind, request, value, index,
                                          length or len(data), data))
        return Status(answer.status), answer.data

    def get(self, kind, index=0, length=255):
        """GET_DESCRIPTOR."""
        return self.ask(GET, Standard.GET_DESCRIPTOR, kind << 8 | index, 0,
                        length)


class GetDescriptor(OnBench):
    def test_device(self):
        self.assertEqual(self.get(desc.DEVICE)[1].hex(),
                         "12010002000000403412785602010102" "0302")

    def test_device_cut_to_what_is_asked(self):
        self.assertEqual(len(self.get(desc.DEVICE, length=8)[1]), 8)

    def test_configurations_by_index(self):
        for index, value in ((0, 1), (1, 5)):
            status, data = self.get(desc.CONFIGURATION, index)
            self.assertEqual((status, data[5], len(data)),
                             (OK, value, data[2]))
        self.assertEqual(self.get(desc.CONFIGURATION, 2), (STALL, b""))

    def test_strings(self):
        texts = [self.get(desc.STRING, i)[1][2:].decode("utf-16-le")
                 for i in range(1, 4)]
        self.assertEqual(texts, ["maker", "gadget", "42"])
        self.assertEqual(self.get(desc.STRING, 200), (STALL, b""))

    def test_a_string_of_an_interface(self):
        data = self.get(desc.CONFIGURATION)[1]
        index = desc.split(data)[1][8]
        self.assertEqual(self.get(desc.STRING, index)[1][2:],
                         "main".encode("utf-16-le"))

    def test_qualifier_and_other_speed(self):
        self.assertEqual(self.get(desc.DEVICE_QUALIFIER)[1].hex(),
                         "0a060002000000400200")
        data = self.get(desc.OTHER_SPEED)[1]
        self.assertEqual(data[1], desc.OTHER_SPEED)
        self.assertEqual(desc.parse_configuration(data).settings[0, 0],
                         {0x81: 512})

    def test_unknown_ones(self):
        self.assertEqual(self.get(0x77), (STALL, b""))

    def test_bos_only_where_the_version_has_one(self):
        self.assertEqual(self.get(desc.BOS)[0], STALL)
        self.device.usb_version = 0x0210
        self.assertEqual(self.get(desc.BOS)[0], OK)

    def test_raw_descriptors_go_before_computed_ones(self):
        self.device.raw_descriptors = {
            desc.DEVICE: b"nonsense", (desc.CONFIGURATION, 1): b"\x09\x02"}
        self.assertEqual(self.get(desc.DEVICE), (OK, b"nonsense"))
        self.assertEqual(self.get(desc.CONFIGURATION, 1), (OK, b"\x09\x02"))
        self.assertEqual(len(self.get(desc.CONFIGURATION, 0)[1]), 34)

    def test_a_raw_configuration_can_be_set(self):
        raw = Configuration([Interface(number=9, endpoints=[
            Endpoint(0x83, TransferType.BULK, 8)])], value=7).encode(
                Speed.FULL, lambda text: 0)
        self.device.raw_descriptors = {desc.CONFIGURATION: raw}
        self.assertEqual(self.ask(SET, Standard.SET_CONFIGURATION, 7)[0], OK)
        self.assertEqual(self.device.ep_in(3).max_packet, 8)
        self.assertEqual(self.ask(SET, Standard.SET_CONFIGURATION, 1)[0],
                         STALL)


    def test_each_of_several_raw_configurations_can_be_set(self):
        one, two = (Configuration([Interface(endpoints=[
            Endpoint(0x83, TransferType.BULK, size)])], value=value).encode(
                Speed.FULL, lambda text: 0) for value, size in ((7, 8),
                                                                (9, 16)))
        self.device.raw_descriptors = {desc.CONFIGURATION: one,
                                       (desc.CONFIGURATION, 1): two}
        for value, size in ((9, 16), (7, 8)):
            self.assertEqual(self.ask(SET, Standard.SET_CONFIGURATION,
                                      value)[0], OK)
            self.assertEqual(self.device.ep_in(3).max_packet, size)
        self.assertEqual(self.ask(SET, Standard.SET_CONFIGURATION, 8)[0],
                         STALL)


class AtHighSpeed(OnBench):
    speed = Speed.HIGH

    def test_descriptors_are_those_of_the_speed(self):
        data = self.get(desc.CONFIGURATION)[1]
        self.assertEqual(desc.parse_configuration(data).settings[0, 0],
                         {0x81: 512})
        data = self.get(desc.OTHER_SPEED)[1]
        self.assertEqual(desc.parse_configuration(data).settings[0, 0],
                         {0x81: 64})

    def test_a_reset_may_change_the_speed(self):
        self.bench.qemu.reset(Speed.FULL)
        self.bench.exchange()
        data = self.get(desc.CONFIGURATION)[1]
        self.assertEqual(desc.parse_configuration(data).settings[0, 0],
                         {0x81: 64})


class Sizes(unittest.TestCase):
    def test_endpoint_0_and_version_by_speed(self):
        for speed, size, version in ((Speed.LOW, 8, 2), (Speed.FULL, 64, 2),
                                     (Speed.HIGH, 64, 2),
                                     (Speed.SUPER, 9, 3)):
            class One(Device):
                speeds = (speed,)
            bench = Bench(One)
            bench.plug_in(speed)
            data = bench.control(Setup(GET, 6, 0x100, 0, 18)).data
            self.assertEqual((data[7], data[3]), (size, version))


class Configurations(OnBench):
    def test_set_and_get(self):
        self.assertEqual(self.ask(GET, Standard.GET_CONFIGURATION, 0, 0, 1),
                         (OK, b"\0"))
        self.assertEqual(self.bench.configure(5).status, OK)
        self.assertEqual(self.ask(GET, Standard.GET_CONFIGURATION, 0, 0, 1),
                         (OK, b"\5"))

    def test_one_that_is_not_there(self):
        self.assertEqual(self.bench.configure(2).status, STALL)
        self.assertEqual(self.device.configuration, 0)

    def test_configured_runs_after_the_answer_and_once_for_each(self):
        log = self.device.log
        del log[:]
        self.bench.configure(1)
        self.assertEqual(log, ["configured"])
        self.bench.configure(1)
        self.assertEqual(log, ["configured", "ended", "configured"])

    def test_it_ends_with_the_configuration(self):
        for end in (lambda bench: bench.configure(0),
                    lambda bench: bench.qemu.reset(),
                    lambda bench: bench.port.detach(),
                    lambda bench: bench.port.eof()):
            self.setUp()
            self.bench.configure(1)
            end(self.bench)
            self.bench.exchange()
            self.assertIn("ended", self.device.log)
            self.assertEqual(self.device.configuration, 0)

    def test_requests_in_flight_wait_for_their_cancel(self):
        """QEMU cancels them; until then they are not answered."""
        self.bench.configure(1)
        self.device.ep_in(1)
        id = self.bench.read(0x81, 64)
        self.bench.configure(1)
        self.assertIsNone(self.bench.answer_to(id))
        self.bench.qemu.cancel(id)
        self.bench.exchange()
        self.assertEqual(self.bench.answer_to(id).status, Status.CANCELLED)


class Zero(Gadget):
    """bConfigurationValue 0: wrong (USB 2.0 section 9.4.7), and met."""

    def configurations(self, speed):
        return [Configuration([Interface(endpoints=[
            Endpoint(0x81, TransferType.BULK)])], value=0)]

    async def configured(self):
        await self.ep_in(1).send(b"zero")


class ConfigurationZero(OnBench):
    make = Zero

    def test_it_is_served(self):
        self.assertFalse(self.device.is_configured)
        self.bench.configure(0)
        self.assertTrue(self.device.is_configured)
        id = self.bench.read(0x81, 64)
        self.assertEqual(self.bench.answered(id).data, b"zero")
        self.bench.qemu.reset()
        self.bench.exchange()
        self.assertFalse(self.device.is_configured)


class Interfaces(OnBench):
    def test_set_and_get(self):
        self.bench.configure(1)
        get = (0x81, Standard.GET_INTERFACE, 0, 0, 1)
        self.assertEqual(self.ask(*get), (OK, b"\0"))
        self.assertEqual(self.ask(1, Standard.SET_INTERFACE, 1, 0)[0], OK)
        self.assertEqual(self.ask(*get), (OK, b"\1"))
        self.bench.configure(1)
        self.assertEqual(self.ask(*get), (OK, b"\0"))

    def test_what_is_not_there(self):
        self.bench.configure(1)
        self.assertEqual(self.ask(1, Standard.SET_INTERFACE, 2, 0)[0], STALL)
        self.assertEqual(self.ask(1, Standard.SET_INTERFACE, 0, 1)[0], STALL)
        self.assertEqual(self.ask(0x81, Standard.GET_INTERFACE, 0, 1, 1)[0],
                         STALL)


class StatusAndFeatures(OnBench):
    def test_device_status(self):
        status = (GET, Standard.GET_STATUS, 0, 0, 2)
        self.assertEqual(self.ask(*status), (OK, b"\0\0"))
        self.bench.configure(5)
        self.assertEqual(self.ask(*status), (OK, b"\1\0"))
        self.assertEqual(self.ask(SET, Standard.SET_FEATURE, 1)[0], OK)
        self.assertEqual(self.ask(*status), (OK, b"\3\0"))
        self.assertEqual(self.ask(SET, Standard.CLEAR_FEATURE, 1)[0], OK)
        self.assertEqual(self.ask(*status), (OK, b"\1\0"))

    def test_reset_ends_remote_wakeup(self):
        self.ask(SET, Standard.SET_FEATURE, 1)
        self.bench.qemu.reset()
        self.bench.exchange()
        self.assertFalse(self.device.remote_wakeup)

    def test_unknown_features(self):
        for kind, feature in ((0, 7), (1, 0), (2, 1)):
            self.assertEqual(self.ask(kind, Standard.SET_FEATURE,
                                      feature)[0], STALL)

    def test_interface_status(self):
        status = (0x81, Standard.GET_STATUS, 0, 0, 2)
        self.assertEqual(self.ask(*status)[0], STALL)
        self.bench.configure(1)
        self.assertEqual(self.ask(0x81, Standard.GET_STATUS, 0, 0, 2),
                         (OK, b"\0\0"))

    def test_endpoint_0_is_never_halted(self):
        self.assertEqual(self.ask(0x82, Standard.GET_STATUS, 0, 0, 2),
                         (OK, b"\0\0"))
        self.assertEqual(self.ask(2, Standard.CLEAR_FEATURE, 0, 0)[0], OK)

    def test_an_endpoint_that_is_not_there(self):
        self.assertEqual(self.ask(0x82, Standard.GET_STATUS, 0, 0x8e, 2)[0],
                         STALL)

    def test_super_speed_features(self):
        self.bench.engine.speed = Speed.SUPER
        self.assertEqual(self.ask(SET, Standard.SET_FEATURE, 48)[0], OK)
        self.assertEqual(self.ask(SET, Standard.SET_SEL, data=bytes(6))[0],
                         OK)
        self.assertEqual(self.ask(1, Standard.SET_FEATURE, 0)[0], OK)

    def status(self):
        answer, data = self.ask(0x80, Standard.GET_STATUS, 0, 0, 2)
        self.assertEqual(answer, OK)
        return data[0] & 0x1c

    def test_link_power_is_in_the_status_until_a_reset(self):
        self.bench.engine.speed = Speed.SUPER
        self.ask(SET, Standard.SET_FEATURE, 48)
        self.ask(SET, Standard.SET_FEATURE, 49)
        self.assertEqual(self.status(), 0x0c)
        self.ask(SET, Standard.CLEAR_FEATURE, 48)
        self.assertEqual(self.status(), 0x08)
        self.bench.engine.reset(Speed.SUPER)
        self.assertEqual(self.status(), 0)


class NotSupported(OnBench):
    def test_what_no_device_need_support_is_stalled_and_not_reported(self):
        self.assertEqual(self.ask(0x82, Standard.SYNCH_FRAME, 0, 0x81, 2)[0],
                         STALL)
        self.assertEqual(self.ask(0, Standard.SET_DESCRIPTOR, 0x100, 0,
                                  data=bytes(18))[0], STALL)
        self.assertEqual(sum(self.device.unhandled_requests.values()), 0)


class Wakeups(OnBench):
    def wakeups(self):
        return [m for m in self.bench.heard if isinstance(m, Wakeup)]

    def test_only_when_the_guest_has_enabled_it(self):
        self.assertFalse(self.device.wakeup())
        self.bench.configure(5)
        self.ask(SET, Standard.SET_FEATURE, 1)
        self.assertTrue(self.device.wakeup())
        self.bench.exchange()
        self.assertEqual(len(self.wakeups()), 1)

    def test_at_super_speed_a_function_is_enabled(self):
        self.bench.engine.speed = Speed.SUPER
        self.bench.configure(5)
        for index, enabled in ((0x0300, True), (0x0000, False),
                               (0x0100, False), (0x0200, True)):
            self.assertEqual(self.ask(1, Standard.SET_FEATURE, 0, index)[0],
                             OK)
            self.assertEqual(self.device.wakeup(), enabled, hex(index))
        self.bench.engine.reset(Speed.SUPER)
        self.assertFalse(self.device.wakeup())

    def test_a_configuration_without_it_refuses_to_enable_it(self):
        self.bench.configure(1)
        self.assertEqual(self.ask(SET, Standard.SET_FEATURE, 1)[0], STALL)
        self.assertFalse(self.device.remote_wakeup)


class Settings(Gadget):
    """What its interface_set() is told."""

    async def interface_set(self, number, alternate):
        self.log.append((number, alternate))
        try:
            await self.sleep(100)
        finally:
            self.log.append(("over", alternate))


class InterfaceSet(OnBench):
    make = Settings

    def choose(self, alternate):
        del self.device.log[:]
        self.ask(1, Standard.SET_INTERFACE, alternate, 0)
        return self.device.log

    def test_it_runs_for_each_choice_and_ends_with_the_next(self):
        self.bench.configure(1)
        self.assertEqual(self.choose(1), [(0, 1)])
        self.assertEqual(self.choose(0), [("over", 1), (0, 0)])

    def test_it_ends_with_the_configuration(self):
        self.bench.configure(1)
        self.choose(1)
        self.bench.configure(1)
        self.assertIn(("over", 1), self.device.log)

    def test_a_setting_that_is_not_there_changes_nothing(self):
        self.bench.configure(1)
        self.choose(1)
        self.assertEqual(self.choose(7), [])


class Job(Gadget):
    """A job of it is wrong."""

    async def configured(self):
        self.start(self.fail())
        async for _ in self.ep_out(1):
            pass

    async def fail(self):
        await self.sleep(1)
        raise ValueError("a bug")


class FailedJob(OnBench):
    make = Job

    def test_a_bug_in_a_job_halts_the_endpoints(self):
        self.bench.configure()
        id = self.bench.read(0x81, 64)
        logging.disable(logging.NOTSET)
        with self.assertLogs("usbremote", "ERROR") as logs:
            self.bench.exchange(1)
        self.assertIn("fail failed, its endpoints are halted\nTraceback",
                      logs.output[0].partition("Job.")[2])
        self.assertEqual(self.bench.answered(id).status, STALL)


class Broken(Gadget):
    """Its configured() is wrong."""

    async def configured(self):
        self.ep_in(1)
        raise ValueError("a bug")


class FailedDevice(OnBench):
    make = Broken

    def test_a_bug_in_configured_halts_the_endpoints(self):
        logging.disable(logging.NOTSET)
        with self.assertLogs("usbremote", "ERROR") as logs:
            self.bench.configure()
        self.assertIn("ValueError: a bug", logs.output[0])
        id = self.bench.read(0x81, 64)
        self.assertEqual(self.bench.answer_to(id).status, STALL)


class Handlers(OnBench):
    def test_read(self):
        self.assertEqual(self.ask(0xc0, 1, length=4), (OK, b"0123"))

    def test_write(self):
        self.assertEqual(self.ask(0x40, 2, data=b"abc")[0], OK)
        self.assertEqual(self.device.log[-1], b"abc")
        self.assertEqual(self.bench.heard[-1].length, 3)

    def test_stall_on_purpose_is_not_remembered(self):
        self.assertEqual(self.ask(0x40, 3)[0], STALL)
        self.assertEqual(sum(self.device.unhandled_requests.values()), 0)

    def test_any_status(self):
        self.assertEqual(self.ask(0xc0, 4)[0], Status.IOERROR)

    def test_an_exception_is_a_stall_and_a_traceback(self):
        logging.disable(logging.NOTSET)
        with self.assertLogs("usbremote", "ERROR") as logs:
            self.assertEqual(self.ask(0xc0, 5)[0], STALL)
        self.assertIn("ZeroDivisionError", logs.output[0])
        self.assertIn("0xc0", logs.output[0])
        self.assertEqual(self.ask(0xc0, 1, length=4)[0], OK)

    def test_an_answer_of_a_wrong_type_is_a_stall_and_a_traceback(self):
        async def later(answer):
            return answer
        for make in (lambda answer: answer, later):
            for answer in ("hello", 5, ["x"]):
                self.device.control = lambda setup: make(answer)
                with self.subTest(answer, make=make):
                    self.refused_with_traceback(type(answer).__name__)

    def refused_with_traceback(self, text):
        logging.disable(logging.NOTSET)
        with self.assertLogs("usbremote", "ERROR") as logs:
            self.assertEqual(self.ask(0xc0, 1, length=4)[0], STALL)
        self.assertIn(f"bytes or None, not with {text}", logs.output[0])

    def test_all_kinds_of_bytes_are_answers(self):
        for kind in (bytes, bytearray, memoryview):
            self.device.control = lambda setup: kind(b"hello")
            self.assertEqual(self.ask(0xc0, 1, length=4), (OK, b"hell"))

    def test_a_coroutine_answers_later(self):
        id = self.bench.qemu.control(Setup(0xc0, 6, 0, 0, 64))
        self.bench.exchange()
        self.assertIsNone(self.bench.answer_to(id))
        self.bench.exchange(1)
        self.assertEqual(self.bench.answer_to(id).data, b"late")

    def slow(self):
        """A request that is answered after a second; where its end goes."""
        ended = []

        async def slow():
            try:
                await self.device.sleep(1)
                ended.append("answered")
                return b"slow"
            except BaseException as err:
                ended.append(type(err).__name__)
                raise
        self.device.control = lambda setup: (
            slow() if setup.request == 9 and setup.is_in
            else Device.control(self.device, setup))
        id = self.bench.qemu.control(Setup(0xc0, 9, 0, 0, 64))
        self.bench.exchange()
        return id, ended

    def test_a_coroutine_ends_with_what_it_is_to_answer(self):
        for what, end in (
                ("a cancel", lambda id: self.bench.qemu.cancel(id)),
                ("a bus reset", lambda id: self.bench.qemu.reset()),
                ("an unplugging", lambda id: self.bench.port.detach()),
                ("a lost connection", lambda id: self.bench.port.eof())):
            with self.subTest(what):
                self.setUp()
                id, ended = self.slow()
                end(id)
                self.bench.exchange(5)
                self.assertEqual(ended, ["CancelledError"])

    def test_a_coroutine_may_set_the_configuration(self):
        """And is not ended by that."""
        async def later(setup):
            await self.device.sleep(1)
            return Device.control(self.device, setup)
        self.device.control = later
        id = self.bench.qemu.control(Setup(
            SET, Standard.SET_CONFIGURATION, 1, 0, 0))
        self.bench.exchange(1)
        self.assertEqual(self.bench.answered(id).status, OK)
        self.assertEqual(self.device.log[-1], "configured")

    def test_nobody_answers(self):
        for _ in range(2):
            self.assertEqual(self.ask(0xa1, 0x55, 1, 2, 3)[0], STALL)
        (text, count), = self.device.unhandled_requests.items()
        self.assertEqual(count, 2)
        self.assertIn("class request 0x55 to interface", text)

    def test_nonsense_is_stalled(self):
        for kind in range(256):
            status, _ = self.ask(kind, 0xee, 0xffff, 0xffff, 0)
            self.assertEqual(status, STALL)

    def test_an_endpoint_that_was_never_named_does_not_answer(self):
        id = self.bench.read(0x8f, 8)
        self.assertEqual(self.bench.answer_to(id).status, Status.IOERROR)


class Plugging(OnBench):
    def attaches(self):
        return [m for m in self.bench.heard if isinstance(m, Attach)]

    def test_what_attach_says(self):
        class Odd(Gadget):
            gap_ms = 0
            address_policy = AddressPolicy.SILENCE
            endpoint_table = (EndpointEntry(0x81, 2, 64),)
        bench = Bench(Odd)
        bench.plug_in()
        attach = bench.heard[1]
        self.assertEqual(attach, Attach(
            attachment=1, speeds=6, gap_ms=0, address_policy=3,
            endpoints=Odd.endpoint_table))

    def test_detach_and_another_device(self):
        first = self.device
        self.bench.port.detach()
        self.bench.exchange()
        self.bench.qemu.detached()
        second = Gadget()
        second.product = "other"
        second.gap_ms = 0
        self.bench.port.attach(second)
        self.bench.exchange()
        self.bench.qemu.attached()
        self.bench.exchange()
        self.assertIn("detached", first.log)
        self.assertEqual(second.log, ["attached FULL"])
        self.assertEqual([a.gap_ms for a in self.attaches()], [200, 0])

    def test_another_device_in_place_of_the_first(self):
        first = self.device
        self.bench.configure()
        self.bench.port.attach(Gadget())
        self.bench.exchange()
        self.assertEqual(first.log[-2:], ["detached", "ended"])
        self.assertFalse(first.attached)

    def test_plug_and_unplug_can_be_waited_for(self):
        log = []

        async def flap():
            port = self.bench.port
            await port.unplug()
            log.append("out")
            log.append(await port.plug(self.device))
        self.bench.spawn(flap())
        self.bench.exchange()
        self.assertIsInstance(self.bench.heard[-1], Detach)
        self.assertEqual(log, [])
        self.bench.qemu.detached()
        self.bench.exchange()
        self.assertEqual(log, ["out"])
        self.bench.qemu.attached(Speed.HIGH)
        self.bench.exchange()
        self.assertEqual(log, ["out", Speed.HIGH])

    def test_replug_outlives_the_jobs_of_the_device(self):
        class Restless(Gadget):
            async def configured(self):
                self.log.append("off")
                self.replug(after=5)
                await self.sleep(1)
                self.log.append("not reached")
        bench = Bench(Restless)
        bench.plug_in()
        bench.configure()
        self.assertIsInstance(bench.heard[-1], Detach)
        bench.qemu.detached()
        bench.exchange(4.9)
        self.assertIsInstance(bench.heard[-1], Detach)
        bench.exchange(0.1)
        self.assertEqual(bench.heard[-1].attachment, 2)
        bench.qemu.attached()
        bench.exchange()
        self.assertEqual(bench.device.log[2:], ["off", "detached",
                                                "attached FULL"])

    def test_replug_may_bring_another_device(self):
        other = Gadget()
        self.device.replug(device=other)
        self.bench.exchange()
        self.bench.qemu.detached()
        self.bench.exchange()
        self.assertIs(self.device, other)
        self.assertEqual(len(self.attaches()), 2)

    def test_a_device_that_cannot_be_attached(self):
        self.bench.port.attach(self.device)
        self.bench.exchange()
        self.bench.qemu.attached(result=AttachedResult.NO_SPEED,
                                 text="no port")
        self.bench.exchange()
        self.assertEqual(self.device.log[-1], "not attached: no port")

    def test_plug_raises_when_it_cannot(self):
        log = []

        async def plug():
            try:
                await self.bench.port.plug(self.device)
            except Refused as err:
                log.append(err.text)
        self.bench.spawn(plug())
        self.bench.exchange()
        self.bench.qemu.attached(result=AttachedResult.REFUSED, text="why")
        self.bench.exchange()
        self.assertEqual(log, ["why"])

    def test_the_end_of_the_connection_wakes_who_waits(self):
        log = []

        async def unplug():
            try:
                await self.bench.port.unplug()
            except Exception as err:
                log.append(type(err).__name__)
        self.bench.spawn(unplug())
        self.bench.exchange()
        self.bench.port.eof()
        self.bench.exchange()
        self.assertEqual(log, ["ConnectionLost"])
        self.assertEqual(self.device.log[-1], "detached")

    def test_events(self):
        self.bench.qemu.vmstate(False)
        self.bench.qemu.address(9)
        self.bench.exchange()
        self.assertEqual(self.device.log, ["attached FULL", "reset FULL",
                                           "running False"])
        self.assertEqual(self.device.address, 9)

    def test_wakeup_and_ready(self):
        self.bench.port.wakeup()
        self.bench.port.ready(0x81)
        self.bench.exchange()
        self.assertEqual([type(m) for m in self.bench.heard[-2:]],
                         [Wakeup, Ready])

    def test_a_device_of_another_connection_is_misuse(self):
        with self.assertRaises(LocalError):
            Bench(Gadget).port.adopt(self.device)

    def test_a_connection_may_be_refused(self):
        def refuse():
            raise Refused(0, "no device is called that")
        bench = Bench(refuse, QemuSession(select="that"))
        bench.exchange()
        self.assertEqual(bench.heard, [Error(
            code=ErrorCode.REFUSED, text="no device is called that")])

    def test_a_device_need_not_be_plugged_in_at_once(self):
        class Shy(Gadget):
            auto_attach = False

            async def connected(self):
                await self.sleep(5)
                self.port.attach(self)
        bench = Bench(Shy)
        bench.exchange()
        self.assertFalse(any(isinstance(m, Attach) for m in bench.heard))
        bench.exchange(5)
        self.assertIsInstance(bench.heard[-1], Attach)

    def test_a_bug_in_a_hook_is_logged_and_the_device_goes_on(self):
        class Buggy(Gadget):
            def on_reset(self, speed):
                return 1 // 0
        bench = Bench(Buggy)
        logging.disable(logging.NOTSET)
        with self.assertLogs("usbremote.port", "ERROR") as logs:
            bench.plug_in()
        self.assertIn("ZeroDivisionError", logs.output[0])
        self.assertEqual(bench.configure().status, OK)

    def test_a_bug_in_a_coroutine_is_logged_and_the_device_goes_on(self):
        class Buggy(Gadget):
            async def configured(self):
                return 1 // 0
        bench = Bench(Buggy)
        bench.plug_in()
        logging.disable(logging.NOTSET)
        with self.assertLogs("usbremote", "ERROR") as logs:
            bench.configure()
        self.assertIn("ZeroDivisionError", logs.output[0])
        self.assertIsInstance(bench.control(Setup(GET, 8, 0, 0, 1)),
                              Complete)


class Hid(OnBench):
    class make(Device):
        def __init__(self):
            self.functions = [hid.Mouse()]

    def setUp(self):
        super().setUp()
        self.bench.configure()

    def test_descriptors(self):
        self.assertEqual(self.ask(0x81, 6, 0x2200, 0, 255), (OK, hid.BOOT_MOUSE))
        self.assertEqual(self.ask(0x81, 6, 0x2100, 0, 9)[1].hex(),
                         "092111010001223200")
        self.assertEqual(self.ask(0x81, 6, 0x2300, 0, 9)[0], STALL)

    def test_idle_and_protocol(self):
        self.assertEqual(self.ask(0xa1, 2, 0, 0, 1), (OK, b"\0"))
        self.assertEqual(self.ask(0xa1, 3, 0, 0, 1), (OK, b"\1"))
        self.ask(0x21, 10, 0x0500)
        self.ask(0x21, 11, 0)
        self.assertEqual(self.ask(0xa1, 2, 0, 0, 1), (OK, b"\5"))
        self.assertEqual(self.ask(0xa1, 3, 0, 0, 1), (OK, b"\0"))
        self.bench.configure()
        self.assertEqual(self.ask(0xa1, 3, 0, 0, 1), (OK, b"\1"))

    def test_reports(self):
        self.assertEqual(self.ask(0xa1, 1, 0x0100, 0, 3), (OK, bytes(3)))
        self.assertEqual(self.ask(0x21, 9, 0x0200, data=b"x")[0], STALL)


if __name__ == "__main__":
    unittest.main()
