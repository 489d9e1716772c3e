# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest of these tests: the lab's, with programs of our own in it."""

import os
import re
import subprocess

from usblab import kernels
from usblab.errors import Problem
from usblab.guest import boot, userland
from usblab.guest.initramfs import CHANNEL, CONTROLLERS, Initramfs
from usblab.guest.userland import LIBRARY_FOLDER

from guestlab.places import BUILD, GUEST, Failure, locked

BOOT_MODULES = [*CHANNEL, *CONTROLLERS,
                "usbhid", "hid_generic", "evdev", "mousedev"]
# At hand for `load NAME`; a new driver under test is one more name here.
MORE_MODULES = [
    "usb_storage", "sd_mod", "crc32c_generic", "ext4",
    "cdc_acm", "cdc_ether", "af_packet", "usbtest",
    "hid_zpff", "usblp", "usbtmc",
]

# Static programs of our own: name in the guest, sources in agent/.
PROGRAMS = {
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
E2FSPROGS_FILES = {"bin/mkfs.ext4": "sbin/mke2fs",
                   "bin/e2fsck": "sbin/e2fsck"}
LOADER = "ld-linux-x86-64.so.2"     # programs look for it in /lib64


def kernel():
    """The kernel under test: $GUEST_KERNEL, or that of this machine's own
    release of Debian."""
    spec = os.environ.get("GUEST_KERNEL")
    try:
        found = kernels.find(spec)[-1] if spec else kernels.default()
        return kernels.check(found.get())
    except Problem as problem:
        raise Failure(f"GUEST_KERNEL={spec}: {problem}" if spec
                      else str(problem)) from None


def get():
    """What starts the guest; its files are made if missing."""
    with locked(BUILD / "guest"):       # two runs may begin at the same time
        system = kernel()
        archive = Initramfs(system)
        _add_dynamic(archive)
        for name, sources in PROGRAMS.items():
            archive.program(name, userland.compiled(name, _agent(sources)))
        archive.modules(BOOT_MODULES, MORE_MODULES)
        path = archive.write(system.folder / "tests.cpio")
    return boot.Boot(system.image, path)


def _agent(sources):
    return [GUEST / "agent" / source for source in sources]


def _add_dynamic(archive):
    """The programs that have shared libraries, then all of these."""
    roots = [userland.unpacked("e2fsprogs", ["e2fsprogs"]),
             userland.unpacked("libusb", ["libusb-1.0-0", "libudev1",
                                          "libusb-1.0-0-dev"])]
    programs = {name: _anywhere(roots, source)
                for name, source in E2FSPROGS_FILES.items()}
    programs[LIBUSB_CLIENT] = _libusb_client(roots[1])
    for name, path in programs.items():
        archive.program(name, path)
    for name in _libraries(roots, programs.values()):
        path = f"{LIBRARY_FOLDER}/{name}"
        archive.program(path, _anywhere(roots, path))
    archive.archive.directory("lib64")
    archive.archive.symlink(f"lib64/{LOADER}", f"/{LIBRARY_FOLDER}/{LOADER}")


def _libusb_client(root):
    library = _anywhere([root], f"{LIBRARY_FOLDER}/libusb-1.0.so.0")
    return userland.compiled(LIBUSB_CLIENT, _agent(LIBUSB_SOURCES), [
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
