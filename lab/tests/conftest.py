# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the lab is, and its command."""

import os
import subprocess
import sys
from pathlib import Path

LAB = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(LAB), str(LAB.parent / "python")]
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY",
                      str(LAB.parent / "build" / "hypothesis"))

# pylint: disable=wrong-import-position
import hypothesis
import pytest

# The same cases each time, so that a change is what made a test fail;
# HYPOTHESIS_PROFILE=search looks for new ones.
hypothesis.settings.register_profile("check", derandomize=True, deadline=None,
                                     database=None)
hypothesis.settings.register_profile("search", deadline=None,
                                     max_examples=2000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE",
                                                "check"))


@pytest.fixture
def usb_lab(tmp_path):
    """Run the command in a fresh folder."""
    def run(*arguments, text=None):
        return subprocess.run([str(LAB / "usb-lab"), *map(str, arguments)],
                              cwd=tmp_path, input=text, text=True, timeout=60,
                              capture_output=True, check=False)
    return run
