# SPDX-License-Identifier: GPL-2.0-or-later
"""
A block of lsusb's text to the bytes of its descriptor.

The fields have to be there in the order in which lsusb prints them
(lsusb_names.LAYOUTS); then their bytes follow each other, but for the cases
in SPECIAL and REORDERED, where usbutils prints less than there is, more, or
in another order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from ..errors import Problem
from ..model import COMPANION, CS_INTERFACE, Grade
from .lsusb_blocks import Block, Field
from .lsusb_names import PARSED, Step, width_of

# lsusb prints one byte of DeviceRemovable for up to 7 ports, but it has two
# (USB 3.2 table 10-5)
SUPER_HUB = bytes((12, 0x2a))
UAC_VERSION = {0x00: "1", 0x20: "2", 0x30: "3"}
# bDescriptorSubtype of an AudioControl interface, by the version of the class
AUDIO_CONTROL: Mapping[str, Tuple[str, ...]] = {
    "1": ("", "HEADER", "INPUT_TERMINAL", "OUTPUT_TERMINAL", "MIXER_UNIT",
          "SELECTOR_UNIT", "FEATURE_UNIT", "PROCESSING_UNIT",
          "EXTENSION_UNIT"),
    "2": ("", "HEADER", "INPUT_TERMINAL", "OUTPUT_TERMINAL", "MIXER_UNIT",
          "SELECTOR_UNIT", "FEATURE_UNIT", "EFFECT_UNIT", "PROCESSING_UNIT",
          "EXTENSION_UNIT", "CLOCK_SOURCE", "CLOCK_SELECTOR",
          "CLOCK_MULTIPLIER", "SAMPLE_RATE_CONVERTER_UNIT"),
    "3": ("", "HEADER", "INPUT_TERMINAL", "OUTPUT_TERMINAL",
          "EXTENDED_TERMINAL", "MIXER_UNIT", "SELECTOR_UNIT", "FEATURE_UNIT",
          "EFFECT_UNIT", "PROCESSING_UNIT", "EXTENSION_UNIT", "CLOCK_SOURCE",
          "CLOCK_SELECTOR", "CLOCK_MULTIPLIER", "SAMPLE_RATE_CONVERTER_UNIT",
          "CONNECTORS", "POWER_DOMAIN"),
}
SAME_NAME = {"SAMPLING_RATE_CONVERTER": "SAMPLE_RATE_CONVERTER_UNIT"}
AUDIO_STREAMING = ("", "AS_GENERAL", "FORMAT_TYPE", "FORMAT_SPECIFIC")
FORMAT_TYPES = ("", "FORMAT_TYPE_I", "FORMAT_TYPE_II", "FORMAT_TYPE_III",
                "FORMAT_TYPE_IV")
IN_PARENTHESES = re.compile(r"^\(([^)]*)\)")


@dataclass
class Context:
    """
    What the text around a block says: the class, subclass and protocol of
    the interface; mA in a unit of MaxPower; whether GUIDs are printed in the
    order of their bytes (usbutils up to 008), None if nobody can tell;
    whether usbutils is older than 010.
    """
    interface: Tuple[int, int, int] = (0, 0, 0)
    power_unit: int = 2
    straight_guids: Optional[bool] = False
    is_old: bool = False


@dataclass
class Encoded:
    """
    A descriptor; notes: (grade, line, text) of what had to be inferred.
    problem: why it is not certain, to be raised unless the text is taken as
    it is printed.
    """
    data: bytes
    notes: List[Tuple[Grade, int, str]]
    problem: Optional[Problem] = None


def encode(block: Block, context: Context) -> Encoded:
    """The bytes of a block, which is whole unless there is a problem."""
    if block.kind in ("raw", "pipe"):
        return encode_raw(block)
    return Encoder(block, context).run()


def encode_raw(block: Block) -> Encoded:
    """A descriptor in hex has to be as long as its first byte says."""
    problem = None
    if block.raw[:1] != bytes((len(block.raw) & 0xff,)):
        problem = Problem(f"{len(block.raw)} bytes of a descriptor whose "
                          "first byte says " + (str(block.raw[0])
                                                if block.raw else "nothing"),
                          block.line)
    return Encoded(block.raw, [], problem)


class Encoder:
    """One block, field by field."""

    def __init__(self, block: Block, context: Context) -> None:
        self.block = block
        self.context = context
        self.notes: List[Tuple[Grade, int, str]] = []
        self.problem: Optional[Problem] = None

    def run(self) -> Encoded:
        block = self.block
        key = layout_key(block, self.context)
        if key in PARSED:
            self.check_order(PARSED[key])
        else:
            self.fault("the heading of a descriptor is missing, or no known "
                       "one" if block.kind == "unknown" else
                       f"no layout of {key}", block.line)
        parts = [(field, self.bytes_of(field)) for field in block.fields]
        parts = reordered(key, parts)
        data = self.prefix() + b"".join(data for _, data in parts)
        data += self.suffix(data)
        return Encoded(self.to_length(data + block.junk), self.notes,
                       self.problem)

    def fault(self, text: str, line: int) -> None:
        """The first reason not to believe the text."""
        if self.problem is None:
            self.problem = Problem(text, line)

    def inferred(self, text: str) -> None:
        self.notes.append((Grade.INFERRED, self.block.line, text))

    # what lsusb does not print

    def prefix(self) -> bytes:
        """Communications descriptors and companions have no length line."""
        if self.block.kind.startswith("cdc:"):
            return bytes((0, CS_INTERFACE, int(self.block.kind[4:])))
        if self.block.kind == "companion":
            return bytes((6, COMPANION))
        return b""

    def suffix(self, data: bytes) -> bytes:
        if self.block.kind == "qualifier":
            return b"\0"            # bReserved, USB 2.0 table 9-9
        if self.block.kind == "hub" and data[:2] == SUPER_HUB:
            return bytes(max(0, SUPER_HUB[0] - len(data)))
        return b""

    def to_length(self, data: bytes) -> bytes:
        """Give it the length that bLength says."""
        block, field = self.block, self.block.get("bLength")
        if block.kind.startswith("cdc:"):
            self.inferred("bLength and type of a communications descriptor")
            return bytes((len(data) & 0xff,)) + data[1:]
        if field is None:
            if block.kind not in ("companion", "unknown"):
                self.fault("bLength is missing", block.line)
            return data
        length = data[0] if data else 0
        if len(data) > length and block.too_short:
            self.inferred(f"bLength is {length}: what lsusb printed beyond "
                          "is of the next descriptor")
            return data[:length]
        if len(data) != length:
            self.fault(f"bLength is {length}, but the fields have "
                       f"{len(data)} bytes", field.line)
        return data

    # fields

    def check_order(self, steps: List[Step]) -> None:
        """Each field has to be there, in lsusb's order."""
        at, fields = 0, self.block.fields
        for step in steps:
            begun = at
            while at < len(fields) and fits(step, fields[at], at - begun):
                at += 1
                if not step.repeated and at - begun == len(step.groups):
                    break
            self.check_count(step, at - begun, at)
        if at < len(fields):
            self.fault(f"{fields[at].name} is not expected here",
                       fields[at].line)

    def check_count(self, step: Step, count: int, at: int) -> None:
        """Is a field there as often as it has to be?"""
        fields = self.block.fields
        line = fields[at].line if at < len(fields) else (
            fields[-1].line if fields else self.block.line)
        name = step.groups[0][0]
        if self.block.too_little and at == len(fields):
            return
        if not count and not step.optional and not step.repeated:
            self.fault(f"{name} is missing before this line"
                       if at < len(fields) else
                       f"{name} is missing after this line", line)
        counter = self.block.get(*step.counted_by)
        if counter is None or not step.repeated:
            return
        expected = number(counter) * len(step.groups)
        if name in CONTINUOUS and expected == 0:
            return
        # from 010 on, lsusb itself may take the count from a wrong place;
        # what is then left is printed as junk
        if count != expected and not (self.block.too_short
                                      or self.block.junk):
            self.fault(f"{counter.name} is {number(counter)}, but there are "
                       f"{count // len(step.groups)} of {name}", line)

    def bytes_of(self, field: Field) -> bytes:
        special = SPECIAL.get((self.block.kind.split(":")[0], field.name)) \
            or SPECIAL.get(("", field.name))
        try:
            if special:
                return special(self, field)
            if width_of(field.name) == 16 and \
                    self.context.straight_guids is None:
                self.notes.append((Grade.GUESSED, field.line, "the order of "
                                   "the GUID's bytes: it was another one up "
                                   "to version 008 of usbutils"))
            return plain(field, self.context)
        except (ValueError, OverflowError):
            self.fault(f'"{field.value}" is no value of {field.name}',
                       field.line)
            return bytes(width_of(field.name) or 1)


