# SPDX-License-Identifier: GPL-2.0-or-later
"""Brings a folder to the state "pristine tree plus changed files".

Only files whose content changes are written, so that ninja recompiles just
those; the same call carries on after an interruption."""

import os
import shutil
from pathlib import Path

from common import write_changed

LEFT_OUT = ('.git', 'build')        # at the top of a user's own tree


def listing(top, left_out=()):
    """Every file below a folder: path -> stat, without following links."""
    found, folders = {}, ['']
    while folders:
        folder = folders.pop()
        with os.scandir(os.path.join(top, folder)) as entries:
            for entry in entries:
                path = os.path.join(folder, entry.name)
                if not folder and entry.name in left_out:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(path)
                else:
                    found[path] = entry.stat(follow_symlinks=False)
    return found


def same(source, target, source_stat, target_stat):
    if source_stat.st_size != target_stat.st_size or \
            source_stat.st_mode != target_stat.st_mode:
        return False
    if source_stat.st_mtime_ns == target_stat.st_mtime_ns:
        return True
    return not source.is_symlink() and \
        source.read_bytes() == target.read_bytes()


def copy(source, target, new):
    """Copy a file; a replaced one gets the time of now, for ninja."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + '.new')
    temporary.unlink(missing_ok=True)
    shutil.copy2(source, temporary, follow_symlinks=False)
    if not new and not source.is_symlink():
        os.utime(temporary)
    os.replace(temporary, target)


def lay(pristine, target, changed):
    """Make target the pristine tree with the changed files over it.

    Returns the paths written or removed."""
    target.mkdir(parents=True, exist_ok=True)
    wanted, there = listing(pristine, LEFT_OUT), listing(target)
    touched = []
    for path, stat in wanted.items():
        source, copied = Path(pristine, path), Path(target, path)
        if path not in changed and not (
                path in there and same(source, copied, stat, there[path])):
            copy(source, copied, path not in there)
            touched.append(path)
    for path in there.keys() - wanted.keys() - changed.keys():
        Path(target, path).unlink()
        touched.append(path)
    for path, data in changed.items():
        if write_changed(Path(target, path), data):
            touched.append(path)
    return touched
