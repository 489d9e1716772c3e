# SPDX-License-Identifier: GPL-2.0-or-later
"""agent/urbs.c in the guest: queue URBs, take some back, see what became."""

from dataclasses import dataclass

from guestlab import numbers
from guestlab.target import PRODUCT, Target

RUN_LIMIT = 100         # seconds


@dataclass(frozen=True)
class Urb:
    """One that has ended: what the guest was told of it."""

    number: int
    status: int         # 0 or a negative errno
    length: int         # actual_length, in bytes
    runs: list          # the numbers in these bytes

    @classmethod
    def parse(cls, line):
        """A line of the program's."""
        _, number, status, length, *runs = line.split()
        return cls(int(number), int(status), int(length),
                   numbers.parse("".join(runs)))


def plug(lab, bus, speed, **options):
    """Plug a Target in at @bus; returns it and its node in the guest."""
    device = lab.remote(bus)
    mark = lab.vm.kernel_log.mark()
    peer = lab.peer(Target(speed, **options), device.address)
    name = lab.vm.kernel_log.wait(rf"usb (\S+): Product: {PRODUCT}",
                                  mark).group(1)
    node = lab.vm.agent.run(
        f"cd /sys/bus/usb/devices; until [ -e {name}:1.0 ]; do usleep 10000; "
        f"done; printf /dev/bus/usb/%03d/%03d $(cat {name}/busnum) "
        f"$(cat {name}/devnum)")
    return peer, node


def run(lab, peer, node, endpoint, length, steps):
    """Have the program take @steps with URBs of @length numbers; returns
    those that have ended, in that order, and what it complained of."""
    job = lab.vm.agent.start(
        f"urbs {node} {endpoint:#x} {length * numbers.SIZE} "
        f"{' '.join(steps)}")
    job.wait_end(RUN_LIMIT)
    peer.check()
    ended = [Urb.parse(line) for line in job.lines if line.startswith("urb ")]
    other = [line for line in job.lines if not line.startswith("urb ")]
    return ended, "; ".join(other)
