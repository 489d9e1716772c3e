# SPDX-License-Identifier: GPL-2.0-or-later
"""One of eight URBs that Linux has queued is cancelled, the others are not.

In every place, with 0 to 7 of the eight answered by the peer and the answers
still on the wire.  On OHCI, where one packet at a time is with the peer, 0 or
1.  What has to be is said in guestlab/rounds.py.

The answers come after the guest's next control transfer.  That is what UHCI
needs to see that a transfer was taken out of the middle of its queue: Linux
makes this one of the memory that it got back.

Streams are on xHCI only.  What can get lost on EHCI when an answer comes while
Linux takes a queue out of the schedule is in the manual's limits.
"""

import functools

from guestlab import numbers, rounds, urbs
from guestlab.places import Failure
from guestlab.registry import case
from guestlab.target import IN, OUT

# Numbers in a URB: two packets at high speed, one at full speed.
SIZE = {"high": 256, "full": 16}
# Name, bus and speed of each controller, and how it limits the rounds.
CONTROLLERS = (
    ("xHCI", "xhci", "high", {}),
    ("EHCI", "ehci", "high", {}),
    ("UHCI", "uhci", "full", {}),
    ("OHCI", "ohci", "full", {"answered": (0, 1), "shown": 1}),
)
# Numbers in a stream: 1 MiB; and what the places of its cancellations are
# drawn from.  Where the answers are by then is up to the moment.
STREAM = (1 << 20) // numbers.SIZE
SEED = 3


@case("xHCI: 1 MiB each way while URBs are cancelled, no byte is lost")
def xhci_streams(lab):
    cancel_some(lab, "xhci", IN)
    cancel_some(lab, "xhci", OUT)


def cancel_each(lab, bus, speed, endpoint, **options):
    """Every round on one device, then the judgement of both ends' counts."""
    peer, node = urbs.plug(lab, bus, speed)
    every = rounds.every(endpoint, **options)
    steps = [step for one in every for step in one.steps()]
    ended, trouble = urbs.run(lab, peer, node, endpoint, SIZE[speed], steps)
    answered = peer.device.flows[endpoint].rounds
    rounds.judge(every, ended, answered, SIZE[speed])
    if trouble or len(answered) != len(every):
        raise Failure(f"after {len(answered)} of {len(every)} rounds: "
                      f"{trouble}")


def cancel_some(lab, bus, endpoint, speed="high"):
    """A stream of URBs, some of them cancelled while answers come."""
    size = SIZE[speed]
    peer, node = urbs.plug(lab, bus, speed, end=STREAM)
    steps = rounds.pattern(SEED, STREAM // size)
    ended, trouble = urbs.run(lab, peer, node, endpoint, size, steps)
    cancelled = rounds.judge_pattern(endpoint, ended,
                                     peer.device.flows[endpoint].rounds, size)
    if trouble:
        raise Failure(trouble)
    lab.note(f"endpoint {endpoint:#04x}: {cancelled} of {len(ended)} URBs "
             "were cancelled")


for name, bus, speed, options in CONTROLLERS:
    for way, endpoint in (("IN", IN), ("OUT", OUT)):
        case(f"{name}, bulk {way}: one of eight URBs is cancelled, no byte "
             "is lost")(functools.partial(cancel_each, bus=bus, speed=speed,
                                          endpoint=endpoint, **options))
