# SPDX-License-Identifier: MIT
"""WHAT is done to a request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Dict, Optional, Tuple

from ..errors import LocalError
from ..types import Status
from . import names
from .names import number

MOST = 1 << 20          # bytes or times
SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}


@dataclass(frozen=True)
class What:
    """
    name: see ACTIONS.  count: bytes of short and long, times of nak.
    seconds: of delay, and of unplug until it is back (None: never).  data:
    of data.  offset, mask: of flip.  device: of replace-with.  then: of
    reset-then, None for nothing.
    """

    name: str
    count: int = 0
    seconds: Optional[float] = None
    data: bytes = b""
    offset: int = 0
    mask: int = 0
    device: str = ""
    then: "Optional[What]" = None


# status with which a request is answered at once, the device not asked
STATUS = {"stall": Status.STALL, "ioerror": Status.IOERROR,
          "babble": Status.BABBLE, "nak": Status.NAK}


def seconds(text: str) -> float:
    """2s, 50ms, 0.5s; raises LocalError."""
    found = re.fullmatch(r"([0-9.]+)(us|ms|s)", text)
    try:
        return float(found[1]) * SECONDS[found[2]] if found else -1.0
    except ValueError:
        return -1.0


def _duration(text: str) -> float:
    value = seconds(text)
    if not 0 <= value <= 3600:
        raise LocalError(f"'{text}' is no time from 0 to 3600s, as 50ms or "
                         "2s")
    return value


def _data(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise LocalError(f"'{text}' is no bytes in hex") from None


def _flip(text: str) -> What:
    offset, comma, mask = text.partition(",")
    if not comma:
        raise LocalError(f"'flip({text})' is not flip(OFFSET,MASK)")
    return What("flip", offset=number(offset.strip(), MOST),
                mask=number(mask.strip(), 0xff))


def _counted(name: str) -> Callable[[str], What]:
    return lambda text: What(name, count=number(text, MOST))


# name: what makes it of the text in brackets, and whether it needs one
ACTIONS: Dict[str, Tuple[Callable[[str], What], bool]] = {
    "ok": (lambda text: What("ok"), False),
    "stall": (lambda text: What("stall"), False),
    "ioerror": (lambda text: What("ioerror"), False),
    "babble": (lambda text: What("babble"), False),
    "nak": (lambda text: What("nak", count=number(text or "1", MOST)), False),
    "short": (_counted("short"), True),
    "long": (_counted("long"), True),
    "data": (lambda text: What("data", data=_data(text)), True),
    "flip": (_flip, True),
    "delay": (lambda text: What("delay", seconds=_duration(text)), True),
    "late": (lambda text: What("late"), False),
    "never": (lambda text: What("never"), False),
    "unplug": (lambda text: What("unplug", seconds=_duration(text)
                                 if text else None), False),
    "replace-with": (lambda text: What("replace-with", device=text), True),
}
BRACKETS = ("nak", "unplug")        # may have them, and need not
THEN = "reset-then"


def parse(text: str) -> What:
    """What a rule says behind its colon; raises LocalError."""
    word, _, rest = text.strip().partition(" ")
    if word == THEN:
        then = parse(rest) if rest.strip() else What("ok")
        if then.then is not None:
            raise LocalError("reset-then once is enough")
        return What(THEN, then=then)
    found = re.fullmatch(r"([a-z-]+)(?:\((.*)\))?", text.strip())
    name = found[1] if found else text.strip()
    if not found or name not in ACTIONS:
        raise LocalError(f"a fault can not be '{name}'" + names.suggestion(
            name, (*ACTIONS, THEN)))
    make, needs = ACTIONS[name]
    if needs and not found[2]:
        raise LocalError(f"'{name}' needs something in brackets")
    if found[2] and not needs and name not in BRACKETS:
        raise LocalError(f"'{name}' has nothing in brackets")
    return make(found[2] or "")
