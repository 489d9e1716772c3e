# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are in the checkout; what the build scripts lend us."""

import functools
import os
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[3]
sys.path.insert(1, str(TOP / "scripts" / "lib"))

import bases                                      # noqa: E402
from common import BUILD, Failure, Unavailable, locked  # noqa: E402,F401

GUEST = TOP / "tests" / "guest"
EXAMPLES = TOP / "examples"
PYTHON = "/usr/bin/python3"


@functools.lru_cache(maxsize=None)
def qemu():
    """The QEMU under test: `make qemu` builds it, $QEMU names another."""
    path = Path(os.environ.get("QEMU") or bases.chosen().binary())
    if not os.access(path, os.X_OK):
        raise Failure(f"there is no QEMU at {path}; `make qemu` builds it")
    return str(path)
