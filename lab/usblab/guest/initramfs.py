# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's whole file system: busybox, our init, modules of a kernel."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, Sequence

from ..kernels import Kernel
from . import cpio, userland

# Loaded by init, before it says that the guest is there.
CHANNEL = ("virtio_pci", "virtio_console")
CONTROLLERS = ("ehci_pci", "uhci_hcd", "ohci_pci", "xhci_pci")
# For what a device brings that asks for no module by itself.
BESIDES = ("usbmon", "hid_generic", "evdev", "mousedev", "joydev", "sd_mod",
           "sr_mod", "sg", "ext4", "crc32c_generic", "vfat", "nls_ascii",
           "nls_cp437", "nls_iso8859_1", "af_packet", "tun")
PROGRAMS: Mapping[str, Sequence[str]] = {
    "init": ("init.c", "agent.c", "hotplug.c")}


class Initramfs:
    """One file system for one kernel, filled and then written."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.archive = cpio.Archive()
        self.archive.console()
        for name in ("proc", "sys", "tmp", "mnt", "root"):
            self.archive.directory(name)
        self._add_busybox(userland.busybox())
        for name, sources in PROGRAMS.items():
            self.program(name, userland.compiled(
                name, [userland.INIT / source for source in sources]))

    def program(self, name: str, path: Path) -> None:
        """Add a program that is @path here and @name in the guest."""
        self.archive.file(name, path.read_bytes(), 0o755)

    def modules(self, boot: Iterable[str], more: Iterable[str] = (),
                aliases: Mapping[str, Sequence[str]] = {}) -> None:
        """
        Add modules: of @boot those that the kernel has, loaded by init;
        @more, for `load NAME`; those with @aliases, loaded when a device
        asks for one.
        """
        modules = self.kernel.modules
        first = modules.resolve(modules.there(boot))
        order = modules.resolve([*first, *modules.there(more), *aliases])
        folder = f"lib/modules/{self.kernel.release}"
        for name in order:
            self.archive.file(f"{folder}/{name}.ko", modules.content(name))
        needs = {name: modules.resolve([name])[:-1] for name in order}
        for name, lines in (
                ("modules.dep", _dependencies(needs)),
                ("modules.builtin", _names(modules.builtin)),
                ("modules.alias", _aliases(aliases))):
            self.archive.file(f"{folder}/{name}", "".join(lines).encode())
        if aliases:
            self.archive.file("lib/modules/hotplug", b"")
        paths = "".join(f"/{folder}/{name}.ko\n" for name in first)
        self.archive.file("lib/modules/boot.list", paths.encode())
        self.archive.file("bin/load", _LOAD, 0o755)

    def write(self, path: Path) -> Path:
        """Never leave half a file, or change one that a guest is reading."""
        part = path.with_suffix(".part")
        part.write_bytes(self.archive.content())
        part.rename(path)
        return path

    def _add_busybox(self, busybox: Path) -> None:
        self.program("bin/busybox", busybox)
        applets = subprocess.run([busybox, "--list"], check=True, text=True,
                                 stdout=subprocess.PIPE).stdout.split()
        for applet in applets:
            if applet != "busybox":
                self.archive.symlink(f"bin/{applet}", "busybox")
        self.archive.directory("sbin")
        self.archive.symlink("sbin/modprobe", "/bin/busybox")


def every_driver(kernel: Kernel) -> Path:
    """A file system with each module that a USB device can ask for."""
    target = kernel.folder / "every-driver.cpio"
    made = Initramfs(kernel)
    made.modules([*CHANNEL, *CONTROLLERS], BESIDES,
                 kernel.modules.aliases(kernel.folder / "aliases.json"))
    return made.write(target)


def _dependencies(needs: Dict[str, List[str]]) -> List[str]:
    """The lines of modules.dep: what is to be loaded first is last."""
    return [f"{name}.ko: {' '.join(f'{need}.ko' for need in reversed(first))}"
            .rstrip() + "\n" for name, first in needs.items()]


def _names(names: Iterable[str]) -> List[str]:
    return [f"kernel/{name}.ko\n" for name in sorted(names)]


def _aliases(aliases: Mapping[str, Sequence[str]]) -> List[str]:
    return [f"alias {alias} {name}\n" for name, found in aliases.items()
            for alias in found]


_LOAD = b"""#!/bin/sh
# load NAME [OPTION=VALUE...]: insert a module after all that it needs
modprobe "$@" || { echo "load: no module $1 in this initramfs"; exit 1; }
"""
