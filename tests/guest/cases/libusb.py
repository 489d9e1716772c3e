# SPDX-License-Identifier: GPL-2.0-or-later
"""libusb in the guest, on a Gadget Zero: agent/libusb does what is said in
its main.c, here is what has to come of it.
"""

import functools
import json

from guestlab.example import name_in_guest, node
from guestlab.places import Failure
from guestlab.registry import case

RUN_LIMIT = 60              # seconds, for one command
LOOPBACK = 2                # bConfigurationValue
CONTROL_SIZES = "0 1 63 64 65 512 1023 4095 4096"
# Name, bus, wMaxPacketSize of bulk endpoints, the most to loop in one
# transfer: what takes no more than a second.
CONTROLLERS = (
    ("xHCI", "xhci", 1024, 1 << 20),
    ("EHCI", "ehci", 512, 1 << 20),
    ("UHCI", "uhci", 64, 1 << 15),
    ("OHCI", "ohci", 64, 1 << 14),
)


def plug(lab, bus, start, *options):
    """Plug the Gadget Zero that @start(NAME, OPTION...) starts into @bus."""
    device = lab.remote(bus)
    mark = lab.vm.kernel_log.mark()
    zero = start("zero", "--connect", device.address, *options)
    node(lab, f"/sys/bus/usb/devices/{name_in_guest(lab, zero, mark)}:*")


def run(lab, command):
    """What the client prints; it fails when a byte is wrong."""
    return lab.vm.agent.run(f"libusb {command}", RUN_LIMIT)


@case("libusb: what the client measures is of the kind that it should be")
def measures(lab):
    plug(lab, "xhci", lab.c_example)
    for way in ("in", "out"):
        bulk = json.loads(run(lab, f"bench --warm 3 {way} 16384 4 0.1"))
        if (bulk["errors"] or bulk["seconds"] < 0.1 or not bulk["transfers"]
                or bulk["bytes"] != bulk["transfers"] * 16384
                # before, and in flight with the last one that counts: 3
                or bulk["moved"] != bulk["bytes"] + (3 + 3) * 16384):
            raise Failure(f"bench {way}: {bulk}")
        reports = json.loads(run(lab, f"interrupt-rate {way} 0.1"))
        if reports["errors"] or not reports["reports"]:
            raise Failure(f"interrupt-rate {way}: {reports}")
    latency = json.loads(run(lab, "control-latency 50"))
    if latency["count"] != 50 or not (
            0 < latency["min"] <= latency["median"] <= latency["p99"]
            <= latency["max"]):
        raise Failure(f"control-latency: {latency}")


def controls(lab, bus):
    """Synchronous, then queued."""
    plug(lab, bus, lab.c_example)
    run(lab, f"control {CONTROL_SIZES}")


def loops(lab, bus, packet, most, start):
    """Synchronous, then with 1, 4 and 16 transfers in flight."""
    plug(lab, bus, start)
    sizes = f"0 1 {packet - 1} {packet} {packet + 1} 4096"
    run(lab, f"-c {LOOPBACK} loop-sync {sizes} {most // 16}")
    run(lab, f"-c {LOOPBACK} loop 1 {sizes} {most}")
    run(lab, f"-c {LOOPBACK} loop 4 {sizes} {most // 16}")
    run(lab, f"-c {LOOPBACK} loop 16 {sizes}")


def cancels(lab, bus, ways, start=None):
    """Each of eight, submitted again behind the others."""
    plug(lab, bus, start or lab.c_example)
    for way in ways:
        run(lab, f"-c {LOOPBACK} cancel {way}")


def patterns(lab, bus):
    """The device checks what is OUT, and halts the endpoint."""
    plug(lab, bus, lab.c_example, "--pattern", "1")
    run(lab, "interrupt")


def halts(lab, bus):
    """Both bulk endpoints."""
    plug(lab, bus, lab.c_example, "--pattern", "1")
    run(lab, "halt")


@case("libusb: a driver gives up its interface and gets it back")
def claims(lab):
    lab.vm.agent.run(
        "load usbtest; echo 0 > /sys/module/usbtest/parameters/pattern")
    plug(lab, "xhci", lab.c_example)
    node(lab, "/sys/bus/usb/drivers/usbtest/*:*")
    run(lab, "claim")


@case("libusb on xHCI: examples/zero.py loops every byte, in order")
def python_loops(lab):
    loops(lab, "xhci", 1024, 1 << 20, lab.example)


@case("libusb on xHCI: each of eight transfers is cancelled and submitted "
      "again, no byte is lost")
def xhci_cancels(lab):
    cancels(lab, "xhci", ["in", "out"])


@case("libusb on xHCI: examples/zero.py, too, loses no byte when transfers "
      "are cancelled")
def python_cancels(lab):
    cancels(lab, "xhci", ["in", "out"], lab.example)


@case("libusb on EHCI: each of eight transfers is cancelled and submitted "
      "again, no byte is lost")
def ehci_cancels(lab):
    cancels(lab, "ehci", ["in", "out"])


@case("libusb on UHCI: each of eight IN transfers is cancelled and submitted "
      "again, no byte is lost")
def uhci_cancels(lab):
    cancels(lab, "uhci", ["in"])


for NAME, BUS, PACKET, MOST in CONTROLLERS:
    case(f"libusb on {NAME}: control transfers of 0 to 4096 bytes come back")(
        functools.partial(controls, bus=BUS))
    case(f"libusb on {NAME}: each byte is looped, in order, 1 to 16 in "
         "flight")(lambda lab, bus=BUS, packet=PACKET, most=MOST:
                   loops(lab, bus, packet, most, lab.c_example))
    case(f"libusb on {NAME}: interrupt transfers have the pattern")(
        functools.partial(patterns, bus=BUS))
    case(f"libusb on {NAME}: a halted endpoint says so until it is cleared")(
        functools.partial(halts, bus=BUS))
