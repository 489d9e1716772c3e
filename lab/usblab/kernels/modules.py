# SPDX-License-Identifier: GPL-2.0-or-later
"""
Kernel modules with all that they need, in loading order.

Debian's package carries no modules.dep (its postinst makes one), and a build
tree none either, so what there is to know is read from the modules.
"""

from __future__ import annotations

import functools
import json
import lzma
import re
import subprocess
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Dict, Iterable, List, Optional, Set

from ..errors import Problem

# Folders of a kernel that have never had a driver of a USB device.
NO_USB = re.compile(
    r"^(kernel/)?(arch|crypto|fs|lib|mm|net|virt|"
    r"sound/(soc|pci|soundwire|isa)|drivers/"
    r"(ata|block|cpufreq|crypto|edac|fpga|gpu/drm/(amd|i915|nouveau|radeon|xe"
    r"|vmwgfx|ast|mgag200|gma500|qxl|bochs)|infiniband|md|mtd|nvme|net/"
    r"(ethernet|fddi|hyperv|phy|team|bonding|vxlan|wan)|pci|pinctrl|ptp|"
    r"target|thermal|vfio|vhost|virtio|xen))/")
# Beside usb: a HID device's driver, and what a card's reader finds.
ALIAS = re.compile(rb"\0?alias=((?:usb|hid|input|scsi):[^\0]*)\0")


class Modules:
    """
    The modules below a folder: those of one kernel.  known: whether there
    is a list of the built-in ones, so that what is not here is nowhere.
    """

    def __init__(self, root: Optional[Path]) -> None:
        self.root = root
        found = root.rglob("*.ko*") if root else ()
        self.files: Dict[str, Path] = {_name(path): path for path in found
                                       if _is_module(path)}
        lists = list(root.rglob("modules.builtin")) if root else []
        self.known = bool(lists)
        self.builtin: Set[str] = {_name(Path(line)) for path in lists
                                  for line in path.read_text().split()}

    def has(self, name: str) -> bool:
        """Whether there is such a module, or it is built in."""
        return canonical(name) in self.files or \
            canonical(name) in self.builtin

    def resolve(self, names: Iterable[str]) -> List[str]:
        """Return the names in @names and their dependencies, those first."""
        order: List[str] = []
        for name in names:
            self._visit(canonical(name), order)
        return order

    def there(self, names: Iterable[str]) -> List[str]:
        """Those of some modules that this kernel has."""
        return [name for name in names if self.has(name)]

    def needs(self, name: str) -> List[str]:
        """Return what the module @name depends on directly."""
        found = re.search(rb"(?:^|\0)depends=([^\0]*)\0", self.content(name))
        text = found.group(1).decode() if found else ""
        return [canonical(word) for word in text.split(",") if word]

    def content(self, name: str) -> bytes:
        """Return the module's ELF file, uncompressed."""
        return _content(self.files[name])

    def aliases(self, cache: Path) -> Dict[str, List[str]]:
        """
        Of each module that a device can ask for, the aliases; kept in the
        file @cache, for all modules have to be read.
        """
        if cache.exists():
            kept: Dict[str, List[str]] = json.loads(cache.read_text())
            return kept
        paths = [path for path in self.files.values()
                 if self.root and not NO_USB.search(
                     str(path.relative_to(self.root)))]
        with ProcessPoolExecutor() as pool:
            read = pool.map(_aliases, paths, chunksize=64)
            found = {_name(path): names
                     for path, names in zip(paths, read) if names}
        part = cache.with_suffix(".part")
        part.write_text(json.dumps(found))
        part.rename(cache)
        return found

    def _visit(self, name: str, order: List[str]) -> None:
        if name in order or name in self.builtin:
            return
        if name not in self.files:
            raise Problem(f"the kernel in {self.root} has no module {name}")
        for need in self.needs(name):
            self._visit(need, order)
        order.append(name)


def canonical(name: str) -> str:
    """A module's name as the kernel shows it."""
    return name.replace("-", "_")


def _name(path: Path) -> str:
    return canonical(path.name.split(".ko")[0])


def _is_module(path: Path) -> bool:
    return re.search(r"\.ko(\.(xz|gz|zst))?$", path.name) is not None


@functools.lru_cache(maxsize=64)
def _content(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix in (".zst", ".gz"):
        tool = {"zst": "zstd", "gz": "gzip"}[path.suffix[1:]]
        return subprocess.run([tool, "-dc", path], check=True,
                              stdout=subprocess.PIPE).stdout
    return data


def _aliases(path: Path) -> List[str]:
    """What a module says that it is a driver for."""
    found = {text.decode(errors="replace")
             for text in ALIAS.findall(_content.__wrapped__(path))}
    return sorted(found)
