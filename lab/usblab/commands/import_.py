# SPDX-License-Identifier: GPL-2.0-or-later
"""
Read what people send, and write a device file.

FILE is a mail, a dump or a capture: lsusb -v of any version, descriptors as
sysfs has them (binary, hex, xxd), umockdev records, HID report descriptors
(rdesc, usbhid-dump, hid-recorder), captures (pcap and pcapng of Linux,
Windows or a wire; usbmon's text), syzkaller programs, recordings of fwupd,
/sys/kernel/debug/usb/devices; compressed by gzip or not.  What became of each
line is printed: whole, inferred by a rule, guessed, or missing.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections import Counter
from pathlib import Path
from typing import List, Optional

from .. import capture
from ..describe import MALFORMED, describe
from ..devicefile import SUFFIX, DeviceFile, Part, write
from ..errors import Problem
from ..formats import FINDERS, Finder, enumeration, hid_text, mail
from ..formats.found import Candidate, Source
from ..model import Description
from ..source import python_source
from .show import notes, summary

IDS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE",
                        help="what was sent; - is standard input")
    parser.add_argument("-d", "--device", metavar="ID", default="",
                        help="which device, if there are several: "
                        "VENDOR:PRODUCT or its number in the list; the ids "
                        "of a report descriptor that is alone")
    parser.add_argument("--all", action="store_true",
                        help="each device to a file of its own, in the "
                        "folder of --output")
    parser.add_argument("-o", "--output", metavar="FILE", type=Path,
                        help="the device file (VENDOR-PRODUCT.usbdev); "
                        "- is standard output")
    parser.add_argument("--python", action="store_true",
                        help="write a device of usbremote instead")
    parser.add_argument("--as-printed", action="store_true",
                        help="take a text at its word that does not add up")
    parser.add_argument("--capture", metavar="FILE",
                        help="a capture of this device, to be replayed")
    parser.add_argument("-q", "--quiet", action="store_true",
                        help="say one line only")


def run(options: argparse.Namespace) -> int:
    candidates = find(read_input(options.file), options.file,
                      options.device.lower())
    if options.all:
        return import_all(candidates, options)
    import_one(choose(candidates, options), candidates, options,
               options.output)
    return 0


def import_all(candidates: List[Candidate],
               options: argparse.Namespace) -> int:
    """Each device to a file of its own; what is refused is said."""
    status, names = 0, Counter[str]()
    for chosen in main_ones(candidates, options):
        name = chosen.ids.replace(":", "-")
        names[name] += 1
        number = f"-{names[name]}" if names[name] > 1 else ""
        suffix = ".py" if options.python else SUFFIX
        path = (options.output or Path()) / f"{name}{number}{suffix}"
        try:
            import_one(chosen, candidates, options, path)
        except Problem as problem:
            print(f"usb-lab: {chosen.ids}: {problem}", file=sys.stderr)
            status = 2
    return status


def import_one(chosen: Candidate, candidates: List[Candidate],
               options: argparse.Namespace, output: Optional[Path]) -> None:
    """One device to its file, and what became of the lines."""
    file = device_file(chosen, candidates, options)
    try:
        description = describe(file)
    except Problem as problem:
        raise Problem(f"{options.file}: {problem}", None,
                      problem.hints) from None
    suffix = ".py" if options.python else SUFFIX
    path = output or Path(description.ids.replace(":", "-") + suffix)
    to_stdout = str(path) == "-"
    program = "device.py" if to_stdout else path.name
    text = python_source(description, file.title, program) \
        if options.python else write(file)
    say = sys.stderr if to_stdout else sys.stdout
    print(summary(description), file=say)
    if not options.quiet:
        print("\n".join(notes(description)), file=say)
    if to_stdout:
        print(text, end="")
        return
    save(path, text)
    if options.python:
        path.chmod(0o755)
    print(f"written: {path}")


def read_input(name: str) -> bytes:
    try:
        if name == "-":
            return sys.stdin.buffer.read()
        return Path(name).read_bytes()
    except OSError as err:
        raise Problem(f"{name}: {err.strerror}") from None


def save(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as err:
        raise Problem(f"{path}: {err.strerror}") from None


def find(data: bytes, name: str, wanted: str) -> List[Candidate]:
    """
    All evidence of devices in what was sent; wanted: the ids of reports that
    are alone and do not have them.
    """
    found = [candidate for source in mail.sources(data, name)
             for finder in FINDERS for candidate in find_with(finder, source)]
    if IDS.fullmatch(wanted) and not any(one.main for one in found):
        for report in nameless(found):
            report.ids = wanted
    return found + made_up(found)


def nameless(candidates: List[Candidate]) -> List[Candidate]:
    """Report descriptors that do not say of which device they are."""
    return [candidate for candidate in candidates
            if candidate.kind == "hid-report" and not candidate.ids]


def find_with(finder: Finder, source: Source) -> List[Candidate]:
    """What only looks like evidence is none."""
    try:
        return finder(source)
    except MALFORMED:
        return []


def main_ones(candidates: List[Candidate],
              options: argparse.Namespace) -> List[Candidate]:
    """What describes a device by itself."""
    main = [candidate for candidate in candidates if candidate.main]
    if not main and nameless(candidates):
        raise Problem(f"{options.file}: report descriptors without the ids of "
                      "their device: give them with --device VENDOR:PRODUCT")
    if not main:
        raise Problem(f"{options.file}: no device is described in it (see "
                      "usb-lab import --help for what is read)")
    return main


def choose(candidates: List[Candidate],
           options: argparse.Namespace) -> Candidate:
    """The device that is meant; asks only where there is somebody to ask."""
    main = main_ones(candidates, options)
    wanted = options.device.lower()
    if not wanted and len(main) == 1:
        return main[0]
    if not wanted and sys.stdin.isatty() and options.file != "-":
        print("\n".join(listing(main)))
        wanted = input("Which one? ").strip().lower()
    if wanted.isdigit() and 0 < int(wanted) <= len(main):
        return main[int(wanted) - 1]
    named = [candidate for candidate in main if candidate.ids == wanted]
    if len(named) == 1:
        return named[0]
    raise Problem(f'{options.file}: "{wanted}" is {len(named)} of these '
                  "devices" if wanted else f"{options.file}: choose one of "
                  f"{len(main)} devices with --device", None,
                  tuple(listing(main)))


def listing(candidates: List[Candidate]) -> List[str]:
    return [f"  {number:2} {candidate.ids} {candidate.name} (line "
            f"{candidate.line}, {candidate.kind})"
            for number, candidate in enumerate(candidates, 1)]


def device_file(chosen: Candidate, candidates: List[Candidate],
                options: argparse.Namespace) -> DeviceFile:
    """The file of one device, with what else there is about it."""
    file = DeviceFile(title=f"{chosen.ids} {chosen.name}".strip(),
                      as_printed=options.as_printed, speed=chosen.speed,
                      parts=[part_of(chosen)])
    more = [candidate for candidate in candidates
            if not candidate.main and candidate.ids in ("", chosen.ids)]
    if more:
        file.parts += reports(describe(file), more)
    if chosen.capture and options.file != "-":
        file.capture = beside(options.file, options.output)
    if options.capture:
        file.parts.append(recorded(chosen.ids, options.capture))
        file.capture = beside(options.capture, options.output)
    return file


def beside(path: str, output: Optional[Path]) -> str:
    """The path of a file as seen from the device file."""
    folder = Path() if output is None else \
        output if output.is_dir() else output.parent
    return os.path.relpath(path, folder)


def recorded(ids: str, path: str) -> Part:
    """
    What a capture has of a device that something else describes: the one
    with these ids, or the only one whose descriptors were not read.
    """
    groups = enumeration.by_device(capture.transfers(read_input(path)))
    named = [own for own in groups.values()
             if enumeration.ids_in(own) == ids] or \
        [own for (_, device), own in groups.items()
         if device and not enumeration.ids_in(own)]
    if len(named) != 1:
        raise Problem(f"{path}: {len(named)} devices of the capture could be "
                      f"{ids}")
    return Part("control", "", enumeration.write(named[0]), named[0][0].line)


def part_of(candidate: Candidate) -> Part:
    return Part(candidate.kind, candidate.argument, candidate.text,
                candidate.line)


def reports(description: Description,
            candidates: List[Candidate]) -> List[Part]:
    """
    Report descriptors with their interfaces: as the text says, else the
    first HID interface that wants one of this length.
    """
    free = hid_text.lengths(description)
    parts = []
    for candidate in candidates:
        number = int(candidate.argument or -1)
        if number < 0:
            size = len(hid_text.report_bytes(candidate.text))
            number = next((place for place, length in free.items()
                           if length == size), -1)
        if free.pop(number, None) is not None:
            parts.append(Part("hid-report", str(number), candidate.text,
                              candidate.line))
    return parts


def made_up(candidates: List[Candidate]) -> List[Candidate]:
    """A device for each report whose device nothing else describes."""
    known = {candidate.ids for candidate in candidates if candidate.main}
    alone = {candidate.ids: candidate for candidate in reversed(candidates)
             if candidate.kind == "hid-report" and candidate.ids
             and candidate.ids not in known}
    for candidate in alone.values():
        candidate.argument = "0"
    return [Candidate(hid_text.SKELETON, ids, report.name, "", report.line,
                      f"{ids} {len(hid_text.report_bytes(report.text))}")
            for ids, report in alone.items()]
