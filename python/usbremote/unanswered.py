# SPDX-License-Identifier: MIT
"""What the guest asked and nobody answered, and the code that would."""

from __future__ import annotations

from collections import Counter
from typing import Dict, Iterable, Iterator, List, Tuple

from .setup import Setup
from .types import Recipient

MOST = 1000                     # different requests that are told apart
MORE = "other requests"


class Unanswered:
    """Counts requests by their text; as many different ones as MOST."""

    def __init__(self) -> None:
        self.counts: "Counter[str]" = Counter()
        self.setups: Dict[str, Setup] = {}

    def add(self, setup: Setup) -> None:
        text = str(setup)
        if text not in self.setups:
            if len(self.setups) >= MOST:
                self.counts[MORE] += 1
                return
            self.setups[text] = setup
        self.counts[text] += 1


def suggestions(devices: Iterable[Unanswered]) -> Iterator[str]:
    """
    Lines of code, to be pasted into a device or function and filled in: a
    method for each request, which refuses it as now.
    """
    found: Dict[Tuple[int, int], List[str]] = {}
    first: Dict[Tuple[int, int], Setup] = {}
    for unanswered in devices:
        for text, setup in unanswered.setups.items():
            key = setup.request_type, setup.request
            first.setdefault(key, setup)
            found.setdefault(key, []).append(
                f"{unanswered.counts[text]} x wValue 0x{setup.value:04x}, "
                f"wIndex 0x{setup.index:04x}, wLength {setup.length}")
    if found:
        yield ("from usbremote import Direction, Kind, Recipient, Stall, "
               "control")
    for key, times in found.items():
        yield from _method(first[key], times)


def _method(setup: Setup, times: List[str]) -> Iterator[str]:
    to = (f"Recipient.{Recipient(setup.recipient).name}"
          if setup.recipient < len(Recipient) else str(setup.recipient))
    data = "" if setup.is_in else ", data: bytes"
    gives = "bytes" if setup.is_in else "None"
    yield ""
    yield (f"    @control(Kind.{setup.kind.name}, {to}, "
           f"0x{setup.request:02x}, Direction.{setup.direction.name})")
    yield (f"    def request_{setup.request_type:02x}_{setup.request:02x}("
           f"self, value: int, index: int{data}) -> {gives}:")
    for each in times:
        yield f"        # {each}"
    yield "        raise Stall()"
