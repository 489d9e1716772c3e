# SPDX-License-Identifier: MIT
"""
Be a USB device of a virtual machine, from Python.

Layers, lowest first: _proto (generated constants), codec (bytes and
messages), session (states and requests), descriptors, microsoft, endpoint,
standard and device (what a device author uses), classes (what USB's device
classes ask for), port (a session with a device plugged in), transport
(sockets and asyncio; nothing else imports them), cli (what every device's
command line has in common), loader, reload and describe (devices as files),
commands (python3 -m usbremote).  testing plays QEMU's part.
"""
