# SPDX-License-Identifier: GPL-2.0-or-later
"""The test guest with a shell in this terminal, for `make run`."""

import os
from dataclasses import replace

from usblab.guest.boot import SHELL

from guestlab import guest
from guestlab.places import qemu


def run(arguments):
    """Become QEMU; Ctrl-A C reaches its monitor, Ctrl-A X ends it."""
    start = replace(guest.get(), words=SHELL)
    command = [qemu(), *start.arguments(), "-serial", "mon:stdio", *arguments]
    print("A shell in the guest; Ctrl-A C: QEMU's monitor and back; "
          "Ctrl-A X: end.", flush=True)
    os.execv(command[0], command)
