# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults as data: rules, plans, and what the guest sees of them."""

import os
import re
import struct
import subprocess
import tempfile
import unittest

from support import PYTHON, ROOT, manual

from usbremote import (AddressPolicy, Configuration, Device, Endpoint,
                       Interface, LocalError, Setup, Speed, Status,
                       TransferType)
from usbremote.codec import Attach, Detach
from usbremote.faults import Plan, parse, rule
from usbremote.faults.names import DESCRIPTORS
from usbremote.faults.plan import RETRIES
from usbremote.faults.what import ACTIONS, THEN
from usbremote.faults.which import KINDS, TYPES
from usbremote.testing import Bench

IN, OUT, POLLED = 0x81, 0x01, 0x82
OK, STALL, NAK = Status.OK, Status.STALL, Status.NAK
GET_CONFIG_9 = Setup(0x80, 6, 0x0200, 0, 9)
GET_CONFIG_10 = Setup(0x80, 6, 0x0200, 0, 10)
GET_STRING = Setup(0x80, 6, 0x0301, 0x0409, 255)


class Source(Device):
    """Numbers on a bulk and an interrupt endpoint; takes what is written."""

    product = "source"

    def __init__(self, *rules, **options):
        super().__init__()
        self.faults = Plan(rules, **options)
        self.got = []

    def configurations(self, speed):
        return [Configuration([Interface(endpoints=[
            Endpoint(IN, TransferType.BULK, 64),
            Endpoint(OUT, TransferType.BULK, 64),
            Endpoint(POLLED, TransferType.INTERRUPT, 8, 10)])])]

    async def configured(self):
        self.start(self.number(self.ep_in(1), 4))
        self.start(self.number(self.ep_in(2), 2))
        async for packet in self.ep_out(1):
            self.got.append(packet)

    async def number(self, pipe, size):
        for value in range(1000):
            await pipe.send(bytes([value & 0xff] * size))


def bench(*rules, **options):
    device = Source(*rules, **options)
    made = Bench(lambda: device)
    made.plug_in()
    return made


def configured(*rules, **options):
    made = bench(*rules, **options)
    made.configure()
    return made


def read(made, endpoint=IN, length=64):
    """Status and bytes of a request to an IN endpoint."""
    kind = TransferType.INTERRUPT if endpoint == POLLED else TransferType.BULK
    answer = made.answer_to(made.read(endpoint, length, kind))
    return answer and (answer.status, answer.data)


def write(made, data):
    answer = made.answer_to(made.write(OUT, data))
    return answer and (answer.status, answer.length)


class Which(unittest.TestCase):
    def check_control(self, head, setup, fits):
        status = bench(f"{head}: stall").control(setup).status
        self.assertEqual(status is STALL or status == STALL, fits, head)

    def test_control_requests_are_told_apart(self):
        for head in ("control", "control in", "config", "GET_DESCRIPTOR",
                     "get_descriptor", "standard", "wLength=9", "ep 0",
                     "value=0x200", "wLength<10", "request=6 type=0x80",
                     "control in, config wLength = 9", "length=9"):
            with self.subTest(head):
                self.check_control(head.replace(",", ""), GET_CONFIG_9, True)

    def test_what_does_not_fit_is_left_alone(self):
        for head in ("control out", "bulk", "device", "SET_FEATURE", "class",
                     "vendor", "wLength=10", "wLength!=9", "index=1",
                     "ep 0x81", "scsi READ_10"):
            with self.subTest(head):
                self.check_control(head, GET_CONFIG_9, False)

    def test_other_transfers_are_told_apart(self):
        for head, endpoint, fits in (
                ("bulk in", IN, True), ("bulk", IN, True),
                ("interrupt", IN, False), ("interrupt in", POLLED, True),
                ("ep 0x81", IN, True), ("in ep 1", IN, True),
                ("ep 0x82", IN, False), ("length>=64", IN, True),
                ("wLength=64", IN, False), ("config", IN, False)):
            with self.subTest(head):
                made = configured(f"{head}: stall")
                self.assertEqual(read(made, endpoint)[0] == STALL, fits)


