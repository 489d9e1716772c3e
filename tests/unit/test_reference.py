# SPDX-License-Identifier: GPL-2.0-or-later
"""scripts/gen-reference: the docstrings as one text."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from support import ROOT

from usbremote import device, endpoint


class Reference(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "new" / "python.md"
            subprocess.run([sys.executable, ROOT / "scripts/gen-reference",
                            "--output", path], check=True, timeout=60,
                           stdout=subprocess.DEVNULL)
            cls.lines = path.read_text().splitlines()

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


if __name__ == "__main__":
    unittest.main()
