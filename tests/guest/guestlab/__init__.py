# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guest tests and the demo are made of."""
