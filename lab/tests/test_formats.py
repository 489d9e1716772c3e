# SPDX-License-Identifier: GPL-2.0-or-later
"""The other forms of evidence: umockdev, HID report descriptors in hex."""

import pytest

import examples
import judge

REPORT = examples.read(examples.text("keyboard")).reports[0]
UMOCKDEV = judge.umockdev([examples.KEYBOARD, examples.MODEM]).replace(
    "A: busnum=1\n", "A: busnum=1\\n\nA: manufacturer=Maker\n"
    "A: product=Thing\n").replace("speed=480", "speed=12\\n")


def imported(usb_lab, text, *options):
    run = usb_lab("import", "-", "-o", "x.usbdev", *options, text=text)
    assert run.returncode == 0, run.stderr
    return run


def shown(usb_lab):
    return bytes.fromhex(usb_lab("show", "--hex", "x.usbdev").stdout)


def test_a_device_of_a_umockdev_record(usb_lab):
    run = imported(usb_lab, UMOCKDEV, "-d", "1209:0930")
    assert shown(usb_lab) == examples.KEYBOARD
    assert run.stdout.startswith("1209:0930 Maker Thing: full speed")


def test_a_record_has_the_bytes_in_the_device_node_too(usb_lab):
    text = judge.umockdev([examples.DISK])
    node = "N: bus/usb/001/001"
    text = text.replace("H: descriptors", "H: others").replace(
        f"{node}\n", f"{node}={examples.DISK.hex()}\n")
    imported(usb_lab, text)
    assert shown(usb_lab) == examples.DISK


def test_report_descriptors_of_a_record_go_with_the_device(usb_lab):
    text = judge.umockdev([examples.KEYBOARD]) + (
        "P: /devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/0003:1209:0930."
        f"0001\nE: SUBSYSTEM=hid\nH: report_descriptor={REPORT.hex()}\n")
    run = imported(usb_lab, text)
    assert "the report descriptor of interface 0, 63 bytes" in run.stdout


RDESC = (f"/sys/kernel/debug/hid/0003:1209:0930.0004/rdesc\n{REPORT.hex(' ')}"
         "\n\n  INPUT(1)[INPUT]\n")
DUMP = f"001:005:000:DESCRIPTOR         1700000000.123456\n" + "".join(
    f" {REPORT[at:at + 16].hex(' ').upper()}\n"
    for at in range(0, len(REPORT), 16)) + "\n"
RECORDED = (f"D: 0\nR: {len(REPORT)} {REPORT.hex(' ')}\nN: Office Keyboard\n"
            "P: usb-0000:00:14.0-1/input0\nI: 3 1209 0930\n")


@pytest.mark.parametrize("report", [RDESC, DUMP, RECORDED],
                         ids=["rdesc", "usbhid-dump", "hid-recorder"])
def test_a_report_in_the_same_mail_goes_with_the_device(usb_lab, report):
    run = imported(usb_lab, f"{examples.KEYBOARD.hex()}\n\n{report}")
    assert run.stdout.startswith("1209:0930: low speed")
    assert "the report descriptor of interface 0, 63 bytes" in run.stdout
    assert "--- hid-report 0\n" in usb_lab(
        "import", "-", "-o", "-", text=f"{examples.KEYBOARD.hex()}\n\n"
        f"{report}").stdout


def test_a_report_in_hex_takes_the_place_of_a_guess(usb_lab):
    text = examples.text("keyboard")
    begin, end = text.index("          Report Descr"), text.index(
        "      Endpoint Descriptor")
    run = imported(usb_lab, text[:begin] + text[end:] + "\n" + RDESC)
    assert "reports" not in run.stdout.splitlines()[0]


@pytest.mark.parametrize("report", [RDESC, RECORDED],
                         ids=["rdesc", "hid-recorder"])
def test_around_a_report_alone_a_device_is_made_up(usb_lab, report):
    run = imported(usb_lab, report)
    assert "1209:0930" in run.stdout
    assert "descriptors guessed" in run.stdout
    assert shown(usb_lab)[8:12].hex() == "09123009"
    assert shown(usb_lab)[18 + 25:18 + 27] == b"\x3f\0"


def test_a_report_with_bytes_missing_is_refused(usb_lab):
    run = usb_lab("import", "-", text=RECORDED.replace("R: 63", "R: 64"))
    assert run.returncode == 2
    assert "R: says 64 bytes, 63 follow" in run.stderr


def test_two_devices_in_one_run_of_bytes_are_refused(usb_lab):
    run = usb_lab("import", "-", text=(examples.MODEM
                                       + examples.DISK).hex() + "\n")
    assert run.returncode == 2
    assert "a second device descriptor" in run.stderr
