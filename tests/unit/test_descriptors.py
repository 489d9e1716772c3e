# SPDX-License-Identifier: GPL-2.0-or-later
"""Descriptors: declarations to bytes, checked against written-out bytes."""

import unittest

import support  # noqa: F401

from usbremote import descriptors as desc
from usbremote._proto import Speed, TransferType
from usbremote.classes.hid import BOOT, BOOT_MOUSE, MOUSE, HidInterface
from usbremote.descriptors import Configuration, Endpoint, Interface

IN = Endpoint(0x81, TransferType.BULK, 512)
OUT = Endpoint(0x02, TransferType.BULK, 512)


def no_strings(text):
    return 0 if text is None else 5


class Encoding(unittest.TestCase):
    def same(self, data, text):
        self.assertEqual(data.hex(" "), bytes.fromhex(text).hex(" "))

    def test_device(self):
        self.same(desc.DeviceDescriptor(
            0x0200, 1, 2, 3, 64, 0x1234, 0x5678, 0x9abc, 4, 5, 6, 7).encode(),
            "12 01 0002 01 02 03 40 3412 7856 bc9a 04 05 06 07")

    def test_qualifier(self):
        self.same(desc.DeviceDescriptor(
            0x0200, 1, 2, 3, 64, 0, 0, 0, 0, 0, 0, 7).encode_qualifier(),
            "0a 06 0002 01 02 03 40 07 00")

    def test_configuration_with_all_that_belongs_to_it(self):
        made = Configuration(
            [Interface(8, 6, 0x50, [IN, OUT], name="x"),
             Interface(0xff, number=1, alternate=2, extra=b"\x03\x24\x00")],
            value=3, self_powered=True, remote_wakeup=True, max_power=500)
        self.same(made.encode(Speed.HIGH, no_strings),
                  "09 02 2c00 02 03 00 e0 fa"
                  "09 04 00 00 02 08 06 50 05"
                  "07 05 81 02 0002 00"
                  "07 05 02 02 0002 00"
                  "09 04 01 02 00 ff 00 00 00"
                  "03 24 00")

    def test_super_speed_has_companions_and_units_of_8_ma(self):
        made = Configuration([Interface(endpoints=[
            Endpoint(0x81, TransferType.BULK, 1024, burst=15),
            Endpoint(0x82, TransferType.INTERRUPT, 64, 4, burst=1),
            Endpoint(0x83, TransferType.INTERRUPT, 64, 4,
                     bytes_per_interval=7)])], max_power=800)
        self.same(made.encode(Speed.SUPER, no_strings),
                  "09 02 3900 01 01 00 80 64"
                  "09 04 00 00 03 ff 00 00 00"
                  "07 05 81 02 0004 00  06 30 0f 00 0000"
                  "07 05 82 03 4000 04  06 30 01 00 8000"
                  "07 05 83 03 4000 04  06 30 00 00 0700")

    def test_alternate_settings_are_one_interface(self):
        made = Configuration([Interface(), Interface(alternate=1)])
        self.assertEqual(made.encode(Speed.FULL, no_strings)[4], 1)

    def test_endpoint_attributes_and_extra(self):
        self.same(Endpoint(0x83, TransferType.ISO, 0x1400, 1, attributes=0x24,
                           extra=b"\x02\x25").encode(Speed.HIGH),
                  "07 05 83 25 0014 01 02 25")

    def test_string(self):
        self.same(desc.string_descriptor("a\u20ac\U0001f50c"),
                  "0a 03 6100 ac20 3dd8 0cdd")

    def test_a_long_string_is_cut(self):
        self.assertEqual(len(desc.string_descriptor("a" * 300)), 254)

    def test_bos(self):
        self.same(desc.bos((Speed.HIGH, Speed.SUPER)),
                  "05 0f 1600 02  07 10 02 02000000"
                  "0a 10 03 00 0c00 02 00 0000")
        self.same(desc.bos((Speed.FULL,)), "05 0f 0c00 01 07 10 02 02000000")

    def test_hid(self):
        made = HidInterface(BOOT_MOUSE, [Endpoint(
            0x81, TransferType.INTERRUPT, 8, 10)], BOOT, MOUSE)
        self.same(made.encode(Speed.LOW, no_strings),
                  "09 04 00 00 01 03 01 02 00"
                  "09 21 1101 00 01 22 3200"
                  "07 05 81 03 0800 0a")


class Strings(unittest.TestCase):
    def test_indices_are_stable(self):
        strings = desc.Strings()
        self.assertEqual([strings.index(t) for t in ("b", None, "a", "b")],
                         [1, 0, 2, 1])

    def test_index_0_is_the_languages(self):
        self.assertEqual(desc.Strings().encode(0), b"\x04\x03\x09\x04")

    def test_an_index_that_is_not_there(self):
        self.assertIsNone(desc.Strings().encode(1))


class Parsing(unittest.TestCase):
    def test_what_was_encoded(self):
        data = Configuration(
            [Interface(endpoints=[IN, OUT]),
             Interface(endpoints=[IN], alternate=1),
             Interface(number=1)], value=7, self_powered=True).encode(
                 Speed.SUPER, no_strings)
        parsed = desc.parse_configuration(data)
        self.assertEqual((parsed.value, parsed.attributes), (7, 0xc0))
        self.assertEqual(parsed.settings, {
            (0, 0): {0x81: 512, 0x02: 512}, (0, 1): {0x81: 512}, (1, 0): {}})

    def test_no_cut_of_it_and_no_noise_is_an_error(self):
        data = Configuration([Interface(endpoints=[IN, OUT])]).encode(
            Speed.FULL, no_strings)
        for at in range(len(data)):
            desc.parse_configuration(data[:at])
            desc.parse_configuration(data[:at] + b"\0" + data[at + 1:])
            desc.parse_configuration(data[:at] + b"\xff" + data[at + 1:])

    def test_endpoints_without_an_interface_are_passed_over(self):
        self.assertEqual(desc.parse_configuration(
            bytes(9) + IN.encode(Speed.FULL)).settings, {})


if __name__ == "__main__":
    unittest.main()
