# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's whole file system: busybox, our programs, some modules."""

import os
import re
import subprocess

from guestlab import cpio
from guestlab.modules import Modules
from guestlab.places import GUEST, Failure

# Loaded by init, before the host is told that the guest is there.
BOOT_MODULES = [
    "virtio_pci", "virtio_console",
    "ehci_pci", "uhci_hcd", "ohci_pci", "xhci_pci",
    "usbhid", "hid_generic", "evdev", "mousedev",
]
# At hand for `load NAME`; a new driver under test is one more name here.
MORE_MODULES = [
    "usb_storage", "sd_mod", "crc32c_generic", "ext4",
    "cdc_acm", "cdc_ether", "af_packet", "usbtest",
    "hid_zpff", "usblp", "usbtmc",
]

# Static programs of our own: name in the guest, sources in agent/.
PROGRAMS = {
    "init": ["init.c", "agent.c"],
    "bin/evread": ["evread.c"],
    "bin/ioctl": ["ioctl.c"],
    "bin/rumble": ["rumble.c"],
    "bin/tmc": ["tmc.c"],
    "bin/urbs": ["urbs.c"],
    "bin/usbtest": ["usbtest.c"],
}

# Not static: libusb needs libudev, and Debian has no static one of that.
LIBUSB_CLIENT = "bin/libusb"
LIBUSB_SOURCES = [f"libusb/{name}.c" for name in (
    "main", "device", "batch", "data",
    "bench", "control", "loop", "pattern", "claim")]

# From Debian's packages: name in the guest, name there.
E2FSPROGS = {"bin/mkfs.ext4": "sbin/mke2fs", "bin/e2fsck": "sbin/e2fsck"}
LIBRARY_FOLDER = "lib/x86_64-linux-gnu"
LOADER = "ld-linux-x86-64.so.2"     # programs look for it in /lib64


def build(system):
    """Make the initramfs of a kernel.Kernel and return its path."""
    work = system.root
    work.mkdir(parents=True, exist_ok=True)
    archive = cpio.Archive()
    archive.console()
    for name in ("proc", "sys", "tmp", "mnt", "root"):
        archive.directory(name)
    _add_busybox(archive, system.busybox)
    _add_dynamic(archive, work, system)
    _add_programs(archive, work)
    _add_modules(archive, Modules(system.modules))
    path = work / "initramfs.cpio"
    _replace(path, archive.bytes())
    return path


def _add_busybox(archive, busybox):
    archive.file("bin/busybox", busybox.read_bytes(), 0o755)
    applets = subprocess.run([busybox, "--list"], check=True, text=True,
                             stdout=subprocess.PIPE).stdout.split()
    for applet in applets:
        if applet != "busybox":
            archive.symlink(f"bin/{applet}", "busybox")


def _add_dynamic(archive, work, system):
    """The programs that have shared libraries, then all of these."""
    roots = [system.e2fsprogs, system.libusb]
    programs = {name: _anywhere(roots, source)
                for name, source in E2FSPROGS.items()}
    programs[LIBUSB_CLIENT] = _libusb_client(work, system.libusb)
    for name, path in programs.items():
        archive.file(name, path.read_bytes(), 0o755)
    for name in _libraries(roots, programs.values()):
        path = f"{LIBRARY_FOLDER}/{name}"
        archive.file(path, _anywhere(roots, path).read_bytes(), 0o755)
    archive.directory("lib64")
    archive.symlink(f"lib64/{LOADER}", f"/{LIBRARY_FOLDER}/{LOADER}")


def _libusb_client(work, root):
    library = _anywhere([root], f"{LIBRARY_FOLDER}/libusb-1.0.so.0")
    return _compiled(LIBUSB_CLIENT, LIBUSB_SOURCES, work, [
        "-I", str(root / "usr/include/libusb-1.0"), str(library),
        "-Wl,--allow-shlib-undefined"])


def _libraries(roots, programs):
    """The names of all shared libraries that @programs need, LOADER too."""
    found, left = [LOADER], list(programs)
    while left:
        for name in _needed(left.pop()):
            if name not in found:
                found.append(name)
                left.append(_anywhere(roots, f"{LIBRARY_FOLDER}/{name}"))
    return found


def _needed(path):
    """What a program or library says that it needs."""
    told = subprocess.run(["readelf", "-d", path], check=True, text=True,
                          env={**os.environ, "LC_ALL": "C"},
                          stdout=subprocess.PIPE).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", told)


def _anywhere(roots, path):
    """Packages of one release have their files in /lib or /usr/lib."""
    places = [place / path for root in roots for place in (root, root / "usr")]
    return next((place for place in places if place.exists()), places[0])


def _add_programs(archive, work):
    for name, sources in PROGRAMS.items():
        program = _compiled(name, sources, work, ["-static"])
        archive.file(name, program.read_bytes(), 0o755)


def _compiled(name, sources, work, options):
    """Compile when a source is newer than the program; returns its path."""
    paths = [GUEST / "agent" / source for source in sources]
    program = work / name.replace("/", "-")
    newest = max(path.stat().st_mtime
                 for path in (GUEST / "agent").rglob("*.[ch]"))
    if not program.exists() or program.stat().st_mtime < newest:
        _compile(paths, program, options)
    return program


def _compile(paths, program, options):
    command = ["gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror",
               "-o", str(program), *map(str, paths), *options]
    try:
        subprocess.run(command, check=True)
    except FileNotFoundError:
        raise Failure("there is no gcc: apt-get install gcc libc6-dev")
    except subprocess.CalledProcessError:
        raise Failure(f"cannot compile {program.name} for the guest")


def _add_modules(archive, modules):
    boot = modules.resolve(BOOT_MODULES)
    every = modules.resolve(BOOT_MODULES + MORE_MODULES)
    for name in every:
        archive.file(f"lib/modules/{name}.ko", modules.content(name))
    listing = "".join(f"/lib/modules/{name}.ko\n" for name in boot)
    archive.file("lib/modules/boot.list", listing.encode())
    needs = "".join(f"{name} {' '.join(modules.resolve([name]))}\n"
                    for name in every)
    archive.file("lib/modules/order", needs.encode())
    archive.file("bin/load", _LOAD, 0o755)


# busybox has a modprobe, but it wants the whole depmod database.
_LOAD = b"""#!/bin/sh
# load NAME [OPTION=VALUE...]: insert a module after all that it needs
name=$(echo "$1" | tr - _); shift
order=$(sed -n "s/^$name //p" /lib/modules/order)
[ -n "$order" ] || { echo "load: no module $name in this initramfs"; exit 1; }
for m in $order; do
    [ -d /sys/module/$m ] && continue
    [ $m = $name ] || { insmod /lib/modules/$m.ko || exit 1; continue; }
    insmod /lib/modules/$m.ko "$@" || exit 1
done
"""


def _replace(path, data):
    """Never leave half a file, or change one that a guest is reading."""
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.rename(path)
