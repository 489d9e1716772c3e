# SPDX-License-Identifier: GPL-2.0-or-later
"""A small QEMU-like tree, and a small copy of this project, for tests."""

import sys
import tempfile
import unittest
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(SCRIPTS / 'lib'))

# pylint: disable=wrong-import-position
import bases
import mirror
import overlay

PRISTINE = {
    'VERSION': '10.0.99\n',
    'MAINTAINERS': 'USB\nS: Orphan\n\nVFIO\nS: Supported\n',
    'hw/usb/meson.build': "one\n  modules += {}\nlast\n",
    'hw/usb/core.c': 'a\nb\nc\nd\ne\nf\ng\n',
}
OURS = {
    'hw/usb/dev-remote.c': 'void *data\n',
    'hw/usb/meson.build': '# Fragment: of a test\n\n'
                          "files('dev-remote.c')\n",
    'MAINTAINERS': '# Fragment: of a test\n\nUSB remote\nF: hw/usb/dev-r*\n'
                   'F: nothing/*\n\n',
    'overlay/series': '[device]\nfiles = hw/usb/dev-remote*.[ch]\n'
                      'wiring = hw/usb/meson.build\n',
    'overlay/wiring': '[MAINTAINERS]\nbefore = VFIO\n'
                      'fragment = MAINTAINERS\n'
                      '[hw/usb/meson.build]\nbefore = modules += {}\n'
                      'fragment = hw/usb/meson.build\n',
}
PATCH = '''\
Subject: [PATCH] hw/usb/core: change d

Why.
---
--- a/hw/usb/core.c
+++ b/hw/usb/core.c
@@ -1,7 +1,7 @@
 a
 b
 c
-d
+D
 e
 f
 g
'''


def write(folder, files):
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


class TreeTest(unittest.TestCase):
    """A test with a pristine tree, our files and a target folder."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.root, self.pristine = self.folder / 'ours', self.folder / 'qemu'
        write(self.pristine, PRISTINE)
        write(self.root, OURS)
        self.base = bases.Base('10.0', 'qemu', 'suite', '10.0', self.folder,
                               self.pristine)

    def ours(self, path, text):
        write(self.root, {path: text})

    def result(self):
        return overlay.Overlay(self.base, self.root).result()

    def lay(self):
        """Lay the overlay; returns the paths that this changed."""
        return mirror.lay(self.pristine, self.base.source, self.result())

    def laid(self, path):
        return (self.base.source / path).read_text()
