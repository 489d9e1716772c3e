# SPDX-License-Identifier: GPL-2.0-or-later
"""lsusb -v of sound devices, in all the ways in which mail brings it."""

import re

import pytest

import examples
from usblab.commands.show import sysfs_bytes
from usblab.errors import Problem
from usblab.model import Grade

NAMES = tuple(examples.BYTES)


def same(found, name):
    assert sysfs_bytes(found).hex() == examples.BYTES[name].hex()


@pytest.mark.parametrize("name, grade", [
    ("modem", Grade.INFERRED), ("disk", Grade.INFERRED),
    ("keyboard", Grade.WHOLE)])
def test_a_text_gives_the_bytes_and_says_how_well(name, grade):
    found = examples.read(examples.text(name))
    same(found, name)
    assert found.grade() == grade


def test_what_is_beside_the_configuration_is_read_too():
    disk = examples.read(examples.text("disk"))
    assert disk.descriptors[15, 0].hex() == \
        "050f1600020710020200 00000a100300 0e00010a0002".replace(" ", "")
    assert disk.string(2) == "Fast Disk"
    modem = examples.read(examples.text("modem"))
    assert modem.descriptors[6, 0].hex() == "0a060002ef0201400100"
    keyboard = examples.read(examples.text("keyboard"))
    assert keyboard.grade("reports") == Grade.WHOLE
    assert len(keyboard.reports[0]) == 63


def test_a_report_that_is_not_there_is_guessed_with_its_length():
    found = examples.read(examples.text("modem"))
    assert len(found.reports[2]) == 23
    assert found.grade("reports") == Grade.GUESSED


def test_strings_that_are_not_there_are_said_to_be_missing():
    text = examples.text("modem").replace("0123456789", "(error)")
    found = examples.read(text)
    assert found.grade("strings") == Grade.MISSING
    assert found.string(3) == "?"


@pytest.mark.parametrize("name, speed", [
    ("modem", "full"), ("disk", "super"), ("keyboard", "low")])
def test_the_speed_follows_from_the_descriptors(name, speed):
    assert examples.read(examples.text(name)).speed == speed


def test_the_speed_that_lsusb_prints_goes_before():
    text = examples.text("modem").replace(
        "Device Descriptor:", "Negotiated speed: High Speed (480Mbps)\n"
        "Device Descriptor:", 1)
    assert examples.read(text).speed == "high"


def unindented(text):
    return "\n".join(" ".join(row.split()) for row in text.split("\n"))


def one_row_for_several(text):
    """A mail program took the line ends of a paragraph away."""
    return re.sub(r"\n +(?=b|w|id|i[A-Z]|Max)", " ", text)


def wrapped(text, width=60):
    rows = []
    for row in text.split("\n"):
        while len(row) > width and " " in row[:width].strip():
            at = row.rindex(" ", 0, width)
            rows.append(row[:at])
            row = row[at + 1:]
        rows.append(row)
    return "\n".join(rows)


def cut_by_messages(text):
    """lsusb's standard error and output in one file, every 500 bytes."""
    message = "can't get debug descriptor: Resource temporarily unavailable\n"
    return message.join(text[at:at + 500] for at in range(0, len(text), 500))


MANGLED = {
    "quoted": lambda text: re.sub("^", "> ", text, flags=re.M),
    "quoted twice": lambda text: re.sub("^", "> >> ", text, flags=re.M),
    "quoted without blanks": lambda text: re.sub("^", ">", text, flags=re.M),
    "no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "tabs": lambda text: text.replace("        ", "\t"),
    "line ends of DOS": lambda text: text.replace("\n", "\r\n"),
    "without indentation": unindented,
    "lines in one": one_row_for_several,
    "an empty line after each": lambda text: text.replace("\n", "\n\n"),
    "kernel log": lambda text: re.sub("^", "[   12.345678] ", text,
                                      flags=re.M),
    "zero-width characters": lambda text: text.replace(
        "bLength", "\u200bbLength\ufeff"),
    "wrapped": wrapped,
    "messages of standard error": cut_by_messages,
    "remarks between the lines": lambda text: text.replace(
        "  Configuration Desc", "\nI wonder about this.\n\n  Configuration "
        "Desc"),
}


@pytest.mark.parametrize("how", MANGLED)
@pytest.mark.parametrize("name", NAMES)
def test_the_bytes_survive(name, how):
    same(examples.read(MANGLED[how](examples.text(name))), name)


def test_what_is_beyond_a_short_descriptor_is_left_out():
    """A HID descriptor of 9 bytes that says there are two."""
    text = examples.text("keyboard").replace(
        "        HID Device Descriptor",
        "      Warning: Descriptor too short\n        HID Device Descriptor"
    ).replace("bNumDescriptors         1", "bNumDescriptors         2")
    text = re.sub(r"( +wDescriptorLength      63\n)",
                  r"\1          bDescriptorType         7 (null)\n"
                  r"          wDescriptorLength   33029\n", text)
    wanted = examples.KEYBOARD.replace(bytes.fromhex("092111010001"),
                                       bytes.fromhex("092111010002"))
    assert sysfs_bytes(examples.read(text)) == wanted


def test_hints_say_what_to_ask_for():
    with pytest.raises(Problem) as caught:
        examples.read(examples.text("modem").replace("0x0064", "0x0065"))
    assert caught.value.line == 20
    assert "1 are not in the text" in str(caught.value)
    assert any("xxd -p" in hint for hint in caught.value.hints)
    assert any("rdesc" in hint for hint in caught.value.hints)


def test_as_printed_builds_what_does_not_add_up():
    found = examples.read(
        examples.text("modem").replace("0x0064", "0x0065"), as_printed=True)
    assert found.configurations()[0][2:4] == b"\x65\0"
    assert len(found.configurations()[0]) == 100
    assert found.grade() == Grade.MISSING
