# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs of syzkaller as devices."""

import pytest
from usbremote import testing
from usbremote.setup import Setup

import examples
from usblab import describe, sdk
from usblab.commands.show import sysfs_bytes
from usblab.devicefile import parse
from usblab.errors import Problem
from usblab.model import Grade

BLOB = examples.KEYBOARD.hex()
PROGRAM = f"""# a keyboard
r0 = syz_usb_connect$hid(0x1, 0x34, &(0x7f0000000040)=ANY=[@ANYBLOB="{BLOB}"], 0x0)
syz_usb_control_io$hid(r0, 0x0, 0x0)
syz_usb_control_io$hid(r0, &(0x7f00000001c0)={{0x24, 0x0, 0x0, &(0x7f0000000000)={{0x0, 0x22, 0x8, {{[@global=@item_012={{0x1, 0x1, 0x0, "01"}}, @local=@item_012={{0x1, 0x2, 0x0, '\\x06'}}, @main=@item_012={{0x0, 0x0, 0xc, ""}}, @global=@item_012={{0x2, 0x1, 0x1, "10"}}]}}}}, 0x0}}, 0x0)
syz_usb_control_io$hid(r0, 0x0, &(0x7f0000000300)={{0x2c, 0x0, 0x0, 0x0, &(0x7f0000000340)={{0x20, 0x1, 0x4, "aabb"}}}})
syz_usb_ep_write(r0, 0x81, 0x8, &(0x7f0000000000)='AB\\x00')
openat$hidraw(0x0, &(0x7f0000000000)='/dev/hidraw0\\x00', 0x0)
"""


def described(text):
    return describe.describe(parse(f"--- syzkaller\n{text}"))


def test_a_device_given_as_bytes():
    found = described(PROGRAM)
    assert sysfs_bytes(found) == examples.KEYBOARD
    assert found.speed == "low"
    assert found.string(1) == "syz"
    assert found.reports[0].hex() == "05010906c0161000"
    assert found.streams == {0x81: [b"AB\0\0\0\0\0\0"]}


def test_what_it_does_in_the_guest_is_named():
    texts = [str(note) for note in described(PROGRAM).notes]
    assert any("line 8" in text and "openat" in text for text in texts)


def test_an_answer_is_given_whatever_the_value_and_index():
    file = parse(f"--- syzkaller\n{PROGRAM}")
    bench = testing.Bench(lambda: sdk.device_class(file)())
    bench.plug_in()
    for value, index in ((0, 0), (0x100, 3)):
        found = bench.control(Setup(0xa1, 1, value, index, 64))
        assert found.data == b"\xaa\xbb\0\0"


def test_memory_beyond_the_literal_is_zero():
    found = described('syz_usb_connect(0x3, 0x40, &(0x7f0000000000)=ANY=['
                      f'@ANYBLOB="{BLOB}"], 0x0)\n')
    assert sysfs_bytes(found) == examples.KEYBOARD.ljust(64, b"\0")


# the same modem twice: as bytes, and as syzkaller writes structures
MODEM = """r0 = syz_usb_connect$cdc(0x2, 0x52, &(0x7f0000000000)={{0x12, 0x1, \
0x200, 0x2, 0x0, 0x0, 0x40, 0x1209, 0x2001, 0x201, 0x0, 0x0, 0x0, 0x1, \
[{{0x9, 0x2, 0x40, 0x1, 0x1, 0x0, 0xc0, 0x32, "", [{{0x9, 0x4, 0x0, 0x0, \
0x2, 0x2, 0x6, 0x0, 0x0, {{0x5, 0x24, 0x6, 0x0, 0x1, ""}, {0x5, 0x24, 0x0, \
0x110}, {0xd, 0x24, 0xf, 0x3, 0x4, 0x5ea, 0x0, 0x0}, [@obex={0x5, 0x24, \
0x15, 0x100}]}, {[], {{0x9, 0x5, 0x82, 0x2, 0x200, 0x0, 0x0, 0x0, ""}}, \
[{{0x9, 0x5, 0x3, 0x2, 0x40, 0x0, 0x0, 0x0, ""}}]}}}]}}]}}, 0x0)
"""
MODEM_BYTES = bytes.fromhex(
    "120100020200004009120120010200000001 09024000010100c032 "
    "090400000202060000 0524060001 0524001001 0d240f0304000000ea05000000 "
    "0524150001 090582020002000000 090503024000000000")


def test_a_device_given_as_structures():
    assert sysfs_bytes(described(MODEM)).hex() == MODEM_BYTES.hex()


def test_widths_that_do_not_add_up_are_marked():
    found = described(MODEM.replace("{0xd, 0x24, 0xf", "{0xe, 0x24, 0xf"))
    assert any("do not add up" in note.text for note in found.notes)
    assert found.grade() > 1


