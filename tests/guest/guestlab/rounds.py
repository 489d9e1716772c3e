# SPDX-License-Identifier: GPL-2.0-or-later
"""URBs are queued and some are cancelled: the steps, and the judgement.

What has to be: all but the cancelled URBs end well and in order, and each of
the numbers reaches the other end once and in order, as counted by both ends.

IN: the numbers that the peer answered are those that the guest got, those of
cancelled URBs included.

OUT: the numbers of a cancelled URB are the guest's to give up.  The peer may
have taken them, or the first of them, before it heard of that; then it took
them once, in their place.  The guest is told of no more than the peer took,
and mostly of none: the answer was on the wire when the controller let go.
"""

import errno
from collections import Counter
from dataclasses import dataclass
from random import Random

from guestlab import numbers
from guestlab.places import Failure
from guestlab.target import ALL, ANSWER, IN, LET_GO, PARK

DEPTH = 8


@dataclass(frozen=True)
class Round:
    """@victim of the URBs is cancelled when the peer has answered @answered.

    shown: how many of the eight the controller shows to the peer at a time.
    """

    index: int
    endpoint: int
    victim: int
    answered: int
    shown: int = DEPTH

    @property
    def first(self):
        """The number of its first URB."""
        return self.index * DEPTH

    def steps(self):
        """What urbs.c has to do."""
        rest = DEPTH - 1 - self.answered if self.endpoint == IN else ALL
        return [f"c{PARK},0", *["s"] * DEPTH,
                f"c{ANSWER},{self.shown << 8 | self.answered}",
                f"d{self.first + self.victim}",
                f"c{LET_GO},{rest}", *["r"] * DEPTH]

    def judge(self, urbs, answered, size):
        """Compare the guest's @urbs with the runs that the peer @answered.

        size: how many numbers a URB has.
        """
        mine = [urb for urb in urbs
                if self.first <= urb.number < self.first + DEPTH]
        peer = numbers.each(answered)
        complaints = [*self._ends(mine, size),
                      in_complaint(mine, peer) if self.endpoint == IN else
                      out_complaint(mine, peer, self.first, DEPTH, size)]
        text = "; ".join(filter(None, complaints))
        if text:
            raise Failure(f"URB {self.victim} of {DEPTH} cancelled, "
                          f"{self.answered} answered: {text}")

    def _ends(self, urbs, size):
        """Complaints about how the URBs ended."""
        others = {urb.number - self.first: urb for urb in urbs}
        victim = others.pop(self.victim, None)
        if victim and victim.status != -errno.ENOENT:
            yield f"it ended all the same, with status {victim.status}"
        missing = set(range(DEPTH)) - {self.victim} - set(others)
        if missing:
            yield (f"{len(missing)} of the other {DEPTH - 1} never ended "
                   f"({', '.join(map(str, sorted(missing)))})")
        for place, urb in others.items():
            if (urb.status, urb.length) != (0, size * numbers.SIZE):
                yield (f"URB {place} ended with status {urb.status} and "
                       f"{urb.length} bytes")
        if list(others) != sorted(others):
            yield f"they ended in the order {list(others)}"


def in_complaint(urbs, peer):
    """The peer's numbers against those that the guest got, in its order."""
    got = [number for urb in sorted(urbs, key=lambda urb: urb.number)
           for number in numbers.each(urb.runs)]
    text = numbers.complaint(peer, got)
    return text and f"of the peer's numbers {text}"


def out_complaint(urbs, peer, first, count, size):
    """The numbers of the URBs from @first on against those the peer took."""
    ended = {urb.number: urb for urb in urbs}
    taken = set(peer)
    sent = []
    for number in range(first, first + count):
        block = range(number * size, (number + 1) * size)
        urb = ended.get(number)
        if urb and urb.status == -errno.ENOENT:
            block = block[:len(taken.intersection(block))]
            if urb.length > len(block) * numbers.SIZE:
                return (f"the guest was told of {urb.length} bytes of URB "
                        f"{number - first}, the peer took "
                        f"{len(block) * numbers.SIZE}")
        sent += block
    text = numbers.complaint(sent, peer)
    return text and f"of the guest's numbers {text}"


def every(endpoint, victims=range(DEPTH), answered=range(DEPTH), **options):
    """A round for each position and each count of answers."""
    pairs = [(victim, count) for victim in victims for count in answered]
    return [Round(index, endpoint, *pair, **options)
            for index, pair in enumerate(pairs)]


def judge(rounds, urbs, answered, size):
    """Judge each round, up to the first that is bad."""
    for one, runs in zip(rounds, answered):
        one.judge(urbs, runs, size)


def pattern(seed, count):
    """Steps that keep up to eight URBs queued and cancel some of the newest.

    At least @count are not cancelled.  After a cancellation the others have
    time to come back: QEMU waits 100 ms for them, then they are new ones.
    """
    random = Random(seed)
    steps = [f"c{PARK},0", f"c{LET_GO},{ALL}"]
    submitted = queued = kept = 0
    while kept < count:
        if queued < DEPTH and (queued < 2 or random.random() < 0.8):
            steps.append("s")
            submitted, queued, kept = submitted + 1, queued + 1, kept + 1
        elif random.random() < 0.3:
            newest = random.randrange(min(DEPTH, submitted))
            steps += [f"d{submitted - 1 - newest}", "r", "r"]
            queued, kept = queued - 2, kept - 1
        else:
            steps.append("r")
            queued -= 1
    return steps + ["r"] * queued


def judge_pattern(endpoint, urbs, answered, size):
    """The same of a pattern's URBs; returns how many were cancelled."""
    ends = Counter(urb.status for urb in urbs)
    if set(ends) != {0, -errno.ENOENT}:
        raise Failure(f"URBs ended so, by status: {dict(ends)}")
    peer = numbers.each(run for runs in answered for run in runs)
    text = (in_complaint(urbs, peer) if endpoint == IN else
            out_complaint(urbs, peer, 0, len(urbs), size))
    if text:
        raise Failure(text)
    return ends[-errno.ENOENT]
