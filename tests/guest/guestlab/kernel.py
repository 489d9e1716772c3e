# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own kernel package, unpacked under build/guest, never installed."""

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
    def release(self):
        """What `uname -r` says in the guest."""
        return (self.root / "release").read_text().strip()


def get():
    """Return the kernel, fetched first if need be; GUEST_SUITE chooses."""
    suite = os.environ.get("GUEST_SUITE") or packages.needed().codename
    kernel = Kernel(BUILD / "guest" / suite)
    if not (kernel.root / "release").exists():
        _fetch(suite, kernel)
    return kernel


def _fetch(suite, kernel):
    debian = archive.Archive("deb", suite)
    debian.update()
    image = _image_package(debian)
    folder = archive.empty_folder(kernel.root / "download")
    steps.run(f"Downloading {image}",
              debian.apt("download", image, "busybox-static"),
              f"guest-{suite}.log", cwd=folder)
    unpacked = archive.empty_folder(kernel.root / "root")
    for package in sorted(folder.glob("*.deb")):
        subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)
    shutil.rmtree(folder)
    _finish(kernel, unpacked)


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
    for name in ("lib", "bin"):
        if not (unpacked / name).exists():
            (unpacked / name).symlink_to(f"usr/{name}")


def _image_package(debian):
    """The package that the meta package depends on today."""
    command = ["apt-cache", *debian.apt()[1:], "depends", META_PACKAGE]
    query = subprocess.run(command, stdout=subprocess.PIPE, text=True,
                           stderr=subprocess.DEVNULL, check=False)
    for line in query.stdout.splitlines():
        word, _, name = line.strip().partition(" ")
        if word == "Depends:" and name.startswith("linux-image-"):
            return name
    raise Failure(f"Debian {debian.suite} has no {META_PACKAGE}")
