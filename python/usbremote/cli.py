# SPDX-License-Identifier: MIT
"""What the command lines of all devices have in common."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from collections import Counter
from functools import partial
from typing import Callable, NoReturn, Optional, TextIO, Tuple

from ._proto import Speed
from .codec import Hello
from .device import Device
from .errors import UsbRemoteError, printable
from .session import Counters
from .transport import Address, Server, farewell, serve

Make = Callable[[argparse.Namespace], Device]


class Parser(argparse.ArgumentParser):
    """One line for a wrong command line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def parser(description: Optional[str]) -> argparse.ArgumentParser:
    """A parser with the options of every device."""
    p = Parser(description=description,
               formatter_class=argparse.RawDescriptionHelpFormatter)
    where = p.add_mutually_exclusive_group(required=True)
    where.add_argument("--connect", metavar="ADDR", help="connect to QEMU's "
                       "character device: unix:PATH or tcp:HOST:PORT")
    where.add_argument("--listen", metavar="ADDR",
                       help="wait there for QEMU to connect")
    p.add_argument("--reconnect", action="store_true",
                   help="go on when QEMU is not there, or not any more")
    p.add_argument("--speed", type=speeds, metavar="SPEED",
                   help="low, full, high, super, or several with commas")
    p.add_argument("--handshake-timeout", type=number(0.001, 1e6, float),
                   metavar="SECONDS",
                   help="how long QEMU may take to say hello (10; with "
                   "--reconnect as long as it likes)")
    p.add_argument("--stats", type=stats_file, metavar="FILE",
                   help="write counters there as JSON on SIGUSR2 and at exit")
    p.add_argument("-v", "--verbose", action="count", default=0,
                   help="say what happens; twice: every event")
    return p


def speeds(text: str) -> Tuple[Speed, ...]:
    """For argparse: 'full' or 'full,high'."""
    try:
        return tuple(Speed[word.upper()] for word in text.split(","))
    except KeyError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is none of low, full, high and super") from None


def log_file(text: str) -> TextIO:
    """For argparse: a file to append lines to."""
    try:
        return open(text, "a")
    except OSError as err:
        raise argparse.ArgumentTypeError(
            f"cannot write '{text}': {err.strerror}") from None


def stats_file(text: str) -> str:
    """For argparse: a file that can be put in place of another."""
    folder = os.path.dirname(text) or "."
    if not os.access(folder, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"cannot write in '{folder}'")
    return text


def number(low: float, high: float,
           kind: "type[int] | type[float]" = int) -> Callable[[str], float]:
    """For argparse: a number from low to high."""
    def convert(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"'{text}' is no number from {low:g} to {high:g}")
        return value
    return convert


class Program:
    """A command that is a device, from its arguments to its exit code."""

    def __init__(self, parser: argparse.ArgumentParser, make: Make) -> None:
        self.name = parser.prog
        self.options = parser.parse_args()
        self.make = make
        self.counters = Counters()
        self.unhandled: "list[Counter[str]]" = []

    def factory(self, hello: Hello) -> Device:
        """The device of one connection, at the speeds that were asked for."""
        device = self.make(self.options)
        if self.options.speed:
            device.speeds = self.options.speed
            device.speed = max(device.speeds)
        self.unhandled.append(device.unhandled_requests)
        logging.info("connected to QEMU's device '%s'",
                     printable(hello.device_id))
        return device

    def server(self) -> Server:
        o = self.options
        timeout = o.handshake_timeout
        if timeout is None and not o.reconnect:
            timeout = 10.0
        return Server(self.factory, Address.parse(o.connect or o.listen),
                      o.listen is not None, o.reconnect, timeout,
                      self.counters)

    def write_stats(self) -> None:
        """Whole or not at all, for those who watch the file."""
        if self.options.stats:
            part = f"{self.options.stats}.{os.getpid()}"
            with open(part, "w") as out:
                json.dump(self.counters.as_dict(), out, indent=1)
                out.write("\n")
            os.replace(part, self.options.stats)

    def write_stats_now(self) -> None:
        """At SIGUSR2 and at the end; a full disk does not end the device."""
        try:
            self.write_stats()
        except OSError as err:
            logging.error("no counters written: %s", err)

    def report_unhandled(self) -> None:
        total: "Counter[str]" = sum(self.unhandled, Counter())
        for text, count in total.most_common():
            print(f"{self.name}: nobody answered {count} x {text}",
                  file=sys.stderr)

    def run(self) -> int:
        """0 after SIGINT, SIGTERM or QEMU's BYE, 1 with one line else."""
        where = ""
        try:
            server = self.server()
            where = f"{server.address.text}: "
            try:
                closed = serve(server, {
                    signal.SIGUSR1: partial(poke, server),
                    signal.SIGUSR2: self.write_stats_now})
            finally:
                self.write_stats_now()
        except (UsbRemoteError, OSError) as err:
            print(f"{self.name}: {where}{err}", file=sys.stderr)
            return 1
        self.report_unhandled()
        if closed is not None:
            print(f"{self.name}: {farewell(closed)}")
        return 0


def poke(server: Server) -> None:
    """SIGUSR1."""
    for device in server.devices():
        device.on_user_signal()


def run(parser: argparse.ArgumentParser, make: Make) -> NoReturn:
    """Run the device that make() returns for the options; exits."""
    logging.basicConfig(format=f"{parser.prog}: %(message)s")
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    program = Program(parser, make)
    logging.getLogger().setLevel(
        {0: logging.WARNING, 1: logging.INFO}.get(program.options.verbose,
                                                  logging.DEBUG))
    sys.exit(program.run())
