# SPDX-License-Identifier: GPL-2.0-or-later
"""What all examples have in common, and what each says to wrong options."""

import ast
import resource
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import ROOT, load_example

from usbremote import Device

EXAMPLES = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
LONGEST = 300                   # lines
TIMEOUT = 60
MEMORY = 1 << 29                # bytes, more than any of them has use for


def bound_memory():
    """For a program that is about to start."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def run(name, *arguments):
    """The example's exit status, its output and its errors."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / f"{name}.py"), *arguments],
        text=True, capture_output=True, timeout=TIMEOUT, check=False,
        preexec_fn=bound_memory)
    return done.returncode, done.stdout, done.stderr


class Command(unittest.TestCase):
    def refused(self, name, why, *arguments):
        status, out, err = run(name, "--connect", "unix:/nowhere", *arguments)
        self.assertEqual((status, out), (2, ""))
        self.assertRegex(err, rf"\A{name}\.py: .*{why}.*\n\Z")


class Each(Command):
    def test_help_begins_with_what_it_is(self):
        for name in EXAMPLES:
            with self.subTest(name):
                status, out, err = run(name, "--help")
                self.assertEqual((status, err), (0, ""))
                self.assertIn("--connect ADDR", out)
                source = (ROOT / f"examples/{name}.py").read_text()
                said = ast.get_docstring(ast.parse(source), clean=False)
                self.assertIn(said.strip(), out)

    def test_a_wrong_option_is_told_in_one_line(self):
        for name in EXAMPLES:
            with self.subTest(name):
                self.refused(name, "'warp' is none of", "--speed", "warp")

    def test_no_two_of_them_have_the_same_id(self):
        """Together in a guest, they are told apart by it."""
        ids = {}
        for name in EXAMPLES:
            module = load_example(name)
            for kind in vars(module).values():
                if (isinstance(kind, type) and issubclass(kind, Device)
                        and kind.__module__ == name):
                    ids.setdefault((kind.vendor_id, kind.product_id),
                                   []).append(name)
        self.assertEqual({id: names for id, names in ids.items()
                          if len(names) > 1}, {})
        self.assertEqual(len(ids), len(EXAMPLES))

    def test_it_can_be_read(self):
        for name in EXAMPLES:
            text = (ROOT / f"examples/{name}.py").read_text()
            self.assertLess(text.count("\n"), LONGEST, name)


class Wrong(Command):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def file(self, content):
        path = self.folder / "file"
        path.write_bytes(content)
        return str(path)

    def test_a_text_that_no_key_types(self):
        self.refused("keyboard", "no key .* types 'é'", "--text", "café")

    def test_a_file_that_no_key_types(self):
        self.refused("keyboard", "no key .* types", "--file",
                     self.file(b"caf\xe9"))

    def test_a_text_file_that_is_not_there(self):
        self.refused("keyboard", "cannot read '/nowhere/file': No such file",
                     "--file", "/nowhere/file")

    def test_a_line_that_is_no_position(self):
        for line in (b"1", b"1 x", b"1 2 3 4", b"-1 0", b"0 32768", b"0 0 8",
                     b"\xff"):
            self.refused("tablet", "line 2 of .* is no position",
                         "--positions", self.file(b"0 0\n" + line + b"\n"))

    def test_a_file_without_an_end(self):
        for name, option, size in (("keyboard", "--file", 1 << 20),
                                   ("tablet", "--positions", 1 << 20),
                                   ("usbtmc", "--waveform", 1 << 24)):
            self.refused(name, f"'/dev/zero' has more than {size} bytes",
                         option, "/dev/zero")

    def test_a_line_without_an_end(self):
        self.refused("tablet", "is no position: 'x{40}'", "--positions",
                     self.file(b"x" * 1000))

    def test_no_positions(self):
        self.refused("tablet", "has no positions", "--positions",
                     self.file(b""))

    def test_an_output_that_cannot_be_written(self):
        self.refused("printer", "cannot write '/nowhere/job': No such file",
                     "--output", "/nowhere/job")
        self.refused("printer", "cannot write '/': Is a directory",
                     "--output", "/")

    def test_a_printer_without_output(self):
        self.refused("printer", "--output")

    def test_a_waveform_that_is_not_there(self):
        self.refused("usbtmc", "cannot read '/nowhere/file': No such file",
                     "--waveform", "/nowhere/file")


if __name__ == "__main__":
    unittest.main()
