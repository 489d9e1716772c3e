# SPDX-License-Identifier: GPL-2.0-or-later
"""The package's layers: who imports what, on which Pythons."""

import ast
import re
import sys
import unittest

from support import MOUSE, PYTHON, ROOT

PACKAGE = PYTHON / "usbremote"
# The only file with sockets; asyncio is everywhere but in the protocol.
TRANSPORT = "usbremote.transport"
PROTOCOL = "usbremote.session"
# The only one with a thread: it watches what may block all others.
WATCHDOG = "usbremote.watchdog"
IO = {"socket", "select", "socketserver", "ssl", "subprocess", "threading",
      "multiprocessing", "concurrent", "http"}


def modules():
    """(module name, path) of the whole package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PYTHON).with_suffix("").parts)
        yield name.replace(".__init__", ""), path


def examples():
    """(name, path) of the examples."""
    for path in sorted(MOUSE.parent.glob("*.py")):
        yield path.stem, path


def imported(path):
    """Top-level names of the modules that a file imports, wherever."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.split(".")[0]


class CLibrary(unittest.TestCase):
    """Of libusbremote, too, one file alone has I/O."""

    def test_only_the_transport_has_io(self):
        headers = re.compile(r"#include <(?:sys/\w+|netdb|netinet/\w+|poll|"
                             r"unistd|fcntl|pthread)\.h>")
        for path in sorted((ROOT / "libusbremote").glob("*/*.[ch]")):
            if path.parent.name != "tests":
                with self.subTest(path.name):
                    self.assertEqual(bool(headers.search(path.read_text())),
                                     path.name == "transport.c")


def within(name, path):
    """Modules of the package that one of them imports, type checking or not.
    """
    package = name if path.stem == "__init__" else name.rpartition(".")[0]
    known = {name for name, _ in modules()}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = ".".join(package.split(".")[:1 - node.level or None])
            base = f"{base}.{node.module}" if node.module else base
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield whole if whole in known else base


def graph():
    return {name: set(within(name, path)) for name, path in modules()}


def reached(name, graph):
    """What a module needs, itself included."""
    found, todo = set(), [name]
    while todo:
        each = todo.pop()
        if each not in found:
            found.add(each)
            todo += graph[each]
    return found


class Imports(unittest.TestCase):
    def test_only_the_transport_has_sockets_and_only_the_watchdog_a_thread(self):
        for name, path in modules():
            with self.subTest(name):
                found = IO & set(imported(path))
                if name == TRANSPORT:
                    self.assertIn("socket", found)
                elif name == WATCHDOG:
                    self.assertEqual(found, {"threading"})
                else:
                    self.assertEqual(found, set())

    def test_the_protocol_knows_no_event_loop(self):
        paths = dict(modules())
        needed = reached(PROTOCOL, graph())
        self.assertIn("usbremote.codec", needed)
        for name in needed:
            with self.subTest(name):
                self.assertNotIn("asyncio", set(imported(paths[name])))

    def test_no_module_needs_itself(self):
        """Neither when it runs nor for its types."""
        edges = graph()
        for name in edges:
            with self.subTest(name):
                self.assertEqual([other for other in edges[name]
                                  if name in reached(other, edges)], [])

    def test_nothing_but_the_standard_library(self):
        if not hasattr(sys, "stdlib_module_names"):
            self.skipTest("this Python does not list its library")
        for name, path in (*modules(), *examples()):
            with self.subTest(name):
                self.assertLessEqual(
                    set(imported(path)),
                    sys.stdlib_module_names | {"usbremote"})

    def test_no_star_imports(self):
        for name, path in (*modules(), *examples()):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ImportFrom):
                    self.assertNotIn("*", [a.name for a in node.names], name)


class Syntax(unittest.TestCase):
    def test_it_is_python_3_9(self):
        for name, path in (*modules(), *examples()):
            with self.subTest(name):
                ast.parse(path.read_text(), feature_version=(3, 9))

    def test_every_file_has_its_licence_and_docstring(self):
        for name, path in (*modules(), *examples()):
            with self.subTest(name):
                text = path.read_text()
                self.assertIn("SPDX-License-Identifier: MIT", text[:100])
                self.assertTrue(ast.get_docstring(ast.parse(text)))

    def test_no_example_is_longer_than_300_lines(self):
        for name, path in examples():
            with self.subTest(name):
                self.assertLessEqual(path.read_text().count("\n"), 300)

    def test_every_public_class_has_a_docstring(self):
        for name, path in modules():
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and node.name[0] != "_":
                    with self.subTest(f"{name}.{node.name}"):
                        self.assertTrue(ast.get_docstring(node))


if __name__ == "__main__":
    unittest.main()
