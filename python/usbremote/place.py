# SPDX-License-Identifier: MIT
"""
The interface and endpoint numbers of a configuration, and those that each
function in it has got.

A function is written as if it were alone, with numbers of its own.  Its
interfaces follow those before it in the order of their own numbers.  An
endpoint keeps its own number where that is free in the configuration, and
gets the next free one of its direction otherwise.
"""

from __future__ import annotations

from itertools import count
from typing import Callable, Dict, Iterable, Optional, Set

from .errors import LocalError
from .types import Direction, Speed

ENDPOINTS = range(1, 16)        # numbers, in each direction
INTERFACES = 256


class Numbers:
    """Which numbers of one configuration are taken."""

    def __init__(self, interfaces: Iterable[int] = (),
                 endpoints: Iterable[int] = ()) -> None:
        self._interfaces: Set[int] = set(interfaces)
        self._endpoints: Set[int] = set(endpoints)

    def next_interface(self) -> int:
        """The first number after all that are taken."""
        return max(self._interfaces, default=-1) + 1

    def free_interface(self) -> int:
        """The lowest number that is not taken."""
        return next(number for number in count()
                    if number not in self._interfaces)

    def take_interface(self, number: int) -> int:
        if number >= INTERFACES:
            raise LocalError("a configuration has more than 256 interfaces")
        self._interfaces.add(number)
        return number

    def take_endpoint(self, address: int) -> int:
        """This address, or one with the next number that is free."""
        direction = Direction(address & Direction.IN)
        first = address & 0x0f
        for number in (first, *range(first + 1, 16), *ENDPOINTS):
            found: int = direction | number
            if number in ENDPOINTS and found not in self._endpoints:
                self._endpoints.add(found)
                return found
        raise LocalError("a configuration needs more than 15 "
                         f"{direction.name} endpoints")


class Place:
    """
    What a function has got in one configuration at one speed.

    speed: that of the configuration.  string(text): the index of a string
    descriptor, for class-specific descriptors; 0 for None.
    """

    def __init__(self, speed: Speed, numbers: Numbers,
                 string: Callable[[Optional[str]], int]) -> None:
        self.speed = speed
        self.string = string
        self._numbers = numbers
        self._first = numbers.next_interface()
        self._interfaces: Set[int] = set()
        self._endpoints: Dict[int, int] = {}

    def interface(self, own: int = 0) -> int:
        """bInterfaceNumber of the function's own interface 0, 1, ..."""
        number = self._numbers.take_interface(self._first + own)
        self._interfaces.add(number)
        return number

    def endpoint(self, own: int) -> int:
        """bEndpointAddress of the function's own 0x81, 0x01, ..."""
        if own not in self._endpoints:
            self._endpoints[own] = self._numbers.take_endpoint(own)
        return self._endpoints[own]

    def has_interface(self, number: int) -> bool:
        """Whether this bInterfaceNumber is the function's."""
        return number in self._interfaces

    def own_interface(self, number: int) -> int:
        """The function's own number of one of its interfaces."""
        return number - self._first

    def own_endpoint(self, address: int) -> Optional[int]:
        """The function's own address, None when it is another's."""
        for own, found in self._endpoints.items():
            if found == address:
                return own
        return None

    def has_endpoint(self, own: int) -> bool:
        return own in self._endpoints

    def addresses(self) -> Iterable[int]:
        """Those of all its endpoints."""
        return self._endpoints.values()