@pytest.mark.parametrize("text, complaint", [
    ("syz_usb_connect(0x0)", "no call of syz_usb_connect"),
    ("syz_usb_connect(0x3, 0x2, &(0x7f0000000000)=ANY=[@ANYBLOB=\"1201\"], "
     "0x0)", "a device of 2 bytes"),
    ("syz_usb_connect(0x3, 0x12, &(0x7f0000000000)={0x12}, 0x0)",
     "width of 0x12 .* is not known"),
    ("syz_usb_connect(0x3, 0x12, &(0x7f0000000000)={{0x12, 0x1, 0x0)",
     "is missing"),
    ("r0 = nothing", "no call of a syzkaller program"),
])
def test_what_cannot_be_read_is_one_line(text, complaint):
    with pytest.raises(Problem, match=f"line 2: .*{complaint}"):
        described(text + "\n")


def test_a_program_in_a_mail_is_imported(usb_lab):
    quoted = "".join(f"> {row}\n" for row in PROGRAM.splitlines())
    run = usb_lab("import", "-", text=f"Hi,\n\nthis one:\n\n{quoted}\nBye.\n")
    assert run.returncode == 0, run.stderr
    assert usb_lab("show", "--hex", "1209-0930.usbdev").stdout.strip() == BLOB


HALVES = BLOB[:-16], BLOB[-16:]


def squashed(*between):
    """The keyboard, with something between two of its parts."""
    parts = ", ".join((f'@ANYBLOB="{HALVES[0]}"', *between,
                       f'@ANYBLOB="{HALVES[1]}"'))
    return (f"syz_usb_connect(0x1, 0x80, &(0x7f0000000000)=ANY=[{parts}], "
            "0x0)\n")


@pytest.mark.parametrize("value, digits", [
    ("@ANYRES8", "ff"), ("@ANYRES16", "ffff"), ("@ANYRES32", "ff" * 4),
    ("@ANYRES64", "ff" * 8), ("@ANYRES16=0x5", "0500"),
    ("@ANYRES32=0xffffffffffffffff", "ff" * 4), ("@ANYRES64=r0", "00" * 8)])
def test_a_number_among_squashed_bytes_takes_its_room(value, digits):
    found = described(squashed(value))
    assert sysfs_bytes(found).hex().startswith(
        HALVES[0] + digits + HALVES[1])
    assert found.grade() == (Grade.GUESSED if "r0" in value else Grade.WHOLE)


@pytest.mark.parametrize("value", [
    "@ANYPTR64=&(0x7f0000000000)=ANY=[]", "@ANYPTR", "@ANYRESDEC",
    "@ANYRESHEX=r0", "@ANYRESOCT=0x0"])
def test_what_could_be_of_any_size_is_refused_with_its_line(value):
    with pytest.raises(Problem, match=f"line 2: .*{value[:7]}.* not known"):
        described(squashed(value))


def test_what_could_be_of_any_size_may_be_in_other_calls():
    text = "write(r1, &(0x7f0000000000)=ANY=[@ANYPTR64, @ANYRESDEC], 0x9)\n"
    assert described(squashed() + text).grade() == Grade.WHOLE


def test_a_value_that_the_program_leaves_out_is_named():
    text = ("syz_usb_control_io(0xffffffffffffffff, 0x0, &(0x7f0000000300)="
            "{0x2c, &(0x7f0000000340)={0x20, 0x1, 0x4, @item}})\n")
    found = described(squashed() + text)
    assert any("@item" in note.text and note.grade == Grade.MISSING
               for note in found.notes)


def control_io(answer):
    """A call that answers for descriptors with one structure."""
    return ("syz_usb_control_io$hid(0xffffffffffffffff, &(0x7f0000000100)="
            "{0x24, 0x0, 0x0, &(0x7f0000000200)=" + answer
            + ", 0x0}, 0x0)\n")


@pytest.mark.parametrize("parts, report", [
    ('@ANYBLOB="00220500000005010906c0"', "05010906c0"),
    ('@ANYBLOB="00220500000005010906c0ffff"', "05010906c0"),
    ('@ANYBLOB="0022", @ANYRES32=0x3, @ANYBLOB="0501"', "050100")])
def test_an_answer_squashed_to_bytes_is_read(parts, report):
    found = described(squashed() + control_io(f"ANY=[{parts}]"))
    assert found.reports[0].hex() == report


@pytest.mark.parametrize("answer", [
    'ANY=[@ANYBLOB="002205"]', '"0022050000000501"', "{0x0, 0x22}",
    '{0x0, 0x22, "05"}'])
def test_an_answer_that_cannot_be_read_is_named(answer):
    found = described(squashed() + control_io(answer))
    notes = [note for note in found.notes if "an answer of" in note.text]
    assert [(note.grade, note.line) for note in notes] == [
        (Grade.MISSING, 3)]


def test_answers_squashed_as_a_whole_are_named():
    found = described(squashed() + "syz_usb_control_io(r0, &(0x7f0000000100)"
                      '="24000000", 0x0)\n')
    assert any("an answer of" in note.text for note in found.notes)


@pytest.mark.parametrize("call", [
    "syz_usb_ep_write(r0, 0x81)", "syz_usb_ep_write(r0, 0x81, r1, 0x0)",
    "syz_usb_ep_write(r0, 0x5, 0x1, &(0x7f0000000000)='A')"])
def test_data_of_an_endpoint_that_is_not_known_are_named(call):
    found = described(f"{squashed()}{call}\n")
    assert not found.streams
    assert any("syz_usb_ep_write" in note.text and note.line == 3
               and note.grade == Grade.MISSING for note in found.notes)
