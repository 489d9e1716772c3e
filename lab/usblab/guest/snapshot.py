# SPDX-License-Identifier: GPL-2.0-or-later
"""
Guests that have booted before: saved to a file, restored in a moment.

A saved guest is one that has said hello and done nothing since.  It is kept
in the kernel's folder under a name that everything it was made of is in, so
that a changed kernel, file system or QEMU is booted anew.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, List, Optional, Sequence

from ..places import qemu
from . import controllers
from .boot import Boot
from .qmp import QmpError
from .vm import Vm
from .waiting import wait_until

KEPT = 3                # of one kernel, the newest; each is some 150 MB
SETTLE = ("until [ $(cat /sys/kernel/uevent_seqnum) -le "
          "$(cat /tmp/hotplug) ]; do usleep 10000; done")


def fresh(folder: Path, boot: Boot, name: str = "vm",
          arguments: Sequence[str] = controllers.EVERY) -> Vm:
    """
    A guest that has just booted, restored where it was saved before; its
    devices are those of @arguments, by default every host controller.
    """
    saved = _place(boot, arguments)
    if saved.exists():
        return _restored(saved, folder, boot, name, arguments)
    vm = Vm(folder, boot, arguments, wait_boot=False, name=name)
    try:
        vm.wait_hello()
        vm.agent.run(SETTLE, 60)
        _save(vm, saved)
        vm.follow_restored()
    except BaseException:
        vm.stop()
        raise
    return vm


def _place(boot: Boot, arguments: Sequence[str]) -> Path:
    digest = hashlib.sha256()
    for word in (*boot.arguments(), *arguments):
        digest.update(word.encode() + b"\0")
    for path in (Path(qemu()), boot.image, boot.initramfs):
        found = path.stat()
        digest.update(f"{found.st_mtime_ns} {found.st_size}".encode())
    return boot.initramfs.parent / f"saved-{digest.hexdigest()[:16]}"


def _save(vm: Vm, target: Path) -> None:
    """Write the guest to a file; it goes on afterwards."""
    part = target.with_suffix(f".{vm.process.pid}")
    _capabilities(vm)
    try:
        vm.qmp.command("migrate", uri=f"file:{part}")
        vm.qmp.wait_event("MIGRATION", timeout=120, status="completed")
        part.rename(target)
    except QmpError:
        part.unlink(missing_ok=True)    # a full disk: not saved, that is all
    # the event comes a little before QEMU can go on
    wait_until(lambda: vm.qmp.command("query-status")["status"]
               != "finish-migrate", 20, "QEMU does not end its saving")
    vm.qmp.command("cont")
    for path in _kept(target.parent)[KEPT:]:
        path.unlink(missing_ok=True)


def _kept(folder: Path) -> List[Path]:
    """Saved guests, the newest first."""
    found = [path for path in folder.glob("saved-*") if not path.suffix]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def _restored(saved: Path, folder: Path, boot: Boot, name: str,
              arguments: Sequence[str]) -> Vm:
    vm = Vm(folder, boot, [*arguments, "-incoming", "defer"],
            wait_boot=False, name=name)
    try:
        _capabilities(vm)
        vm.qmp.command("migrate-incoming", uri=f"file:{saved}")
        vm.qmp.wait_event("RESUME", timeout=60)
        vm.follow_restored()
    except BaseException:
        vm.stop()
        raise
    return vm


def _capabilities(vm: Vm) -> None:
    """Only pages that are not zero, each at its place in the file."""
    names = ("events", "mapped-ram")
    states: List[Any] = [{"capability": name, "state": True}
                         for name in names]
    vm.qmp.command("migrate-set-capabilities", capabilities=states)
