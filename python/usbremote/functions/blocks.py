# SPDX-License-Identifier: MIT
"""What disks keep their blocks in."""

from __future__ import annotations

import io
import os
from typing import BinaryIO, Protocol

from ..errors import LocalError


class Blocks(Protocol):
    """
    A medium of `count` blocks of `block` bytes.  Places and sizes are in
    bytes; what cannot be read or written raises OSError.
    """

    @property
    def block(self) -> int: ...

    @property
    def count(self) -> int: ...

    @property
    def read_only(self) -> bool: ...

    def read(self, at: int, size: int) -> bytes: ...

    def write(self, at: int, data: bytes) -> None: ...

    def flush(self) -> None:
        """What was written is safe."""


class Memory:
    """Blocks that are lost with the program."""

    read_only = False

    def __init__(self, count: int, block: int = 512) -> None:
        self.block, self.count = block, count
        self.data = bytearray(count * block)

    def read(self, at: int, size: int) -> bytes:
        return bytes(self.data[at:at + size])

    def write(self, at: int, data: bytes) -> None:
        self.data[at:at + len(data)] = data

    def flush(self) -> None:
        """There is no safer place."""


class File:
    """
    Blocks in an open, unbuffered file; name is for errors.

    Raises LocalError for what is no file of at least a block.
    """

    def __init__(self, file: BinaryIO, name: str, block: int = 512,
                 read_only: bool = False) -> None:
        self.block, self.read_only, self._file = block, read_only, file
        if not file.seekable():
            file.close()
            raise LocalError(f"{name}: is neither a file nor a disk")
        self.count = file.seek(0, os.SEEK_END) // block
        if not self.count:
            file.close()
            raise LocalError(f"{name}: has not even one block of {block} "
                             "bytes")

    @classmethod
    def open(cls, path: str, block: int = 512, read_only: bool = False
             ) -> "File":
        """The file of this path; raises OSError, and LocalError as above."""
        file = io.FileIO(path, "r" if read_only else "r+",
                         opener=_without_waiting)
        return cls(file, path, block, read_only)

    def read(self, at: int, size: int) -> bytes:
        self._file.seek(at)
        data = self._file.read(size)
        if len(data) < size:
            raise OSError("the file has become shorter")
        return data

    def write(self, at: int, data: bytes) -> None:
        self._file.seek(at)
        while data:
            data = data[self._file.write(data):]

    def flush(self) -> None:
        os.fsync(self._file.fileno())


def _without_waiting(path: str, flags: int) -> int:
    """For open(): a pipe waits for who writes to it else."""
    return os.open(path, flags | os.O_NONBLOCK)
