# SPDX-License-Identifier: GPL-2.0-or-later
"""The network adapter without a guest."""

import unittest

from support import load_example

from usbremote import Setup, Standard, TransferType
from usbremote.testing import Bench

network = load_example("network")
NOTIFY, DATA = 0x81, 1          # an endpoint, an interface
SIZE = 16                       # as long as the longer notification


class Notifications(unittest.TestCase):
    def test_each_is_one_packet_and_nothing_comes_after_it(self):
        """One of them is as long as a packet can be."""
        bench = Bench(network.Network)
        bench.plug_in()
        bench.configure()
        bench.control(Setup(1, Standard.SET_INTERFACE, 1, DATA, 0))
        found = []
        for _ in range(2):
            id = bench.read(NOTIFY, SIZE, TransferType.INTERRUPT)
            found.append(len(bench.answered(id).data))
        self.assertEqual(found, [16, 8])
        id = bench.read(NOTIFY, SIZE, TransferType.INTERRUPT)
        bench.exchange(5)
        self.assertIsNone(bench.answer_to(id))


if __name__ == "__main__":
    unittest.main()
