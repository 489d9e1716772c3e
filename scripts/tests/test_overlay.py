# SPDX-License-Identifier: GPL-2.0-or-later
"""The overlay: what it makes of a tree, and what it refuses."""

import os
import time
import unittest

from trees import OURS, PATCH, PRISTINE, TreeTest

from common import Failure


class Laying(TreeTest):
    """What the laid tree looks like."""

    def test_files_and_fragments_are_in_their_places(self):
        self.lay()
        self.assertEqual(self.laid('hw/usb/dev-remote.c'), 'void *data\n')
        self.assertEqual(self.laid('hw/usb/meson.build'),
                         "one\nfiles('dev-remote.c')\n"
                         '  modules += {}\nlast\n')
        self.assertEqual(self.laid('hw/usb/core.c'),
                         PRISTINE['hw/usb/core.c'])

    def test_maintainers_has_only_lines_that_match_a_file(self):
        self.lay()
        self.assertIn('F: hw/usb/dev-r*\n', self.laid('MAINTAINERS'))
        self.assertNotIn('nothing', self.laid('MAINTAINERS'))

    def test_laying_again_changes_nothing(self):
        self.lay()
        self.assertEqual(self.lay(), [])

    def test_only_a_changed_file_is_written(self):
        self.lay()
        self.ours('hw/usb/dev-remote.c', 'other\n')
        self.assertEqual(self.lay(), ['hw/usb/dev-remote.c'])

    def test_a_vanished_file_is_removed(self):
        path = 'hw/usb/dev-remote-x.h'
        self.ours(path, 'x\n')
        self.lay()
        (self.root / path).unlink()
        self.assertEqual(self.lay(), [path])
        self.assertFalse((self.base.source / path).exists())

    def test_an_edited_file_of_the_laid_tree_is_restored_as_new(self):
        old = time.time() - 1000
        os.utime(self.pristine / 'hw/usb/core.c', (old, old))
        self.lay()
        (self.base.source / 'hw/usb/core.c').write_text('edited\n')
        self.assertEqual(self.lay(), ['hw/usb/core.c'])
        self.assertEqual(self.laid('hw/usb/core.c'),
                         PRISTINE['hw/usb/core.c'])
        written = (self.base.source / 'hw/usb/core.c').stat().st_mtime
        self.assertGreater(written, old + 500)
        self.assertEqual(self.lay(), [])

    def test_the_pristine_tree_is_never_changed(self):
        self.ours('overlay/patches/10.0/0001-core.patch', PATCH)
        self.lay()
        for path, text in PRISTINE.items():
            self.assertEqual((self.pristine / path).read_text(), text)

    def test_a_patch_is_applied(self):
        self.ours('overlay/patches/10.0/0001-core.patch', PATCH)
        self.lay()
        self.assertEqual(self.laid('hw/usb/core.c'), 'a\nb\nc\nD\ne\nf\ng\n')

    def test_substitutions_of_the_base_are_made(self):
        self.ours('overlay/compat/10.0',
                  'hw/usb/dev-*.c: void *data => const void *data\n')
        self.lay()
        self.assertEqual(self.laid('hw/usb/dev-remote.c'),
                         'const void *data\n')


class Refusing(TreeTest):
    """What is refused, with the name of what is wrong."""

    def refused(self, *words):
        with self.assertRaises(Failure) as caught:
            self.lay()
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_an_anchor_that_is_missing(self):
        (self.pristine / 'hw/usb/meson.build').write_text('one\nlast\n')
        self.refused('hw/usb/meson.build', '"modules += {}"', '0 times')

    def test_an_anchor_that_is_there_twice(self):
        (self.pristine / 'hw/usb/meson.build').write_text(
            'modules += {}\nmodules += {}\n')
        self.refused('hw/usb/meson.build', '"modules += {}"', '2 times')

    def test_an_anchor_in_a_file_that_is_missing(self):
        (self.pristine / 'hw/usb/meson.build').unlink()
        self.refused('hw/usb/meson.build', 'no such file')

    def test_a_patch_whose_context_differs(self):
        self.ours('overlay/patches/10.0/0001-core.patch',
                  PATCH.replace('\n a\n', '\n other\n'))
        self.refused('0001-core.patch')

    def test_a_substitution_that_nothing_needs(self):
        self.ours('overlay/compat/10.0', 'hw/usb/dev-*.c: gone => new\n')
        self.refused('overlay/compat/10.0', '"gone"')

    def test_a_file_that_no_patch_takes(self):
        self.ours('hw/usb/other.c', 'x\n')
        self.refused('overlay/series', 'hw/usb/other.c')

    def test_a_file_that_qemu_has_too(self):
        (self.pristine / 'hw/usb/dev-remote.c').write_text('x\n')
        self.refused('hw/usb/dev-remote.c')

    def test_a_source_that_its_fragment_does_not_name(self):
        self.ours('hw/usb/dev-remote-x.c', 'x\n')
        self.refused('hw/usb/meson.build does not name',
                     'hw/usb/dev-remote-x.c')

    def test_a_source_that_is_missing(self):
        (self.root / 'hw/usb/dev-remote.c').unlink()
        self.refused('hw/usb/meson.build names hw/usb/dev-remote.c')

    def test_a_fragment_that_does_not_say_so(self):
        self.ours('hw/usb/meson.build',
                  OURS['hw/usb/meson.build'].replace('Fragment', 'Part'))
        self.refused('hw/usb/meson.build', 'line 1')


if __name__ == '__main__':
    unittest.main()