class When(unittest.TestCase):
    def stalled(self, when, count=8, **options):
        """Which of some requests of one kind were stalled, from 1."""
        made = configured(f"bulk in {when}: stall", **options)
        return [number for number in range(1, count + 1)
                if read(made)[0] == STALL]

    def test_the_nth(self):
        self.assertEqual(self.stalled("nth=3"), [3])
        self.assertEqual(self.stalled("nth=2,5"), [2, 5])

    def test_every_so_many(self):
        self.assertEqual(self.stalled("every=3"), [3, 6])

    def test_so_many_times(self):
        self.assertEqual(self.stalled("times=2"), [1, 2])
        self.assertEqual(self.stalled("every=2 times=2"), [2, 4])

    def test_after_a_while(self):
        made = configured("bulk in after=2s: stall")
        self.assertEqual(read(made)[0], OK)
        made.exchange(seconds=2.1)
        self.assertEqual(read(made)[0], STALL)

    def test_since_another_rule_until_the_bus_reset(self):
        made = bench("string: stall", "config since=1: ioerror")
        found = [made.control(setup).status for setup in (
            GET_CONFIG_9, GET_STRING, GET_CONFIG_9)]
        self.assertEqual(found, [OK, STALL, Status.IOERROR])
        made.qemu.reset(Speed.FULL)
        made.exchange()
        self.assertEqual(made.control(GET_CONFIG_9).status, OK)

    def test_since_a_rule_that_is_not_there_is_refused(self):
        with self.assertRaisesRegex(LocalError, "there is no rule 2"):
            Plan(["config since=2: stall"])

    def test_chance_has_a_seed(self):
        once = self.stalled("p=0.5", 40, seed=3)
        self.assertEqual(self.stalled("p=0.5", 40, seed=3), once)
        self.assertEqual(self.stalled("p=0.5 seed=3", 40, seed=9), once)
        self.assertNotEqual(self.stalled("p=0.5", 40, seed=4), once)
        self.assertTrue(5 < len(once) < 35)

    def test_what_was_done_is_replayed_without_chance_or_time(self):
        made = configured("bulk in p=0.5 times=4: stall", seed=3)
        first = [read(made)[0] for _ in range(40)]
        rule, = made.device.faults.replay()
        self.assertNotIn("p=", rule)
        again = configured(rule, seed=99)
        self.assertEqual([read(again)[0] for _ in range(40)], first)

    def test_the_first_rule_that_is_due_is_applied(self):
        made = configured("bulk in nth=1: ioerror", "bulk in: stall")
        self.assertEqual(read(made)[0], Status.IOERROR)
        self.assertEqual(read(made)[0], STALL)


class Retries(unittest.TestCase):
    def tries(self, **options):
        made = configured("bulk in times=1: ioerror", **options)
        statuses = [read(made)[0] for _ in range(50)]
        return statuses.index(OK)

    def test_without_a_controller_a_try_is_a_time(self):
        self.assertEqual(self.tries(), 1)

    def test_once_is_what_the_driver_sees(self):
        self.assertEqual(self.tries(controller="uhci"), 1)
        self.assertEqual(self.tries(controller="xhci"), 5)
        self.assertEqual(self.tries(controller="ehci"), 32)
        self.assertEqual(self.tries(controller="ich9"), 1)  # full speed

    def test_what_waits_behind_the_failed_one_is_no_retry(self):
        made = configured("bulk in times=1: ioerror", controller="xhci")
        ids = [made.qemu.submit(IN, TransferType.BULK, 64) for _ in "ab"]
        made.exchange()
        self.assertEqual([made.answered(id).status for id in ids],
                         [Status.IOERROR, OK])

    def test_another_request_is_no_retry(self):
        made = configured("bulk in length=64 times=1: ioerror",
                          controller="ehci")
        self.assertEqual(read(made)[0], Status.IOERROR)
        self.assertEqual(read(made, length=32)[0], OK)
        self.assertEqual(read(made)[0], OK)


