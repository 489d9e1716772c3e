# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests that nobody answers: counted, and as code to paste."""

import unittest

import support  # noqa: F401

from usbremote import Device, Setup, Status
from usbremote.testing import Bench
from usbremote.unanswered import MORE, MOST, Unanswered, suggestions


def bench(kind, *setups):
    made = Bench(kind)
    made.plug_in()
    for setup in setups:
        made.control(setup)
    return made


class Counting(unittest.TestCase):
    def test_a_guest_that_asks_everything_does_not_fill_the_memory(self):
        unanswered = Unanswered()
        for value in range(MOST + 50):
            for _ in range(2):
                unanswered.add(Setup(0xc0, 1, value, 0, 0))
        self.assertEqual(len(unanswered.setups), MOST)
        self.assertEqual(len(unanswered.counts), MOST + 1)
        self.assertEqual(unanswered.counts[MORE], 100)


class Suggestions(unittest.TestCase):
    ASKED = (Setup(0xa1, 0x21, 0, 0, 7), Setup(0x21, 0x22, 3, 0, 0),
             Setup(0x21, 0x22, 3, 0, 0), Setup(0x21, 0x22, 0, 0, 0),
             Setup(0x44, 1, 0, 0, 0))

    def test_they_are_methods_that_answer_these_requests(self):
        first = bench(Device, *self.ASKED)
        lines = list(suggestions([first.engine.unanswered]))
        imports, *methods = lines
        self.assertIn("        # 2 x wValue 0x0003, wIndex 0x0000, wLength 0",
                      methods)
        source = "\n".join([imports, "from usbremote import Device",
                            "class Filled(Device):", *methods])
        names = {}
        exec(source.replace("raise Stall()", "return b''"), names)
        second = bench(names["Filled"])
        for setup in self.ASKED:
            self.assertEqual(second.control(setup).status, Status.OK)
        self.assertEqual(sum(second.device.unhandled_requests.values()), 0)

    def test_nothing_to_suggest(self):
        self.assertEqual(list(suggestions([Unanswered()])), [])


if __name__ == "__main__":
    unittest.main()
