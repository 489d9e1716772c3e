# SPDX-License-Identifier: GPL-2.0-or-later
"""
Kernels to be booted: image, modules and configuration, wherever they are.

find() takes what a person writes after -k, see SPECS; a Source becomes a
Kernel when it is used, so that a pattern costs nothing for the kernels that
nobody boots.
"""

from __future__ import annotations

from typing import List

from ..errors import Problem
from ..places import own_suite
from . import debian, files
from .kernel import Kernel, Source, check

SPECS = """\
a kernel is one of
  debian:VERSION       Debian's package: debian:6.12.57, debian:6.1.0-50
  debian:PATTERN       all that match, oldest first: 'debian:6.12.*'
  debian:SUITE         the newest of a suite: debian:trixie-backports
  FILE.deb[,FILE.deb]  packages that are here, of the same kernel
  DIRECTORY            a build tree (also one made with O=) or unpacked package
  IMAGE[:MODULES]      a bzImage or vmlinux, and the folder of its modules"""


def find(spec: str) -> List[Source]:
    """
    The kernels that a specification names, oldest first.

    Raises Problem when there is none, and says why.
    """
    prefix, colon, rest = spec.partition(":")
    if colon and prefix == "debian":
        return debian.find(rest)
    if "://" in spec or not spec:
        raise Problem(f"'{spec}' names no kernel; {SPECS}")
    return [files.find(spec)]


def default() -> Source:
    """The kernel of this machine's own Debian release."""
    return debian.find(own_suite())[-1]


__all__ = ["Kernel", "Source", "SPECS", "check", "default", "find"]
