# SPDX-License-Identifier: GPL-2.0-or-later
"""Results for other programs: KTAP version 1, and JUnit's XML."""

from __future__ import annotations

import re
from typing import Dict, List
from xml.etree import ElementTree

from .results import Entry

KTAP = "KTAP version 1"


def by_kernel(entries: List[Entry]) -> Dict[str, List[Entry]]:
    """Entries of each kernel, kernels in the order of the run."""
    found: Dict[str, List[Entry]] = {}
    for one in entries:
        found.setdefault(one.kernel, []).append(one)
    return found


def ktap(entries: List[Entry]) -> str:
    """A test for each kernel, with a subtest for each device in it."""
    kernels = by_kernel(entries)
    lines = [KTAP, f"1..{len(kernels)}"]
    for number, (kernel, ours) in enumerate(kernels.items(), 1):
        lines += [f"    {line}" for line in _subtests(kernel, ours)]
        lines.append(_line(number, kernel, _sum(ours)))
    return "".join(f"{line}\n" for line in lines)


def _subtests(kernel: str, entries: List[Entry]) -> List[str]:
    lines = [KTAP, f"# Subtest: {_name(kernel)}", f"1..{len(entries)}"]
    for number, one in enumerate(entries, 1):
        if one.why and one.result != "skipped":
            lines.append(f"# {one.why}")
        lines.append(_line(number, title(one), one.result, one.why))
    return lines


def _sum(entries: List[Entry]) -> str:
    results = {one.result for one in entries}
    return "bad" if "bad" in results else \
        "skipped" if results == {"skipped"} else "good"


def _line(number: int, name: str, result: str, why: str = "") -> str:
    word = "not ok" if result == "bad" else "ok"
    skip = f" # SKIP {why}".rstrip() if result == "skipped" else ""
    return f"{word} {number} {_name(name)}{skip}"


def _name(text: str) -> str:
    """Without what KTAP gives a meaning."""
    return re.sub(r"[#\s]+", "_", text)


def title(one: Entry) -> str:
    """A device on a controller."""
    return f"{one.device} {one.controller}"


def junit(entries: List[Entry]) -> str:
    """A suite for each kernel."""
    root = ElementTree.Element("testsuites", name="usb-lab")
    for kernel, ours in by_kernel(entries).items():
        results = [one.result for one in ours]
        suite = ElementTree.SubElement(
            root, "testsuite", name=kernel, tests=str(len(ours)),
            failures=str(results.count("bad")), errors="0",
            skipped=str(results.count("skipped")),
            time=f"{sum(one.seconds for one in ours):.2f}")
        for one in ours:
            _case(suite, one)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode",
                                xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, one: Entry) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", name=title(one), classname=one.kernel,
        time=f"{one.seconds:.2f}")
    tag = {"bad": "failure", "skipped": "skipped"}.get(one.result)
    if tag:
        ElementTree.SubElement(case, tag, message=_printable(one.why))


def _printable(text: str) -> str:
    """XML has no control characters."""
    return "".join(c if c.isprintable() else "?" for c in text)
