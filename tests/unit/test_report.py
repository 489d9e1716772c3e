# SPDX-License-Identifier: GPL-2.0-or-later
"""HID report descriptors, made and read."""

import random
import unittest

import support      # noqa: F401  (it has the path)

from usbremote.functions import report
from usbremote.functions.report_text import decode


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


class Whole(unittest.TestCase):
    """What the builder makes, and what the decoder says of it."""

    PEN = report.collection(
        report.DESKTOP, report.MOUSE,
        report.numbered(
            3, report.scaled(0, 210, report.field(
                report.INPUT, report.DESKTOP, (report.X,), 16, 0, 2100,
                report.VARIABLE | report.NULL_STATE), report.CENTIMETER, -1),
            report.field(report.INPUT, report.BUTTONS, (1,), 1, 0, 1),
            report.padding(report.INPUT, 7)))

    def test_each_item_has_a_line(self):
        self.assertEqual(list(decode(self.PEN)), [
            "05 01           Usage Page (Generic Desktop)",
            "09 02           Usage (Mouse)",
            "a1 01           Collection (Application)",
            "85 03             Report ID (3)",
            "a4                Push",
            "35 00             Physical Minimum (0)",
            "46 d2 00          Physical Maximum (210)",
            "65 11             Unit (17)",
            "55 0f             Unit Exponent (15)",
            "05 01             Usage Page (Generic Desktop)",
            "09 30             Usage (X)",
            "15 00             Logical Minimum (0)",
            "26 34 08          Logical Maximum (2100)",
            "75 10             Report Size (16)",
            "95 01             Report Count (1)",
            "81 42             Input (Data, Variable, Absolute, Null State)",
            "b4                Pop",
            "05 09             Usage Page (Button)",
            "09 01             Usage (Button 1)",
            "15 00             Logical Minimum (0)",
            "25 01             Logical Maximum (1)",
            "75 01             Report Size (1)",
            "95 01             Report Count (1)",
            "81 02             Input (Data, Variable, Absolute)",
            "75 07             Report Size (7)",
            "95 01             Report Count (1)",
            "81 01             Input (Constant, Array, Absolute)",
            "c0              End Collection"])

    def test_pages_and_usages_have_their_names(self):
        for data, text in (("0b 22000d00", "Usage (Digitizers: Finger)"),
                           ("06 d0f1", "Usage Page (FIDO Alliance)"),
                           ("06 05ff", "Usage Page (Vendor 0xff05)"),
                           ("05 77", "Usage Page (0x77)"),
                           ("a1 7f", "Collection (0x7f)"),
                           ("2c", "Item 0x2c")):
            line, *_ = decode(bytes.fromhex(data))
            self.assertEqual(line[16:], text)

    def test_a_page_that_was_pushed_comes_back(self):
        lines = list(decode(bytes.fromhex("050c a4 0501 b4 09e9")))
        self.assertIn("Usage (Volume Increment)", lines[-1])

    def test_no_cut_of_it_and_no_noise_is_an_error(self):
        rng = random.Random(1)
        for at in range(len(self.PEN)):
            list(decode(self.PEN[:at]))
        for _ in range(200):
            data = rng.randbytes(rng.randrange(40))
            shown = b"".join(bytes.fromhex(line[:15]) for line in decode(data)
                             if len(line[:15].split()) <= 5)
            self.assertLessEqual(len(shown), len(data))

    def test_what_does_not_fit_together_is_said(self):
        lines = list(decode(bytes.fromhex("c0 a101 a102")))
        self.assertIn("End Collection: there is none", lines[0])
        self.assertIn("2 collections are not ended", lines[-1])

    def test_ids_are_items_and_not_bytes(self):
        self.assertTrue(report.has_ids(self.PEN))
        self.assertFalse(report.has_ids(bytes.fromhex("0985 2685 85")))

    def test_a_long_item_is_passed_over(self):
        found = list(report.items(bytes.fromhex("fe 03 70 aabbcc 8501")))
        self.assertEqual(found, [(0xfc, bytes.fromhex("aabbcc")),
                                 (report.REPORT_ID, b"\1")])


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
