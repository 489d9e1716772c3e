# SPDX-License-Identifier: GPL-2.0-or-later
"""The device file: written and read, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usblab import describe, devicefile
from usblab.devicefile import DeviceFile, Part
from usblab.errors import Problem

# a wheel of filters whose HID descriptor counts two and has room for one
DEVICE = "12011001000000 10c3031f010000010200 01"
CONFIGURATION = ("09022900010100802009040000020300000009210101000222440007058"
                 "1031000 0a0705010310000a")
TEXT = f"""title = "a wheel"
link = "https://example.org/1"

--- descriptors
{DEVICE} {CONFIGURATION}

--- hid-report 0
06 00 ff 09 01 a1 01 c0
"""


def described(text):
    return describe.describe(devicefile.parse(text))


def test_a_file_gives_the_bytes_that_it_has():
    found = described(TEXT)
    assert found.ids == "03c3:011f"
    assert found.device == bytes.fromhex(DEVICE)
    assert found.configurations() == [bytes.fromhex(CONFIGURATION)]
    assert found.reports == {0: bytes.fromhex("0600ff0901a101c0")}


def test_an_override_changes_one_field():
    head = '[override]\n"configuration.0.interface.0.endpoint.0x81.' \
        'bInterval" = 3\n'
    before, after = described(TEXT), described(head + TEXT.partition("\n\n")[2])
    pairs = [(a, b) for a, b in zip(before.configurations()[0],
                                    after.configurations()[0]) if a != b]
    assert pairs == [(10, 3)]


@pytest.mark.parametrize("head, complaint", [
    ("speed = 3", "no str"),
    ('speed = "slow"', "none of low"),
    ('colour = "red"', 'no "colour"'),
    ("title = ", "not TOML"),
    ('other = "maybe"', "none of quiet"),
    ("faults = [1]", "no rule"),
    ('[override]\n"device.bLenght" = 1', "ends in none of"),
    ('[override]\n"device.bLength" = 256', "no number of 1 bytes"),
    ('[override]\n"configuration.1.bLength" = 2', "no configuration 1"),
    ('[override]\n"configuration.0.interface.7.bLength" = 2',
     "no such interface"),
    ('[override]\n"configuration.0.interface.0.endpoint.2.bLength" = 2',
     "no such endpoint"),
    ('[override]\n"nothing" = 2', "begins with none of"),
])
def test_what_is_wrong_in_the_head_is_said(head, complaint):
    with pytest.raises(Problem, match=complaint):
        described(f"{head}\n--- descriptors\n{DEVICE}\n{CONFIGURATION}\n")


def test_a_wrong_line_of_a_part_is_named_by_its_line_in_the_file():
    with pytest.raises(Problem, match="^line 5: .*no row of hexa"):
        described('title = "x"\n\n--- descriptors\n12 01\n12 0x zz\n')


def test_an_unknown_part_is_refused():
    with pytest.raises(Problem, match="line 1: unknown part"):
        described("--- poem\n")


EVIDENCE = st.text(st.characters(blacklist_categories=("Cs", "Cc")) |
                   st.sampled_from("\n-\\ "), max_size=200) | \
    st.sampled_from(["--- lsusb\n", "\\--- lsusb\n", "\\\\--- a b\nx\n",
                     "--- a/file.c\n", "-- \nsignature\n"])
TITLES = st.text(st.characters(blacklist_categories=("Cs",)), max_size=40)


@given(TITLES, st.lists(EVIDENCE, max_size=3),
       st.dictionaries(TITLES, st.integers() | TITLES | st.booleans()
                       | st.lists(TITLES)))
def test_what_is_written_is_read_back(title, texts, expect):
    parts = [Part("lsusb", "", text if text.endswith("\n") or not text
                  else text + "\n") for text in texts]
    file = DeviceFile(title=title, parts=parts, expect=expect)
    found = devicefile.parse(devicefile.write(file))
    assert (found.title, found.expect) == (title, expect)
    assert [part.text.rstrip("\n") for part in found.parts] == \
        [part.text.rstrip("\n") for part in parts]
