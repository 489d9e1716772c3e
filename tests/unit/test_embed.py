# SPDX-License-Identifier: GPL-2.0-or-later
"""connect() and serve(): devices inside of a program of one's own."""

import asyncio
import os
import socket
import tempfile
import unittest

from support import SocketQemu

import usbremote
from usbremote import (ConnectionLost, Device, LocalError, Refused, Setup,
                       Speed)
from usbremote.codec import Attach, Bye, Detach, Error

TIMEOUT = 30


class Named(Device):
    def __init__(self, product):
        super().__init__()
        self.product = product


class OverSockets(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "socket")
        self.address = f"unix:{self.path}"

    def listen(self):
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(self.path)
        listener.listen()
        return listener

    def run_with(self, script, main):
        """main() beside script(), which plays QEMU in a thread."""
        async def both():
            loop = asyncio.get_running_loop()
            qemu = loop.run_in_executor(None, script)
            result = await main()
            await qemu
            return result
        return asyncio.run(asyncio.wait_for(both(), TIMEOUT))

    def connect(self, **options):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(self.path)
        self.addCleanup(sock.close)
        return SocketQemu(sock, **options)


def product(qemu):
    """What its string descriptor says."""
    device = qemu.control(Setup(0x80, 6, 0x100, 0, 18)).data
    text = qemu.control(Setup(0x80, 6, 0x300 | device[15], 0x409, 255)).data
    return text[2:].decode("utf-16-le")


class Connect(OverSockets):
    def test_plug_and_unplug_and_another_one(self):
        listener, said = self.listen(), []

        def script():
            qemu = SocketQemu(listener.accept()[0], device_id="c0")
            for _ in range(2):
                qemu.plug_in()
                qemu.control(Setup(0, 9, 1, 0, 0))
                said.append(product(qemu))
                qemu.until(Detach)
                qemu.qemu.detached()
                qemu.flush()
            qemu.until(Bye)
            qemu.close()

        async def main():
            async with usbremote.connect(self.address) as port:
                self.assertEqual(port.hello.device_id, "c0")
                for name in ("one", "two"):
                    device = Named(name)
                    self.assertEqual(await port.plug(device), Speed.FULL)
                    await device.until_configured()
                    while len(said) < (1 if name == "one" else 2):
                        await asyncio.sleep(0)
                    await port.unplug()
        self.run_with(script, main)
        self.assertEqual(said, ["one", "two"])

    def test_the_end_of_the_connection_is_told_to_who_waits(self):
        listener = self.listen()

        def script():
            qemu = SocketQemu(listener.accept()[0])
            qemu.plug_in()
            qemu.close()

        async def main():
            async with usbremote.connect(self.address) as port:
                device = Device()
                await port.plug(device)
                with self.assertRaises(ConnectionLost):
                    await device.until_configured()
                with self.assertRaises(ConnectionLost):
                    await port.wait_closed()
        self.run_with(script, main)

    def test_nobody_there(self):
        async def main():
            async with usbremote.connect(self.address):
                pass
        with self.assertRaisesRegex(ConnectionLost, "cannot connect"):
            asyncio.run(main())

    def test_what_is_no_address(self):
        async def main():
            async with usbremote.connect("usb.sock"):
                pass
        with self.assertRaisesRegex(LocalError, "unix:PATH"):
            asyncio.run(main())

    def test_nobody_answers(self):
        self.listen()

        async def main():
            async with usbremote.connect(self.address, timeout=0.05):
                pass
        with self.assertRaisesRegex(ConnectionLost, "no answer within"):
            asyncio.run(main())


class Serve(OverSockets):
    def test_one_process_is_many_devices(self):
        names = ("mouse", "pedal")

        def script():
            qemus = {name: self.connect(select=name) for name in names}
            said = {}
            for name, qemu in qemus.items():
                qemu.plug_in()
                said[name] = product(qemu)
            return said

        async def main():
            devices = {name: lambda name=name: Named(name) for name in names}
            async with usbremote.serve(self.address, devices) as server:
                said = await asyncio.get_running_loop().run_in_executor(
                    None, script)
                self.assertEqual(len(server.devices()), 2)
                return said
        said = asyncio.run(asyncio.wait_for(main(), TIMEOUT))
        self.assertEqual(said, {name: name for name in names})
        self.assertFalse(os.path.exists(self.path))

    def test_a_name_that_is_none_of_them_is_refused(self):
        def script():
            return self.connect(select="lamp").until(Error).text

        async def main():
            async with usbremote.serve(self.address, {"mouse": Device}):
                return await asyncio.get_running_loop().run_in_executor(
                    None, script)
        self.assertEqual(asyncio.run(asyncio.wait_for(main(), TIMEOUT)),
                         "no device is called 'lamp', only mouse")

    def test_a_function_may_choose_and_refuse(self):
        def choose(hello):
            if hello.device_id != "good":
                raise Refused(4, "not you")
            return Named("p")

        def script():
            text = self.connect(device_id="bad").until(Error).text
            qemu = self.connect(device_id="good")
            qemu.until(Attach)
            return text

        async def main():
            async with usbremote.serve(self.address, choose):
                return await asyncio.get_running_loop().run_in_executor(
                    None, script)
        self.assertEqual(asyncio.run(asyncio.wait_for(main(), TIMEOUT)),
                         "not you")


if __name__ == "__main__":
    unittest.main()
