# SPDX-License-Identifier: GPL-2.0-or-later
"""Puts faults into a built tree, one at a time, and looks which case fails.

A fault is a patch to the overlaid tree, or the lack of one of ours.  The tree
is changed and rebuilt in place, so that a fault takes seconds; its test
programs stay as they are.  What is left of a run that was killed is mended by
the next build, which lays the overlay anew."""

import os
import re
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass

import cases
import compile as building
import overlay
import runner
import suites
from common import (EXIT_UNAVAILABLE, ROOT, Failure, Unavailable, locked,
                    say, shown)

FOLDER = ROOT / 'tests' / 'mutants'
PROGRAM = suites.OWN_TEST[0]
TARGET = f'tests/qtest/{PROGRAM}'
ARCH = '/x86_64'        # libqtest puts it before the name of each case
CASE_SECONDS = 120      # for one case; a hang is a failure too


@dataclass(frozen=True)
class Mutant:
    """A patch that puts a fault into the device, and what its head says."""
    path: object
    fault: str          # a sentence
    killed_by: tuple    # cases that are run first
    survives: str       # why no case can fail, or None

    @property
    def name(self):
        path = self.path.resolve().with_suffix('')
        return str(path.relative_to(FOLDER)) \
            if path.is_relative_to(FOLDER) else path.name


def case_name(path):
    """What a case is called here: its path without the architecture."""
    return path.removeprefix(ARCH)


def head(path):
    """What stands above the changes of a patch."""
    text, changes, _ = path.read_text(errors='replace').partition('\n--- ')
    if not changes:
        raise Failure(f'{shown(path)}: not a patch: no line begins with '
                      '"--- "')
    return text


def read(path):
    """Read the head of a patch: the fault, Killed-by and Survives lines."""
    fault, fields = [], {'Killed-by': [], 'Survives': []}
    for line in head(path).splitlines():
        key, _, value = line.partition(': ')
        if key in fields:
            fields[key].append(value.strip())
        elif not line.startswith(('diff ', 'index ')):
            fault.append(line)
    text = ' '.join(' '.join(fault).split())
    if not text:
        raise Failure(f'{shown(path)}: its head does not say what the fault '
                      'is')
    return Mutant(path, text, tuple(map(case_name, fields['Killed-by'])),
                  ' '.join(fields['Survives']) or None)


def find(paths=()):
    """The mutants in files and folders, by default all that we have."""
    found = []
    for path in paths or (FOLDER,):
        if path.is_dir():
            found += sorted(path.rglob('*.patch'))
        elif path.is_file():
            found.append(path)
        else:
            raise Failure(f'{path}: no such patch or folder of patches')
    if not found:
        raise Failure(f'no *.patch in {", ".join(map(shown, paths))}')
    return [read(path) for path in found]


def build(base, flavour, targets=(TARGET,)):
    """Have the base and its tests built as "make check" has it."""
    run = subprocess.run(
        suites.script('qemu', '--flavour', flavour, *targets), check=False)
    if run.returncode == EXIT_UNAVAILABLE:
        raise Unavailable(f'QEMU {base.name} cannot be had')
    if run.returncode != 0:
        raise Failure(f'QEMU {base.name} does not build')


class Bench:
    """A built tree that takes one change after the other; see bench()."""

    def __init__(self, base, flavour, whole):
        self.base = base
        self.flavour = flavour
        self.whole = whole      # all files that the overlay changes

    def build(self, files, targets=()):
        """Have these files instead of the overlay's, and build."""
        building.rebuild(self.base, self.flavour, files, targets)

    def put(self, patch, targets=()):
        """Build the tree with a patch, which replaces the one before."""
        tree = overlay.Tree(self.base.pristine, dict(self.whole))
        overlay.apply_patch(tree, patch)
        self.build(tree.files, targets)

    def restore(self, targets=()):
        self.build(self.whole, targets)


@contextmanager
def bench(base, flavour='plain', targets=(), whole=None):
    """The tree of a base that was built with scripts/qemu, for faults.

    Nothing else builds in the base's folder meanwhile.  In the end the tree
    is what it was, with the targets built, also after an interruption."""
    it = Bench(base, flavour, whole or overlay.Overlay(base).result())
    with locked(base.home):
        try:
            it.restore(targets)
            yield it
        finally:
            it.restore(targets)


