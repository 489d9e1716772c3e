# SPDX-License-Identifier: MIT
"""String descriptors by index, in one or several languages."""

from __future__ import annotations

import struct
from typing import List, Mapping, Optional, Union

from .descriptors import STRING, descriptor, string_descriptor

ENGLISH = 0x0409                # (United States), of USB's LANGID table
LONGEST = 126                   # UTF-16 code units, USB 2.0 section 9.6.7

# A text, or one for each LANGID; the first is for those not listed.
Text = Union[str, Mapping[int, str]]


class Strings:
    """Texts by the index of their descriptor; 0 is the language table."""

    def __init__(self) -> None:
        self._texts: List[Text] = []

    def index(self, text: Optional[Text]) -> int:
        """The index of a text, the same each time; 0 for None."""
        if text is None:
            return 0
        if not isinstance(text, (str, Mapping)):
            raise TypeError("a string is a text, or texts by their LANGIDs, "
                            f"not {text!r}")
        if text not in self._texts:
            self._texts.append(text)
        return self._texts.index(text) + 1

    def languages(self) -> List[int]:
        """The LANGIDs of all texts; English where none names one."""
        found = {language: None for text in self._texts
                 if not isinstance(text, str) for language in text}
        return list(found) or [ENGLISH]

    def encode(self, index: int, language: int = 0) -> Optional[bytes]:
        """The descriptor of this index (in this language), or None."""
        if index == 0:
            known = self.languages()
            return descriptor(STRING, struct.pack(f"<{len(known)}H", *known))
        if index > len(self._texts):
            return None
        return string_descriptor(in_language(self._texts[index - 1],
                                             language))

    def too_long(self) -> List[str]:
        """The texts that a descriptor has no room for."""
        shown = [in_language(text, language) for text in self._texts
                 for language in self.languages()]
        return [text for text in dict.fromkeys(shown)
                if len(text.encode("utf-16-le")) > 2 * LONGEST]


def in_language(text: Text, language: int) -> str:
    """The text in this language, else in its first one."""
    if isinstance(text, str):
        return text
    return text[language] if language in text else next(
        iter(text.values()), "")
