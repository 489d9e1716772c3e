# SPDX-License-Identifier: GPL-2.0-or-later
"""Planted faults: do the fuzzers find what they are for?

tests/fuzz/planted has patches.  Those in device/ are put into the device of
the build with sanitizers, which is built again without them in the end; those
in codec/ and python/ are put into a copy."""

import shutil
import subprocess
from contextlib import contextmanager

import bases
import fuzzers
import mutants
import suites
from common import ROOT, Failure, say

FOLDER = ROOT / 'tests' / 'fuzz' / 'planted'
SECONDS = 120           # to find it


def patches(name):
    return sorted((FOLDER / name).glob('*.patch'))


def found(fuzzer, patch, seed):
    """Whether the fuzzer finds the fault, which is there."""
    run = fuzzers.Run(fuzzer, SECONDS, seed)
    how = run.run()
    fault = mutants.read(patch).fault
    say(f'{fuzzer.name}: {"found" if how else "NOT FOUND"} after '
        f'{run.took:.0f} s and {run.executions} executions, seed {seed}: '
        f'{fault}')
    return how is not None


@contextmanager
def copy(name, folders, patch):
    """A copy of some folders of ours, with the patch put in."""
    place = fuzzers.FOLDER / f'planted-{name}'
    shutil.rmtree(place, ignore_errors=True)
    for folder in folders:
        shutil.copytree(ROOT / folder, place / folder)
    run = subprocess.run(['patch', '-p1', '-s', '-i', patch], cwd=place,
                         check=False, text=True, stdout=subprocess.PIPE)
    if run.returncode != 0:
        raise Failure(f'{patch}: does not fit\n{run.stdout}')
    yield place
    shutil.rmtree(place)


def find_in_device(chosen, seed):
    """Each fault of the device by each fuzzer that runs it."""
    base = bases.chosen()
    targets = suites.targets(suites.OWN_TEST[0])
    with mutants.bench(base, 'asan', targets) as there:
        for patch in patches('device'):
            there.put(patch)
            for fuzzer in chosen:
                yield found(fuzzer, patch, seed)


def find_in_codec(seed):
    for patch in patches('codec'):
        with copy('codec', ['hw/usb'], patch) as place:
            yield found(fuzzers.Codec('codec', [place / 'hw/usb']), patch,
                        seed)


def find_in_python(seed):
    for patch in patches('python'):
        with copy('python', ['python'], patch) as place:
            yield found(fuzzers.Python('python', place / 'python'), patch,
                        seed)


def find_all(chosen, seed):
    """For each fuzzer and fault, whether it was found."""
    names = [fuzzer.name for fuzzer in chosen]
    devices = [fuzzer for fuzzer in chosen if fuzzer.device]
    if devices:
        yield from find_in_device(devices, seed)
    if 'codec' in names:
        yield from find_in_codec(seed)
    if 'python' in names:
        yield from find_in_python(seed)
