# SPDX-License-Identifier: GPL-2.0-or-later
"""
A kernel developer's lab: from a mail with an lsusb dump to a regression test.

Layers, lowest first: errors; model (a device as bytes, with where each line
of the evidence led); formats (one module for each form in which people send
devices, text to model); devicefile (the file in which a device is kept);
sdk (a device of usbremote that is such a model; nothing else imports
usbremote for it); commands (what the command line offers), cli (the command
line).
"""
