# SPDX-License-Identifier: MIT
"""The enums that device authors use."""

from __future__ import annotations

from enum import IntEnum

from ._proto import (AddressPolicy, AttachedResult, Speed, Status,
                     TransferType)


class Direction(IntEnum):
    """Bit 7 of bmRequestType and of bEndpointAddress."""

    OUT = 0x00                  # from the guest
    IN = 0x80                   # to the guest


class Kind(IntEnum):
    """Bits 5-6 of bmRequestType."""

    STANDARD = 0
    CLASS = 1
    VENDOR = 2
    RESERVED = 3


class Recipient(IntEnum):
    """Bits 0-4 of bmRequestType; others exist and are plain numbers."""

    DEVICE = 0
    INTERFACE = 1
    ENDPOINT = 2
    OTHER = 3


class Standard(IntEnum):
    """bRequest of standard requests (USB 2.0 table 9-4, USB 3.2 9-5)."""

    GET_STATUS = 0
    CLEAR_FEATURE = 1
    SET_FEATURE = 3
    SET_ADDRESS = 5
    GET_DESCRIPTOR = 6
    SET_DESCRIPTOR = 7
    GET_CONFIGURATION = 8
    SET_CONFIGURATION = 9
    GET_INTERFACE = 10
    SET_INTERFACE = 11
    SYNCH_FRAME = 12
    SET_SEL = 48
    SET_ISOCH_DELAY = 49


__all__ = ["AddressPolicy", "AttachedResult", "Direction", "Kind",
           "Recipient", "Speed", "Standard", "Status", "TransferType"]
