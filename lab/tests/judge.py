# SPDX-License-Identifier: GPL-2.0-or-later
"""The installed lsusb as a judge: what it prints of any bytes."""

import pytest

from usblab import mock

umockdev = mock.record


def lsusb(devices):
    """What lsusb -v prints of each of them; skipped where it is missing."""
    for program in mock.missing():
        pytest.skip(f"{program} is not installed")
    return mock.lsusb(devices)
