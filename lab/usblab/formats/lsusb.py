# SPDX-License-Identifier: GPL-2.0-or-later
"""
What "lsusb -v" prints (usbutils 0.80 to 019), to descriptors.

The sum of the descriptors has to be wTotalLength, and what is printed twice
has to agree; else the text is refused, or taken as printed where the device
file says so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Iterator, List, Optional, Tuple

from ..devicefile import DeviceFile, Part
from ..errors import Problem
from ..model import (BOS, COMPANION, CONFIGURATION, CS_ENDPOINT, DEVICE,
                     QUALIFIER, REPORT, STRING, Answer, Description, Grade,
                     string_descriptor)
from . import hid_report, lsusb_check
from .found import Candidate, Source
from .lsusb_blocks import Block, Field, split
from .lsusb_bytes import Context, Encoded, encode, number
from .lsusb_lines import NO_CONFIGURATION, Cleaned, Line, clean

BUS = re.compile(r"^(?:Bus \d{3} Device \d{3}:|Device:) ID "
                 r"([0-9a-f]{4}):([0-9a-f]{4})\b ?(.*)$", re.I)
SPEED = re.compile(r"^Negotiated speed: .*\((\d+(?:\.\d+)?)([MG])bps\)")
SPEEDS = {"1M": "low", "1.5M": "low", "12M": "full", "480M": "high"}
NOT_STRINGS = ("iIPPVersionsSupported", "iLandingPage", "id")
GUID = re.compile(r"\{[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f]{4})-([0-9a-f]{4})-",
                  re.I)
MAC_ADDRESS = "020000000001"        # locally administered
REQUESTS = (
    "grep -H . /sys/bus/usb/devices/*/{idVendor,idProduct}; for d in "
    "/sys/bus/usb/devices/*/descriptors; do echo $d; xxd -p $d; done",
    "for r in /sys/kernel/debug/hid/*/rdesc; do echo $r; head -1 $r; done",
)
HINTS = ("Ask the reporter for the output of these two commands (the second "
         "as root):", *(f"    {request}" for request in REQUESTS),
         "or take the text at its word with --as-printed.")


@dataclass
class Found:
    """A device in a text: its lines, and what its head says."""
    ids: str
    name: str
    lines: List[Line] = field(default_factory=list)
    speed: Optional[str] = None
    has_descriptor: bool = False

    @property
    def line(self) -> int:
        return self.lines[0].number if self.lines else 0


def devices(cleaned: Cleaned) -> List[Found]:
    """The devices that are described in a text, in its order."""
    found: List[Found] = []
    pending_speed: Optional[str] = None
    for line in cleaned.lines:
        bus, speed = BUS.match(line.text), SPEED.match(line.text)
        if bus:
            found.append(Found(f"{bus[1]}:{bus[2]}".lower(), bus[3].strip()))
        elif line.text.startswith("Device Descriptor:"):
            if not found or found[-1].has_descriptor:
                found.append(Found("", "", speed=pending_speed))
            found[-1].has_descriptor = True
        elif speed:
            pending_speed = SPEEDS.get(speed[1] + speed[2], "super")
            if found and not found[-1].has_descriptor:
                found[-1].speed = pending_speed
        if found:
            found[-1].lines.append(line)
    return [device for device in found if device.has_descriptor]


def find(source: Source) -> List[Candidate]:
    """Each device in a text, with its lines as they came."""
    found = devices(clean(source.text))
    rows = source.text.split("\n")
    candidates = []
    for device, after in zip(found, [*found[1:], None]):
        begin = device.line
        end = after.line - 1 if after else last_line(device)
        candidates.append(Candidate(
            "lsusb", own_ids(device), device.name,
            "\n".join(rows[begin - 1:end]) + "\n", source.line + begin - 1))
    return candidates


def last_line(device: Found) -> int:
    """Of the last block: what follows is the rest of the mail."""
    blocks = split(device.lines)
    last = blocks[-1] if blocks else None
    lines = [device.lines[-1].number] if last is None else [
        last.line, *(found.line for found in last.fields),
        *(item.line for report in last.reports
          for item in report.items or [])]
    ends = [line.number for line in device.lines
            if line.number >= max(lines)]
    # a row or two of explanations belong to it
    known = last.remarks if last else []
    return max([max(lines), *(line.number for line in known[:2]
                              if line.number in ends)])


def apply(part: Part, description: Description, file: DeviceFile) -> None:
    """--- lsusb: the text of one device, or of several and device = ID."""
    cleaned = clean(part.text)
    found = choose(devices(cleaned), file.device)
    Reader(found, cleaned.messages, description, file.as_printed).run()


def choose(found: List[Found], wanted: str) -> Found:
    """The device with an id, the only one if there is no id to choose by."""
    named = [device for device in found
             if not wanted or own_ids(device) == wanted.lower()]
    if len(named) != 1:
        names = ", ".join(own_ids(device) for device in found)
        raise Problem("no device is described here: there is no \"Device "
                      "Descriptor:\"" if not found else
                      f'device "{wanted}" is there {len(named)} times; the '
                      f"text has {names}")
    return named[0]


def own_ids(device: Found) -> str:
    """idVendor:idProduct, from the fields where there is no line above."""
    if device.ids:
        return device.ids
    ids = {"idVendor": "????", "idProduct": "????"}
    for line in device.lines:
        match = re.match(r"^(idVendor|idProduct) +0x([0-9a-f]{4})\b",
                         line.text, re.I)
        if match:
            ids[match[1]] = match[2].lower()
    return f"{ids['idVendor']}:{ids['idProduct']}"


@dataclass
class Chain:
    """A configuration, or the BOS: its blocks and their bytes."""
    blocks: List[Block] = field(default_factory=list)
    parts: List[bytes] = field(default_factory=list)

    @property
    def data(self) -> bytes:
        return b"".join(self.parts)


class Reader:
    """The blocks of one device to a description."""

    def __init__(self, found: Found, messages: List[Line],
                 description: Description, as_printed: bool) -> None:
        self.found = found
        self.messages = messages
        self.description = description
        self.as_printed = as_printed
        self.blocks = split(found.lines)
        self.context = Context()
        self.problems: List[Problem] = []
        self.configurations: List[Chain] = []
        self.bos: Optional[Chain] = None
        self.otg: Optional[Block] = None
        self.chain: Optional[Chain] = None
        self.strings = Strings(description)

    def run(self) -> None:
        self.context.is_old = self.is_old()
        self.context.straight_guids = self.is_old() and straight_guids(
            " ".join(line.text for line in self.found.lines))
        for block in self.blocks:
            self.take(block)
        self.finish_device()
        for index, chain in enumerate(self.configurations):
            self.finish_chain(chain, "configuration")
            self.description.descriptors[CONFIGURATION, index] = chain.data
        if self.bos:
            self.finish_chain(self.bos, "BOS")
            self.description.descriptors[BOS, 0] = self.bos.data
        self.strings.finish()
        self.settle()
        if self.found.speed:
            self.description.speed = self.found.speed

    # versions of lsusb

    def is_old(self) -> bool:
        """usbutils up to 009 prints wTotalLength in decimal."""
        totals = [field for block in self.blocks
                  if block.kind in ("configuration", "bos")
                  for field in [block.get("wTotalLength")] if field]
        return bool(totals) and not totals[0].token.startswith("0x")

    def power_unit(self, device: Block) -> int:
        """
        MaxPower is in steps of 8 mA at super speed (USB 3.2 table 9-24);
        usbutils up to 008 takes them for 2 mA all the same.
        """
        version = device.get("bcdUSB")
        if version is None or not version.token[:1] in "3456789" or \
                "." not in version.token:
            return 2
        if not self.is_old():
            return 8
        amounts = [int(match[1]) for block in self.blocks
                   for power in [block.get("MaxPower")] if power
                   for match in [re.match(r"(\d+)", power.value)] if match]
        unit = 8 if any(amount > 510 for amount in amounts) else 2
        self.description.note(Grade.GUESSED, device.line, "MaxPower is in "
                              f"steps of {unit} mA in this version of lsusb")
        return unit

    # blocks

    def take(self, block: Block) -> None:
        if block.kind == "device":
            self.context.power_unit = self.power_unit(block)
        if block.kind == "interface":
            self.context.interface = class_of(block)
        if block.kind == "other":
            self.chain = None
            return
        if block.kind == "hub":
            self.take_hub(block)
            return
        self.problems += lsusb_check.problems(block, self.context)
        encoded = encode(block, self.context)
        data = self.with_companion(block, encoded.data)
        self.note(encoded)
        self.strings.take(block)
        self.store(block, data)
        if block.kind == "hid":
            self.take_reports(block)

    def take_hub(self, block: Block) -> None:
        """What GET_DESCRIPTOR of the hub class gives, no configuration."""
        self.chain = None
        encoded = encode(block, self.context)
        if encoded.problem:
            self.description.note(
                Grade.MISSING, encoded.problem.line or block.line,
                f"the hub descriptor: {encoded.problem.args[0]}", "other")
            return
        for grade, line, text in encoded.notes:
            self.description.note(grade, line, text, "other")
        self.description.answers.append(Answer(
            bytes((0xa0, 6, 0, encoded.data[1], 0, 0, len(encoded.data), 0)),
            encoded.data))

    def note(self, encoded: Encoded) -> None:
        if encoded.problem:
            self.problems.append(encoded.problem)
        for grade, line, text in encoded.notes:
            self.description.note(grade, line, text)

    def store(self, block: Block, data: bytes) -> None:
        descriptors = self.description.descriptors
        if block.kind == "device":
            descriptors[DEVICE, 0] = data
        elif block.kind == "qualifier":
            descriptors[QUALIFIER, 0] = data
            self.chain = None
        elif block.kind == "debug":
            descriptors[10, 0] = data
            self.chain = None
        elif block.kind == "otg":
            self.otg = block
        else:
            self.store_in_chain(block, data)

    def store_in_chain(self, block: Block, data: bytes) -> None:
        if block.kind == "configuration":
            self.chain = Chain()
            self.configurations.append(self.chain)
        elif block.kind == "bos":
            self.chain = self.bos = Chain()
        if self.chain is None:
            self.problems.append(Problem(
                "a descriptor outside of any configuration", block.line))
            return
        self.chain.blocks.append(block)
        self.chain.parts.append(data)

    def with_companion(self, block: Block, data: bytes) -> bytes:
        """Of a SuperSpeed endpoint's companion, one to three fields show."""
        if block.kind != "companion":
            return data
        endpoint = next((other for other in reversed(
            self.chain.blocks if self.chain else [])
            if other.kind == "endpoint"), None)
        if endpoint is None:
            self.problems.append(Problem("bMaxBurst without an endpoint",
                                         block.line))
            return data
        assert self.chain is not None
        if self.chain.blocks[-1] is not endpoint:
            self.problems.append(Problem(
                "bMaxBurst does not follow its endpoint", block.line))
        self.description.note(Grade.INFERRED, block.line, "the rest of the "
                              "SuperSpeed companion, USB 3.2 table 9-28")
        return companion(block, endpoint)

    def take_reports(self, block: Block) -> None:
        interface = next((other for other in reversed(
            self.chain.blocks if self.chain else [])
            if other.kind == "interface"), None)
        if interface is None:
            return
        where = interface.get("bInterfaceNumber")
        place = number(where) if where else 0
        length = report_length(block)
        if length is None:
            return
        try:
            data = self.report(block, interface, length)
        except Problem as problem:
            data = hid_report.guess(length, 0)
            self.description.note(Grade.GUESSED, problem.line or block.line,
                                  f"{problem.args[0]}: one of {length} bytes "
                                  "in its place", "reports")
        self.description.reports[place] = data

    def report(self, block: Block, interface: Block, length: int) -> bytes:
        """As printed, or a guess of the same length."""
        for report in block.reports:
            if report.items is not None:
                return hid_report.encode(report, length)
        _, subclass, protocol = class_of(interface)
        self.description.note(
            Grade.GUESSED, block.line, "the report descriptor is not in the "
            f"text: one of {length} bytes in its place", "reports")
        return hid_report.guess(length, protocol if subclass == 1 else 0)

    # the whole

    def finish_device(self) -> None:
        device = next((block for block in self.blocks
                       if block.kind == "device"), None)
        assert device is not None
        ids = self.description.ids
        if self.found.ids and self.found.ids != ids:
            self.problems.append(Problem(
                f"idVendor and idProduct are {ids}, the line above the "
                f"device says {self.found.ids}", device.line))
        declared = device.get("bNumConfigurations")
        count = len(self.configurations)
        if declared is not None and number(declared) != count:
            self.problems.append(Problem(
                f"bNumConfigurations is {number(declared)}, but the text has "
                f"{count}" + self.why_none(), declared.line))

    def why_none(self) -> str:
        if any(NO_CONFIGURATION.search(line.text) for line in self.messages):
            return ", because libusb could not read it"
        return ""

    def finish_chain(self, chain: Chain, what: str) -> None:
        """The sum of the parts is the total length."""
        self.add_otg(chain)
        self.add_video_endpoints(chain)
        total = chain.blocks[0].get("wTotalLength")
        size = len(chain.data)
        if total is not None and number(total) != size:
            more = size - number(total)
            self.problems.append(Problem(
                f"wTotalLength of the {what} is {number(total)}, its "
                f"descriptors have {size} bytes: {abs(more)} "
                + ("too many" if more > 0 else "are not in the text"),
                total.line))
        self.problems += lsusb_check.counts(chain.blocks)

    def add_otg(self, chain: Chain) -> None:
        """It is printed apart from where it stands."""
        total = chain.blocks[0].get("wTotalLength")
        if self.otg is None or total is None or \
                number(total) - len(chain.data) != 3:
            return
        data = encode(self.otg, self.context).data
        chain.parts.insert(1, data)
        self.description.note(Grade.GUESSED, self.otg.line, "where the OTG "
                              "descriptor stands: first in the configuration")

    def add_video_endpoints(self, chain: Chain) -> None:
        """
        Up to version 014, lsusb passes over the class's own descriptor of
        the interrupt endpoint of video controls (UVC 1.1 table 3-12).
        """
        places = video_interrupts(chain.blocks)
        total = chain.blocks[0].get("wTotalLength")
        if not places or total is None or \
                number(total) - len(chain.data) != 5 * len(places):
            return
        for at, endpoint in reversed(places):
            packet = endpoint.get("wMaxPacketSize")
            size = number(packet) & 0x7ff if packet else 0
            chain.parts.insert(at, bytes((5, CS_ENDPOINT, 3))
                               + size.to_bytes(2, "little"))
            self.description.note(
                Grade.INFERRED, endpoint.line, "the endpoint's VideoControl "
                "descriptor, with wMaxTransferSize as wMaxPacketSize")

    def settle(self) -> None:
        """Refuse, or take the text as it is printed."""
        if not self.problems:
            self.description.note(Grade.WHOLE, self.found.line, "lsusb -v of "
                                  f"{self.description.ids}, which adds up")
            return
        if not self.as_printed:
            first = self.problems[0]    # sums come after what they consist of
            raise Problem(first.args[0], first.line, HINTS)
        for problem in sorted(self.problems,
                              key=lambda problem: problem.line or 0):
            self.description.note(Grade.MISSING, problem.line or 0,
                                  f"as printed: {problem.args[0]}")


