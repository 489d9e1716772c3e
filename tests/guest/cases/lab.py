# SPDX-License-Identifier: GPL-2.0-or-later
"""usb-lab try, as docs/lab-try.md says, and on what goes wrong."""

import shlex
import subprocess

from guestlab import manual
from guestlab.places import PYTHON, TOP, Failure
from guestlab.registry import case

PAGE = TOP / "docs" / "lab-try.md"
LIMIT = 200             # seconds; the first reads all modules of a kernel
GOOD, BAD, BAD_INPUT, NOTHING_LEARNT = 0, 1, 2, 125


@case("usb-lab try: a device file is good with the driver that it expects",
      LIMIT)
def good(lab):
    said = usb_lab(lab, documented("try"), GOOD)
    wanted(said, "Product: filter wheel", "driver of ", "usbhid hid-generic",
           "xhci: good")


@case("usb-lab try: other controllers, debug messages and faults", LIMIT)
def closer(lab):
    said = usb_lab(lab, documented("try-closer"), GOOD)
    wanted(said, "using uhci_hcd", "fault 1: string value=0x302: stall",
           "fault 1, request 1 that fits: stall", "uhci: good")


@case("usb-lab try: what the guest's kernel says of a fault is the verdict",
      LIMIT)
def bad(lab):
    said = usb_lab(lab, ["try", "wheel.usbdev", "--fault",
                         "config wLength=9: ioerror"], BAD)
    wanted(said, "unable to read config index 0 descriptor/start: -71",
           "BAD: no driver usbhid")


@case("usb-lab try: a request that has no answer is told", LIMIT)
def unanswered(lab):
    said = usb_lab(lab, ["try", "wheel.usbdev", "--fault",
                         "string value=0x302 times=1: never"], None)
    wanted(said, "not answered: 1 x standard request GET_DESCRIPTOR")


@case("usb-lab try: a shell in the guest sees the device", LIMIT)
def shell(lab):
    said = usb_lab(lab, ["try", "wheel.usbdev", "--shell"], GOOD,
                   text="cat /sys/bus/usb/devices/*/product\n")
    wanted(said, "A shell in the guest", "# ", "\nfilter wheel\n")


@case("usb-lab try: plugged in before the machine starts", LIMIT)
def cold(lab):
    wanted(usb_lab(lab, ["try", "wheel.usbdev", "--cold"], GOOD),
           "filter wheel", "xhci: good")


@case("usb-lab try: a guest that dies is the kernel's fault", LIMIT)
def dies(lab):
    """Its log has no time to come to us; the console has it."""
    (lab.folder / "deadly.usbdev").write_text(
        '[expect]\ncommand = "echo c > /proc/sysrq-trigger"\n' +
        manual.markdown(PAGE, "wheel.usbdev").partition("forbid")[2]
        .partition("\n")[2])
    wanted(usb_lab(lab, ["try", "deadly.usbdev"], BAD),
           "BAD: the guest died; \"", "Kernel panic - not syncing: sysrq")


@case("usb-lab run: a folder, on two controllers side by side", LIMIT)
def folder(lab):
    said = usb_lab(lab, ["run", ".", "-c", "xhci", "-c", "uhci", "-n", "2",
                         "--ktap", "run.ktap", "--results", "results"], GOOD)
    wanted(said, "2 good, 0 bad, 0 skipped")
    wanted((lab.folder / "run.ktap").read_text(), "    ok 1 wheel_xhci\n",
           "    ok 2 wheel_uhci\n", "\nok 1 ")
    for path in ("index.jsonl", "wheel"):
        if not (lab.folder / "results" / path).exists():
            raise Failure(f"no {path} among the results")


@case("the lab's pytest plugin: device files and tests in Python", LIMIT)
def with_pytest(lab):
    folder = lab.folder / "devices"
    folder.mkdir()
    for name in ("wheel.usbdev", "test_wheel.py"):
        (folder / name).write_text(manual.markdown(PAGE, name))
    for name in ("lab", "python"):
        (lab.folder / name).symlink_to(TOP / name)
    done = subprocess.run(
        ["sh", "-ec", manual.markdown(PAGE, "try-pytest").replace(
            "python3 ", f"{PYTHON} ")], cwd=lab.folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT,
        check=False)
    wanted(done.stdout, "wheel.usbdev .", "3 passed")


@case("usb-lab try: a speed that the controller has not is bad input", LIMIT)
def wrong_speed(lab):
    wanted(usb_lab(lab, ["try", "wheel.usbdev", "-c", "ehci"], BAD_INPUT),
           "the device was not plugged in: ", "speed mismatch")


@case("usb-lab try: a driver that no kernel has is no verdict", LIMIT)
def no_driver(lab):
    wanted(usb_lab(lab, ["try", "wheel.usbdev", "--driver", "no-such"],
                   NOTHING_LEARNT), "skipped: the kernel has no driver")


def documented(name):
    """The words of a command of the page, behind lab/usb-lab."""
    first, *rest = shlex.split(manual.markdown(PAGE, name)
                               .replace("\\\n", " "))
    if first != "lab/usb-lab":
        raise Failure(f"{name} runs {first}")
    return rest


def usb_lab(lab, words, status, text=""):
    """Run the command beside wheel.usbdev; what it printed."""
    (lab.folder / "wheel.usbdev").write_text(
        manual.markdown(PAGE, "wheel.usbdev"))
    done = subprocess.run(
        [str(TOP / "lab" / "usb-lab"), *words], cwd=lab.folder, input=text,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        timeout=LIMIT, check=False)
    if status is not None and done.returncode != status:
        raise Failure(f"status {done.returncode}, not {status}:\n"
                      f"{done.stdout}")
    return done.stdout


def wanted(said, *parts):
    """All of these were printed."""
    for part in parts:
        if part not in said:
            raise Failure(f"'{part}' is missing in\n{said}")
