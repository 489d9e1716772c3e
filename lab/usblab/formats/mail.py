# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole mails, saved pages and plain files, to the texts that are in them."""

from __future__ import annotations

import email.parser
import email.policy
import html.parser
import quopri
import re
import zlib
from email.message import EmailMessage, Message
from typing import Iterator, List, Optional

from .found import Source

HEADER = re.compile(rb"\A(?:From \S+.*\n)?(?:[!-9;-~]+:[ \t].*\n"
                    rb"(?:[ \t]+.*\n)*){3}")
MAIL_ONLY = re.compile(rb"^(?:Message-I[dD]|MIME-Version|Subject|"
                       rb"Return-Path):", re.M)
MOST = 64 << 20             # bytes of one unpacked attachment
PLAIN_ENCODINGS = ("7bit", "8bit", "binary", "")
# in quoted-printable, every = is one of these (RFC 2045 section 6.7)
QUOTED_PRINTABLE = re.compile(rb"=(?:[0-9A-F]{2}|[ \t]*\r?\n)")


def sources(data: bytes, name: str) -> List[Source]:
    """The texts and binaries in a file or mail, in their order."""
    data = unpacked(data)
    if HEADER.match(data) and MAIL_ONLY.search(data[:8192]):
        return list(of_mail(data, name))
    return [of_bytes(data, name)]


def of_mail(data: bytes, name: str) -> Iterator[Source]:
    message = email.parser.BytesParser(
        EmailMessage, policy=email.policy.default).parsebytes(data)
    parts = [part for part in message.walk() if not part.is_multipart()]
    has_plain = any(part.get_content_type() == "text/plain"
                    for part in parts)
    for part in parts:
        if part.get_content_type() == "text/html" and has_plain and \
                not part.get_filename():
            continue            # the same once more
        body = part.get_payload(decode=True)
        if not isinstance(body, bytes):
            continue
        source = of_bytes(unpacked(body), part.get_filename() or name,
                          charset_of(part))
        source.line = line_of(part, body, data)
        yield source


def charset_of(part: Message) -> Optional[str]:
    try:
        return part.get_content_charset()
    except (LookupError, ValueError):
        return None


def line_of(part: Message, body: bytes, data: bytes) -> int:
    """Where a body that is not encoded begins in the mail."""
    encoding = str(part.get("Content-Transfer-Encoding", "")).lower().strip()
    if encoding in PLAIN_ENCODINGS and body.strip():
        at = data.find(body)
        if at >= 0:
            return data.count(b"\n", 0, at) + 1
    return 1


def of_bytes(data: bytes, name: str, charset: Optional[str] = None) -> Source:
    """Text where it is one, else the bytes."""
    if b"\0" in data[:4096] and not data.startswith((b"\xff\xfe",
                                                     b"\xfe\xff")):
        return Source(name, data=data)
    text = decoded(undone(data), charset)
    if re.search(r"<(?:html|pre|body)\b", text[:4096], re.I):
        text = of_page(text)
    return Source(name, text, data)


def undone(data: bytes) -> bytes:
    """A body in quoted-printable that has lost its header."""
    if 3 < len(QUOTED_PRINTABLE.findall(data)) == data.count(b"="):
        return quopri.decodestring(data)
    return data


def decoded(data: bytes, charset: Optional[str]) -> str:
    guesses = ["utf-16"] if data[:2] in (b"\xff\xfe", b"\xfe\xff") else []
    for name in (*guesses, charset, "utf-8", "cp1252"):
        try:
            if name:
                return data.decode(name)
        except (LookupError, UnicodeDecodeError):
            pass
    return data.decode("latin-1")


def unpacked(data: bytes) -> bytes:
    """Without gzip, if it is that and not too much."""
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        return unpacker.decompress(data, MOST)
    except zlib.error:
        return data


class Page(html.parser.HTMLParser):
    """The text of a page, line for line."""

    BREAKS = ("br", "p", "div", "tr", "li", "pre")

    def __init__(self) -> None:
        super().__init__()
        self.parts: List[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.hidden += tag in ("script", "style")
        if tag in self.BREAKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style") and self.hidden > 0

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.parts.append(data)


def of_page(text: str) -> str:
    page = Page()
    page.feed(text)
    return "".join(page.parts)
