# SPDX-License-Identifier: GPL-2.0-or-later
"""What programs of this machine say of a device, by way of umockdev."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from typing import Sequence

from .errors import Problem

RECORD = """P: /devices/pci0000:00/0000:00:14.0/usb1/1-{number}
N: bus/usb/001/{number:03}
E: BUSNUM=001
E: DEVNAME=/dev/bus/usb/001/{number:03}
E: DEVNUM={number:03}
E: DEVTYPE=usb_device
E: SUBSYSTEM=usb
A: bConfigurationValue=1\\n
A: busnum=1
A: devnum={number}
A: speed=480
H: descriptors={data}

"""
PROGRAMS = ("umockdev-run", "lsusb")
SECONDS = 60


def record(devices: Sequence[bytes]) -> str:
    """A record of umockdev with devices, each as sysfs has it."""
    return "".join(RECORD.format(number=number, data=data.hex().upper())
                   for number, data in enumerate(devices, 1))


def missing() -> "list[str]":
    """The programs that are needed and not installed."""
    return [name for name in PROGRAMS if not shutil.which(name)]


def lsusb(devices: Sequence[bytes]) -> "list[str]":
    """
    What lsusb -v prints of each of these descriptors; strings and reports
    it cannot ask for.  Raises Problem where it is not installed.
    """
    for name in missing():
        raise Problem(f"{name} is not installed (packages umockdev, usbutils)")
    with tempfile.NamedTemporaryFile("w", suffix=".umockdev") as file:
        file.write(record(devices))
        file.flush()
        try:
            run = subprocess.run(
                ["umockdev-run", "-d", file.name, "--", "lsusb", "-v"],
                text=True, capture_output=True, timeout=SECONDS, check=False,
                errors="replace", env={"PATH": "/usr/bin:/bin",
                                       "LC_ALL": "C.UTF-8"})
        except subprocess.TimeoutExpired:
            raise Problem(f"lsusb took more than {SECONDS} s") from None
    texts = {int(part[11:14]): f"Bus {part}"
             for part in f"\n{run.stdout}".split("\nBus ")[1:]}
    return [texts.get(number, "") for number in range(1, len(devices) + 1)]
