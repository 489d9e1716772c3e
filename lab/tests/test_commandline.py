# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: help, and one line with status 2 for bad input."""

import os
import subprocess
import sys

import pytest

from conftest import LAB


def test_help_names_the_commands(usb_lab):
    run = usb_lab("--help")
    assert run.returncode == 0
    assert "import" in run.stdout and "show" in run.stdout
    assert "125 nothing was learnt" in " ".join(run.stdout.split())


@pytest.mark.parametrize("arguments", [
    (), ("dance",), ("show",), ("show", "missing.usbdev"),
    ("import", "missing.txt"), ("import", "/")])
def test_bad_input_is_one_line_and_status_2(usb_lab, arguments):
    run = usb_lab(*arguments)
    assert (run.returncode, run.stdout) == (2, "")
    assert len(run.stderr.splitlines()) == 1, run.stderr
    assert run.stderr.startswith("usb-lab")


@pytest.mark.parametrize("command", [
    [str(LAB / "usb-lab")], [sys.executable, "-m", "usblab"]])
def test_it_is_a_command_of_its_own(command):
    path = f"{LAB}{os.pathsep}{LAB.parent / 'python'}"
    run = subprocess.run([*command, "show", "missing"], text=True, timeout=60,
                         capture_output=True, check=False,
                         env={**os.environ, "PYTHONPATH": path})
    assert run.returncode == 2
    assert run.stderr == "usb-lab: missing: No such file or directory\n"
