# SPDX-License-Identifier: GPL-2.0-or-later
"""Applies an exported series to a pristine tree, and builds each patch."""

import shutil
from pathlib import Path

import compile as building
import mirror
import overlay
from common import Failure, locked
from gitrepo import Repository

DIFFERENCES_SHOWN = 10
KCONFIG = 'hw/usb/Kconfig'


def plain_copy(base, folder):
    """The pristine tree under git, as "git am" wants it."""
    shutil.rmtree(folder, ignore_errors=True)
    mirror.lay(base.pristine, folder, {})
    repository = Repository(folder, 'usb-remote test', 'test@localhost')
    repository.commit_all('pristine')
    return repository


def differences(one, other):
    """Paths whose content or mode differs between two trees."""
    ours, theirs = (mirror.listing(tree, ('.git',)) for tree in (one, other))
    for path in sorted(ours.keys() | theirs.keys()):
        if path not in ours or path not in theirs or \
                ours[path].st_mode & 0o100 != theirs[path].st_mode & 0o100:
            yield path
        elif not Path(one, path).is_symlink() and \
                Path(one, path).read_bytes() != Path(other, path).read_bytes():
            yield path


def apply(base, patches):
    """git am takes the series, and the result is the tree that was built."""
    folder = base.home / 'applied'
    repository = plain_copy(base, folder)
    repository.git('am', '-q', *[patch.resolve() for patch in patches])
    differing = list(differences(folder, base.source))
    if differing:
        raise Failure('after git am these differ from the overlaid tree:\n'
                      + '\n'.join(differing[:DIFFERENCES_SHOWN]))
    shutil.rmtree(folder)


def objects(stage):
    """Ninja's names for what a patch of C files alone has compiled anew."""
    paths = overlay.patched_paths(stage) if isinstance(stage, Path) else []
    if not all(path.endswith('.c') for path in paths):
        return []
    return [f'../src/{path}^' for path in paths]


def build_stage(base, stage, files):
    """Compile what a stage changes; without a list of that, build QEMU.

    A patch of QEMU's own C files is not linked: that would take most of the
    time, and the end of the series is linked."""
    if objects(stage):
        mirror.lay(base.pristine, base.source, files)
        building.ninja(base, 'plain', objects(stage))
    else:
        building.rebuild(base, 'plain', files)


def build_each(base, run, targets):
    """A case for each patch but the last: the tree builds after it.

    It is built in place, with the whole series' Kconfig (a symbol less would
    recompile all of QEMU), so that it takes seconds."""
    stages = list(overlay.Overlay(base).stages())
    whole = stages.pop()[1]
    with locked(base.home):
        try:
            for stage, files in stages:
                files = {**files, KCONFIG: whole[KCONFIG]}
                run(f'the tree builds after {stage.name}', build_stage, base,
                    stage, files)
        finally:
            building.rebuild(base, 'plain', whole, targets)
