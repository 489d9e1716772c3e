# SPDX-License-Identifier: GPL-2.0-or-later
"""usb-lab import --python: the program is the same device."""

import importlib.util
import os
import subprocess
import sys

import pytest
from usbremote import testing
from usbremote.setup import Setup
from usbremote.types import Speed, Status

import captures
import examples
from conftest import LAB


def loaded(path):
    spec = importlib.util.spec_from_file_location("made", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bench(module, name, speed=Speed.FULL):
    made = testing.Bench(getattr(module, name))
    made.plug_in(speed)
    return made


def get(made, kind, index=0, to=0x80, where=0):
    return made.control(Setup(to, 6, kind << 8 | index, where, 4096))


@pytest.mark.parametrize("name, class_name, speed", [
    ("modem", "TwoWayModem", Speed.FULL), ("disk", "FastDisk", Speed.SUPER),
    ("keyboard", "OfficeKeyboard", Speed.LOW)])
def test_descriptors_are_the_same(usb_lab, tmp_path, name, class_name, speed):
    run = usb_lab("import", "--python", "-", "-o", "made.py",
                  text=examples.text(name))
    assert run.returncode == 0, run.stderr
    made = bench(loaded(tmp_path / "made.py"), class_name, speed)
    assert get(made, 1).data + get(made, 2).data == examples.BYTES[name]
    found = examples.read(examples.text(name))
    for (kind, index), data in found.descriptors.items():
        assert get(made, kind, index).data == data
    for number, data in found.reports.items():
        assert get(made, 0x22, 0, 0x81, number).data == data


def test_recorded_answers_are_the_same(usb_lab, tmp_path):
    run = usb_lab("import", "--python", "-", "-o", "made.py",
                  text=captures.FILES["pcap 220"])
    assert run.returncode == 0, run.stderr
    made = bench(loaded(tmp_path / "made.py"), "Boards")
    assert made.control(Setup.decode(captures.VENDOR)).data == b"\1\2\3\4"
    assert made.control(Setup.decode(captures.SET_IDLE)).status == \
        Status.STALL


def test_it_is_a_program(usb_lab, tmp_path):
    usb_lab("import", "--python", "-", text=examples.text("modem"))
    run = subprocess.run([sys.executable, tmp_path / "1209-2001.py", "--help"],
                         text=True, capture_output=True, check=False,
                         timeout=60, env={**os.environ, "PYTHONPATH": str(
                             LAB.parent / "python")})
    assert run.returncode == 0
    assert "--connect" in run.stdout


def test_names_of_devices_do_no_harm(usb_lab, tmp_path):
    text = examples.text("modem").replace(
        "Two-way Modem", '"""; import os; os.abort() #\\')
    run = usb_lab("import", "--python", "-", "-o", "made.py", text=text)
    assert run.returncode == 0, run.stderr
    loaded(tmp_path / "made.py")
