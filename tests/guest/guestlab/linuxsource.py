# SPDX-License-Identifier: GPL-2.0-or-later
"""Single files of the kernel's source, out of Debian's package of it."""

import re
import shutil
import subprocess

from guestlab.places import Failure

import archive
import steps


def get(kernel, path):
    """
    The file at @path of the source of @kernel (kernel.Kernel), as a Path.

    The package is fetched once and not kept; nothing else is unpacked.
    """
    target = kernel.root / path.rpartition("/")[2]
    if not target.exists():
        _fetch(kernel, path, target)
    return target


def _fetch(kernel, path, target):
    version = re.match(r"\d+\.\d+", kernel.release).group()
    package = f"linux-source-{version}"
    debian = archive.Archive("deb", kernel.root.name)
    debian.update()
    folder = archive.empty_folder(kernel.root / "download")
    steps.run(f"Downloading {package}", debian.apt("download", package),
              f"guest-{package}.log", cwd=folder)
    name, = folder.glob("*.deb")
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
