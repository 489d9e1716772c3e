# SPDX-License-Identifier: GPL-2.0-or-later
"""The values in a syzkaller program: numbers, bytes, pointers, groups."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Iterator, List, Optional, Union

from ..errors import Problem

TOKEN = re.compile(r"\s*(?:(?P<number>-?0x[0-9a-f]+|-?[1-9]\d*|0)|"
                   r"(?P<bytes>\"[^\"]*\")|(?P<text>'(?:[^'\\]|\\.)*')|"
                   r"(?P<pointer>&\(0x[0-9a-f]+[^)]*\)=?)|"
                   r"(?P<tag>@\w+=?|ANY=|AUTO\b|nil\b|r\d+\b)|"
                   r"(?P<mark>[{}\[\](),=]))", re.I)
ESCAPE = re.compile(r"\\(x[0-9a-f]{2}|.)", re.I | re.S)
NAMED = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a",
         "b": "\b"}
# in squashed bytes: a number, as such or in digits, and a pointer
RESULT = re.compile(r"ANYRES(8|16|32|64)")
WITHOUT_WIDTH = re.compile(r"ANY(RESDEC|RESHEX|RESOCT|PTR\d*)")
NO_WIDTH = -1
NOTHING = ("AUTO", "nil", "@void", "@ANYBLOB")
CALL = re.compile(r"^(?:r\d+ = )?(\w+)(?:\$(\w+))?\((.*)\)(?: \(.*\))?$")


@dataclass
class Group:
    """Values in braces or brackets; tags: of its members that have one."""
    items: "List[Value]" = field(default_factory=list)
    tags: "List[str]" = field(default_factory=list)


@dataclass
class Unknown:
    """
    A value that is not in the text; width: its bytes, 0 for one that is left
    out, NO_WIDTH where what follows it could be anywhere.
    """
    what: str
    width: int


# None: a null pointer or what syzkaller leaves to itself
Value = Union[int, bytes, Group, Unknown, None]


@dataclass
class Call:
    name: str
    variant: str
    arguments: List[Value]
    line: int


def parse_call(text: str, line: int) -> Optional[Call]:
    """A line of a program; None for a comment or nothing."""
    text = text.strip()
    if not text or text.startswith("#"):
        return None
    match = CALL.match(text)
    if not match:
        raise Problem("no call of a syzkaller program", line)
    parser = Parser(match[3], line)
    return Call(match[1], match[2] or "", parser.values(""), line)


class Parser:
    """Reads values one after the other."""

    def __init__(self, text: str, line: int) -> None:
        self.text = text
        self.line = line
        self.at = 0
        self.tags: List[str] = []

    def peek(self) -> "Optional[re.Match[str]]":
        match = TOKEN.match(self.text, self.at)
        if match is None and self.text[self.at:].strip():
            raise Problem(f'"{self.text[self.at:self.at + 20]}" is no value '
                          "of a syzkaller program", self.line)
        return match

    def take(self) -> "re.Match[str]":
        match = self.peek()
        if match is None:
            raise Problem("a value ends early", self.line)
        self.at = match.end()
        return match

    def values(self, end: str) -> List[Value]:
        """Values with commas, up to a mark or the end."""
        found: List[Value] = []
        while True:
            token = self.peek()
            if token is None or token["mark"] == end:
                if token is None and end:
                    raise Problem(f'a "{end}" is missing', self.line)
                if token is not None:
                    self.take()
                return found
            if token["mark"] == ",":
                self.take()
                continue
            found.append(self.value())

    def value(self) -> Value:
        token = self.take()
        if token["number"]:
            return int(token["number"], 0)
        if token["bytes"]:
            return hex_bytes(token["bytes"][1:-1], self.line)
        if token["text"]:
            return characters(token["text"][1:-1])
        if token["pointer"]:
            return self.value() if token["pointer"].endswith("=") else \
                Unknown(token["pointer"], 0)
        if token["tag"]:
            return self.tagged(token["tag"])
        if token["mark"] in ("{", "["):
            return self.group("}" if token["mark"] == "{" else "]")
        raise Problem(f'"{token[0].strip()}" is not expected', self.line)

    def tagged(self, tag: str) -> Value:
        name = tag.strip("@=")
        given = tag.endswith("=")
        if WITHOUT_WIDTH.fullmatch(name):
            if given:
                self.value()
            return Unknown(f"@{name}", NO_WIDTH)
        result = RESULT.fullmatch(name)
        if result:
            # without a value it is the default of the resource, -1
            return in_bytes(self.value() if given else -1,
                            int(result[1]) // 8)
        if given:
            self.tags.append(name)
            return self.value()
        if tag in NOTHING:
            return None
        return Unknown(tag, 0 if tag.startswith("@") else NO_WIDTH)

    def group(self, end: str) -> Group:
        before, self.tags = self.tags, []
        made = Group(self.values(end))
        made.tags, self.tags = before, []
        return made


def in_bytes(value: Value, width: int) -> Value:
    """A number of so many bytes; of a call's result the width alone."""
    if isinstance(value, int):
        return (value % (1 << 8 * width)).to_bytes(width, "little")
    if isinstance(value, Unknown):
        return Unknown(value.what, width)
    return value


def unknown(values: List[Value]) -> Iterator[Unknown]:
    """The values that are not in the text, also in groups within."""
    for value in values:
        if isinstance(value, Unknown):
            yield value
        elif isinstance(value, Group):
            yield from unknown(value.items)


def stand_in(value: Unknown, line: int) -> bytes:
    """Zeros; Problem where it is not known how many."""
    if value.width == NO_WIDTH:
        raise Problem(f"the bytes of {value.what} are not known: they are "
                      "made when the program runs", line)
    return bytes(value.width)


def hex_bytes(text: str, line: int) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Problem(f'"{text:.20}" has to be hexadecimal', line) from None


def characters(text: str) -> bytes:
    """A text in single quotes, with C's escapes."""
    return ESCAPE.sub(lambda match: chr(int(match[1][1:], 16))
                      if len(match[1]) == 3 else NAMED.get(match[1], match[1]),
                      text).encode("latin-1", "replace")
