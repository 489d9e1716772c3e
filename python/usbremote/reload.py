# SPDX-License-Identifier: MIT
"""
`run --reload`: a device whose file changes, or a file that it imports from its
own folder, is unplugged and plugged in anew.

The new device is made before the old one is unplugged: whatever is wrong with
it is one line, and the old one stays plugged in.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
from typing import TYPE_CHECKING, Callable, Type

from .device import Device
from .errors import UsbRemoteError
from .loader import DeviceFile

if TYPE_CHECKING:
    from .cli import Program
    from .transport import Server

INTERVAL = 0.2                  # seconds between two looks at the files

log = logging.getLogger(__name__)


class Reloader:
    """
    Watches the files of a running program.

    parse gives the command line's options for a class; it exits with a line
    when they do not fit it.
    """

    def __init__(self, file: DeviceFile,
                 parse: Callable[[Type[Device]], argparse.Namespace]) -> None:
        self._file, self._parse = file, parse
        self._seen = file.stamp()

    async def watch(self, program: "Program", server: "Server") -> None:
        """Look at the files until the program ends."""
        last = self._seen
        while True:
            await asyncio.sleep(INTERVAL)
            stamp = self._file.stamp()
            if (stamp == last != self._seen
                    and stamp[self._file.path] is not None):
                await self.reload(program, server)  # changed, and written
                self._seen = {path: stamp.get(path, now) for path, now
                              in self._file.stamp().items()}
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