def straight_guids(text: str) -> Optional[bool]:
    """
    Are GUIDs printed byte by byte, as up to version 008?  Those of video
    formats end in -0000-1000-8000-00aa00389b71 then, and in -0000-0010-...
    later; of others, the version (RFC 4122 section 4.1.3) is where the order
    puts it.  None if that says nothing.
    """
    if "-0010-8000-00aa00389b71" in text:
        return False
    if "-1000-8000-00aa00389b71" in text:
        return True
    straight = mixed = 0
    for third, fourth in GUID.findall(text):
        if fourth[0] in "89ab":
            mixed += third[0] in "12345" and third[2] not in "12345"
            straight += third[2] in "12345" and third[0] not in "12345"
    return None if bool(straight) == bool(mixed) else bool(straight)


def class_of(interface: Block) -> Tuple[int, int, int]:
    """bInterfaceClass, bInterfaceSubClass and bInterfaceProtocol."""
    fields = [interface.get(name) for name in (
        "bInterfaceClass", "bInterfaceSubClass", "bInterfaceProtocol")]
    values = [number(found) if found else 0 for found in fields]
    return values[0], values[1], values[2]


def video_interrupts(blocks: List[Block]) -> List[Tuple[int, Block]]:
    """
    The interrupt endpoints of VideoControl interfaces that have no
    descriptor of the class: the place for it, and the endpoint.
    """
    found = []
    kind = (0, 0)
    for at, block in enumerate(blocks):
        if block.kind == "interface":
            kind = class_of(block)[:2]
        attributes = block.get("bmAttributes")
        if block.kind != "endpoint" or kind != (14, 1) or \
                attributes is None or number(attributes) & 3 != 3:
            continue
        after = at + 1
        while after < len(blocks) and blocks[after].kind == "companion":
            after += 1
        if after == len(blocks) or blocks[after].kind != "videoendpoint":
            found.append((after, block))
    return found


