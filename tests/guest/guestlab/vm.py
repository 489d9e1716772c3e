# SPDX-License-Identifier: GPL-2.0-or-later
"""A running QEMU with the test guest in it."""

import socket
import subprocess
import time

from guestlab import initramfs, kernel
from guestlab.agent import Agent
from guestlab.kmsg import KernelLog
from guestlab.places import BUILD, Failure, locked, qemu
from guestlab.qmp import Qmp, QmpError

BOOT_LIMIT = 90         # seconds; two are usual, TCG on a busy machine is slow

# The quickest machine that has every host controller QEMU offers.
MACHINE = ["-nodefaults", "-no-user-config", "-display", "none",
           "-machine", "q35,usb=off", "-accel", "tcg", "-cpu", "qemu64",
           "-smp", "1", "-m", "256", "-no-reboot"]

# What the guest's kernel is told; "panic" ends QEMU, and so the wait for it.
# Linux tries its timer at boot, and gives up on a machine that is too busy.
# usbtest logs each time that it tries again to unlink what is just ending, and
# who reads a log whose oldest lines were overwritten meanwhile gets EPIPE.
KERNEL_LINE = "console=ttyS0 panic=-1 no_timer_check log_buf_len=8M"


def boot_files():
    """The arguments that start the guest; its files are made if missing."""
    with locked(BUILD / "guest"):       # two runs may begin at the same time
        system = kernel.get()
        archive = initramfs.build(system)
    return ["-kernel", str(system.image), "-initrd", str(archive)]


class Vm:
    """QEMU, its monitor and the guest's agent.  Use with `with`."""

    def __init__(self, folder, arguments=(), wait_boot=True, name="vm"):
        self.folder = folder
        self.log = folder / f"{name}.qemu.log"
        self.console = folder / f"{name}.console.log"
        listeners = [_listen(folder / f"{name}.{part}.sock")
                     for part in ("qmp", "agent")]
        command = self._command(listeners, arguments)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=folder)
        self.agent = self.qmp = self.kernel_log = None
        self._stopped = False
        try:
            self._connect(listeners)
            if wait_boot:
                self.wait_boot()
        except BaseException:
            self.stop()
            raise

    def wait_boot(self):
        """Wait for the guest's hello, then follow its kernel's log."""
        try:
            self.agent.wait_hello(BOOT_LIMIT)
        except Failure as failure:
            raise Failure(f"{failure}; its console says:\n"
                          f"{_tail(self.console)}{_tail(self.log)}") from None
        self.kernel_log = KernelLog(self.agent)

    def follow_restored(self):
        """The guest was booted elsewhere: it will say no hello."""
        self.kernel_log = KernelLog(self.agent)

    def stop(self):
        """End QEMU and close what belongs to it."""
        self._stopped = self._stopped or self.process.poll() is None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for part in (self.agent, self.qmp):
            if part:
                part.close()

    def wait_exit(self, timeout):
        """Wait for QEMU to end by itself; returns its exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"QEMU did not end within {timeout} s")

    def death(self):
        """How QEMU ended, if it did without being told to."""
        if self._stopped or self.process.poll() is None:
            return ""
        return (f"QEMU has ended with status {self.process.returncode}\n"
                f"{_tail(self.log)}")

    def log_text(self):
        """Everything that QEMU itself has printed."""
        return self.log.read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _command(self, listeners, arguments):
        qmp_path, agent_path = (one.getsockname() for one in listeners)
        return [qemu(), *MACHINE, *boot_files(), "-append", KERNEL_LINE,
                "-serial", f"file:{self.console}",
                "-qmp", f"unix:{qmp_path}",
                "-chardev", f"socket,id=agent,path={agent_path}",
                "-device", "virtio-serial-pci,id=channel",
                "-device", "virtserialport,chardev=agent,bus=channel.0,nr=1",
                *arguments]

    def _connect(self, listeners):
        sockets = [_accept(one, self) for one in listeners]
        self.agent = Agent(sockets[1])
        try:
            self.qmp = Qmp(sockets[0])
        except QmpError:
            raise self._not_started() from None

    def _not_started(self):
        self.wait_exit(10)
        return Failure(f"QEMU did not start: {self.log_text().strip()}")


def _listen(path):
    """QEMU connects to us: so nothing has to wait for a socket to appear."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)
    return listener


def _accept(listener, vm):
    """Take QEMU's connection, unless QEMU ends instead of connecting."""
    deadline = time.monotonic() + 20
    listener.settimeout(0.1)
    with listener:
        while time.monotonic() < deadline:
            try:
                return listener.accept()[0]
            except TimeoutError:
                if vm.process.poll() is not None:
                    break
    raise Failure("QEMU did not connect to us: " + vm.log_text().strip())


def _tail(path, lines=15):
    text = path.read_text(errors="replace") if path.exists() else ""
    return "".join(f"  {line}\n" for line in text.splitlines()[-lines:])