class Program:
    """The built test program; each of its cases is run by itself."""

    def __init__(self, base, flavour):
        self.base, self.flavour = base, flavour
        self.names = [case_name(path) for path in
                      suites.case_paths(self.suite('list', ()))]

    def suite(self, label, arguments, **environment):
        if self.flavour == 'asan':
            environment.update(suites.SANITIZERS)
        suite, = suites.qtests(label, self.base, self.flavour,
                               ((PROGRAM, arguments, CASE_SECONDS),),
                               environment)
        return suite

    def known(self, names):
        for name in names:
            if name not in self.names:
                raise Failure(f'{PROGRAM} has no case {name}')

    def search(self, label, names):
        """Run cases side by side until one fails: (case, how), or None."""
        self.known(names)
        search = Search()
        # what dead cases leave behind goes with the folder
        with tempfile.TemporaryDirectory(prefix='mutants-') as folder:
            search.run([self.suite(f'{label}{name}', ('-p', ARCH + name),
                                   TMPDIR=folder) for name in names])
        return search.found


class Search(runner.SideBySide):
    """A run of cases that ends with the first failure."""

    def __init__(self):
        super().__init__(sorted(os.sched_getaffinity(0)))
        self.found = None       # (case, how)

    def one(self, suite):
        run = self.supervised(suite, lambda line: None)
        if not run:
            return runner.Totals()
        with self.lock:
            found = run.totals.failed and not self.over
            if found:
                name = case_name(suite.command[-1])
                self.found, self.over = (name, how(run)), True
        if found:
            self.end()
        else:
            run.output.unlink()
            run.errors.unlink()
        return run.totals


def how(run):
    """In a few words, how a case failed."""
    if run.late:
        return f'not done after {run.suite.seconds} s'
    died = re.search('QEMU death from .*',
                     run.errors.read_text(errors='replace'))
    text = run.reader.bailed or died and died[0] or run.reader.complaint()
    return re.sub(r'^ERROR:\S*?([^/:]+:\d+):', r'\1: ', text or 'it says so')


def judge(there, program, mutant):
    """Build a mutant; returns the (case, how) that kills it, or None."""
    program.known(mutant.killed_by)
    there.put(mutant.path)
    label = f'mutants/{mutant.name}'
    return program.search(label, mutant.killed_by) or \
        program.search(label, [name for name in program.names
                               if name not in mutant.killed_by])


def check(there, program, mutant):
    """As judge(); Failure if the patch says something else."""
    killer = judge(there, program, mutant)
    if killer and mutant.survives:
        raise Failure(f'said to survive, but {killer[0]} fails: {killer[1]}')
    if not killer and not mutant.survives:
        raise Failure('no case fails')
    return killer


class Verdicts:
    """The cases of a run, and which one found which fault."""

    def __init__(self):
        self.run = cases.Cases()
        self.killers = []       # (fault's name, case)
        self.controlled = 0     # of these, those that control() looked at

    def fault(self, name, function, *arguments):
        """One fault: function(*arguments) returns the (case, how)."""
        started = time.monotonic()
        killer = self.run.run(name, function, *arguments)
        if killer:
            self.killers.append((name, killer[0]))
            took = time.monotonic() - started
            say(f'# {killer[0]} fails: {killer[1]} ({took:.0f} s)')

    def control(self, program):
        """What failed with a fault has to pass without one."""
        names = {case for _, case in self.killers[self.controlled:]}
        self.controlled = len(self.killers)

        def control():
            found = program.search('mutants/control', sorted(names))
            if found:
                raise Failure(f'{found[0]} fails: {found[1]}')
        if names:
            self.run.run('without a fault, the cases above pass', control)

    def done(self):
        """Print who found what, and the totals; returns the status."""
        width = max((len(name) for name, _ in self.killers), default=0)
        for name, case in self.killers:
            say(f'# {name:{width}}  {case}')
        status = self.run.done()
        say(str(self.run.totals()))
        return status
