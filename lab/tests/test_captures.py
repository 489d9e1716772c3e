# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures as evidence: all link types, usbmon's text, what is cut off."""

import pytest
from usbremote.setup import Setup
from usbremote import testing
from usbremote._proto import Status

import captures
import examples
from usblab import capture, describe, sdk
from usblab.devicefile import parse, read
from usblab.errors import Problem
from usblab.formats import enumeration
from usblab.model import Grade


def imported(usb_lab, data, *options):
    run = usb_lab("import", "-", "-o", "x.usbdev", *options, text=data)
    assert run.returncode == 0, run.stderr
    return describe.load("x.usbdev"), run


@pytest.mark.parametrize("form", captures.FILES)
def test_a_capture_of_a_plugging_in_is_a_device(usb_lab, form):
    found, run = imported(usb_lab, captures.FILES[form])
    assert found.device + found.configurations()[0] == examples.KEYBOARD
    assert found.string(2) == "Boards"
    assert found.reports == {0: captures.REPORT}
    assert {answer.setup: answer.data for answer in found.answers} == {
        captures.SET_IDLE: None, captures.VENDOR: b"\1\2\3\4"}
    assert "descriptors whole" in run.stdout


def test_the_device_answers_as_it_was_recorded(usb_lab):
    imported(usb_lab, captures.FILES["pcap 220"])
    bench = testing.Bench(lambda: sdk.device_class(read("x.usbdev"))())
    bench.plug_in()
    found = bench.control(Setup.decode(captures.VENDOR))
    assert (found.status, found.data) == (Status.OK, b"\1\2\3\4")
    # another length is the same request
    shorter = Setup.decode(captures.VENDOR[:6] + b"\2\0")
    assert bench.control(shorter).data == b"\1\2"
    assert bench.control(Setup.decode(captures.SET_IDLE)).status == \
        Status.STALL


@pytest.mark.parametrize("form", ["pcap 220", "pcapng 220", "pcap 249"])
def test_a_truncated_capture_is_one_clear_line(usb_lab, form):
    data = captures.FILES[form]
    for size in (len(data) - 1, len(data) - 30, 30):
        run = usb_lab("import", "-", text=data[:size])
        assert run.returncode == 2
        assert len(run.stderr.splitlines()) == 1
        assert "truncated" in run.stderr or "header" in run.stderr


def test_another_link_type_is_named(usb_lab):
    run = usb_lab("import", "-", text=captures.pcap(1, [bytes(60)]))
    assert run.returncode == 2
    assert "link type 1 is none of USB's" in run.stderr


def test_a_capture_that_began_too_late(usb_lab):
    packets = captures.usb_linux(220)[-2:]
    run = usb_lab("import", "-", text=captures.pcap(220, packets))
    assert run.returncode == 2
    assert "began after the device was plugged in" in run.stderr


def test_such_a_capture_adds_to_a_device(usb_lab, tmp_path):
    (tmp_path / "late.pcap").write_bytes(captures.pcap(
        220, captures.usb_linux(220)[-2:]))
    found, _ = imported(usb_lab, examples.KEYBOARD.hex() + "\n",
                        "--capture", "late.pcap")
    assert found.answers[0].data == b"\1\2\3\4"
    assert read("x.usbdev").capture == "late.pcap"


def test_the_text_of_usbmon_lacks_bytes_and_that_is_said(usb_lab):
    found, run = imported(usb_lab, captures.usbmon())
    assert "2 of 34 bytes are not in the recording" in run.stdout
    assert "descriptors missing" in run.stdout
    assert len(found.configurations()[0]) == 32


def test_what_went_to_address_0_belongs_to_the_device():
    early = captures.usb_linux(220)[:2]
    set_address = bytes.fromhex("0005070000000000")
    talk, captures.TALK = captures.TALK, [(set_address, b"")]
    try:
        early += captures.usb_linux(220)
    finally:
        captures.TALK = talk
    early = [packet[:11] + b"\0" + packet[12:] for packet in early]
    data = captures.pcap(220, early + captures.usb_linux(220)[2:])
    devices = {transfer.device for transfer in capture.transfers(data)}
    assert devices == {0, captures.DEVICE}
    assert list(enumeration.by_device(capture.transfers(data))) == [
        (captures.BUS, captures.DEVICE)]


@pytest.mark.parametrize("line", ["80 06 0100 0000 12 = 12",
                                  "80 06 0100 0000 0012 = zz",
                                  "80 06 0100 0000 0012"])
def test_a_wrong_line_of_a_control_part_is_named(line):
    with pytest.raises(Problem, match="line 2"):
        describe.describe(parse(f"--- control\n{line}\n"))


def control(count, *configurations):
    """A control part: the device descriptor, and these configurations."""
    device = examples.KEYBOARD[:17] + bytes((count,))
    rows = [f"80 06 0100 0000 0012 = {device.hex(' ')}\n"] + [
        f"80 06 02{index:02x} 0000 00ff = {examples.KEYBOARD[18:].hex(' ')}\n"
        for index in configurations]
    return "--- control\n" + "".join(rows)


@pytest.mark.parametrize("text, absent", [
    (control(1), "index 0"), (control(2, 0), "index 1"),
    (control(4, 1), "index 0, 2, 3")])
def test_a_configuration_that_was_never_read_is_missing(text, absent):
    found = describe.describe(parse(text))
    notes = [note.text for note in found.notes
             if note.grade == Grade.MISSING and note.area == "descriptors"]
    assert len(notes) == 1
    assert absent in notes[0].split(";")[0]
    assert "--capture" in notes[0]
    assert found.grade() == Grade.MISSING


def test_a_configuration_may_be_in_another_part():
    text = f"{control(1)}--- descriptors\n{examples.KEYBOARD.hex()}\n"
    assert describe.describe(parse(text)).grade() == Grade.WHOLE


def test_without_a_capture_there_is_no_word_of_it():
    text = f"--- descriptors\n{examples.KEYBOARD[:18].hex()}\n"
    notes = [note.text for note in describe.describe(parse(text)).notes]
    assert "the configuration descriptor of index 0" in notes