# tLowerSamFreq and the like stand in place of a list of no elements
CONTINUOUS = ("tSamFreq", "dwFrameInterval")


def fits(step: Step, field: Field, done: int) -> bool:
    return field.name in step.groups[done % len(step.groups)]


def layout_key(block: Block, context: Context) -> str:
    """Where the layout of a block is in PARSED."""
    version = UAC_VERSION.get(context.interface[2], "1")
    subtype = block.get("bDescriptorSubtype")
    if block.kind == "audioendpoint":
        return f"audioendpoint:{version}"
    if subtype is None:
        return block.kind
    if block.kind == "audiocontrol":
        return audio_control_key(subtype, version)
    if block.kind == "audiostreaming":
        return audio_streaming_key(block, subtype, version)
    key = f"{block.kind}:{number(subtype)}"
    return key if key in PARSED else block.kind


def audio_control_key(subtype: Field, version: str) -> str:
    name = name_of_subtype(subtype, AUDIO_CONTROL[version])
    for key in (f"audiocontrol:{name}:{version}", f"audiocontrol:{name}:2"):
        if key in PARSED:
            return key
    return "audiocontrol:unknown"


def audio_streaming_key(block: Block, subtype: Field, version: str) -> str:
    name = name_of_subtype(subtype, AUDIO_STREAMING)
    kind = block.get("bFormatType")
    if name == "FORMAT_TYPE":
        if kind is None:
            return "audiostreaming:FORMAT_TYPE"
        type_name = name_of_subtype(kind, FORMAT_TYPES)
        key = f"audiostreaming:FORMAT_TYPE:{type_name}:{version}"
        return key if key in PARSED else "audiostreaming:FORMAT_TYPE:unknown"
    for key in (f"audiostreaming:{name}:{version}", f"audiostreaming:{name}"):
        if key in PARSED:
            return key
    return "audiostreaming:unknown"


