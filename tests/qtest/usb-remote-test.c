/*
 * usb-remote: the device under real host controllers and a scripted peer
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The cases are in usb-remote-*.c by subject; usbhc*.c are the controllers.
 */

#include "qemu/osdep.h"
#include "usbhc-selftest.h"
#include "usb-remote-rig.h"

int main(int argc, char **argv)
{
    size_t i;

    g_test_init(&argc, &argv, NULL);
    for (i = 0; i < G_N_ELEMENTS(rig_drivers); i++) {
        usbhc_selftest_add(rig_drivers[i]);
    }
    usb_remote_connection_add();
    usb_remote_violation_add();
    usb_remote_lifecycle_add();
    usb_remote_transfer_add();
    usb_remote_cancel_add();
    usb_remote_coverage_add();
    usb_remote_credit_add();
    usb_remote_machine_add();
    usb_remote_fuzz_peer_add();
    usb_remote_xhci_add();
    usb_remote_xhci_cancel_add();
    usb_remote_goodbye_add();
    usb_remote_halt_add();
    usb_remote_hcd_add();
    usb_remote_ohci_add();
    usb_remote_ohci_flight_add();
    usb_remote_bench_add();
    usb_remote_clock_add();
    usb_remote_due_add();
    usb_remote_chardev_add();
    usb_remote_matrix_add();
    usb_remote_migrate_add();
    usb_remote_scenario_add();
    usb_remote_fuzz_guest_add();
    usb_remote_stream_add();
    usb_remote_hotplug_add();
    usb_remote_gone_add();
    usb_remote_walk_add();
    return g_test_run();
}
