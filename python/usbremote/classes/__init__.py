# SPDX-License-Identifier: MIT
"""Device classes: what their specifications ask of every device."""
