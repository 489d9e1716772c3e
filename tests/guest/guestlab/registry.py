# SPDX-License-Identifier: GPL-2.0-or-later
"""The list of cases: each is a function that takes a Lab."""

import importlib
from dataclasses import dataclass
from typing import Callable

from guestlab.places import GUEST


@dataclass(frozen=True)
class Case:
    """One behaviour, named by a sentence."""

    name: str
    function: Callable
    limit: int              # seconds, after which it has failed


cases = []


def case(name, limit=120):
    """Register the decorated function as the case @name."""
    def register(function):
        cases.append(Case(name, function, limit))
        return function
    return register


def load():
    """Import every file of cases and return the cases."""
    for path in sorted((GUEST / "cases").glob("[a-z]*.py")):
        importlib.import_module(f"cases.{path.stem}")
    return cases
