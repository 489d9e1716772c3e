# SPDX-License-Identifier: MIT
"""python3 -m usbremote; see commands.py."""

from .commands import main

main()
