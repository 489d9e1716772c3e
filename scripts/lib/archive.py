# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's archive through apt, with lists and caches of our own.

apt checks every signature; the machine's own sources, lists and caches are
neither used nor changed (its proxies and other settings are)."""

import os
import re
import shutil
import subprocess

import packages
import steps
from common import BUILD, Failure, Unavailable, say, shown

KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
# What apt fetches first of a mirror; a cloud image names a list of them.
MIRROR = re.compile(r"'(\S+/debian(?:\.list)?)/dists/[^/-]+/InRelease'")
TOOLS = BUILD / 'tools'
TOOLS_PYTHON = TOOLS / 'usr/lib/python3/dist-packages'


def mirror():
    """A Debian mirror: DEBIAN_MIRROR, or that of the machine's own apt."""
    named = os.environ.get('DEBIAN_MIRROR')
    if named:
        return named.rstrip('/')
    query = subprocess.run(
        ['apt-get', 'update', '--print-uris'],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        check=False)
    found = MIRROR.search(query.stdout)
    if not found:
        raise Failure("the machine's own apt has no Debian mirror; name one "
                      'with DEBIAN_MIRROR=URI')
    return found[1]


class Archive:
    """One suite of the archive, seen through apt-get."""

    def __init__(self, kind, suite):
        self.suite = suite
        self.home = BUILD / 'apt' / f'{suite}-{kind}'
        for folder in ('lists/partial', 'cache/archives/partial'):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        (self.home / 'sources.list').write_text(
            f'{kind} [signed-by={KEYRING}] {mirror()} {suite} main\n')

    def apt(self, *arguments, program='apt-get'):
        command = [
            program, '-q',
            '-o', f'Dir::State::Lists={self.home}/lists',
            '-o', f'Dir::Cache={self.home}/cache',
            '-o', f'Dir::Etc::sourcelist={self.home}/sources.list',
            '-o', 'Dir::Etc::sourceparts=/dev/null',
            '-o', 'Acquire::Languages=none']
        if os.geteuid() == 0:
            command += ['-o', 'APT::Sandbox::User=root']
        return [*command, *arguments]

    def update(self):
        steps.run(f"Reading Debian {self.suite}'s index",
                  self.apt('update', '--error-on=any'),
                  f'index-{self.suite}.log')


def empty_folder(path):
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def source_version(archive, base):
    """The newest version in the archive's index that the base names.

    A suite may list several versions of a source package."""
    query = subprocess.run(
        archive.apt('showsrc', '--only-source', base.package,
                    program='apt-cache'),
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        check=False)
    found = sorted(set(re.findall(r'^Version: (.*)$', query.stdout, re.M)))
    fitting = [version for version in found
               if re.match(rf'(\d+:)?{re.escape(base.version)}\.', version)]
    if not fitting:
        raise Unavailable(
            f'overlay/base.lock names {base.package} {base.version}, but '
            f'Debian {base.suite} has {", ".join(found) or "none"}')
    return newest(fitting)


def newest(versions):
    best = versions[0]
    for version in versions[1:]:
        if subprocess.run(['dpkg', '--compare-versions', version, 'gt', best],
                          check=False).returncode == 0:
            best = version
    return best


def download_source(archive, base):
    """Download a base's source package: its .dsc file and version."""
    archive.update()
    version = source_version(archive, base)
    say(f'Debian {base.suite} has {base.package} {version}')
    folder = archive.home / 'download'
    folder.mkdir(exist_ok=True)
    steps.run(f'Downloading {base.package} {version}',
              archive.apt('source', '--download-only', '--only-source',
                          f'{base.package}={version}'),
              f'download-{base.name}.log', cwd=folder)
    plain = version.partition(':')[2] or version
    return folder / f'{base.package}_{plain}.dsc', version


def fetch(base):
    """Have the pristine source of a base, once."""
    stamp = base.home / 'version'
    if base.own:
        return
    if stamp.is_file() and base.pristine.is_dir():
        say(f'QEMU {stamp.read_text().strip()} from Debian {base.suite} '
            f'in {shown(base.pristine)}')
        return
    description, version = download_source(Archive('deb-src', base.suite),
                                           base)
    unpacking = empty_folder(base.home / 'unpacking')
    shutil.rmtree(base.pristine, ignore_errors=True)
    steps.run(f'Unpacking {description.name}',
              ['dpkg-source', '--no-copy', '-x', description,
               unpacking / 'src'],
              f'unpack-{base.name}.log')
    shutil.rmtree(unpacking / 'src/.pc', ignore_errors=True)
    (unpacking / 'src').rename(base.pristine)
    unpacking.rmdir()
    stamp.write_text(version + '\n')


def newer_tools():
    """Unpack the build tools that this release has too old."""
    need = packages.needed()
    stamp = TOOLS / 'stamp'
    wanted = ' '.join(need.unpack) + '\n'
    if not need.unpack or (stamp.is_file() and stamp.read_text() == wanted):
        return
    archive = Archive('deb', f'{need.codename}-backports')
    archive.update()
    folder = empty_folder(archive.home / 'download')
    steps.run('Downloading ' + ' '.join(need.unpack),
              archive.apt('download', *need.unpack), 'tools.log', cwd=folder)
    empty_folder(TOOLS)
    for package in sorted(folder.glob('*.deb')):
        subprocess.run(['dpkg-deb', '-x', package, TOOLS], check=True)
    stamp.write_text(wanted)


def tools_environment():
    """What makes the unpacked tools come first."""
    if not TOOLS_PYTHON.is_dir():
        return {}
    return {'PYTHONPATH': str(TOOLS_PYTHON),
            'PATH': f'{TOOLS}/usr/bin:{os.environ["PATH"]}'}
