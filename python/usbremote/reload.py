# SPDX-License-Identifier: MIT
"""`run --reload`: a device whose file changes is unplugged and plugged in
anew; a file that is wrong leaves the old one plugged in."""

from __future__ import annotations

import argparse
import logging
from typing import TYPE_CHECKING, Callable, Type

from .device import Device
from .errors import UsbRemoteError
from .loader import DeviceFile
from .runtime import Runtime

if TYPE_CHECKING:
    from .cli import Program
    from .transport import Server

INTERVAL = 0.2                  # seconds between two looks at the file

log = logging.getLogger(__name__)


class Reloader:
    """
    Watches the file of a running program.

    parse gives the command line's options for a class; it exits with a line
    when they do not fit it.
    """

    def __init__(self, file: DeviceFile,
                 parse: Callable[[Type[Device]], argparse.Namespace]) -> None:
        self._file, self._parse = file, parse
        self._seen = file.stamp()

    async def watch(self, program: "Program", server: "Server",
                    runtime: Runtime) -> None:
        """Look at the file until the program ends."""
        last = self._seen
        while True:
            await runtime.sleep(INTERVAL)
            stamp = self._file.stamp()
            if stamp == last and stamp not in (None, self._seen):
                self._seen = stamp      # it changed, and is written
                await self.reload(program, server)
            last = stamp

    async def reload(self, program: "Program", server: "Server") -> None:
        """Import it anew and replace what is plugged in."""
        before = program.make, program.options
        try:
            kind = self._file.load()
            program.make, program.options = kind, self._parse(kind)
            ports = [link.port for link in server.links if link.port.device]
            devices = [program.new_device() for _ in ports or (None,)]
        except (Exception, SystemExit) as err:
            program.make, program.options = before
            if not isinstance(err, SystemExit):     # it has said why
                log.error("%s; the old device stays", self._reason(err))
            return
        log.warning("%s changed: plugged in anew", self._file.name)
        program.first = None
        for port, device in zip(ports, devices):
            program.remember(device)
            await port.replace(device)

    def _reason(self, err: Exception) -> str:
        return (str(err) if isinstance(err, UsbRemoteError)
                else self._file.describe(err))
