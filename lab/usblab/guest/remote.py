# SPDX-License-Identifier: GPL-2.0-or-later
"""The device under test, plugged into a running VM."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any, Dict

from .qmp import QmpError
from .vm import Vm

_numbers = itertools.count(1)


class RemoteDevice:
    """A usb-remote device with a listening unix socket of its own."""

    def __init__(self, vm: Vm, bus: str, **properties: Any) -> None:
        number = next(_numbers)
        self.vm = vm
        self.id = f"remote{number}"
        self.chardev = f"chr{number}"
        self.path = vm.folder / f"{self.chardev}.sock"
        self.address = f"unix:{self.path}"
        self.properties: Dict[str, Any] = {"bus": f"{bus}.0", **properties}
        add_chardev(vm, self.chardev, unix_server(self.path))
        try:
            self.plug()
        except QmpError:
            self.remove()
            raise

    def plug(self) -> None:
        """device_add."""
        self.vm.qmp.raw("device_add", {
            "driver": "usb-remote", "id": self.id, "chardev": self.chardev,
            **self.properties})

    def unplug(self) -> None:
        """device_del, until QEMU says that it is gone."""
        self.vm.qmp.command("device_del", id=self.id)
        self.vm.qmp.wait_event("DEVICE_DELETED", device=self.id)

    def remove(self) -> None:
        """Take away the device, if there is one, and its socket."""
        try:
            self.unplug()
        except QmpError:
            pass
        self.vm.qmp.command("chardev-remove", id=self.chardev)

    def peer_waits(self) -> bool:
        """Whether a peer has connected to the socket."""
        return any(chardev["label"] == self.chardev and
                   not chardev["filename"].startswith("disconnected:")
                   for chardev in self.vm.qmp.command("query-chardev"))

    def get(self, name: str) -> Any:
        """Read a property."""
        return self.vm.qmp.command("qom-get", property=name,
                                   path=f"/machine/peripheral/{self.id}")


def unix_server(path: Path) -> Dict[str, Any]:
    """A chardev-add backend: QEMU listens at @path."""
    return socket_backend({"type": "unix", "data": {"path": str(path)}},
                          server=True, wait=False)


def socket_backend(address: Dict[str, Any], **options: Any) -> Dict[str, Any]:
    """A chardev-add backend for a socket at the SocketAddress @address."""
    return {"type": "socket", "data": {"addr": address, **options}}


def add_chardev(vm: Vm, name: str, backend: Dict[str, Any]) -> Any:
    """chardev-add."""
    return vm.qmp.raw("chardev-add", {"id": name, "backend": backend})
