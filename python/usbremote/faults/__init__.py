# SPDX-License-Identifier: MIT
"""
Faults as data: a device that misbehaves by rules, one line each.

    WHICH [WHEN]: WHAT

    control in config wLength=9: ioerror
    bulk in nth=3 times=1: stall
    ep 0x81 p=0.01 seed=7: short(3)
    scsi READ_10 every=5: delay(2s)

A Plan is some rules and a seed; Device.faults is where it goes, and --fault
of every device's command line makes one.  docs/faults.md is the reference.

Layers: names (of requests and commands), which (what a rule is for), what
(what is done), rule (the line), match (of requests), plan.
"""

from __future__ import annotations

from .plan import CONTROLLERS, Plan
from .rule import Rule, parse

__all__ = ["CONTROLLERS", "Plan", "Rule", "parse"]
