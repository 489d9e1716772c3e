# SPDX-License-Identifier: GPL-2.0-or-later
"""Input of any form, damaged at random: imported or one clear line."""

import random

import captures
import examples
import test_formats
import test_syzkaller

SEEDS = [*(examples.text(name).encode() for name in examples.BYTES),
         *captures.FILES.values(), test_syzkaller.PROGRAM.encode(),
         test_syzkaller.MODEM.encode(), test_formats.DEVICES.encode(),
         test_formats.UMOCKDEV.encode(), test_formats.RECORDED.encode(),
         test_formats.RDESC.encode(), test_formats.recording(
             [{"Id": test_formats.GET_REPORT, "Data": "AAE="}],
             UsbInterfaces=[{"InterfaceClass": 3, "UsbEndpoints": [{}]}]
         ).encode()]
BITS = (b"\n", b"999999999999", b"0x", b"-1", b"{", b'"', b"=", b"\0", b"\xff")
ROUNDS = 150


def damaged(data, choose):
    """A few bytes changed, taken out, doubled or put in."""
    data = bytearray(data)
    for _ in range(choose.randint(1, 6)):
        at = choose.randrange(len(data) or 1)
        how = choose.randrange(5)
        if how == 0:
            data[at:at + 1] = bytes((choose.randrange(256),))
        elif how == 1:
            data[at:at + 1] = choose.choice("0123456789abcdef ").encode()
        elif how == 2:
            del data[at:at + choose.randint(1, 30)]
        elif how == 3:
            data[at:at] = data[max(0, at - 40):at]
        else:
            data[at:at] = choose.choice(BITS)
    return bytes(data)


def test_it_is_a_device_or_one_clear_line(usb_lab):
    choose = random.Random(16)
    for _ in range(ROUNDS):
        data = damaged(choose.choice(SEEDS), choose)
        options = choose.choice(((), ("--as-printed",), ("--python",)))
        run = usb_lab("import", "-", "-o", "-", "-d", "1", *options,
                      text=data)
        first = run.stderr.partition("\n")[0]
        assert run.returncode in (0, 2), data
        assert run.returncode == 0 or first.startswith("usb-lab: "), data
