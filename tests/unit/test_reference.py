# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/gen-reference: docstrings and the C headers' comments as text."""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import ROOT

sys.path.insert(0, str(ROOT / "scripts/lib"))

import cheader

from usbremote import device, endpoint

INCLUDE = ROOT / "libusbremote/include"
HEADER = """/* A header. */
/** A type. */
typedef struct Thing {
    int size;           /**< bytes */
    /** Called. */
    void (*called)(void *opaque);
} Thing;
/** Do @what was asked for. */
int usbremote_do(int what);
"""


def generate(folder, *arguments):
    return subprocess.run(
        [sys.executable, ROOT / "scripts/gen-reference", "--output", folder,
         *arguments], check=False, timeout=60, text=True, capture_output=True)


class Reference(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "new"
            generate(path).check_returncode()
            cls.lines = (path / "python.md").read_text().splitlines()
            cls.c_lines = (path / "c.md").read_text().splitlines()

    def test_every_public_method_of_a_device_and_an_endpoint_is_there(self):
        for kind in (device.Device, endpoint.OutEndpoint):
            for name, value in vars(kind).items():
                if name[0] != "_" and getattr(value, "__doc__", None) and (
                        callable(value)):
                    self.assertIn(f"#### {kind.__name__}.{name}", self.lines)

    def test_signature_and_text(self):
        at = self.lines.index("#### InEndpoint.send")
        self.assertEqual(self.lines[at + 2], "`async InEndpoint.send(self, "
                         "data: bytes, zlp: bool = False) -> None`")
        self.assertIn("Send bytes; returns when all", self.lines[at + 4])

    def test_nothing_in_it_depends_on_the_run(self):
        self.assertNotIn(" at 0x", "\n".join(self.lines))

    def test_every_function_that_the_c_library_exports_is_there(self):
        source = "".join(path.read_text() for path in
                         (ROOT / "libusbremote/src").glob("*.c"))
        names = set(re.findall(r"^\w[\w *]*?(usbremote_\w+)\(", source, re.M))
        self.assertGreater(len(names), 40)
        for name in names:
            self.assertIn(f"#### {name}", self.c_lines)

    def test_callbacks_members_and_values_in_c(self):
        at = self.c_lines.index("##### UsbRemoteCallbacks.submit")
        self.assertIn("Valid replies:", self.c_lines[at + 4])
        self.assertIn("* `size_t endpoint_count`: its entries, 0-30",
                      self.c_lines)
        self.assertIn("* `USBREMOTE_END_LOST`: the connection broke",
                      self.c_lines)


class Undocumented(unittest.TestCase):
    """What has no comment in a C header is named."""

    def judge(self, text, how):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.h"
            path.write_text(text)
            return how(path).replace(f"{folder}/", "")

    @staticmethod
    def read(path):
        try:
            cheader.read_header(path)
        except cheader.Undocumented as err:
            return str(err)
        return ""

    def test_a_header_with_all_comments_passes(self):
        self.assertEqual(self.judge(HEADER, self.read), "")

    def test_each_missing_comment_is_named_with_its_line(self):
        for comment, line, name in (
                ("/** A type. */", 3, "Thing"), ("/**< bytes */", 4, "size"),
                ("/** Called. */", 6, "called"),
                ("/** Do @what was asked for. */", 9, "usbremote_do")):
            with self.subTest(name):
                self.assertEqual(
                    self.judge(HEADER.replace(comment, ""), self.read),
                    f"a.h:{line}: {name} has no comment")

    def test_the_command_says_so_in_one_line(self):
        def run(path):
            done = generate(path.parent, "--headers", path)
            return f"{done.returncode} {done.stderr}"
        self.assertEqual(
            self.judge(HEADER.replace("/* A header. */", ""), run),
            "1 gen-reference: a.h:1: the header has no comment\n")


if __name__ == "__main__":
    unittest.main()
