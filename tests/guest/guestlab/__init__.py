# SPDX-License-Identifier: GPL-2.0-or-later
"""A real Linux guest, its devices, and what is measured in it."""

import sys
from pathlib import Path

# The lab has what boots a guest and talks with it.
sys.path.insert(1, str(Path(__file__).resolve().parents[3] / "lab"))
