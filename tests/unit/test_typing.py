# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices written as the documents write them satisfy type checkers."""

import ast
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from support import PYTHON, ROOT, manual

import usbremote

# An installed package is looked at as its users look at it: what it exports.
MORE = '''
import usbremote
from usbremote import (Answer, Configuration, Device, Direction, Endpoint,
                       Fail, Function, Interface, Kind, Options, Place,
                       Recipient, Setup, Speed, Status, TransferType, control)


class Sampler(Function):
    def interfaces(self, place: Place) -> list[Interface]:
        return [Interface(endpoints=[Endpoint(0x81, TransferType.BULK)])]

    @control(Kind.VENDOR, Recipient.INTERFACE, 2, Direction.OUT)
    def rate(self, value: int, data: bytes) -> None:
        if not value:
            raise Fail(Status.IOERROR)

    async def run(self) -> None:
        while True:
            await self.ep_in(1).send(bytes(64))


class Thing(Device):
    speeds = Speed.HIGH, Speed.SUPER

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.functions = [Sampler()]

    def control(self, setup: Setup) -> Answer:
        return b"x" if setup.request == 9 else super().control(setup)


async def stress(address: str) -> None:
    async with usbremote.connect(address) as port:
        device = Thing(Options())
        await port.plug(device)
        await device.until_configured()
        await port.unplug()
    async with usbremote.serve(address, {"thing": lambda: Thing(Options())}):
        pass
'''


class AsTheDocumentsWriteIt(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name in ("pedal.py", "pedal_test.py"):
            (self.folder / name).write_text(manual.tutorial(name))
        for name in ("several.py", "sampler.py", "sampler_test.py",
                     "stress.py", "many.py"):
            (self.folder / name).write_text(manual.markdown(manual.PYTHON,
                                                            name))
        (self.folder / "echo.py").write_text(manual.block("echo.py"))
        (self.folder / "more.py").write_text(MORE)

    def check(self, *command):
        files = sorted(path.name for path in self.folder.glob("*.py"))
        done = subprocess.run(
            [*command, *files], cwd=self.folder, text=True, timeout=300,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
            env={**os.environ, "MYPYPATH": str(PYTHON)})
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_mypy_accepts_it(self):
        python = "/usr/bin/python3"
        if subprocess.run([python, "-c", "import mypy"], check=False,
                          stderr=subprocess.DEVNULL).returncode:
            self.skipTest("mypy is not installed")
        self.check(python, "-m", "mypy", "--strict", "--cache-dir",
                   str(ROOT / "build/mypy-user"))

    def test_pyright_accepts_it(self):
        if not shutil.which("pyright"):
            self.skipTest("pyright is not installed")
        (self.folder / "pyrightconfig.json").write_text(
            f'{{"typeCheckingMode": "strict", "extraPaths": ["{PYTHON}"]}}')
        self.check("pyright")


class Exports(unittest.TestCase):
    def test_all_that_is_public_is_there_and_in_order(self):
        for name in usbremote.__all__:
            self.assertTrue(hasattr(usbremote, name), name)
        self.assertEqual(usbremote.__all__, sorted(usbremote.__all__))

    def test_the_examples_use_nothing_else(self):
        """Of the package itself; its modules with helpers are public, too."""
        for path in (ROOT / "examples").glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if (isinstance(node, ast.ImportFrom)
                        and node.module == "usbremote"):
                    used = {alias.name for alias in node.names}
                    with self.subTest(path.name):
                        self.assertLessEqual(used, {*usbremote.__all__,
                                                    "cli"})


if __name__ == "__main__":
    unittest.main()
