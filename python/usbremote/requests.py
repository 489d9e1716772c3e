# SPDX-License-Identifier: MIT
"""
Control requests by declaration: which method answers which request.

    class Sampler(Device):
        @control(Kind.VENDOR, Recipient.DEVICE, 0x01, Direction.OUT)
        def set_rate(self, value: int) -> None: ...

        @control(Kind.VENDOR, Recipient.DEVICE, 0x02, Direction.IN)
        def status(self, length: int) -> bytes: ...

A method takes what it needs of a request, by the names of ARGUMENTS, and
gives what Device.control() gives: bytes to be read (cut to wLength), None, or
a coroutine that will; it raises Stall or Fail to refuse.  An override in a
subclass needs no mark of its own.
"""

from __future__ import annotations

import inspect
from typing import (Any, Callable, Dict, List, Mapping, Optional, Tuple, Type,
                    TypeVar)
from weakref import WeakKeyDictionary

from .context import Answer
from .errors import LocalError
from .setup import Setup
from .types import Direction, Kind

# a parameter of a method: what it is given of the request
ARGUMENTS: Mapping[str, Callable[[Setup], Any]] = {
    "setup": lambda setup: setup,
    "request": lambda setup: setup.request,     # bRequest
    "value": lambda setup: setup.value,         # wValue
    "index": lambda setup: setup.index,         # wIndex
    "length": lambda setup: setup.length,       # wLength
    "data": lambda setup: setup.data,           # the data stage, if OUT
}
MARK = "_usb_requests"

Key = Tuple[int, int]           # bmRequestType, bRequest
Handlers = Dict[Key, Tuple[str, Tuple[str, ...]]]       # name, parameters
F = TypeVar("F", bound=Callable[..., Answer])


def control(kind: Kind, recipient: int, request: int,
            direction: Direction) -> Callable[[F], F]:
    """
    The method answers the request with this bmRequestType and bRequest; see
    above.  It may be marked several times.

    Raises LocalError for a parameter that is none of ARGUMENTS.
    """
    def mark(method: F) -> F:
        _parameters(method)
        keys: List[Key] = getattr(method, MARK, [])
        setattr(method, MARK, [*keys, (direction | kind << 5 | recipient,
                                       request)])
        return method
    return mark


def _parameters(method: Callable[..., Any]) -> Tuple[str, ...]:
    names = tuple(inspect.signature(method).parameters)[1:]
    for name in names:
        if name not in ARGUMENTS:
            raise LocalError(
                f"{method.__qualname__}(): a request has no '{name}'; a "
                f"handler takes any of {', '.join(ARGUMENTS)}")
    return names


_known: "WeakKeyDictionary[Type[Any], Handlers]" = WeakKeyDictionary()


def handlers_of(kind: Type[Any]) -> Handlers:
    """What the methods of a class are declared to answer."""
    handlers = _known.get(kind)
    if handlers is None:
        handlers = _known[kind] = _handlers_of(kind)
    return handlers


def _handlers_of(kind: Type[Any]) -> Handlers:
    found: Handlers = {}
    for base in reversed(kind.__mro__):
        for name, method in vars(base).items():
            for key in getattr(method, MARK, ()):
                found[key] = name, ()
    return {key: (name, _parameters(getattr(kind, name)))
            for key, (name, _) in found.items()}


def name_of_handler(part: object, setup: Setup) -> Optional[str]:
    """The name of the method that is declared to answer it."""
    kind: Type[Any] = type(part)
    found = handlers_of(kind).get((setup.request_type, setup.request))
    return found[0] if found is not None else None


def declared(part: object, setup: Setup) -> Optional[Callable[[], Answer]]:
    """The declared answer of a device or function, to be called."""
    kind: Type[Any] = type(part)
    found = handlers_of(kind).get((setup.request_type, setup.request))
    if found is None:
        return None
    name, parameters = found
    arguments = [ARGUMENTS[each](setup) for each in parameters]
    method: Callable[..., Answer] = getattr(part, name)
    return lambda: method(*arguments)
