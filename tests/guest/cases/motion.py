# SPDX-License-Identifier: GPL-2.0-or-later
"""The pointer moves as the mouse says, on every controller and speed."""

from guestlab import trace, turns
from guestlab.places import Failure
from guestlab.registry import case


@case("a low-speed mouse on UHCI: every motion arrives")
def uhci_low(lab):
    turns.one_turn(lab, "uhci", "low", driver="uhci_hcd")


@case("a full-speed mouse on UHCI: every motion arrives")
def uhci_full(lab):
    turns.one_turn(lab, "uhci", "full", driver="uhci_hcd")


@case("a low-speed mouse on OHCI: every motion arrives")
def ohci_low(lab):
    turns.one_turn(lab, "ohci", "low", driver="ohci-pci")


@case("a full-speed mouse on OHCI: every motion arrives")
def ohci_full(lab):
    turns.one_turn(lab, "ohci", "full", driver="ohci-pci")


@case("a low-speed mouse on xHCI: every motion arrives")
def xhci_low(lab):
    turns.one_turn(lab, "xhci", "low", driver="xhci_hcd")


@case("a full-speed mouse on xHCI: every motion arrives")
def xhci_full(lab):
    turns.one_turn(lab, "xhci", "full", driver="xhci_hcd")


@case("a high-speed mouse on xHCI: every motion arrives")
def xhci_high(lab):
    turns.one_turn(lab, "xhci", "high", driver="xhci_hcd")


@case("a super-speed mouse on xHCI: every motion arrives, and LPM is usable")
def xhci_super(lab):
    mark = lab.vm.kernel_log.mark()
    turns.one_turn(lab, "xhci", "super", driver="xhci_hcd")
    lab.vm.kernel_log.sync()
    complaints = [line for line in lab.vm.kernel_log.since(mark)
                  if "exit latency" in line]
    if complaints:
        raise Failure(f"LPM is not usable: {complaints[0]}")


@case("a high-speed mouse on EHCI: EHCI itself carries every motion")
def ehci_high(lab):
    with trace.recorded(lab, "usb_ehci_state") as lines:
        sent = turns.one_turn(lab, "ehci", "high", driver="ehci-pci")
    carried = sum("periodic schedule WRITEBACK" in line for line in lines())
    if carried < len(sent):
        raise Failure(f"EHCI's periodic schedule ended {carried} transfers "
                      f"for {len(sent)} reports")
    lab.note(f"EHCI's periodic schedule ended {carried} transfers for "
             f"{len(sent)} reports")


@case("a full-speed mouse on an EHCI port: its companion carries the motion")
def companion_full(lab):
    with trace.recorded(lab, "usb_ehci_port_attach") as lines:
        turns.one_turn(lab, "ich9", "full", driver="uhci_hcd")
    if not any("owner comp" in line for line in lines()):
        raise Failure("the port was not given to a companion")


@case("a low-speed mouse on an EHCI port: its companion carries the motion")
def companion_low(lab):
    turns.one_turn(lab, "ich9", "low", driver="uhci_hcd")


@case("a mouse behind a hub on UHCI: every motion arrives")
def hub_on_uhci(lab):
    turns.behind_hub(lab, "uhci", "full", driver="uhci_hcd")


@case("a mouse behind a hub on OHCI: every motion arrives")
def hub_on_ohci(lab):
    turns.behind_hub(lab, "ohci", "low", driver="ohci-pci")


@case("a mouse behind a hub on xHCI: every motion arrives")
def hub_on_xhci(lab):
    turns.behind_hub(lab, "xhci", "full", driver="xhci_hcd")
