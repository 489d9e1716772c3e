# SPDX-License-Identifier: GPL-2.0-or-later
"""One line of a text as it was before mail programs and logs had it."""

from __future__ import annotations

import re

BLANKS = re.compile("[\t\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
INVISIBLE = re.compile("[\u200b-\u200d\u2060\ufeff\r]")
QUOTES = re.compile(r"^\s{0,3}(?:[>|]\s?)+")
LOG = re.compile(r"^\s*(?:\w{3} +\d+ [\d:]{8} \S+ \S+:\s)?\[ *\d+\.\d+\] ?")


def tidy(row: str) -> str:
    """One line without what mail and logs put before it."""
    row = INVISIBLE.sub("", BLANKS.sub(" ", row))
    return LOG.sub("", QUOTES.sub("", row))
