# SPDX-License-Identifier: GPL-2.0-or-later
"""
Write into a device file what a kernel has to make of the device.

What the file expects already stays, unless --replace is given; all else in
the file stays as it is.  Without options: show what is expected.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any, Dict, List

from .. import devicefile
from ..errors import Problem
from ..expect import KEYS, Expect

TABLE = re.compile(r"^\[expect\]\s*$")
HEADER = re.compile(r"^\[")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", metavar="DEVICE", type=Path,
                        help="a device file")
    for key, text in KEYS.items():
        parser.add_argument(f"--{key}", action="append", default=[],
                            metavar=key.upper(), help=text)
    parser.add_argument("--replace", action="store_true",
                        help="forget what was expected before")


def run(options: argparse.Namespace) -> int:
    file = devicefile.read(options.device)
    wanted = Expect() if options.replace else Expect().add(file.expect)
    for key in KEYS:
        news = getattr(options, key)
        known = getattr(wanted, key)
        wanted = wanted.add({key: [one for one in news if one not in known]})
    if options.replace or any(getattr(options, key) for key in KEYS):
        rewrite(options.device, wanted)
    for line in table(wanted):
        print(line)
    return 0


def table(wanted: Expect) -> List[str]:
    """The lines of [expect], nothing where nothing is expected."""
    told: Dict[str, Any] = {key: value[0] if len(value) == 1 else value
                            for key, value in vars(wanted).items() if value}
    rows = [f"{key} = {devicefile.toml(value)}"
            for key, value in told.items()]
    return ["[expect]", *rows] if rows else []


def rewrite(path: Path, wanted: Expect) -> None:
    """Put the table in place of the old one, at the end of the head."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    end = next((number for number, line in enumerate(lines)
                if devicefile.HEADING.match(line.rstrip("\r\n"))), len(lines))
    head = without_table(lines[:end])
    rows = [f"{line}\n" for line in table(wanted)]
    new = "".join([*head, *(["\n"] if head and rows else []), *rows,
                   *(["\n"] if rows and end < len(lines) else []),
                   *lines[end:]])
    check(new, path)
    part = path.with_name(path.name + ".part")
    part.write_text(new, encoding="utf-8")
    part.replace(path)


def without_table(head: List[str]) -> List[str]:
    """The head's lines without [expect], and without empty ones at its end.
    """
    kept: List[str] = []
    inside = False
    for line in head:
        if HEADER.match(line):
            inside = bool(TABLE.match(line))
        if not inside:
            kept.append(line)
    while kept and not kept[-1].strip():
        kept.pop()
    return kept


def check(text: str, path: Path) -> None:
    """A table that is written in another way would be there twice."""
    try:
        devicefile.parse(text)
    except Problem as problem:
        raise Problem(f"{path} has an [expect] that cannot be changed here "
                      f"({problem}); change it by hand") from None
