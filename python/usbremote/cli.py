# SPDX-License-Identifier: MIT
"""What the command lines of all devices have in common."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections import Counter
from functools import partial
from typing import (BinaryIO, Callable, List, NoReturn, Optional, Sequence,
                    Set, TextIO, Tuple, Type)

from .blame import authors, described, places_of_error
from .codec import Hello
from .device import Device
from .engine import engine_of
from .errors import LocalError, Refused, UsbRemoteError, printable
from .faults import CONTROLLERS, Plan, Rule, parse
from .jobs import life
from .loader import DeviceFile
from .pcap import PcapWriter
from .port import Port
from .remarks import check, remarks
from .session import Counters, Tap
from .signals import Signals
from .transport import (Address, Background, Server, farewell,
                        run_until_signal)
from .trace import Lines, Taps, Tracer
from .types import Speed
from .unanswered import Unanswered, suggestions

Make = Callable[[argparse.Namespace], Device]
INTERRUPTED = 130               # exit code, as after SIGINT
LOG_LEVELS = ("error", "warning", "info", "debug")


class Parser(argparse.ArgumentParser):
    """One line for a wrong command line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see --help)\n")


def plain_parser(description: Optional[str], prog: Optional[str] = None
                 ) -> argparse.ArgumentParser:
    """A parser without options, whose help is shown as it is written."""
    return Parser(description=description, prog=prog,
                  formatter_class=argparse.RawDescriptionHelpFormatter)


def parser(description: Optional[str], prog: Optional[str] = None
           ) -> argparse.ArgumentParser:
    """A parser with the options of every device."""
    p = plain_parser(description, prog)
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
    p.add_argument("--stats", type=replaced_file, metavar="FILE",
                   help="write counters there as JSON on SIGUSR2 and at exit")
    p.add_argument("--pcap", type=output_file, metavar="FILE",
                   help="write the device's traffic there, for Wireshark")
    fault_options(p)
    p.add_argument("--trace", nargs="?", const="text", metavar="json",
                   choices=("text", "json"),
                   help="print a line for each request of the guest, with "
                   "=json an object")
    p.add_argument("--suggest", action="store_true",
                   help="print at the end the code of methods for the "
                   "requests that nobody answered")
    p.add_argument("-v", "--verbose", action="count", default=0,
                   help="say what happens; twice: every event")
    p.add_argument("--log-level", choices=LOG_LEVELS, metavar="LEVEL",
                   help="error, warning (usual), info (-v) or debug (-vv)")
    return p


def fault_options(p: argparse.ArgumentParser) -> None:
    """What is to go wrong, see usbremote.faults."""
    p.add_argument("--fault", action="append", default=[], type=fault,
                   metavar="RULE", help="have requests answered wrongly, as "
                   "'bulk in nth=3: stall'; may be given several times")
    p.add_argument("--fault-seed", type=number(0, 1 << 31), default=1,
                   metavar="N", help="of what is random in them (1)")
    p.add_argument("--fault-controller", choices=CONTROLLERS,
                   help="the guest's, so that a rule counts what its driver "
                   "sees, and not what the controller's tries again")


def fault(text: str) -> Rule:
    """For argparse: a rule."""
    try:
        return parse(text)
    except LocalError as err:
        raise argparse.ArgumentTypeError(str(err)) from None


def load(name: str) -> Device:
    """A device by its file or name, without options of its own."""
    kind = DeviceFile(name).load()
    options = plain_parser(None, name)
    kind.add_options(options)
    return kind(options.parse_args([]))


def device_parser(kind: Type[Device], prog: Optional[str] = None
                  ) -> argparse.ArgumentParser:
    """The options of every device and those of this one."""
    p = parser(description_of(kind), prog)
    kind.add_options(p)
    return p


def description_of(kind: Type[Device]) -> Optional[str]:
    """What the file says in which the device is defined."""
    return sys.modules[kind.__module__].__doc__


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


def data_file(text: str) -> BinaryIO:
    """For argparse: a file to append bytes to."""
    try:
        return open(text, "ab", buffering=0)
    except OSError as err:
        raise argparse.ArgumentTypeError(
            f"cannot write '{text}': {err.strerror}") from None


