# SPDX-License-Identifier: MIT
"""
Devices inside of a program that has more to do, on its own asyncio loop.

    async with usbremote.connect("unix:usb.sock") as port:
        await port.plug(Pedal())
        ...
        await port.unplug()

    async with usbremote.serve("unix:many.sock", {"pedal": Pedal,
                                                  "mouse": Mouse}) as server:
        ...

One process can be many devices: QEMU connects to serve() once for each
`-device usb-remote,chardev=...,select=NAME`, and gets the device of that name.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import AsyncIterator, Callable, Mapping, Optional, Union

from ._proto import ErrorCode
from .codec import Hello
from .device import Device
from .errors import Refused
from .port import Port
from .transport import BUSY, Address, Link, Server, open_link

# A device for each connection: from QEMU's HELLO, or by its `select`.
Devices = Union[Callable[[Hello], Device],
                Mapping[str, Callable[[], Device]]]


@contextlib.asynccontextmanager
async def connect(address: str, *, timeout: Optional[float] = 10.0
                  ) -> AsyncIterator[Port]:
    """
    Connect to QEMU's character device, unix:PATH or tcp:HOST:PORT, with
    nothing plugged in; see Port.plug().  QEMU may take timeout seconds to
    answer, None for ever.  Leaving the block ends the connection in order.

    Raises LocalError for a bad address, RemoteError when QEMU is not there
    or does not want us.  Later the calls of the port raise RemoteError when
    the connection ends; wait_closed() waits for that.
    """
    loop = asyncio.get_running_loop()
    link = Link(Port(loop, lambda hello: None), timeout, BUSY)
    await open_link(Address.parse(address), link)
    try:
        await link.known
        if link.closed is not None or link.ended.done():
            link.result()
        yield link.port
    finally:
        link.port.close()
        await link.ended


@contextlib.asynccontextmanager
async def serve(address: str, devices: Devices) -> AsyncIterator[Server]:
    """
    Listen at unix:PATH or tcp:HOST:PORT while the block runs, and be a
    device on each connection of QEMU; see Server.devices().

    devices makes it from QEMU's HELLO and may raise Refused, or says for each
    `select` what makes it.  Raises LocalError when it cannot listen.
    """
    make = (_by_select(devices) if isinstance(devices, Mapping)
            else devices)
    server = Server(make, Address.parse(address), listen=True, reconnect=True)
    async with server.listening(asyncio.get_running_loop().create_future()):
        try:
            yield server
        finally:
            await server.close_all()


def _by_select(devices: Mapping[str, Callable[[], Device]]
               ) -> Callable[[Hello], Device]:
    def make(hello: Hello) -> Device:
        if hello.select not in devices:
            raise Refused(ErrorCode.REFUSED, f"no device is called "
                          f"'{hello.select}', only {', '.join(devices)}")
        return devices[hello.select]()
    return make
