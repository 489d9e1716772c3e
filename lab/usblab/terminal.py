# SPDX-License-Identifier: GPL-2.0-or-later
"""A shell in a guest, at this terminal."""

from __future__ import annotations

import os
import select
import socket
import sys
import termios
import tty
from contextlib import contextmanager
from typing import Callable, Iterator

from .guest.vm import Vm

LEAVE = b"\x1d"         # Ctrl-]
SILENCE = 0.2           # seconds, after which nothing more is on its way
SHELL = ("setsid sh -c 'exec sh -i < /dev/ttyS0 > /dev/ttyS0 2>&1' "
         "> /dev/null 2>&1")


def shell(vm: Vm) -> None:
    """Until the shell ends, Ctrl-] is pressed, or the input is over."""
    print("A shell in the guest; exit or Ctrl-] ends it.", flush=True)
    console = socket.socket(socket.AF_UNIX)
    console.connect(str(vm.console_socket))
    job = vm.agent.start(SHELL)
    with console, _raw(sys.stdin.fileno()):
        _carry(console, lambda: job.status is not None)
    job.kill()


def _carry(console: socket.socket, ended: Callable[[], bool]) -> None:
    """Bytes both ways, until all is here that was said before the end."""
    keys = sys.stdin.fileno()
    wanted = [keys, console.fileno()]
    over = False
    while not over:
        over = ended()
        for fd in select.select(wanted, [], [], SILENCE)[0]:
            over = over and fd == keys
            data = os.read(fd, 4096)
            if fd == keys:
                if LEAVE in data:
                    return
                if not data:
                    wanted.remove(keys)
                console.sendall(data or b"exit\n")
            elif not data:
                return
            else:
                os.write(sys.stdout.fileno(), data)


@contextmanager
def _raw(keys: int) -> Iterator[None]:
    """Each key goes to the guest, where this is a terminal."""
    if not os.isatty(keys):
        yield
        return
    before = termios.tcgetattr(keys)
    tty.setraw(keys)
    try:
        yield
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)
        print()
