# SPDX-License-Identifier: GPL-2.0-or-later
"""The command lines in docs/ and the README files, taken from the pages.

A block that a test runs has a comment before it: in a .rst page
.. test: NAME, in a .md page <!-- test: NAME -->
"""

import re
import shlex
import textwrap

from guestlab.places import TOP, Failure

PAGE = TOP / "docs" / "usb-remote.rst"
TUTORIAL = TOP / "docs" / "tutorial.md"
PYTHON = TOP / "docs" / "python.md"
README = TOP / "README.md"
LIBRARY = TOP / "libusbremote" / "README.md"


def block(name):
    """The text of the block called @name."""
    found = re.search(rf"^\.\. test: {re.escape(name)}\n\n"
                      r"\.\. code-block:: \w+\n\n((?:(?:   .*)?\n)+)",
                      PAGE.read_text(), re.MULTILINE)
    if not found:
        raise Failure(f"{PAGE.name} has no block '.. test: {name}'")
    return textwrap.dedent(found.group(1)).strip() + "\n"


def lines(name):
    """The lines of a block."""
    return block(name).splitlines()


def words(name, program):
    """The arguments of the one command in a block, which is @program."""
    first, *rest = shlex.split(block(name).replace("\\\n", " "))
    if first != program:
        raise Failure(f"block {name} runs {first}, not {program}")
    return rest


def qemu(name):
    """The arguments of a QEMU command line."""
    return words(name, "qemu-system-x86_64")


def mouse(name):
    """The arguments of a mouse.py command line."""
    return words(name, "examples/mouse.py")


def drivers():
    """{example: the driver that the table of examples says uses it}."""
    return dict(re.findall(r"^   \* - ``(\w+)\.py``\n     - .*\n"
                           r"     - ``([\w-]+)``", PAGE.read_text(),
                           re.MULTILINE))


def tutorial(name):
    """The text of a block of docs/tutorial.md."""
    return markdown(TUTORIAL, name)


def readme(name, page=README):
    """The arguments of the one command in a block of a README file."""
    text = markdown(page, name).replace("\\\n", " ")
    return shlex.split(text, comments=True)


def markdown(page, name):
    """The text of the block called @name in a .md file."""
    found = re.search(rf"^<!-- test: {re.escape(name)} -->\n"
                      r"```\w+\n(.*?)^```$", page.read_text(),
                      re.MULTILINE | re.DOTALL)
    if not found:
        raise Failure(f"{page.name} has no block <!-- test: {name} -->")
    return found.group(1)


def commands(page):
    """(name, text) of each block of commands in a .md file; '' for none."""
    return re.findall(r"(?:^<!-- test: (\S+) -->\n)?^```sh\n(.*?)^```$",
                      page.read_text(), re.MULTILINE | re.DOTALL)
