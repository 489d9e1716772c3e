# SPDX-License-Identifier: GPL-2.0-or-later
"""classes/report.py: HID report descriptors."""

import unittest

import support      # noqa: F401  (it has the path)

from usbremote.functions import report


class Items(unittest.TestCase):
    def test_an_item_is_as_small_as_its_value_allows(self):
        for tag, value, encoded in (
                (report.LOGICAL_MINIMUM, 0, "15 00"),
                (report.LOGICAL_MINIMUM, -1, "15 ff"),
                (report.LOGICAL_MINIMUM, -128, "15 80"),
                (report.LOGICAL_MINIMUM, -129, "16 7f ff"),
                (report.LOGICAL_MAXIMUM, 127, "25 7f"),
                (report.LOGICAL_MAXIMUM, 128, "26 80 00"),
                (report.LOGICAL_MAXIMUM, 32768, "27 00 80 00 00"),
                (report.REPORT_COUNT, 255, "95 ff"),
                (report.USAGE_PAGE, 0xff00, "06 00 ff")):
            self.assertEqual(report.item(tag, value).hex(" "), encoded)

    def test_a_value_of_more_than_32_bits_is_refused(self):
        with self.assertRaises(ValueError):
            report.item(report.LOGICAL_MAXIMUM, 1 << 31)


class Fields(unittest.TestCase):
    def test_a_range_of_usages_becomes_its_ends(self):
        self.assertEqual(
            report.field(report.INPUT, report.BUTTONS, range(1, 4), 1, 0,
                         1).hex(" "),
            "05 09 19 01 29 03 15 00 25 01 75 01 95 03 81 02")

    def test_single_usages_have_a_value_each(self):
        self.assertEqual(
            report.field(report.INPUT, report.DESKTOP,
                         (report.X, report.WHEEL), 8, -127, 127,
                         report.VARIABLE | report.RELATIVE).hex(" "),
            "05 01 09 30 09 38 15 81 25 7f 75 08 95 02 81 06")

    def test_an_array_has_the_values_that_it_is_given(self):
        self.assertEqual(
            report.field(report.INPUT, report.KEYS, range(0x66), 8, 0, 0x65,
                         flags=0, count=6).hex(" "),
            "05 07 19 00 29 65 15 00 25 65 75 08 95 06 81 00")

    def test_a_collection_encloses_its_parts(self):
        self.assertEqual(
            report.collection(
                report.DESKTOP, report.MOUSE,
                report.collection(report.DESKTOP, report.POINTER,
                                  report.padding(report.INPUT, 5),
                                  kind=report.PHYSICAL)).hex(" "),
            "05 01 09 02 a1 01 05 01 09 01 a1 00 75 05 95 01 81 01 c0 c0")


if __name__ == "__main__":
    unittest.main()
