# SPDX-License-Identifier: GPL-2.0-or-later
"""
Find between which two kernels a device was broken, or mended.

The kernels are those of -k in their order, usually packages: 'debian:6.12.*'.
The first and the last one have to differ.  What is expected of a kernel, and
how it is tried, is as for usb-lab try.

Exit status: 0 when the two were found, 1 when the first and the last agree,
2 bad input, 125 when no kernel told anything.
"""

from __future__ import annotations

import argparse
from typing import Dict, List, Optional

from .. import edges, kernels
from ..edges import Edge
from ..kernels import Source
from ..trial import Outcome, Result
from . import try_

FOUND, AGREE, NOTHING_LEARNT = 0, 1, 125


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = kernels.SPECS
    parser.add_argument("device", metavar="DEVICE")
    parser.add_argument("-k", "--kernel", action="append", required=True,
                        metavar="KERNEL", help="several, oldest first, or "
                        "a pattern")
    parser.add_argument("-c", "--controller", choices=try_.CONTROLLERS,
                        default="xhci", help="the host controller (xhci)")
    try_.add_setting(parser)
    try_.add_expectations(parser)
    try_.add_kernel_options(parser)


def run(options: argparse.Namespace) -> int:
    setting = try_.make_setting(options, options.controller)
    sources = try_.find_all(options.kernel)
    outcomes: Dict[int, Outcome] = {}

    def judge(index: int) -> Optional[bool]:
        outcome = outcomes[index] = try_.one(setting, sources[index])
        try_.show(outcome, False)
        return {Result.GOOD: True, Result.BAD: False}.get(outcome.result)

    print(f"{len(sources)} kernels, {sources[0].name} to {sources[-1].name}",
          flush=True)
    edge = edges.find(len(sources), judge)
    if edge is not None:
        print(describe(edge, sources))
        return FOUND
    return agree(list(outcomes.values()))


def describe(edge: Edge, sources: List[Source]) -> str:
    """The two kernels, and what happened between them."""
    names = [source.name for source in sources]
    word = "broken" if edge.good_before else "mended"
    text = f"{word} between {names[edge.before]} and {names[edge.after]}"
    silent = ", ".join(names[index] for index in edge.between())
    return f"{text} ({silent} told nothing)" if silent else text


def agree(outcomes: List[Outcome]) -> int:
    """There is no edge; say why."""
    results = {outcome.result for outcome in outcomes}
    results.discard(Result.SKIPPED)
    if not results:
        print("no kernel told anything")
        return NOTHING_LEARNT
    print(f"the first and the last kernel are both "
          f"{try_.WORDS[results.pop()]}")
    return AGREE
