# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are in the checkout; what the lab and its scripts lend us."""

from usblab.places import (BUILD, PYTHON, TOP, Failure,      # noqa: F401
                           Unavailable, locked, qemu)

GUEST = TOP / "tests" / "guest"
EXAMPLES = TOP / "examples"
