# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels that are files here: images, build trees, packages."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Callable, List, Optional

from ..errors import Problem
from ..places import BUILD, empty_folder, locked
from . import config, image, layout
from .kernel import Kernel, Source

KERNELS = BUILD / "guest" / "kernels"
IMAGE_IN_TREE = "arch/x86/boot/bzImage"


def find(spec: str) -> Source:
    """The kernel of a path; raises Problem when there is none."""
    if spec.endswith(".deb"):
        paths = [Path(word).resolve() for word in spec.split(",")]
        for path in paths:
            _check_package(path)
        return Source(paths[0].name, lambda: packages(paths))
    path, modules = _split(spec)
    if not path.exists():
        raise Problem(f"there is no kernel at {path}: no such file or "
                      "directory")
    path = path.resolve()       # QEMU runs in another folder
    get: Callable[[], Kernel] = lambda: _image(spec, path, modules)
    if path.is_dir():
        get = _folder(path)
    return Source(spec, get)


def _split(spec: str) -> "tuple[Path, Optional[Path]]":
    """IMAGE[:MODULES]."""
    if Path(spec).exists() or ":" not in spec:
        return Path(spec), None
    name, _, modules = spec.rpartition(":")
    if not Path(modules).is_dir():
        raise Problem(f"there are no modules at {modules}: no such directory")
    return Path(name), Path(modules).resolve()


def _folder(path: Path) -> Callable[[], Kernel]:
    """A build tree, or what a package unpacks to."""
    if (path / IMAGE_IN_TREE).exists():
        return lambda: _tree(path)
    if layout.images(path):
        return lambda: layout.kernel(str(path), path, _own(path))
    if (path / "Makefile").exists() or (path / ".config").exists():
        raise Problem(f"{path} has no {IMAGE_IN_TREE}: the kernel is not "
                      "built there (with O= give that directory)")
    raise Problem(f"there is no kernel in {path}: neither {IMAGE_IN_TREE} "
                  "nor a vmlinuz")


def _tree(path: Path) -> Kernel:
    """A build tree; its modules need not be installed."""
    built = path / IMAGE_IN_TREE
    found = path / ".config"
    return Kernel(str(path), image.release(image.check(built)),
                  image.bootable(built, _own(path)), path,
                  found if found.exists() else None, _own(path))


def _image(name: str, path: Path, modules: Optional[Path]) -> Kernel:
    """An image, and modules from where the kernel would look for them."""
    folder = _own(path)
    data = image.check(path)
    release = image.release(data)
    if modules is None:
        usual = Path("/lib/modules") / release
        modules = usual if usual.is_dir() else None
    return Kernel(name, release, image.bootable(path, folder), modules,
                  _config(path, data, release, folder), folder)


def _config(path: Path, data: bytes, release: str,
            folder: Path) -> Optional[Path]:
    """Beside the image, as distributions do, or inside of it."""
    for place in (path.with_name(f"config-{release}"),
                  path.with_name("config"), path.with_name(".config")):
        if place.exists():
            return place
    text = config.embedded(data if data[:4] == image.ELF
                           else _unpacked(data))
    if text is None:
        return None
    (folder / "config").write_text(text)
    return folder / "config"


def _unpacked(data: bytes) -> bytes:
    try:
        return image.extract(data)
    except Problem:
        return b""


def _own(path: Path) -> Path:
    """The folder for what is made for the kernel at a path."""
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    folder = KERNELS / f"path-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _check_package(path: Path) -> None:
    if not path.is_file():
        raise Problem(f"there is no package {path}: no such file")
    query = subprocess.run(["dpkg-deb", "-f", path, "Architecture"],
                           stdout=subprocess.PIPE, text=True, check=False,
                           stderr=subprocess.DEVNULL)
    found = query.stdout.strip()
    if query.returncode:
        raise Problem(f"{path} is no Debian package")
    if found not in ("amd64", "all"):
        raise Problem(f"{path} is for {found}, and the lab's guest is amd64")


def packages(paths: List[Path]) -> Kernel:
    """The kernel in some packages, unpacked once."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.resolve()} {path.stat().st_mtime_ns}".encode())
    folder = KERNELS / f"deb-{digest.hexdigest()[:16]}"
    with locked(folder):
        if not (folder / "root").exists():
            unpack(paths, folder)
    return layout.kernel(paths[0].name, folder / "root", folder)


def unpack(paths: List[Path], folder: Path) -> None:
    """Have all of some packages' files in the folder's root."""
    part = empty_folder(folder / "part")
    for path in paths:
        try:
            subprocess.run(["dpkg-deb", "-x", path, part], check=True,
                           stderr=subprocess.PIPE, text=True)
        except subprocess.CalledProcessError as err:
            raise Problem(f"{path} cannot be unpacked: "
                          f"{err.stderr.strip()}") from None
    part.rename(folder / "root")
