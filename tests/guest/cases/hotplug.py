# SPDX-License-Identifier: GPL-2.0-or-later
"""Plugged in and out while the guest runs: by the peer, by QMP, by HMP."""

from usblab.guest.waiting import wait_until

from guestlab.places import Failure
from guestlab.registry import case
from guestlab.pointer import Pointer
from guestlab.turns import finish_turn

TIMES = 5
UNPLUGGED = "USB disconnect"
PLUGGED = "input: usb-remote Python Mouse"


@case("a peer that comes and goes is a mouse plugged in and out")
def peer_comes_and_goes(lab):
    device = lab.remote("xhci")
    for _ in range(TIMES):
        plug_by_peer(lab, device)


@case("a peer that comes and goes is a mouse plugged in and out, on UHCI")
def peer_comes_and_goes_uhci(lab):
    device = lab.remote("uhci")
    for _ in range(TIMES):
        plug_by_peer(lab, device)


@case("device_del and device_add by QMP, with the peer waiting to reconnect")
def qmp_adds_and_deletes(lab):
    device = plugged_and_reconnecting(lab)
    for _ in range(TIMES):
        mark = lab.vm.kernel_log.mark()
        device.unplug()
        lab.vm.kernel_log.wait(UNPLUGGED, mark)
        device.plug()
        lab.vm.kernel_log.wait(PLUGGED, mark)


@case("device_del and device_add by HMP, with the peer waiting to reconnect")
def hmp_adds_and_deletes(lab):
    device = plugged_and_reconnecting(lab)
    for _ in range(TIMES):
        mark = lab.vm.kernel_log.mark()
        quiet_hmp(lab.vm, f"device_del {device.id}")
        lab.vm.qmp.wait_event("DEVICE_DELETED", device=device.id)
        lab.vm.kernel_log.wait(UNPLUGGED, mark)
        quiet_hmp(lab.vm, f"device_add usb-remote,id={device.id},"
                  f"chardev={device.chardev},bus=xhci.0")
        lab.vm.kernel_log.wait(PLUGGED, mark)


@case("device_del tells the mouse why, and it ends when it may not reconnect")
def device_del_ends_mouse(lab):
    device = lab.remote("xhci")
    mark = lab.vm.kernel_log.mark()
    mouse = lab.mouse("--connect", device.address, "--idle")
    lab.vm.kernel_log.wait(PLUGGED, mark)
    device.unplug()
    if mouse.wait_exit() or "removed the device" not in mouse.log_text():
        raise Failure(f"mouse.py does not say why:\n{mouse.log_text()}")
    lab.vm.kernel_log.wait(UNPLUGGED, mark)
    device.plug()


@case("a peer that is there before the device: plugged in by device_add")
def peer_before_device(lab):
    device = lab.remote("xhci")
    device.unplug()
    pointer = Pointer(lab.vm.agent)
    mouse = lab.mouse("--connect", device.address, "--turns", "1")
    wait_until(device.peer_waits, 10,
               "the mouse did not connect to the chardev")
    device.plug()
    pointer.wait_open()
    finish_turn(mouse, pointer)


@case("device_del of a device that no peer has come to")
def device_del_without_peer(lab):
    device = lab.remote("xhci")
    for _ in range(TIMES):
        device.unplug()
        device.plug()


@case("a mouse that moves is unplugged in mid-turn and starts again")
def unplugged_in_motion(lab):
    device = lab.remote("xhci")
    for _ in range(2):
        pointer = Pointer(lab.vm.agent)
        mouse = lab.mouse("--connect", device.address, "--turns", "0")
        pointer.wait_open()
        pointer.wait_reports(20, 20)
        device.unplug()
        pointer.wait_gone()
        mouse.wait_exit()
        device.plug()
    pointer = Pointer(lab.vm.agent)
    mouse = lab.mouse("--connect", device.address, "--turns", "1")
    pointer.wait_open()
    finish_turn(mouse, pointer)


@case("info usb shows the mouse while it is plugged in, and only then")
def info_usb(lab):
    device = lab.remote("xhci")
    mark = lab.vm.kernel_log.mark()
    mouse = lab.mouse("--connect", device.address, "--idle")
    lab.vm.kernel_log.wait(PLUGGED, mark)
    shown = lab.vm.qmp.hmp("info usb")
    if "Python Mouse" not in shown:
        raise Failure(f"info usb does not show the mouse:\n{shown}")
    mouse.stop()
    lab.vm.kernel_log.wait(UNPLUGGED, mark)
    shown = lab.vm.qmp.hmp("info usb")
    if "Python Mouse" in shown:
        raise Failure(f"info usb still shows the mouse:\n{shown}")


def plug_by_peer(lab, device):
    """One round: connect, see it in the guest, disconnect, see it go."""
    mark = lab.vm.kernel_log.mark()
    mouse = lab.mouse("--connect", device.address, "--idle")
    lab.vm.kernel_log.wait(PLUGGED, mark)
    mouse.stop()
    lab.vm.kernel_log.wait(UNPLUGGED, mark)


def plugged_and_reconnecting(lab):
    """A device whose mouse comes back by itself, already in the guest."""
    device = lab.remote("xhci")
    mark = lab.vm.kernel_log.mark()
    lab.mouse("--connect", device.address, "--reconnect", "--idle")
    lab.vm.kernel_log.wait(PLUGGED, mark)
    return device


def quiet_hmp(vm, line):
    """An HMP command that prints nothing when all is well."""
    printed = vm.qmp.hmp(line).strip()
    if printed:
        raise Failure(f"(qemu) {line}\n{printed}")
