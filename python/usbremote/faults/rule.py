# SPDX-License-Identifier: MIT
"""A rule: one line of text, understood."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import List, Optional, Sequence, Tuple

from ..errors import LocalError
from ..types import AddressPolicy
from . import names, what
from .names import number
from .what import What
from .which import WORDS, Which

LARGEST = 1 << 31
# what can become of SET_ADDRESS
POLICIES = {"stall": AddressPolicy.STALL, "ioerror": AddressPolicy.IOERROR,
            "never": AddressPolicy.SILENCE}


@dataclass
class When:
    """
    nth: these of the requests that fit, from 1, empty for all.  every: each
    so many.  after: seconds since it was plugged in.  times: at most so
    often.  since: only when the rule of this number was applied, and until
    the bus reset after that.  p: with this probability, by the random numbers
    of seed.
    """

    nth: Tuple[int, ...] = ()
    every: int = 1
    after: float = 0.0
    times: Optional[int] = None
    since: Optional[int] = None
    p: float = 1.0
    seed: Optional[int] = None

    def take(self, word: str) -> bool:
        """Understand a word of a rule; False when it is none of these."""
        name, sign, value = word.partition("=")
        if not sign or name not in vars(self):
            return False
        if name == "nth":
            self.nth = tuple(_positive(one) for one in value.split(","))
        elif name == "after":
            self.after = what._duration(value)
        elif name == "p":
            self.p = _probability(value)
        elif name == "seed":
            self.seed = number(value, LARGEST)
        else:
            setattr(self, name, _positive(value))
        return True


@dataclass
class Rule:
    """
    text: as it was written.  address_policy: what becomes of SET_ADDRESS,
    which no device is asked; None for a rule about requests.
    """

    text: str
    which: Which = field(default_factory=Which)
    when: When = field(default_factory=When)
    what: What = What("ok")
    address_policy: Optional[AddressPolicy] = None


def parse(text: str) -> Rule:
    """
    A rule from its line.  Raises LocalError, with what is wrong and the
    rule, for one that is none.
    """
    try:
        return _parse(text)
    except LocalError as err:
        raise LocalError(f"fault '{text.strip()}': {err}") from None


def _parse(text: str) -> Rule:
    head, colon, tail = text.partition(":")
    if not colon:
        raise LocalError("a rule is WHICH [WHEN]: WHAT, and has a colon")
    rule = Rule(" ".join(text.split()), what=what.parse(tail))
    words: List[str] = re.sub(r"\s*([<>!]?=)\s*", r"\1", head).split()
    rule.address_policy = _address(head, rule.what)
    if rule.address_policy is not None:
        return rule
    if not words:
        raise LocalError("nothing before the colon says which requests")
    while words:
        word = words.pop(0)
        if not rule.when.take(word) and not rule.which.take(word, words):
            raise LocalError(f"'{word}' is not understood"
                             + names.suggestion(word, _known()))
    return rule


def _address(head: str, action: What) -> Optional[AddressPolicy]:
    """How SET_ADDRESS ends, for a rule that is about it."""
    words = [word.upper() for word in head.split()]
    if "SET_ADDRESS" not in words:
        return None
    if words != ["SET_ADDRESS"] or action.name not in POLICIES:
        raise LocalError("SET_ADDRESS is answered by QEMU, each time in the "
                         "same way: 'SET_ADDRESS: ' and one of "
                         + ", ".join(POLICIES))
    return POLICIES[action.name]


def _known() -> Sequence[str]:
    return (*WORDS, *(f"{name}=" for name in vars(When())))


def _positive(text: str) -> int:
    value = number(text, LARGEST)
    if not value:
        raise LocalError("counting begins with 1")
    return value


def _probability(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise LocalError(f"'{text}' is no probability from 0 to 1")
    return value