def name_of_subtype(field: Field, names: Tuple[str, ...]) -> str:
    """The name as printed, else by its number."""
    printed = IN_PARENTHESES.match(field.rest)
    if printed and printed[1] != "unknown":
        return printed[1]
    value = number(field)
    return names[value] if value < len(names) else "unknown"


# values

def number(field: Field) -> int:
    """The number at the begin of a field's value, 0 if there is none."""
    try:
        return int(field.token, 16 if field.token.startswith("0x") else 10)
    except ValueError:
        return 0


def plain(field: Field, context: Context) -> bytes:
    """The bytes of a field that is printed as it is."""
    token, width = field.token, width_of(field.name)
    if field.name == "bytes":
        return bytes.fromhex(field.value)
    if width is None:
        raise ValueError(field.name)
    if width == 16:
        return guid(token, bool(context.straight_guids))
    if field.name.startswith("bcd") and width == 2:
        return bcd(token)
    return sized(token, width, field.name.startswith("bm"))


def sized(token: str, width: int, is_bitmap: bool) -> bytes:
    """
    A decimal or hexadecimal number; of a bitmap the digits say how many
    bytes it has, and otherwise they have to be as many.
    """
    if not token.lower().startswith("0x"):
        return int(token).to_bytes(width, "little") if token.isdigit() \
            else reject(token)
    digits = token[2:]
    if is_bitmap and len(digits) % 2 == 0:
        width = len(digits) // 2
    if len(digits) != 2 * width:
        reject(token)
    return int(digits, 16).to_bytes(width, "little")


