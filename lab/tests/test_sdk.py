# SPDX-License-Identifier: GPL-2.0-or-later
"""A device file as a device of usbremote."""

import pytest
from usbremote import Setup, Status, testing

from usblab import devicefile, sdk
from usblab.errors import Problem

from test_devicefile import CONFIGURATION, TEXT

GET_REPORT = Setup(0xa1, 1, 0x0100, 0, 8)
SET_IDLE = Setup(0x21, 10, 0, 0, 0)


def bench(text):
    file = devicefile.parse(text)
    made = testing.Bench(lambda: sdk.device_class(file)())
    made.plug_in()
    return made


def test_descriptors_are_given_byte_for_byte():
    found = bench(TEXT).control(Setup(0x80, 6, 0x0200, 0, 255))
    assert found.data == bytes.fromhex(CONFIGURATION)


def test_a_string_that_is_not_there_stalls():
    assert bench(TEXT).control(Setup(0x80, 6, 0x0302, 0x409, 255)).status \
        == Status.STALL


@pytest.mark.parametrize("value, data", [
    (0x2200, "0600ff0901a101c0"), (0x2100, "092101010002224400")])
def test_hid_descriptors_are_given_to_the_interface(value, data):
    found = bench(TEXT).control(Setup(0x81, 6, value, 0, 255))
    assert found.data.hex() == data


@pytest.mark.parametrize("other, status, data", [
    ("quiet", Status.STALL, b""), ("stall", Status.STALL, b""),
    ("zero", Status.OK, bytes(8))])
def test_what_nothing_answers_gets_what_the_file_says(other, status, data):
    found = bench(f'other = "{other}"\n{TEXT}').control(GET_REPORT)
    assert (found.status, found.data) == (status, data)


def test_with_nak_there_is_never_an_answer():
    made = bench(f'other = "nak"\n{TEXT}')
    request = made.qemu.control(GET_REPORT)
    made.exchange(seconds=10)
    assert made.answer_to(request) is None


@pytest.mark.parametrize("other, status", [
    ("stall", Status.STALL), ("zero", Status.OK)])
def test_endpoints_follow_it_too(other, status):
    made = bench(f'other = "{other}"\n{TEXT}')
    made.configure()
    assert made.answer_to(made.read(0x81, 16)).status == status


def test_a_class_of_ones_own_answers_what_rules_cannot():
    made = bench(TEXT + """
--- python
class Wheel(Described):
    def control(self, setup):
        if setup.request == 10:
            return None
        return super().control(setup)
""")
    assert made.control(SET_IDLE).status == Status.OK


@pytest.mark.parametrize("code, complaint", [
    ("class", "SyntaxError"), ("1 / 0", "ZeroDivisionError"),
    ("x = 1", "0 subclasses")])
def test_python_that_is_wrong_is_said_in_a_line(code, complaint):
    with pytest.raises(Problem, match=complaint):
        sdk.device_class(devicefile.parse(f"{TEXT}\n--- python\n{code}\n"))
