# SPDX-License-Identifier: GPL-2.0-or-later
"""Three invented devices: their bytes, and what lsusb -v says of them."""

from pathlib import Path

from usblab.describe import describe
from usblab.devicefile import DeviceFile, Part

DATA = Path(__file__).resolve().parent / "data"

# device and configurations, as sysfs has them
MODEM = bytes.fromhex(
    "12010002ef02014009120120010201020301 09026400030100e032 "
    "080b000202020104 090400000102020104 0524001001 0524010301 04240206 "
    "0524060001 0705820308000a 09040100020a000000 07050102400000 "
    "07058102400000 090402000103000005 092111010001221700 07058303080004")
DISK = bytes.fromhex(
    "120100030000000909122009000101020301 09027900010100800e "
    "090400000208065000 07058102000400 06300f000000 07050202000400 "
    "06300f000000 090400010408066200 07058102000400 06300f050000 04240300 "
    "07050202000400 06300f050000 04240400 07058302000400 06300f050000 "
    "04240200 07050402000400 063000000000 04240100")
KEYBOARD = bytes.fromhex(
    "120110010000000809123009010101020001 09022200010100a032 "
    "090400000103010100 092111010001223f00 0705810308000a")
BYTES = {"modem": MODEM, "disk": DISK, "keyboard": KEYBOARD}


def text(name):
    return (DATA / f"{name}.lsusb").read_text()


def read(lsusb, **options):
    """The device of an lsusb text."""
    return describe(DeviceFile(parts=[Part("lsusb", "", lsusb, 1)],
                               **options))
