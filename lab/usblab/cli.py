# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: usb-lab COMMAND ..., one module for each command."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import NoReturn, Optional, Sequence

from .errors import Problem

# Each module in commands/ has add_arguments(parser) and run(options), which
# returns the exit status.
# name, module, what it does
COMMANDS = (
    ("import", "import_", "read what people send, write a device file"),
    ("show", "show", "what a device file describes"),
    ("try", "try_", "plug a device into real kernels"),
    ("expect", "expect", "write down what a kernel has to make of it"),
    ("bisect", "bisect", "find the kernels between which it changed"),
    ("run", "run", "try all devices of a folder: a regression test"),
    ("diff", "diff", "what differs between two runs"),
)
BAD_INPUT = 2


class Parser(argparse.ArgumentParser):
    """One line for a wrong command line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {message} (see --help)\n")


def build_parser() -> Parser:
    """The parser of all commands; it imports their modules."""
    parser = Parser(prog="usb-lab", description="From a mail with an lsusb "
                    "dump to a regression test over many kernels.",
                    epilog="usb-lab COMMAND --help says more.  Exit status: "
                    "0 good, 1 a device or kernel that fails, 2 bad input, "
                    "125 nothing was learnt.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, module, text in COMMANDS:
        command = importlib.import_module(f".commands.{module}", __package__)
        sub = commands.add_parser(
            name, help=text, description=command.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter)
        command.add_arguments(sub)
        sub.set_defaults(run=command.run)
    return parser


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run one command; returns the exit status."""
    options = build_parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except Problem as problem:
        for text in (f"usb-lab: {problem}", *problem.hints):
            print(text, file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        # the reader of our output has gone; nothing more can be written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