def report_length(block: Block) -> Optional[int]:
    """wDescriptorLength of the first report descriptor."""
    kinds = [found for found in block.fields
             if found.name == "bDescriptorType"][1:]
    sizes = [found for found in block.fields
             if found.name == "wDescriptorLength"]
    for kind, size in zip(kinds, sizes):
        if number(kind) == REPORT:
            return number(size)
    return None


def companion(block: Block, endpoint: Block) -> bytes:
    """USB 3.2 table 9-28, from the fields that lsusb shows."""
    burst, streams = block.get("bMaxBurst"), block.get("MaxStreams")
    mult, printed = block.get("Mult"), block.get("wBytesPerInterval")
    kind, packet = endpoint.get("bmAttributes"), endpoint.get(
        "wMaxPacketSize")
    attributes = number(mult) if mult else 0
    if streams:
        attributes = max(number(streams), 1).bit_length() - 1
    per_interval = number(printed) if printed else 0
    if not printed and kind and packet and number(kind) & 1:
        times = (number(burst) if burst else 0) + 1
        per_interval = number(packet) * times * (
            (number(mult) if mult else 0) + 1)
    return bytes((6, COMPANION, (number(burst) if burst else 0) & 0xff,
                  attributes & 0xff)) + (per_interval & 0xffff).to_bytes(
                      2, "little")


class Strings:
    """String descriptors, as far as a text has them."""

    def __init__(self, description: Description) -> None:
        self.description = description
        self.wanted: "dict[int, Field]" = {}

    def take(self, block: Block) -> None:
        for index, found in string_fields(block):
            self.wanted.setdefault(index, found)
            text = found.rest
            if text and text != "(error)" and text != "(??)" and \
                    (STRING, index) not in self.description.descriptors:
                self.description.descriptors[STRING, index] = \
                    string_descriptor(text)

    def finish(self) -> None:
        """Something in place of what the text has not."""
        for index, found in sorted(self.wanted.items()):
            if (STRING, index) in self.description.descriptors:
                continue
            text = MAC_ADDRESS if found.name == "iMacAddress" else "?"
            self.description.descriptors[STRING, index] = \
                string_descriptor(text)
            self.description.note(
                Grade.MISSING, found.line, f"{found.name} {index}: the "
                f'string is not in the text, "{text}" in its place',
                "strings")


def string_fields(block: Block) -> Iterator[Tuple[int, Field]]:
    """(index, field) of each that is the index of a string."""
    for found in block.fields:
        if re.match(r"i[A-Z]", found.name) and \
                found.name not in NOT_STRINGS and number(found):
            yield number(found), found
