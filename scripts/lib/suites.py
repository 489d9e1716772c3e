# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of test suites: each is a command that prints TAP."""

import itertools
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import bases
from common import ROOT, Failure

PYTHON = '/usr/bin/python3'
OTHER_BASE = '10.2'        # the second base that is built and tested

OHCI_TESTS = ('/x86_64/pc/i440FX-pcihost/pci-bus-pc/pci-bus/pci-ohci/'
              'pci-ohci-tests')     # usb-hcd-ohci-test.c is part of qos-test

# A path in "-l"; newer GLibs list in TAP, as a comment or indented.
LISTED = re.compile(r'^[ #]*(/\S+)$', re.M)
OWN_TEST = ('usb-remote-test', (), 600)
# QEMU's own tests that the device has to pass: name, arguments, seconds
QEMU_TESTS = (
    ('device-introspect-test', (), 300),
    ('qom-test', (), 300),
    ('usb-hcd-uhci-test', (), 120),
    ('usb-hcd-ehci-test', (), 120),
    ('usb-hcd-xhci-test', (), 120),
    ('qos-test', ('-p', OHCI_TESTS), 120),
)
SANITIZERS = {
    'ASAN_OPTIONS': 'detect_leaks=0:abort_on_error=1:quarantine_size_mb=4',
    'UBSAN_OPTIONS': 'print_stacktrace=1:halt_on_error=1:abort_on_error=1',
    'USB_REMOTE_ROUNDS': '20000',       # they are slower here
}
# on the second base: the device is the same, and has been led through it
SHORTER = {'USB_REMOTE_ROUNDS': '20000', 'USB_REMOTE_WALK_STEPS': '2000'}
LIBRARY_TESTS = ('allocations', 'chaos', 'sessions', 'sockets')
COMPILERS = ('gcc', 'clang')
GUESTS = 2          # machines with Linux that run side by side
QTESTS = 2          # on one processor: they wait for four fifths of the time
SLOWER = 4          # with sanitizers; so much more time is given
LEAKS = ROOT / 'tests/asan/leaks.supp'
LEAK_FINDER = {
    **SANITIZERS,
    # GLib has no frame pointers: its callers are seen by unwinding only
    'ASAN_OPTIONS': 'detect_leaks=1:abort_on_error=1:quarantine_size_mb=4:'
                    'fast_unwind_on_malloc=0',
    'LSAN_OPTIONS': f'suppressions={LEAKS}:print_suppressions=0',
    'G_SLICE': 'always-malloc',     # else GLib before 2.76 hides leaks
}


@dataclass(frozen=True)
class Suite:
    """A command, run in a folder, that prints TAP within some seconds."""
    name: str
    command: list
    seconds: int
    folder: Path = ROOT
    environment: dict = field(default_factory=dict)
    beside: int = 0         # so many of its kind may share a processor


@dataclass(frozen=True)
class Group:
    """What "scripts/check NAME" runs."""
    name: str
    suites: object          # function: a list of suites
    flavour: str = None     # the QEMU that has to be built first
    targets: tuple = ()     # with these targets besides
    usual: bool = True      # part of "make check"


def script(name, *arguments):
    return [str(ROOT / 'scripts' / name), *arguments]


def unit():
    yield Suite('unit/python', script('unittest-tap', 'tests/unit'), 600,
                environment={'PYTHONPATH': str(ROOT / 'python')})
    yield Suite('unit/scripts', script('unittest-tap', 'scripts/tests'), 400)
    yield Suite('unit/guest-tools',
                script('unittest-tap', 'tests/guest/selftest'), 120)
    yield Suite('unit/lab', script('pytest-tap', 'lab/tests'), 300)
    yield Suite('unit/static', script('check-static'), 300)
    for source in sorted(ROOT.glob('tests/unit/*.c')):
        yield Suite(f'unit/{source.stem}',
                    script('c-test', str(source.relative_to(ROOT))), 120)
    for name, compiler in itertools.product(LIBRARY_TESTS, COMPILERS):
        yield Suite(f'unit/libusbremote-{name}-{compiler}',
                    script('library-test', compiler, name), 120,
                    environment=SANITIZERS)


