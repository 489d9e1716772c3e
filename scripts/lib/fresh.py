# SPDX-License-Identifier: GPL-2.0-or-later
"""A minimal Debian system in a folder, and commands that run in it.

What a command needs mounted is mounted in a namespace of its own, which ends
with it, however it ends.  So the machine has no mount below the folder that
could be forgotten, or deleted through."""

import os
import re
import subprocess
from pathlib import Path

import steps
from common import BUILD, ROOT, Failure, shown

HOME = BUILD / 'fresh'
RELEASES = ('bookworm', 'trixie')
# what README asks for besides the release itself, and how to get a clone
INCLUDED = ('make', 'git', 'python3')
CLONE = '/root/usb-remote'

# Killed with the first process: all that it started, and the mounts.
ENTER = ('unshare', '--mount', '--pid', '--fork', '--kill-child',
         '--propagation', 'private')
IN_ROOT = '''
set -e
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$1/dev/pts"
mount -t tmpfs tmpfs "$1/dev/shm"
exec chroot "$@"
'''
ENVIRONMENT = {
    'HOME': '/root', 'LANG': 'C.UTF-8', 'TERM': 'dumb',
    'PATH': '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'}
PROXIES = ('http_proxy', 'https_proxy', 'no_proxy')


def mounts_below(folder, table):
    """The mount points below a folder, by a text like /proc/self/mountinfo."""
    points = [re.sub(r'\\([0-7]{3})', lambda octal: chr(int(octal[1], 8)),
                     line.split()[4]) for line in table.splitlines()]
    return [point for point in points
            if Path(point).is_relative_to(folder)]


def remove(folder):
    """Remove a system, if nothing is mounted there."""
    mounted = mounts_below(folder, Path('/proc/self/mountinfo').read_text())
    if mounted:
        raise Failure(f'{mounted[0]} is mounted; unmount it first')
    subprocess.run(['rm', '-rf', '--one-file-system', '--', folder],
                   check=True)


class System:
    """A minimal system of one release, with a clone of this repository."""

    def __init__(self, release):
        self.release = release
        self.root = HOME / release

    def make(self, mirror):
        """Make it anew."""
        remove(self.root)
        steps.run(f'Making a minimal {self.release} in {shown(self.root)}',
                  [*ENTER, 'debootstrap', '--variant=minbase',
                   '--include=' + ','.join(INCLUDED), self.release, self.root,
                   mirror], f'fresh-{self.release}-system.log')
        subprocess.run(['git', 'clone', '--quiet', '--no-hardlinks', ROOT,
                        f'{self.root}{CLONE}'], check=True)

    def command(self, *words):
        """The command line of a command in the system."""
        environment = {**ENVIRONMENT, **{name: os.environ[name]
                                         for name in PROXIES
                                         if name in os.environ}}
        return [*ENTER, 'sh', '-c', IN_ROOT, 'sh', str(self.root), 'env',
                '-i', *(f'{name}={value}'
                        for name, value in environment.items()), *words]

    def run(self, target):
        """make TARGET in the clone, aloud; Failure if it fails."""
        steps.run(f'{self.release}: make {target}',
                  self.command('make', '-C', CLONE, target),
                  f'fresh-{self.release}-{target}.log', progress=steps.Aloud)
