# SPDX-License-Identifier: GPL-2.0-or-later
"""
An unpacked kernel package: the places differ from release to release.

Debian has boot/vmlinuz-RELEASE, boot/config-RELEASE and lib/modules/RELEASE;
usr/lib/modules from 13 on; from 6.16 on the configuration, and from 6.19 on
the image too, is in usr/lib/modules/RELEASE, in packages of their own.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import List

from ..errors import Problem
from . import image
from .kernel import Kernel

MODULES = ("usr/lib/modules", "lib/modules")


def images(root: Path) -> List[Path]:
    """The kernels below an unpacked package's root."""
    found = sorted(root.glob("boot/vmlinuz-*")) + [
        path for place in MODULES
        for path in sorted(root.glob(f"{place}/*/vmlinuz"))]
    return [path for path in found if path.is_file()]


def kernel(name: str, root: Path, folder: Path, suite: str = "") -> Kernel:
    """The kernel there; raises Problem where there is none, or several."""
    found = images(root)
    if len(found) != 1:
        raise Problem(f"{name} has {len(found)} kernels, not one")
    release = _release(found[0])
    target = folder / "vmlinux"
    start = target if target.exists() else image.bootable(found[0], folder)
    modules = [root / place / release for place in MODULES
               if (root / place / release).is_dir()]
    configs = [root / "boot" / f"config-{release}",
               *(place / "config" for place in modules)]
    return Kernel(name, release, start, modules[0] if modules else None,
                  next((path for path in configs if path.exists()), None),
                  folder, suite)


def _release(path: Path) -> str:
    """From the name of the file, or of the folder that it is in."""
    if path.name == "vmlinuz":
        return path.parent.name
    return re.sub("^vmlinuz-", "", path.name)
