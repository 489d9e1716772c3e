# SPDX-License-Identifier: GPL-2.0-or-later
"""The other forms of evidence: umockdev, HID report descriptors in hex."""

import base64
import hashlib
import json

import pytest

import examples
import judge
from usblab import describe
from usblab.devicefile import DeviceFile, Part

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


def test_around_a_report_without_ids_a_device_of_the_given_ids_is_made(
        usb_lab):
    run = imported(usb_lab, DUMP, "--device", "1209:0930")
    assert run.stdout.startswith("1209:0930: full speed")
    assert shown(usb_lab)[8:12].hex() == "09123009"
    assert "the report descriptor of interface 0, 63 bytes" in run.stdout


@pytest.mark.parametrize("options", [(), ("-d", "1"), ("--all",)])
def test_for_a_report_without_ids_the_option_that_gives_them_is_named(
        usb_lab, options):
    run = usb_lab("import", "-", *options, text=DUMP)
    assert run.returncode == 2
    assert "--device VENDOR:PRODUCT" in run.stderr


def test_ids_that_are_given_do_not_go_to_reports_of_other_devices(usb_lab):
    text = f"{examples.KEYBOARD.hex()}\n\n{DUMP}"
    run = usb_lab("import", "-", "-d", "1209:2222", text=text)
    assert run.returncode == 2
    assert '"1209:2222" is 0 of these' in run.stderr


def test_a_report_with_bytes_missing_is_refused(usb_lab):
    run = usb_lab("import", "-", text=RECORDED.replace("R: 63", "R: 64"))
    assert run.returncode == 2
    assert "R: says 64 bytes, 63 follow" in run.stderr


def test_two_devices_in_one_run_of_bytes_are_refused(usb_lab):
    run = usb_lab("import", "-", text=(examples.MODEM
                                       + examples.DISK).hex() + "\n")
    assert run.returncode == 2
    assert "a second device descriptor" in run.stderr


# /sys/kernel/debug/usb/devices, and the same of the script usb-devices

DEVICES = """
T:  Bus=01 Lev=01 Prnt=01 Port=02 Cnt=01 Dev#=  7 Spd=480  MxCh= 0
D:  Ver= 2.00 Cls=00(>ifc ) Sub=00 Prot=00 MxPS=64 #Cfgs=  1
P:  Vendor=1209 ProdID=2002 Rev= 2.01
S:  Manufacturer=Example Works
S:  Product=Two things
C:* #Ifs= 2 Cfg#= 1 Atr=e0 MxPwr=100mA
I:* If#= 0 Alt= 0 #EPs= 2 Cls=08(stor.) Sub=06 Prot=50 Driver=usb-storage
E:  Ad=81(I) Atr=02(Bulk) MxPS= 512 Ivl=0ms
E:  Ad=02(O) Atr=02(Bulk) MxPS= 512 Ivl=125us
I:* If#= 1 Alt= 0 #EPs= 1 Cls=03(HID  ) Sub=01 Prot=01 Driver=usbhid
E:  Ad=83(I) Atr=03(Int.) MxPS=   8 Ivl=4ms

T:  Bus=01 Lev=01 Prnt=01 Port=03 Cnt=02 Dev#=  8 Spd=1.5  MxCh= 0
D:  Ver= 1.10 Cls=00(>ifc ) Sub=00 Prot=00 MxPS= 8 #Cfgs=  1
P:  Vendor=1209 ProdID=0930 Rev=01.01
C:  #Ifs= 1 Cfg#= 1 Atr=a0 MxPwr=100mA
I:  If#= 0 Alt= 0 #EPs= 1 Cls=03(HID  ) Sub=01 Prot=02 Driver=(none)
E:  Ad=81(I) Atr=03(Int.) MxPS=   8 Ivl=10ms
"""


def test_the_skeleton_of_a_device_in_usb_devices(usb_lab):
    run = imported(usb_lab, f"Hello,\n{DEVICES}\nBye.\n", "-d", "1209:2002")
    assert run.stdout.startswith("1209:2002 Example Works Two things: high")
    assert "descriptors guessed" in run.stdout
    assert shown(usb_lab).hex() == (
        "120100020000004009120220010201020001" "09023900020100e032"
        "090400000208065000" "07058102000200" "07050202000201"
        "090401000103010100" "092111010001224000" "07058303080006")


def test_low_speed_and_the_script_usb_devices(usb_lab):
    hexadecimal = DEVICES.replace("If#= ", "If#=0x")
    run = imported(usb_lab, hexadecimal, "-d", "1209:0930")
    assert "low speed" in run.stdout
    assert shown(usb_lab)[-7:].hex() == "0705810308000a"


@pytest.mark.parametrize("old, new", [
    ("P:  Vendor=1209 ProdID=0930", "P:  Vendor=1209 Prod=0930"),
    ("Cfg#= 1 Atr=a0", "Atr=a0"), ("Sub=01 Prot=02", "Sub=01")])
def test_a_row_without_a_value_is_refused(usb_lab, old, new):
    run = usb_lab("import", "-", text=DEVICES.replace(old, new).split(
        "\n\n")[1] + "\n")
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1


@pytest.mark.parametrize("old, new, gap", [
    ("#EPs= 1", "#EPs= 2", "interface 1, alternate setting 0: 1 of 2"),
    ("E:  Ad=02(O) Atr=02(Bulk) MxPS= 512 Ivl=125us\n", "",
     "interface 0, alternate setting 0: 1 of 2"),
    ("If#= 1 Alt= 0", "If#= 1 Alt= 3", "alternate setting 0 of interface 1")])
