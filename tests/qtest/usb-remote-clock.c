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
#define TIMEOUT_MS  1000    /* peer-timeout, where it has to be short */
#define LATE_MS     1200    /* and longer than that */
#define HURRY       ",peer-timeout=1000"

/* Another device of the same kind, with a peer; it is the stop-watch. */
static Peer *add_second(Rig *rig, unsigned timeout_ms)
{
    g_autofree char *path = g_strdup_printf("%s/second", rig->dir);
    Peer *peer = peer_new(rig_step, rig);

    qtest_qmp_assert_success(rig->qts,
        "{ 'execute': 'chardev-add', 'arguments': { 'id': 'c1', "
        "'backend': { 'type': 'socket', 'data': { 'addr': { 'type': 'unix', "
        "'data': { 'path': %s } }, 'server': true, 'wait': false } } } }",
        path);
    qtest_qmp_device_add(rig->qts, "usb-remote", "dev1",
                         "{ 'bus': 'hc.0', 'chardev': 'c1', "
                         "'peer-timeout': %u }", timeout_ms);
    peer_connect(peer, path);
    return peer;
}

/*
 * A port that was emptied after the snapshot: by the clock of the snapshot,
 * that is still to come.
 */
static void loadvm_delays_no_attach(const void *opaque)
{
    Rig *rig = rig_new_real(opaque, NULL);
    Peer *second = add_second(rig, 0);

    peer_handshake(second);
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

/* Peers that are late */

/* A transfer whose CANCEL the peer has, and does not answer */
static PeerMessage *owe_an_answer(Rig *rig)
{
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_out, "data", 4);
    PeerMessage *m = rig_submit(rig, PEER_BULK_OUT);

    rig->peer->auto_cancel = false;
    usbhc_cancel(xfer);
    usbhc_transfer_free(xfer);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    return m;
}

static void answer_what_is_owed(Rig *rig, PeerMessage *m)
{
    peer_send_complete(rig->peer, &m->head, USB_REMOTE_STATUS_CANCELLED, NULL,
                       0, NULL, -1);
    peer_message_free(m);
}

static void expect_alive(Rig *rig)
{
    rig_run(rig, TIMEOUT_MS / 10);
    g_assert_true(rig_qom_bool(rig, "connected"));
    rig_out(rig, rig->bulk_out, 64);
}

/* Behind more than is read at a time, all of which the socket takes */
static void answer_behind_much_else(Rig *rig, PeerMessage *m)
{
    peer_hold(rig->peer);
    while (rig->peer->held->len < 160 * 1024) {
        peer_send_ready(rig->peer, PEER_BULK_IN);
    }
    answer_what_is_owed(rig, m);
    peer_release(rig->peer);
}

/* The peer answers at once, and QEMU is not there. */
static void frozen_qemu_hears_an_answer(const void *opaque)
{
    Rig *rig = rig_new_real_plugged(opaque, HURRY);
    PeerMessage *m = owe_an_answer(rig);

    rig_freeze(rig);
    answer_behind_much_else(rig, m);
    g_usleep(LATE_MS * 1000);
    rig_thaw(rig);
    expect_alive(rig);
    rig_free(rig);
}

/* Twice in a row: the second time, nothing but the answer saves the peer. */
static void often_frozen_qemu_hears_an_answer(const void *opaque)
{
    Rig *rig = rig_new_real_plugged(opaque, HURRY);
    PeerMessage *m = owe_an_answer(rig);

    freeze_for(rig, LATE_MS);
    rig_run(rig, 20);
    rig_freeze(rig);
    answer_behind_much_else(rig, m);
    g_usleep(LATE_MS * 1000);
    rig_thaw(rig);
    expect_alive(rig);
    rig_free(rig);
}

/* The peer has not had its time. */
static void frozen_qemu_waits_for_hello(const void *opaque)
{
    Rig *rig = rig_new_real(opaque, HURRY);

    peer_connect(rig->peer, rig->path);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_HELLO);
    freeze_for(rig, LATE_MS);
    rig_run(rig, TIMEOUT_MS / 5);
    peer_send_preamble(rig->peer, USB_REMOTE_MAJOR, USB_REMOTE_MINOR);
    peer_send_hello(rig->peer);
    rig_plug(rig);
    rig_free(rig);
}

static void expect_timeout(Peer *peer)
{
    peer_expect_free(peer, USB_REMOTE_MSG_HELLO);
    peer_expect_error(peer, USB_REMOTE_ERROR_TIMEOUT);
    peer_free(peer);
}

/* Who stops the machine may stop the peer with it. */
static void stopped_machine_is_owed_nothing(const void *opaque)
{
    Rig *rig = rig_new_real_plugged(opaque, HURRY);
    PeerMessage *m = owe_an_answer(rig);

    rig_stop(rig);
    expect_timeout(add_second(rig, LATE_MS));
    rig_cont(rig);
    rig_run(rig, TIMEOUT_MS / 5);
    answer_what_is_owed(rig, m);
    expect_alive(rig);
    rig->quiet = true;      /* of the second */
    rig_free(rig);
}

/* For a debugger at the peer: it owes HELLO, then an answer. */
static void without_a_limit_nothing_is_late(const void *opaque)
{
    Rig *rig = rig_new_real(opaque, ",peer-timeout=0");
    PeerMessage *m;

    peer_connect(rig->peer, rig->path);
    expect_timeout(add_second(rig, 50));
    peer_handshake(rig->peer);
    rig_plug(rig);
    m = owe_an_answer(rig);
    qtest_qmp_device_del(rig->qts, "dev1");
    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'chardev-remove', "
                             "'arguments': { 'id': 'c1' } }");
    expect_timeout(add_second(rig, 50));
    answer_what_is_owed(rig, m);
    expect_alive(rig);
    rig->quiet = true;      /* of the second */
    rig_free(rig);
}

void usb_remote_clock_add(void)
{
    size_t i;

    if (!qtest_has_accel("tcg")) {
        return;
    }
    rig_add(&usbhc_xhci, "loadvm-delays-no-attach", loadvm_delays_no_attach);
    rig_add(&usbhc_xhci, "frozen-qemu-hears-an-answer",
            frozen_qemu_hears_an_answer);
    rig_add(&usbhc_xhci, "often-frozen-qemu-hears-an-answer",
            often_frozen_qemu_hears_an_answer);
    rig_add(&usbhc_xhci, "frozen-qemu-waits-for-hello",
            frozen_qemu_waits_for_hello);
    rig_add(&usbhc_xhci, "stopped-machine-is-owed-nothing",
            stopped_machine_is_owed_nothing);
    rig_add(&usbhc_xhci, "without-a-limit-nothing-is-late",
            without_a_limit_nothing_is_late);
    for (i = 0; i < G_N_ELEMENTS(rig_drivers); i++) {
        rig_add(rig_drivers[i], "frozen-qemu-sends-no-out-twice",
                frozen_qemu_sends_no_out_twice);
    }
}
