# SPDX-License-Identifier: GPL-2.0-or-later
"""A device in a running guest: when the guest is done with it, and how."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Dict, List, Self, Sequence

from .guest import snapshot
from .guest.remote import RemoteDevice
from .guest.vm import Vm
from .peer import Peer

NOTICE = 15.0           # seconds, in which a plug has to be noticed
QUIET = 0.5             # seconds without a line or request: it is over
LOOK_EVERY = 0.05
IDLE_LIMIT = 180        # seconds; a driver may wait for 5 s many times

# An attribute that Linux lets nobody read before drivers are done with the
# device, and a hub's not while it looks after a port.
IDLE = ("cat /sys/bus/usb/devices/*/bConfigurationValue > /dev/null 2>&1; "
        + snapshot.SETTLE + "; cat /sys/kernel/uevent_seqnum")
# name, then the drivers of the interface and of HID devices below it
DRIVERS = ("cd /sys/bus/usb/devices; for d in {names}; do for i in $d:*; do "
           "[ -d $i ] && echo $i $(for l in $i/driver $i/*:*:*/driver; do "
           "[ -e $l ] && basename $(readlink $l); done); done; done; true")


class Plugged:
    """
    A device and its process.  Use with `with`; plugged in by plug().

    from_start: it is there when the machine starts, so that the whole log is
    about it.
    """

    def __init__(self, vm: Vm, folder: Path, controller: str, device: str,
                 options: Sequence[str] = (), from_start: bool = False
                 ) -> None:
        self.vm, self.from_start = vm, from_start
        self._before = [] if from_start else self._names()
        self.mark = 0 if from_start else vm.kernel_log.mark()
        self.remote = RemoteDevice(vm, controller)
        self.peer = Peer(folder, device, self.remote.address, options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unplug()

    def unplug(self) -> None:
        """End the device's process."""
        self.peer.unplug()

    def wait(self) -> None:
        """Until the guest has noticed it, and nothing is under way."""
        deadline = time.monotonic() + NOTICE
        while not self.peer.requests() and time.monotonic() < deadline:
            if any("usb" in line for line in self.lines()):
                break
            time.sleep(LOOK_EVERY)
        self.settle()

    def settle(self) -> None:
        """Until nothing is under way, and nothing has come for a while."""
        quiet_since, before = time.monotonic(), None
        while time.monotonic() - quiet_since < QUIET:
            events = self.vm.agent.run(IDLE, IDLE_LIMIT, check=False)
            now = (events, self.vm.kernel_log.mark(),
                   self.peer.control_requests())
            if now != before:
                quiet_since, before = time.monotonic(), now
            time.sleep(LOOK_EVERY)

    def names(self) -> List[str]:
        """The guest's names in /sys/bus/usb/devices of what is new."""
        return [name for name in self._names() if name not in self._before]

    def drivers(self) -> Dict[str, str]:
        """For each interface its driver, and those of HID devices on it."""
        told = self.vm.agent.run(
            DRIVERS.format(names=" ".join(self.names())))
        return {name: rest for name, _, rest in (
            line.partition(" ") for line in told.splitlines())}

    def lines(self) -> List[str]:
        """The kernel's log about it."""
        lines = [line for line in self.vm.kernel_log.since(self.mark)
                 if "log-sync" not in line]
        return since_device(lines) if self.from_start else lines

    def _names(self) -> List[str]:
        """All devices, without interfaces."""
        found = self.vm.agent.run("ls /sys/bus/usb/devices").split()
        return [name for name in found if ":" not in name]


def since_device(lines: List[str]) -> List[str]:
    """A boot's log from the first device on that is no root hub."""
    first = next((number for number, line in enumerate(lines)
                  if re.match(r"usb \d+-\d", line)), len(lines))
    return lines[first:]
