# SPDX-License-Identifier: GPL-2.0-or-later
"""
A device of the lab as a program: python3 -m usblab.serve DEVICE --connect ...

DEVICE is a device file, or Python code of the SDK as `usbremote run` takes
it.  --transcript FILE gets a line of JSON for each request when it comes and
when it is answered.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any, List, Optional, Sequence, Tuple, Type

from usbremote import Device, LocalError, Port, UsbRemoteError, faults
from usbremote.cli import (Program, device_parser, fault, output_file,
                           set_up_logging)
from usbremote.loader import DeviceFile

from . import devicefile, sdk
from .errors import Problem

BAD_DEVICE = 2          # exit status: the device itself is no good


class Transcript:
    """Requests and answers, as lines of a file; a tap of the session."""

    def __init__(self, path: str, also: Optional[Any]) -> None:
        self._file = open(path, "a", buffering=1)
        self._also = also

    def submitted(self, submit: Any) -> None:
        self._write({"submit": submit.id, "endpoint": submit.endpoint,
                     "setup": submit.setup.hex(), "length": submit.length})
        if self._also:
            self._also.submitted(submit)

    def completed(self, submit: Any, answer: Any) -> None:
        """answer is None where a reset or unplugging made it void."""
        status = answer.status if answer else None
        self._write({"answer": submit.id, "length":
                     answer.length if answer else 0,
                     "status": getattr(status, "name", None)})
        if self._also:
            self._also.completed(submit, answer)

    def addressed(self, address: int) -> None:
        self._write({"address": address})
        if self._also:
            self._also.addressed(address)

    def _write(self, record: Any) -> None:
        record["time"] = round(time.time(), 6)
        self._file.write(json.dumps(record) + "\n")


class Served(Program):
    """
    The command line of every device, with a transcript.

    faults: rules that come before those of the command line.
    """

    def __init__(self, kind: Type[Device], arguments: List[str],
                 faults: Sequence[str] = ()) -> None:
        super().__init__(parser(kind), kind, arguments)
        self.options.fault = [*map(fault, faults), *self.options.fault]

    def tap(self, port: Port) -> Any:
        also = super().tap(port)
        if self.options.transcript:
            return Transcript(self.options.transcript, also)
        return also


def device(name: str) -> Tuple[Type[Device], List[str]]:
    """
    The class of a device file or of Python code, and the rules for faults
    that the file has.  Raises Problem.
    """
    if name.endswith(devicefile.SUFFIX):
        file = devicefile.read(name)
        check_faults(file.faults)
        return sdk.device_class(file), file.faults
    try:
        return DeviceFile(name).load(), []
    except UsbRemoteError as err:
        raise Problem(str(err)) from None


def check_faults(rules: Sequence[str]) -> None:
    """Raises Problem for a rule that is none."""
    for rule in rules:
        try:
            faults.parse(rule)
        except LocalError as err:
            raise Problem(str(err)) from None


def parser(kind: Type[Device]) -> argparse.ArgumentParser:
    made = device_parser(kind, "usb-lab's device")
    made.add_argument("--transcript", type=output_file, metavar="FILE",
                      help="append a line of JSON for each request there")
    return made


def main(arguments: List[str]) -> int:
    try:
        kind, rules = device(arguments[0])
        program = Served(kind, arguments[1:], rules)
        set_up_logging(program.options, program.name)
        program.first = program.new_device()
    except (Problem, UsbRemoteError, OSError) as err:
        print(f"usb-lab: {err}", file=sys.stderr)
        return BAD_DEVICE
    return program.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
