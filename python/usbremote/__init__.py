# SPDX-License-Identifier: MIT
"""
Be a USB device of a virtual machine, from Python.

Layers, lowest first: _proto (generated constants), codec (bytes and
messages), session (states and requests), descriptors, endpoint and device
(what a device author uses), port (a session with a device plugged in),
transport (sockets and asyncio; nothing else imports them), cli (what every
example's command line has in common).
"""
