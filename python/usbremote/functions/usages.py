# SPDX-License-Identifier: MIT
"""
Names of HID usages: the pages of the HID Usage Tables 1.5, and the usages of
those that are met most.
"""

from __future__ import annotations

from typing import Dict

PAGES: Dict[int, str] = {
    0x01: "Generic Desktop", 0x02: "Simulation Controls", 0x03: "VR Controls",
    0x04: "Sport Controls", 0x05: "Game Controls",
    0x06: "Generic Device Controls", 0x07: "Keyboard/Keypad", 0x08: "LED",
    0x09: "Button", 0x0a: "Ordinal", 0x0b: "Telephony Device",
    0x0c: "Consumer", 0x0d: "Digitizers", 0x0e: "Haptics",
    0x0f: "Physical Input Device", 0x10: "Unicode", 0x11: "SoC",
    0x12: "Eye and Head Trackers", 0x14: "Auxiliary Display", 0x20: "Sensors",
    0x40: "Medical Instrument", 0x41: "Braille Display",
    0x59: "Lighting and Illumination", 0x80: "Monitor",
    0x81: "Monitor Enumerated", 0x82: "VESA Virtual Controls", 0x84: "Power",
    0x85: "Battery System", 0x8c: "Barcode Scanner", 0x8d: "Scales",
    0x8e: "Magnetic Stripe Reader", 0x90: "Camera Control", 0x91: "Arcade",
    0x92: "Gaming Device", 0xf1d0: "FIDO Alliance"}
VENDOR_PAGES = range(0xff00, 0x10000)

DESKTOP: Dict[int, str] = {
    0x01: "Pointer", 0x02: "Mouse", 0x04: "Joystick", 0x05: "Gamepad",
    0x06: "Keyboard", 0x07: "Keypad", 0x08: "Multi-axis Controller",
    0x09: "Tablet PC System Controls", 0x30: "X", 0x31: "Y", 0x32: "Z",
    0x33: "Rx", 0x34: "Ry", 0x35: "Rz", 0x36: "Slider", 0x37: "Dial",
    0x38: "Wheel", 0x39: "Hat Switch", 0x3a: "Counted Buffer",
    0x3b: "Byte Count", 0x3c: "Motion Wakeup", 0x3d: "Start", 0x3e: "Select",
    0x40: "Vx", 0x41: "Vy", 0x42: "Vz", 0x48: "Resolution Multiplier",
    0x80: "System Control", 0x81: "System Power Down", 0x82: "System Sleep",
    0x83: "System Wake Up", 0x90: "D-pad Up", 0x91: "D-pad Down",
    0x92: "D-pad Right", 0x93: "D-pad Left"}
SIMULATION: Dict[int, str] = {
    0xb0: "Aileron", 0xba: "Rudder", 0xbb: "Throttle", 0xc4: "Accelerator",
    0xc5: "Brake", 0xc8: "Steering"}
LEDS: Dict[int, str] = {
    0x01: "Num Lock", 0x02: "Caps Lock", 0x03: "Scroll Lock", 0x04: "Compose",
    0x05: "Kana", 0x06: "Power", 0x07: "Shift", 0x09: "Mute"}
CONSUMER: Dict[int, str] = {
    0x01: "Consumer Control", 0x02: "Numeric Key Pad", 0x30: "Power",
    0x32: "Sleep", 0x40: "Menu", 0x6f: "Display Brightness Increment",
    0x70: "Display Brightness Decrement", 0xb0: "Play", 0xb1: "Pause",
    0xb2: "Record", 0xb3: "Fast Forward", 0xb4: "Rewind",
    0xb5: "Scan Next Track", 0xb6: "Scan Previous Track", 0xb7: "Stop",
    0xb8: "Eject", 0xcd: "Play/Pause", 0xe0: "Volume", 0xe2: "Mute",
    0xe9: "Volume Increment", 0xea: "Volume Decrement",
    0x183: "AL Consumer Control Configuration", 0x18a: "AL Email Reader",
    0x192: "AL Calculator", 0x194: "AL Local Machine Browser",
    0x221: "AC Search", 0x223: "AC Home", 0x224: "AC Back",
    0x225: "AC Forward", 0x226: "AC Stop", 0x227: "AC Refresh",
    0x22a: "AC Bookmarks", 0x238: "AC Pan"}
DIGITIZERS: Dict[int, str] = {
    0x01: "Digitizer", 0x02: "Pen", 0x04: "Touch Screen", 0x05: "Touch Pad",
    0x0e: "Device Configuration", 0x20: "Stylus", 0x22: "Finger",
    0x30: "Tip Pressure", 0x31: "Barrel Pressure", 0x32: "In Range",
    0x33: "Touch", 0x3c: "Invert", 0x3d: "X Tilt", 0x3e: "Y Tilt",
    0x42: "Tip Switch", 0x44: "Barrel Switch", 0x45: "Eraser",
    0x47: "Touch Valid", 0x48: "Width", 0x49: "Height",
    0x51: "Contact Identifier", 0x52: "Device Mode",
    0x53: "Device Identifier", 0x54: "Contact Count",
    0x55: "Contact Count Maximum", 0x56: "Scan Time"}
FIDO: Dict[int, str] = {
    0x01: "U2F Authenticator Device", 0x20: "Input Report Data",
    0x21: "Output Report Data"}
KEY_NAMES = ("Enter", "Escape", "Backspace", "Tab", "Space")
MODIFIERS = ("Left Control", "Left Shift", "Left Alt", "Left GUI",
             "Right Control", "Right Shift", "Right Alt", "Right GUI")
KEYS: Dict[int, str] = {
    **{0x04 + n: chr(ord("A") + n) for n in range(26)},
    **{0x1e + n: str((n + 1) % 10) for n in range(10)},
    **{0x28 + n: name for n, name in enumerate(KEY_NAMES)},
    **{0x3a + n: f"F{n + 1}" for n in range(12)},
    **{0xe0 + n: name for n, name in enumerate(MODIFIERS)}}

USAGES: Dict[int, Dict[int, str]] = {
    0x01: DESKTOP, 0x02: SIMULATION, 0x07: KEYS, 0x08: LEDS, 0x0c: CONSUMER,
    0x0d: DIGITIZERS, 0xf1d0: FIDO}


def page_name(page: int) -> str:
    """The page's name, else its number."""
    if page in VENDOR_PAGES:
        return f"Vendor 0x{page:04x}"
    return PAGES.get(page, f"0x{page:02x}")


def usage_name(page: int, usage: int) -> str:
    """The usage's name, else its number."""
    if page == 0x09:
        return f"Button {usage}" if usage else "No Button"
    if page == 0x0a:
        return f"Instance {usage}"
    return USAGES.get(page, {}).get(usage, f"0x{usage:02x}")
