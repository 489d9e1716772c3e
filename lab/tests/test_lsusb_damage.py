# SPDX-License-Identifier: GPL-2.0-or-later
"""
Damaged text is refused, or gives the very bytes: never another device.

What lsusb prints only once, no reader can check; those fields are named here.
"""

import re

import pytest

import examples
from usblab.commands.show import sysfs_bytes
from usblab.errors import Problem
from usblab.model import Grade

NAMES = tuple(examples.BYTES)
# numbers that nothing else in the text repeats
SINGLE = re.compile(
    r"^(?:bcd\w+|b(?:Device|Interface|Function)(?:SubClass|Protocol)|"
    r"bMaxPacketSize0|i[A-Z]\w+|bConfigurationValue|bInterval|bMaxBurst|"
    r"MaxStreams|bFirstInterface|bInterfaceCount|bAlternateSetting|"
    r"bInterfaceNumber|bCountryCode|wDescriptorLength|MaxPower|"
    r"bDataInterface|bMasterInterface|bSlaveInterface|bmAttributes|"
    r"bmCapabilities|bNumConfigurations|bDeviceClass|bU\dDevExitLat|"
    r"Device Status:)(?!\w)")
# lines that may be missing without a trace: what explains a number, and what
# lsusb does not always print
EXPLAINS = re.compile(
    r"^(?:\(Bus Powered\)|Self Powered|Remote Wakeup|Transfer Type|"
    r"Synch Type|Usage Type|call management|use DataInterface|sends break|"
    r"line coding|Data Variable|Application|HIRD|Device can operate|"
    r"Lowest fully|\*\* UNAVAILABLE|Report Descriptors?:|Bus 001|"
    r"Device Status|MaxStreams|Binary Object)")
# what begins the text after the configurations
AFTER = ("Device Status", "Device Qualifier", "Binary Object")


def outcome(text, name):
    """refused, marked (as not certain), same or different."""
    try:
        found = examples.read(text)
    except Problem as problem:
        assert str(problem)
        return "refused"
    if found.grade() > Grade.INFERRED:
        return "marked"
    return "same" if sysfs_bytes(found) == examples.BYTES[name] and \
        descriptors_are_same(found, name) else "different"


def descriptors_are_same(found, name):
    whole = examples.read(examples.text(name))
    return all(found.descriptors.get(key) == data
               for key, data in whole.descriptors.items() if key[0] != 3)


def rows_of(name):
    return examples.text(name).split("\n")


def joined(rows):
    return "\n".join(rows)


def damages(name, damage, spared):
    """The rows where the damage passes and makes another device."""
    rows = rows_of(name)
    return [rows[at].strip() for at in range(len(rows))
            if rows[at].strip() and not spared(rows[at].strip())
            and outcome(joined(damage(rows, at)), name) == "different"]


@pytest.mark.parametrize("name", NAMES)
def test_a_line_that_is_missing(name):
    assert damages(name, lambda rows, at: rows[:at] + rows[at + 1:],
                   EXPLAINS.match) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_line_that_is_there_twice(name):
    assert damages(name, lambda rows, at: rows[:at + 1] + rows[at:],
                   EXPLAINS.match) == []


@pytest.mark.parametrize("name", NAMES)
def test_two_lines_that_changed_places(name):
    assert damages(
        name, lambda rows, at: rows[:at] + rows[at:at + 2][::-1]
        + rows[at + 2:], EXPLAINS.match) == []


def changed(row):
    """The first number after the name, plus one."""
    return re.sub(r"^(\s*[\w() :]+?\s+)(0x)?([0-9a-f]+)\b", lambda match: (
        match[1] + (f"0x{int(match[3], 16) + 1:0{len(match[3])}x}"
                    if match[2] else str(int(match[3], 10) + 1))
        if match[2] or match[3].isdigit() else match[0]), row, count=1)


