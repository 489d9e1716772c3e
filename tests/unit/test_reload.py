# SPDX-License-Identifier: GPL-2.0-or-later
"""run --reload: the file changes, and so does what is plugged in."""

import contextlib
import io
import os
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import support  # noqa: F401

from usbremote.cli import Program
from usbremote.codec import Attach, Detach
from usbremote.commands import run_parser
from usbremote.loader import DeviceFile
from usbremote.reload import INTERVAL, Reloader
from usbremote.session import State
from usbremote.setup import Setup
from usbremote.testing import Bench

DEVICE = '''
from usbremote import Device


class Thing(Device):
    product = "%s"

    async def connected(self):
        while True:
            await self.sleep(1)
            self.seconds = getattr(self, "seconds", 0) + 1
'''


class Watched(unittest.TestCase):
    """A program whose file a test writes, on a clock of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "thing.py"
        before, modules = list(sys.path), dict(sys.modules)
        self.addCleanup(sys.path.__setitem__, slice(None), before)
        self.addCleanup(sys.modules.update, modules)
        self.addCleanup(lambda: [sys.modules.pop(name) for name in
                                 set(sys.modules) - set(modules)])
        self.count = 0
        self.write(DEVICE % "old")
        self.start()

    def start(self, *more):
        file = DeviceFile(str(self.path))
        kind = file.load()
        arguments = ["--connect", "unix:x", "--reload", *more]
        self.program = Program(run_parser("thing.py", kind), kind, arguments)
        self.bench = Bench(lambda: None)
        self.bench.port.factory = self.program.factory
        self.bench.plug_in()
        self.server = SimpleNamespace(
            links=[SimpleNamespace(port=self.bench.port)])
        reloader = Reloader(file, lambda kind: run_parser(
            "thing.py", kind).parse_args(arguments))
        self.bench.spawn(reloader.watch(self.program, self.server))

    def write(self, text):
        """A time of its own for each, as clocks of file systems are slow."""
        self.count += 1
        self.path.write_text(text)
        os.utime(self.path, (self.count, self.count))

    def change(self, text):
        """What the device says when its file becomes this."""
        self.write(text)
        return self.look()

    def look(self):
        heard = self.bench.exchange(3 * INTERVAL)
        if any(isinstance(m, Detach) for m in heard):
            self.bench.qemu.detached()
            heard += self.bench.exchange()
        return [type(m) for m in heard]

    def product(self):
        data = self.bench.control(Setup(0x80, 6, 0x301, 0, 255)).data
        return data[2:].decode("utf-16-le")

    def plugged_in(self):
        self.bench.qemu.attached()
        self.bench.qemu.reset()
        self.bench.exchange()


class Reloading(Watched):
    def test_a_changed_file_is_unplugged_and_plugged_in_anew(self):
        self.assertEqual(self.product(), "old")
        with self.assertLogs("usbremote.reload", "WARNING"):
            self.assertEqual(self.change(DEVICE % "new"), [Detach, Attach])
        self.plugged_in()
        self.assertEqual(self.product(), "new")

    def test_the_old_one_is_unplugged_once_the_new_one_is_made(self):
        make, states = self.program.new_device, []

        def new_device():
            states.append(self.bench.port.session.state)
            return make()
        self.program.new_device = new_device
        with self.assertLogs("usbremote.reload"):
            self.change(DEVICE % "new")
        self.assertEqual(states, [State.ATTACHED])

    def test_a_file_that_stays_changes_nothing(self):
        self.assertEqual(self.look(), [])

    def test_coroutines_of_the_old_device_end(self):
        old = self.bench.device
        self.bench.exchange(2)
        with self.assertLogs("usbremote.reload"):
            self.change(DEVICE % "new")
        seconds = old.seconds
        self.bench.exchange(10)
        self.assertEqual(old.seconds, seconds)
        self.assertGreater(self.bench.device.seconds, 5)

    def test_connections_to_come_get_the_new_one(self):
        with self.assertLogs("usbremote.reload"):
            self.change(DEVICE % "new")
        self.assertEqual(self.program.new_device().product, "new")

    def test_a_device_that_waits_for_its_first_connection_is_replaced(self):
        self.server.links.clear()
        self.program.first = self.program.new_device()
        with self.assertLogs("usbremote.reload"):
            self.change(DEVICE % "new")
        self.assertIsNone(self.program.first)

    def test_it_is_taken_only_when_it_has_been_written(self):
        for part in ("half", "nearly"):
            self.write(DEVICE % part)
            self.assertEqual(self.bench.exchange(INTERVAL), [])
        with self.assertLogs("usbremote.reload"):
            self.assertEqual(self.change(DEVICE % "new"), [Detach, Attach])


class Imports(Watched):
    """Files beside the device's, which it imports."""

    def beside(self, text, name="names.py"):
        """Write such a file, with a time of its own."""
        self.count += 1
        path = self.path.parent / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        os.utime(path, (self.count, self.count))
        return path

    def importing(self, how="from names import NAME"):
        """Have the device import its name."""
        with self.assertLogs("usbremote.reload"):
            self.change(how + DEVICE.replace('"%s"', "NAME"))
        self.plugged_in()

    def after(self):
        """What the device is, and says of itself, after a change."""
        with self.assertLogs("usbremote.reload"):
            self.assertEqual(self.look(), [Detach, Attach])
        self.plugged_in()
        return self.product()

    def test_a_file_that_it_imports_is_watched(self):
        self.beside("NAME = 'one'")
        self.importing()
        self.assertEqual(self.look(), [])
        self.beside("NAME = 'two'")
        self.assertEqual(self.after(), "two")

    def test_so_is_one_of_a_package_in_its_folder(self):
        self.beside("", "words/__init__.py")
        self.beside("NAME = 'one'", "words/names.py")
        self.importing("from words.names import NAME")
        self.beside("NAME = 'two'", "words/names.py")
        self.assertEqual(self.after(), "two")

    def test_other_files_of_its_folder_are_not_watched(self):
        self.beside("NAME = 'one'")
        self.beside("x = 1", "other.py")
        self.importing()
        self.beside("x = 2", "other.py")
        self.assertEqual(self.look(), [])

    def test_a_syntax_error_in_one_is_told_with_its_line(self):
        self.beside("NAME = 'one'")
        self.importing()
        old = sys.modules["names"]
        path = self.beside("NAME = (")
        with self.assertLogs("usbremote.reload", "ERROR") as logs:
            self.assertEqual(self.look(), [])
        self.assertIn(f"{path}:1: ", logs.output[0])
        self.assertIn("the old device stays", logs.output[0])
        self.assertIs(sys.modules["names"], old)
        self.assertEqual(self.product(), "one")
        self.beside("NAME = 'two'")
        self.assertEqual(self.after(), "two")

    def test_a_new_one_that_is_wrong_is_watched_too(self):
        self.beside("NAME = (")
        with self.assertLogs("usbremote.reload", "ERROR"):
            self.assertEqual(self.change("from names import NAME"
                                         + DEVICE.replace('"%s"', "NAME")), [])
        self.beside("NAME = 'two'")
        self.assertEqual(self.after(), "two")


