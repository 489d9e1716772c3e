# SPDX-License-Identifier: MIT
"""
`--trace`: a line for each request of the guest, when it is answered.

    0.0312 ep0  IN  GET_DESCRIPTOR device: 18 of 64, OK, 0.2 ms  12 01 00 02 ...
    0.1044 0x01 OUT READ(10), tag 3: 31 of 31, OK, 0.1 ms  55 53 42 43 ...

Seconds since the start, endpoint and direction, what it is where that is
known, bytes moved of those asked for, status, how long the answer took, and
the first bytes.  `--trace=json` has the same as one object in each line.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from functools import partial
from typing import Callable, Dict, List, Optional, Sequence, TextIO

from ._proto import Status, TransferType
from .codec import Complete, Submit
from .errors import name_of
from .session import Tap
from .setup import Kind, Recipient, Setup, Standard

log = logging.getLogger(__name__)

SHOWN = 16                      # bytes of the data, in a line
KEPT = 512                      # of which it is made, and all in JSON
WAITING = 200                   # lines at most that are not written yet
RED, CYAN, PLAIN = "\x1b[31m", "\x1b[36m", "\x1b[0m"
DELAY = 0.1                     # seconds

# What an author's code knows of a request: its name, or None.
Line = Callable[[], str]
Explain = Callable[[Submit, bytes], Optional[str]]
DESCRIPTORS = {1: "device", 2: "configuration", 3: "string", 6: "qualifier",
               7: "other speed", 15: "BOS", 33: "HID", 34: "HID report"}


def request_name(setup: Setup) -> str:
    """A control request in few words, as the specification calls it."""
    to = (Recipient(setup.recipient).name.lower() if setup.recipient < 4
          else f"recipient {setup.recipient}")
    if setup.kind is not Kind.STANDARD or setup.request not in set(Standard):
        return (f"{setup.kind.name.lower()} 0x{setup.request:02x} to {to}, "
                f"wValue 0x{setup.value:04x}, wIndex 0x{setup.index:04x}")
    request = Standard(setup.request)
    if request in (Standard.GET_DESCRIPTOR, Standard.SET_DESCRIPTOR):
        kind, index = setup.value >> 8, setup.value & 0xff
        what = DESCRIPTORS.get(kind, f"0x{kind:02x}")
        return f"{request.name} {what}" + (f" {index}" if index else "")
    if request is Standard.SET_INTERFACE:
        return f"{request.name} {setup.index} to {setup.value}"
    if request in (Standard.CLEAR_FEATURE, Standard.SET_FEATURE):
        what = f"0x{setup.index:02x}" if setup.recipient else to
        return f"{request.name} {setup.value} of {what}"
    value = f" {setup.value}" if request is Standard.SET_CONFIGURATION else ""
    return f"{request.name}{value}"


class Tracer:
    """
    The Tap (see session.py) of one connection; write() takes what makes a
    line, which need not be done before the answer is on its way.

    explain gives names to the requests that it knows.
    """

    def __init__(self, write: Callable[[Line], object], explain: Explain,
                 as_json: bool = False, colours: bool = False,
                 now: Callable[[], float] = time.monotonic) -> None:
        self._write, self._explain, self._now = write, explain, now
        self._format = self._json if as_json else self._text
        self._colours = colours
        self._begun = now()
        self._came: Dict[int, float] = {}       # by id

    def addressed(self, address: int) -> None:
        """Of no interest here."""

    def submitted(self, submit: Submit) -> None:
        self._came[submit.id] = self._now()

    def completed(self, submit: Submit, answer: Optional[Complete]) -> None:
        now = self._now()
        came = self._came.pop(submit.id, now)
        data = answer.data if answer is not None else b""
        status, length = ((answer.status, answer.length)
                          if answer is not None else (None, 0))
        self._write(partial(
            self._format, submit, (data or submit.data)[:KEPT], status,
            length, came - self._begun, now - came))

    def _name(self, submit: Submit, data: bytes) -> str:
        known = self._explain(submit, data)
        if submit.type != TransferType.CONTROL:
            return known or name_of(TransferType, submit.type).lower()
        name = request_name(Setup.decode(submit.setup))
        return f"{known} ({name})" if known else name

    def _text(self, submit: Submit, data: bytes, answered: Optional[int],
              length: int, since: float, took: float) -> str:
        status = status_name(answered)
        address = submit.endpoint & 0x0f | (0x80 if submit.is_in() else 0)
        place = f"0x{address:02x}" if submit.endpoint & 0x0f else "ep0 "
        name = self._name(submit, data)
        if self._colours:
            name = f"{CYAN}{name}{PLAIN}"
            status = status if status == "OK" else f"{RED}{status}{PLAIN}"
        shown = data[:SHOWN].hex(" ") + (" ..." if len(data) > SHOWN else "")
        return (f"{since:9.4f} {place} {'IN ' if submit.is_in() else 'OUT'} "
                f"{name}: {length} of {submit.length}, {status}, "
                f"{took * 1000:.1f} ms  {shown}").rstrip() + "\n"

    def _json(self, submit: Submit, data: bytes, answered: Optional[int],
              length: int, since: float, took: float) -> str:
        setup = (submit.setup.hex() if submit.type == TransferType.CONTROL
                 else None)
        return json.dumps({
            "time": round(since, 6), "endpoint": submit.endpoint & 0x0f,
            "in": submit.is_in(),
            "type": name_of(TransferType, submit.type).lower(),
            "name": self._name(submit, data), "setup": setup,
            "asked": submit.length, "length": length,
            "status": status_name(answered), "seconds": round(took, 6),
            "data": data.hex()}) + "\n"


def status_name(status: Optional[int]) -> str:
    """None: nobody waits for the answer any more."""
    return "void" if status is None else name_of(Status, status)


class Lines:
    """
    Lines for a terminal, which has them at once, or for a file or pipe, which
    has them together after a while; nothing more when its reader has gone.
    """

    def __init__(self, out: TextIO) -> None:
        self._out: Optional[TextIO] = out
        self._delay = 0.0 if out.isatty() else DELAY
        self._lines: List[Line] = []

    def write(self, line: Line) -> None:
        if len(self._lines) >= WAITING:
            self.flush()
        if not self._lines:
            asyncio.get_running_loop().call_later(self._delay, self.flush)
        self._lines.append(line)

    def flush(self) -> None:
        """Also at the end of the program."""
        lines, self._lines = self._lines, []
        if self._out is None or not lines:
            return
        try:
            self._out.write("".join(line() for line in lines))
            self._out.flush()
        except OSError as err:
            log.error("no trace any more: %s", err.strerror)
            self._out = None


class Taps:
    """Several taps of one connection."""

    def __init__(self, taps: Sequence[Tap]) -> None:
        self._taps: List[Tap] = list(taps)

    def addressed(self, address: int) -> None:
        for tap in self._taps:
            tap.addressed(address)

    def submitted(self, submit: Submit) -> None:
        for tap in self._taps:
            tap.submitted(submit)

    def completed(self, submit: Submit, answer: Optional[Complete]) -> None:
        for tap in self._taps:
            tap.completed(submit, answer)
