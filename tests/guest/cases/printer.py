# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest prints with its usblp is printer.py's file."""

import hashlib
import signal

from usblab.guest.waiting import wait_until

from guestlab.example import node, plug
from guestlab.places import Failure
from guestlab.registry import case

JOB = 100000                    # bytes
LIMIT = 60                      # seconds, for it to pass
DEVICE = "/dev/usb/lp*"
MODEL = "Test 1284"
DEVICE_ID = f"MFG:usb-remote;MDL:{MODEL};CMD:ESC/P;CLS:PRINTER;"

SOFT_RESET = 0x5007             # LPIOC_SOFT_RESET of the driver
LPGETSTATUS = 0x060b            # linux/lp.h, and its bits
SELECTED_NO_ERROR, NO_PAPER = 0x18, 0x20


@case("a printer on UHCI: the guest's job arrives byte for byte")
def on_uhci(lab):
    prints(lab, "uhci")


@case("a printer on xHCI: the guest's job arrives byte for byte")
def on_xhci(lab):
    prints(lab, "xhci")


def prints(lab, bus):
    """A job of any bytes, the device id, and an end of the paper."""
    lab.vm.agent.run("load usblp")
    output = lab.folder / "job"
    printer, name = plug(lab, bus, "printer", "--output", str(output),
                         "--model", MODEL, "--commands", "ESC/P",
                         "--pause", "3600")
    path = node(lab, DEVICE)
    seen = lab.vm.agent.run(
        f"cat /sys/bus/usb/devices/{name}:1.0/ieee1284_id")
    if seen != DEVICE_ID:
        raise Failure(f"the guest reads the device id {seen}")
    check_job(lab, printer, path, output)
    check_paper(lab, printer, path)
    check_next(lab, printer, path, output)


def check_job(lab, printer, path, output):
    """The two ends must have the same bytes."""
    digest = lab.vm.agent.run(
        f"head -c {JOB} /dev/urandom > /tmp/job; cat /tmp/job > {path}; "
        "sha256sum < /tmp/job; rm /tmp/job", LIMIT).split()[0]
    printer.during(lambda: wait_until(
        lambda: output.stat().st_size >= JOB, 10,
        lambda: f"{output.stat().st_size} of {JOB} bytes were printed"))
    if hashlib.sha256(output.read_bytes()).hexdigest() != digest:
        raise Failure("the file is not what the guest has printed")


def check_paper(lab, printer, path):
    """What the guest asks, the printer answers."""
    for times, expected in enumerate((
            SELECTED_NO_ERROR, SELECTED_NO_ERROR | NO_PAPER,
            SELECTED_NO_ERROR)):
        if times:
            printer.signal(signal.SIGUSR1)
            printer.wait_printed("^paper is", times)
        seen = lab.vm.agent.run(f"ioctl {path} {LPGETSTATUS} 4")
        if seen != expected.to_bytes(4, "little").hex():
            raise Failure(f"the guest reads status {seen}, not "
                          f"0x{expected:02x}")


def check_next(lab, printer, path, output):
    """After a soft reset the guest prints another job."""
    lab.vm.agent.run(f"ioctl {path} {SOFT_RESET} && echo next > {path}")
    second = output.with_name(f"{output.name}-2")
    printer.during(lambda: wait_until(
        lambda: second.exists() and second.read_bytes() == b"next\n", 10,
        "the next job did not get a file of its own"))
    if output.stat().st_size != JOB:
        raise Failure("the next job is in the file of the first, too")
