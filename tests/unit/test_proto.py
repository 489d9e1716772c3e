# SPDX-License-Identifier: GPL-2.0-or-later
"""What is generated from the wire header follows it."""

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import HEADER, PYTHON, ROOT, VECTORS

GEN_PROTO = ROOT / "scripts/gen-proto"
GENERATE = VECTORS / "generate"
DOCS = ROOT / "docs/usb-remote.rst"

# One change of each kind of thing that the header defines, on copies.
CHANGES = {
    "magic": ('"usbrem', '"usbrom'),
    "version": ("USB_REMOTE_MINOR            1",
                "USB_REMOTE_MINOR            2"),
    "message number": ("USB_REMOTE_MSG_COMPLETE         = 0x0031",
                       "USB_REMOTE_MSG_COMPLETE         = 0x0034"),
    "sender": ("X(READY,       PEER", "X(READY,       BOTH"),
    "constant": ("USB_REMOTE_STATUS_CANCELLED     = 6",
                 "USB_REMOTE_STATUS_CANCELLED     = 7"),
    "bound": ("USB_REMOTE_MAX_GAP_MS           = 60000",
              "USB_REMOTE_MAX_GAP_MS           = 60001"),
    "member's size": ("uint8_t stream[2]; ", "uint8_t stream[4]; "),
    "order of members": (
        "    uint8_t major[2];           /* USB_REMOTE_MAJOR */\n"
        "    uint8_t minor[2];           /* USB_REMOTE_MINOR */\n",
        "    uint8_t minor[2];           /* USB_REMOTE_MINOR */\n"
        "    uint8_t major[2];           /* USB_REMOTE_MAJOR */\n"),
}
# Blocks that the documentation has at least.
BLOCKS = ("version", "messages", "constants-STATUS", "constants-BOUNDS",
          "layout-UsbRemoteSubmit", "layout-UsbRemotePreamble")

# What is no header of this kind.
NOT_UNDERSTOOD = {
    "another define": ("#endif", "#define USB_REMOTE_EXTRA 1\n#endif"),
    "an expression": ("USB_REMOTE_STATUS_NAK           = 2",
                      "USB_REMOTE_STATUS_NAK           = 1 + 1"),
    "no value": ("USB_REMOTE_STATUS_NAK           = 2",
                 "USB_REMOTE_STATUS_NAK"),
    "another type": ("    uint8_t code[4]; ", "    uint32_t code; "),
    "an integer of 3 bytes": ("    uint8_t code[4]; ",
                              "    uint8_t code[3]; "),
    "an enum of unknown kind": ("USB_REMOTE_FLAG_OPTIONAL",
                                "USB_REMOTE_FLUG_OPTIONAL"),
    "an enum of two kinds": ("USB_REMOTE_STATUS_NAK", "USB_REMOTE_TYPE_NAK"),
    "an unknown sender": ("ATTACH,      PEER", "ATTACH,      GUEST"),
    "a message without a number": ("X(DETACH,  ", "X(DITACH,  "),
    "a message that is not in the table": (
        "    X(DETACH,      PEER, UsbRemoteDetach,      NONE) \\\n", ""),
    "a flag of two bits": ("USB_REMOTE_SUBMIT_MORE          = 0x0002",
                           "USB_REMOTE_SUBMIT_MORE          = 0x0003"),
    "an unknown tail": ("UsbRemoteDetach,      NONE",
                        "UsbRemoteDetach,      SOME"),
    "a struct that is not there": ("UsbRemoteDetach,      NONE",
                                   "UsbRemoteDetuch,      NONE"),
    "two messages of one number": (
        "USB_REMOTE_MSG_DETACH           = 0x0012",
        "USB_REMOTE_MSG_DETACH           = 0x0010"),
    "another condition": ("#include <stdint.h>",
                          "#include <stdint.h>\n#if 1\n#endif"),
    "a magic of another size": ('"usbrem', '"usbre'),
    "a struct defined twice": ("} UsbRemoteDetach;", "} UsbRemoteDetach;\n"
                               "typedef struct UsbRemoteDetach {\n"
                               "    uint8_t x[1];\n} UsbRemoteDetach;"),
    "the end missing": ("#endif", ""),
}


def run(*command):
    return subprocess.run([sys.executable, *map(str, command)], text=True,
                          capture_output=True, check=False, timeout=60)


class CheckedIn(unittest.TestCase):
    """Nothing checked in is out of date."""

    def test_python(self):
        done = run(GEN_PROTO, "--check")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_docs(self):
        if not DOCS.exists():
            self.skipTest("docs/usb-remote.rst is not written yet")
        done = run(GEN_PROTO, "--docs", DOCS, "--check")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_vectors(self):
        done = run(GENERATE, "--check")
        self.assertEqual(done.returncode, 0, done.stderr)


