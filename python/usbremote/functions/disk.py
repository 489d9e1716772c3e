# SPDX-License-Identifier: MIT
"""A disk: SCSI commands over USB's Bulk-Only Transport."""

from __future__ import annotations

from typing import Optional, Type

from .blocks import Blocks
from .bulk_only import BulkOnly
from .scsi import Target


class Disk(BulkOnly):
    """
    A disk with one logical unit, see Target.

    medium: what has its blocks, see blocks.py.  serial: of the unit; the
    device needs one, too (Bulk-Only Transport 1.0 section 4.1.1).  removable:
    whether the guest may eject it.  kind: a subclass of Target.
    """

    def __init__(self, medium: Blocks, serial: str = "000000000001",
                 removable: bool = False, kind: Optional[Type[Target]] = None
                 ) -> None:
        self.target = (kind or Target)(medium, serial, removable)
        super().__init__(self.target.execute)