def qtests(label, base, flavour, tests, environment=None):
    """Suites of QEMU's qtest programs.

    A test's name is that of its program; what follows a colon says which
    part of it the arguments choose."""
    tree = base.tree(flavour)
    where = {'QTEST_QEMU_BINARY': str(base.binary(flavour)),
             'PYTHON': PYTHON, **(environment or {})}
    for name, arguments, seconds in tests:
        program = tree / 'tests/qtest' / name.partition(':')[0]
        yield Suite(f'{label}/{name}', [str(program), '--tap', '-k',
                                        *arguments], seconds, tree, where,
                    beside=QTESTS if flavour == 'plain' else 1)


def shards(paths):
    """Split the cases of our qtest program by controller.

    A path is /ARCHITECTURE/SUBJECT/CONTROLLER[/GROUP...]/CASE.  Returns the
    folders for each controller, that with the most cases first: GLib runs
    the cases in a folder, and not those in the folders below.  What a new
    path has there becomes a shard of its own, so that no case is forgotten."""
    cases = {}
    for path in paths:
        folder = path.rpartition('/')[0]
        cases.setdefault(path.split('/')[3], []).append(folder)
    return {name: sorted(set(prefixes)) for name, prefixes in
            sorted(cases.items(), key=lambda item: -len(item[1]))}


def case_paths(suite):
    """The cases of a qtest program, or none if it cannot even start."""
    try:
        run = subprocess.run([suite.command[0], '-l'], check=True, text=True,
                             env={**os.environ, **suite.environment},
                             stdin=subprocess.DEVNULL, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return LISTED.findall(run.stdout)


def matching(paths, words):
    """The cases with one of these words in their paths."""
    for word in words:
        if not any(word in path for path in paths):
            raise Failure(f'no case of {OWN_TEST[0]} has "{word}" in its '
                          'path')
    return [path for path in paths if any(word in path for word in words)]


def own_tests(base, flavour, environment=None):
    """Our qtest program in parts, or all of it if its cases are unknown."""
    name, arguments, seconds = OWN_TEST
    if flavour == 'asan':
        seconds *= SLOWER
    suite, = qtests('list', base, flavour, [OWN_TEST], environment)
    return [(f'{name}:{part}',
             (*arguments, *(word for prefix in prefixes
                            for word in ('-p', prefix))), seconds)
            for part, prefixes in shards(case_paths(suite)).items()] or \
        [OWN_TEST]


def qtest():
    base = bases.chosen()
    yield from qtests('qtest', base, 'plain',
                      (*own_tests(base, 'plain'), *QEMU_TESTS))
    yield Suite('qtest/by-name', script('qtest', 'death-in-a-payload'), 120)


def asan():
    yield Suite('asan/leaks', script('check-leaks'), 120)
    base = bases.chosen()
    yield from qtests('asan', base, 'asan',
                      own_tests(base, 'asan', SANITIZERS), LEAK_FINDER)
    # of all devices of QEMU, whose leaks are not looked for
    yield from qtests('asan', base, 'asan', QEMU_TESTS[:1], SANITIZERS)


def coverage():
    """What "make coverage" counts the lines of."""
    base = bases.chosen()
    parts = own_tests(base, 'asan', SANITIZERS)
    yield from qtests('coverage', base, 'asan',
                      [(name, arguments, 3 * seconds)       # not optimised
                       for name, arguments, seconds in parts], SANITIZERS)


def guest():
    for part in range(1, GUESTS + 1):
        yield Suite(f'guest/linux-{part}',
                    [str(ROOT / 'tests/guest/run'), '--tap', '--part',
                     f'{part}/{GUESTS}'], 900, beside=1)


def series():
    yield Suite('series/default', script('check-series'), 900)
    other = bases.named(OTHER_BASE)
    yield Suite(f'series/{OTHER_BASE}', script('check-series'), 1500,
                environment={'BASE': OTHER_BASE, 'QEMU_SRC': ''})
    if other.binary().exists():         # else the suite above said why
        yield from qtests(OTHER_BASE, other, 'plain',
                          own_tests(other, 'plain'), SHORTER)


def targets(*names):
    return tuple(f'tests/qtest/{name}' for name in names)


GROUPS = (
    Group('unit', unit),
    Group('qtest', qtest, 'plain',
          targets('usb-remote-test', *(test[0] for test in QEMU_TESTS))),
    Group('guest', guest, 'plain'),
    Group('series', series, 'plain'),
    Group('asan', asan, 'asan',
          targets('usb-remote-test', 'device-introspect-test'), usual=False),
)
