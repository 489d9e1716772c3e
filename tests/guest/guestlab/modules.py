# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernel modules with all that they need, in loading order.

Debian's package carries no modules.dep (its postinst makes one), so the
dependencies are read from the modules themselves.
"""

import lzma
import re
from pathlib import Path

from guestlab.places import Failure


class Modules:
    """The modules of one unpacked kernel package."""

    def __init__(self, root):
        self.root = Path(root)
        self.files = {_name(path): path for path in self.root.rglob("*.ko*")}
        self.builtin = self._read_builtin()

    def resolve(self, names):
        """Return the names in @names and their dependencies, those first."""
        order = []
        for name in names:
            self._visit(_canonical(name), order)
        return order

    def needs(self, name):
        """Return what the module @name depends on directly."""
        found = re.search(rb"(?:^|\0)depends=([^\0]*)\0", self.content(name))
        text = found.group(1).decode() if found else ""
        return [_canonical(word) for word in text.split(",") if word]

    def content(self, name):
        """Return the module's ELF file, uncompressed."""
        path = self.files[name]
        data = path.read_bytes()
        return lzma.decompress(data) if path.suffix == ".xz" else data

    def _visit(self, name, order):
        if name in order or name in self.builtin:
            return
        if name not in self.files:
            raise Failure(f"the kernel in {self.root} has no module {name}")
        for need in self.needs(name):
            self._visit(need, order)
        order.append(name)

    def _read_builtin(self):
        lists = self.root.rglob("modules.builtin")
        return {_name(Path(line)) for path in lists
                for line in path.read_text().split()}


def _canonical(name):
    return name.replace("-", "_")


def _name(path):
    return _canonical(path.name.split(".ko")[0])