class Changed(unittest.TestCase):
    """Changing one thing in the header makes all that follow it fail."""

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.header = Path(directory.name) / "remote-proto.h"
        self.docs = Path(directory.name) / "docs.rst"

    def change(self, old, new):
        text = HEADER.read_text()
        self.assertEqual(text.count(old), 1, f"{old!r} in the header")
        self.header.write_text(text.replace(old, new))

    def stale(self, *command):
        """Whether a check finds the header ahead of what is checked in."""
        done = run(*command, "--check", "--header", self.header)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode == 1

    def test_python_must_follow(self):
        for name, change in CHANGES.items():
            with self.subTest(name):
                self.change(*change)
                self.assertTrue(self.stale(GEN_PROTO))

    def test_vectors_must_follow(self):
        for name, change in CHANGES.items():
            with self.subTest(name):
                self.change(*change)
                self.assertTrue(self.stale(GENERATE))

    def test_docs_must_follow(self):
        empty = "".join(f".. BEGIN GENERATED {name}\n.. END GENERATED\n"
                        for name in BLOCKS)
        self.docs.write_text(DOCS.read_text() if DOCS.exists() else empty)
        self.assertEqual(run(GEN_PROTO, "--docs", self.docs).returncode, 0)
        for name, change in CHANGES.items():
            if name == "magic":
                continue        # in no table
            with self.subTest(name):
                self.change(*change)
                self.assertTrue(self.stale(GEN_PROTO, "--docs", self.docs))

    def test_a_comment_is_no_change_to_python_and_vectors(self):
        self.change("/* Before every message. */", "/* Anything else. */")
        self.assertFalse(self.stale(GEN_PROTO))
        self.assertFalse(self.stale(GENERATE))

    def test_what_is_not_understood_is_refused_with_its_place(self):
        for name, (old, new) in NOT_UNDERSTOOD.items():
            with self.subTest(name):
                text = HEADER.read_text()
                self.assertTrue(old in text, f"{old!r} in the header")
                self.header.write_text(new.join(text.rsplit(old, 1)))
                done = run(GEN_PROTO, "--check", "--header", self.header)
                self.assertEqual(done.returncode, 2)
                self.assertRegex(done.stderr, r"^gen-proto: .+\n\Z")
                self.assertNotIn("Traceback", done.stderr)


class Docs(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.docs = Path(directory.name) / "docs.rst"

    def test_blocks_are_filled_and_the_rest_stays(self):
        self.docs.write_text("before\n\n.. BEGIN GENERATED version\nold\n"
                             ".. END GENERATED\n\nafter\n")
        self.assertEqual(run(GEN_PROTO, "--docs", self.docs,
                             "--check").returncode, 1)
        self.assertEqual(run(GEN_PROTO, "--docs", self.docs).returncode, 0)
        self.assertEqual(run(GEN_PROTO, "--docs", self.docs,
                             "--check").returncode, 0)
        self.assertEqual(
            self.docs.read_text(),
            "before\n\n.. BEGIN GENERATED version\n\nThis is version 0.1 of "
            "the protocol.\n\n.. END GENERATED\n\nafter\n")

    def test_wrong_markers_are_refused(self):
        begin, end = ".. BEGIN GENERATED version\n", ".. END GENERATED\n"
        for text in (begin, end, begin + begin + end,
                     ".. BEGIN GENERATED nothing\n" + end):
            with self.subTest(text):
                self.docs.write_text(text)
                done = run(GEN_PROTO, "--docs", self.docs)
                self.assertEqual(done.returncode, 2)
                self.assertEqual(self.docs.read_text(), text)

    def test_tables_have_straight_columns(self):
        tables = run(GEN_PROTO, "--rst").stdout.split("\n\n")
        for table in tables:
            if table.startswith("="):
                rule, *lines = table.splitlines()
                gaps = [m.span() for m in re.finditer(" +", rule)]
                for line in lines:
                    for start, end in gaps:
                        self.assertEqual(line[start:end].strip(), "", line)

    def test_every_struct_and_enum_has_a_table(self):
        text = HEADER.read_text()
        shown = run(GEN_PROTO, "--rst").stdout
        for name in re.findall(r"^typedef struct (\w+)", text, re.M):
            self.assertIn(f".. BEGIN GENERATED layout-{name}\n", shown)
        for name in re.findall(r"^    (USB_REMOTE_\w+) +=", text, re.M):
            self.assertIn(f"``{name}``", shown)


class Header(unittest.TestCase):
    """The header as a C and a C++ compiler see it."""

    def compile(self, *command):
        done = subprocess.run(
            [*command, "-Wall", "-Wextra", "-Wpedantic", "-Wconversion",
             "-Werror", "-fsyntax-only", f"-I{HEADER.parent}", "-"],
            input='#include "remote-proto.h"\nextern int x; int x;\n',
            text=True, capture_output=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_it_is_c99(self):
        self.compile("gcc", "-xc", "-std=c99")

    def test_it_is_cxx11(self):
        try:
            self.compile("g++", "-xc++", "-std=c++11")
        except FileNotFoundError:
            self.skipTest("there is no g++")

    def test_offsets_are_those_of_the_compiler(self):
        sys.path.insert(0, str(PYTHON))
        from usbremote import _proto
        claims = []
        for layout in _proto.LAYOUTS.values():
            claims.append(f"sizeof({layout.name}) == {layout.size}")
            claims += [f"offsetof({layout.name}, {f.name}) == {f.offset}"
                       for f in layout.fields]
        source = ["#include <stddef.h>", '#include "remote-proto.h"']
        source += [f"typedef char check_{i}[({claim}) ? 1 : -1];"
                   for i, claim in enumerate(claims)]
        done = subprocess.run(
            ["gcc", "-xc", "-std=c99", "-fsyntax-only",
             f"-I{HEADER.parent}", "-"], input="\n".join(source), text=True,
            capture_output=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()