def reject(token: str) -> bytes:
    raise ValueError(token)


def bcd(token: str) -> bytes:
    """2.01, where both sides are hexadecimal digits."""
    match = re.fullmatch(r"([0-9a-f]{1,2})\.([0-9a-f]{2})", token, re.I)
    if not match:
        raise ValueError(token)
    return bytes((int(match[2], 16), int(match[1], 16)))


def guid(token: str, straight: bool) -> bytes:
    """{00112233-4455-6677-8899-aabbccddeeff}; see RFC 4122."""
    match = re.fullmatch(r"\{?([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-"
                         r"([0-9a-f]{4})-([0-9a-f]{12})\}?", token, re.I)
    if not match:
        raise ValueError(token)
    parts = [bytes.fromhex(part) for part in match.groups()]
    if not straight:
        parts[:3] = [part[::-1] for part in parts[:3]]
    return b"".join(parts)


def hexadecimal(encoder: Encoder, field: Field) -> bytes:
    """Digits without 0x."""
    width = width_of(field.name) or 1
    digits = field.token.removeprefix("0x")
    return int(digits, 16).to_bytes(width, "little")


def hex_list(encoder: Encoder, field: Field) -> bytes:
    return bytes(int(word, 16) for word in field.value.split())


def decimal_list(encoder: Encoder, field: Field) -> bytes:
    return bytes(int(word) for word in field.value.split())


def big_endian(encoder: Encoder, field: Field) -> bytes:
    """wCountryCode is printed first byte first."""
    return int(field.token, 16).to_bytes(2, "big")


