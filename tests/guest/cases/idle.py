# SPDX-License-Identifier: GPL-2.0-or-later
"""An idle mouse makes no traffic, and is awake at once."""

import re

from usblab.guest.waiting import wait_until

from guestlab import latency, trace
from guestlab.places import Failure
from guestlab.pointer import Pointer
from guestlab.registry import case

BUSES = {"uhci": "low", "ohci": "low", "ehci": "high", "xhci": "low"}
ENDPOINT = "0x81"
IDLE_SECONDS = 60
INTERVALS = 3


@case("60 s idle on UHCI, OHCI, EHCI and xHCI: no SUBMIT, then a prompt "
      "report", limit=240)
def idle_minute(lab):
    mice = [IdleMouse(lab, bus, speed) for bus, speed in BUSES.items()]
    for mouse in mice:
        mouse.wait_parked()
    lab.vm.agent.run(f"sleep {IDLE_SECONDS}", timeout=3 * IDLE_SECONDS)
    for mouse in mice:
        mouse.check_silent()
    for mouse in mice:
        mouse.check_prompt(lab)


class IdleMouse:
    """A mouse that rests on one controller, and a reader in the guest."""

    def __init__(self, lab, bus, speed):
        self.bus = bus
        device = lab.remote(bus)
        mark = lab.vm.kernel_log.mark()
        self.mouse = lab.mouse("--connect", device.address, "--idle",
                               "--speed", speed)
        found = lab.vm.kernel_log.wait(
            r"\[usb-remote Python Mouse\] on (\S+)", mark)
        self.pointer = Pointer(lab.vm.agent, phys=found.group(1))
        self.pointer.wait_open()
        self.parked = None

    def wait_parked(self):
        """Wait until the guest's driver has asked for a report."""
        wait_until(lambda: self.mouse.submits().get(ENDPOINT), 10,
                   f"{self.bus}: the guest's driver asked for no report")
        self.parked = self.mouse.submits()

    def check_silent(self):
        """Nothing may have been submitted since."""
        after = self.mouse.submits()
        if after != self.parked:
            raise Failure(f"{self.bus}: SUBMITs went from {self.parked} "
                          f"to {after} in {IDLE_SECONDS} idle seconds")

    def check_prompt(self, lab):
        """A report must be on its way to the guest at the next polls."""
        interval = polling_interval(lab.vm.agent, self.pointer)
        with trace.recorded(lab, latency.TAKEN, latency.GIVEN) as lines:
            self.mouse.send_report()
            self.pointer.wait_reports(1, 10)
        took = latency.seconds(lines(), int(ENDPOINT, 16) & 15)
        lab.note(f"{self.bus}: a report after {IDLE_SECONDS} s took "
                 f"{took * 1000:.1f} ms; the polling interval is "
                 f"{interval * 1000:.3g} ms")
        if took > INTERVALS * interval:
            raise Failure(f"{self.bus}: the report took {took * 1000:.1f} ms, "
                          f"more than {INTERVALS} intervals of "
                          f"{interval * 1000:.3g} ms")


def polling_interval(agent, pointer):
    """What the guest's kernel has read from the endpoint descriptor, in s."""
    text = agent.run("cd -P /sys/class/input/" + pointer.event +
                     "/device/device/.. && cat ep_81/interval")
    number, unit = re.fullmatch(r"(\d+)(ms|us)", text).groups()
    return int(number) / {"ms": 1e3, "us": 1e6}[unit]
