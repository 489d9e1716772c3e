# SPDX-License-Identifier: GPL-2.0-or-later
"""usbremote.testing: a real asyncio loop whose clock does not wait."""

import asyncio
import contextlib
import gc
import io
import time
import unittest
import weakref

import support  # noqa: F401

from usbremote import Device, LocalError, Setup, Standard
from usbremote.testing import Bench, VirtualLoop

ANSWER_TIME = 3600.0


class Slow(Device):
    """Uses asyncio as any program does."""

    def __init__(self, options):
        super().__init__(options)
        self.log = []

    @classmethod
    def add_options(cls, parser):
        parser.add_argument("--size", type=int, default=3)

    async def configured(self):
        queue = asyncio.Queue()
        self.start(self.produce(queue))
        while True:
            number = await queue.get()
            self.log.append((self.now(), number))

    async def produce(self, queue):
        for number in range(self.options.size):
            await asyncio.sleep(ANSWER_TIME)
            await queue.put(number)


class OnALoopOfItsOwn(unittest.TestCase):
    def bench(self, *arguments):
        bench = Bench(Slow, arguments=arguments)
        bench.plug_in()
        bench.configure()
        return bench

    def test_hours_pass_at_once(self):
        begun = time.monotonic()
        bench = self.bench()
        bench.exchange(3 * ANSWER_TIME)
        self.assertEqual(bench.device.log, [
            (ANSWER_TIME * n, n - 1) for n in (1, 2, 3)])
        self.assertLess(time.monotonic() - begun, ANSWER_TIME)

    def test_a_class_is_given_the_options_of_its_command_line(self):
        bench = self.bench("--size", "1")
        bench.exchange(9 * ANSWER_TIME)
        self.assertEqual(len(bench.device.log), 1)

    def test_bytes_are_carried_before_the_time_passes(self):
        bench = self.bench()
        bench.qemu.reset()
        bench.exchange(2 * ANSWER_TIME)
        self.assertEqual(bench.device.log, [])

    def test_what_making_the_device_raises_is_raised(self):
        def broken():
            raise ZeroDivisionError("no device")
        bench = Bench(broken)
        with self.assertRaisesRegex(ZeroDivisionError, "no device"):
            bench.plug_in()

    def test_what_a_coroutine_of_the_test_raises_is_raised(self):
        bench = self.bench()

        async def fail():
            raise LookupError("a failed test")
        bench.spawn(fail())
        with self.assertRaisesRegex(LookupError, "a failed test"):
            bench.exchange()

    def test_options_that_are_missing_are_told(self):
        class Needs(Device):
            @classmethod
            def add_options(cls, parser):
                parser.add_argument("--file", required=True)
        with contextlib.redirect_stderr(io.StringIO()) as err, \
                self.assertRaises(SystemExit):
            Bench(Needs)
        self.assertIn("--file", err.getvalue())

    def test_nothing_is_left_of_one_that_nobody_has(self):
        bench = self.bench()
        loop, gone = bench.loop, weakref.ref(bench)
        del bench
        gc.collect()
        self.assertIsNone(gone())
        self.assertTrue(loop.is_closed())

    def test_close_ends_what_runs(self):
        ended = []

        class Ends(Device):
            async def configured(self):
                try:
                    await asyncio.sleep(1)
                finally:
                    ended.append(True)
        bench = Bench(Ends)
        bench.plug_in()
        bench.configure()
        bench.close()
        self.assertEqual(ended, [True])


class Clock(unittest.TestCase):
    def setUp(self):
        self.loop = VirtualLoop()
        self.addCleanup(self.loop.dispose)

    def test_timers_come_in_their_order_and_on_time(self):
        seen = []
        for delay in (0.3, 0.1, 0.2, 0.31):
            self.loop.call_later(delay, lambda: seen.append(
                round(self.loop.time(), 9)))
        self.loop.run_for(0.3)
        self.assertEqual(seen, [0.1, 0.2, 0.3])
        self.loop.run_for(0.1)
        self.assertEqual(seen[3:], [0.31])
        self.assertAlmostEqual(self.loop.time(), 0.4)

    def test_a_small_step_that_is_repeated_arrives(self):
        seen = []

        async def tick():
            while True:
                await asyncio.sleep(0.004)
                seen.append(True)
        self.loop.create_task(tick())
        for _ in range(1000):
            self.loop.run_for(0.004)
        self.assertEqual(len(seen), 1000)


class Names(unittest.TestCase):
    """The engine's names and those of a device's author never meet."""

    def test_a_device_may_call_its_methods_as_it_likes(self):
        class Mine(Device):
            def reset(self):
                return "mine"
            start = gone = check = interface = submitted = parsed = reset
            cancelled = plugged_in = string = now = sleep = reset
            alternates = address = speed = runtime = reset

            async def connected(self):
                pass
        bench = Bench(Mine)
        bench.plug_in()
        self.assertEqual(bench.configure().status, 0)
        bench.qemu.address(5)
        bench.qemu.reset()
        bench.exchange()
        self.assertEqual(bench.configure().status, 0)
        bench.port.detach()
        self.assertEqual(bench.device.reset(), "mine")

    def test_a_forgotten_call_of_the_base_constructor_does_no_harm(self):
        class Forgets(Device):
            product = "forgetful"

            def __init__(self):
                self.mine = 1
        bench = Bench(Forgets)
        bench.plug_in()
        self.assertEqual(bench.configure().status, 0)
        self.assertEqual(bench.control(Setup(
            0x80, Standard.GET_CONFIGURATION, 0, 0, 1)).data, b"\1")

    def test_before_it_is_at_work_a_helper_says_so(self):
        with self.assertRaisesRegex(LocalError, "Device is not at work yet"):
            Device().wakeup()


if __name__ == "__main__":
    unittest.main()
