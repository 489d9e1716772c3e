# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads what the overlay folder says: series, wiring, compat, patches."""

import configparser
import fnmatch
import re
from dataclasses import dataclass

from common import ROOT, Failure, data_lines, shown

MAINTAINERS = 'MAINTAINERS'
OURS = ('hw/**/*', 'docs/usb-remote.rst', 'tests/qtest/**/*')


@dataclass(frozen=True)
class Step:
    """One patch of ours: a section of overlay/series."""
    name: str
    files: list         # paths that it adds
    wiring: list        # QEMU's files that it changes


@dataclass(frozen=True)
class Substitution:
    """One line of overlay/compat/BASE."""
    pattern: str
    old: bytes
    new: bytes

    def meant_for(self, path):
        return fnmatch.fnmatch(path, self.pattern)


def read_ini(path):
    parser = configparser.ConfigParser(
        interpolation=None, delimiters=('=',), comment_prefixes=('#',))
    parser.optionxform = str
    with path.open() as file:
        parser.read_file(file)
    return parser


def expand(patterns, root):
    """Our files that match the patterns, sorted, as paths from the root."""
    found = set()
    for pattern in patterns:
        found.update(str(path.relative_to(root))
                     for path in root.glob(pattern) if path.is_file())
    return sorted(found)


def wiring(root=ROOT):
    return read_ini(root / 'overlay/wiring')


def steps(root=ROOT):
    """The steps of overlay/series, with every file of ours in one of them."""
    series = read_ini(root / 'overlay/series')
    fragments = {section.get('fragment') for section in wiring(root).values()}
    rest = set(expand(OURS, root)) - fragments
    result = []
    for name in series.sections():
        files = [path for path in expand(series[name]['files'].split(), root)
                 if path in rest]
        rest.difference_update(files)
        result.append(Step(name, files, series[name]['wiring'].split()))
    if rest:
        raise Failure('overlay/series: no patch takes '
                      + ', '.join(sorted(rest)))
    return result


def fragment_lines(root, path):
    """A fragment's lines, without the heading that says what it is."""
    try:
        lines = (root / path).read_text().splitlines()
    except FileNotFoundError:
        raise Failure(f'{path}: missing, but overlay/wiring names it') \
            from None
    if not lines or 'Fragment:' not in lines[0] or '' not in lines:
        raise Failure(f'{path}: line 1 has to say "Fragment:", and an empty '
                      'line has to end the heading')
    return lines[lines.index('') + 1:]


def check_sources(root, steps_):
    """Each folder's meson.build fragment names just the sources we have."""
    ours = {path for step in steps_ for path in step.files
            if path.endswith('.c')}
    for fragment in expand(['hw/**/meson.build', 'tests/**/meson.build'],
                           root):
        folder = fragment.rpartition('/')[0]
        text = '\n'.join(fragment_lines(root, fragment))
        named = {f'{folder}/{name}' for name in re.findall(r"'(\S+\.c)'",
                                                           text)}
        there = {path for path in ours if path.rpartition('/')[0] == folder}
        for path in sorted(named - there):
            raise Failure(f'{fragment} names {path}, which does not exist')
        for path in sorted(there - named):
            if f"'{path[len(folder) + 1:-2]}'" not in text:
                raise Failure(f'{fragment} does not name {path}')


def inserted_lines(root, section):
    """What a section of overlay/wiring inserts."""
    if 'text' in section:
        return [line.partition('|')[2]
                for line in section['text'].splitlines()]
    return fragment_lines(root, section['fragment'])


def maintainer_lines(root, added):
    """Our MAINTAINERS section, as far as its files have been added."""
    def wanted(line):
        return not line.startswith('F: ') or any(
            fnmatch.fnmatch(path, line[3:].strip()) for path in added)
    return [line for line in fragment_lines(root, MAINTAINERS)
            if wanted(line)]


def substitutions(root, base):
    """The exact changes that our files need for a base."""
    path = root / 'overlay/compat' / base.name
    result = []
    for line in data_lines(path) if path.is_file() else ():
        pattern, _, change = line.partition(': ')
        old, arrow, new = change.partition(' => ')
        if not arrow:
            raise Failure(f'{shown(path)}: not "files: old => new": {line}')
        new = new.replace('\\n', '\n')
        result.append(Substitution(pattern, old.encode(), new.encode()))
    return result


def patches(root, base):
    return sorted((root / 'overlay/patches' / base.name).glob('*.patch'))
