#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
A USB security key that speaks U2F, and has no keys.

    examples/security_key.py --connect unix:./usb.sock

It can be found, pinged, and asked for its version; it refuses to register
and to sign.  What it is asked is printed.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "python"))

from usbremote import Device, main                              # noqa: E402
from usbremote.functions import ctaphid                         # noqa: E402

# FIDO U2F Raw Message Formats 1.2: a command's second byte, and status words
VERSION = 0x03
NO_ERROR, WRONG_LENGTH, CLASS_UNKNOWN, COMMAND_UNKNOWN = (
    b"\x90\x00", b"\x67\x00", b"\x6e\x00", b"\x6d\x00")
NO_DATA = (b"", b"\0", b"\0\0", b"\0\0\0", b"\0\0\0\0\0")  # and how much back


def u2f(command):
    """The answer to a U2F command, an APDU of ISO 7816-4."""
    if len(command) < 4:
        return WRONG_LENGTH
    kind, code = command[:2]
    if kind:
        return CLASS_UNKNOWN
    if code != VERSION:
        return COMMAND_UNKNOWN
    if command[4:] not in NO_DATA:
        return WRONG_LENGTH
    return b"U2F_V2" + NO_ERROR


class Key(ctaphid.CtapHid):
    def message(self, command, data):
        print(f"command 0x{command:02x}, {len(data)} bytes", flush=True)
        if command == ctaphid.MSG:
            return u2f(data)
        return super().message(command, data)


class SecurityKey(Device):
    vendor_id, product_id = 0x1209, 0x000b
    manufacturer, product = "usb-remote", "Security Key"

    def __init__(self, options):
        super().__init__(options)
        self.functions = [Key()]


if __name__ == "__main__":
    main(SecurityKey)
