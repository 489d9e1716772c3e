# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing happens in a paused guest; it happens when the guest goes on."""

from usblab.guest.waiting import wait_until

from guestlab.mouse import REPORTS_PER_TURN
from guestlab.places import Failure
from guestlab.pointer import Pointer
from guestlab.registry import case
from guestlab.turns import finish_turn

from cases.hotplug import PLUGGED, UNPLUGGED


@case("the peer of a paused guest leaves: unplugged when the guest goes on")
def peer_leaves(lab):
    device = lab.remote("xhci")
    log, mark = lab.vm.kernel_log, lab.vm.kernel_log.mark()
    mouse = lab.mouse("--connect", device.address, "--idle")
    log.wait(PLUGGED, mark)
    pause(lab)
    mouse.stop()
    wait_until(lambda: not device.get("connected"), 10,
               "QEMU did not notice that the peer left")
    if not device.get("attached"):
        raise Failure("the device was detached from a paused guest")
    lab.vm.qmp.command("cont")
    log.wait(UNPLUGGED, mark)


@case("the peer of a paused guest comes: plugged in when the guest goes on")
def peer_comes(lab):
    device = lab.remote("xhci")
    log, mark = lab.vm.kernel_log, lab.vm.kernel_log.mark()
    pause(lab)
    lab.mouse("--connect", device.address, "--idle")
    wait_until(lambda: device.get("connected"), 10,
               "QEMU did not notice that the peer came")
    if device.get("attached"):
        raise Failure("the device was attached to a paused guest")
    lab.vm.qmp.command("cont")
    log.wait(PLUGGED, mark)


@case("a guest paused in mid-turn: no motion is lost")
def paused_in_motion(lab):
    device = lab.remote("xhci")
    pointer = Pointer(lab.vm.agent)
    mouse = lab.mouse("--connect", device.address, "--turns", "1")
    pointer.wait_open()
    for part in range(1, 4):
        pointer.wait_reports(part * REPORTS_PER_TURN // 4, 30)
        pause(lab)
        lab.vm.qmp.command("cont")
    finish_turn(mouse, pointer)


def pause(lab):
    """Stop the guest; it runs again at the latest at the end of the case."""
    lab.vm.qmp.command("stop")
    lab.later(lab.vm.qmp.command, "cont")
