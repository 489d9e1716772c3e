# SPDX-License-Identifier: MIT
"""A keyboard with the keys of a US one, HID 1.11 section B.1."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional, Tuple

from . import hid, report
from .report import field

# Eight modifiers, an empty byte, six keys that are down; back come five LEDs.
KEYS = report.collection(
    report.DESKTOP, report.KEYBOARD,
    field(report.INPUT, report.KEYS, range(0xe0, 0xe8), 1, 0, 1),
    report.padding(report.INPUT, 8),
    field(report.INPUT, report.KEYS, range(0x66), 8, 0, 0x65, flags=0,
          count=6),
    field(report.OUTPUT, report.LEDS, range(1, 6), 1, 0, 1),
    report.padding(report.OUTPUT, 3))
SIZE = 8
LED_NAMES = ("Num Lock", "Caps Lock", "Scroll Lock", "Compose", "Kana")
LEFT_SHIFT = 0x02               # a bit of the modifiers

# What the keys from usage 4 on type, without and with Shift; NUL: nothing.
PLAIN = "abcdefghijklmnopqrstuvwxyz1234567890\n\x1b\b\t -=[]\\\0;'`,./"
SHIFTED = "ABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*()\0\0\0\0\0_+{}|\0:\"~<>?"
# character: modifiers, and the usage of its key on page Keyboard/Keypad
STROKES: Dict[str, Tuple[int, int]] = {
    character: (modifiers, usage)
    for modifiers, row in ((0, PLAIN), (LEFT_SHIFT, SHIFTED))
    for usage, character in enumerate(row, 4) if character != "\0"}


class Keyboard(hid.Hid):
    """
    A boot keyboard.

    on_leds is called with the names of those that the guest has lit.
    period_ms: see Hid.
    """

    def __init__(self, period_ms: float = 4, name: Optional[str] = None,
                 on_leds: Optional[Callable[[List[str]], object]] = None
                 ) -> None:
        self.on_leds = on_leds
        super().__init__(KEYS, SIZE, subclass=hid.BOOT,
                         protocol=hid.KEYBOARD, period_ms=period_ms,
                         name=name, on_output=self._show_leds)

    def reset(self) -> None:
        super().reset()
        self.leds: List[str] = []

    def _show_leds(self, data: bytes) -> None:
        bits = data[0] if data else 0
        self.leds = [name for bit, name in enumerate(LED_NAMES)
                     if bits >> bit & 1]
        if self.on_leds is not None:
            self.on_leds(self.leds)

    async def press(self, *usages: int, modifiers: int = 0) -> None:
        """Have up to six keys down, and no others; none for all up."""
        await self.send(bytes((modifiers, 0, *usages)).ljust(SIZE, b"\0"))

    async def stroke(self, character: str) -> None:
        """
        A key down and up that types this character on a US keyboard; raises
        KeyError when none does.
        """
        modifiers, usage = STROKES[character]
        await self.press(usage, modifiers=modifiers)
        await self.press()
