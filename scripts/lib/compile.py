# SPDX-License-Identifier: GPL-2.0-or-later
"""Configures and builds an overlaid QEMU tree."""

import shutil

import archive
import mirror
import overlay
import steps
from common import ROOT, say, shown, write_changed

OPTIONS = '''
--python=/usr/bin/python3
--target-list=x86_64-softmmu
--without-default-features
--enable-system
--enable-tcg
--enable-kvm
--enable-slirp
--enable-fdt=system
--enable-pixman
--enable-vnc
--enable-gnutls
--enable-trace-backends=log
--enable-werror
--disable-debug-info
--disable-install-blobs
--disable-download
'''.split()
FLAVOURS = {
    'plain': [],
    # sanitizers, and line counts of the device's files for gcov
    'asan': ['--enable-asan', '--enable-ubsan',
             f'--cc={ROOT / "scripts" / "lib" / "cc-covered"}',
             '--extra-ldflags=--coverage'],
    # with what "make bench" compares the device with
    'bench': ['--enable-usb-redir'],
}
FIRMWARE = ('/usr/share/seabios', '/usr/share/qemu', '/usr/lib/ipxe/qemu')
MANY = 20       # files changed: more are counted, not named

WRAPPER = '''\
#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs the QEMU built in {tree}, with its firmware.
exec "{tree}/qemu-system-x86_64" {firmware} "$@"
'''


def lay_overlay(base):
    lay(base, overlay.Overlay(base).result())


def lay(base, changed):
    first = not base.source.is_dir()
    if first:
        say(f'Copying the tree to {shown(base.source)}')
    touched = mirror.lay(base.pristine, base.source, changed)
    if touched and not first:
        named = ', '.join(sorted(touched)) if len(touched) <= MANY \
            else f'{len(touched)} files'
        say(f'Overlay: changed {named}')


def configure(base, flavour):
    tree = base.tree(flavour)
    command = [str(base.source / 'configure'), *OPTIONS, *FLAVOURS[flavour]]
    stamp = tree / 'configured'
    text = '\n'.join(command) + '\n'
    if stamp.is_file() and stamp.read_text() == text:
        return
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    steps.run(f'Configuring {shown(tree)}', command,
              f'configure-{tree.parent.name}-{flavour}.log', cwd=tree,
              env=archive.tools_environment())
    stamp.write_text(text)


def ninja(base, flavour, targets):
    tree = base.tree(flavour)
    steps.run(f'Building {shown(tree)}', ['ninja', *targets],
              f'build-{tree.parent.name}-{flavour}.log', cwd=tree,
              env=archive.tools_environment())


def wrapper(tree, path):
    """A command that runs the built QEMU from any folder."""
    folders = [str(tree / 'pc-bios'), *FIRMWARE]
    firmware = ' '.join(f'-L "{folder}"' for folder in folders)
    write_changed(path, WRAPPER.format(tree=tree, firmware=firmware).encode(),
                  0o755)


def rebuild(base, flavour, files, targets=()):
    """Build a configured tree with these files instead of the overlay's."""
    mirror.lay(base.pristine, base.source, files)
    ninja(base, flavour, ['qemu-system-x86_64', *targets])


def build(base, flavour, targets=()):
    lay_overlay(base)
    build_laid(base, flavour, targets)


def build_variant(base, root, flavour):
    """Build a variant with the changes of another checkout, or with none."""
    files = overlay.Overlay(base, root).result() if root else {}
    lay(base, files)
    build_laid(base, flavour)


def build_laid(base, flavour, targets=()):
    configure(base, flavour)
    ninja(base, flavour, ['qemu-system-x86_64', *targets])
    wrapper(base.tree(flavour), base.binary(flavour))
