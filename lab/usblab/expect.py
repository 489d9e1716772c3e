# SPDX-License-Identifier: GPL-2.0-or-later
"""What a kernel has to make of a device: the table [expect] of its file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping

from .errors import Problem

# key of the table: what its strings are
KEYS: Mapping[str, str] = {
    "driver": "the name of a driver that binds to one of its interfaces",
    "log": "a regular expression for a line of the kernel's log",
    "forbid": "one for lines that may not come",
    "file": "the path of a file in the guest, with * and ?",
    "command": "a command in the guest that ends with status 0",
}


@dataclass
class Expect:
    """See KEYS; each is a list of strings, of which all have to be so."""

    driver: List[str] = field(default_factory=list)
    log: List[str] = field(default_factory=list)
    forbid: List[str] = field(default_factory=list)
    file: List[str] = field(default_factory=list)
    command: List[str] = field(default_factory=list)

    def empty(self) -> bool:
        """Nothing is expected; what a sound device does is."""
        return not any(vars(self).values())

    def add(self, table: Mapping[str, Any]) -> Expect:
        """
        This and what a table says: key -> string or strings.

        Raises Problem for another key, or what is no regular expression.
        """
        made = Expect(**{key: [*value] for key, value in vars(self).items()})
        for key, value in table.items():
            getattr(made, _known(key)).extend(_strings(key, value))
        for text in made.log + made.forbid:
            _check(text)
        return made


def _known(key: str) -> str:
    if key not in KEYS:
        raise Problem(f'[expect] has no "{key}" (there are '
                      + ", ".join(KEYS) + ")")
    return key


def _strings(key: str, value: Any) -> List[str]:
    values = [value] if isinstance(value, str) else value
    if not (isinstance(values, list)
            and all(isinstance(one, str) for one in values)):
        raise Problem(f'"{key}" in [expect] is neither a string nor a list '
                      "of strings")
    return values


def _check(text: str) -> None:
    try:
        re.compile(text)
    except re.error as err:
        raise Problem(f'"{text}" is no regular expression: {err}') from None


@dataclass
class Seen:
    """
    What a guest made of a device.  names: those of its devices in
    /sys/bus/usb/devices; drivers: of each interface, "" for none; lines: the
    kernel's log since the plug; trouble: those of its lines that no sound
    kernel prints; errors: those that the kernel calls errors; files,
    commands: of those expected, which are as they should be.
    """

    names: List[str] = field(default_factory=list)
    drivers: Dict[str, str] = field(default_factory=dict)
    lines: List[str] = field(default_factory=list)
    trouble: List[str] = field(default_factory=list)
    errors: List[str] = field(default_factory=list)
    files: List[str] = field(default_factory=list)
    commands: List[str] = field(default_factory=list)

    def bound(self) -> List[str]:
        """The drivers that have bound, each once."""
        return sorted({word for name in self.drivers.values()
                       for word in name.split()})


def missing(expect: Expect, seen: Seen) -> List[str]:
    """What has not come, but still may."""
    found = [f"no driver {name}" for name in expect.driver
             if _plain(name) not in map(_plain, seen.bound())]
    found += [f'no line "{text}" in the log' for text in expect.log
              if not _lines(text, seen)]
    found += [f"no file {path}" for path in expect.file
              if path not in seen.files]
    found += [f"'{text}' fails" for text in expect.command
              if text not in seen.commands]
    if expect.empty() and not seen.bound():
        found.append("no driver" if seen.names else "not enumerated")
    return found


def faults(expect: Expect, seen: Seen) -> List[str]:
    """
    What is not as it should be, and the kernel's own first error with it:
    nothing for a good kernel.
    """
    found = [f'"{line}"' for text in expect.forbid
             for line in _lines(text, seen)[:1]]
    trouble = [line for line in seen.trouble if not any(
        re.search(text, line) for text in expect.log)]
    found += [f'"{line}"' for line in trouble[:1]] + missing(expect, seen)
    said = [f'the kernel says "{line}"' for line in seen.errors[:1]
            if not any(line in text for text in found)]
    return found + said if found else []


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _lines(text: str, seen: Seen) -> List[str]:
    return [line for line in seen.lines if re.search(text, line)]
