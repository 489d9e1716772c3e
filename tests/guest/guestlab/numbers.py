# SPDX-License-Identifier: GPL-2.0-or-later
"""Streams of 32-bit numbers that go up by one: what is lost is missing.

A run (first, count) stands for `count` numbers from `first` on; agent/urbs.c
writes the same streams and prints the same runs.
"""

import struct
from itertools import chain

SIZE = 4                # bytes of a number


def block(first, count):
    """The bytes of a run."""
    return struct.pack(f"<{count}I", *range(first, first + count))


def runs(data):
    """The runs in some bytes."""
    return joined((number, 1) for number, in struct.iter_unpack("<I", data))


def joined(some):
    """The same numbers in as few runs as can be."""
    result = []
    for first, count in some:
        if result and sum(result[-1]) == first:
            result[-1] = (result[-1][0], result[-1][1] + count)
        else:
            result.append((first, count))
    return result


def each(some):
    """The numbers of some runs, one by one."""
    return list(chain.from_iterable(range(first, first + count)
                                    for first, count in some))


def parse(text):
    """Runs as they are printed: '7+3,20+1'."""
    return [tuple(map(int, part.split("+")))
            for part in text.split(",") if part]


def shown(some):
    """What parse() reads."""
    return ",".join(f"{first}+{count}" for first, count in some)


def complaint(wanted, got):
    """How the numbers @got differ from those @wanted, or '' ."""
    seen, twice = set(), set()
    for number in got:
        (twice if number in seen else seen).add(number)
    parts = [
        ("lost", sorted(set(wanted) - seen)),
        ("repeated", sorted(twice)),
        ("never sent", sorted(seen - set(wanted))),
    ]
    words = [f"{shown(joined((one, 1) for one in some))} {what}"
             for what, some in parts if some]
    if not words and list(got) != list(wanted):
        words = ["out of order: " + shown(joined((one, 1) for one in got))]
    return ", ".join(words)
