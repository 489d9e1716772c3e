# SPDX-License-Identifier: MIT
"""
The standard requests (USB 2.0 section 9.4) as every device answers them.

A device that does otherwise overrides Device.control().
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable, Dict, Tuple

from ._proto import Speed
from .errors import Stall
from .setup import Recipient, Setup, Standard

if TYPE_CHECKING:
    from .device import Answer, Device

ENDPOINT_HALT = 0               # features, USB 2.0 table 9-6
REMOTE_WAKEUP = 1
SUPER_FEATURES = (48, 49, 50)   # U1, U2 and LTM, USB 3.2 table 9-7
FUNCTION_SUSPEND = 0            # of an interface

SELF_POWERED_BIT, WAKEUP_BIT = 6, 5             # of bmAttributes


def get_status(device: "Device", setup: Setup) -> "Answer":
    """Section 9.4.5."""
    status = 0
    if setup.recipient == Recipient.DEVICE:
        status = (device.parsed.attributes >> SELF_POWERED_BIT & 1
                  | device.remote_wakeup << 1)
    elif setup.recipient == Recipient.ENDPOINT:
        pipe = device.existing_pipe(setup.index)
        status = int(pipe is not None and pipe.halted)
    elif setup.index & 0xff not in device.alternates:
        raise Stall()
    return status.to_bytes(2, "little")


def change_feature(device: "Device", setup: Setup) -> "Answer":
    """CLEAR_FEATURE and SET_FEATURE, sections 9.4.1 and 9.4.9."""
    on = setup.request == Standard.SET_FEATURE
    if setup.recipient == Recipient.DEVICE:
        _change_device(device, setup.value, on)
    elif setup.recipient == Recipient.INTERFACE:
        # USB 3.2 section 9.4.9
        if setup.value != FUNCTION_SUSPEND or device.speed < Speed.SUPER:
            raise Stall()
    elif setup.value != ENDPOINT_HALT:
        raise Stall()
    else:
        pipe = device.existing_pipe(setup.index)
        if pipe is not None and on:
            pipe.halt()
        elif pipe is not None and not pipe.wedged:
            pipe.clear_halt()
    return None


def _change_device(device: "Device", feature: int, on: bool) -> None:
    if feature == REMOTE_WAKEUP:
        able = device.parsed.attributes >> WAKEUP_BIT & 1
        if device.configuration and not able:
            raise Stall()
        device.remote_wakeup = on
    elif not (feature in SUPER_FEATURES and device.speed >= Speed.SUPER):
        raise Stall()


def get_descriptor(device: "Device", setup: Setup) -> "Answer":
    """Section 9.4.3."""
    data = device.descriptor(setup.value >> 8, setup.value & 0xff)
    if data is None:
        raise Stall()
    return data


def get_configuration(device: "Device", setup: Setup) -> "Answer":
    """Section 9.4.2."""
    return bytes((device.configuration,))


def set_configuration(device: "Device", setup: Setup) -> "Answer":
    """Section 9.4.7."""
    if not device.choose_configuration(setup.value & 0xff):
        raise Stall()
    return None


def get_interface(device: "Device", setup: Setup) -> "Answer":
    """Section 9.4.4."""
    if setup.index not in device.alternates:
        raise Stall()
    return bytes((device.alternates[setup.index],))


def set_interface(device: "Device", setup: Setup) -> "Answer":
    """Section 9.4.10."""
    if not device.choose_interface(setup.index, setup.value):
        raise Stall()
    return None


def nothing(device: "Device", setup: Setup) -> "Answer":
    """SET_SEL, SET_ISOCH_DELAY: nothing here depends on them."""
    if device.speed < Speed.SUPER:
        device.unhandled(setup)
    return None


def not_supported(device: "Device", setup: Setup) -> "Answer":
    """What a device need not support and says so with a STALL."""
    raise Stall()


Handler = Callable[["Device", Setup], "Answer"]
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
