# SPDX-License-Identifier: GPL-2.0-or-later
"""Where Debian's packages come from: the machine's mirror or a named one."""

import subprocess
import unittest
from unittest import mock

import trees        # pylint: disable=unused-import

import archive
import common


def apt(*uris):
    """An apt with these sources."""
    lines = ''.join(f"'{uri}/InRelease' some_name 0 \n" for uri in uris)
    return subprocess.CompletedProcess([], 0, stdout=lines)


class Mirror(unittest.TestCase):
    """archive.mirror(), and the apt-get that it asks."""

    def mirror(self, *uris, named=''):
        with mock.patch.object(archive.subprocess, 'run',
                               return_value=apt(*uris)), \
                mock.patch.dict(archive.os.environ,
                                {'DEBIAN_MIRROR': named}):
            return archive.mirror()

    def test_the_machines_own_is_taken(self):
        self.assertEqual(
            self.mirror('http://mirror.invalid/debian/dists/trixie'),
            'http://mirror.invalid/debian')

    def test_a_named_one_comes_first(self):
        self.assertEqual(
            self.mirror('http://mirror.invalid/debian/dists/trixie',
                        named='file:/srv/debian/'),
            'file:/srv/debian')

    def test_other_archives_are_no_mirrors(self):
        self.assertEqual(
            self.mirror(
                'http://mirror.invalid/debian-security/dists/trixie-security',
                'http://old.invalid/debian/20250101T000000Z/dists/trixie',
                'http://other.invalid/debian/dists/trixie-pgdg',
                'https://mirror.invalid:3142/pub/debian/dists/trixie'),
            'https://mirror.invalid:3142/pub/debian')

    def test_a_cloud_images_list_of_mirrors(self):
        self.assertEqual(
            self.mirror('mirror+file:/etc/debian-security.list/dists/trixie',
                        'mirror+file:/etc/debian.list/dists/trixie'),
            'mirror+file:/etc/debian.list')

    def test_without_any_it_says_so_in_one_line(self):
        with self.assertRaises(common.Failure) as caught:
            self.mirror('http://mirror.invalid/ubuntu/dists/noble')
        self.assertIn('DEBIAN_MIRROR=URI', str(caught.exception))
        self.assertNotIn('\n', str(caught.exception))


if __name__ == '__main__':
    unittest.main()
