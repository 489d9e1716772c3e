# SPDX-License-Identifier: GPL-2.0-or-later
"""
Where things are in the checkout, and what the build scripts lend us, with
types: nothing else of the lab imports them.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from pathlib import Path
from typing import Any, ContextManager, List, Optional, Sequence, Type

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(1, str(TOP / "scripts" / "lib"))

# They have no types, and mypy does not find them.
archive, bases, common, packages, steps = (
    importlib.import_module(name) for name in
    ("archive", "bases", "common", "packages", "steps"))

BUILD: Path = common.BUILD
PYTHON = "/usr/bin/python3"


# Something a person has to act on, and what cannot be had here; both carry
# a message that says what.
Failure: Type[Exception] = common.Failure
Unavailable: Type[Exception] = common.Unavailable


def locked(folder: Path) -> ContextManager[None]:
    """Only one program at a time makes something in a folder."""
    lock: ContextManager[None] = common.locked(folder)
    return lock


def say(text: str) -> None:
    """One line for the person who waits."""
    common.say(text)


def shown(path: Path) -> str:
    """A path as a person wants to read it."""
    return str(common.shown(path))


def run_step(title: str, command: Sequence[Any], log: str,
             cwd: Optional[Path] = None) -> None:
    """One long step, with progress; its output goes to build/logs/LOG."""
    steps.run(title, command, log, cwd=cwd)


def empty_folder(path: Path) -> Path:
    """Have an empty folder there."""
    made: Path = archive.empty_folder(path)
    return made


def debian_archive(suite: str) -> Any:
    """A suite's binary packages, see archive.Archive."""
    return archive.Archive("deb", suite)


def newest(versions: List[str]) -> str:
    """The highest of some Debian version numbers."""
    return str(archive.newest(versions))


def own_suite() -> str:
    """The Debian release of this machine."""
    return str(packages.needed().codename)


@functools.lru_cache(maxsize=None)
def qemu() -> str:
    """The QEMU with the device: `make qemu` builds it, $QEMU names another."""
    path = Path(os.environ.get("QEMU") or bases.chosen().binary())
    if not os.access(path, os.X_OK):
        raise Failure(f"there is no QEMU at {path}; `make qemu` builds it")
    return str(path)
