# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes to the text of the installed lsusb, and back."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import judge
import trees
from usblab.commands.show import sysfs_bytes
from usblab.describe import describe
from usblab.devicefile import DeviceFile, Part


def read(text):
    return describe(DeviceFile(parts=[Part("lsusb", "", text, 1)]))


# each has up to 25 devices; HYPOTHESIS_PROFILE=search tries more
EXAMPLES = 12 if settings.default.derandomize else 300


@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(st.lists(trees.devices(), min_size=1, max_size=25))
def test_any_tree_comes_back_from_what_lsusb_prints_of_it(devices):
    for data, text in zip(devices, judge.lsusb(devices)):
        assert sysfs_bytes(read(text)).hex() == data.hex(), text
