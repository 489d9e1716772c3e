# SPDX-License-Identifier: MIT
"""Descriptors from their fields; what does not fit is named."""

from __future__ import annotations

import struct
from typing import Sequence, Tuple

# A field's name, its size in bytes, its value.
Field = Tuple[str, int, int]
SIZES = {1: "B", 2: "H"}


def descriptor(kind: int, body: bytes) -> bytes:
    """bLength and bDescriptorType before a body of at most 253 bytes."""
    return bytes((len(body) + 2, kind)) + body


def of_fields(kind: int, name: str, made_at: str, *fields: Field) -> bytes:
    """
    A descriptor of this name, declared at this place (see made_at()).

    Raises ValueError for a value that is no number or does not fit.
    """
    form = "<" + "".join(SIZES[size] for _, size, _ in fields)
    try:
        return descriptor(kind, struct.pack(form, *[value for _, _, value
                                                    in fields]))
    except struct.error:
        raise ValueError(f"{made_at}{name}: {_wrong(fields)}") from None


def _wrong(fields: Sequence[Field]) -> str:
    """What does not fit."""
    for field, size, value in fields:
        if not isinstance(value, int):
            return f"{field} is {value!r}, and has to be a number"
        if not 0 <= value < 1 << 8 * size:
            return (f"{field} is {value}, and has to be from 0 to "
                    f"{(1 << 8 * size) - 1}")
    return "it cannot be encoded"
