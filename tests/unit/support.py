# SPDX-License-Identifier: GPL-2.0-or-later
"""Paths, vectors and devices that several tests use."""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = ROOT / "python"
VECTORS = ROOT / "tests/vectors"
MOUSE = ROOT / "examples/mouse.py"
HEADER = ROOT / "hw/usb/remote-proto.h"

sys.path[:0] = [str(PYTHON), str(ROOT / "tests/guest")]
sys.dont_write_bytecode = True
# for the programs that tests start
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"


from guestlab import manual     # noqa: E402,F401


def vector_lines(name):
    """Lines of a vector file as lists of their columns."""
    for line in (VECTORS / name).read_text().splitlines():
        if line and not line.startswith("#"):
            yield [column.strip() for column in line.split("|")]


def number_or_bytes(text):
    """A value of a vector: x:HEX or a number."""
    return bytes.fromhex(text[2:]) if text.startswith("x:") else int(text, 0)


def answers():
    """(name, the SUBMIT, its COMPLETE's bytes, the result) of answers.txt."""
    from usbremote.codec import Submit, TransferType
    for name, way, length, table, data, result in vector_lines("answers.txt"):
        is_in, length = way == "in", int(length)
        submit = Submit(id=1, attachment=1, epoch=2, length=length,
                        data=b"" if is_in else bytes(length),
                        type=TransferType.BULK, endpoint=0x81 if is_in else 1)
        if table == "yes":      # SET_CONFIGURATION
            submit = replace(submit, type=TransferType.CONTROL, endpoint=0,
                             setup=bytes([0, 9, 1, 0, 0, 0, 0, 0]))
        yield name, submit, bytes.fromhex(data), result


def load_example(name):
    """examples/NAME.py as a module."""
    spec = importlib.util.spec_from_file_location(
        name, ROOT / "examples" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def c_examples(case):
    """Build examples/c in a folder for the tests of the class @case."""
    folder = Path(tempfile.mkdtemp(prefix="usb-remote-"))
    case.addClassCleanup(shutil.rmtree, folder)
    subprocess.run(["make", "-s", "-C", ROOT / "examples/c",
                    f"BUILD={folder}"], check=True, stdout=subprocess.DEVNULL)
    return folder


def options_of(kind, *arguments):
    """What a device of this class is given for these arguments."""
    from usbremote import cli
    return cli.device_parser(kind).parse_args(
        ["--connect", "unix:/nowhere", *arguments])


def mouse_options(**options):
    """What the command line of the mouse gives it."""
    defaults = {"radius": 100, "rate": 100, "turns": 0, "idle": False,
                "report_log": None}
    return argparse.Namespace(**{**defaults, **options})


class SocketQemu:
    """QEMU's end over a real socket, blocking, each wait at most 20 s."""

    def __init__(self, sock, **options):
        from usbremote.testing import QemuSession
        self.sock = sock
        self.sock.settimeout(20)
        self.qemu = QemuSession(**options)

    def until(self, kind):
        """The next message of this kind; earlier ones are dropped."""
        while True:
            self.flush()
            data = self.sock.recv(65536)
            if not data:
                raise EOFError(f"no {kind.__name__} came")
            for message in self.qemu.receive(data):
                if isinstance(message, kind):
                    return message

    def flush(self):
        data = self.qemu.data_to_send()
        if data:
            self.sock.sendall(data)

    def plug_in(self):
        """Handshake, ATTACHED, a bus reset."""
        from usbremote.codec import Attach
        attach = self.until(Attach)
        self.qemu.attached()
        self.qemu.reset()
        self.flush()
        return attach

    def control(self, setup):
        from usbremote.codec import Complete
        self.qemu.control(setup)
        return self.until(Complete)

    def close(self):
        self.sock.close()