def file_bytes(text: str, most: int = 1 << 20) -> bytes:
    """For argparse: all of a file of up to so many bytes."""
    try:
        with open(text, "rb") as file:
            data = file.read(most + 1)
    except OSError as err:
        raise argparse.ArgumentTypeError(
            f"cannot read '{text}': {err.strerror}") from None
    if len(data) > most:
        raise argparse.ArgumentTypeError(
            f"'{text}' has more than {most} bytes")
    return data


def output_file(text: str) -> str:
    """For argparse: a file that can be made, or is there."""
    folder = os.path.dirname(text) or "."
    if not text or not os.access(folder, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"cannot write in '{folder}'"
                                         if text else "cannot write ''")
    return text


def replaced_file(text: str) -> str:
    """
    For argparse: a file that can be put in place of another, which is not a
    device, a pipe or a folder.
    """
    path = os.path.realpath(text) if text else text
    if os.path.exists(path) and not os.path.isfile(path):
        raise argparse.ArgumentTypeError(
            f"'{text}' is there and not a plain file")
    return output_file(path)


def ascii_text(without: str = "") -> Callable[[str], str]:
    """For argparse: 1 to 255 printable ASCII characters, but not these."""
    def convert(text: str) -> str:
        if not (0 < len(text) < 256 and text.isascii() and text.isprintable()
                and not set(text) & set(without)):
            raise argparse.ArgumentTypeError(
                f"{text!r:.40} is not 1 to 255 printable ASCII characters"
                + (f" other than {without}" if without else ""))
        return text
    return convert


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
    """
    A command that is a device, from its arguments to its exit code.

    background runs beside the devices.  first: made before there is a
    connection, so that what is wrong is told at once.
    """

    def __init__(self, parser: argparse.ArgumentParser, make: Make,
                 arguments: Optional[Sequence[str]] = None,
                 background: Optional[Background] = None) -> None:
        self.name = parser.prog
        self.options = parser.parse_args(arguments)
        self.make = make
        self.background = background
        self.counters = Counters()
        self.unhandled: List[Unanswered] = []
        self.plans: List[Plan] = []
        self.first: Optional[Device] = None
        self._capture: Optional[BinaryIO] = None
        self._told: Set[str] = set()
        self._trace = Lines(sys.stdout)

    def new_device(self) -> Device:
        """
        A device at the speeds that were asked for, with sound descriptors.

        Raises what its constructor does, LocalError for the descriptors.
        """
        device = self.make(self.options)
        if self.options.speed:
            device.speeds = self.options.speed
        if self.options.fault:
            device.faults = self.plan()
        engine = engine_of(device)
        check(engine)
        for line in remarks(engine):
            if line not in self._told:
                logging.warning("%s", line)
            self._told.add(line)
        return device

    def plan(self) -> Plan:
        """What is to go wrong with one device."""
        o = self.options
        made = Plan(o.fault, o.fault_seed, o.fault_controller, load)
        self.plans.append(made)
        return made

    def factory(self, hello: Hello) -> Device:
        """The device of one connection; raises Refused."""
        device, self.first = self.first, None
        try:
            device = device or self.new_device()
        except (UsbRemoteError, OSError) as err:
            logging.error("no device: %s", plain(err))
            raise Refused(0, plain(err)) from err
        self.remember(device)
        life.info("connected to QEMU's device '%s'",
                  printable(hello.device_id))
        return device

    def remember(self, device: Device) -> None:
        """Report at the end what it did not answer."""
        self.unhandled.append(engine_of(device).unanswered)

    def server(self) -> Server:
        o = self.options
        timeout = o.handshake_timeout
        if timeout is None and not o.reconnect:
            timeout = 10.0
        address = o.listen if o.connect is None else o.connect
        return Server(self.factory, Address.parse(address),
                      o.listen is not None, o.reconnect, timeout,
                      self.counters, self.tap)

    def tap(self, port: Port) -> Optional[Tap]:
        """What records the traffic of one more connection."""
        taps: List[Tap] = []
        if self._capture is not None:
            taps.append(PcapWriter(self._capture.write,
                                   self.counters.connections + 1))
        if self.options.trace is not None:
            taps.append(Tracer(self._trace.write, port.explain,
                               self.options.trace == "json",
                               sys.stdout.isatty()))
        return Taps(taps) if taps else None

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
            logging.error("no counters written: %s", plain(err))

    def report_unhandled(self) -> None:
        total: "Counter[str]" = sum((device.counts for device
                                     in self.unhandled), Counter())
        for text, count in total.most_common():
            print(f"{self.name}: nobody answered {count} x {text}",
                  file=sys.stderr)
        if self.options.suggest:
            for line in suggestions(self.unhandled):
                print(line)

    def report_faults(self) -> None:
        """How to have the same again, without time and chance."""
        for plan in self.plans:
            for rule in plan.replay():
                logging.info("to replay: --fault '%s'", rule)

    def run(self) -> int:
        """
        0 after SIGINT, SIGTERM or QEMU's BYE, INTERRUPTED when the device's
        code had to be interrupted, 1 with one line else.
        """
        where = ""
        try:
            server = self.server()
            self.first = self.first or self.new_device()
            if self.options.pcap:
                self._capture = open(self.options.pcap, "wb", buffering=0)
                self._capture.write(PcapWriter.HEADER)
            where = f"{server.address.text}: "
            with Signals(server.stop, {
                    "SIGUSR1": partial(poke, server),
                    "SIGUSR2": self.write_stats_now}) as signals:
                try:
                    closed = run_until_signal(server, signals,
                                              self.background)
                finally:
                    self.write_stats_now()
        except KeyboardInterrupt as err:
            place = authors(places_of_error(err.__traceback__))
            where = f" in {described(place)}" if place else ""
            print(f"{self.name}: interrupted{where}", file=sys.stderr)
            return INTERRUPTED
        except (UsbRemoteError, OSError) as err:
            print(f"{self.name}: {where}{plain(err)}", file=sys.stderr)
            return 1
        finally:
            self._trace.flush()
            self.report_unhandled()
            self.report_faults()
        if closed is not None:
            print(f"{self.name}: {farewell(closed)}")
        return 0


