# SPDX-License-Identifier: GPL-2.0-or-later
"""Descriptors: declarations to bytes, checked against written-out bytes."""

import struct
import unittest

import support  # noqa: F401

from usbremote import descriptors as desc
from usbremote import strings
from usbremote._proto import Speed, TransferType
from usbremote.descriptors import (Association, Configuration, Endpoint,
                                   Interface)
from usbremote.device import Device
from usbremote.engine import engine_of
from usbremote.errors import LocalError
from usbremote.functions import hid
from usbremote.microsoft import Microsoft
from usbremote.remarks import check
from usbremote.setup import Setup
from usbremote.testing import Bench

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
                  "0a 10 03 00 0c00 02 0a 2000")
        self.same(desc.bos((Speed.FULL,)), "05 0f 0c00 01 07 10 02 02000000")

    def test_hid(self):
        made = Configuration([hid.Mouse()])
        self.same(made.encode(Speed.LOW, no_strings)[9:],
                  "09 04 00 00 01 03 01 02 00"
                  "09 21 1101 00 01 22 3200"
                  "07 05 81 03 0800 0a")


class Strings(unittest.TestCase):
    def test_indices_are_stable(self):
        made = strings.Strings()
        self.assertEqual([made.index(t) for t in ("b", None, "a", "b")],
                         [1, 0, 2, 1])

    def test_index_0_is_the_languages(self):
        self.assertEqual(strings.Strings().encode(0), b"\x04\x03\x09\x04")

    def test_an_index_that_is_not_there(self):
        self.assertIsNone(strings.Strings().encode(1))

    def test_texts_in_several_languages(self):
        class Polyglot(Device):
            manufacturer = "me"
            product = {0x0409: "lamp", 0x0407: "Lampe"}
        bench = Bench(Polyglot)
        bench.plug_in()

        def string(index, language):
            return bench.control(Setup(0x80, 6, 0x300 | index, language,
                                       255)).data[2:]
        self.assertEqual(string(0, 0), b"\x09\x04\x07\x04")
        for language, text in ((0x0409, "lamp"), (0x0407, "Lampe"),
                               (0x040c, "lamp")):
            self.assertEqual(string(2, language).decode("utf-16-le"), text)
        self.assertEqual(string(1, 0x0407).decode("utf-16-le"), "me")


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


def endpoint_at(speed, **fields):
    """The 7 bytes of an endpoint that is declared so."""
    fields = {"address": 0x81, "type": TransferType.BULK, **fields}
    return Endpoint(**fields).encode(speed)[:7]


class BySpeed(unittest.TestCase):
    def sizes(self, type, speeds):
        return [int.from_bytes(endpoint_at(s, type=type)[4:6], "little")
                for s in speeds]

    def test_the_largest_packet_is_that_of_type_and_speed(self):
        self.assertEqual(self.sizes(TransferType.BULK, Speed),
                         [8, 64, 512, 1024])
        self.assertEqual(self.sizes(TransferType.INTERRUPT, Speed),
                         [8, 64, 1024, 1024])
        self.assertEqual(self.sizes(TransferType.ISO, list(Speed)[1:]),
                         [1023, 1024, 1024])

    def test_a_value_holds_up_to_the_next_speed_that_is_listed(self):
        listed = {Speed.FULL: 10, Speed.HIGH: 4}
        self.assertEqual([desc.at_speed(listed, s) for s in Speed],
                         [10, 10, 4, 4])
        self.assertEqual([desc.at_speed(3, s) for s in Speed], [3] * 4)

    def test_size_and_interval_may_differ_by_speed(self):
        values = [endpoint_at(s, max_packet={Speed.FULL: 16, Speed.HIGH: 32},
                              interval={Speed.FULL: 1, Speed.HIGH: 7})
                  for s in (Speed.FULL, Speed.HIGH)]
        self.assertEqual([(v[4], v[6]) for v in values], [(16, 1), (32, 7)])

    def test_a_period_becomes_an_interval_that_is_not_longer(self):
        for period, expected in ((1, [1, 1, 4, 4]), (10, [10, 10, 7, 7]),
                                 (0.125, [1, 1, 1, 1]), (300, [255, 255, 12,
                                                               12])):
            self.assertEqual(
                [endpoint_at(s, type=TransferType.INTERRUPT,
                             period_ms=period)[6] for s in Speed], expected,
                period)

    def test_an_isochronous_period_at_full_speed_is_a_power_of_two(self):
        self.assertEqual(endpoint_at(Speed.FULL, type=TransferType.ISO,
                                     period_ms=4)[6], 3)


