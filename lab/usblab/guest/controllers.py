# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU arguments for the host controllers; each bus is ID.0."""

UHCI = ["-device", "piix3-usb-uhci,id=uhci"]
OHCI = ["-device", "pci-ohci,id=ohci"]
EHCI = ["-device", "usb-ehci,id=ehci"]
XHCI = ["-device", "qemu-xhci,id=xhci"]

# A high-speed controller that hands slower devices to its companions.
ICH9 = [
    "-device", "ich9-usb-ehci1,id=ich9,addr=1d.7,multifunction=on",
    "-device", "ich9-usb-uhci1,id=ich9u1,addr=1d.0,multifunction=on,"
               "masterbus=ich9.0,firstport=0",
    "-device", "ich9-usb-uhci2,id=ich9u2,addr=1d.1,multifunction=on,"
               "masterbus=ich9.0,firstport=2",
    "-device", "ich9-usb-uhci3,id=ich9u3,addr=1d.2,multifunction=on,"
               "masterbus=ich9.0,firstport=4",
]

EVERY = UHCI + OHCI + EHCI + XHCI + ICH9
