# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs for the guest, from packages of this machine's Debian release."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Sequence

from ..kernels import debian
from ..places import BUILD, Failure, empty_folder, own_suite

INIT = Path(__file__).parent / "init"
LIBRARY_FOLDER = "lib/x86_64-linux-gnu"


def folder() -> Path:
    """Where they are; what is made from them may be kept there, too."""
    path = BUILD / "guest" / f"user-{own_suite()}"
    path.mkdir(parents=True, exist_ok=True)
    return path


def unpacked(name: str, packages: Sequence[str]) -> Path:
    """
    A folder with all that some packages contain, and the libraries that they
    depend on, fetched once.
    """
    target = folder() / name
    if not target.exists():
        part = empty_folder(target.with_suffix(".part"))
        for package in debian.user_packages(list(packages),
                                            folder() / "download"):
            subprocess.run(["dpkg-deb", "-x", package, part], check=True)
        _flatten_usr_merge(part)
        part.rename(target)
    return target


def busybox() -> Path:
    """The static busybox."""
    return unpacked("busybox", ["busybox-static"]) / "bin" / "busybox"


def _flatten_usr_merge(root: Path) -> None:
    """From Debian 13 on the packages have /usr/lib and /usr/bin only."""
    for name in ("lib", "lib64", "bin", "sbin"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")


def compiled(name: str, sources: Sequence[Path],
             options: Sequence[str] = ("-static",)) -> Path:
    """Compile when a source is newer than the program; returns its path."""
    program = folder() / name.replace("/", "-")
    newest = max(path.stat().st_mtime for source in sources
                 for path in source.parent.rglob("*.[ch]"))
    if not program.exists() or program.stat().st_mtime < newest:
        _compile(sources, program, options)
    return program


def _compile(sources: Sequence[Path], program: Path,
             options: Sequence[str]) -> None:
    command = ["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror",
               "-o", str(program), *map(str, sources), *options]
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        raise Failure("there is no gcc: apt-get install gcc libc6-dev"
                      ) from None
    except subprocess.CalledProcessError:
        raise Failure(f"cannot compile {program.name} for the guest"
                      ) from None