class What(unittest.TestCase):
    def test_statuses(self):
        for word, status in (("stall", STALL), ("ioerror", Status.IOERROR),
                             ("babble", Status.BABBLE)):
            with self.subTest(word):
                made = configured(f"bulk nth=1: {word}")
                self.assertEqual(read(made)[0], status)
                self.assertEqual(read(made), (OK, bytes(4)))

    def test_a_failed_write_does_not_reach_the_device(self):
        made = configured("bulk out nth=1: ioerror")
        self.assertEqual(write(made, b"one"), (Status.IOERROR, 0))
        self.assertEqual(write(made, b"two"), (OK, 3))
        self.assertEqual(made.device.got, [b"two"])

    def test_nak_so_often(self):
        made = configured("interrupt in times=1: nak(3)")
        statuses = [read(made, POLLED, 8)[0] for _ in range(4)]
        self.assertEqual(statuses, [NAK] * 3 + [OK])

    def test_short_and_long(self):
        made = configured("bulk in nth=1: short(3)", "bulk in nth=2: long(2)")
        self.assertEqual(read(made), (OK, bytes(3)))
        self.assertEqual(read(made, length=4), (OK, b"\1\1\1\1\0\0"))

    def test_short_of_what_is_written(self):
        made = configured("bulk out: short(2)")
        self.assertEqual(write(made, b"12345"), (OK, 2))

    def test_other_data(self):
        made = configured("bulk in nth=1: data(00 ff)",
                          "bulk in nth=2: flip(1,0x80)")
        self.assertEqual(read(made), (OK, b"\0\xff"))
        self.assertEqual(read(made), (OK, b"\1\x81\1\1"))

    def test_what_is_written_is_changed_on_its_way(self):
        made = configured("bulk out nth=1: flip(0,1)")
        write(made, b"ab")
        write(made, b"ab")
        self.assertEqual(made.device.got, [b"`b", b"ab"])

    def test_flip_beyond_the_end_changes_nothing(self):
        self.assertEqual(read(configured("bulk in: flip(9,1)")),
                         (OK, bytes(4)))

    def test_a_descriptor_is_changed(self):
        made = bench("control in config: flip(4,0xff)")
        self.assertEqual(made.control(GET_CONFIG_9).data[4], 1 ^ 0xff)

    def test_a_delay(self):
        made = configured("bulk in: delay(500ms)")
        id = made.read(IN, 64)
        made.exchange(seconds=0.4)
        self.assertIsNone(made.answer_to(id))
        made.exchange(seconds=0.2)
        self.assertEqual(made.answered(id).data, bytes(4))

    def test_never(self):
        made = configured("bulk in nth=1: never")
        id = made.read(IN, 64)
        made.exchange(seconds=3600)
        self.assertIsNone(made.answer_to(id))

    def test_a_late_answer_is_given_to_the_next_request(self):
        made = bench("control in config: late")
        id = made.qemu.control(GET_CONFIG_10)
        made.exchange(seconds=5)
        self.assertIsNone(made.answer_to(id))
        made.qemu.cancel(id)
        made.exchange()
        answer = made.control(GET_STRING)
        self.assertEqual(answer.data[1], 2)

    def test_a_delayed_answer_to_what_was_cancelled_harms_nobody(self):
        made = configured("bulk in nth=1: delay(1s)")
        id = made.read(IN, 64)
        made.qemu.cancel(id)
        made.exchange(seconds=2)
        self.assertEqual(made.answered(id).status, Status.CANCELLED)
        self.assertEqual(read(made)[0], OK)


