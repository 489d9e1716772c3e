# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux's usbtest driver in the guest, on a Gadget Zero of ours."""

import re
from dataclasses import dataclass

from guestlab.places import Failure

# What the driver's tests do, by number.
TESTS = {
    0: "nothing",
    1: "bulk OUT", 2: "bulk IN",
    3: "bulk OUT, sizes vary", 4: "bulk IN, sizes vary",
    5: "bulk OUT, scattered", 6: "bulk IN, scattered",
    7: "bulk OUT, scattered, sizes vary", 8: "bulk IN, scattered, sizes vary",
    9: "control, chapter 9", 10: "control, queued",
    11: "unlink bulk IN", 12: "unlink bulk OUT", 13: "set and clear halts",
    14: "control, written and read back",
    15: "isochronous OUT", 16: "isochronous IN",
    17: "bulk OUT, odd address", 18: "bulk IN, odd address",
    19: "bulk OUT, odd address, mapped", 20: "bulk IN, odd address, mapped",
    21: "control, odd address",
    22: "isochronous OUT, odd address", 23: "isochronous IN, odd address",
    24: "unlink from a queue", 25: "interrupt OUT", 26: "interrupt IN",
    27: "bulk OUT, queued", 28: "bulk IN, queued", 29: "clear toggles",
}
ISOCHRONOUS = (15, 16, 22, 23)  # usb-remote has no such transfers yet
RUN = tuple(number for number in TESTS if number not in ISOCHRONOUS)
CONTROL = (14, 21)              # here the sizes have to be below the length
# These refuse to run with data that shows where a byte is lost (pattern=1).
UNCHECKED = (27, 28)

# The driver says so, in passing, when an URB ended before it was unlinked.
USUAL = re.compile(r"unlink retry|TEST \d+:|log-sync")


@dataclass(frozen=True)
class Sizes:
    """What the driver wants to know besides the number of the test."""

    iterations: int
    length: int = 1024          # bytes, a multiple of each packet size
    scattered: int = 8          # parts

    def vary(self, test):
        """By how much sizes go up, from one transfer to the next."""
        return self.length // 3 if test in CONTROL else self.length


@dataclass(frozen=True)
class Verdict:
    """How a test ended: "passed", or the driver's error."""

    text: str
    kernel: tuple = ()          # what the kernel said, when it failed

    @property
    def passed(self):
        """Whether it did."""
        return self.text == "passed"


def each(lab, bus, start, tests):
    """
    For each of @tests its number and the node of a Gadget Zero at @bus that
    the driver has, with the setting that has interrupt endpoints.
    @start(OPTION...) starts one.
    """
    device = lab.remote(bus)
    zero, node, present = None, None, None
    for test in tests:
        pattern = 0 if test in UNCHECKED else 1
        if pattern != present:
            if zero:
                zero.stop()
            zero, node = _bind(lab.vm, device, start, pattern)
            present = pattern
        yield test, node


def _bind(vm, device, start, pattern):
    vm.agent.run("load usbtest; cd /sys/module/usbtest/parameters; "
                 f"echo 1 > alt; echo {pattern} > pattern")
    mark = vm.kernel_log.mark()
    zero = start("--connect", device.address, "--pattern", str(pattern))
    name = zero.during(lambda: vm.kernel_log.wait(
        r"usbtest (\S+):\d+\.0: \S+-speed .*tests", mark)).group(1)
    return zero, vm.agent.run(
        f"cd /sys/bus/usb/devices/{name}; "
        "printf /dev/bus/usb/%03d/%03d $(cat busnum) $(cat devnum)")


def run(vm, node, test, sizes, limit):
    """One test, by the agent's small program."""
    return _judge(vm, f"usbtest {node} {test} {sizes.iterations} "
                  f"{sizes.length} {sizes.vary(test)} {sizes.scattered}",
                  limit, lambda printed: printed.strip())


def run_testusb(vm, node, test, sizes, limit):
    """One test, by the kernel's own testusb."""
    return _judge(vm, f"testusb -D {node} -t {test} -c {sizes.iterations} "
                  f"-s {sizes.length} -v {sizes.vary(test)} "
                  f"-g {sizes.scattered}", limit, _testusb_said)


def _testusb_said(printed):
    if re.search(r"test \d+, +\d+\.\d+ secs", printed):
        return "passed"
    error = re.search(r"test \d+ --> \d+ \((.*)\)", printed)
    return error.group(1) if error else "not supported"


def _judge(vm, command, limit, read):
    mark = vm.kernel_log.mark()
    try:
        text = read(vm.agent.run(command, limit, check=False))
    except Failure:
        text = f"still running after {limit} s"
    vm.kernel_log.sync()
    said = tuple(line for line in vm.kernel_log.since(mark)
                 if not USUAL.search(line))
    return Verdict(text, () if text == "passed" else said)
