# SPDX-License-Identifier: GPL-2.0-or-later
"""The manual's device does what it says, and all command lines are run."""

import re
import unittest

from support import ROOT, manual

from usbremote._proto import Status, TransferType
from usbremote.setup import Setup
from usbremote.testing import Bench


def echo_class():
    """Echo of the block "echo.py" in the manual."""
    names = {"__name__": "echo"}
    exec(manual.block("echo.py"), names)
    return names["Echo"]


class Echo(unittest.TestCase):
    def setUp(self):
        self.bench = Bench(echo_class())
        self.bench.plug_in()
        self.bench.configure()

    def test_the_vendor_request_is_answered(self):
        answer = self.bench.control(Setup(0xc0, 1, 0, 0, 64))
        self.assertEqual(answer.data, b"hello")

    def test_other_requests_are_stalled(self):
        answer = self.bench.control(Setup(0xc0, 2, 0, 0, 64))
        self.assertEqual(answer.status, Status.STALL)

    def test_what_is_sent_comes_back(self):
        for data in (b"x", bytes(range(64)), bytes(200)):
            self.bench.write(1, data)
            id = self.bench.read(0x81, 512, TransferType.BULK)
            self.assertEqual(self.bench.answer_to(id).data, data)


class CommandLines(unittest.TestCase):
    """Each block of commands on a page is used by a test."""

    def test_each_block_has_a_name_that_a_test_asks_for(self):
        tests = "".join(path.read_text() for folder in ("unit", "guest/cases")
                        for path in (ROOT / "tests" / folder).glob("*.py"))
        blocks = [block for page in (manual.README, manual.LIBRARY,
                                     manual.TUTORIAL)
                  for block in manual.commands(page)]
        blocks += [(name, "") for name in re.findall(
            r"^\.\. test: (\S+)", manual.PAGE.read_text(), re.M)]
        self.assertEqual([block for block in blocks
                          if f'"{block[0]}"' not in tests], [])

    def test_each_shell_block_of_the_manual_has_a_name(self):
        text = manual.PAGE.read_text()
        self.assertEqual(
            len(re.findall(r"^\.\. code-block:: shell\n", text, re.M)),
            len(re.findall(r"^\.\. test: .*\n\n\.\. code-block:: shell\n",
                           text, re.M)))

    def test_the_test_guest_is_started_as_in_the_tutorial(self):
        """A guest case starts it with the tutorial's line."""
        self.assertEqual(manual.readme("guest"),
                         manual.readme("guest", manual.TUTORIAL))


if __name__ == "__main__":
    unittest.main()
