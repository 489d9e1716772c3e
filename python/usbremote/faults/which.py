# SPDX-License-Identifier: MIT
"""WHICH requests a rule is for."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Callable, Dict, List, Optional

from ..errors import LocalError
from ..session import Request
from ..setup import Setup
from ..types import Direction, Kind, TransferType
from . import names
from .names import DESCRIPTORS, REQUESTS, SCSI, number
from .scsi import Phase

TYPES = {"control": TransferType.CONTROL, "bulk": TransferType.BULK,
         "interrupt": TransferType.INTERRUPT}
KINDS = {"standard": Kind.STANDARD, "class": Kind.CLASS,
         "vendor": Kind.VENDOR}
DIRECTIONS = {"in": Direction.IN, "out": Direction.OUT}
PHASES = {phase.name.lower(): phase for phase in Phase}
COMPARE: Dict[str, Callable[[int, int], bool]] = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne,
    "<": operator.lt, ">": operator.gt, "=": operator.eq}
# field of a rule: that of Setup
FIELDS = {"value": "value", "wvalue": "value", "index": "index",
          "windex": "index", "wlength": "length", "request": "request",
          "brequest": "request", "type": "request_type",
          "bmrequesttype": "request_type"}
LENGTH = "length"               # of any request: the bytes asked or sent


@dataclass(frozen=True)
class Compared:
    """A field, compared with a number."""

    field: str
    sign: str
    number: int

    def fits(self, value: int) -> bool:
        return COMPARE[self.sign](value, self.number)


@dataclass
class Which:
    """What all has to fit; None fits everything."""

    type: Optional[TransferType] = None
    direction: Optional[Direction] = None
    endpoint: Optional[int] = None
    kind: Optional[Kind] = None
    request: Optional[int] = None
    descriptor: Optional[int] = None
    scsi: Optional[int] = None
    phase: Optional[Phase] = None
    compared: List[Compared] = field(default_factory=list)

    def take(self, word: str, following: List[str]) -> bool:
        """
        Understand a word of a rule, and perhaps one after it, which it takes
        away; False when it is none of these.
        """
        low = word.lower()
        if low in TYPES:
            self.type = TYPES[low]
        elif low in DIRECTIONS:
            self.direction = DIRECTIONS[low]
        elif low in KINDS:
            self.kind = KINDS[low]
        elif low in DESCRIPTORS:
            self._get_descriptor(low)
        elif word.upper() in REQUESTS:
            self.kind, self.request = REQUESTS[word.upper()]
        elif low == "iso":
            raise LocalError("isochronous transfers are not among the "
                             "requests that a rule can be for")
        elif low == "ep":
            self.endpoint = number(_next(word, following), 0x8f)
        elif low == "scsi":
            self._scsi(_next(word, following), following)
        else:
            return self._compare(word)
        return True

    def _get_descriptor(self, name: str) -> None:
        self.kind, self.request = REQUESTS["GET_DESCRIPTOR"]
        self.descriptor = DESCRIPTORS[name]

    def _scsi(self, name: str, following: List[str]) -> None:
        known = SCSI.get(name.upper())
        if known is None and not name[:1].isdigit():
            raise LocalError(f"no SCSI command is called '{name}'"
                             + names.suggestion(name, SCSI))
        self.scsi = number(name, 0xff) if known is None else known
        if following and following[0].lower() in PHASES:
            self.phase = PHASES[following.pop(0).lower()]

    def _compare(self, word: str) -> bool:
        for sign in COMPARE:
            name, found, value = word.partition(sign)
            if found and name.lower() in (*FIELDS, LENGTH):
                self.compared.append(Compared(
                    FIELDS.get(name.lower(), LENGTH) if name.lower() != LENGTH
                    else "bytes", sign, number(value)))
                return True
        return False

    @property
    def wants_setup(self) -> bool:
        """It is for control requests only."""
        return (self.kind, self.request, self.descriptor) != (
            None, None, None) or any(one.field != "bytes"
                                     for one in self.compared)

    def fits(self, request: Request, phase: Optional[Phase],
             command: Optional[int]) -> bool:
        """
        phase, command: what the request is of a SCSI command, if of any.
        """
        submit = request.submit
        direction = Direction.IN if submit.is_in() else Direction.OUT
        if self.type not in (None, submit.type) or \
                self.direction not in (None, direction):
            return False
        if self.endpoint is not None and \
                self.endpoint != submit.endpoint and not (
                    self.endpoint < 0x80
                    and self.endpoint == submit.endpoint & 0x0f
                    and self.direction is not None):
            return False
        if self.scsi is not None and not self._fits_scsi(phase, command):
            return False
        return self._fits_setup(request)

    def _fits_scsi(self, phase: Optional[Phase], command: Optional[int]
                   ) -> bool:
        if command != self.scsi:
            return False
        return phase is (self.phase or Phase.DATA)

    def _fits_setup(self, request: Request) -> bool:
        submit = request.submit
        control = submit.type == TransferType.CONTROL
        if self.wants_setup and not control:
            return False
        setup = Setup.decode(submit.setup) if control else None
        if setup is not None and not self._fits_request(setup):
            return False
        return all(one.fits(submit.length if one.field == "bytes"
                            else getattr(setup, one.field))
                   for one in self.compared)

    def _fits_request(self, setup: Setup) -> bool:
        if self.kind not in (None, setup.kind) or \
                self.request not in (None, setup.request):
            return False
        return self.descriptor in (None, setup.value >> 8)


def _next(word: str, following: List[str]) -> str:
    if not following:
        raise LocalError(f"nothing comes after '{word}'")
    return following.pop(0)


WORDS = (*TYPES, *DIRECTIONS, *KINDS, *DESCRIPTORS, *REQUESTS, "ep", "scsi",
         *(f"{name}=" for name in FIELDS), "length=")
