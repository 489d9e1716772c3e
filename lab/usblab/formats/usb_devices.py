# SPDX-License-Identifier: GPL-2.0-or-later
"""
/sys/kernel/debug/usb/devices and what the script usb-devices prints
(Documentation/driver-api/usb/usb.rst): the standard descriptors without
string indexes, class-specific descriptors and attributes of the speed.
"""

from __future__ import annotations

import re
import struct
from typing import Dict, Iterator, List, Optional, Tuple

from ..devicefile import DeviceFile, Part
from ..errors import Problem
from ..model import (COMPANION, CONFIGURATION, DEVICE, ENDPOINT, HID,
                     INTERFACE, REPORT, STRING, SYSFS_SPEEDS, Description,
                     Grade, language_table, split, string_descriptor)
from ..rows import tidy
from . import hid_report
from .found import Candidate, Source

TOPOLOGY = re.compile(r"^T: +Bus= ?\d+ +Lev=.* +Dev#= *\d+ +"
                      r"Spd=([\d.]+|unknown)\s+MxCh=")
ROW = re.compile(r"^([TBDPSCAIE]):(\*?)\s*(.*)$")
VALUE = re.compile(r"([A-Za-z#]+)=\s*(?:0x)?([0-9a-f.]+)", re.I)
TEXT = re.compile(r"^(Manufacturer|Product|SerialNumber)=(.*)$")
INTERVAL = re.compile(r"Ivl=\s*(\d+)(us|ms)")
POWER = re.compile(r"MxPwr= *(\d+)mA")
DECIMAL = ("MxPS", "#Cfgs", "#Ifs", "Cfg#", "If#", "Alt", "#EPs", "FirstIf#",
           "IfCount")
INDEX = {"Manufacturer": 1, "Product": 2, "SerialNumber": 3}
REPORT_LENGTH = 64
Values = Dict[str, int]


def find(source: Source) -> List[Candidate]:
    """Each device with its lines."""
    rows = source.text.split("\n")
    begins = [at for at, row in enumerate(rows)
              if TOPOLOGY.match(tidy(row).strip())]
    found = []
    for begin, end in zip(begins, [*begins[1:], len(rows)]):
        own = [tidy(row).strip() for row in rows[begin:end]]
        own = own[:next((at for at, row in enumerate(own)
                         if not ROW.match(row)), len(own))]
        ids = next((f"{values['Vendor']:04x}:{values['ProdID']:04x}"
                    for kind, values, _ in parsed(own) if kind == "P"
                    and {"Vendor", "ProdID"} <= set(values)), "")
        name = next((row.partition("=")[2] for row in own
                     if row.startswith("S:  Product=")), "")
        if ids:
            found.append(Candidate("usb-devices", ids, name,
                                   "".join(f"{row}\n" for row in own),
                                   source.line + begin))
    return found


def parsed(rows: List[str]) -> "Iterator[Tuple[str, Values, str]]":
    """Kind, values and text of each row."""
    for row in rows:
        match = ROW.match(row)
        if match:
            yield match[1], {
                name: int(text.split(".")[0]) if name in DECIMAL
                else int(text.replace(".", ""), 16)
                for name, text in VALUE.findall(match[3])
                if text.strip(".") and (name not in DECIMAL
                                        or text[0].isdigit())}, match[3]


def apply(part: Part, description: Description, file: DeviceFile) -> None:
    """--- usb-devices: the rows of one device."""
    rows = [tidy(row).strip() for row in part.text.split("\n")]
    topology = next((TOPOLOGY.match(row) for row in rows
                     if row.startswith("T:")), None)
    speed = SYSFS_SPEEDS.get(topology[1] if topology else "", "")
    if not speed:
        raise Problem('no row "T: ... Spd=" with a speed', 1)
    description.speed = speed
    Skeleton(description, speed).read(rows)
    for data in description.configurations():
        for gap in gaps(data):
            description.note(Grade.MISSING, 0, gap)
    for area, text in (
            ("descriptors", "class-specific descriptors are not in this "
             "text, HID descriptors are made up"),
            ("strings", "their indexes are not in this text")):
        description.note(Grade.GUESSED, 1, text, area)


def gaps(configuration: bytes) -> Iterator[str]:
    """Rows that other rows of the same interface count, or start from."""
    settings: Dict[int, List[int]] = {}
    endpoints: Dict[Tuple[int, int], int] = {}
    counted: Dict[Tuple[int, int], int] = {}
    where = (0, 0)
    for _, item in split(configuration):
        if item[1] == INTERFACE:
            where = (item[2], item[3])
            settings.setdefault(item[2], []).append(item[3])
            counted[where] = item[4]
            endpoints[where] = 0
        elif item[1] == ENDPOINT:
            endpoints[where] = endpoints.get(where, 0) + 1
    for number, own in settings.items():
        if 0 not in own:
            yield f"alternate setting 0 of interface {number}"
    for (number, setting), count in counted.items():
        if endpoints[number, setting] != count:
            yield (f"interface {number}, alternate setting {setting}: "
                   f"{endpoints[number, setting]} of {count} endpoints have "
                   'a row "E:"')