class Leaving(unittest.TestCase):
    def heard(self, made, kind):
        return [one for one in made.heard if isinstance(one, kind)]

    def test_unplug(self):
        made = bench("control in string: unplug")
        made.qemu.control(GET_STRING)
        made.exchange(seconds=60)
        self.assertEqual(len(self.heard(made, Detach)), 1)
        self.assertEqual(len(self.heard(made, Attach)), 1)

    def leave(self, *rules, **options):
        made = bench(*rules, **options)
        made.qemu.control(GET_STRING)
        made.exchange()
        made.qemu.detached()
        made.exchange(seconds=1)
        self.assertEqual(len(self.heard(made, Attach)), 2)
        made.qemu.attached(Speed.FULL)
        made.qemu.reset(Speed.FULL)
        made.exchange()
        return made

    def test_unplug_and_back(self):
        made = self.leave("control in string times=1: unplug(300ms)")
        self.assertEqual(made.control(GET_STRING).status, OK)

    def test_a_restart_and_then_something_else(self):
        made = self.leave("control in string: reset-then stall")
        self.assertEqual(made.control(GET_STRING).status, STALL)
        self.assertEqual(made.control(GET_CONFIG_9).status, OK)

    def test_something_else_comes_back(self):
        class Other(Device):
            product = "other"
        made = self.leave("control in string: replace-with(other)",
                          load=lambda name: Other())
        self.assertEqual(made.control(GET_STRING).data[2:].decode(
            "utf-16-le"), "other")

    def test_what_cannot_be_loaded_is_logged(self):
        made = bench("control in string: replace-with(other)")
        made.qemu.control(GET_STRING)
        with self.assertLogs(level="ERROR") as logs:
            made.exchange()
        self.assertIn("nothing here can load 'other'", logs.output[0])


class Addresses(unittest.TestCase):
    def test_a_rule_says_how_set_address_ends(self):
        for word, policy in (("stall", AddressPolicy.STALL),
                             ("ioerror", AddressPolicy.IOERROR),
                             ("never", AddressPolicy.SILENCE)):
            with self.subTest(word):
                made = bench(f"SET_ADDRESS: {word}", "config: stall")
                attach, = [m for m in made.heard if isinstance(m, Attach)]
                self.assertEqual(attach.address_policy, policy)
                self.assertEqual(made.control(GET_STRING).status, OK)

    def test_without_one_the_device_says_it(self):
        made = bench("config: stall")
        attach, = [m for m in made.heard if isinstance(m, Attach)]
        self.assertEqual(attach.address_policy, AddressPolicy.ACCEPT)

    def test_what_qemu_cannot_do_is_refused(self):
        for text in ("SET_ADDRESS: babble", "SET_ADDRESS nth=2: stall",
                     "control SET_ADDRESS: stall"):
            with self.subTest(text):
                with self.assertRaisesRegex(LocalError, "in the same way"):
                    parse(text)


class Scsi(unittest.TestCase):
    READ, SENSE = 0x28, 0x03

    def command(self, made, opcode, length):
        block = bytes([opcode]).ljust(16, b"\0")
        return write(made, struct.pack("<4sIIBBB16s", b"USBC", 7, length,
                                       0x80, 0, 10, block))

    def phases(self, rule, opcode=READ, length=512):
        made = configured(f"{rule}: stall")
        found = []
        if self.command(made, opcode, length)[0] == STALL:
            found.append("command")
        if length and read(made, length=length)[0] == STALL:
            found.append("data")
        if read(made, length=13)[0] == STALL:
            found.append("status")
        return found

    def test_phases(self):
        for rule, found in (
                ("scsi READ_10", ["data"]), ("scsi 0x28 data", ["data"]),
                ("scsi READ_10 status", ["status"]),
                ("scsi read_10 command", ["command"]),
                ("scsi INQUIRY", [])):
            with self.subTest(rule):
                self.assertEqual(self.phases(rule), found)

    def test_without_data_it_is_the_status(self):
        self.assertEqual(self.phases("scsi TEST_UNIT_READY", 0, 0),
                         ["status"])

    def test_a_command_is_counted_by_itself(self):
        made = configured("scsi READ_10 nth=2: stall")
        found = []
        for opcode in (self.SENSE, self.READ, self.SENSE, self.READ):
            self.command(made, opcode, 512)
            found.append(read(made, length=512)[0] == STALL)
            read(made, length=13)
        self.assertEqual(found, [False, False, False, True])


