# SPDX-License-Identifier: MIT
"""
The standard requests (USB 2.0 section 9.4) as every device answers them.

A device that does otherwise overrides Device.control().
"""

from __future__ import annotations

from typing import Callable, Dict, Mapping, NoReturn, Optional, Protocol, Tuple

from .context import Answer
from .errors import Stall
from .parsed import Parsed
from .setup import Recipient, Setup, Standard
from .types import Speed

ENDPOINT_HALT = 0               # features, USB 2.0 table 9-6
REMOTE_WAKEUP = 1
SUPER_FEATURES = (48, 49, 50)   # U1, U2 and LTM, USB 3.2 table 9-7
U1_STATUS_BIT = 2               # of a device's status, U2 and LTM above it
FUNCTION_SUSPEND = 0            # of an interface
FUNCTION_WAKE = 1 << 9          # in its wIndex

SELF_POWERED_BIT, WAKEUP_BIT = 6, 5             # of bmAttributes


class Target(Protocol):
    """What the requests are about: the engine of a device."""

    remote_wakeup: bool
    link_power: int             # what is enabled of U1, U2, LTM, as status

    @property
    def parsed(self) -> Parsed: ...

    @property
    def alternates(self) -> Mapping[int, int]: ...

    @property
    def speed(self) -> Speed: ...

    @property
    def configuration(self) -> int: ...

    @property
    def is_configured(self) -> bool: ...

    def get_descriptor(self, kind: int, index: int, language: int
                       ) -> Optional[bytes]: ...

    def is_halted(self, index: int) -> bool: ...

    def set_halt(self, index: int, on: bool) -> None: ...

    def set_function_wake(self, interface: int, on: bool) -> None: ...

    def choose_configuration(self, value: int) -> bool: ...

    def choose_interface(self, number: int, alternate: int) -> bool: ...

    def unhandled(self, setup: Setup) -> NoReturn: ...


def get_status(device: Target, setup: Setup) -> Answer:
    """Section 9.4.5."""
    status = 0
    if setup.recipient == Recipient.DEVICE:
        status = (device.parsed.attributes >> SELF_POWERED_BIT & 1
                  | device.remote_wakeup << 1 | device.link_power)
    elif setup.recipient == Recipient.ENDPOINT:
        status = int(device.is_halted(setup.index))
    elif setup.index & 0xff not in device.alternates:
        raise Stall()
    return status.to_bytes(2, "little")


def change_feature(device: Target, setup: Setup) -> Answer:
    """CLEAR_FEATURE and SET_FEATURE, sections 9.4.1 and 9.4.9."""
    on = setup.request == Standard.SET_FEATURE
    if setup.recipient == Recipient.DEVICE:
        _change_device(device, setup.value, on)
    elif setup.recipient == Recipient.INTERFACE:
        # USB 3.2 section 9.4.9
        if setup.value != FUNCTION_SUSPEND or device.speed < Speed.SUPER:
            raise Stall()
        device.set_function_wake(setup.index & 0xff,
                                 on and bool(setup.index & FUNCTION_WAKE))
    elif setup.value != ENDPOINT_HALT:
        raise Stall()
    else:
        device.set_halt(setup.index, on)
    return None


def _change_device(device: Target, feature: int, on: bool) -> None:
    if feature == REMOTE_WAKEUP:
        able = device.parsed.attributes >> WAKEUP_BIT & 1
        if device.is_configured and not able:
            raise Stall()
        device.remote_wakeup = on
    elif feature in SUPER_FEATURES and device.speed >= Speed.SUPER:
        bit = 1 << SUPER_FEATURES.index(feature) + U1_STATUS_BIT
        device.link_power = device.link_power & ~bit | on * bit
    else:
        raise Stall()


def get_descriptor(device: Target, setup: Setup) -> Answer:
    """Section 9.4.3."""
    data = device.get_descriptor(setup.value >> 8, setup.value & 0xff,
                                 setup.index)
    if data is None:
        raise Stall()
    return data


def get_configuration(device: Target, setup: Setup) -> Answer:
    """Section 9.4.2."""
    return bytes((device.configuration,))


def set_configuration(device: Target, setup: Setup) -> Answer:
    """Section 9.4.7."""
    if not device.choose_configuration(setup.value & 0xff):
        raise Stall()
    return None


def get_interface(device: Target, setup: Setup) -> Answer:
    """Section 9.4.4."""
    if setup.index not in device.alternates:
        raise Stall()
    return bytes((device.alternates[setup.index],))


def set_interface(device: Target, setup: Setup) -> Answer:
    """Section 9.4.10."""
    if not device.choose_interface(setup.index, setup.value):
        raise Stall()
    return None


def nothing(device: Target, setup: Setup) -> Answer:
    """SET_SEL, SET_ISOCH_DELAY: nothing here depends on them."""
    if device.speed < Speed.SUPER:
        device.unhandled(setup)
    return None


def not_supported(device: Target, setup: Setup) -> Answer:
    """What a device need not support and says so with a STALL."""
    raise Stall()


Handler = Callable[[Target, Setup], Answer]
STANDARD: Dict[Tuple[int, int], Handler] = {
    (Recipient.DEVICE, Standard.GET_STATUS): get_status,
    (Recipient.INTERFACE, Standard.GET_STATUS): get_status,
    (Recipient.ENDPOINT, Standard.GET_STATUS): get_status,
    (Recipient.DEVICE, Standard.CLEAR_FEATURE): change_feature,
    (Recipient.INTERFACE, Standard.CLEAR_FEATURE): change_feature,
    (Recipient.ENDPOINT, Standard.CLEAR_FEATURE): change_feature,
    (Recipient.DEVICE, Standard.SET_FEATURE): change_feature,
    (Recipient.INTERFACE, Standard.SET_FEATURE): change_feature,
    (Recipient.ENDPOINT, Standard.SET_FEATURE): change_feature,
    (Recipient.DEVICE, Standard.GET_DESCRIPTOR): get_descriptor,
    (Recipient.DEVICE, Standard.SET_DESCRIPTOR): not_supported,
    (Recipient.DEVICE, Standard.GET_CONFIGURATION): get_configuration,
    (Recipient.DEVICE, Standard.SET_CONFIGURATION): set_configuration,
    (Recipient.INTERFACE, Standard.GET_INTERFACE): get_interface,
    (Recipient.INTERFACE, Standard.SET_INTERFACE): set_interface,
    (Recipient.ENDPOINT, Standard.SYNCH_FRAME): not_supported,
    (Recipient.DEVICE, Standard.SET_SEL): nothing,
    (Recipient.DEVICE, Standard.SET_ISOCH_DELAY): nothing,
}
