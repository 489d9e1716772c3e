# SPDX-License-Identifier: GPL-2.0-or-later
"""The pytest plugin, as far as it needs no guest."""

import sys

import pytest

from conftest import LAB
from test_try import TEXT

pytest_plugins = "pytester"

# what a guest would say, by the kernel's name
CONFTEST = """
from usblab import trial
from usblab.commands import try_
from usblab.expect import Seen
from usblab.kernels import Source
from usblab.trial import Outcome, Result

RESULTS = {"6.1": (Result.GOOD, []), "6.2": (Result.BAD, ["no driver"]),
           "6.3": (Result.SKIPPED, ["CONFIG_USB_HID is not set"])}

def run(setting, source):
    result, reasons = RESULTS[source.name]
    return Outcome(source.name, setting.controller, result, reasons,
                   Seen(lines=["usb 1-1: its log"]))

trial.run = run
try_.find_all = lambda specs: [Source(name, None) for name in specs or ["6.1"]]
"""


@pytest.fixture(name="run")
def run_pytest(pytester, monkeypatch):
    """pytest with the plugin, in a folder with a device file."""
    pytester.makefile(".py", stubs=CONFTEST)
    (pytester.path / "wheel.usbdev").write_text(TEXT)
    monkeypatch.setenv("PYTHONPATH", ":".join(map(str, (
        pytester.path, LAB, LAB.parent / "python"))))

    def run(*arguments):
        return pytester.run(
            sys.executable, "-m", "pytest", "-p", "stubs", "-p",
            "usblab.pytest_plugin", "-p", "no:cacheprovider", "-v",
            "--hypothesis-profile=default", *arguments)
    return run


def test_a_device_file_is_a_test_for_each_kernel_and_controller(run):
    found = run("--kernel", "6.1", "--kernel", "6.3", "--controller", "xhci",
                "--controller", "uhci", "-rs")
    found.assert_outcomes(passed=2, skipped=2)
    found.stdout.fnmatch_lines(["wheel.usbdev::6.1-xhci PASSED*",
                                "*CONFIG_USB_HID is not set*"])


def test_a_bad_kernel_is_told_with_its_log(run):
    found = run("--kernel", "6.2")
    found.assert_outcomes(failed=1)
    found.stdout.fnmatch_lines(["no driver", "usb 1-1: its log"])


def test_a_device_file_that_is_none_is_one_line(run, pytester):
    (pytester.path / "wheel.usbdev").write_text("[expect]\nx = 1\n" + TEXT)
    found = run()
    assert found.ret == 2
    found.stdout.fnmatch_lines(["*has no \"x\"*"])


def test_other_files_are_left_alone(run, pytester):
    pytester.makepyfile("def test_it(): pass")
    run().assert_outcomes(passed=2)
