# SPDX-License-Identifier: MIT
"""
Be a USB device of a virtual machine, from Python.

What device authors need is here; usbremote.functions has what USB's device
classes ask for, usbremote.cli helps with options, usbremote.testing plays
QEMU's part in tests.

Layers, lowest first.  The protocol, without I/O: _proto (generated
constants), codec (bytes and messages), session (states and requests).  What
a device is: types, setup, place, fields, parsed, endpoints, descriptors,
strings, microsoft.
What it does: endpoint, jobs, context, requests, function, functions, device.
What runs it: layout (its descriptors), ep0, pipes, runs (its functions),
standard, engine, port (a session with a device plugged in).  The outside:
transport (the only file with sockets), signals and watchdog (programs whose
device blocks them), embed (connect() and serve()), cli
(what every device's command line has in common), loader, reload and
describe (devices as files), commands (python3 -m usbremote).
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 9):
    raise ImportError("usbremote needs Python 3.9 or later, and this is "
                      + ".".join(map(str, sys.version_info[:2])))

# pylint: disable=wrong-import-position
from .cli import main
from .context import Answer
from .descriptors import Association, Configuration, Endpoint, Interface
from .device import Device, Options
from .embed import connect, serve
from .endpoint import InEndpoint, OutEndpoint
from .errors import (ConnectionLost, Fail, LocalError, Refused, RemoteError,
                     Stall, TransferAborted, TransferEnded, UsbRemoteError)
from .function import Function
from .jobs import Job
from .microsoft import Microsoft
from .place import Place
from .port import Port
from .requests import control
from .session import Request
from .setup import Setup
from .types import (AddressPolicy, Direction, Kind, Recipient, Speed, Standard,
                    Status, TransferType)
from .version import __version__

__all__ = [
    "AddressPolicy", "Answer", "Association", "Configuration",
    "ConnectionLost", "Device", "Direction", "Endpoint", "Fail", "Function",
    "InEndpoint", "Interface", "Job", "Kind", "LocalError", "Microsoft",
    "Options", "OutEndpoint", "Place", "Port", "Recipient", "Refused", "RemoteError",
    "Request", "Setup", "Speed", "Stall", "Standard", "Status",
    "TransferAborted", "TransferEnded", "TransferType", "UsbRemoteError",
    "__version__", "connect", "control", "main", "serve",
]
