# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux's own tests of a USB stack, each a few times; tests/guest/usbtest
runs them for longer, on every controller and against both Gadget Zeros."""

import functools

from guestlab import usbtest
from guestlab.places import Failure
from guestlab.registry import case

SIZES = usbtest.Sizes(iterations=2)
LIMIT = 20              # seconds, for one test


@case("UHCI: the kernel's usbtest is content with the Gadget Zero in C")
def uhci_c(lab):
    every_test(lab, "uhci", lab.c_example)


@case("xHCI: the kernel's usbtest is content with the Gadget Zero in C")
def xhci_c(lab):
    every_test(lab, "xhci", lab.c_example)


def every_test(lab, bus, example):
    """All of them, in their order."""
    failed = []
    for test, node in usbtest.each(lab, bus, functools.partial(
            example, "zero"), usbtest.RUN):
        verdict = usbtest.run(lab.vm, node, test, SIZES, LIMIT)
        if not verdict.passed:
            failed += [f"test {test} ({usbtest.TESTS[test]}): {verdict.text}",
                       *verdict.kernel]
    if failed:
        raise Failure("\n".join(failed))
