# SPDX-License-Identifier: GPL-2.0-or-later
"""The disks in Python and in C, used by usb-storage, sd and ext4."""

import functools
import signal

from usblab.guest.waiting import wait_until

from guestlab.disk import (LANGUAGES, attributes, in_guest, new_image, plug,
                           sha256)
from guestlab.places import Failure
from guestlab.registry import case

KIB, MIB = 1 << 10, 1 << 20
UNPLUGGED = "USB disconnect"
# Name, bus, bytes of an image and of a file in it: what UHCI is quick with.
CONTROLLERS = (("xHCI", "xhci", 16 * MIB, 2 * MIB),
               ("UHCI", "uhci", 256 * KIB, 32 * KIB))
# Of what is compared, what must be there.
TELLING = {"../../../../descriptors", "../../../../serial", "inquiry",
           "block/DISK/size"}
# from 6.15 on the checksum is no module of its own
FILE_SYSTEM = "load crc32c_generic > /dev/null 2>&1; load ext4"

# An ext4 with a file in it, checked and out of the guest's cache again.
FILL = " && ".join((
    FILE_SYSTEM,
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
    run(f"{FILE_SYSTEM}; mkfs.ext4 -q -F -E lazy_itable_init=0 {disk} && mount -t ext4 {disk} /mnt && "
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


def ext4(lab, bus, language, size, used):
    """The image's bytes are the same on both sides, before and after."""
    image = new_image(lab, size)
    disk, _ = plug(lab, bus, image, language=language)
    if in_guest(lab, disk) != sha256(image):
        raise Failure("the guest does not read what is in the image")
    sums = lab.vm.agent.run(FILL.format(disk=disk, size=used), timeout=100)
    written, read = sums.split("\n")
    if read != written:
        raise Failure(f"the file was not what had been written:\n{sums}")
    if in_guest(lab, disk) != sha256(image):
        raise Failure("what the guest wrote is not what is in the image")


def twins(lab, bus):
    """One image behind each disk in turn; the guest cannot tell which."""
    image, device = new_image(lab, 64 * KIB), lab.remote(bus)
    ours, theirs = (looks(lab, device, image, one) for one in LANGUAGES)
    different = {path for path in {*ours, *theirs}
                 if ours.get(path) != theirs.get(path)}
    if different:
        raise Failure("different:\n" + "\n".join(
            f"{path}: {ours.get(path)}, {theirs.get(path)}"
            for path in sorted(different)))


def looks(lab, device, image, language):
    """What the guest knows of a disk, and the hash of what it reads."""
    disk, peer = plug(lab, device, image, language=language)
    seen = {**attributes(lab, disk), "data": in_guest(lab, disk)}
    if TELLING - set(seen):
        raise Failure(f"the guest has no {TELLING - set(seen)} of the disk")
    mark = lab.vm.kernel_log.mark()
    peer.stop()
    lab.vm.kernel_log.wait(UNPLUGGED, mark)
    return seen


for NAME, BUS, SIZE, USED in CONTROLLERS:
    for LANGUAGE in LANGUAGES:
        case(f"a disk in {LANGUAGE} on {NAME}: ext4 is made, filled, checked "
             "and compared")(functools.partial(
                 ext4, bus=BUS, language=LANGUAGE, size=SIZE, used=USED))
    case(f"on {NAME} the guest sees the same of the disks in Python and in C")(
        functools.partial(twins, bus=BUS))
