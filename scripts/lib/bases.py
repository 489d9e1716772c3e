# SPDX-License-Identifier: GPL-2.0-or-later
"""Which QEMU is built: overlay/base.lock, QEMU_SRC, and where it all goes."""

import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from common import BUILD, ROOT, Failure, data_lines, say, shown

LOCK = ROOT / 'overlay' / 'base.lock'


@dataclass(frozen=True)
class Base:
    name: str           # "10.0": names overlay/patches/NAME, overlay/compat
    package: str
    suite: str
    version: str        # major.minor
    home: Path          # where it is unpacked and built
    own: Path = None    # the user's tree (QEMU_SRC), else fetched

    @property
    def pristine(self):
        return self.own or self.home / 'pristine'

    @property
    def source(self):
        return self.home / 'src'

    def tree(self, flavour):
        return self.home / flavour

    def variant(self, name):
        """The same QEMU with other changes than ours of now, or with none."""
        return replace(self, home=self.home / name, own=self.pristine)

    def binary(self, flavour='plain'):
        return self.tree(flavour) / 'bin' / 'qemu-system-x86_64'


def locked_bases():
    bases = []
    for line in data_lines(LOCK):
        name, package, suite, version = line.split()
        bases.append(Base(name, package, suite, version,
                          BUILD / f'qemu-{name}'))
    return bases


def tree_version(tree):
    """The version a QEMU tree gives itself, as (major, minor)."""
    try:
        text = (tree / 'VERSION').read_text()
        has_usb = (tree / 'hw/usb/meson.build').is_file()
    except OSError:
        raise Failure(f'QEMU_SRC={tree}: not a QEMU source tree '
                      '(no VERSION file)') from None
    match = re.match(r'(\d+)\.(\d+)\.', text)
    if not match or not has_usb:
        raise Failure(f'QEMU_SRC={tree}: not a QEMU source tree '
                      '(no hw/usb/meson.build, or no version)')
    return int(match[1]), int(match[2])


def nearest(version):
    """The newest locked base that is not newer than a user's tree."""
    def number(base):
        return tuple(int(part) for part in base.version.split('.'))
    bases = sorted(locked_bases(), key=number)
    fitting = [base for base in bases if number(base) <= version]
    return (fitting or bases)[-1 if fitting else 0]


def own_tree(path):
    tree = Path(path).expanduser().resolve()
    version = tree_version(tree)
    base = nearest(version)
    tag = hashlib.sha256(str(tree).encode()).hexdigest()[:8]
    say(f'QEMU {version[0]}.{version[1]} from {shown(tree)}, '
        f'with the changes for {base.name}')
    return Base(base.name, base.package, base.suite, base.version,
                BUILD / f'qemu-own-{tag}', tree)


def chosen():
    """The base that the environment asks for (QEMU_SRC, BASE)."""
    if os.environ.get('QEMU_SRC'):
        return own_tree(os.environ['QEMU_SRC'])
    return named(os.environ.get('BASE'))


def named(name):
    bases = locked_bases()
    if not name:
        return bases[0]
    for base in bases:
        if base.name == name:
            return base
    known = ', '.join(base.name for base in bases)
    raise Failure(f'BASE={name}: not in overlay/base.lock (it has {known})')


def is_named(name):
    """Is this one of the lock's names?"""
    return any(base.name == name for base in locked_bases())


def is_default(base):
    return base.own is not None or base.name == locked_bases()[0].name
