# SPDX-License-Identifier: GPL-2.0-or-later
"""One kernel on this machine, and one that can be had."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

from ..errors import Problem
from .config import Config
from .modules import Modules


@dataclass(frozen=True)
class Kernel:
    """
    name: for tables.  release: what `uname -r` says.  image: what QEMU
    starts, an ELF vmlinux where it can be.  module_root: the folder with
    the modules and modules.builtin in it, None without modules.
    config_path: its configuration, where there is one.  folder: for what is
    made for it.  suite: that of Debian which it is from.
    """

    name: str
    release: str
    image: Path
    module_root: Optional[Path]
    config_path: Optional[Path]
    folder: Path
    suite: str = ""

    @property
    def modules(self) -> Modules:
        """Its modules."""
        return _modules(self.module_root)

    @property
    def config(self) -> Config:
        """Its configuration; empty where it is not known."""
        return _config(self.config_path)


@functools.lru_cache(maxsize=8)
def _modules(root: Optional[Path]) -> Modules:
    return Modules(root)


@functools.lru_cache(maxsize=8)
def _config(path: Optional[Path]) -> Config:
    return Config(path)


@dataclass(frozen=True)
class Source:
    """A kernel that can be had: its name, and what fetches or reads it."""

    name: str
    get: Callable[[], Kernel]


# What a guest of the lab cannot do without: option, the module that it is.
NEEDED = (
    ("BLK_DEV_INITRD", None), ("DEVTMPFS", None),
    ("SERIAL_8250_CONSOLE", None),
    ("VIRTIO_PCI", "virtio_pci"), ("VIRTIO_CONSOLE", "virtio_console"),
)


def check(kernel: Kernel) -> Kernel:
    """Raises Problem, with the option's name, for a kernel of no use here."""
    lacking = [option for option, module in NEEDED
               if _lacks(kernel, option, module)]
    if _lacks(kernel, "USB", "usbcore"):
        raise Problem(f"the kernel {kernel.name} has no USB: CONFIG_USB is "
                      "not set")
    if lacking:
        names = ", ".join(f"CONFIG_{option}" for option in lacking)
        raise Problem(f"the kernel {kernel.name} cannot be the lab's guest "
                      f"without {names}")
    return kernel


def _lacks(kernel: Kernel, option: str, module: Optional[str]) -> bool:
    """Whether it is known that the kernel has not got it."""
    value = kernel.config.get(option)
    if module is None or value == "y":
        return kernel.config.known and value != "y"
    if kernel.modules.known:
        return not kernel.modules.has(module)
    return kernel.config.known
