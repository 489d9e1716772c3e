# SPDX-License-Identifier: MIT
"""What USB's device classes ask for, as functions: see function.py."""
