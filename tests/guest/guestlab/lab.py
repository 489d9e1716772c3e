# SPDX-License-Identifier: GPL-2.0-or-later
"""What a case gets: guests, devices and mice, all put away at its end."""

import itertools
import os
import shutil
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path

from usblab.guest import controllers
from usblab.guest.qmp import QmpError
from usblab.guest.remote import RemoteDevice
from usblab.guest.vm import Vm
from usblab.guest.waiting import wait_until

from guestlab import guest
from guestlab.example import MANUFACTURER, CExample, Example
from guestlab.mouse import Mouse
from guestlab.peer import Peer
from guestlab.places import Failure


# The next case may not meet a device that the guest has still to take away,
# nor find in the log that one has just gone.
UNTIL_NO_DEVICE = (f"while grep -qsx '{MANUFACTURER}' "
                   "/sys/bus/usb/devices/*/manufacturer; "
                   "do usleep 10000; done")


class WarmVm:
    """One guest with every controller, kept for many cases."""

    def __init__(self):
        self._vm = None
        self._folder = None

    def get(self):
        """Return the guest, booted when there is none."""
        if self._vm and self._vm.process.poll() is not None:
            self.discard()
        if not self._vm:
            self._folder = Path(tempfile.mkdtemp(prefix="guest-"))
            self._vm = Vm(self._folder, guest.get(), [
                *controllers.EVERY, "-D", str(self._folder / "trace.log"),
                "-msg", "timestamp=on"])
        return self._vm

    def discard(self):
        """Stop the guest: what a failed case left may not harm others."""
        if self._vm:
            self._vm.stop()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._vm = self._folder = None

    def keep_logs(self, target):
        """Copy the logs of the guest to @target."""
        for path in self._folder.glob("*.log") if self._folder else ():
            shutil.copy(path, target)


class Lab:
    """The means of one case."""

    def __init__(self, warm):
        self.folder = Path(tempfile.mkdtemp(prefix="guest-case-"))
        self.uses_warm = False
        self.notes = []             # figures for whoever reads the results
        self._warm = warm
        self._stack = ExitStack()
        self._vms = []
        self._watched = {}          # VM: where its log was at the start
        self._files = 0             # how many the warm QEMU had open then
        self._numbers = itertools.count(1)

    @property
    def vm(self):
        """The warm guest."""
        vm = self._warm.get()
        if not self.uses_warm:
            self.uses_warm = True
            self._vms.append(vm)
            self._files = open_files(vm)
        return self._watch(vm)

    @property
    def trace_log(self):
        """The file that the warm guest's QEMU traces to."""
        return self.vm.folder / "trace.log"

    def new_vm(self, *arguments, **options):
        """Boot a guest for this case only."""
        vm = Vm(self.folder, guest.get(), arguments,
                name=f"vm{next(self._numbers)}", **options)
        self._stack.callback(vm.stop)
        self._vms.append(vm)
        return self._watch(vm) if hasattr(vm, "kernel_log") else vm

    def remote(self, bus, vm=None, **properties):
        """Plug a usb-remote device into the bus of controller @bus."""
        device = RemoteDevice(vm or self.vm, bus, **properties)
        self._stack.callback(device.remove)
        return device

    def mouse(self, *options):
        """Start examples/mouse.py."""
        return self._stack.enter_context(Mouse(self.folder, *options))

    def example(self, name, *options):
        """Start examples/@name.py."""
        return self._stack.enter_context(
            Example(self.folder, name, *options))

    def c_example(self, name, *options):
        """Start examples/c/@name."""
        return self._stack.enter_context(
            CExample(self.folder, name, *options))

    def peer(self, device, address):
        """Serve a device of the Python package inside of the test."""
        return self._stack.enter_context(Peer(device, address))

    def later(self, function, *arguments):
        """Have @function called at the end of the case."""
        self._stack.callback(function, *arguments)

    def note(self, text):
        """Have a line printed with the result."""
        self.notes.append(text)

    def finish(self):
        """The last check of every case: the guests' kernels are well."""
        for vm, mark in self._watched.items():
            if vm.process.poll() is None:
                _check_kernel(vm, mark)

    def deaths(self):
        """What is to be said about guests that have ended by themselves."""
        return "".join(f"\n{vm.death()}" for vm in self._vms if vm.death())

    def close(self):
        """Put away what the case has used; that must work, too."""
        self._stack.close()
        if self.uses_warm:
            self.vm.agent.run(UNTIL_NO_DEVICE)
            self.vm.kernel_log.sync()
            wait_until(lambda: open_files(self.vm) <= self._files, 10,
                       lambda: f"QEMU has {open_files(self.vm)} files open "
                       f"after the case, {self._files} before: not closed")

    def dispose(self):
        """The same after a failure, when it may fail; then the folder."""
        with suppress(Failure, QmpError):
            self._stack.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _watch(self, vm):
        if vm not in self._watched:
            self._watched[vm] = vm.kernel_log.mark()
        return vm


def open_files(vm):
    """How many file descriptors QEMU has."""
    return len(os.listdir(f"/proc/{vm.process.pid}/fd"))


def _check_kernel(vm, mark):
    vm.kernel_log.sync()
    trouble = vm.kernel_log.trouble(mark)
    if trouble:
        raise Failure("the guest's kernel complains:\n  " +
                      "\n  ".join(trouble[:10]))