class Skeleton:
    """The rows of a device to its standard descriptors."""

    def __init__(self, description: Description, speed: str) -> None:
        self.description = description
        self.speed = speed
        self.device: Values = {}
        self.ids: Values = {}
        self.strings: Dict[str, str] = {}
        self.configurations: List[bytes] = []
        self.interface: Optional[Values] = None

    def read(self, rows: List[str]) -> None:
        for kind, values, text in parsed(rows):
            try:
                self.row(kind, values, text)
            except KeyError as missing:
                raise Problem(f'the row "{kind}: {text:.30}" has no '
                              f"{missing.args[0]}=") from None
        try:
            self.finish()
        except KeyError as missing:
            raise Problem(f'the row "D:" or "P:" has no {missing.args[0]}='
                          ) from None

    def row(self, kind: str, values: Values, text: str) -> None:
        string = TEXT.match(text)
        if kind == "D":
            self.device = values
        elif kind == "P":
            self.ids = values
        elif kind == "S" and string:
            self.strings[string[1]] = string[2]
        elif kind == "C":
            self.configurations.append(self.head(values, text))
        elif kind in "AIE" and self.configurations:
            add = {"A": self.association, "I": self.setting,
                   "E": self.endpoint}[kind]
            self.configurations[-1] += add(values, text)

    def head(self, values: Values, text: str) -> bytes:
        power = POWER.search(text)
        unit = 8 if self.speed == "super" else 2
        return struct.pack("<BBHBBBBB", 9, CONFIGURATION, 0, values["#Ifs"],
                           values["Cfg#"], 0, values["Atr"],
                           (int(power[1]) if power else 100) // unit & 0xff)

    def association(self, values: Values, text: str) -> bytes:
        return bytes((8, 11, values["FirstIf#"], values["IfCount"],
                      values["Cls"], values["Sub"], values["Prot"], 0))

    def setting(self, values: Values, text: str) -> bytes:
        head = bytes((9, INTERFACE, values["If#"], values["Alt"],
                      values["#EPs"], values["Cls"], values["Sub"],
                      values["Prot"], 0))
        if values["Cls"] != 3:
            return head
        self.description.reports[values["If#"]] = hid_report.guess(
            REPORT_LENGTH, values["Prot"] if values["Sub"] == 1 else 0)
        return head + struct.pack("<BBHBBBH", 9, HID, 0x111, 0, 1, REPORT,
                                  REPORT_LENGTH)

    def endpoint(self, values: Values, text: str) -> bytes:
        data = struct.pack("<BBBBHB", 7, ENDPOINT, values["Ad"],
                           values["Atr"], values["MxPS"],
                           self.interval(values["Atr"] & 3, text))
        if self.speed == "super":
            data += bytes((6, COMPANION, 0, 0)) + (
                values["MxPS"] if values["Atr"] & 1 else 0).to_bytes(
                    2, "little")
        return data

    def interval(self, kind: int, text: str) -> int:
        """bInterval again, of what the kernel computed from it."""
        match = INTERVAL.search(text)
        if not match:
            return 0
        time = int(match[1]) * (1000 if match[2] == "ms" else 1)
        frame = 125 if self.speed in ("high", "super") else 1000
        if kind == 1 or kind == 3 and frame == 125:
            return max(1, (time // frame).bit_length()) & 0xff
        return min(time // frame, 255)

    def finish(self) -> None:
        if not self.device or not self.ids:
            raise Problem('a row "D:" or "P:" is missing')
        packet = self.device["MxPS"]
        if self.speed == "super":
            packet = packet.bit_length() - 1 if packet > 255 else packet
        numbers = [INDEX[name] if name in self.strings else 0
                   for name in INDEX]
        self.description.descriptors[DEVICE, 0] = struct.pack(
            "<BBHBBBBHHHBBBB", 18, DEVICE, self.device["Ver"],
            self.device["Cls"], self.device["Sub"], self.device["Prot"],
            packet & 0xff, self.ids["Vendor"], self.ids["ProdID"],
            self.ids["Rev"], *numbers, self.device["#Cfgs"] & 0xff)
        for index, data in enumerate(self.configurations):
            self.description.descriptors[CONFIGURATION, index] = \
                data[:2] + len(data).to_bytes(2, "little") + data[4:]
        self.description.descriptors[STRING, 0] = language_table(0x0409)
        for name, text in self.strings.items():
            self.description.descriptors[STRING, INDEX[name]] = \
                string_descriptor(text)
