# SPDX-License-Identifier: MIT
"""The endpoints of a device other than 0, by their addresses."""

from __future__ import annotations

from typing import Callable, Dict, Iterable, Optional

from .device import Device
from .endpoint import InEndpoint, Line, OutEndpoint, Pipe
from .errors import LocalError, Stall
from .parsed import Parsed

ADDRESS = 0x8f                  # the bits of an endpoint's address


class Pipes:
    """Each is made when it is first named; it is the same from then on."""

    def __init__(self, device: Device, line: Callable[[], Line]) -> None:
        self._device, self._line = device, line
        self._pipes: Dict[int, Pipe] = {}
        self.parsed = Parsed()          # the configuration in force

    def get(self, address: int) -> Optional[Pipe]:
        return self._pipes.get(address)

    def pipe(self, address: int) -> Pipe:
        """Raises LocalError for what is no endpoint's address."""
        if not address & 0x0f or address & ~ADDRESS:
            raise LocalError(f"no endpoint has the address 0x{address:02x}")
        if address not in self._pipes:
            make = InEndpoint if address & 0x80 else OutEndpoint
            self._pipes[address] = make(self._line(), address,
                                        self._is_usable)
        return self._pipes[address]

    def of_request(self, index: int) -> Optional[Pipe]:
        """
        The endpoint of a request's wIndex, None for endpoint 0; raises
        Stall when there is none.
        """
        address = index & ADDRESS
        if not address & 0x0f:
            return None
        if address not in self._pipes:
            raise Stall()
        return self._pipes[address]

    def choose(self, number: int, alternate: int) -> None:
        """A setting of an interface is in force."""
        for address, size in self.parsed.settings.get(
                (number, alternate), {}).items():
            if address & 0x0f:
                self.pipe(address & ADDRESS).max_packet = size

    def abort_setting(self, number: int, alternate: int, why: str) -> None:
        for address in self.parsed.settings.get((number, alternate), {}):
            if address in self._pipes:
                self._pipes[address].abort(why)

    def abort(self, why: str) -> None:
        for pipe in self._pipes.values():
            pipe.abort(why)

    def halt(self, addresses: Optional[Iterable[int]] = None) -> None:
        """Nobody serves them: an error, so that no driver waits."""
        for address in list(self._pipes if addresses is None else addresses):
            self.pipe(address).halt()

    def _is_usable(self, address: int) -> bool:
        """
        False when the guest knows no such endpoint, in any setting; without
        a configuration that makes sense nobody can tell.
        """
        tables = list(self.parsed.settings.values())
        known = {a & ADDRESS for table in tables for a in table}
        known |= {entry.address
                  for entry in self._device.endpoint_table or ()}
        return not tables or address in known
