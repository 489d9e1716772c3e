# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the lab is, and its command."""

import dataclasses
import io
import os
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


from usblab import cli


@dataclasses.dataclass
class Run:
    """What a command did."""
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def usb_lab(tmp_path, capsys, monkeypatch):
    """Run the command in a fresh folder, in this process."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, text=""):
        data = text if isinstance(text, bytes) else text.encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        capsys.readouterr()
        try:
            status = cli.main(list(map(str, arguments)))
        except SystemExit as ended:
            status = ended.code
        return Run(status, *capsys.readouterr())
    return run
