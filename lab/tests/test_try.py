# SPDX-License-Identifier: GPL-2.0-or-later
"""usb-lab try, as far as it needs no QEMU; the rest is a guest test."""

import json
import re
import shlex

import pytest

from usblab import peer, trial
from usblab.cli import build_parser
from usblab.commands import try_
from usblab.expect import Expect, Seen
from usblab.kernels import kernel
from usblab.trial import Outcome, Result

from conftest import LAB

DEVICE = "12010002000000400912010000010000000 1".replace(" ", "")
CONFIGURATION = "09021200010100803209040000" "00ff000000"
TEXT = f"--- descriptors\n{DEVICE}{CONFIGURATION}\n"
GET_DEVICE, GET_QUALIFIER = "8006000100004000", "8006000600000a00"


@pytest.fixture(name="device")
def device_file(tmp_path):
    path = tmp_path / "wheel.usbdev"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("arguments, complaint", [
    (["-k", "/nowhere/bzImage"], "no kernel at /nowhere/bzImage"),
    (["-k", "debian"], "no kernel at debian"),
    (["-c", "ehci2"], "invalid choice"),
    (["--fault", "bulk: stal"], "did you mean stall?"), (["--log", "("], "no regular")])
def test_bad_input_is_one_line_and_status_2(usb_lab, device, arguments,
                                            complaint):
    done = usb_lab("try", device, *arguments)
    assert done.returncode == 2 and complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_device_that_is_not_there_is_one_line(usb_lab, tmp_path):
    done = usb_lab("try", tmp_path / "gone.usbdev", "-k", "/dev/null")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_the_kernel_for_another_processor_is_one_line(usb_lab, device,
                                                      tmp_path):
    (tmp_path / "Image").write_bytes(bytes(56) + b"ARM\x64" + bytes(1000))
    done = usb_lab("try", device, "-k", tmp_path / "Image")
    assert done.returncode == 2
    assert "is a kernel for ARM64" in done.stderr


def test_expectations_of_the_file_and_of_the_command_line_add_up(tmp_path):
    path = tmp_path / "wheel.usbdev"
    path.write_text('[expect]\ndriver = "usbhid"\n' + TEXT)
    options = parse(str(path), "--forbid", "-22")
    found = try_.make_setting(options, "uhci")
    assert (found.expect.driver, found.expect.forbid) == (["usbhid"], ["-22"])
    assert found.controller == "uhci"


def test_a_rule_in_the_file_that_is_none_is_one_line(usb_lab, tmp_path):
    path = tmp_path / "wheel.usbdev"
    path.write_text('faults = ["bulk in: stal"]\n' + TEXT)
    done = usb_lab("try", path, "-k", "/dev/null")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "did you mean stall?" in done.stderr


def test_the_commands_of_the_page_are_understood():
    page = (LAB.parent / "docs/lab-try.md").read_text()
    blocks = re.findall(r"^```sh\nlab/usb-lab (.*?)^```", page, re.M | re.S)
    lines = "lab/usb-lab ".join(blocks).replace("\\\n", " ").splitlines()
    assert len(lines) == 7
    for line in lines:
        build_parser().parse_args(
            shlex.split(line.replace("lab/usb-lab ", "")))


def parse(*arguments):
    return build_parser().parse_args(["try", *arguments])


@pytest.mark.parametrize("results, status", [
    ([Result.GOOD], 0), ([Result.GOOD, Result.BAD], 1),
    ([Result.SKIPPED], 125), ([Result.SKIPPED, Result.GOOD], 125),
    ([Result.SKIPPED, Result.BAD], 1)])
def test_the_exit_status_is_what_git_bisect_wants(results, status):
    assert trial.status([Outcome("k", "xhci", one)
                         for one in results]) == status


def system(tmp_path, builtin):
    root = tmp_path / "modules"
    root.mkdir()
    (root / "modules.builtin").write_text(builtin)
    return kernel.Kernel("k", "6.9", tmp_path, root, None, tmp_path)


@pytest.mark.parametrize("driver, reason", [
    ("usbhid", "no driver usbhid: CONFIG_USB_HID is not set"),
    ("odd", "no driver odd: no such module"), ("hid-generic", "")])
def test_a_driver_that_is_not_configured_is_a_skip(tmp_path, driver, reason):
    found = system(tmp_path, "kernel/drivers/hid/hid-generic.ko\n")
    assert reason in (trial.lacks(found, Expect(driver=[driver])) or "")


def test_where_nobody_knows_the_modules_nothing_is_skipped(tmp_path):
    found = kernel.Kernel("k", "6.9", tmp_path, None, None, tmp_path)
    assert trial.lacks(found, Expect(driver=["usbhid"])) is None


def unanswered(tmp_path, log, *records):
    made = object.__new__(peer.Peer)
    made.log, made.transcript = tmp_path / "log", tmp_path / "transcript"
    made.log.write_text(log)
    made.transcript.write_text("".join(
        json.dumps(record) + "\n" for record in records) + '{"half')
    return made.unanswered()


def test_what_was_asked_in_vain_is_told(tmp_path):
    asked = {"endpoint": 0, "length": 10}
    found = unanswered(
        tmp_path, "usb-lab: nobody answered 2 x class request 0x01\n",
        {"submit": 1, "setup": GET_DEVICE, **asked},
        {"answer": 1, "status": "OK", "length": 18},
        {"submit": 2, "setup": GET_QUALIFIER, **asked},
        {"answer": 2, "status": "CANCELLED", "length": 0},
        {"submit": 3, "setup": GET_QUALIFIER, **asked})
    assert found[0] == "2 x class request 0x01"
    assert found[1].startswith("2 x standard request GET_DESCRIPTOR")
    assert found[1].endswith("no answer at all") and len(found) == 2


def test_a_fault_that_is_done_again_and_again_is_one_line(tmp_path):
    made = object.__new__(peer.Peer)
    made.log = tmp_path / "log"
    made.log.write_text("x: faults: seed 1\n" + "x: fault 1: ioerror\n" * 32
                        + "x: plugged in\n")
    assert made.faults() == ["faults: seed 1",
                             "fault 1: ioerror (32 times)"]


def test_a_table_has_a_row_for_each_kernel(capsys):
    bound = Seen(drivers={"1-1:1.0": "usbhid hid-generic"})
    try_.print_table([
        Outcome("6.12.57", "xhci", Result.BAD, ["can't add: -22"]),
        Outcome("6.12.69", "xhci", Result.GOOD, [], bound)])
    rows = capsys.readouterr().out.splitlines()
    assert rows[-2].split(None, 3) == ["6.12.57", "xhci", "BAD",
                                       "-                   can't add: -22"]
    assert rows[-1].split() == ["6.12.69", "xhci", "good", "hid-generic",
                                "usbhid"]
