# SPDX-License-Identifier: GPL-2.0-or-later
"""The disks of examples/ and examples/c/, their images and the guest's view
of them."""

import base64
import hashlib
import random
import re

LANGUAGES = ("Python", "C")
ATTACHED = r"\[(sd[a-z]+)\] Attached SCSI disk"
DRIVERS = "load usb_storage delay_use=0; load sd_mod"

# Of /sys, from a SCSI device: it, its interface and its USB device, with all
# their endpoints, and the block device; one process reads all.
ATTRIBUTES = (
    "cd $(readlink -f /sys/block/{name}/device) && head -v -c 65536 "
    "../../../../* ../../../../ep_*/* ../../../* ../../../ep_*/* * "
    "scsi_disk/*/* block/{name}/* block/{name}/queue/* 2> /dev/null | "
    "base64 -w 0")
HEADING = rb"\n?==> (.*) <==\n"
# What is another one each time.
COUNTED = {"dev", "devnum", "diskseq", "inflight", "iodone_cnt",
           "iorequest_cnt", "stat", "uevent", "urbnum"}


def new_image(lab, size):
    """A disk image with the same bytes each time, unlike any others."""
    path = lab.folder / "disk.img"
    path.write_bytes(random.Random(size).randbytes(size))
    return path


def plug(lab, where, image, *options, language="Python"):
    """
    Plug the disk in one of LANGUAGES in, at a bus or a device that is there;
    returns the guest's name of it and the peer.
    """
    device = lab.remote(where) if isinstance(where, str) else where
    lab.vm.agent.run(DRIVERS)
    mark = lab.vm.kernel_log.mark()
    start = lab.c_example if language == "C" else lab.example
    peer = start("storage", "--connect", device.address, "--image",
                 str(image), *options)
    found = peer.during(lambda: lab.vm.kernel_log.wait(ATTACHED, mark))
    return f"/dev/{found.group(1)}", peer


def in_guest(lab, disk):
    """The hash of the disk's bytes as the guest reads them now."""
    return lab.vm.agent.run(f"blockdev --flushbufs {disk}; sha256sum < {disk}",
                            timeout=100).split()[0]


def attributes(lab, disk):
    """
    All that the guest's kernel tells of a disk: descriptors, strings, the
    answer to INQUIRY, capacity, what its queue may have.  The bytes of each
    by its path from the SCSI device, with DISK for the disk's name.
    """
    name = disk.rpartition("/")[2]
    told = base64.b64decode(lab.vm.agent.run(ATTRIBUTES.format(name=name)))
    _, *words = re.split(HEADING, told)
    pairs = zip(words[::2], words[1::2])
    return {path.decode().replace(name, "DISK"): content
            for path, content in pairs
            if content and path.decode().rpartition("/")[2] not in COUNTED}


def sha256(path):
    """The hash of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