class Wrong(Watched):
    def stays(self, text, pattern):
        """One line, and the old device stays plugged in."""
        with self.assertLogs("usbremote.reload", "ERROR") as logs:
            self.assertEqual(self.change(text), [])
        line, = (record.getMessage() for record in logs.records)
        self.assertRegex(line, pattern + r".*; the old device stays\Z")
        self.assertNotIn("\n", line)
        self.assertIsNone(logs.records[0].exc_info)
        self.assertEqual(self.product(), "old")
        self.assertEqual(self.program.new_device().product, "old")

    def test_a_syntax_error(self):
        self.stays("class Thing(:\n", r"thing\.py:1: ")

    def test_a_file_that_fails_does_not_replace_the_module(self):
        self.stays("(", "thing")
        self.assertIs(sys.modules["thing"].Thing, type(self.bench.device))

    def test_an_error_of_the_import(self):
        self.stays("\nimport nowhere\n", r"thing\.py:2: ModuleNotFoundError")

    def test_an_error_of_the_constructor(self):
        self.stays(DEVICE % "new" + '''
    def __init__(self, options):
        super().__init__(options)
        self.image = options.image
''', r"thing\.py:15: AttributeError")

    def test_a_descriptor_that_cannot_be_made(self):
        self.stays(DEVICE % "new" + "\n    release = 'x'\n", "cannot be made")

    def test_a_file_that_is_gone_is_waited_for(self):
        self.path.unlink()
        self.assertEqual(self.look(), [])
        with self.assertLogs("usbremote.reload"):
            self.assertEqual(self.change(DEVICE % "new"), [Detach, Attach])

    def test_options_that_do_not_fit_any_more(self):
        err = io.StringIO()
        with contextlib.redirect_stderr(err):
            self.assertEqual(self.change(DEVICE % "new" + '''
    @classmethod
    def add_options(cls, parser):
        parser.add_argument("--needed", required=True)
'''), [])
        self.assertRegex(err.getvalue(), r"\Athing\.py: .*--needed.*\n\Z")
        self.assertEqual(self.product(), "old")

    def test_a_right_file_after_a_wrong_one(self):
        self.stays("(", "thing")
        with self.assertLogs("usbremote.reload"):
            self.assertEqual(self.change(DEVICE % "new"), [Detach, Attach])


if __name__ == "__main__":
    unittest.main()
