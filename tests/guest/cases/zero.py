# SPDX-License-Identifier: GPL-2.0-or-later
"""examples/zero.py, used by usbtest: what it reads and writes is checked, in
the guest by the driver and in the peer by the device."""

from guestlab.example import node, plug
from guestlab.places import Failure
from guestlab.registry import case

# Of usbtest: number, iterations, length, vary, entries of a list
TESTS = ["1 20 4096 0 0", "2 20 4096 0 0", "3 20 1024 64 0",
         "4 20 1024 64 0", "5 4 1024 0 8", "6 4 1024 0 8", "9 4 0 0 0",
         "10 4 0 0 8", "13 4 0 0 0", "14 20 256 1 0", "17 4 1024 0 0",
         "18 4 1024 0 0", "21 20 256 1 0"]


@case("Gadget Zero on xHCI: usbtest's bytes are right in both directions")
def xhci(lab):
    run_tests(lab, "xhci")


@case("Gadget Zero on UHCI: usbtest's bytes are right in both directions")
def uhci(lab):
    run_tests(lab, "uhci")


def run_tests(lab, bus):
    """All have to pass; the pattern shows a byte lost or out of place."""
    lab.vm.agent.run(
        "load usbtest; echo 1 > /sys/module/usbtest/parameters/pattern")
    _, name = plug(lab, bus, "zero", "--pattern", "1")
    path = f"/sys/bus/usb/devices/{name}"
    node(lab, f"{path}:*/driver")
    device = lab.vm.agent.run(f"printf /dev/bus/usb/%03d/%03d "
                              f"$(cat {path}/busnum) $(cat {path}/devnum)")
    for test in TESTS:
        said = lab.vm.agent.run(f"usbtest {device} {test}", check=False,
                                timeout=60)
        if said != "passed":
            raise Failure(f"usbtest {test}: {said}")
