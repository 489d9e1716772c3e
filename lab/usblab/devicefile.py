# SPDX-License-Identifier: GPL-2.0-or-later
"""
The file in which a device is kept: a TOML head, then the evidence as it came.

The head ends at the first line "--- KIND [ARGUMENT]", which begins a part;
the next one ends it.  A line of the evidence that would be taken for one is
written with a backslash before it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

from .errors import Problem
from .model import SPEEDS

SUFFIX = ".usbdev"
HEADING = re.compile(r"^--- ([a-z][a-z0-9-]*)(?: (\S.*))?$")
ESCAPED = re.compile(r"^\\+--- ")
PYTHON = "python"           # the part with a class of one's own

# what a request gets that nothing in the file answers
POLICIES = ("quiet", "stall", "nak", "zero")
# key of the head: the types that its value may have
KEYS: Mapping[str, Tuple[type, ...]] = {
    "title": (str,), "link": (str,), "speed": (str,), "other": (str,),
    "as-printed": (bool,), "device": (str,), "capture": (str,),
    "override": (dict,), "faults": (list,), "expect": (dict,),
}
TITLES = ("title", "link", "device", "capture")


@dataclass
class Part:
    """Evidence of one kind; line: that of its first line in the file."""
    kind: str
    argument: str = ""
    text: str = ""
    line: int = 0


@dataclass
class DeviceFile:
    """
    title, link: for people.  speed: low, full, high or super, None to have
    it follow from the evidence.  other: what a request gets that nothing in
    the file answers: quiet (control requests stall, endpoints have nothing
    to say), stall, nak or zero.  device: which one, if the evidence has several.
    as_printed: take the text at its word, whatever does not fit together.
    capture: a file beside this one to be replayed.  override: field by
    lsusb's name -> value.  faults: rules.  expect: what a kernel has to make
    of the device.
    """
    title: str = ""
    link: str = ""
    speed: Optional[str] = None
    other: str = POLICIES[0]
    device: str = ""
    as_printed: bool = False
    capture: str = ""
    override: Dict[str, Any] = field(default_factory=dict)
    faults: List[str] = field(default_factory=list)
    expect: Dict[str, Any] = field(default_factory=dict)
    parts: List[Part] = field(default_factory=list)
    path: Optional[Path] = None

    def part(self, kind: str) -> Optional[Part]:
        """The first part of this kind."""
        for part in self.parts:
            if part.kind == kind:
                return part
        return None


def read(path: "str | Path") -> DeviceFile:
    """Read a device file; raises Problem, with the line, if it is none."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as err:
        raise Problem(f"{path}: {err.strerror}") from None
    except UnicodeDecodeError:
        raise Problem(f"{path}: not a text in UTF-8") from None
    try:
        found = parse(text)
    except Problem as problem:
        raise Problem(f"{path}: {problem}", hints=problem.hints) from None
    found.path = Path(path)
    return found


def parse(text: str) -> DeviceFile:
    """The device file in a text."""
    head, parts = split_parts(text)
    found = parse_head(head)
    found.parts = parts
    return found


def split_parts(text: str) -> "Tuple[str, List[Part]]":
    """The head, and the parts without their escapes."""
    head: List[str] = []
    parts: List[Part] = []
    lines: List[str] = head
    bodies: List[List[str]] = []
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        heading = HEADING.match(line.rstrip("\r\n"))
        if heading:
            parts.append(Part(heading[1], (heading[2] or "").strip(), "",
                              number + 1))
            bodies.append([])
            lines = bodies[-1]
        else:
            lines.append(line[1:] if ESCAPED.match(line) else line)
    for part, body in zip(parts, bodies):
        part.text = "".join(body)
    return "".join(head), parts


def parse_head(text: str) -> DeviceFile:
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        raise Problem(f"the head is not TOML: {err}") from None
    for key, value in values.items():
        check_key(key, value)
    found = DeviceFile(**{key.replace("-", "_"): value
                          for key, value in values.items()})
    if found.speed is not None and found.speed not in SPEEDS:
        raise Problem(f'speed = "{found.speed}" is none of '
                      + ", ".join(SPEEDS))
    if found.other not in POLICIES:
        raise Problem(f'other = "{found.other}" is none of '
                      + ", ".join(POLICIES))
    return found


def check_key(key: str, value: Any) -> None:
    if key not in KEYS:
        raise Problem(f'the head has no "{key}" (there are '
                      + ", ".join(KEYS) + ")")
    if not isinstance(value, KEYS[key]):
        raise Problem(f'"{key}" in the head is no {KEYS[key][0].__name__}')
    if key == "faults":
        check_rules(value)


def check_rules(value: Any) -> None:
    if not all(isinstance(rule, str) for rule in value):
        raise Problem('"faults" in the head has something that is no rule')


def write(file: DeviceFile) -> str:
    """The text of a device file; parse() gives the same one back."""
    lines = [f"{key} = {toml(getattr(file, key))}"
             for key in TITLES if getattr(file, key)]
    if file.speed:
        lines.append(f"speed = {toml(file.speed)}")
    if file.other != DeviceFile.other:
        lines.append(f"other = {toml(file.other)}")
    if file.as_printed:
        lines.append("as-printed = true")
    if file.faults:
        lines += ["faults = [", *(f"    {toml(rule)}," for rule in file.faults),
                  "]"]
    for name in ("override", "expect"):
        table = getattr(file, name)
        if table:
            lines += ["", f"[{name}]", *(f"{toml_key(key)} = {toml(value)}"
                                         for key, value in table.items())]
    text = "".join(f"{line}\n" for line in lines)
    for part in file.parts:
        if text and not text.endswith("\n\n"):
            text += "\n"
        text += write_part(part)
    return text


def write_part(part: Part) -> str:
    heading = f"--- {part.kind} {part.argument}".rstrip()
    text = "".join(f"\\{line}" if HEADING.match(line.rstrip("\r\n"))
                   or ESCAPED.match(line) else line
                   for line in part.text.splitlines(keepends=True))
    if text and not text.endswith("\n"):
        text += "\n"
    return f"{heading}\n{text}"


def toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml(key)


def toml(value: Any) -> str:
    """A TOML value: string, boolean, number, list or table."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return '"' + "".join(map(toml_character, value)) + '"'
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_key(key)} = {toml(item)}"
                                for key, item in value.items()) + " }"
    raise Problem(f"{value!r} cannot be written into a device file")


def toml_character(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if ord(char) < 0x20 or ord(char) == 0x7f:
        return f"\\u{ord(char):04x}"
    return char
