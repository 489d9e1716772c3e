# SPDX-License-Identifier: GPL-2.0-or-later
"""What keyboard.py types can be read from the guest's console."""

import base64
import signal
import struct

from guestlab.controls import EV_LED, EV_REP, EV_SYN
from guestlab.example import node, plug
from guestlab.places import Failure
from guestlab.registry import case

# All that a US keyboard types; Tab and Enter are characters here, too.
TEXT = "".join(map(chr, range(0x20, 0x7f))) + "\tthe end\n"

# The console without line editing, so that no character means anything.
READ_CONSOLE = ("exec 3</dev/tty1; stty -icanon -echo -isig <&3; echo open; "
                f"head -c {len(TEXT)} <&3 | base64")

LEDS = "^LEDs: (.*)$"
LED_NUML, LED_CAPSL = 0, 1      # linux/input-event-codes.h
REP_DELAY = 0


@case("a keyboard on UHCI: the guest's console gets the text, the keyboard "
      "the LEDs")
def on_uhci(lab):
    types_and_shines(lab, "uhci")


@case("a keyboard on xHCI: the guest's console gets the text, the keyboard "
      "the LEDs")
def on_xhci(lab):
    types_and_shines(lab, "xhci")


def types_and_shines(lab, bus):
    """Every character arrives; LEDs that the guest sets come back."""
    (lab.folder / "text").write_text(TEXT)
    keyboard, name = plug(lab, bus, "keyboard", "--idle", "--rate", "1000",
                          "--file", str(lab.folder / "text"))
    event = node(lab, f"/sys/bus/usb/devices/{name}:1.0/*/input/*/event*")
    path = "/dev/input/" + event.split("/")[-1]
    # Linux repeats a key that is down for 250 ms, as it can be when the guest
    # has to wait for a processor.  It does not if the delay is 0.
    inject(lab, path, EV_REP, REP_DELAY, 0)
    check_text(lab, keyboard)
    check_leds(lab, keyboard, path)


def check_text(lab, keyboard):
    """Type it and read it."""
    console = lab.vm.agent.start(READ_CONSOLE)
    console.wait_line("^open$", 10)
    keyboard.signal(signal.SIGUSR1)
    keyboard.during(lambda: console.wait_end(60))
    seen = base64.b64decode("".join(console.lines[1:])).decode()
    if seen != TEXT:
        raise Failure(f"the keyboard typed {TEXT!r}, the guest's console "
                      f"got {seen!r}")


def check_leds(lab, keyboard, path):
    """Switch them on and off one by one."""
    before = len(keyboard.printed(LEDS))
    for number, (led, on, shown) in enumerate((
            (LED_CAPSL, 1, "Caps Lock"), (LED_NUML, 1, "Num Lock, Caps Lock"),
            (LED_CAPSL, 0, "Num Lock"), (LED_NUML, 0, "none")), before + 1):
        inject(lab, path, EV_LED, led, on)
        seen = keyboard.wait_printed(LEDS, number)[-1]
        if seen != shown:
            raise Failure(f"the guest set {shown}, the keyboard got {seen}")


def inject(lab, path, kind, code, value):
    """Write an event and its end to an input device in the guest."""
    events = struct.pack("=QQHHi", 0, 0, kind, code, value) + struct.pack(
        "=QQHHi", 0, 0, EV_SYN, 0, 0)
    escaped = "".join(f"\\{byte:03o}" for byte in events)
    lab.vm.agent.run(f"printf '{escaped}' > {path}")