def test_rows_that_are_not_in_the_text_are_named(usb_lab, old, new, gap):
    run = imported(usb_lab, DEVICES.split("\n\n")[0].replace(old, new) + "\n")
    assert [row for row in run.stdout.splitlines() if "missing: " in row
            and gap in row]
    assert "descriptors missing" in run.stdout.splitlines()[0]


# recordings of fwupd

def base64_of(data):
    return base64.b64encode(data).decode()


def hashed(name):
    return "#" + hashlib.sha1(name.encode()).hexdigest()[:8]


def recording(events, **more):
    return json.dumps({"UsbDevices": [{
        "PlatformId": "1-1", "IdVendor": 0x1209, "IdProduct": 0x0930,
        "USB": 0x110, "Product": 2, "UsbEvents": events, **more}]}, indent=1)


GET_REPORT = ("ControlTransfer:Direction=0x00,RequestType=0x01,Recipient="
              "0x01,Request=0x01,Value=0x0100,Idx=0x0000,Data=AAA=,"
              "Length=0x2")
STRING_2 = "GetStringDescriptor:DescIndex=0x02"
LOAD = "LoadDescriptor:basename=descriptors"


@pytest.mark.parametrize("name", [str, hashed], ids=["names", "hashes"])
def test_a_recording_of_fwupd(usb_lab, name):
    imported(usb_lab, recording([
        {"Id": name(LOAD), "Data": base64_of(examples.KEYBOARD)},
        {"Id": name(STRING_2), "Data": base64_of(b"Thing\0\0\0")},
        {"Id": GET_REPORT, "Data": base64_of(b"\1\2")}],
        UsbHidDescriptors=[base64_of(REPORT)]))
    found = describe.load("x.usbdev")
    assert shown(usb_lab) == examples.KEYBOARD
    assert found.string(2) == "Thing"
    assert found.reports == {0: REPORT}
    assert found.answer_to(bytes.fromhex("a101000100000200")).data == b"\1\2"


def test_of_an_older_recording_the_interfaces_are_put_together(usb_lab):
    run = imported(usb_lab, recording([{"Id": "#12345678"}], UsbInterfaces=[{
        "InterfaceClass": 3, "UsbEndpoints": [{
            "EndpointAddress": 129, "Interval": 10, "MaxPacketSize": 8}]}],
        UsbHidDescriptors=[base64_of(REPORT)]))
    assert "descriptors guessed" in run.stdout
    assert "1 events have only a hash" in run.stdout
    assert shown(usb_lab)[18:].hex() == (
        "0902220001010" "08032" "090400000103000000" "092111010001223f00"
        "0705810308000a")


@pytest.mark.parametrize("text", ['{"UsbDevices": [', '{"UsbDevices": 3}',
                                  '{"UsbDevices": [{"IdVendor": "x"}, 7]}'])
def test_other_json_is_no_device_or_one_line(usb_lab, text):
    run = usb_lab("import", "-", text=text)
    assert run.returncode in (0, 2)
    assert "Traceback" not in run.stderr


def test_what_the_two_commands_print_is_read(usb_lab):
    """Those that a refusal asks the reporter for; two devices."""
    rows = "\n".join(examples.KEYBOARD.hex()[at:at + 60]
                     for at in range(0, len(examples.KEYBOARD.hex()), 60))
    others = "\n".join(examples.DISK.hex()[at:at + 60]
                       for at in range(0, len(examples.DISK.hex()), 60))
    folder = "/sys/bus/usb/devices"
    text = f"""> {folder}/1-1/idVendor:1209
> {folder}/1-1/idProduct:0930
{folder}/1-1/descriptors
{rows}
{folder}/2-1/descriptors
{others}
/sys/kernel/debug/hid/0003:1209:0930.0004/rdesc
{REPORT.hex(" ")}
"""
    run = imported(usb_lab, text, "-d", "1209:0930")
    assert shown(usb_lab) == examples.KEYBOARD
    assert "the report descriptor of interface 0, 63 bytes" in run.stdout
    imported(usb_lab, text, "-d", "1209:0920")
    assert shown(usb_lab) == examples.DISK


def device_of(endpoint, class_=0, protocol=0, version=0x0200):
    """A device in hex with one endpoint: bmAttributes, wMaxPacketSize."""
    kind, size = endpoint
    body = bytes((9, 4, 0, 0, 1, 0xff, 0, 0, 0, 7, 5, 0x81, kind)) + \
        size.to_bytes(2, "little") + b"\x01"
    head = b"\x12\x01" + version.to_bytes(2, "little") + bytes(
        (class_, 0, protocol, 64)) + bytes.fromhex("09121020000100000001")
    configuration = bytes((9, 2, 9 + len(body), 0, 1, 1, 0, 0x80, 50)) + body
    return describe.describe(DeviceFile(parts=[
        Part("descriptors", "", (head + configuration).hex(), 1)]))


@pytest.mark.parametrize("speed, endpoint, more", [
    ("high", (1, 0x1400), {}), ("high", (1, 0x0b00), {}),
    ("high", (1, 1024), {}), ("full", (1, 1023), {}),
    ("high", (3, 1), {"class_": 9, "protocol": 1}),
    ("high", (3, 1), {"class_": 9, "protocol": 2}),
    ("full", (3, 1), {"class_": 9, "protocol": 0}),
    ("full", (3, 1), {"class_": 9, "protocol": 1, "version": 0x0110}),
    ("full", (3, 1), {"protocol": 1})])
def test_sizes_and_hubs_of_high_speed_only_give_the_speed(speed, endpoint,
                                                          more):
    assert device_of(endpoint, **more).speed == speed
