# SPDX-License-Identifier: GPL-2.0-or-later
"""Options of the examples that cannot be met: one line each."""

import argparse
import contextlib
import io
import os
import stat
import tempfile
import unittest

from support import load_example

from usbremote import cli


def run(name, *options):
    """The exit status and what is said, of a device that nobody waits for."""
    module = load_example(name)
    kind = next(value for value in vars(module).values()
                if isinstance(value, type) and issubclass(value, cli.Device)
                and value is not cli.Device)
    said = io.StringIO()
    with contextlib.redirect_stderr(said), tempfile.TemporaryDirectory() as d:
        try:
            program = cli.Program(
                cli.device_parser(kind, f"{name}.py"), kind,
                ["--connect", f"unix:{d}/none", *options])
            return program.run(), said.getvalue()
        except SystemExit as end:
            return end.code, said.getvalue()


class Options(unittest.TestCase):
    def refused(self, name, word, *options):
        with self.subTest(name, options=options):
            status, said = run(name, *options)
            self.assertIn(status, (1, 2))
            self.assertRegex(said, rf"\A{name}.py: .*{word}.*\n\Z")

    def test_texts_that_the_guest_could_not_be_told(self):
        for text in ("", "caf\xe9", "\udcff", "two\nlines", "x" * 256):
            for name, option in (("usbtmc", "--identity"),
                                 ("printer", "--model"),
                                 ("printer", "--commands")):
                self.refused(name, "1 to 255 printable ASCII",
                             f"{option}={text}")
        self.refused("printer", "other than ;", "--model", "a;CMD:b")

    def test_counters_do_not_replace_what_is_no_plain_file(self):
        with tempfile.TemporaryDirectory() as folder:
            pipe, link = f"{folder}/pipe", f"{folder}/link"
            os.mkfifo(pipe)
            os.symlink(pipe, link)
            for path in (folder, pipe, link):
                self.refused("zero", "is there and not a plain file",
                             "--stats", path)
            self.assertTrue(stat.S_ISFIFO(os.stat(pipe).st_mode))

    def test_a_file_may_have_as_much_as_is_said_and_no_more(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(bytes(1000))
            file.flush()
            self.assertEqual(cli.file_bytes(file.name, 1000), bytes(1000))
            with self.assertRaisesRegex(argparse.ArgumentTypeError,
                                        "has more than 999 bytes"):
                cli.file_bytes(file.name, 999)

    def test_empty_names(self):
        self.refused("zero", "bad address ''", "--connect=")
        self.refused("zero", "cannot write ''", "--pcap=")
        self.refused("zero", "cannot write ''", "--stats=")
        self.refused("storage", "'': No such file", "--image=")

    def test_a_disk(self):
        for options in (("--image", "/nowhere"), ("--image", "/nowhere",
                                                  "--read-only")):
            self.refused("storage", "/nowhere: No such file", *options)
        self.refused("storage", "Is a directory", "--image", "/etc")
        self.refused("storage", "Is a directory", "--image", "/etc",
                     "--read-only")
        self.refused("storage", "not even one block", "--image", "/dev/null")
        with tempfile.TemporaryDirectory() as folder:
            os.mkfifo(f"{folder}/pipe")
            for more in (), ("--read-only",):
                self.refused("storage", "is neither a file nor a disk",
                             "--image", f"{folder}/pipe", *more)
        for size in ("0", "1023", "x", "-1M", "9999999G"):
            self.refused("storage", "is no size", f"--size={size}")
        self.refused("storage", "12 to 126", "--size", "1M", "--serial", "1")
        self.refused("storage", "--image --size is required")

    def test_a_serial_port(self):
        self.refused("serial", "No such file", "--pty", "/nowhere/link")
        self.refused("serial", "/proc/link", "--pty", "/proc/link")
        self.refused("serial", "File exists", "--pty", "/etc/passwd")
        for address in ("here", "127.0.0.1:http", "127.0.0.1:99999"):
            self.refused("serial", "not HOST:PORT", "--tcp", address)
        self.refused("serial", "192.0.2.1:1", "--tcp", "192.0.2.1:1")
        self.refused("serial", "--pty --tcp is required")

    def test_a_network_adapter(self):
        self.refused("network", "is not a folder", "--www", "/nowhere")
        for address in ("10.0.0.254/24", "10.0.0.0/24", "10.0.0.1/32", "x"):
            self.refused("network", "is not like", "--address", address)
        for mac in ("01:00:00:00:00:00", "00:00:00:00:00:00", "02:00", "x"):
            self.refused("network", "is not like", "--mac", mac)

    def test_gadget_zero(self):
        self.refused("zero", "invalid choice", "--pattern", "3")


if __name__ == "__main__":
    unittest.main()
