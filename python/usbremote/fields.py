# SPDX-License-Identifier: MIT
"""Descriptors from their fields; what does not fit is named."""

from __future__ import annotations

from typing import Tuple

# A field's name, its size in bytes, its value.
Field = Tuple[str, int, int]


def descriptor(kind: int, body: bytes) -> bytes:
    """bLength and bDescriptorType before a body of at most 253 bytes."""
    return bytes((len(body) + 2, kind)) + body


def of_fields(kind: int, name: str, made_at: str, *fields: Field) -> bytes:
    """
    A descriptor of this name, declared at this place (see made_at()).

    Raises ValueError for a value that is no number or does not fit.
    """
    body = bytearray()
    for field, size, value in fields:
        try:
            body += int(value).to_bytes(size, "little")
        except OverflowError:
            raise ValueError(
                f"{made_at}{name}: {field} is {value}, and has to be from 0 "
                f"to {(1 << 8 * size) - 1}") from None
        except (TypeError, ValueError):
            raise ValueError(f"{made_at}{name}: {field} is {value!r}, and "
                             "has to be a number") from None
    return descriptor(kind, bytes(body))