def power(encoder: Encoder, field: Field) -> bytes:
    amount = re.match(r"\s*(\d+) ?mA", field.value)
    if not amount or int(amount[1]) % encoder.context.power_unit:
        raise ValueError(field.value)
    return bytes((int(amount[1]) // encoder.context.power_unit,))


def frequency(encoder: Encoder, field: Field) -> bytes:
    """15.000000MHz."""
    match = re.match(r"(\d+)\.(\d{6}) ?MHz", field.value)
    if not match:
        raise ValueError(field.value)
    return (int(match[1]) * 1000000 + int(match[2])).to_bytes(4, "little")


def echo_or_code(encoder: Encoder, field: Field) -> bytes:
    return b"\xff" if field.token == "echo" else bytes(
        (int(field.token, 16),))


def envelope(encoder: Encoder, field: Field) -> bytes:
    """lsusb prints bClassGetResponse in its place if it is not echo."""
    data = echo_or_code(encoder, field)
    if field.token != "echo":
        encoder.notes.append((Grade.GUESSED, field.line, "bClassEnvelope: "
                              "lsusb shows bClassGetResponse in its place"))
    return data


def lcd_layout(encoder: Encoder, field: Field) -> bytes:
    """none, or "16 cols 2 lines"."""
    if field.token == "none":
        return b"\0\0"
    match = re.match(r"(\d+) cols (\d+) lines", field.value)
    if not match:
        raise ValueError(field.value)
    return bytes((int(match[1]), int(match[2])))


def control_bits(encoder: Encoder, field: Field) -> bytes:
    """
    bmControls of video: the last three bytes at most of the bControlSize
    that there are.
    """
    if encoder.block.get("guidExtensionCode"):
        return plain(field, encoder.context)
    size = encoder.block.get("bControlSize")
    value = int(field.token, 16)
    if encoder.block.get("iEncoding"):
        return (value & 0xffffff).to_bytes(3, "little")
    width = number(size) if size else 3
    shown = min(width, 3)
    if value >= 1 << 8 * shown:
        raise ValueError(field.value)
    if width > 3:
        encoder.notes.append((Grade.GUESSED, field.line, f"bmControls: lsusb "
                              f"shows 3 of {width} bytes, 0 for the rest"))
    return bytes(width - shown) + value.to_bytes(shown, "little")


def first_bytes(encoder: Encoder, field: Field) -> bytes:
    """bmaControls of video streams: the first byte of each is printed."""
    size = encoder.block.get("bControlSize")
    width = number(size) if size else 1
    data = plain(field, encoder.context)
    if width and encoder.context.is_old and \
            encoder.context.straight_guids is not False:
        # up to 008, what is printed is the byte after the last of them
        encoder.notes.append((Grade.GUESSED, field.line, "bmaControls: this "
                              "version of lsusb does not show them, 0"))
        return bytes(width)
    if width > 1:
        encoder.notes.append((Grade.GUESSED, field.line, "bmaControls: lsusb "
                              f"shows 1 of {width} bytes, 0 for the rest"))
    return data + bytes(width - 1) if width else b""


def compressions(encoder: Encoder, field: Field) -> bytes:
    """Older versions print bNumImageSizePatterns in its place."""
    count = sum(1 for other in encoder.block.fields
                if other.name == "bCompression")
    sizes = encoder.block.get("bNumImageSizePatterns")
    if number(field) != count and (sizes is None
                                   or number(field) != number(sizes)):
        encoder.fault(f"bNumCompressionPatterns is {number(field)}, but "
                      f"there are {count} of bCompression", field.line)
    return bytes((count & 0xff,))


def packet_length(encoder: Encoder, field: Field) -> bytes:
    encoder.notes.append((Grade.GUESSED, field.line, "dwPacketLength: lsusb "
                          "shows 1 of 4 bytes, 0 for the rest"))
    return int(field.token).to_bytes(1, "little") + bytes(3)


def element_capabilities(encoder: Encoder, field: Field) -> bytes:
    """
    Up to three bytes; lsusb extends the sign of the fourth, and what is
    beyond gets mixed up with the others.
    """
    size = encoder.block.get("bElCapsSize")
    width = number(size) if size else 1
    value = int(field.token, 16)
    digits = len(field.token) - 2
    if digits < 8:
        # after 019 as many as lsusb takes for its size, which may be wrong;
        # the rest is junk then
        return value.to_bytes(digits // 2, "little")
    if width > 4:
        encoder.fault(f"bmElementCaps: lsusb cannot show {width} bytes",
                      field.line)
    if width == 4 and value >> 31 == 0x1ffffffff:
        value &= 0xffffffff
    return value.to_bytes(width, "little")


def source_pair(encoder: Encoder, field: Field) -> bytes:
    """After 019, baSourceID and baSourcePin are one number."""
    return int(field.token, 16).to_bytes(2, "little")


def format_type(encoder: Encoder, field: Field) -> bytes:
    """Printed twice for FORMAT_TYPE_IV."""
    if field is not encoder.block.get("bFormatType"):
        return b""
    return plain(field, encoder.context)


def format_specific(encoder: Encoder, field: Field) -> bytes:
    """The bytes of an unknown format begin in the middle of wFormatTag."""
    data = plain(field, encoder.context)
    return data[1:] if encoder.block.get("wFormatTag") else data


def super_speed_plus(encoder: Encoder, field: Field) -> bytes:
    """bReserved is not printed (USB 3.2 table 9-19)."""
    data = plain(field, encoder.context)
    return b"\0" + data if encoder.block.kind == "capability:10" else data


def functionality(encoder: Encoder, field: Field) -> bytes:
    """wReserved is not printed (USB 3.2 table 9-19)."""
    encoder.inferred("reserved fields of the SuperSpeedPlus capability are 0")
    return plain(field, encoder.context) + b"\0\0"


def billboard_version(encoder: Encoder, field: Field) -> bytes:
    """0 is printed as 1."""
    data = plain(field, encoder.context)
    if encoder.block.kind == "capability:13" and data == b"\x00\x01":
        encoder.notes.append((Grade.GUESSED, field.line, "bcdVersion: lsusb "
                              "shows 1 for 0"))
    return data


def vconn(encoder: Encoder, field: Field) -> bytes:
    return int(field.value.removeprefix("Power").split()[0]).to_bytes(
        2, "little")


def nothing(encoder: Encoder, field: Field) -> bytes:
    return b""


def hub_current(encoder: Encoder, field: Field) -> bytes:
    """In 4 mA on a SuperSpeed hub (USB 3.2 table 10-5)."""
    value = int(field.token)
    return bytes((value // 4 if encoder.block.get("bHubDecLat") else value,))


def hub_latency(encoder: Encoder, field: Field) -> bytes:
    return bytes((int(field.token.removeprefix("0.")),))


def hub_delay(encoder: Encoder, field: Field) -> bytes:
    encoder.inferred("wHubDelay: lsusb does not show all of it")
    return (int(field.token) & 0xffff).to_bytes(2, "little")


Special = Callable[[Encoder, Field], bytes]
# (kind up to its colon, name) or ("", name) -> what its bytes are
SPECIAL: Dict[Tuple[str, str], Special] = {
    ("configuration", "MaxPower"): power,
    ("videocontrol", "dwClockFrequency"): frequency,
    ("videocontrol", "bmControls"): control_bits,
    ("videocontrol", "bmControlsRuntime"): control_bits,
    ("videostreaming", "bmaControls"): first_bytes,
    ("videostreaming", "dwPacketLength"): packet_length,
    ("videostreaming", "bNumCompressionPatterns"): compressions,
    ("midi", "bmElementCaps"): element_capabilities,
    ("midi", "baSource"): source_pair,
    ("audiostreaming", "bFormatType"): format_type,
    ("audiostreaming", "bytes"): format_specific,
    ("audiocontrol", "bmControls"): lambda encoder, field: (
        hexadecimal(encoder, field) if not field.token.startswith("0x")
        else plain(field, encoder.context)),
    ("ccid", "dwSyncProtocols"): hexadecimal,
    ("ccid", "dwMechanical"): hexadecimal,
    ("ccid", "dwFeatures"): hexadecimal,
    ("ccid", "bClassGetResponse"): echo_or_code,
    ("ccid", "bClassEnvelope"): envelope,
    ("ccid", "wlcdLayout"): lcd_layout,
    ("cdc", "bSlaveInterface"): decimal_list,
    ("cdc", "wCountryCode"): big_endian,
    ("cdc", "bGuidDescriptorType"): hexadecimal,
    ("cdc", "bDetailData"): hex_list,
    ("capability", "bmAttributes"): super_speed_plus,
    ("capability", "wFunctionalitySupport"): functionality,
    ("capability", "bmConfigured"): hex_list,
    ("capability", "bcdVersion"): billboard_version,
    ("capability", "VCONN"): vconn,
    ("companion", "MaxStreams"): nothing,
    ("companion", "Mult"): nothing,
    ("companion", "wBytesPerInterval"): nothing,
    ("hub", "bHubContrCurrent"): hub_current,
    ("hub", "bHubDecLat"): hub_latency,
    ("hub", "wHubDelay"): hub_delay,
    ("hub", "DeviceRemovable"): hex_list,
    ("hub", "PortPwrCtrlMask"): hex_list,
}

Parts = List[Tuple[Field, bytes]]


def reordered(key: str, parts: Parts) -> Parts:
    """The fields in the order of their bytes."""
    names = [field.name for field, _ in parts]
    if key == "audiocontrol:INPUT_TERMINAL:2":
        return moved(parts, names, "iChannelNames", "bmControls")
    if key == "ipp" and "wBasicCapabilities" in names:
        return ipp(moved(parts, names, "wBasicCapabilities",
                         "iIPPVersionsSupported"))
    return parts


def moved(parts: Parts, names: List[str], first: str, second: str) -> Parts:
    """The part called first, right before that called second."""
    if first not in names or second not in names:
        return parts
    part = parts[names.index(first)]
    rest = [other for other in parts if other is not part]
    at = next(i for i, (field, _) in enumerate(rest) if field.name == second)
    return rest[:at] + [part] + rest[at:]


def ipp(parts: Parts) -> Parts:
    """Type and length of the basic capabilities are not printed."""
    return [(field, b"\x00\x04" + data if field.name == "wBasicCapabilities"
             else data) for field, data in parts]
