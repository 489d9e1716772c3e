# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own kernel package, unpacked under build/guest, never installed."""

import functools
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from guestlab.places import BUILD, Failure
from guestlab.vmlinux import extract

import archive
import packages
import steps
from common import say, shown

# The generic flavour; the -cloud- one has no USB host controllers.
META_PACKAGE = "linux-image-amd64"


@dataclass(frozen=True)
class Kernel:
    """An unpacked kernel package, and the busybox that came with it."""

    root: Path

    @property
    def image(self):
        """The ELF file that QEMU starts."""
        return self.root / "vmlinux"

    @property
    def modules(self):
        """The folder with the modules in it."""
        return self.root / "root" / "lib" / "modules"

    @property
    def busybox(self):
        """The static busybox."""
        return self.root / "root" / "bin" / "busybox"

    @property
    def e2fsprogs(self):
        """The folder with e2fsprogs and its libraries."""
        return self.root / "e2fsprogs"

    @property
    def libusb(self):
        """The folder with libusb, its header and the libraries it needs."""
        return self.root / "libusb"

    @property
    def release(self):
        """What `uname -r` says in the guest."""
        return (self.root / "release").read_text().strip()


def get():
    """Return the kernel, fetched first if need be; GUEST_SUITE chooses."""
    suite = os.environ.get("GUEST_SUITE") or packages.needed().codename
    kernel = Kernel(BUILD / "guest" / suite)
    if not (kernel.root / "release").exists():
        _fetch(suite, kernel)
    if not kernel.e2fsprogs.exists():
        _fetch_e2fsprogs(suite, kernel)
    if not kernel.libusb.exists():
        _fetch_libusb(suite, kernel)
    return kernel


@functools.lru_cache(maxsize=None)
def _archive(suite):
    debian = archive.Archive("deb", suite)
    debian.update()
    return debian


def _fetch(suite, kernel):
    debian = _archive(suite)
    image = _image_package(debian)
    unpacked = archive.empty_folder(kernel.root / "root")
    _unpack(debian, kernel, [image, "busybox-static"], unpacked)
    _finish(kernel, unpacked)


def _fetch_e2fsprogs(suite, kernel):
    """It has no static build, so its libraries come with it."""
    needs = _libraries(_archive(suite), "e2fsprogs")
    _fetch_folder(suite, kernel, ["e2fsprogs", *needs], kernel.e2fsprogs)


def _fetch_libusb(suite, kernel):
    """Debian's needs libudev, which it has no static build of.  What that
    needs differs between releases; all have the C library of e2fsprogs."""
    needs = {*_libraries(_archive(suite), "libusb-1.0-0"),
             *_libraries(_archive(suite), "libudev1")} - {"libc6"}
    _fetch_folder(suite, kernel, ["libusb-1.0-0", "libusb-1.0-0-dev",
                                  *sorted(needs)], kernel.libusb)


def _libraries(debian, package):
    return [name for name in _dependencies(debian, package)
            if name.startswith("lib")]


def _fetch_folder(suite, kernel, names, target):
    """Have what packages contain in @target, all of it or nothing."""
    part = archive.empty_folder(target.with_suffix(".part"))
    _unpack(_archive(suite), kernel, names, part)
    _flatten_usr_merge(part)
    part.rename(target)


def _unpack(debian, kernel, names, target):
    """Download packages and unpack them into the folder @target."""
    folder = archive.empty_folder(kernel.root / "download")
    steps.run(f"Downloading {names[0]}", debian.apt("download", *names),
              f"guest-{debian.suite}.log", cwd=folder)
    for package in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, target], check=True)
    shutil.rmtree(folder)


def _finish(kernel, unpacked):
    """Make the vmlinux; the release, written last, says that all is there."""
    images = sorted(unpacked.glob("boot/vmlinuz-*"))
    if len(images) != 1:
        raise Failure(f"{shown(unpacked)}/boot has {len(images)} kernels, "
                      "not one")
    kernel.image.write_bytes(extract(images[0].read_bytes()))
    _flatten_usr_merge(unpacked)
    release = images[0].name.split("-", 1)[1]
    (kernel.root / "release").write_text(release + "\n")
    say(f"Linux {release} in {shown(kernel.root)}")


def _flatten_usr_merge(unpacked):
    """From Debian 13 on the packages have /usr/lib and /usr/bin only."""
    for name in ("lib", "lib64", "bin", "sbin"):
        if not (unpacked / name).exists():
            (unpacked / name).symlink_to(f"usr/{name}")


def _image_package(debian):
    """The package that the meta package depends on today."""
    for name in _dependencies(debian, META_PACKAGE):
        if name.startswith("linux-image-"):
            return name
    raise Failure(f"Debian {debian.suite} has no {META_PACKAGE}")


def _dependencies(debian, package):
    """The packages that @package needs, each alternative of them too."""
    command = ["apt-cache", *debian.apt()[1:], "depends", package]
    query = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                           stderr=subprocess.DEVNULL, check=False)
    lines = [line.strip(" |").split(": ") for line in query.stdout.split("\n")]
    return [line[1] for line in lines if line[0] in ("Depends", "PreDepends")]
