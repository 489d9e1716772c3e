# SPDX-License-Identifier: GPL-2.0-or-later
"""
What QEMU starts: the kernel proper, taken out of a bzImage.

QEMU starts an ELF vmlinux through PVH, without the decompressor that costs
three seconds in an emulated CPU.  A kernel without PVH is started as it is.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Callable, List, Tuple

from ..errors import Problem

ELF = b"\x7fELF"
MACHINES = {3: "32-bit x86", 40: "ARM", 183: "ARM64", 243: "RISC-V",
            21: "PowerPC", 22: "S390", 8: "MIPS", 258: "LoongArch"}
X86_64 = 62                             # e_machine
LOAD_64 = 1                             # of xloadflags: it has a 64-bit entry
PVH_NOTE = b"\x04\0\0\0" b"...." b"\x12\0\0\0" b"Xen\0"


def check(path: Path) -> bytes:
    """
    The bytes of a kernel for x86-64, a bzImage or vmlinux.

    Raises Problem for what is none, or for another processor.
    """
    try:
        data = path.read_bytes()
    except OSError as err:
        raise Problem(f"{path}: {err.strerror}") from None
    found = _processor(data)
    if found is None:
        raise Problem(f"{path} is no kernel: neither a bzImage nor an ELF "
                      "vmlinux")
    if found:
        raise Problem(f"{path} is a kernel for {found}, and the lab's guest "
                      "is x86-64")
    return data


def _processor(data: bytes) -> "str | None":
    """"" for ours, else its name; None when it is no kernel."""
    if data[:4] == ELF:
        machine = int.from_bytes(data[18:20], "little")
        return "" if machine == X86_64 else MACHINES.get(
            machine, f"the ELF machine {machine}")
    if data[0x202:0x206] == b"HdrS":
        flags = int.from_bytes(data[0x236:0x238], "little")
        return "" if flags & LOAD_64 else MACHINES[3]
    if data[56:60] == b"ARM\x64":
        return MACHINES[183]
    if data[0x30:0x34] == b"RISC" or data[0x38:0x3c] == b"RSC\x05":
        return MACHINES[243]
    return None


def release(data: bytes) -> str:
    """What `uname -r` will say, from a bzImage or vmlinux."""
    if data[:4] == ELF:
        found = re.search(rb"Linux version (\S+) ", data)
        return found[1].decode() if found else "unknown"
    at = 0x200 + int.from_bytes(data[0x20e:0x210], "little")
    return data[at:at + 256].split(b"\0")[0].split(b" ")[0].decode()


def has_pvh(elf: bytes) -> bool:
    """Whether QEMU can start this ELF file: CONFIG_PVH's note is in it."""
    return re.search(PVH_NOTE, elf, re.S) is not None


def bootable(path: Path, folder: Path) -> Path:
    """
    What QEMU is to start for the bzImage or vmlinux at @path: an ELF file
    with PVH, made in @folder, or the bzImage itself.
    """
    data = check(path)
    if data[:4] == ELF:
        if not has_pvh(data):
            raise Problem(f"QEMU cannot start {path}: CONFIG_PVH is not set; "
                          "give the bzImage of this kernel")
        return path
    try:
        elf = extract(data)
    except Problem:             # packed as we cannot, but it unpacks itself
        return path
    if not has_pvh(elf):
        return path
    target = folder / "vmlinux"
    part = target.with_suffix(".part")
    part.write_bytes(elf)
    part.rename(target)
    return target


def extract(image: bytes) -> bytes:
    """Return the ELF file inside the bzImage @image."""
    sectors = image[0x1f1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (sectors + 1) * 512 + offset
    elf = _decompress(image[start:start + length])
    if elf[:4] != ELF:
        raise Problem("what the bzImage unpacks to is no ELF file")
    return elf


def _decompress(data: bytes) -> bytes:
    """Unpack one of the kernel's formats; four bytes of size may follow."""
    for magic, unpack in _FORMATS:
        if data.startswith(magic):
            return unpack(data)
    raise Problem(f"unknown kernel compression, it begins {data[:4].hex()}")


def _zstd(data: bytes) -> bytes:
    if not shutil.which("zstd"):
        raise Problem("this kernel is packed with zstd, which is not there: "
                      "apt-get install zstd")
    result = subprocess.run(["zstd", "-dc"], input=data, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return result.stdout


_FORMATS: List[Tuple[bytes, Callable[[bytes], bytes]]] = [
    (b"\xfd7zXZ", lambda data: lzma.LZMADecompressor().decompress(data)),
    (b"\x5d\0\0", lambda data: lzma.LZMADecompressor().decompress(data)),
    (b"\x1f\x8b", lambda data: gzip.decompress(data[:-4])),
    (b"BZh", lambda data: bz2.BZ2Decompressor().decompress(data)),
    (b"\x28\xb5\x2f\xfd", _zstd),
]
