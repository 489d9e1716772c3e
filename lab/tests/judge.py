# SPDX-License-Identifier: GPL-2.0-or-later
"""The installed lsusb as a judge: what it prints of any bytes."""

import shutil
import subprocess
import tempfile

import pytest

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


def need():
    for program in ("umockdev-run", "lsusb"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


def umockdev(devices):
    """A umockdev record of devices, each as sysfs has it: bytes."""
    return "".join(RECORD.format(number=number, data=data.hex().upper())
                   for number, data in enumerate(devices, 1))


def lsusb(devices):
    """What lsusb -v prints of each of them."""
    need()
    with tempfile.NamedTemporaryFile("w", suffix=".umockdev") as file:
        file.write(umockdev(devices))
        file.flush()
        run = subprocess.run(
            ["umockdev-run", "-d", file.name, "--", "lsusb", "-v"],
            text=True, capture_output=True, timeout=60, check=True,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
    texts = {}
    for part in ("\n" + run.stdout).split("\nBus ")[1:]:
        texts[int(part[11:14])] = "Bus " + part
    return [texts[number] for number in range(1, len(devices) + 1)]
