# SPDX-License-Identifier: GPL-2.0-or-later
"""What is expected of a kernel, and what is made of that."""

import pytest

from usblab.errors import Problem
from usblab.expect import Expect, Seen, faults, missing

WHEEL = Seen(names=["8-1"], drivers={"8-1:1.0": "usbhid hid-generic"},
             lines=["usb 8-1: new full-speed USB device", "hidraw0"],
             files=["/dev/hidraw0"], commands=["true"])
LOST = Seen(names=["8-1"], drivers={"8-1:1.0": ""},
            lines=["usbhid 8-1:1.0: can't add hid device: -22"])


@pytest.mark.parametrize("table", [
    {}, {"driver": "usbhid"}, {"driver": ["usbhid", "hid_generic"]},
    {"log": "new .* USB device"}, {"forbid": "-22"},
    {"file": "/dev/hidraw0"}, {"command": "true"}])
def test_a_sound_kernel_is_good(table):
    assert faults(Expect().add(table), WHEEL) == []


@pytest.mark.parametrize("table, reason", [
    ({}, "no driver"), ({"driver": "usbhid"}, "no driver usbhid"),
    ({"log": "hidraw"}, 'no line "hidraw" in the log'),
    ({"forbid": "-22"}, '"usbhid 8-1:1.0: can\'t add hid device: -22"'),
    ({"file": "/dev/hidraw*"}, "no file /dev/hidraw*"),
    ({"command": "test -e /x"}, "'test -e /x' fails")])
def test_each_thing_that_is_not_so_is_said(table, reason):
    assert faults(Expect().add(table), LOST) == [reason]


def test_a_device_that_is_not_enumerated_is_said_to_be_so():
    assert faults(Expect(), Seen()) == ["not enumerated"]


def test_what_a_sound_kernel_never_prints_is_bad_whatever_else():
    seen = Seen(names=["1-1"], drivers={"1-1:1.0": "usbhid"},
                trouble=["WARNING: CPU: 0 PID: 9 at x"])
    assert faults(Expect(), seen) == ['"WARNING: CPU: 0 PID: 9 at x"']
    assert faults(Expect().add({"log": "WARNING: CPU"}), seen) == [
        'no line "WARNING: CPU" in the log']


def test_a_forbidden_line_cannot_come_late_as_a_missing_thing_can():
    wanted = Expect().add({"forbid": "-22"})
    assert missing(wanted, LOST) == [] and faults(wanted, LOST)


def test_the_kernel_s_own_error_comes_with_what_is_missing():
    seen = Seen(names=["8-1"], errors=["can't add hid device: -22", "later"])
    assert faults(Expect(), seen) == [
        "no driver", 'the kernel says "can\'t add hid device: -22"']
    seen.drivers = {"8-1:1.0": "usbhid"}
    assert faults(Expect(), seen) == []


@pytest.mark.parametrize("table, complaint", [
    ({"drivers": "usbhid"}, 'no "drivers"'), ({"driver": 3}, "neither"),
    ({"log": "("}, "no regular expression"), ({"driver": [1]}, "neither")])
def test_a_wrong_table_is_one_line(table, complaint):
    with pytest.raises(Problem, match=complaint):
        Expect().add(table)
