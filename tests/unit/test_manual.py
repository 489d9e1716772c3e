# SPDX-License-Identifier: GPL-2.0-or-later
"""The device that the manual shows does what it says."""

import re
import textwrap
import unittest
from pathlib import Path

import support  # noqa: F401

from usbremote._proto import Status, TransferType
from usbremote.setup import Setup
from usbremote.testing import Bench

MANUAL = Path(__file__).resolve().parents[2] / "docs" / "usb-remote.rst"


def echo_class():
    """Echo of the block "echo.py" in the manual."""
    found = re.search(r"^\.\. test: echo\.py\n\n\.\. code-block:: python\n\n"
                      r"((?:(?:   .*)?\n)+)", MANUAL.read_text(), re.M)
    names = {"__name__": "echo"}
    exec(textwrap.dedent(found.group(1)), names)
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
            if len(data) % 64 == 0:
                self.bench.write(1, b"")
            id = self.bench.read(0x81, 512, TransferType.BULK)
            self.assertEqual(self.bench.answer_to(id).data, data)


if __name__ == "__main__":
    unittest.main()
