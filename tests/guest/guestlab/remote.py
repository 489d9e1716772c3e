# SPDX-License-Identifier: GPL-2.0-or-later
"""The device under test, plugged into a running VM."""

import itertools

from guestlab.qmp import QmpError

_numbers = itertools.count(1)


class RemoteDevice:
    """A usb-remote device with a listening unix socket of its own."""

    def __init__(self, vm, bus, **properties):
        number = next(_numbers)
        self.vm = vm
        self.id = f"remote{number}"
        self.chardev = f"chr{number}"
        self.path = vm.folder / f"{self.chardev}.sock"
        self.address = f"unix:{self.path}"
        self.properties = {"bus": f"{bus}.0", **properties}
        add_chardev(vm, self.chardev, unix_server(self.path))
        try:
            self.plug()
        except QmpError:
            self.remove()
            raise

    def plug(self):
        """device_add."""
        self.vm.qmp.raw("device_add", {
            "driver": "usb-remote", "id": self.id, "chardev": self.chardev,
            **self.properties})

    def unplug(self):
        """device_del, until QEMU says that it is gone."""
        self.vm.qmp.command("device_del", id=self.id)
        self.vm.qmp.wait_event("DEVICE_DELETED", device=self.id)

    def remove(self):
        """Take away the device, if there is one, and its socket."""
        try:
            self.unplug()
        except QmpError:
            pass
        self.vm.qmp.command("chardev-remove", id=self.chardev)

    def peer_waits(self):
        """Whether a peer has connected to the socket."""
        return any(chardev["label"] == self.chardev and
                   not chardev["filename"].startswith("disconnected:")
                   for chardev in self.vm.qmp.command("query-chardev"))

    def get(self, name):
        """Read a property."""
        return self.vm.qmp.command("qom-get", property=name,
                                   path=f"/machine/peripheral/{self.id}")


def unix_server(path):
    """A chardev-add backend: QEMU listens at @path."""
    return socket_backend({"type": "unix", "data": {"path": str(path)}},
                          server=True, wait=False)


def socket_backend(address, **options):
    """A chardev-add backend for a socket at the SocketAddress @address."""
    return {"type": "socket", "data": {"addr": address, **options}}


def add_chardev(vm, name, backend):
    """chardev-add."""
    return vm.qmp.raw("chardev-add", {"id": name, "backend": backend})
