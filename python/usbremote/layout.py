# SPDX-License-Identifier: MIT
"""The descriptors of a device, computed from what it declares."""

from __future__ import annotations

import sys
from typing import Dict, List, Optional, Sequence, Tuple

from . import descriptors as desc
from .device import Device
from .function import Function
from .microsoft import STRING_INDEX
from .parsed import Parsed, parse_configuration
from .place import Place
from .strings import Strings
from .types import Speed

MULTI_FUNCTION = (0xef, 2, 1)   # where there are interface associations
OTHER = {Speed.FULL: Speed.HIGH, Speed.HIGH: Speed.FULL}

# What the functions of a configuration have got.
Places = List[Tuple[Function, Place]]


def class_of(device: Device) -> str:
    """Where a device's class is, for errors."""
    kind = type(device)
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return f"{file}: {kind.__name__}" if file else kind.__name__


class Layout:
    """
    Descriptors at each speed.

    What configurations() says is asked for once for each speed, until
    forget().
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self.strings = Strings()
        for text in (device.manufacturer, device.product, device.serial):
            self.strings.index(text)
        self._declared: Dict[Speed, Sequence[desc.Configuration]] = {}
        self._places: Dict[Speed, List[Places]] = {}

    def forget(self) -> None:
        """Ask for the configurations anew."""
        self._declared.clear()
        self._places.clear()

    def declared(self, speed: Speed) -> Sequence[desc.Configuration]:
        """configurations(), with all numbers."""
        if speed not in self._declared:
            found = [desc.numbered(each, speed, self.strings.index)
                     for each in self._device.configurations(speed)]
            self._declared[speed] = [whole for whole, _ in found]
            self._places[speed] = [
                [(part, place) for part, place in placed
                 if isinstance(part, Function)] for _, placed in found]
        return self._declared[speed]

    def places(self, speed: Speed, value: Optional[int] = None) -> Places:
        """
        Of the configuration with this bConfigurationValue, or of the first.
        """
        for each, places in zip(self.declared(speed),
                                self._places[speed]):
            if value is None or each.value == value:
                return places
        return []

    def descriptor(self, kind: int, index: int, speed: Speed,
                   language: int) -> Optional[bytes]:
        """See Device.descriptor()."""
        device, raw = self._device, self._device.raw_descriptors
        if (kind, index) in raw or kind in raw:
            return raw[(kind, index)] if (kind, index) in raw else raw[kind]
        if kind == desc.DEVICE:
            return self._device_descriptor(speed).encode()
        if kind == desc.CONFIGURATION:
            return self._configuration(kind, index, speed)
        if kind == desc.STRING:
            if index == STRING_INDEX and device.microsoft:
                return device.microsoft.string()
            return self.strings.encode(index, language)
        if kind == desc.BOS and self._usb_version(speed) >= 0x0201:
            return desc.bos(device.speeds, self._capabilities())
        other = OTHER.get(speed)        # section 9.6.2
        if other is None or other not in device.speeds:
            return None
        if kind == desc.DEVICE_QUALIFIER:
            return self._device_descriptor(other).encode_qualifier()
        if kind == desc.OTHER_SPEED:
            return self._configuration(kind, index, other)
        return None

    def parse(self, value: int, speed: Speed) -> Optional[Parsed]:
        """The configuration with this bConfigurationValue, raw or not."""
        last = max((key[1] for key in self._device.raw_descriptors
                    if isinstance(key, tuple)
                    and key[0] == desc.CONFIGURATION), default=0)
        for index in range(256):
            data = self._device.descriptor(desc.CONFIGURATION, index)
            raw = desc.CONFIGURATION in self._device.raw_descriptors
            if data is None or (raw and index > last):
                return None
            parsed = parse_configuration(data)
            if parsed.value == value:
                return parsed
        return None

    def _capabilities(self) -> List[bytes]:
        microsoft = self._device.microsoft
        told = microsoft.capability() if microsoft else None
        return [*self._device.capabilities, *([told] if told else [])]

    def _usb_version(self, speed: Speed) -> int:
        if self._device.usb_version is not None:
            return self._device.usb_version
        if speed >= Speed.SUPER:
            return 0x0300
        has_bos = Speed.SUPER in self._device.speeds or self._capabilities()
        return 0x0210 if has_bos else 0x0200

    def _device_class(self, speed: Speed) -> Tuple[int, int, int]:
        if self._device.device_class is not None:
            return self._device.device_class
        parts = [part for c in self.declared(speed) for part in c.interfaces]
        if any(isinstance(p, desc.Association) for p in parts):
            return MULTI_FUNCTION
        functions = [part for each in self._places[speed]
                     for part, _ in each]
        alone = functions[0].device_class if len(functions) == 1 else None
        return alone or (0, 0, 0)

    def _device_descriptor(self, speed: Speed) -> desc.DeviceDescriptor:
        device, index = self._device, self.strings.index
        size = device.max_packet0
        if size is None:
            size = {Speed.LOW: 8, Speed.SUPER: 9}.get(speed, 64)
        return desc.DeviceDescriptor(
            self._usb_version(speed), *self._device_class(speed), size,
            device.vendor_id, device.product_id, device.release,
            index(device.manufacturer), index(device.product),
            index(device.serial), len(self.declared(speed)),
            f"{class_of(device)}: ")

    def _configuration(self, kind: int, index: int, speed: Speed
                       ) -> Optional[bytes]:
        declared = self.declared(speed)
        if index >= len(declared):
            return None
        return declared[index].encode(speed, self.strings.index, kind)
