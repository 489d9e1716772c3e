# SPDX-License-Identifier: GPL-2.0-or-later
"""The cases: one file per topic, one behaviour each, named by a sentence.

A case is a function that takes a Lab (guestlab/lab.py):

    @case("a peer that comes is a mouse plugged in")
    def peer_comes(lab):
        device = lab.remote("xhci")             # device_add on that bus
        mark = lab.vm.kernel_log.mark()
        lab.mouse("--connect", device.address)  # examples/mouse.py
        lab.vm.kernel_log.wait("input: usb-remote Python Mouse", mark)

`lab.vm` is a guest that many cases share, booted when it is first asked for;
`lab.new_vm()` is one of the case's own.  `vm.agent.run()` runs a shell line
in the guest, `vm.agent.start()` follows one; `load NAME` there inserts one
of the modules that guestlab/guest.py lists.  What a case does not get
within its time fails it.  Everything that the lab handed out is put away at
the end; then the guest's kernel log must be clean and QEMU may have no more
files open than before.
"""
