# SPDX-License-Identifier: GPL-2.0-or-later
"""A device of the Python package that runs inside of the test."""

import asyncio
import sys
import threading

from guestlab.places import TOP, Failure

sys.path.insert(1, str(TOP / "python"))

from usbremote.errors import UsbRemoteError         # noqa: E402
from usbremote.transport import Address, Server     # noqa: E402


class Peer:
    """One device on one connection, served by a thread.  Use with `with`."""

    def __init__(self, device, address):
        self.device = device
        self._server = Server(lambda hello: device, Address.parse(address))
        self._loop = None
        self._started = threading.Event()
        self._error = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def check(self):
        """Fail when the connection has ended with an error."""
        if self._error:
            raise Failure(f"the peer: {self._error}")

    def stop(self):
        """Disconnect and wait for the end of the thread."""
        if self._started.wait(10) and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._server.stop)
        self._thread.join(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _run(self):
        try:
            asyncio.run(self._server.run(self._begin))
        except (UsbRemoteError, OSError) as error:
            self._error = error
        finally:
            self._started.set()

    def _begin(self):
        self._loop = asyncio.get_running_loop()
        self._started.set()
