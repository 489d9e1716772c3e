# SPDX-License-Identifier: GPL-2.0-or-later
"""
Debian's kernels, unpacked under build/guest/kernels, never installed.

The names and versions come from apt's indexes, kept in a state of our own;
which mirror that is from, the build scripts know.
"""

from __future__ import annotations

import fnmatch
import functools
import json
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List

from ..errors import Problem
from ..places import (Failure, debian_archive, empty_folder, locked, newest,
                      own_suite, run_step, say)
from . import files, layout
from .kernel import Kernel, Source

# Where kernels are looked for, oldest release first.
SUITES = ("bullseye", "bookworm", "bookworm-backports", "trixie",
          "trixie-backports", "forky", "sid")
# The generic flavour: that for clouds has no USB host controllers.
IMAGE = re.compile(r"linux-image-(\d[\d.]*(?:[-+][\w.]+)?)-amd64")
DAY = 24 * 3600         # seconds, after which an index is read again
KEPT = "kernels.json"   # in a suite's folder: what the index says of them
NOTE = "package.json"   # in a kernel's folder, last: all is there


@dataclass(frozen=True)
class Package:
    """An image package: its ABI name, version and suite."""

    abi: str            # 6.12.57+deb12, 6.1.0-50
    version: str        # Debian's, 6.12.57-1~bpo12+1
    suite: str

    @property
    def release(self) -> str:
        """What `uname -r` says."""
        return f"{self.abi}-amd64"

    @property
    def upstream(self) -> str:
        """The kernel's own version, 6.12.57."""
        return self.version.rpartition(":")[2].partition("-")[0]

    def names(self) -> "set[str]":
        """What a person may call it."""
        return {self.abi, self.release, self.upstream, self.version,
                re.split("[+]", self.abi)[0]}


def find(wanted: str) -> List[Source]:
    """The packages that VERSION, PATTERN or SUITE stands for."""
    found = _unpacked(wanted) or _choose(wanted)
    return [Source(one.release, functools.partial(get, one)) for one in found]


def _unpacked(wanted: str) -> List[Package]:
    """One version that is here already needs no index."""
    notes = sorted(files.KERNELS.glob(f"*/{NOTE}"))
    here = [Package(**json.loads(note.read_text())) for note in notes]
    return [one for one in here if wanted in one.names()][:1]


def _choose(wanted: str) -> List[Package]:
    if wanted in SUITES:
        found = _in_order(packages(wanted))[-1:]
    else:
        every = [one for suite in SUITES for one in _available(suite)]
        found = _in_order([one for one in every if any(
            fnmatch.fnmatchcase(name, wanted) for name in one.names())])
    if not found:
        raise Problem(f"Debian has no kernel {wanted} in "
                      f"{', '.join(SUITES)}" if wanted not in SUITES else
                      f"Debian's {wanted} has no kernel for amd64")
    if not set("*?[") & set(wanted):
        return found[-1:]
    return found


def _available(suite: str) -> List[Package]:
    """A suite that the mirror does not have, or not any more, has none."""
    try:
        return packages(suite)
    except Failure:
        say(f"Debian {suite} cannot be read, and is passed over")
        return []


@functools.lru_cache(maxsize=None)
def packages(suite: str) -> List[Package]:
    """The image packages of a suite; kept, for apt takes its time."""
    debian = _index(suite)
    kept = Path(debian.home) / KEPT
    if not kept.exists():
        part = kept.with_suffix(".part")
        part.write_text(json.dumps([vars(one) for one in
                                    _indexed(debian, suite)]))
        part.rename(kept)
    return [Package(**one) for one in json.loads(kept.read_text())]


def _indexed(debian: Any, suite: str) -> List[Package]:
    """The image packages in the index that is here."""
    names = [name for name in _query(debian, "pkgnames", "linux-image-")
             .split() if IMAGE.fullmatch(name)]
    if not names:
        return []
    shown = _query(debian, "show", *names)
    return [Package(abi, version, suite) for abi, version in _records(shown)]


def _records(shown: str) -> "Iterator[tuple[str, str]]":
    """ABI and version of each record, the newest of a name only."""
    seen = set()
    for record in shown.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version): (.*)$", record, re.M))
        match = IMAGE.fullmatch(fields.get("Package", ""))
        if match and match[1] not in seen:
            seen.add(match[1])
            yield match[1], fields["Version"]


def _in_order(found: List[Package]) -> List[Package]:
    """Oldest version first; each release once."""
    rest: Dict[str, Package] = {one.release: one for one in found}
    order: List[Package] = []
    while rest:
        last = newest([one.version for one in rest.values()])
        top = next(one for one in rest.values() if one.version == last)
        order.insert(0, rest.pop(top.release))
    return order


def _query(debian: Any, *words: str) -> str:
    command = ["apt-cache", *debian.apt()[1:], *words]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.DEVNULL, check=False).stdout


def _index(suite: str) -> Any:
    """The suite's packages, the index at most a day old."""
    debian = debian_archive(suite)
    stamp = Path(debian.home) / "read"
    if not stamp.exists() or time.time() - stamp.stat().st_mtime > DAY:
        debian.update()
        (Path(debian.home) / KEPT).unlink(missing_ok=True)
        stamp.touch()
    return debian


def get(package: Package) -> Kernel:
    """The kernel of a package, fetched first if need be."""
    folder = files.KERNELS / package.release
    with locked(folder):
        if not (folder / NOTE).exists():
            _fetch(package, folder)
    return layout.kernel(package.release, folder / "root", folder,
                         package.suite)


def _fetch(package: Package, folder: Path) -> None:
    shutil.rmtree(folder / "root", ignore_errors=True)
    (folder / "vmlinux").unlink(missing_ok=True)
    debian = _index(package.suite)
    image = f"linux-image-{package.release}"
    names = [image, *_beside(debian, image, package.release)]
    files.unpack(download(debian, names, folder / "download"), folder)
    shutil.rmtree(folder / "download")
    layout.kernel(package.release, folder / "root", folder)
    (folder / NOTE).write_text(json.dumps(vars(package)))


def _beside(debian: Any, image: str, release: str) -> List[str]:
    """The packages that the image's is split into, in new releases."""
    return [name for name in dependencies(debian, image)
            if name.startswith("linux-") and name.endswith(release)]


def download(debian: Any, names: List[str], folder: Path) -> List[Path]:
    """Packages of a suite, as files in an empty folder."""
    empty_folder(folder)
    run_step(f"Downloading {names[0]}", debian.apt("download", *names),
             f"guest-{debian.suite}.log", cwd=folder)
    return sorted(folder.glob("*.deb"))


def dependencies(debian: Any, package: str) -> List[str]:
    """The packages that @package needs, each alternative of them too."""
    shown = _query(debian, "depends", package)
    lines = [line.strip(" |").split(": ") for line in shown.split("\n")]
    return [line[1] for line in lines if line[0] in ("Depends", "PreDepends")]


def user_packages(names: List[str], folder: Path) -> List[Path]:
    """
    Packages for the guest's programs, of this machine's own release, and the
    libraries that they depend on.
    """
    debian = _index(own_suite())
    needs = {need for name in names for need in dependencies(debian, name)
             if need.startswith("lib")}
    return download(debian, [*names, *sorted(needs - {*names})], folder)
