# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel proper, taken out of a bzImage.

QEMU starts an ELF vmlinux through PVH, without the decompressor that costs
three seconds in an emulated CPU.
"""

import bz2
import gzip
import lzma
import shutil
import struct
import subprocess

from guestlab.places import Failure


def extract(image):
    """Return the ELF file inside the bzImage @image (bytes)."""
    if image[0x202:0x206] != b"HdrS":
        raise Failure("the kernel is no bzImage: it has no HdrS header")
    sectors = image[0x1f1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (sectors + 1) * 512 + offset
    elf = _decompress(image[start:start + length])
    if elf[:4] != b"\x7fELF":
        raise Failure("what the bzImage unpacks to is no ELF file")
    return elf


def _decompress(data):
    """Unpack one of the kernel's formats; four bytes of size may follow."""
    for magic, unpack in _FORMATS:
        if data.startswith(magic):
            return unpack(data)
    raise Failure(f"unknown kernel compression, it begins {data[:4].hex()}")


def _zstd(data):
    if not shutil.which("zstd"):
        raise Failure("this kernel is packed with zstd, which is not there: "
                      "apt-get install zstd")
    result = subprocess.run(["zstd", "-dc"], input=data, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return result.stdout


_FORMATS = [
    (b"\xfd7zXZ", lambda data: lzma.LZMADecompressor().decompress(data)),
    (b"\x5d\0\0", lambda data: lzma.LZMADecompressor().decompress(data)),
    (b"\x1f\x8b", lambda data: gzip.decompress(data[:-4])),
    (b"BZh", lambda data: bz2.BZ2Decompressor().decompress(data)),
    (b"\x28\xb5\x2f\xfd", _zstd),
]
