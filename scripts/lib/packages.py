# SPDX-License-Identifier: GPL-2.0-or-later
"""The distribution's packages that overlay/packages lists."""

import os
import re
import subprocess
from dataclasses import dataclass

import steps
from common import ROOT, Failure, data_lines, say

LIST = ROOT / 'overlay' / 'packages'
APT = ['apt-get', '-o', 'DPkg::Lock::Timeout=600', '-y', '-q']


@dataclass(frozen=True)
class Needed:
    install: list       # to be installed by apt
    unpack: list        # to be unpacked from backports
    codename: str       # the release, for the backports


def os_release():
    values = {}
    with open('/etc/os-release') as file:
        for line in file:
            key, _, value = line.strip().partition('=')
            values[key] = value.strip('"')
    return values


def listed(groups=()):
    """The lines for every command, and those of some groups besides."""
    group = None
    for line in data_lines(LIST):
        heading = re.fullmatch(r'\[(\w+)\]', line)
        if heading:
            group = heading[1]
        elif group is None or group in groups:
            yield line.split()


def needed(groups=()):
    release = os_release()
    if release.get('ID') != 'debian' or \
            release.get('VERSION_ID') not in ('12', '13'):
        raise Failure('this works on Debian 12 and 13; here is '
                      f'{release.get("PRETTY_NAME", "something else")}')
    install, unpack = [], []
    for name, *rest in listed(groups):
        if rest and rest[0] != release['VERSION_ID']:
            continue
        (unpack if 'backports' in rest else install).append(name)
    return Needed(install, unpack, release['VERSION_CODENAME'])


def missing(names):
    query = subprocess.run(
        ['dpkg-query', '-W', '-f', '${Package} ${db:Status-Status}\n', *names],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        check=False)
    there = {line.split()[0] for line in query.stdout.splitlines()
             if line.endswith(' installed')}
    return [name for name in names if name not in there]


def ensure(*groups):
    """Install what is missing as root; else say how, and stop."""
    lacking = missing(needed(groups).install)
    if not lacking:
        return
    if os.geteuid() != 0:
        raise Failure('packages are missing; install them with:\n'
                      'sudo apt-get install --no-install-recommends '
                      + ' '.join(lacking))
    say('Installing ' + ' '.join(lacking))
    quiet = {'DEBIAN_FRONTEND': 'noninteractive'}
    steps.run('Updating the package lists', [*APT, 'update'],
              'apt-update.log', env=quiet)
    steps.run(f'Installing {len(lacking)} packages',
              [*APT, 'install', '--no-install-recommends', *lacking],
              'apt-install.log', env=quiet)
