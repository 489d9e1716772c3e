# SPDX-License-Identifier: GPL-2.0-or-later
"""examples/network.py, used by cdc_ether and the guest's IPv4."""

import hashlib
import random

from guestlab.example import node, plug
from guestlab.places import Failure
from guestlab.registry import case

KIB = 1 << 10

# What udhcpc calls with what it was given.
SCRIPT = ('[ "$1" = bound ] && ip addr add $ip/$mask dev $interface && '
          'echo "bound $ip"; true')
FETCH = " && ".join((
    "ip link set {name} up", "udhcpc -i {name} -n -q -s /tmp/bound 2>&1",
    "ping -c 1 -s 1400 192.168.77.1 > /dev/null",
    "wget -q -O /tmp/file http://192.168.77.1/file", "sha256sum < /tmp/file",
    "rm /tmp/file"))


@case("a network adapter on xHCI: an address by DHCP, a file by HTTP")
def xhci(lab):
    fetch(lab, "xhci", 256 * KIB)


@case("a network adapter on UHCI: an address by DHCP, a file by HTTP")
def uhci(lab):
    fetch(lab, "uhci", 32 * KIB)


def fetch(lab, bus, size):
    """The guest's driver, DHCP client and TCP bring the file's bytes."""
    data = random.Random(5).randbytes(size)
    (lab.folder / "file").write_bytes(data)
    lab.vm.agent.run(
        "load af_packet; load cdc_ether; echo '#!/bin/sh' > /tmp/bound; "
        f"echo '{SCRIPT}' >> /tmp/bound; chmod +x /tmp/bound")
    _, device = plug(lab, bus, "network", "--www", str(lab.folder))
    name = node(lab, f"/sys/bus/usb/devices/{device}:*/net/*").split("/")[-1]
    said = lab.vm.agent.run(FETCH.format(name=name), timeout=100)
    if "bound 192.168.77.2" not in said:
        raise Failure(f"the guest did not get its address:\n{said}")
    if hashlib.sha256(data).hexdigest() not in said:
        raise Failure(f"the file is not what was served:\n{said}")
