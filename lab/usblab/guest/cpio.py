# SPDX-License-Identifier: GPL-2.0-or-later
"""A writer for the newc archives that the kernel takes as an initramfs."""

from __future__ import annotations

import stat
from typing import List, Set, Tuple


class Archive:
    """Collects files; content() is the finished archive."""

    def __init__(self) -> None:
        self._parts: List[bytes] = []
        self._names: Set[str] = set()

    def directory(self, name: str) -> None:
        """Add the folder @name and those that it is in."""
        for end in [i for i, c in enumerate(name) if c == "/"] + [len(name)]:
            if name[:end] not in self._names:
                self._add(name[:end], stat.S_IFDIR | 0o755, b"")

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """Add a plain file."""
        if "/" in name:
            self.directory(name.rsplit("/", 1)[0])
        self._add(name, stat.S_IFREG | mode, data)

    def symlink(self, name: str, target: str) -> None:
        """Add a symbolic link."""
        self._add(name, stat.S_IFLNK | 0o777, target.encode())

    def console(self) -> None:
        """Add /dev/console: process 1 has no outputs without it."""
        self.directory("dev")
        self._add("dev/console", stat.S_IFCHR | 0o600, b"", device=(5, 1))

    def content(self) -> bytes:
        """Return the archive."""
        return b"".join(self._parts) + _entry(0, "TRAILER!!!", 0, b"", (0, 0))

    def _add(self, name: str, mode: int, data: bytes,
             device: Tuple[int, int] = (0, 0)) -> None:
        self._names.add(name)
        inode = len(self._names)
        self._parts.append(_entry(inode, name, mode, data, device))


def _entry(inode: int, name: str, mode: int, data: bytes,
           device: Tuple[int, int]) -> bytes:
    path = name.encode() + b"\0"
    fields = [inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0]
    head = b"070701" + b"".join(b"%08x" % field for field in fields)
    return _padded(head + path) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
