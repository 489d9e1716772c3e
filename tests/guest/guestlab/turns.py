# SPDX-License-Identifier: GPL-2.0-or-later
"""Steps that many cases take: plug a mouse in, have it move, compare."""

from usblab.guest.waiting import wait_until

from guestlab.mouse import REPORTS_PER_TURN
from guestlab.places import Failure
from guestlab.pointer import Pointer

# Linux polls every 8 ms at low and full speed: a turn takes three seconds.
RATE = "125"
TURN_LIMIT = 30

SPEEDS = {"low": "1.5", "full": "12", "high": "480", "super": "5000"}


def one_turn(lab, bus, speed, driver, **properties):
    """A mouse makes one turn on @bus; returns the reports it sent."""
    return watch_turn(lab, *plug(lab, bus, speed, **properties), speed,
                      driver)


def plug(lab, bus, speed, **properties):
    """A mouse that is about to make one turn, and its reader."""
    device = lab.remote(bus, **properties)
    pointer = Pointer(lab.vm.agent)
    mouse = lab.mouse("--connect", device.address, "--turns", "1",
                      "--speed", speed, "--rate", RATE)
    wait_until(device.peer_waits, 10, "the mouse did not connect")
    return mouse, pointer


def watch_turn(lab, mouse, pointer, speed, driver):
    """The turn, from finding the mouse to unplugging it."""
    pointer.wait_open()
    check_attachment(lab.vm, speed, driver)
    sent = finish_turn(mouse, pointer)
    mouse.stop()
    pointer.wait_gone()
    return sent


# Linux suspends a hub without devices at once, whatever usbcore.autosuspend
# says, and QEMU's hub does not wake it for what was plugged in while it was
# on its way there: nobody would notice the mouse, or any other device.
STAY_AWAKE = "for f in /sys/bus/usb/devices/*/power/control; " \
             "do echo on > $f; done"


def behind_hub(lab, bus, speed, driver):
    """The same behind QEMU's own hub, which is there before."""
    mark = lab.vm.kernel_log.mark()
    add_hub(lab, bus)
    lab.vm.kernel_log.wait("8 ports detected", mark)
    lab.vm.agent.run(STAY_AWAKE)
    return one_turn(lab, bus, speed, driver, port="1.1")


def add_hub(lab, bus):
    """Plug in a hub, to be unplugged at the end of the case."""
    lab.vm.qmp.raw("device_add", {"driver": "usb-hub", "id": "hub",
                                  "bus": f"{bus}.0", "port": "1"})
    lab.later(remove_hub, lab.vm)


def remove_hub(vm):
    """Take the hub away and wait for that."""
    vm.qmp.command("device_del", id="hub")
    vm.qmp.wait_event("DEVICE_DELETED", device="hub")


def finish_turn(mouse, pointer):
    """Wait for the end of the turn and compare the two ends' reports."""
    mouse.wait_reports(REPORTS_PER_TURN, TURN_LIMIT)
    sent = mouse.reports()
    pointer.wait_all(sent, TURN_LIMIT)
    return sent


def check_attachment(vm, speed, driver):
    """The kernel must see the right speed, below the right controller."""
    got = vm.agent.run(
        "cd /sys/bus/usb/devices; for d in *; do "
        "[ \"$(cat $d/product 2>/dev/null)\" = 'Python Mouse' ] || continue; "
        "r=/sys/bus/usb/devices/usb$(cat $d/busnum); "
        "echo $(cat $d/speed) $(basename $(readlink -f $r/../driver)); done")
    if got != f"{SPEEDS[speed]} {driver}":
        raise Failure(f"the guest has the mouse at '{got}' (Mbit/s, driver), "
                      f"not at '{SPEEDS[speed]} {driver}'")
