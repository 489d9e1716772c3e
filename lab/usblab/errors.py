# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lab refuses: one clear line, exit status 2."""

from __future__ import annotations

from typing import Optional


class Problem(Exception):
    """
    Bad input.  line: where, in the lines of what was read, from 1; hints:
    lines that say what to do, shown below.
    """

    def __init__(self, text: str, line: Optional[int] = None,
                 hints: "tuple[str, ...]" = ()) -> None:
        super().__init__(text)
        self.line = line
        self.hints = hints

    def __str__(self) -> str:
        text = " ".join(super().__str__().split())
        return text if self.line is None else f"line {self.line}: {text}"
