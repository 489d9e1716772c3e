# SPDX-License-Identifier: GPL-2.0-or-later
"""overlay/packages: what is installed for which command."""

import tempfile
import unittest
from pathlib import Path
from unittest import mock

import trees        # pylint: disable=unused-import

import packages

LIST = """\
# a comment
gcc
meson   12  backports
meson   13

[fuzz]
clang
libclang-rt-14-dev  12
libclang-rt-19-dev  13
[bench]
other
"""


class Groups(unittest.TestCase):
    """A group's packages are for the command that asks for them."""

    def needed(self, release, *groups):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'packages')
            path.write_text(LIST)
            with mock.patch.object(packages, 'LIST', path), \
                    mock.patch.object(packages, 'os_release', lambda: {
                        'ID': 'debian', 'VERSION_ID': release,
                        'VERSION_CODENAME': 'name'}):
                return packages.needed(groups)

    def test_without_a_group(self):
        self.assertEqual(self.needed('13').install, ['gcc', 'meson'])

    def test_with_a_group(self):
        self.assertEqual(self.needed('13', 'fuzz').install,
                         ['gcc', 'meson', 'clang', 'libclang-rt-19-dev'])

    def test_a_line_for_one_release_in_a_group(self):
        self.assertIn('libclang-rt-14-dev',
                      self.needed('12', 'fuzz').install)

    def test_backports_are_not_installed(self):
        needed = self.needed('12', 'bench')
        self.assertEqual((needed.install, needed.unpack),
                         (['gcc', 'other'], ['meson']))


if __name__ == '__main__':
    unittest.main()
