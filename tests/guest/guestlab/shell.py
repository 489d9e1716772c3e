# SPDX-License-Identifier: GPL-2.0-or-later
"""The test guest with a shell in this terminal, for `make run`."""

import os

from guestlab.places import qemu
from guestlab.vm import KERNEL_LINE, MACHINE, boot_files


def run(arguments):
    """Become QEMU; Ctrl-A C reaches its monitor, Ctrl-A X ends it."""
    command = [qemu(), *MACHINE, *boot_files(),
               "-append", f"{KERNEL_LINE} quiet shell",
               "-serial", "mon:stdio", *arguments]
    print("A shell in the guest; Ctrl-A C: QEMU's monitor and back; "
          "Ctrl-A X: end.", flush=True)
    os.execv(command[0], command)
