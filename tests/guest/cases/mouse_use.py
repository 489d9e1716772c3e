# SPDX-License-Identifier: GPL-2.0-or-later
"""mouse.py says in one line what it cannot do."""

import socket
import threading

from usblab.guest.waiting import wait_until

from guestlab.places import Failure
from guestlab.registry import case


@case("mouse.py: nobody listens at the address")
def nobody_listens(lab):
    one_line(lab, "--connect", f"unix:{lab.folder}/nobody.sock")


@case("mouse.py: the path is no socket")
def no_socket(lab):
    (lab.folder / "file").write_text("")
    one_line(lab, "--connect", f"unix:{lab.folder}/file")


@case("mouse.py: the address cannot be read")
def bad_address(lab):
    one_line(lab, "--connect", "ttyUSB0")


@case("mouse.py: the other end is no QEMU")
def no_qemu(lab):
    path = lab.folder / "http.sock"
    answer_once(path, b"HTTP/1.1 400 Bad Request\r\n\r\n")
    one_line(lab, "--connect", f"unix:{path}")


@case("mouse.py: a speed that the controller does not have: it says why not")
def wrong_speed(lab):
    device = lab.remote("uhci")
    mouse = lab.mouse("--connect", device.address, "--speed", "super")
    wait_until(lambda: "speed mismatch" in mouse.log_text(), 10,
               lambda: f"no word of the speed from mouse.py, but:\n"
               f"{mouse.log_text()}")


def one_line(lab, *options):
    """It must end with a non-zero status and one line, no traceback."""
    mouse = lab.mouse(*options)
    status = mouse.wait_exit()
    lines = mouse.log_text().strip().splitlines()
    errors = [line for line in lines if "error" in line.lower()
              or "mouse" in line.lower()] or lines
    if status == 0:
        raise Failure("exit status 0")
    if len(errors) != 1 or "Traceback" in mouse.log_text():
        raise Failure(f"not one clear line:\n{mouse.log_text()}")


def answer_once(path, text):
    """Serve one connection with @text."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)
    listener.settimeout(20)
    threading.Thread(target=_serve, args=(listener, text),
                     daemon=True).start()


def _serve(listener, text):
    with listener, listener.accept()[0] as client:
        client.sendall(text)
        client.settimeout(10)
        while client.recv(4096):
            pass