class Associated(unittest.TestCase):
    def encode(self, **fields):
        function = Association([Interface(2, number=1), Interface(10,
                                                                  number=2)],
                               2, 6, 0, "net", **fields)
        return Configuration([Interface(number=0), function]).encode(
            Speed.FULL, lambda text: 5 if text else 0)

    def test_it_counts_its_interfaces_and_goes_before_them(self):
        parts = desc.split(self.encode())
        self.assertEqual([p[1] for p in parts], [2, 4, 11, 4, 4])
        self.assertEqual(parts[2].hex(), "080b010202060005")
        self.assertEqual(parts[0][4], 3)

    def test_the_device_says_that_it_has_associations(self):
        class Combined(Device):
            def configurations(self, speed):
                return [Configuration([Association([Interface()])])]
        self.assertEqual(engine_of(Combined()).descriptor(desc.DEVICE, 0)[4:7],
                         b"\xef\2\1")
        Combined.device_class = (1, 2, 3)
        self.assertEqual(engine_of(Combined()).descriptor(desc.DEVICE, 0)[4:7],
                         b"\1\2\3")


class RawParts(unittest.TestCase):
    """raw takes the place of one descriptor, what follows stays."""

    def encode(self, part, speed=Speed.FULL):
        return part.encode(speed, lambda text: 0)

    def test_of_an_endpoint(self):
        endpoint = Endpoint(0x81, TransferType.BULK, raw=b"\7\5odd",
                            extra=b"more")
        self.assertEqual(endpoint.encode(Speed.FULL), b"\7\5oddmore")

    def test_of_a_companion(self):
        endpoint = Endpoint(0x81, TransferType.BULK, companion=b"\2\x30")
        self.assertEqual(endpoint.encode(Speed.SUPER)[7:], b"\2\x30")

    def test_of_an_interface(self):
        interface = Interface(raw=b"\3\4!", endpoints=[
            Endpoint(0x81, TransferType.BULK)])
        self.assertEqual(self.encode(interface)[:5], b"\3\4!\7\5")

    def test_of_an_association(self):
        self.assertEqual(self.encode(Association(
            [Interface()], raw=b"\2\x0b"))[:4], b"\2\x0b\x09\4")

    def test_of_a_configuration(self):
        data = self.encode(Configuration([Interface()], raw=b"\2\2"))
        self.assertEqual(data[:4], b"\2\2\x09\4")
        self.assertEqual(len(data), 11)

    def test_what_goes_before_the_interfaces_is_counted(self):
        data = self.encode(Configuration([Interface()], extra=b"\3\x09\1"))
        self.assertEqual((data[2], data[9:12]), (21, b"\3\x09\1"))


