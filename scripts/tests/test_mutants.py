# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults in a built tree: that they come, are found, and go again."""

import contextlib
import io
import os
import signal
import unittest
from pathlib import Path
from unittest import mock

from trees import PATCH, PRISTINE, TreeTest, write

import common
import compile as building
import mutants
import overlay
import traps
from common import Failure

SOURCE = 'hw/usb/dev-remote.c'
BROKEN = 'does not compile'
HEAD = 'A fault.\n\n'

# A test program: its cases read what was "built" in its folder
PROGRAM = '''\
#!/bin/sh
case "$1 $4" in
'-l ') printf '/x86_64/t/%s\\n' first second hangs; exit;;
'--tap /x86_64/t/hangs') grep -q hang dev-remote.c && sleep 9;;
esac
if grep -qx "fault in ${4#/x86_64/t/}" dev-remote.c; then
    echo 'Bail out! ERROR:../x/t.c:7:fn: oh'
    kill -ABRT $$
fi
echo "ok 1 $4"
echo 1..1
'''


def fault(text):
    return (f'{HEAD}--- a/{SOURCE}\n+++ b/{SOURCE}\n@@ -1 +1,2 @@\n'
            f' void *data\n+{text}\n')


class BenchTest(TreeTest):
    """A test with a tree that "builds": it copies two sources."""

    def setUp(self):
        super().setUp()
        self.tree = self.base.tree('plain')
        write(self.tree, {'tests/qtest/usb-remote-test': PROGRAM})
        (self.tree / 'tests/qtest/usb-remote-test').chmod(0o755)
        ninja = mock.patch.object(building, 'ninja', self.ninja)
        ninja.start()
        self.addCleanup(ninja.stop)

    def ninja(self, base, _flavour, _targets):
        for path in (SOURCE, 'hw/usb/core.c'):
            text = (base.source / path).read_text()
            if BROKEN in text:
                raise Failure(BROKEN)
            (self.tree / Path(path).name).write_text(text)

    def bench(self):
        return mutants.bench(self.base, whole=self.result())

    def patch(self, text):
        write(self.folder, {'one.patch': text})
        return self.folder / 'one.patch'

    def built(self):
        return (self.tree / 'dev-remote.c').read_text()

    def assert_restored(self):
        self.assertEqual(self.built(), 'void *data\n')
        self.assertEqual(self.laid(SOURCE), 'void *data\n')


class Benches(BenchTest):
    """The tree gets a fault, and is itself again."""

    def test_a_fault_is_built_and_taken_out(self):
        with self.bench() as there:
            there.put(self.patch(fault('x')))
            self.assertEqual(self.built(), 'void *data\nx\n')
        self.assert_restored()

    def test_a_fault_replaces_the_one_before(self):
        with self.bench() as there:
            there.put(self.patch(fault('x')))
            there.put(self.patch(fault('y')))
            self.assertEqual(self.built(), 'void *data\ny\n')

    def test_a_patch_that_does_not_apply(self):
        with self.assertRaisesRegex(Failure, 'one.patch does not apply'), \
                self.bench() as there:
            there.put(self.patch(fault('x').replace('*data', 'other')))
        self.assert_restored()

    def test_a_fault_that_does_not_compile(self):
        with self.assertRaisesRegex(Failure, BROKEN), self.bench() as there:
            there.put(self.patch(fault(BROKEN)))
        self.assert_restored()

    def test_an_interruption(self):
        old = signal.signal(signal.SIGTERM, common.terminated)
        self.addCleanup(signal.signal, signal.SIGTERM, old)
        with self.assertRaises(KeyboardInterrupt), self.bench() as there:
            there.put(self.patch(fault('x')))
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        self.assert_restored()


class Ours(unittest.TestCase):
    """The faults in this repository, which other changes must not outdate."""

    def test_each_applies(self):
        for folder in ('tests/mutants', 'tests/fuzz/planted'):
            for patch in sorted((common.ROOT / folder).rglob('*.patch')):
                with self.subTest(patch.name):
                    overlay.apply_patch(overlay.Tree(common.ROOT, {}), patch)


