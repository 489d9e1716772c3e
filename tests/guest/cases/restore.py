# SPDX-License-Identifier: GPL-2.0-or-later
"""A saved guest comes back with the device unplugged and plugged in anew."""

from usblab.guest.controllers import XHCI

from guestlab.places import Failure
from guestlab.pointer import Pointer
from guestlab.registry import case
from guestlab.turns import finish_turn

from cases.hotplug import PLUGGED, UNPLUGGED

SNAPSHOT_BYTES = 512 << 20


@case("savevm and loadvm: the mouse is unplugged and plugged in anew")
def snapshot(lab):
    vm = lab.new_vm(*XHCI, *remote_arguments(lab, "a"))
    add_snapshot_disk(vm, lab.folder / "disk.qcow2")
    connect(lab, vm, "a", "--reconnect", "--idle")
    quiet_hmp(vm, "savevm before")
    mark = vm.kernel_log.mark()
    quiet_hmp(vm, "loadvm before")
    vm.kernel_log.wait(UNPLUGGED, mark)
    vm.kernel_log.wait(PLUGGED, mark)


@case("migration to a file: restored, the guest gets the mouse anew")
def migration(lab):
    saved = lab.folder / "saved"
    source = lab.new_vm(*XHCI, *remote_arguments(lab, "a"))
    connect(lab, source, "a", "--idle")
    save(source, saved)
    target = lab.new_vm(*XHCI, *remote_arguments(lab, "b"),
                        "-incoming", f"file:{saved}", wait_boot=False)
    target.follow_restored()
    pointer = Pointer(target.agent)
    mouse = lab.mouse("--connect", f"unix:{lab.folder}/b.sock", "--turns",
                      "1")
    target.kernel_log.wait(UNPLUGGED + "(.|\\n)*")
    pointer.wait_open()
    finish_turn(mouse, pointer)


@case("migration without a peer at the target: the mouse is unplugged")
def migration_without_peer(lab):
    saved = lab.folder / "saved"
    source = lab.new_vm(*XHCI, *remote_arguments(lab, "a"))
    connect(lab, source, "a", "--idle")
    save(source, saved)
    target = lab.new_vm(*XHCI, *remote_arguments(lab, "b"),
                        "-incoming", f"file:{saved}", wait_boot=False)
    target.follow_restored()
    target.kernel_log.wait(UNPLUGGED)


def remote_arguments(lab, name):
    """The device on the command line, its socket at NAME.sock."""
    return ["-chardev", f"socket,id=c0,path={lab.folder}/{name}.sock,"
            "server=on,wait=off",
            "-device", "usb-remote,chardev=c0,id=m0,bus=xhci.0"]


def connect(lab, vm, name, *options):
    """Have the mouse in the guest."""
    mark = vm.kernel_log.mark()
    lab.mouse("--connect", f"unix:{lab.folder}/{name}.sock", *options)
    vm.kernel_log.wait(PLUGGED, mark)


def save(vm, path):
    """Write the guest to a file, and end its QEMU."""
    vm.qmp.command("migrate-set-capabilities", capabilities=[
        {"capability": "events", "state": True}])
    vm.qmp.command("migrate", uri=f"file:{path}")
    vm.qmp.wait_event("MIGRATION", timeout=60, status="completed")
    vm.stop()


def add_snapshot_disk(vm, path):
    """savevm wants a disk to write to: a qcow2 image that nobody uses."""
    create(vm, driver="file", filename=str(path), size=0)
    vm.qmp.command("blockdev-add", driver="file", node_name="file",
                   filename=str(path))
    create(vm, driver="qcow2", file="file", size=1 << 20)
    vm.qmp.command("blockdev-add", driver="qcow2", node_name="disk",
                   file="file")


def create(vm, **options):
    """blockdev-create, to its end."""
    vm.qmp.command("blockdev-create", job_id="create", options=options)
    vm.qmp.wait_event("JOB_STATUS_CHANGE", id="create", status="concluded")
    vm.qmp.command("job-dismiss", id="create")


def quiet_hmp(vm, line):
    """An HMP command that prints nothing when all is well."""
    printed = vm.qmp.hmp(line).strip()
    if printed:
        raise Failure(f"(qemu) {line}\n{printed}")
