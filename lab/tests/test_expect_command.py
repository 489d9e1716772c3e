# SPDX-License-Identifier: GPL-2.0-or-later
"""usb-lab expect: what it writes, and what it leaves alone."""

import pytest

from usblab import cli, devicefile

HEAD = '''# a comment that stays
title = "a wheel"
'''
PARTS = """
--- descriptors
12 01 00 02 00 00 00 40 09 12 0a 00 00 01 00 00 00 01

--- notes [expect]
[expect]
"""
WRITTEN = '''
[expect]
driver = "usbhid"
forbid = "can't add"

'''


@pytest.fixture(name="path")
def device(tmp_path):
    path = tmp_path / "wheel.usbdev"
    path.write_text(HEAD + PARTS)
    return path


def expect(path, *arguments):
    return cli.main(["expect", str(path), *arguments])


def test_it_is_written_behind_the_head_and_the_rest_stays(path):
    assert expect(path, "--driver", "usbhid", "--forbid", "can't add") == 0
    assert path.read_text() == HEAD + WRITTEN + PARTS.lstrip("\n")


def test_twice_is_no_more_than_once(path):
    for _ in range(2):
        expect(path, "--driver", "usbhid", "--forbid", "can't add")
    assert path.read_text() == HEAD + WRITTEN + PARTS.lstrip("\n")


def test_what_was_expected_stays_unless_it_is_replaced(path):
    expect(path, "--driver", "usbhid")
    expect(path, "--driver", "hid-generic", "--log", "hidraw")
    assert devicefile.read(path).expect == {
        "driver": ["usbhid", "hid-generic"], "log": "hidraw"}
    expect(path, "--replace", "--command", "true")
    assert devicefile.read(path).expect == {"command": "true"}
    expect(path, "--replace")
    assert devicefile.read(path).expect == {}


def test_tables_behind_it_stay(path):
    path.write_text('[expect]\ndriver = "a"\n[override]\n"x" = 1\n' + PARTS)
    expect(path, "--driver", "b")
    found = devicefile.read(path)
    assert (found.expect, found.override) == ({"driver": ["a", "b"]},
                                              {"x": 1})


def test_without_options_it_is_shown(path, capsys):
    path.write_text('[expect]\ndriver = "a"\n' + PARTS)
    before = path.read_text()
    expect(path)
    assert capsys.readouterr().out == '[expect]\ndriver = "a"\n'
    assert path.read_text() == before


@pytest.mark.parametrize("head, arguments, complaint", [
    ("", ["--log", "("], "no regular expression"),
    ('expect = { driver = "a" }\n', ["--driver", "b"], "change it by hand"),
    ('[expect]\ndrivers = "a"\n', ["--driver", "b"], 'no "drivers"')])
def test_what_cannot_be_is_one_line_and_the_file_stays(
        path, capsys, head, arguments, complaint):
    path.write_text(head + PARTS)
    assert expect(path, *arguments) == 2
    err = capsys.readouterr().err
    assert complaint in err and len(err.splitlines()) == 1
    assert path.read_text() == head + PARTS
