# SPDX-License-Identifier: GPL-2.0-or-later
"""libusb in the guest, on a Gadget Zero: agent/libusb does what is said in
its main.c, here is what has to come of it."""

import json

from guestlab.example import node
from guestlab.places import Failure
from guestlab.registry import case

MANUFACTURER = "usb-remote"
RUN_LIMIT = 60              # seconds, for one command


def plug(lab, bus, start, *options):
    """Plug the Gadget Zero that @start(NAME, OPTION...) starts into @bus."""
    device = lab.remote(bus)
    mark = lab.vm.kernel_log.mark()
    zero = start("zero", "--connect", device.address, *options)
    name = zero.during(lambda: lab.vm.kernel_log.wait(
        rf"usb (\S+): Manufacturer: {MANUFACTURER}$", mark)).group(1)
    node(lab, f"/sys/bus/usb/devices/{name}:*")


def run(lab, command):
    """What the client prints; it fails when a byte is wrong."""
    return lab.vm.agent.run(f"libusb {command}", RUN_LIMIT)


@case("libusb: what the client measures is of the kind that it should be")
def measures(lab):
    plug(lab, "xhci", lab.c_example)
    for way in ("in", "out"):
        bulk = json.loads(run(lab, f"bench --warm 3 {way} 16384 4 0.1"))
        if (bulk["errors"] or bulk["seconds"] < 0.1 or not bulk["transfers"]
                or bulk["bytes"] != bulk["transfers"] * 16384):
            raise Failure(f"bench {way}: {bulk}")
        reports = json.loads(run(lab, f"interrupt-rate {way} 0.1"))
        if reports["errors"] or not reports["reports"]:
            raise Failure(f"interrupt-rate {way}: {reports}")
    latency = json.loads(run(lab, "control-latency 50"))
    if latency["count"] != 50 or not (
            0 < latency["min"] <= latency["median"] <= latency["p99"]
            <= latency["max"]):
        raise Failure(f"control-latency: {latency}")