class Wrong(unittest.TestCase):
    def test_a_rule_that_is_none_is_refused_with_a_reason(self):
        for text, reason in (
                ("bulk in stall", "has a colon"),
                (": stall", "says which requests"),
                ("bulk in: stal", "did you mean stall?"),
                ("bulk in:", "can not be ''"),
                ("buk in: stall", "did you mean bulk?"),
                ("GET_DESCRIPTR: stall", "did you mean GET_DESCRIPTOR?"),
                ("scsi READ_11: stall", "did you mean READ_1"),
                ("ep: stall", "nothing comes after 'ep'"),
                ("ep 0x181: stall", "is no number"),
                ("bulk nth=0: stall", "counting begins with 1"),
                ("bulk nth=x: stall", "is no number"),
                ("bulk p=2: stall", "is no probability"),
                ("bulk after=2: stall", "is no time"),
                ("bulk: delay", "needs something in brackets"),
                ("bulk: delay(5)", "is no time"),
                ("bulk: stall(3)", "has nothing in brackets"),
                ("bulk: data(0x)", "no bytes in hex"),
                ("bulk: flip(3)", "is not flip(OFFSET,MASK)"),
                ("bulk: short(-1)", "is no number"),
                ("bulk: reset-then reset-then stall", "once is enough"),
                ("iso in: stall", "isochronous"),
                ("", "has a colon")):
            with self.subTest(text):
                with self.assertRaises(LocalError) as caught:
                    parse(text)
                self.assertIn(reason, str(caught.exception))
                self.assertIn(f"fault '{text}'", str(caught.exception))

    def test_a_controller_that_is_none_is_refused(self):
        with self.assertRaisesRegex(LocalError, "none of xhci"):
            Plan([], controller="ahci")

    def test_a_plan_is_logged_with_its_seed(self):
        with self.assertLogs("usbremote.faults", "INFO") as logs:
            Plan(["bulk  in p=0.5: stall"], seed=42)
        self.assertIn("seed 42", logs.output[0])
        self.assertIn("fault 1: bulk in p=0.5: stall", logs.output[1])


class Documented(unittest.TestCase):
    """docs/faults.md."""

    def block(self, name):
        return manual.markdown(ROOT / "docs" / "faults.md", name)

    def test_the_option(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                ["sh", "-ec", self.block("fault-option")], cwd=folder,
                env={**os.environ, "PYTHONPATH": str(PYTHON)}, text=True,
                capture_output=True, check=False, timeout=60)
        self.assertIn("fault 1: interrupt in nth=3: stall", done.stderr)
        self.assertIn("usb.sock: cannot connect", done.stderr)

    def test_the_plan(self):
        names = {"__name__": "documented"}
        exec(self.block("fault-plan"), names)
        made = Bench(names["Pad"])
        made.plug_in()
        self.assertEqual(made.control(GET_CONFIG_9).status, Status.IOERROR)
        self.assertEqual(made.control(GET_CONFIG_10).status, OK)

    def test_every_word_is_there(self):
        text = (ROOT / "docs" / "faults.md").read_text()
        for word in (*DESCRIPTORS, *ACTIONS, THEN, *TYPES, *KINDS,
                     *vars(rule.When())):
            with self.subTest(word):
                self.assertTrue(f"`{word}" in text)

    def test_what_a_controller_hides(self):
        text = (ROOT / "docs" / "faults.md").read_text()
        for name, title in (("xhci", "xHCI"), ("ehci", "EHCI")):
            row, = re.findall(rf"^\| {title} \|.*$", text, re.M)
            self.assertTrue(row.endswith(
                f" {RETRIES[name][TransferType.BULK]} "
                f"{'times more |'}"), row)


if __name__ == "__main__":
    unittest.main()