class MicrosoftOs(unittest.TestCase):
    """Against the tables of Microsoft's two specifications."""

    guids = Microsoft(properties={"DeviceInterfaceGUIDs": ["{1}"]})

    def ask(self, index, told=None, request=0x20, kind=0xc0):
        told = told or self.guids
        return told.answer(Setup(kind, request, 0, index, 4096))

    def test_os_1_string(self):
        self.assertEqual(self.guids.string().hex(),
                         "12034d005300460054003100300030002000")
        self.assertIsNone(Microsoft(versions=(2,)).string())

    def test_os_1_compatible_id(self):
        data = self.ask(4)
        self.assertEqual(data[:18].hex(),
                         "280000000001040001" + 7 * "00" + "0001")
        self.assertEqual(data[18:26], b"WINUSB\0\0")
        self.assertEqual(len(data), 40)

    def test_os_1_properties(self):
        data = self.ask(5)
        size, version, index, count = struct.unpack_from("<IHHH", data)
        self.assertEqual((size, version, index, count),
                         (len(data), 0x100, 5, 1))
        size, kind, length = struct.unpack_from("<IIH", data, 10)
        self.assertEqual((size, kind, length), (len(data) - 10, 7, 42))
        self.assertEqual(data[20:62].decode("utf-16-le"),
                         "DeviceInterfaceGUIDs\0")
        self.assertEqual(data[66:].decode("utf-16-le"), "{1}\0\0")

    def test_os_2_set(self):
        data = self.ask(7)
        self.assertEqual(struct.unpack_from("<HHIH", data),
                         (10, 0, 0x06030000, len(data)))
        self.assertEqual(data[10:22], b"\x14\0\3\0WINUSB\0\0")
        size, kind, value_kind, length = struct.unpack_from("<HHHH", data, 30)
        self.assertEqual((size, kind, value_kind, length),
                         (len(data) - 30, 4, 7, 42))

    def test_os_2_set_of_one_function(self):
        data = self.ask(7, Microsoft(interface=3))
        self.assertEqual(struct.unpack_from("<HHBxH", data, 10),
                         (8, 1, 0, len(data) - 10))
        self.assertEqual(struct.unpack_from("<HHBxH", data, 18),
                         (8, 2, 3, len(data) - 18))

    def test_values_of_every_kind(self):
        for value, kind, data in (("a", 1, b"a\0\0\0"), (7, 4, b"\7\0\0\0"),
                                  (b"xy", 3, b"xy")):
            told = Microsoft(properties={"p": value})
            set_ = self.ask(7, told)[30:]
            self.assertEqual((set_[4], set_[14:]), (kind, data))

    def test_other_requests_are_not_its_own(self):
        for asked in ({"request": 0x21}, {"kind": 0x40}, {"kind": 0xa0},
                      {"kind": 0xc2}):
            self.assertIsNone(self.ask(4, **asked), asked)
        self.assertIsNone(self.ask(6))
        self.assertIsNone(self.ask(7, Microsoft(versions=(1,))))

    def test_raw_bytes_go_before_it(self):
        self.assertEqual(self.ask(7, Microsoft(raw={7: b"raw"})), b"raw")

    def test_a_device_with_it(self):
        class Told(Device):
            microsoft = self.guids
        bench = Bench(Told)
        bench.plug_in()
        device = bench.control(Setup(0x80, 6, 0x100, 0, 18)).data
        self.assertEqual(device[2:4], b"\x10\2")
        self.assertEqual(bench.control(Setup(0x80, 6, 0x3ee, 0, 18)).data,
                         self.guids.string())
        bos = bench.control(Setup(0x80, 6, 0xf00, 0, 255)).data
        size = len(self.guids.descriptor_set())
        self.assertEqual(
            desc.split(bos)[2].hex(), "1c100500df60ddd88945c74c9cd2659d9e648a"
            f"9f00000306{size:02x}002000")
        self.assertEqual(bench.control(Setup(0xc0, 0x20, 0, 7, 999)).data,
                         self.guids.descriptor_set())


class Checking(unittest.TestCase):
    def test_what_cannot_be_encoded_is_named_with_its_speed(self):
        class Wrong(Device):
            speeds = (Speed.FULL, Speed.SUPER)

            def configurations(self, speed):
                number = 300 if speed == Speed.SUPER else 0
                return [Configuration([Interface(number=number)])]
        with self.assertRaisesRegex(
                LocalError, "at super speed.*test_descriptors.py:[0-9]+: "
                "Interface 300: bInterfaceNumber is 300"):
            check(engine_of(Wrong()))

    def test_a_string_index_for_class_descriptors(self):
        class Named(Device):
            product = "p"
        device = Named()
        engine_of(device)
        index = device.string("020000000001")
        self.assertEqual(device.descriptor(desc.STRING, index)[2:],
                         "020000000001".encode("utf-16-le"))
        self.assertEqual(device.string("020000000001"), index)


if __name__ == "__main__":
    unittest.main()
