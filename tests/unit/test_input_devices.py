# SPDX-License-Identifier: GPL-2.0-or-later
"""The keyboard, the tablet and the gamepad without a guest."""

import contextlib
import io
import struct
import unittest

from support import load_example, options_of

from usbremote._proto import TransferType
from usbremote.setup import Setup
from usbremote.testing import Bench

INTERRUPT = TransferType.INTERRUPT
SET_REPORT, OUTPUT = 9, 2
keyboard = load_example("keyboard")
tablet = load_example("tablet")
gamepad = load_example("gamepad")


def bench(kind, *arguments):
    made = Bench(lambda: kind(options_of(kind, *arguments)))
    made.plug_in()
    made.configure()
    return made


def reports(bench, seconds):
    """What it sends to a guest that asks whenever it can, and for how long."""
    sent, end = [], bench.now() + seconds
    while bench.now() < end:
        id = bench.read(0x81, 8, INTERRUPT)
        while not bench.answer_to(id) and bench.now() < end:
            bench.exchange(0.05)
        if bench.answer_to(id):
            sent.append(bench.answer_to(id).data)
    return sent


class Printed(unittest.TestCase):
    def printed(self, function, *arguments):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            function(*arguments)
        return out.getvalue()


class Keyboard(Printed):
    def test_shift_is_down_with_the_keys_that_need_it(self):
        sent = reports(bench(keyboard.Keyboard, "--text", "aA1!"), 5)
        self.assertEqual([report.hex(" ") for report in sent[::2]], [
            "00 00 04 00 00 00 00 00", "02 00 04 00 00 00 00 00",
            "00 00 1e 00 00 00 00 00", "02 00 1e 00 00 00 00 00"])

    def test_each_key_goes_up_before_the_next(self):
        sent = reports(bench(keyboard.Keyboard, "--text", "aa"), 5)
        self.assertEqual(sent[1::2], [bytes(8), bytes(8)])

    def test_enter_is_the_last_key(self):
        sent = reports(bench(keyboard.Keyboard, "--text", "a", "--enter"), 5)
        self.assertEqual([report[2] for report in sent], [4, 0, 0x28, 0])

    def test_it_types_after_the_delay(self):
        typing = bench(keyboard.Keyboard, "--delay", "3")
        self.assertEqual(reports(typing, 2.9), [])
        self.assertNotEqual(reports(typing, 1), [])

    def test_idle_is_silent_until_the_signal(self):
        idle = bench(keyboard.Keyboard, "--idle", "--text", "a")
        self.assertEqual(reports(idle, 60), [])
        idle.device.on_user_signal()
        idle.exchange()
        self.assertEqual([report[2] for report in reports(idle, 1)], [0])

    def test_every_printable_character_has_a_key(self):
        self.assertLessEqual(set(map(chr, range(0x20, 0x7f))) | set("\t\n"),
                             set(keyboard.keyboard.STROKES))

    def test_the_leds_are_printed(self):
        shown = bench(keyboard.Keyboard, "--idle")
        for mask, text in ((b"\x03", "Num Lock, Caps Lock"), (b"\0", "none"),
                           (b"\x1c", "Scroll Lock, Compose, Kana")):
            self.assertEqual(
                self.printed(shown.control, Setup(
                    0x21, SET_REPORT, OUTPUT << 8, 0, 1, mask)),
                f"LEDs: {text}\n")


class Tablet(unittest.TestCase):
    def test_without_a_file_it_goes_along_a_circle_once(self):
        sent = reports(bench(tablet.Tablet, "--turns", "1"), 30)
        places = [struct.unpack("<BHH", report) for report in sent]
        self.assertEqual(len(places), 360)
        far = [((x - 16383.5) ** 2 + (y - 16383.5) ** 2) ** 0.5
               for _, x, y in places]
        self.assertLess(max(far) - min(far), 2)


class Gamepad(Printed):
    def test_each_button_is_down_for_a_tenth_of_the_turn(self):
        sent = reports(bench(gamepad.Gamepad, "--turns", "1"), 30)
        masks = [struct.unpack("<BBBBH", report)[4] for report in sent]
        self.assertEqual(masks, [1 << n // 36 for n in range(360)])

    def test_the_sticks_go_opposite_ways_to_their_ends(self):
        sent = reports(bench(gamepad.Gamepad, "--turns", "1"), 30)
        left = [tuple(report[:2]) for report in sent]
        right = [(z, 255 - rz) for _, _, z, rz, _, _ in sent]
        self.assertEqual(left, right)
        for axis in zip(*left):
            self.assertEqual((min(axis), max(axis)), (0, 255))

    def test_output_reports_come_both_ways(self):
        felt = bench(gamepad.Gamepad, "--idle")
        report = bytes((0, 2, 127, 5))
        text = "rumble: strong 127, weak 5\n"
        self.assertEqual(self.printed(felt.write, 0x01, report, INTERRUPT),
                         text)
        self.assertEqual(self.printed(felt.control, Setup(
            0x21, SET_REPORT, OUTPUT << 8, 0, 4, report)), text)

    def test_another_output_report_is_shown_as_bytes(self):
        felt = bench(gamepad.Gamepad, "--idle")
        for report in (b"\1\2\3\4", b"\0\2\3"):
            self.assertEqual(
                self.printed(felt.write, 0x01, report, INTERRUPT),
                f"unknown output report: {report.hex(' ')}\n")


if __name__ == "__main__":
    unittest.main()
