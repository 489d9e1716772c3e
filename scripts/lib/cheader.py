# SPDX-License-Identifier: GPL-2.0-or-later
"""Read the public headers of libusbremote: what they declare and say of it.

Not a parser of C, but of these headers' style: a /** comment */ stands before
each declaration, or a /**< comment */ behind a member of a struct or an enum;
a plain comment at the margin is the title of a section.
"""

import re
from dataclasses import dataclass, field

TOKEN = re.compile(r'/\*.*?\*/|[^/;,{}()]+|.', re.S)
DEEPER = {'(': 1, '{': 1, ')': -1, '}': -1}


class Undocumented(Exception):
    """A declaration has no comment; the text says where and which."""


@dataclass
class Declaration:
    """A function, type, macro or member."""

    code: str                   # without comments
    comment: str                # '' when there is none
    line: int
    name: str = ''
    members: list = field(default_factory=list)


@dataclass
class Header:
    """A whole header: sections are (title, declarations), the first untitled.
    """

    comment: str
    sections: list


def words(comment):
    """The text of a comment without its stars; paragraphs stay apart."""
    inner = re.sub(r'^/\*+<?|\*/$', '', comment)
    return re.sub(r'^[ \t]*\* ?', '', inner, flags=re.M).strip()


def squeezed(code):
    """Code on one line, without comments."""
    code = re.sub(r'/\*.*?\*/', '', code, flags=re.S)
    return re.sub(r'\s+', ' ', code).strip()


def name_of(code):
    """What a declaration declares."""
    for pattern in (r'#define (\w+)', r'\(\*(\w+)\)', r'(\w+) ?\(',
                    r'(\w+)(?:\[\w+\])?$'):
        found = re.search(pattern, code)
        if found:
            return found.group(1)
    raise ValueError(f'not understood: {code}')


def blank(match):
    """Nothing, on as many lines."""
    return '\n' * match.group().count('\n')


def bare(text):
    """A header without what is for the preprocessor; macros get a ';'."""
    text = re.sub(r'^#ifdef __cplusplus.*?^#endif', blank, text,
                  flags=re.S | re.M)
    text = re.sub(r'^(#define \w+ .*)$', r'\1;', text, flags=re.M)
    return re.sub(r'^#(?!define \w+ ).*$', '', text, flags=re.M)


class Reader:
    """Cuts a text into declarations that end with @end, outside of braces."""

    def __init__(self, text, end, first_line):
        self.end, self.line = end, first_line
        self.code = self.comment = ''
        self.depth = 0
        self.begun = first_line
        self.sections = [('', [])]
        for match in TOKEN.finditer(text):
            self.take(match.group())
            self.line += match.group().count('\n')
        self.finish()

    def take(self, token):
        if token.startswith('/*') and self.depth == 0:
            self.take_comment(token)
        elif token == self.end and self.depth == 0:
            self.finish()
        else:
            self.depth += DEEPER.get(token, 0)
            if token.strip() and not self.code.strip():
                lead = token[:len(token) - len(token.lstrip())]
                self.begun = self.line + lead.count('\n')
            self.code += token

    def take_comment(self, token):
        if token.startswith('/**<'):
            self.finish()
            self.sections[-1][1][-1].comment = words(token)
        elif token.startswith('/**'):
            self.comment = words(token)
        else:
            self.sections.append((words(token), []))

    def finish(self):
        code, begun = self.code.strip(), self.begun
        if code:
            self.sections[-1][1].append(declaration(
                code, self.comment, begun))
            self.comment = ''
        self.code = ''


def declaration(code, comment, line):
    """A declaration; one with braces has members."""
    head, brace, body = code.partition('{')
    if not brace:
        return Declaration(squeezed(code), comment, line,
                           name_of(squeezed(code)))
    body, _, tail = body.rpartition('}')
    reader = Reader(body, ',' if ' enum ' in head else ';',
                    line + head.count('\n'))
    return Declaration(squeezed(head), comment, line, tail.strip(),
                       reader.sections[0][1])


def check(path, declarations):
    """Complain of the first that has no comment."""
    for thing in declarations:
        if not thing.comment:
            raise Undocumented(
                f'{path}:{thing.line}: {thing.name} has no comment')
        check(path, thing.members)


def read_header(path):
    """The Header in this file.  Raises Undocumented, and OSError."""
    text = path.read_text()
    first = re.match(r'/\*.*?\*/', text, re.S)
    if not first:
        raise Undocumented(f'{path}:1: the header has no comment')
    text = blank(first) + text[first.end():]
    sections = Reader(bare(text), ';', 1).sections
    for _, declarations in sections:
        check(path, declarations)
    comment = re.sub(r'^SPDX.*\n\n', '', words(first.group()), flags=re.M)
    return Header(comment, sections)
