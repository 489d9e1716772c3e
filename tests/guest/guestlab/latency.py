# SPDX-License-Identifier: GPL-2.0-or-later
"""How long QEMU holds a report before the host controller has it.

Measured between two trace events of one QEMU, so that neither the peer's
start-up of a signal handler nor the emulated CPU's speed is in the figure.
"""

import re

from guestlab.places import Failure

STAMP = re.compile(r"@(\d+)\.(\d+):(\w+) (.*)")

# The peer's answer has come; the core's packet has its result.
TAKEN = "usb_remote_receive"
GIVEN = "usb_packet_state_change"


def seconds(lines, endpoint):
    """The time from the first COMPLETE to the GIVEN of @endpoint after it."""
    taken = None
    for when, event, text in map(_parse, lines):
        if not taken and event == TAKEN and " COMPLETE," in text:
            taken = when
        elif taken and event == GIVEN and _given(text, endpoint):
            return when - taken
    raise Failure("no report went through QEMU:\n  " + "\n  ".join(lines))


def _given(text, endpoint):
    return f"ep {endpoint}," in text and text.endswith("-> complete")


def _parse(line):
    found = STAMP.search(line)
    if not found:
        return 0, "", ""
    whole, part, event, text = found.groups()
    return int(whole) + int(part) / 10 ** len(part), event, text
