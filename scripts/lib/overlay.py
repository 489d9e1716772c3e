# SPDX-License-Identifier: GPL-2.0-or-later
"""What our changes make of a pristine QEMU tree, patch by patch."""

import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import recipe
from common import ROOT, Failure, shown


@dataclass
class Tree:
    """The files of a QEMU tree that differ from the pristine one."""
    pristine: Path
    files: dict = field(default_factory=dict)
    added: list = field(default_factory=list)

    def has(self, path):
        return path in self.files or (self.pristine / path).is_file()

    def read(self, path):
        if path in self.files:
            return self.files[path]
        try:
            return (self.pristine / path).read_bytes()
        except FileNotFoundError:
            raise Failure(f"{path}: QEMU's tree has no such file") from None

    def insert(self, path, section, lines):
        """Insert lines at the anchor that a section of the wiring names."""
        where = 'before' if 'before' in section else 'after'
        anchor = section[where]
        text = self.read(path).decode().split('\n')
        places = [number for number, line in enumerate(text)
                  if line.strip() == anchor]
        if len(places) != 1:
            raise Failure(f'{path}: the anchor "{anchor}" is there '
                          f'{len(places)} times instead of once '
                          '(overlay/wiring names it)')
        at = places[0] + (where == 'after')
        return '\n'.join(text[:at] + lines + text[at:]).encode()


def patched_paths(patch):
    """The files that a patch changes."""
    names = [line[6:].split('\t')[0].strip()
             for line in patch.read_text(errors='replace').splitlines()
             if line.startswith(('--- a/', '+++ b/'))]
    return sorted(set(names))


def apply_patch(tree, patch):
    """Apply one of overlay/patches, with no fuzz."""
    paths = patched_paths(patch)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in filter(tree.has, paths):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(tree.read(path))
        run = subprocess.run(
            ['patch', '--batch', '--forward', '-p1', '--fuzz=0',
             '--no-backup-if-mismatch', '-i', patch.resolve()],
            cwd=folder, text=True, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if run.returncode != 0 or not paths:
            raise Failure(f'{shown(patch)} does not apply:\n'
                          f'{run.stdout.strip()}')
        for path in paths:
            tree.files[path] = (folder / path).read_bytes()


class Overlay:
    """Our files, wired into one base."""

    def __init__(self, base, root=ROOT, pristine=None):
        self.base = base
        self.root = root
        self.pristine = pristine or base.pristine
        self.wiring = recipe.wiring(root)
        self.steps = recipe.steps(root)
        self.patches = recipe.patches(root, base)
        self.substitutions = recipe.substitutions(root, base)

    def adapted(self, path):
        """One of our files, as this base needs it."""
        data = (self.root / path).read_bytes()
        for change in self.substitutions:
            if change.meant_for(path):
                data = data.replace(change.old, change.new)
        return data

    def check_substitutions(self):
        ours = [path for step in self.steps for path in step.files]
        for change in self.substitutions:
            if not any(change.old in (self.root / path).read_bytes()
                       for path in filter(change.meant_for, ours)):
                raise Failure(
                    f'overlay/compat/{self.base.name}: '
                    f'"{change.old.decode()}" is nowhere in {change.pattern}')

    def add(self, tree, step):
        for path in step.files:
            if tree.has(path):
                raise Failure(f'{path}: QEMU has a file of that name')
            tree.files[path] = self.adapted(path)
            tree.added.append(path)
        for path in step.wiring:
            if path not in self.wiring:
                raise Failure('overlay/series: overlay/wiring has no section '
                              f'[{path}]')
            section = self.wiring[path]
            tree.files[path] = tree.insert(
                path, section, recipe.inserted_lines(self.root, section))

    def with_maintainers(self, tree):
        """All files that differ, with our MAINTAINERS section so far."""
        lines = recipe.maintainer_lines(self.root, tree.added)
        path = recipe.MAINTAINERS
        text = tree.insert(path, self.wiring[path], lines)
        return {**tree.files, path: text}

    def stages(self):
        """After each patch: what it was, and all files that differ."""
        recipe.check_sources(self.root, self.steps)
        self.check_substitutions()
        tree = Tree(self.pristine)
        for patch in self.patches:
            apply_patch(tree, patch)
            yield patch, dict(tree.files)
        for step in self.steps:
            self.add(tree, step)
            yield step, self.with_maintainers(tree)

    def result(self):
        """All files that differ from the pristine tree in the end."""
        for _, files in self.stages():
            pass
        return files
