# SPDX-License-Identifier: GPL-2.0-or-later
"""Which case fails without which of our patches to QEMU's own code."""

from dataclasses import dataclass
from pathlib import Path

import overlay
import recipe
from common import ROOT, Failure, Unavailable, data_lines, say, shown

TABLE = 'tests/mutants/traps'


@dataclass(frozen=True)
class Trap:
    """A line of the table: without the patch, the case fails."""
    patch: Path
    case: str
    flavour: str = 'plain'
    reason: str = None      # why there is no case, instead of one


def parse(patch, case, *rest):
    if case == '-':
        return Trap(patch, case, reason=' '.join(rest) or 'no reason given')
    return Trap(patch, case, *rest)


def read(base, root=ROOT):
    """The traps of a base: each of its patches has one or more."""
    patches = {path.name: path for path in recipe.patches(root, base)}
    known = {path.name for path in root.glob('overlay/patches/*/*.patch')}
    traps = []
    for line in data_lines(root / TABLE):
        name, *fields = line.split()
        if name not in known:
            raise Failure(f'{TABLE}: overlay/patches has no {name}')
        if name in patches:
            traps.append(parse(patches[name], *fields))
    for name in patches.keys() - {trap.patch.name for trap in traps}:
        raise Failure(f'{TABLE}: no case for {name}')
    return traps


def without(base, patch, root=ROOT):
    """All files that differ without a patch and those that need it; and the
    names of the latter."""
    laid = overlay.Overlay(base, root)
    tree = overlay.Tree(base.pristine)
    kept, needing = [], []
    for other in laid.patches:
        if other == patch:
            continue
        try:
            overlay.apply_patch(tree, other)
        except Failure:
            needing.append(other.name)
        else:
            kept.append(other)
    laid.patches = kept
    return laid.result(), needing


def check(there, program, trap):
    """Build without a trap's patch; returns the (case, how) that fails."""
    if trap.reason:
        raise Unavailable(trap.reason)
    program.known([trap.case])
    files, needing = without(there.base, trap.patch)
    if needing:
        say(f'# left out with it: {", ".join(needing)}')
    there.build(files)
    found = program.search(f'traps/{trap.patch.stem}', [trap.case])
    if not found:
        raise Failure(f'{trap.case} passes without {shown(trap.patch)}')
    return found
