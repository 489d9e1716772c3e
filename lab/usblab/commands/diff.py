# SPDX-License-Identifier: GPL-2.0-or-later
"""
Compare two runs (folders of usb-lab run --results): what is broken, fixed or
flaky.  Exit status: 0 when nothing is broken, 1 when something is.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", metavar="RUN1", type=Path)
    parser.add_argument("after", metavar="RUN2", type=Path)


def run(options: argparse.Namespace) -> int:
    found = results.compare(results.read(options.before),
                            results.read(options.after))
    for word, key in found:
        print(f"{word}: {', '.join(key)}")
    if not found:
        print("no difference")
    return int(any(word == "broken" for word, _ in found))
