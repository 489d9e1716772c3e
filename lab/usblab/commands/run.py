# SPDX-License-Identifier: GPL-2.0-or-later
"""
Try all device files of folders on kernels, as a regression test.

Each device is tried with each kernel and each controller of -c, as by
usb-lab try; what it has to show is in its file.  Exit status: 0 when nothing
was bad, 1 when something was, 2 bad input, 125 when nothing was learnt.
"""

from __future__ import annotations

import argparse
import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List, Tuple

from .. import kernels, report, results
from ..devicefile import SUFFIX
from ..errors import Problem
from ..kernels import Source
from ..results import Entry
from ..trial import Outcome, Result, Setting
from . import try_

Job = Tuple[str, Setting, Source]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = kernels.SPECS
    parser.add_argument("paths", metavar="FOLDER", nargs="+", type=Path,
                        help="folders with device files, or such files")
    parser.add_argument("-k", "--kernel", action="append", metavar="KERNEL")
    try_.add_controllers(parser)
    parser.add_argument("-n", "--parallel", type=positive, default=1,
                        metavar="N", help="so many at a time (1)")
    parser.add_argument("--part", type=part, default=(1, 1), metavar="K/N",
                        help="only every N-th, from the K-th on, so that N "
                        "machines do all of them")
    parser.add_argument("--repeat", type=positive, default=1, metavar="N",
                        help="each so often, to find what is flaky")
    parser.add_argument("--ktap", type=Path, metavar="FILE")
    parser.add_argument("--junit", type=Path, metavar="FILE")
    parser.add_argument("--results", type=Path, metavar="DIR", help="a new "
                        "folder for the index and all logs; see usb-lab diff")
    try_.add_setting(parser)
    try_.add_expectations(parser)
    try_.add_kernel_options(parser)


def positive(text: str) -> int:
    """For argparse: 1 or more."""
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"'{text}' is no number above 0")
    return int(text)


def part(text: str) -> Tuple[int, int]:
    """For argparse: K/N, 1 <= K <= N."""
    first, _, count = text.partition("/")
    if not (first.isdecimal() and count.isdecimal()
            and 1 <= int(first) <= int(count)):
        raise argparse.ArgumentTypeError(f"'{text}' is not K/N")
    return int(first), int(count)


def run(options: argparse.Namespace) -> int:
    if options.results and options.results.exists():
        raise Problem(f"{options.results} is there already")
    jobs = all_jobs(options)
    with ThreadPoolExecutor(options.parallel) as pool:
        entries = list(pool.map(lambda job: do(*job), jobs))
    finish(options, entries)
    return status(entries)


def all_jobs(options: argparse.Namespace) -> List[Job]:
    """What is to be tried, in order; each device file is read first."""
    devices = find(options.paths)
    sources = try_.find_all(options.kernel)
    controllers = options.controller or try_.CONTROLLERS[:1]
    jobs = []
    for source, name, controller, _ in itertools.product(
            sources, devices, controllers, range(options.repeat)):
        setting = try_.make_setting(
            argparse.Namespace(**{**vars(options), "device": str(name)}),
            controller)
        if options.results:
            setting.keep = options.results / name.stem
        jobs.append((name.stem, setting, source))
    first, count = options.part
    return jobs[first - 1::count]


def find(paths: List[Path]) -> List[Path]:
    """The device files there; raises Problem where there are none."""
    found: List[Path] = []
    for path in paths:
        if not path.exists():
            raise Problem(f"{path}: No such file or directory")
        ours = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
        if not ours:
            raise Problem(f"{path} has no device file (*{SUFFIX})")
        found += ours
    return found


def do(name: str, setting: Setting, source: Source) -> Entry:
    """One trial; a device that is none is bad, and others go on."""
    try:
        outcome = try_.one(setting, source)
    except Problem as problem:
        outcome = Outcome(source.name, setting.controller, Result.BAD,
                          [str(problem)])
    made = results.entry(name, outcome)
    word = try_.WORDS[outcome.result]
    print(f"{made.kernel}, {made.controller}: {name}: {word}"
          f"{': ' + made.why if made.why else ''} ({made.seconds:.1f} s)",
          flush=True)
    return made


def finish(options: argparse.Namespace, entries: List[Entry]) -> None:
    """Reports, and the sum."""
    for path, text in ((options.ktap, report.ktap(entries)),
                       (options.junit, report.junit(entries))):
        if path:
            path.write_text(text)
    if options.results:
        results.write(options.results, entries)
    counts = {result.name.lower(): 0 for result in Result}
    for one in entries:
        counts[one.result] += 1
    flaky = [key for key, word in results.verdicts(entries).items()
             if word == results.FLAKY]
    for key in flaky:
        print(f"flaky: {', '.join(key)}")
    print(", ".join(f"{count} {word}" for word, count in counts.items()))


def status(entries: List[Entry]) -> int:
    """The exit status."""
    found = {one.result for one in entries}
    if "bad" in found:
        return Result.BAD.value
    return Result.GOOD.value if "good" in found else Result.SKIPPED.value