def motion_options(parser: argparse.ArgumentParser, columns: str,
                   unit: str = "report", rest: str = "stay idle",
                   idle: str = "move on SIGUSR1 only") -> None:
    """
    Add the options of a device that moves in turns.

    --rate HZ, --turns N, --idle, --report-log FILE.  @unit is what it sends
    at that rate, with @columns of the log; @rest is what it does after its
    turns, and @idle instead of them.
    """
    parser.add_argument("--rate", type=number(0.01, 1e4, float), default=100,
                        metavar="HZ", help=f"{unit}s a second, at most (100)")
    parser.add_argument("--turns", type=number(0, 1e9), default=0,
                        metavar="N", help=f"then {rest} (0: never)")
    parser.add_argument("--idle", action="store_true", help=idle)
    parser.add_argument("--report-log", type=log_file, metavar="FILE",
                        help=f"append '{columns}' for each {unit} sent")


def plain(err: Exception) -> str:
    """An error on one line, without Python's number."""
    if isinstance(err, OSError) and err.strerror:
        name = str(err.filename) or "''"
        where = "" if err.filename is None else f"{name}: "
        return f"{where}{err.strerror}"
    return str(err)


def poke(server: Server) -> None:
    """SIGUSR1."""
    for device in server.devices():
        device.on_user_signal()


def set_up_logging(options: argparse.Namespace, name: str,
                   tell_life: bool = False) -> None:
    """
    To standard error, as -v and --log-level say; tell_life: in any case that
    the device is connected, plugged in, configured and unplugged.
    """
    logging.basicConfig(format=f"{name}: %(message)s")
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    level = options.log_level or LOG_LEVELS[min(options.verbose + 1, 3)]
    logging.getLogger().setLevel(level.upper())
    if tell_life and not options.log_level:
        life.setLevel(logging.INFO)


def run(parser: argparse.ArgumentParser, make: Make) -> NoReturn:
    """Run the device that make() returns for the options; exits."""
    program = Program(parser, make)
    set_up_logging(program.options, program.name)
    sys.exit(program.run())


def main(kind: Type[Device]) -> NoReturn:
    """Run a device of this class, with its command line; exits."""
    run(device_parser(kind), kind)
