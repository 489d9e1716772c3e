# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of docs/lab-import.md, as they stand there."""

import re
import subprocess

import pytest

import examples
from conftest import LAB
from test_import import mail

PAGE = LAB.parent / "docs" / "lab-import.md"


def blocks():
    """name -> text of each block with a mark."""
    return dict(re.findall(r"^<!-- test: (\S+) -->\n```\w+\n(.*?)^```$",
                           PAGE.read_text(), re.MULTILINE | re.DOTALL))


@pytest.fixture
def run(tmp_path):
    """Run a block, in a folder with the mails that the page speaks of."""
    for name in ("lab", "python"):
        (tmp_path / name).symlink_to(LAB.parent / name)
    modem, keyboard = map(examples.text, ("modem", "keyboard"))
    (tmp_path / "mail.eml").write_text(mail(modem))
    (tmp_path / "two.eml").write_text(mail(modem + keyboard))
    interval = "        bInterval              10\n"
    damaged = mail(modem.replace(interval, "", 1))
    (tmp_path / "damaged.eml").write_text(damaged)

    def execute(name):
        return subprocess.run(["sh", "-e", "-c", blocks()[name]],
                              cwd=tmp_path, text=True, timeout=60, check=False,
                              stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              stderr=subprocess.STDOUT)
    return execute


def test_what_the_page_says_is_printed_is_printed(run):
    found = run("import")
    assert (found.returncode, found.stdout) == (0, blocks()["import.out"])
    found = run("refused")
    assert (found.returncode, found.stdout) == (2, blocks()["refused.out"])


def test_the_commands_work_one_after_the_other(run):
    for name in ("at-once", "import", "several", "show", "override", "python"):
        found = run(name)
        assert found.returncode == 0, found.stdout
        if name == "override":
            assert "Slow Modem" in found.stdout
        if name == "python":
            assert "--connect" in found.stdout


def test_each_block_of_commands_has_a_mark():
    text = PAGE.read_text()
    assert text.count("```sh\n") == len(
        re.findall(r"^<!-- test: \S+ -->\n```sh$", text, re.MULTILINE))
