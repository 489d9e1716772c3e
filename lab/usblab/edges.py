# SPDX-License-Identifier: GPL-2.0-or-later
"""Bisection of a row of things, some of which tell nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Optional

# Of the thing at an index: whether it is good, None where nothing is learnt.
Judge = Callable[[int], Optional[bool]]


@dataclass(frozen=True)
class Edge:
    """
    Where the verdict changes: before, after are indices of two that differ;
    what is between them tells nothing.
    """

    before: int
    after: int
    good_before: bool

    def between(self) -> List[int]:
        """The indices that tell nothing."""
        return list(range(self.before + 1, self.after))


def find(count: int, judge: Judge) -> Optional[Edge]:
    """
    An edge among @count things in a row, None when the first and the last
    that tell something say the same.  judge() is called once for each.
    """
    known: Dict[int, Optional[bool]] = {}

    def verdict(index: int) -> Optional[bool]:
        if index not in known:
            known[index] = judge(index)
        return known[index]

    first = _telling(verdict, list(range(count)))
    last = _telling(verdict, list(range(count))[::-1])
    if first is None or last is None or verdict(first) == verdict(last):
        return None
    good = bool(verdict(first))
    while True:
        middle = _telling(verdict, _from_middle(first, last))
        if middle is None:
            return Edge(first, last, good)
        if verdict(middle) == good:
            first = middle
        else:
            last = middle


def _telling(verdict: Judge, order: List[int]) -> Optional[int]:
    """The first in an order that tells something."""
    return next((index for index in order if verdict(index) is not None),
                None)


def _from_middle(first: int, last: int) -> List[int]:
    """What is between two, the middle first."""
    middle = (first + last) // 2
    return sorted(range(first + 1, last), key=lambda i: abs(i - middle))
