# SPDX-License-Identifier: MIT
"""What may stand between the guest and a device: see Device.faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional, Protocol

from .session import Request
from .types import AddressPolicy, Status


@dataclass
class Reply:
    """An answer as PeerSession.complete() takes it."""

    status: Status = Status.OK
    data: bytes = b""
    length: Optional[int] = None


class Filter(Protocol):
    """
    It sees each request before the device does, and each answer before QEMU.

    socket: the port, whose answer() goes past the filter.  address_policy:
    in place of the device's; None to leave that alone.
    """

    @property
    def address_policy(self) -> Optional[AddressPolicy]: ...

    def submitted(self, socket: Any, request: Request) -> bool:
        """Whether it deals with the request itself; else the device gets it.
        """

    def answering(self, socket: Any, request: Request, reply: Reply
                  ) -> Optional[Reply]:
        """What to answer instead; None when it will be later, or never."""
