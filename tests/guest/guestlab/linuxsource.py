# SPDX-License-Identifier: GPL-2.0-or-later
"""Single files of the kernel's source, out of Debian's package of it."""

import re
import shutil
import subprocess

from usblab.kernels.debian import download
from usblab.places import debian_archive

from guestlab.places import Failure


def get(kernel, path):
    """
    The file at @path of the source of @kernel (kernels.Kernel), as a Path.

    The package is fetched once and not kept; nothing else is unpacked.
    """
    target = kernel.folder / path.rpartition("/")[2]
    if not target.exists():
        _fetch(kernel, path, target)
    return target


def _fetch(kernel, path, target):
    version = re.match(r"\d+\.\d+", kernel.release).group()
    package = f"linux-source-{version}"
    if not kernel.suite:
        raise Failure(f"the kernel {kernel.name} is not Debian's, and where "
                      "its source is, nobody knows")
    debian = debian_archive(kernel.suite)
    debian.update()
    folder = kernel.folder / "download"
    name, = download(debian, [package], folder)
    part = target.with_suffix(".part")
    with part.open("wb") as output:
        _unpack_one(name, package, path, output)
    if not part.stat().st_size:
        raise Failure(f"{package} has no {path}")
    part.rename(target)
    shutil.rmtree(folder)


def _unpack_one(deb, package, path, output):
    """A tar file in a tar file: from one program into the next."""
    stages = (
        ["dpkg-deb", "--fsys-tarfile", deb],
        ["tar", "-xO", "--occurrence=1", f"./usr/src/{package}.tar.xz"],
        ["xz", "-dc"],
        ["tar", "-xO", "--occurrence=1", f"{package}/{path}"])
    running, source = [], subprocess.DEVNULL
    for stage in stages:
        last = stage is stages[-1]
        process = subprocess.Popen(
            stage, stdin=source, stderr=subprocess.DEVNULL,
            stdout=output if last else subprocess.PIPE)
        running.append(process)
        source = process.stdout
    for process in running[:-1]:
        process.stdout.close()      # it ends when the next one does
    for process in reversed(running):
        process.wait()
