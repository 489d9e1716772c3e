# SPDX-License-Identifier: GPL-2.0-or-later
"""
A kernel developer's lab: from a mail with an lsusb dump to a regression test.

Layers, lowest first: errors, rows (one line of a mail); model (a device as
bytes, with where each line of the evidence led); devicefile (the file in which
a device is kept); capture (transfers of a recording); formats (one module for
each form in which people send devices, text to model); override, describe (a
device file to model); source (model to Python), mock (what lsusb says of it);
sdk (a device of usbremote that is such a model; nothing else imports
usbremote for it); commands (what the command line offers), cli (the command
line).
"""
