# SPDX-License-Identifier: GPL-2.0-or-later
"""examples/serial.py, used by cdc-acm."""

import hashlib
import os
import random
import socket

from guestlab.example import node, plug
from guestlab.places import Failure
from guestlab.registry import case

from cases.documented import free_port

MIB = 1 << 20

# The port stays open, so that it stays raw; and for one byte more, because
# Linux does not wait for ever for what a closed port has still to send.
TRANSFER = "; ".join((
    "exec 3<>/dev/{port}", "stty raw -echo <&3", "echo ready",
    "head -c {size} <&3 | sha256sum",
    "head -c {size} /dev/urandom > /tmp/sent", "sha256sum < /tmp/sent",
    "cat /tmp/sent >&3", "rm /tmp/sent", "head -c 1 <&3 > /dev/null"))


@case("a serial port on xHCI: 1 MiB each way, to and from a pty")
def xhci_pty(lab):
    link = lab.folder / "line"
    job = begin(lab, "xhci", MIB, "--pty", str(link))
    with open(os.open(link, os.O_RDWR | os.O_NOCTTY), "r+b",
              buffering=0) as line:
        exchange(job, line, MIB)


@case("a serial port on UHCI: 1 MiB each way, over TCP")
def uhci_tcp(lab):
    address = ("127.0.0.1", free_port())
    job = begin(lab, "uhci", MIB, "--tcp", "%s:%d" % address)
    with socket.create_connection(address, 10) as client:
        client.settimeout(40)
        exchange(job, client.makefile("rwb", buffering=0), MIB)


def begin(lab, bus, size, *options):
    """Plug it in and open it in the guest."""
    lab.vm.agent.run("load cdc_acm")
    _, device = plug(lab, bus, "serial", *options)
    port = node(lab, f"/sys/bus/usb/devices/{device}:*/tty/*").split("/")[-1]
    job = lab.vm.agent.start(TRANSFER.format(port=port, size=size))
    job.wait_line("ready", 20)
    return job


def exchange(job, line, size):
    """So many bytes to the guest, then as many from it."""
    data = random.Random(4).randbytes(size)
    sent = memoryview(data)
    while sent:
        sent = sent[line.write(sent):]
    same(job.wait_line("^([0-9a-f]{64}) ", 100).group(1), data, "to the guest")
    number = job.found_at + 1
    expected = job.wait_line("^([0-9a-f]{64}) ", 100, number).group(1)
    came = b""
    while len(came) < size:
        try:
            came += line.read(size - len(came))
        except TimeoutError:
            raise Failure(f"{len(came)} of {size} bytes came to the peer")
    same(expected, came, "to the peer")
    line.write(b"!")
    if job.wait_end(20):
        raise Failure(f"the guest's program failed: {job.lines}")


def same(expected, data, where):
    if hashlib.sha256(data).hexdigest() != expected:
        raise Failure(f"the bytes {where} are not those that were sent")
