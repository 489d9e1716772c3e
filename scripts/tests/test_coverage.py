# SPDX-License-Identifier: GPL-2.0-or-later
"""Coverage: what ran, and what is said of the rest."""

import contextlib
import io
import subprocess
import tempfile
import unittest
from pathlib import Path

import trees        # pylint: disable=unused-import

import common
import coverage

SOURCE = """\
static int f(int x)
{
    if (x) {
        return 1;
    }
    return 1;
}

int main(int argc, char **argv)
{
    return f(argc) - 1;
}
"""
EXPLAINED = """\
# a comment

A reason that goes on
in a second line.
    f: return 2;
Another one.
    g: return 3;
"""
# the line of SOURCE that does not run
LAST = 'f: return 1; (2 of 2)'


class Coverage(unittest.TestCase):
    """A small program in a folder that looks like QEMU's."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.source = Path(folder.name, 'src')
        self.tree = Path(folder.name, 'tree')
        source = self.source / 'hw/usb/dev-remote-x.c'
        source.parent.mkdir(parents=True)
        source.write_text(SOURCE)
        objects = self.tree / 'lib.p'
        objects.mkdir(parents=True)
        name = 'lib.p/hw_usb_dev-remote-x.c.o'
        for command in (['-c', '-o', name, '../src/hw/usb/dev-remote-x.c'],
                        ['-o', 'program', name]):
            subprocess.run(['gcc', '--coverage', *command], cwd=self.tree,
                           check=True)

    def lines(self):
        return coverage.lines(self.source, self.tree)

    def run_program(self):
        subprocess.run([self.tree / 'program'], check=True)

    def missed(self):
        return [line.key for line in self.lines() if not line.count]

    def test_lines_that_did_not_run(self):
        self.run_program()
        self.assertEqual(self.missed(), [LAST])

    def test_nothing_has_run_after_a_reset(self):
        self.run_program()
        coverage.reset(self.tree)
        self.assertEqual(len(self.missed()), len(self.lines()))

    def test_the_table(self):
        self.run_program()
        file, whole = coverage.table(self.lines())
        self.assertIn('hw/usb/dev-remote-x.c', file)
        self.assertIn('5 of     6 lines   83.3 %', whole)

    def test_a_build_without_counts(self):
        with self.assertRaisesRegex(common.Failure, 'no line is counted'):
            coverage.lines(self.source, self.source)

    def complaints(self, reasons):
        self.run_program()
        lines = [line for line in self.lines() if line.function == 'f']
        with contextlib.redirect_stdout(io.StringIO()):
            return list(coverage.judge(lines, reasons))

    def test_a_line_that_is_not_explained_is_a_complaint(self):
        self.assertIn('1 lines did not run and are not explained',
                      self.complaints({}))

    def test_a_line_that_is_explained_is_none(self):
        self.assertEqual(
            [text for text in self.complaints({LAST: 'why'})
             if 'explained' in text], [])

    def test_a_line_that_is_equal_is_not_explained_with_it(self):
        complaints = self.complaints({LAST.replace('2 of', '1 of'): 'why'})
        self.assertIn('1 lines did not run and are not explained', complaints)

    def test_an_explanation_without_a_line_is_a_complaint(self):
        self.assertIn('tests/lines-not-run: there is no line "g: gone;"',
                      self.complaints({'g: gone;': 'why'}))

    def test_too_little_is_a_complaint(self):
        self.assertIn('75.0 % of the lines ran, which is less than 95.0 %',
                      self.complaints({LAST: 'why'}))


class Explanations(unittest.TestCase):
    def test_reading(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, 'list')
            path.write_text(EXPLAINED)
            self.assertEqual(coverage.explanations(path), {
                'f: return 2;': 'A reason that goes on in a second line.',
                'g: return 3;': 'Another one.'})


if __name__ == '__main__':
    unittest.main()
