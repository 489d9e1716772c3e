# SPDX-License-Identifier: GPL-2.0-or-later
"""examples/storage.py, used by usb-storage, sd and ext4."""

import hashlib
import random
import signal

from guestlab.places import Failure
from guestlab.registry import case
from guestlab.waiting import wait_until

KIB, MIB = 1 << 10, 1 << 20
DRIVERS = ("load usb_storage delay_use=0; load sd_mod; load crc32c_generic; "
           "load ext4; ")
ATTACHED = r"\[(sd[a-z]+)\] Attached SCSI disk"
UNPLUGGED = "USB disconnect"

# An ext4 with a file in it, checked and out of the guest's cache again.
FILL = " && ".join((
    "mkfs.ext4 -q -F -E lazy_itable_init=0 {disk} 2> /dev/null",
    "mount -t ext4 {disk} /mnt",
    "head -c {size} /dev/urandom > /mnt/data",
    "sha256sum < /mnt/data",
    "umount /mnt",
    "{{ e2fsck -fn {disk} > /tmp/said 2>&1 || {{ cat /tmp/said; false; }}; }}",
    "blockdev --flushbufs {disk}",
    "mount -t ext4 -o ro {disk} /mnt",
    "sha256sum < /mnt/data",
    "umount /mnt"))


@case("a disk on xHCI: ext4 is made, filled, checked and compared")
def xhci_ext4(lab):
    ext4(lab, "xhci", 16 * MIB, 2 * MIB)


@case("a disk on UHCI: ext4 is made, filled, checked and compared")
def uhci_ext4(lab):
    ext4(lab, "uhci", 1 * MIB, 128 * KIB)


@case("a read-only disk: the guest reads it and cannot write")
def read_only(lab):
    image = new_image(lab, MIB)
    before, mark = sha256(image), lab.vm.kernel_log.mark()
    disk, _ = plug(lab, "xhci", image, "--read-only")
    lab.vm.kernel_log.wait("Write Protect is on", mark)
    if in_guest(lab, disk) != before:
        raise Failure("the guest does not read what is in the image")
    if lab.vm.agent.run(f"echo changed > {disk} && echo yes", check=False
                        ).endswith("yes"):
        raise Failure("the guest could write")
    if sha256(image) != before:
        raise Failure("the image has changed")


@case("a disk's peer is killed in the middle of a copy: unplugged, and sound "
      "when it is back", limit=240)
def killed(lab):
    image, device = new_image(lab, 16 * MIB), lab.remote("xhci")
    disk, peer = plug(lab, device, image)
    run = lab.vm.agent.run
    run(f"mkfs.ext4 -q -F -E lazy_itable_init=0 {disk} && mount -t ext4 {disk} /mnt && "
        "head -c 2097152 /dev/urandom > /tmp/data && cp /tmp/data /mnt/old && "
        "sync", timeout=60)
    lab.later(run, "umount -l /mnt; rm -f /tmp/data", 20, False)
    mark = lab.vm.kernel_log.mark()
    start = peer.stats()["bytes_out"]
    copying = lab.vm.agent.start(
        "while cp /tmp/data /mnt/new && sync; do rm /mnt/new; done")
    wait_until(lambda: peer.stats()["bytes_out"] > start + 2 * MIB, 60,
               "the guest did not copy 2 MiB")
    if copying.status is not None:
        raise Failure(f"the copy has ended by itself: {copying.lines}")
    peer.stop(signal.SIGKILL)
    lab.vm.kernel_log.wait(UNPLUGGED, mark)
    copying.wait_end(60)        # neither it nor umount hangs
    run("umount /mnt")
    disk, _ = plug(lab, device, image)
    # -p: the journal is played back; whatever else is wrong is an error
    run(f"e2fsck -p {disk} || [ $? = 1 ] && e2fsck -fn {disk} && "
        f"mount -t ext4 {disk} /mnt && cmp /tmp/data /mnt/old", timeout=60)


def ext4(lab, bus, size, used):
    """The image's bytes are the same on both sides, before and after."""
    image = new_image(lab, size)
    disk, _ = plug(lab, bus, image)
    if in_guest(lab, disk) != sha256(image):
        raise Failure("the guest does not read what is in the image")
    sums = lab.vm.agent.run(FILL.format(disk=disk, size=used), timeout=100)
    written, read = sums.split("\n")
    if read != written:
        raise Failure(f"the file was not what had been written:\n{sums}")
    if in_guest(lab, disk) != sha256(image):
        raise Failure("what the guest wrote is not what is in the image")


def new_image(lab, size):
    """A disk image with the same bytes each time, unlike any others."""
    path = lab.folder / "disk.img"
    path.write_bytes(random.Random(size).randbytes(size))
    return path


def plug(lab, where, image, *options):
    """
    Plug a disk in, at a bus or a device that is there; returns the guest's
    name of it and the peer.
    """
    device = lab.remote(where) if isinstance(where, str) else where
    lab.vm.agent.run(DRIVERS)
    mark = lab.vm.kernel_log.mark()
    peer = lab.example("storage", "--connect", device.address,
                       "--image", str(image), *options)
    found = peer.during(lambda: lab.vm.kernel_log.wait(ATTACHED, mark))
    return f"/dev/{found.group(1)}", peer


def in_guest(lab, disk):
    """The hash of the disk's bytes as the guest reads them now."""
    return lab.vm.agent.run(f"blockdev --flushbufs {disk}; sha256sum < {disk}",
                            timeout=100).split()[0]


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
