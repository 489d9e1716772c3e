/*
 * usb-remote cases: clocks that jump
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QEMU's virtual clock goes back at loadvm, and leaps when QEMU was not
 * scheduled for a while.  That of the qtest accelerator does neither, so these
 * cases run on TCG.  None of them looks at a clock: what must not wait is
 * judged by what has to come after it.
 */

#include "qemu/osdep.h"
#include "usb-remote-rig.h"

#define AHEAD_MS    1000    /* by so much loadvm sets the clock back */
#define FROZEN_MS   1500    /* longer than a guest may leave polls out */

/* Another device of the same kind, with a peer; it is the stop-watch. */
static Peer *add_second(Rig *rig)
{
    g_autofree char *path = g_strdup_printf("%s/second", rig->dir);
    Peer *peer = peer_new(rig_step, rig);

    qtest_qmp_assert_success(rig->qts,
        "{ 'execute': 'chardev-add', 'arguments': { 'id': 'c1', "
        "'backend': { 'type': 'socket', 'data': { 'addr': { 'type': 'unix', "
        "'data': { 'path': %s } }, 'server': true, 'wait': false } } } }",
        path);
    qtest_qmp_device_add(rig->qts, "usb-remote", "dev1",
                         "{ 'bus': 'hc.0', 'chardev': 'c1' }");
    peer_connect(peer, path);
    peer_handshake(peer);
    return peer;
}

/*
 * A port that was emptied after the snapshot: by the clock of the snapshot,
 * that is still to come.
 */
static void loadvm_delays_no_attach(const void *opaque)
{
    Rig *rig = rig_new_real(opaque, NULL);
    Peer *second = add_second(rig);

    rig_connect(rig);
    rig_add_snapshot_store(rig);
    rig_savevm(rig);
    rig_run(rig, AHEAD_MS);
    peer_attach(rig->peer, rig->speeds);
    peer_send_detach(rig->peer);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_DETACHED);
    rig_loadvm(rig);
    peer_send_attach(rig->peer, rig->speeds, 0, 0, NULL, 0);
    peer_attach(second, rig->speeds);
    peer_send_detach(second);
    peer_send_attach(second, rig->speeds, 0, AHEAD_MS / 2, NULL, 0);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    peer_pump(second);
    g_assert_false(peer_has(second, USB_REMOTE_MSG_ATTACHED));
    peer_free(second);
    rig_free(rig);
}

static Rig *rig_new_real_plugged(const UsbHcDriver *drv, const char *options)
{
    Rig *rig = rig_new_real(drv, options);

    rig_connect(rig);
    rig_plug(rig);
    return rig;
}

/* QEMU is not scheduled; its clock goes on. */
static void freeze_for(Rig *rig, unsigned ms)
{
    rig_freeze(rig);
    g_usleep(ms * 1000);
    rig_thaw(rig);
}

/* That the guest was not seen polling does not mean that it did not. */
static void frozen_qemu_sends_no_out_twice(const void *opaque)
{
    Rig *rig = rig_new_real_plugged(opaque, NULL);
    UsbHcTransfer *xfer = usbhc_submit(rig->int_out, "once", 4);
    PeerMessage *m = rig_submit(rig, PEER_INT_OUT);

    freeze_for(rig, FROZEN_MS);
    rig_run(rig, 50);
    g_assert_cmpint(rig->peer->cancels, ==, 0);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_SUBMIT));
    peer_answer_ok(rig->peer, m, NULL, 4);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

void usb_remote_clock_add(void)
{
    size_t i;

    if (!qtest_has_accel("tcg")) {
        return;
    }
    rig_add(&usbhc_xhci, "loadvm-delays-no-attach", loadvm_delays_no_attach);
    for (i = 0; i < G_N_ELEMENTS(rig_drivers); i++) {
        rig_add(rig_drivers[i], "frozen-qemu-sends-no-out-twice",
                frozen_qemu_sends_no_out_twice);
    }
}