class Judging(BenchTest):
    """Whether a case finds a fault, and which one."""

    def check(self, text):
        """The (case, how) that finds a fault; the tree is restored."""
        mutant = mutants.read(self.patch(text))
        with self.bench() as there:
            program = mutants.Program(self.base, 'plain')
            return mutants.check(there, program, mutant)

    def head(self, line, text):
        return fault(text).replace(HEAD, HEAD + line + '\n\n')

    def test_the_case_that_fails_is_named_with_its_complaint(self):
        self.assertEqual(self.check(fault('fault in second')),
                         ('/t/second', 't.c:7: fn: oh'))

    def test_named_cases_come_first(self):
        text = self.head('Killed-by: /t/second', 'fault in second') \
            .replace('+1,2', '+1,3') + '+fault in first\n'
        self.assertEqual(self.check(text)[0], '/t/second')

    def test_a_named_case_may_have_the_architecture_before_it(self):
        mutant = mutants.read(self.patch(self.head(
            'Killed-by: /x86_64/t/second', 'fault in second')))
        self.assertEqual(mutant.killed_by, ('/t/second',))

    def test_a_file_that_is_not_a_patch(self):
        with self.assertRaisesRegex(Failure, '^[^\n]*one.patch: not a patch'):
            mutants.read(self.patch('A text.\nIt has lines.\n'))

    def test_a_case_that_hangs_fails(self):
        with mock.patch.object(mutants, 'CASE_SECONDS', 0.5), \
                self.bench() as there:
            there.put(self.patch(fault('hang')))
            program = mutants.Program(self.base, 'plain')
            self.assertEqual(program.search('toy', ['/t/hangs']),
                             ('/t/hangs', 'not done after 0.5 s'))

    def test_a_fault_that_no_case_finds(self):
        with self.assertRaisesRegex(Failure, 'no case fails'):
            self.check(fault('harmless'))

    def test_a_fault_that_is_said_to_survive(self):
        line = 'Survives: it is harmless'
        self.assertIsNone(self.check(self.head(line, 'harmless')))
        with self.assertRaisesRegex(Failure, 'but /t/first fails'):
            self.check(self.head(line, 'fault in first'))

    def test_a_named_case_that_does_not_exist(self):
        with self.assertRaisesRegex(Failure, 'no case /t/gone'):
            self.check(self.head('Killed-by: /t/gone', 'fault in first'))

    def test_folders_are_searched_to_the_bottom(self):
        write(self.folder, {'m/b/two.patch': fault('x'),
                            'm/one.patch': fault('y')})
        found = mutants.find([self.folder / 'm'])
        self.assertEqual([mutant.path.name for mutant in found],
                         ['two.patch', 'one.patch'])
        self.assertEqual(found[0].fault, 'A fault.')

    def test_the_case_that_found_a_fault_has_to_pass_without_it(self):
        verdicts = mutants.Verdicts()
        with self.bench() as there, \
                contextlib.redirect_stdout(io.StringIO()) as said:
            program = mutants.Program(self.base, 'plain')
            verdicts.fault('one', lambda: ('/t/first', 'oh'))
            verdicts.control(program)
            there.put(self.patch(fault('fault in first')))
            verdicts.fault('two', lambda: ('/t/first', 'oh'))
            verdicts.control(program)
            self.assertEqual(verdicts.done(), 1)
        self.assertEqual(said.getvalue().splitlines()[-1],
                         '3 passed, 1 failed, 0 skipped')


class Traps(BenchTest):
    """QEMU without one of our patches."""

    FIRST = 'overlay/patches/10.0/0001-core.patch'
    SECOND = 'overlay/patches/10.0/0002-core.patch'

    def setUp(self):
        super().setUp()
        self.ours(self.FIRST, PATCH)
        self.ours(self.SECOND, PATCH.replace('-d\n+D', '-D\n+d'))
        self.table('0001-core.patch /t/first\n'
                   '0002-core.patch /t/second plain\n')

    def table(self, text):
        self.ours(traps.TABLE, '# patch, case, flavour\n' + text)

    def refused(self, what):
        with self.assertRaisesRegex(Failure, what):
            traps.read(self.base, self.root)

    def test_each_patch_has_a_case(self):
        found = traps.read(self.base, self.root)
        self.assertEqual([(trap.patch.name, trap.case, trap.flavour)
                          for trap in found],
                         [('0001-core.patch', '/t/first', 'plain'),
                          ('0002-core.patch', '/t/second', 'plain')])

    def test_a_patch_that_no_case_can_need_is_skipped(self):
        self.table('0001-core.patch - it is about time\n'
                   '0002-core.patch /t/second\n')
        trap = traps.read(self.base, self.root)[0]
        with self.assertRaisesRegex(common.Unavailable, '^it is about time$'):
            traps.check(None, None, trap)

    def test_a_patch_without_a_case(self):
        self.table('0001-core.patch /t/first\n')
        self.refused('no case for 0002-core.patch')

    def test_a_case_without_a_patch(self):
        self.table('0003-gone.patch /t/first\n')
        self.refused('no 0003-gone.patch')

    def test_a_patch_that_needs_the_one_left_out_is_left_out(self):
        files, needing = traps.without(self.base, self.root / self.FIRST,
                                       self.root)
        self.assertEqual(needing, ['0002-core.patch'])
        self.assertNotIn('hw/usb/core.c', files)

    def test_one_patch_less(self):
        files, needing = traps.without(self.base, self.root / self.SECOND,
                                       self.root)
        self.assertEqual(needing, [])
        self.assertIn(b'D\n', files['hw/usb/core.c'])
        self.assertNotEqual(files['hw/usb/core.c'].decode(),
                            PRISTINE['hw/usb/core.c'])


if __name__ == '__main__':
    unittest.main()
