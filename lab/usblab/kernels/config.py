# SPDX-License-Identifier: GPL-2.0-or-later
"""A kernel's configuration, and the options that drivers are built by."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Dict, Optional

# driver: its option, where the two names are not alike (see option())
OPTIONS = {
    "usbhid": "USB_HID", "hid_generic": "HID_GENERIC", "usb_storage":
    "USB_STORAGE", "uas": "USB_UAS", "cdc_acm": "USB_ACM", "usblp":
    "USB_PRINTER", "cdc_wdm": "USB_WDM", "usbtmc": "USB_TMC", "usbtest":
    "USB_TEST", "cdc_ether": "USB_NET_CDCETHER", "cdc_ncm":
    "USB_NET_CDC_NCM", "cdc_mbim": "USB_NET_CDC_MBIM", "rndis_host":
    "USB_NET_RNDIS_HOST", "asix": "USB_NET_AX8817X", "ax88179_178a":
    "USB_NET_AX88179_178A", "r8152": "USB_RTL8152", "rtl8150":
    "USB_RTL8150", "lan78xx": "USB_LAN78XX", "smsc75xx":
    "USB_NET_SMSC75XX", "smsc95xx": "USB_NET_SMSC95XX", "snd_usb_audio":
    "SND_USB_AUDIO", "uvcvideo": "USB_VIDEO_CLASS", "xpad":
    "JOYSTICK_XPAD", "btusb": "BT_HCIBTUSB", "ftdi_sio":
    "USB_SERIAL_FTDI_SIO", "pl2303": "USB_SERIAL_PL2303", "cp210x":
    "USB_SERIAL_CP210X", "ch341": "USB_SERIAL_CH341", "option":
    "USB_SERIAL_OPTION", "sierra": "USB_SERIAL_SIERRAWIRELESS",
    "qmi_wwan": "USB_NET_QMI_WWAN", "wacom": "HID_WACOM", "usbmon":
    "USB_MON", "xhci_pci": "USB_XHCI_PCI", "ehci_pci": "USB_EHCI_PCI",
    "uhci_hcd": "USB_UHCI_HCD", "ohci_pci": "USB_OHCI_HCD_PCI",
}
LINE = re.compile(r"^CONFIG_(\w+)=(.*)$", re.M)
EMBEDDED = b"IKCFG_ST"          # before the configuration inside an image


class Config:
    """The options of one kernel; known is False where there is no file."""

    def __init__(self, path: Optional[Path]) -> None:
        text = path.read_text(errors="replace") if path else ""
        self.known = bool(text)
        self._values: Dict[str, str] = dict(LINE.findall(text))

    def get(self, option: str) -> Optional[str]:
        """y, m, or a value; None for what is not set."""
        return self._values.get(option)


def option(driver: str) -> Optional[str]:
    """The configuration option of a driver or module, where it is known."""
    name = driver.replace("-", "_")
    if name in OPTIONS:
        return OPTIONS[name]
    if name.startswith("hid_"):
        return name.upper()
    return None


def embedded(vmlinux: bytes) -> Optional[str]:
    """The configuration that CONFIG_IKCONFIG put into a kernel."""
    at = vmlinux.find(EMBEDDED)
    end = vmlinux.find(b"IKCFG_ED", at)
    if at < 0 or end < 0:
        return None
    try:
        return gzip.decompress(vmlinux[at + len(EMBEDDED):end]).decode()
    except (OSError, EOFError, UnicodeDecodeError):
        return None
