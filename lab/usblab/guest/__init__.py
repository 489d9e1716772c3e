# SPDX-License-Identifier: GPL-2.0-or-later
"""
Linux guests: initramfs and hotplug, QEMU around them, the agent's channel,
the kernel's log, devices plugged in.

Bottom up: waiting, cpio, qmp, agent, kmsg; userland (programs from Debian),
initramfs (of a kernel, with its modules), boot (all that QEMU starts), vm,
remote (usb-remote devices), snapshot.
"""
