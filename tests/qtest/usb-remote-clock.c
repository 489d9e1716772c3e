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

void usb_remote_clock_add(void)
{
    if (!qtest_has_accel("tcg")) {
        return;
    }
    rig_add(&usbhc_xhci, "loadvm-delays-no-attach", loadvm_delays_no_attach);
}
