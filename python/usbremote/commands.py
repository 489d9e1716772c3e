# SPDX-License-Identifier: MIT
"""python3 -m usbremote: run, list and describe devices."""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from typing import List, NoReturn, Optional, Sequence, Tuple, Type

from . import _proto
from .cli import (Program, device_parser, parser, plain, plain_parser,
                  set_up_logging, speeds)
from .codec import Limits
from .describe import describe
from .device import Device
from .engine import engine_of
from .errors import UsbRemoteError
from .loader import DeviceFile, find, shipped
from .reload import Reloader
from .remarks import check, remarks
from .version import __version__

PROG = "usbremote"
ABOUT = """\
Be a USB device of a QEMU guest.

    python3 -m usbremote run mouse --connect unix:usb.sock
    python3 -m usbremote run my-device.py --connect unix:usb.sock --reload

DEVICE is a file, the name of a device that comes with the package, or a
Python module; with :CLASS behind it where there is more than one."""


def run_parser(prog: str, kind: Optional[Type[Device]] = None
               ) -> argparse.ArgumentParser:
    """For `run DEVICE`; without a class as far as all devices have it."""
    p = device_parser(kind, prog) if kind else parser(
        "Run a device.  A DEVICE has options of its own: "
        "run DEVICE --help shows them.", prog)
    p.add_argument("--reload", action="store_true",
                   help="when the device's file changes, or one that it "
                   "imports from its own folder, import them anew, unplug "
                   "the device and plug in the new one; the old one stays "
                   "when anything is wrong with them")
    return p


def run(arguments: List[str]) -> int:
    """run DEVICE [OPTION...]"""
    name, rest = device_name(arguments, "run")
    if name is None:
        run_parser(f"{PROG} run DEVICE").parse_args(rest)
    file = DeviceFile(name or "")
    make_parser = partial(run_parser, file.name)
    kind = file.load()
    reloader = Reloader(file, lambda kind: make_parser(kind).parse_args(rest))
    with file.blamed():
        program = Program(make_parser(kind), kind, rest)
        set_up_logging(program.options, program.name, tell_life=True)
        program.first = program.new_device()
    if program.options.reload:
        program.background = partial(reloader.watch, program)
        # a compiled copy counts seconds, and files change faster
        sys.dont_write_bytecode = True
    return program.run()


def describe_device(arguments: List[str]) -> int:
    """describe DEVICE [OPTION...]"""
    name, rest = device_name(arguments, "describe")
    p = plain_parser("Show what the host will see, like lsusb -v.",
                     f"{PROG} describe DEVICE")
    kind = None
    if name is not None:
        file = DeviceFile(name)
        kind = file.load()
        p.prog = file.name
        with file.blamed():
            kind.add_options(p)
    p.add_argument("--speed", type=speeds, metavar="SPEED",
                   help="low, full, high, super, or several with commas")
    options = p.parse_args(rest)
    if kind is None:
        p.error("which DEVICE?")
    with file.blamed():
        device = kind(options)
        device.speeds = options.speed or device.speeds
        check(engine_of(device))
        for line in describe(device):
            print(line)
        for line in remarks(engine_of(device)):
            print(f"Remark: {line}")
    return 0


def list_devices(arguments: List[str]) -> int:
    """list"""
    plain_parser("List the devices that come with the package.",
                 f"{PROG} list").parse_args(arguments)
    found = list(shipped())
    width = max((len(name) for name, _ in found), default=0)
    for name, text in found:
        print(f"{name:<{width}}  {text}")
    return 0


def device_name(arguments: List[str], command: str
                ) -> Tuple[Optional[str], List[str]]:
    """The DEVICE, which comes first, and the rest."""
    if not arguments or arguments[0].startswith("-"):
        if not {"-h", "--help"} & set(arguments):
            plain_parser(None, f"{PROG} {command}").error(
                f"which DEVICE?  It comes before its options: "
                f"{command} DEVICE --connect ...")
        return None, arguments
    return arguments[0], arguments[1:]


def capabilities() -> "dict[str, object]":
    """What this package can do, for programs that start it."""
    limits = Limits()
    return {
        "protocol": [_proto.MAJOR, _proto.MINOR],
        "limits": {name: getattr(limits, name) for name in (
            "max_payload", "max_control", "max_requests", "max_per_endpoint",
            "max_bytes")},
        "speeds": [speed.name.lower() for speed in _proto.Speed],
        "statuses": [status.name.lower() for status in _proto.Status],
        "transfers": [kind.name.lower() for kind in _proto.TransferType
                      if kind != _proto.TransferType.ISO],
        "features": [feature.name.lower() for feature in _proto.Feature
                     if limits.features & feature and feature.name],
        "addresses": ["unix:PATH", "tcp:HOST:PORT"],
        "commands": sorted(COMMANDS),
        "devices": [name for name, _ in shipped()],
    }


COMMANDS = {"run": run, "describe": describe_device, "list": list_devices}


def main(arguments: Optional[Sequence[str]] = None) -> NoReturn:
    """Run a command line; exits."""
    p = plain_parser(ABOUT, PROG)
    p.add_argument("--print-capabilities", action="store_true",
                   help="print what this package can do, as JSON")
    p.add_argument("--version", action="version",
                   version=f"{PROG} {__version__}")
    p.add_argument("command", nargs="?", metavar="COMMAND",
                   help="run DEVICE, describe DEVICE, or list")
    p.add_argument("rest", nargs=argparse.REMAINDER, metavar="...",
                   help="see COMMAND --help")
    options = p.parse_args(arguments)
    if options.print_capabilities:
        print(json.dumps(capabilities(), indent=1))
        sys.exit(0)
    if options.command is None:
        p.error("which command?")
    if options.command not in COMMANDS:
        meant = (f": run {options.command}?" if find(options.command) else
                 f", only {', '.join(sorted(COMMANDS))}")
        p.error(f"'{options.command}' is no command{meant}")
    try:
        code = COMMANDS[options.command](options.rest)
        sys.stdout.flush()
        sys.exit(code)
    except BrokenPipeError:     # whoever reads it has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except (UsbRemoteError, OSError) as err:
        sys.exit(f"{PROG}: {plain(err)}")
