# SPDX-License-Identifier: GPL-2.0-or-later
"""A running QEMU with a guest of the lab in it."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from typing import List, Optional, Sequence

from ..places import Failure, qemu
from .agent import Agent
from .boot import Boot
from .kmsg import KernelLog
from .qmp import Qmp, QmpError
from .waiting import wait_until

FIRMWARE_LIMIT = 45.0   # seconds, in which the kernel has to begin
BOOT_LIMIT = 90         # seconds; two are usual, TCG on a busy machine is slow


class Vm:
    """
    QEMU, its monitor and the guest's agent.  Use with `with`.

    wait_boot: return when the guest has said hello.
    """

    agent: Agent
    qmp: Qmp
    kernel_log: KernelLog

    def __init__(self, folder: Path, boot: Boot,
                 arguments: Sequence[str] = (), wait_boot: bool = True,
                 name: str = "vm") -> None:
        self.folder = folder
        self.log = folder / f"{name}.qemu.log"
        self.console = folder / f"{name}.console.log"
        self.console_socket = folder / f"{name}.console.sock"
        listeners = [_listen(folder / f"{name}.{part}.sock")
                     for part in ("qmp", "agent")]
        command = self._command(boot, listeners, arguments)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=folder)
        self._stopped = False
        try:
            self._connect(listeners)
            if wait_boot:
                self.wait_boot()
        except BaseException:
            self.stop()
            raise

    def wait_boot(self, limit: float = BOOT_LIMIT) -> None:
        """Wait for the guest's hello, then follow its kernel's log."""
        self.wait_hello(limit)
        self.follow_restored()

    def wait_hello(self, limit: float = BOOT_LIMIT) -> None:
        """Wait for the guest's hello."""
        try:
            self.agent.wait_hello(limit)
        except Failure as failure:
            raise Failure(f"{failure}; its console says:\n"
                          f"{_tail(self.console)}{_tail(self.log)}") from None

    def restart(self) -> None:
        """
        Press the reset button, for firmware to see what is plugged in, and
        wait for the kernel; raises Failure when it does not come.
        """
        self.qmp.command("set-action", reboot="reset")
        self.qmp.command("system_reset")
        self.qmp.wait_event("RESET")
        before = len(_text(self.console))
        wait_until(lambda: self.process.poll() is not None
                   or "Linux version" in _text(self.console)[before:],
                   FIRMWARE_LIMIT, "firmware: it hangs before the kernel "
                   "runs; nothing of that is seen")
        # SeaBIOS has the machine reset once more by itself
        self.qmp.command("set-action", reboot="shutdown")

    def follow_restored(self) -> None:
        """The guest was booted elsewhere: it will say no hello."""
        self.kernel_log = KernelLog(self.agent)

    def stop(self) -> None:
        """End QEMU and close what belongs to it."""
        self._stopped = self._stopped or self.process.poll() is None
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for name in ("agent", "qmp"):
            if hasattr(self, name):
                getattr(self, name).close()

    def wait_exit(self, timeout: float) -> int:
        """Wait for QEMU to end by itself; returns its exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"QEMU did not end within {timeout} s") from None

    def wait_gone(self, timeout: float) -> bool:
        """Whether QEMU ends by itself within so many seconds."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def console_text(self) -> str:
        """Everything that the guest has written to its console."""
        return _text(self.console)

    def death(self) -> str:
        """How QEMU ended, if it did without being told to."""
        if self._stopped or self.process.poll() is None:
            return ""
        return (f"QEMU has ended with status {self.process.returncode}\n"
                f"{_tail(self.log)}")

    def log_text(self) -> str:
        """Everything that QEMU itself has printed."""
        return _text(self.log)

    def __enter__(self) -> Vm:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _command(self, boot: Boot, listeners: Sequence[socket.socket],
                 arguments: Sequence[str]) -> List[str]:
        qmp_path, agent_path = (one.getsockname() for one in listeners)
        return [qemu(), *boot.arguments(),
                "-chardev", "socket,id=console,server=on,wait=off,"
                f"path={self.console_socket},logfile={self.console}",
                "-serial", "chardev:console",
                "-qmp", f"unix:{qmp_path}",
                "-chardev", f"socket,id=agent,path={agent_path}",
                "-device", "virtio-serial-pci,id=channel",
                "-device", "virtserialport,chardev=agent,bus=channel.0,nr=1",
                *arguments]

    def _connect(self, listeners: Sequence[socket.socket]) -> None:
        sockets = [_accept(one, self) for one in listeners]
        self.agent = Agent(sockets[1])
        try:
            self.qmp = Qmp(sockets[0])
        except QmpError:
            raise self._not_started() from None

    def _not_started(self) -> Exception:
        self.wait_exit(10)
        return Failure(f"QEMU did not start: {self.log_text().strip()}")


def _listen(path: Path) -> socket.socket:
    """QEMU connects to us: so nothing has to wait for a socket to appear."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)
    return listener


def _accept(listener: socket.socket, vm: Vm) -> socket.socket:
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


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _tail(path: Path, lines: int = 15) -> str:
    return "".join(f"  {line}\n"
                   for line in _text(path).splitlines()[-lines:])
