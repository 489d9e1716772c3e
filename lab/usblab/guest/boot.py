# SPDX-License-Identifier: GPL-2.0-or-later
"""What QEMU starts: machine, kernel, file system, command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List

# The quickest machine that has every host controller QEMU offers.
MACHINE = ["-nodefaults", "-no-user-config", "-display", "none",
           "-machine", "q35,usb=off", "-accel", "tcg", "-cpu", "qemu64",
           "-smp", "1", "-no-reboot"]

# What the guest's kernel is told; "panic" ends QEMU, and so the wait for it.
# Linux tries its timer at boot, and gives up on a machine that is too busy.
# usbtest logs each time that it tries again to unlink what is just ending, and
# who reads a log whose oldest lines were overwritten meanwhile gets EPIPE.
KERNEL_LINE = "console=ttyS0 panic=-1 no_timer_check log_buf_len=8M"
SHELL = "quiet shell"           # the words for a shell on the console


@dataclass(frozen=True)
class Boot:
    """
    image: bzImage or vmlinux.  words: more for the kernel's command line.
    memory: in MiB.
    """

    image: Path
    initramfs: Path
    words: str = ""
    memory: int = 256

    def arguments(self) -> List[str]:
        """QEMU's command line, as far as it says what starts."""
        return [*MACHINE, "-m", str(self.memory), "-kernel", str(self.image),
                "-initrd", str(self.initramfs),
                "-append", f"{KERNEL_LINE} {self.words}".strip()]
