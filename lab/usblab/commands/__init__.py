# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of usb-lab; cli.py has the table."""