@pytest.mark.parametrize("name", NAMES)
def test_a_number_that_was_changed(name):
    assert damages(
        name, lambda rows, at: rows[:at] + [changed(rows[at])]
        + rows[at + 1:], SINGLE.match) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_digit_that_is_missing(name):
    assert damages(
        name, lambda rows, at: rows[:at]
        + [re.sub(r"(0x[0-9a-f]+)[0-9a-f]\b", r"\1", rows[at], count=1)]
        + rows[at + 1:], SINGLE.match) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_text_that_ends_early(name):
    """Whole before its status; what came of it before is refused."""
    rows = rows_of(name)
    end = next(at for at, row in enumerate(rows) if row.startswith(AFTER))
    for at in range(3, end - 1):
        # the last thing in a configuration may be an explanation
        if outcome(joined(rows[:at]), name) != "refused":
            assert all(EXPLAINS.match(row.strip()) for row in rows[at:end]), \
                rows[at:end]


@pytest.mark.parametrize("name, other", [
    ("modem", "keyboard"), ("keyboard", "modem"), ("disk", "modem"),
    ("modem", "disk")])
def test_a_part_of_another_device(name, other):
    """Each interface of another device, at the end of this one."""
    rows, strange = rows_of(name), rows_of(other)
    begins = [at for at, row in enumerate(strange)
              if row.strip() == "Interface Descriptor:"]
    ends = [*begins[1:], next(at for at, row in enumerate(strange)
                              if row.startswith(AFTER))]
    place = max(at for at, row in enumerate(rows)
                if row.strip() == "Interface Descriptor:")
    for begin, end in zip(begins, ends):
        mixed = rows[:place] + strange[begin:end] + rows[place:]
        assert outcome(joined(mixed), name) == "refused"


def test_the_head_of_another_device():
    text = examples.text("modem").replace("ID 1209:2001", "ID 1209:2002")
    assert outcome(text, "modem") == "refused"


@pytest.mark.parametrize("old, new", [
    ("EP 2 IN", "EP 2 OUT"), ("EP 2 IN", "EP 3 IN"),
    ("Transfer Type            Bulk", "Transfer Type            Isochronous"),
    ("1x 8 bytes", "1x 16 bytes"), ("1x 8 bytes", "2x 8 bytes"),
    ("Self Powered", "(Bus Powered)"),
    ("bInterfaceClass        10 CDC Data", "bInterfaceClass        10 Audio"),
    ("bDescriptorType        33", "bDescriptorType        34"),
    ("0x0064", "0x064"), ("0x0064", "100mA"), ("MaxPower              100mA",
                                               "MaxPower              101mA"),
    ("bNumInterfaces          3", "bNumInterfaces          2"),
    ("bNumConfigurations      1", "bNumConfigurations      2"),
    ("CDC ACM:", "CDC Union:"), ("CDC ACM:", "CDC Header:"),
    ("bSlaveInterface         1", "bSlaveInterface         1 2"),
    ("bLength                 9", "bLength                 8"),
    ("bDescriptorType        11", "bDescriptorType         4"),
    ("bNumEndpoints           2", "bNumEndpoints         two"),
    ("bMaxPacketSize0        64", "bMaxPacketSize0       640"),
    ("bcdUSB               2.00", "bcdUSB                200"),
])
def test_what_does_not_agree_is_refused(old, new):
    text = examples.text("modem")
    assert old in text
    assert outcome(text.replace(old, new, 1), "modem") == "refused"


@pytest.mark.parametrize("old, new", [
    ("length is 63", "length is 62"), ("[ 0xe0 ] 224", "[ 0xe0 ] 225"),
    ("Item(Global): Report ID", "Item(Main  ): Report ID"),
    ("Item(Global): Usage Page", "Item(Global): (null)"),
    ("            Item(Local ): Usage, data= [ 0x06 ] 6\n", "")])
def test_a_report_that_does_not_add_up_is_marked(old, new):
    text = examples.text("keyboard")
    found = examples.read(text.replace(old, new, 1))
    same = found.reports[0] == examples.read(text).reports[0]
    assert same if old not in text else found.grade("reports") > 0
