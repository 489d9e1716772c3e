# SPDX-License-Identifier: GPL-2.0-or-later
"""Wrong use is refused in one clear line."""

import re
import socket
import subprocess

from usblab.guest.waiting import wait_until

from guestlab.places import Failure, qemu
from guestlab.registry import case

# A machine that is ready at once, and would wait for ever.
QUIET_MACHINE = ["-nodefaults", "-no-user-config", "-display", "none", "-S",
                 "-machine", "q35,usb=off", "-device", "qemu-xhci,id=xhci"]


@case("without chardev= QEMU refuses the device")
def no_chardev(lab):
    refused(lab, "chardev", "-device", "usb-remote,id=m0")


@case("a chardev that does not exist is refused by name")
def unknown_chardev(lab):
    refused(lab, "nowhere", "-device", "usb-remote,id=m0,chardev=nowhere")


@case("a chardev that another device has is refused")
def chardev_in_use(lab):
    refused(lab, "in use", *server(lab),
            "-device", "usb-remote,id=m0,chardev=c0",
            "-device", "usb-remote,id=m1,chardev=c0")


@case("a mux chardev is refused with the reason")
def mux_chardev(lab):
    refused(lab, "mux", *server(lab, "mux=on"),
            "-device", "usb-remote,id=m0,chardev=c0")


@case("a chardev that cannot be disconnected is refused with the reason")
def null_chardev(lab):
    refused(lab, "disconnect", "-chardev", "null,id=c0",
            "-device", "usb-remote,id=m0,chardev=c0")


@case("record/replay is refused with the reason")
def replay(lab):
    refused(lab, "repl", *server(lab), "-icount",
            f"shift=auto,rr=record,rrfile={lab.folder}/record",
            "-device", "usb-remote,id=m0,chardev=c0")


@case("a peer that speaks HTTP is told in text, and QEMU logs one line")
def http_peer(lab):
    device = lab.remote("xhci")
    before = lab.vm.log_text()
    answer = talk(device.path, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    logged = wait_until(lambda: lab.vm.log_text()[len(before):], 10,
                        "QEMU logged nothing about the peer")
    wait_until(lambda: not device.get("connected"), 10,
               "QEMU did not end the connection")
    logged = lab.vm.log_text()[len(before):].strip()
    if logged.count("\n") or device.id not in logged:
        raise Failure(f"not one line naming {device.id}: {logged}")
    if not re.search(rb"[A-Za-z][a-z]+( [-a-z]+){3,}", answer):
        raise Failure(f"the peer was not told in text: {answer!r}")


def server(lab, *options):
    """A listening chardev c0."""
    words = ["socket,id=c0", f"path={lab.folder}/c0.sock", "server=on",
             "wait=off", *options]
    return ["-chardev", ",".join(words)]


def refused(lab, reason, *arguments):
    """QEMU must end at once with one line, which has @reason in it."""
    try:
        result = subprocess.run(
            [qemu(), *QUIET_MACHINE, *arguments], timeout=20, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, check=False, cwd=lab.folder)
    except subprocess.TimeoutExpired:
        raise Failure("QEMU accepted it") from None
    lines = result.stderr.strip().splitlines()
    if result.returncode != 1:
        raise Failure(f"exit status {result.returncode}, not 1:\n"
                      f"{result.stderr}")
    if len(lines) != 1 or reason not in lines[0]:
        raise Failure(f"not one line with '{reason}':\n{result.stderr}")


def talk(path, request):
    """Say @request at a socket; all that is answered until the end."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(10)
        peer.connect(str(path))
        peer.sendall(request)
        answer = b""
        try:
            while data := peer.recv(4096):
                answer += data
        except ConnectionResetError:
            pass
        except TimeoutError:
            raise Failure("QEMU keeps the connection open") from None
        return answer
