/*
 * usb-remote cases: the guest gives up a transfer, or seems to
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "usb-remote-rig.h"

#define POLL_LOST_MS    1200    /* a second and two intervals */

#define DEPTH   8

/* A guest that lets UHCI notice what it has taken out */
static Rig *rig_new_patient(const UsbHcDriver *drv)
{
    Rig *rig = rig_new_plugged(drv);

    rig->hc->linger = 40;
    return rig;
}

/* The peer has to answer soon; it does not. */
static Rig *rig_new_hurried(const UsbHcDriver *drv)
{
    Rig *rig = rig_new(drv, ",peer-timeout=700");

    rig_connect(rig);
    rig_plug(rig);
    rig->hc->linger = 40;
    rig->peer->auto_cancel = false;
    return rig;
}

static void cancel_reaches_the_peer(Rig *rig, UsbHcEndpoint *ep)
{
    UsbHcTransfer *xfer = usbhc_submit(ep, "data", 4);
    PeerMessage *m = rig_submit(rig, ep->address), *cancel;

    usbhc_cancel(xfer);
    g_assert_cmpint(xfer->status, ==, USBHC_CANCELLED);
    usbhc_transfer_free(xfer);
    usbhc_ep_close(ep);
    cancel = peer_expect(rig->peer, USB_REMOTE_MSG_CANCEL);
    g_assert_cmpint(cancel->head.id, ==, m->head.id);
    peer_message_free(cancel);
    peer_message_free(m);
    rig_run(rig, 5);
    g_assert_cmpint(rig_qom_number(rig, "in-flight"), ==, 0);
}

static void cancelled_out_is_told(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);

    cancel_reaches_the_peer(rig, rig->bulk_out);
    rig->bulk_out = NULL;
    rig_free(rig);
}

/*
 * A packet that was answered NAK leaves without a word: the next one on its
 * endpoint shows at once that it has gone.
 */
static void cancelled_nak_out_is_told_by_the_next(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->int_out, "data", 4);
    PeerMessage *m = rig_submit(rig, PEER_INT_OUT), *next, *cancel;

    usbhc_cancel(xfer);
    usbhc_transfer_free(xfer);
    xfer = usbhc_submit(rig->int_out, "other", 5);
    cancel = peer_expect(rig->peer, USB_REMOTE_MSG_CANCEL);
    g_assert_cmpint(cancel->head.id, ==, m->head.id);
    next = rig_submit(rig, PEER_INT_OUT);
    g_assert_cmpmem(peer_submit_data(next), peer_submit_length(next),
                    "other", 5);
    peer_answer_ok(rig->peer, next, NULL, 5);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    peer_message_free(cancel);
    peer_message_free(m);
    rig_free(rig);
}

/* The controller says that it polls no more; nothing else has to happen. */
static void poll_given_up_is_told(Rig *rig, UsbHcEndpoint *ep)
{
    UsbHcTransfer *xfer = usbhc_submit(ep, "data", 4);
    PeerMessage *m = rig_submit(rig, ep->address), *cancel;

    usbhc_cancel(xfer);
    usbhc_transfer_free(xfer);
    rig_run(rig, 50);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_CANCEL));
    cancel = peer_expect(rig->peer, USB_REMOTE_MSG_CANCEL);
    g_assert_cmpint(cancel->head.id, ==, m->head.id);
    peer_message_free(cancel);
    peer_message_free(m);
    rig_run(rig, 5);
    g_assert_cmpint(rig_qom_number(rig, "in-flight"), ==, 0);
    xfer = usbhc_submit(ep, "next", 4);
    peer_answer_ok(rig->peer, rig_submit(rig, ep->address),
                   ep->address & 0x80 ? "next" : NULL, 4);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
}

static void polls_given_up_are_told(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);

    poll_given_up_is_told(rig, rig->int_in);
    poll_given_up_is_told(rig, rig->int_out);
    rig_free(rig);
}

static bool a_megabyte_was_asked(Rig *rig)
{
    PeerMessage *m = peer_take(rig->peer, USB_REMOTE_MSG_SUBMIT);
    bool whole = m && peer_submit_length(m) == 1 << 20;

    if (m) {
        g_assert_cmphex(peer_submit(m)->endpoint[0], ==, PEER_BULK_OUT);
    }
    peer_message_free(m);
    return whole;
}

/* There was no room for its request: the peer never hears of it. */
static void poll_given_up_unsent_is_not_told(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    g_autofree uint8_t *data = g_malloc0(1 << 20);
    UsbHcTransfer *out, *in;

    rig->peer->deaf = true;
    out = usbhc_submit(rig->bulk_out, data, 1 << 20);
    rig_run(rig, 5);
    in = usbhc_submit(rig->int_in, NULL, 4);
    rig_run(rig, 5);
    usbhc_cancel(in);
    rig_run(rig, 150);
    rig->peer->deaf = false;
    rig_until(rig, a_megabyte_was_asked, "the write arrives");
    rig_run(rig, 50);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_SUBMIT));
    usbhc_transfer_free(in);
    usbhc_transfer_free(out);
    rig_free(rig);
}

/* UHCI forgets a queue that it has not seen for 32 frames. */
static void polls_begun_again_are_left_alone(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);
    UsbHcTransfer *stays = usbhc_submit(rig->int_in, NULL, 4);
    UsbHcTransfer *goes = usbhc_submit(rig->int_in, NULL, 4);
    PeerMessage *m = rig_submit(rig, PEER_INT_IN);

    usbhc_cancel(goes);
    rig_run(rig, 300);
    g_assert_cmpint(rig->peer->cancels, ==, 0);
    peer_answer_ok(rig->peer, m, "data", 4);
    g_assert_cmpint(usbhc_wait(stays), ==, USBHC_OK);
    usbhc_transfer_free(goes);
    usbhc_transfer_free(stays);
    rig_free(rig);
}

/* A guest that has stopped an endpoint changes its ring. */
static void stopped_endpoint_is_not_woken(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->int_in, NULL, 4);
    PeerMessage *m = rig_submit(rig, PEER_INT_IN);

    usbhc_xhci_stop(rig->int_in);
    peer_answer_ok(rig->peer, m, "data", 4);
    rig_run(rig, 50);
    g_assert_cmpint(xfer->status, ==, USBHC_PENDING);
    usbhc_xhci_ring(rig->int_in);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void cancelled_in_is_told(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);

    cancel_reaches_the_peer(rig, rig->bulk_in);
    rig->bulk_in = NULL;
    rig_free(rig);
}

static void cancelled_control_is_told_at_once(const void *opaque)
{
    static const uint8_t setup[8] = { 0xc0, 1, 0, 0, 0, 0, 8, 0 };
    Rig *rig = rig_new_patient(opaque);
    UsbHcTransfer *xfer;
    PeerMessage *m;
    uint8_t config;

    rig->peer->auto_control = false;
    xfer = usbhc_submit_control(rig->dev, setup, NULL);
    m = rig_submit(rig, 0);
    usbhc_cancel(xfer);
    usbhc_transfer_free(xfer);
    rig->peer->auto_control = true;
    g_assert_cmpint(usbhc_control(rig->dev, 0x80, 8, 0, 0, &config, 1, NULL),
                    ==, USBHC_OK);
    g_assert_cmpint(config, ==, 1);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    peer_message_free(m);
    rig_free(rig);
}

/* What was answered before the CANCEL arrived is the next transfer's. */
static void late_in_goes_to_the_next(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);
    UsbHcTransfer *xfer;

    rig_late_in(rig, 64, "late", 4);
    rig_run(rig, 20);
    xfer = usbhc_submit(rig->bulk_in, NULL, 64);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    g_assert_cmpmem(xfer->data, xfer->actual, "late", 4);
    usbhc_transfer_free(xfer);
    g_assert_cmpint(rig->peer->cancels, <=, 1);
    rig_free(rig);
}

/* However late: no timer is there to help when the grace is over. */
static void late_in_is_kept_after_the_grace(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);
    UsbHcTransfer *xfer;

    rig_late_in(rig, 64, "late", 4);
    rig_run(rig, 500);
    xfer = usbhc_submit(rig->bulk_in, NULL, 64);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    g_assert_cmpmem(xfer->data, xfer->actual, "late", 4);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* It ends that transfer, as a short packet does on the bus. */
static void late_short_packet_ends_the_next(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);
    UsbHcTransfer *xfer;

    rig_late_in(rig, 13, "thirteenbytes", 13);
    rig_run(rig, 20);
    xfer = usbhc_submit(rig->bulk_in, NULL, 64);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    g_assert_cmpmem(xfer->data, xfer->actual, "thirteenbytes", 13);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void late_packet_too_large_is_babble(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);
    UsbHcTransfer *xfer;

    rig_late_in(rig, 13, "thirteenbytes", 13);
    rig_run(rig, 20);
    xfer = usbhc_submit(rig->bulk_in, NULL, 8);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_BABBLE);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void late_in_is_dropped_by_clear_halt(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);
    UsbHcTransfer *xfer;

    rig_late_in(rig, 64, "late", 4);
    rig_run(rig, 5);
    usbhc_control(rig->dev, 2, 1, 0, PEER_BULK_IN, NULL, 0, NULL);
    xfer = usbhc_submit(rig->bulk_in, NULL, 64);
    peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_IN), "new", 3);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    g_assert_cmpmem(xfer->data, xfer->actual, "new", 3);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* One of eight is cancelled; each byte of the others arrives once. */
static void one_of_many_out(Rig *rig, unsigned victim)
{
    uint32_t mps = rig->bulk_out->mps;
    g_autofree uint8_t *data = g_malloc(DEPTH * mps);
    UsbHcTransfer *xfer[DEPTH];
    unsigned seen[DEPTH] = { 0 }, i;

    for (i = 0; i < DEPTH; i++) {
        memset(data + i * mps, 'a' + i, mps);
        xfer[i] = usbhc_submit(rig->bulk_out, data + i * mps, mps);
    }
    rig_run(rig, 3);
    usbhc_cancel(xfer[victim]);
    for (i = 0; i < DEPTH; ) {
        PeerMessage *m = peer_take(rig->peer, USB_REMOTE_MSG_SUBMIT);

        if (m) {
            seen[peer_submit_data(m)[0] - 'a']++;
            peer_answer_ok(rig->peer, m, NULL, mps);
        } else if (xfer[i]->status != USBHC_PENDING) {
            i++;
        } else {
            rig_step(rig);
        }
    }
    rig_run(rig, 10);
    for (i = 0; i < DEPTH; i++) {
        if (i == victim) {
            g_assert_cmpint(xfer[i]->status, ==, USBHC_CANCELLED);
            g_assert_cmpint(seen[i], <=, 1);
        } else {
            g_assert_cmpint(xfer[i]->status, ==, USBHC_OK);
            g_assert_cmpint(seen[i], ==, 1);
        }
        usbhc_transfer_free(xfer[i]);
    }
    peer_drop(rig->peer, USB_REMOTE_MSG_CANCEL);
}

static void out_bytes_are_sent_once(const void *opaque)
{
    unsigned victim;

    for (victim = 0; victim < DEPTH; victim++) {
        Rig *rig = rig_new_patient(opaque);

        one_of_many_out(rig, victim);
        rig_free(rig);
    }
}

/* The host controller drops a queue that the guest still wants. */
static void orphaned_out_is_adopted(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);
    uint32_t mps = rig->bulk_out->mps;
    g_autofree uint8_t *data = g_malloc0(mps);
    UsbHcTransfer *a = usbhc_submit(rig->bulk_out, data, mps);
    UsbHcTransfer *b = usbhc_submit(rig->bulk_out, data, mps);
    PeerMessage *m[2];
    unsigned before;

    m[0] = rig_submit(rig, PEER_BULK_OUT);
    m[1] = rig_submit(rig, PEER_BULK_OUT);
    before = rig->peer->bulk_submits;
    usbhc_cancel(b);
    rig_run(rig, 5);
    g_assert_cmpint(rig->peer->bulk_submits, ==, before);
    g_assert_cmpint(rig_qom_number(rig, "adopted"), >=, 1);
    peer_answer_ok(rig->peer, m[0], NULL, mps);
    g_assert_cmpint(usbhc_wait(a), ==, USBHC_OK);
    peer_message_free(m[1]);
    usbhc_transfer_free(a);
    usbhc_transfer_free(b);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    rig_free(rig);
}

static void in_stream_survives_a_cancel(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);
    uint32_t mps = rig->bulk_in->mps;
    g_autofree uint8_t *data = g_malloc(mps);
    UsbHcTransfer *xfer[DEPTH];
    unsigned i, next = 0;

    for (i = 0; i < DEPTH; i++) {
        xfer[i] = usbhc_submit(rig->bulk_in, NULL, mps);
    }
    rig_run(rig, 3);
    usbhc_cancel(xfer[3]);
    for (i = 0; i < DEPTH; ) {
        PeerMessage *m = peer_take(rig->peer, USB_REMOTE_MSG_SUBMIT);

        if (m) {
            memset(data, next++, mps);
            peer_answer_ok(rig->peer, m, data, mps);
        } else if (xfer[i]->status != USBHC_PENDING) {
            i++;
        } else {
            rig_step(rig);
        }
    }
    for (i = next = 0; i < DEPTH; i++) {
        if (i != 3) {
            g_assert_cmpint(xfer[i]->status, ==, USBHC_OK);
            g_assert_cmpint(xfer[i]->data[0], ==, next);
            next++;
        }
        usbhc_transfer_free(xfer[i]);
    }
    rig_free(rig);
}

/* The guest takes a transfer back, and makes the same again. */
static UsbHcTransfer *come_back(Rig *rig, UsbHcTransfer *xfer,
                                unsigned frames)
{
    usbhc_cancel(xfer);
    usbhc_transfer_free(xfer);
    rig_run(rig, frames);
    return usbhc_submit(rig->bulk_in, NULL, 64);
}

/* The peer was never told, and its answer is for the transfer of now. */
static void expect_answer(Rig *rig, PeerMessage *m, UsbHcTransfer *xfer)
{
    g_assert_cmpint(rig->peer->cancels, ==, 0);
    peer_answer_ok(rig->peer, m, "hello", 5);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    usbhc_transfer_free(xfer);
}

/* The one that came back in time is not taken from it. */
static void in_that_came_back_is_left_alone(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, 64);
    PeerMessage *m = rig_submit(rig, PEER_BULK_IN);

    xfer = come_back(rig, xfer, 0);
    rig_run(rig, 150);
    expect_answer(rig, m, xfer);
    rig_free(rig);
}

/* Each time that it goes away, a transfer has all of the grace. */
static void second_cancel_has_its_own_grace(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, 64);
    PeerMessage *m = rig_submit(rig, PEER_BULK_IN);

    xfer = come_back(rig, xfer, 50);
    rig_run(rig, 5);
    xfer = come_back(rig, xfer, 70);
    rig_run(rig, 5);
    expect_answer(rig, m, xfer);
    rig_free(rig);
}

/* What the peer has consumed already is not sent a second time. */
static void clear_halt_spares_what_was_answered(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *a = usbhc_submit(rig->bulk_out, "aaaa", 4);
    UsbHcTransfer *b = usbhc_submit(rig->bulk_out, "bbbb", 4);
    PeerMessage *m = rig_submit(rig, PEER_BULK_OUT);

    peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_OUT), NULL, 4);
    usbhc_control(rig->dev, 2, 1, 0, PEER_BULK_OUT, NULL, 0, NULL);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    peer_message_free(m);
    rig_expect_out(rig, PEER_BULK_OUT, "aaaa", 4);
    g_assert_cmpint(usbhc_wait(a), ==, USBHC_OK);
    rig_run(rig, 5);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_SUBMIT));
    g_assert_cmpint(usbhc_wait(b), ==, USBHC_OK);
    usbhc_transfer_free(a);
    usbhc_transfer_free(b);
    rig_free(rig);
}

static bool cancel_is_before_a_read(Rig *rig)
{
    GList *l;

    for (l = rig->peer->messages.head; l; l = l->next) {
        PeerMessage *m = l->data;

        if (m->head.type == USB_REMOTE_MSG_CANCEL) {
            return true;
        }
        g_assert_false(m->head.type == USB_REMOTE_MSG_SUBMIT &&
                       peer_submit(m)->endpoint[0] == PEER_BULK_IN);
    }
    return false;
}

/*
 * A peer that waits for room in a buffer, and gets it from the read that the
 * guest made later, must not take what the guest took back before.
 */
static void cancel_is_told_before_later_requests(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    g_autofree uint8_t *data = g_malloc0(1 << 20);
    UsbHcTransfer *out[3], *in;
    size_t i;

    rig->peer->auto_cancel = false;
    for (i = 0; i < 2; i++) {
        out[i] = usbhc_submit(rig->bulk_out, "data", 4);
        peer_message_free(rig_submit(rig, PEER_BULK_OUT));
    }
    rig->peer->deaf = true;
    out[2] = usbhc_submit(rig->bulk_out, data, 1 << 20);
    rig_run(rig, 5);
    usbhc_cancel(out[0]);
    in = usbhc_submit(rig->bulk_in, NULL, 64);
    rig->peer->deaf = false;
    rig_until(rig, cancel_is_before_a_read, "the CANCEL comes");
    usbhc_transfer_free(in);
    for (i = 0; i < 3; i++) {
        usbhc_transfer_free(out[i]);
    }
    rig_free(rig);
}

/*
 * The guest stops polling for an interrupt OUT, for longer than it could leave
 * out polls by chance, because it takes the one behind it back.
 */
static void leave_polls_out(Rig *rig)
{
    UsbHcTransfer *behind = usbhc_submit(rig->int_out, "not", 3);

    rig->hc->absence = POLL_LOST_MS;
    usbhc_cancel(behind);
    usbhc_transfer_free(behind);
}

static void expect_retry(Rig *rig, const char *data)
{
    PeerMessage *m = rig_submit(rig, PEER_INT_OUT);
    unsigned flags = usb_remote_get16(peer_submit(m)->flags);

    g_assert_cmpint(flags & USB_REMOTE_SUBMIT_RETRY, !=, 0);
    g_assert_cmpmem(peer_submit_data(m), peer_submit_length(m), data,
                    strlen(data));
    peer_answer_ok(rig->peer, m, NULL, strlen(data));
}

/* The rest of a transfer that the peer took back when so much was consumed */
static void consumed_of_a_poll(Rig *rig, uint32_t consumed, const char *rest)
{
    UsbHcTransfer *xfer = usbhc_submit(rig->int_out, "once", 4);
    PeerMessage *m = rig_submit(rig, PEER_INT_OUT), *cancel;

    rig->peer->auto_cancel = false;
    leave_polls_out(rig);
    cancel = peer_expect(rig->peer, USB_REMOTE_MSG_CANCEL);
    g_assert_cmpint(cancel->head.id, ==, m->head.id);
    peer_message_free(cancel);
    rig_run(rig, POLL_LOST_MS);     /* it is polled for when that is said */
    peer_send_complete(rig->peer, &m->head, USB_REMOTE_STATUS_CANCELLED, NULL,
                       consumed, NULL, -1);
    peer_message_free(m);
    if (*rest) {
        expect_retry(rig, rest);
    }
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_SUBMIT));
    usbhc_transfer_free(xfer);
}

static void out_polled_for_again_is_consumed_once(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    consumed_of_a_poll(rig, 4, "");
    consumed_of_a_poll(rig, 3, "e");
    consumed_of_a_poll(rig, 0, "once");
    rig_free(rig);
}

static PeerMessage *unpolled;   /* what answer_unpolled() answers, once */

static void answer_unpolled(void *opaque)
{
    Rig *rig = opaque;

    if (unpolled) {
        peer_answer_ok(rig->peer, g_steal_pointer(&unpolled), NULL, 4);
    }
}

/* Carried out, and nobody fetched the answer: the peer is told that much. */
static void answer_not_polled_for_is_a_retry(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->int_out, "once", 4);

    unpolled = rig_submit(rig, PEER_INT_OUT);
    rig->hc->absent = answer_unpolled;
    leave_polls_out(rig);
    expect_retry(rig, "once");
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void unanswered_cancel_times_out(const void *opaque)
{
    Rig *rig = rig_new_hurried(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, 64);

    peer_expect_free(rig->peer, USB_REMOTE_MSG_SUBMIT);
    usbhc_transfer_free(xfer);
    usbhc_ep_close(rig->bulk_in);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    peer_expect_error(rig->peer, USB_REMOTE_ERROR_TIMEOUT);
    rig_expect_log(rig, "'dev0'");
    rig_free(rig);
}

static void two_unanswered_cancels_are_one_violation(const void *opaque)
{
    Rig *rig = rig_new_hurried(opaque);
    UsbHcEndpoint *ep[] = { rig->bulk_in, rig->bulk_out };
    UsbHcTransfer *xfer[2];
    unsigned i;

    for (i = 0; i < 2; i++) {
        xfer[i] = usbhc_submit(ep[i], "data", 4);
        peer_expect_free(rig->peer, USB_REMOTE_MSG_SUBMIT);
    }
    for (i = 0; i < 2; i++) {
        usbhc_transfer_free(xfer[i]);
        usbhc_ep_close(ep[i]);
    }
    for (i = 0; i < 2; i++) {
        peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    }
    peer_expect_error(rig->peer, USB_REMOTE_ERROR_TIMEOUT);
    rig_expect_unplugged(rig);
    g_assert_cmpint(rig_log_count(rig, "CANCEL was not answered"), ==, 1);
    rig_free(rig);
}

/* Overtaken by the first, the second was taken back, but came too far. */
static void out_taken_back_too_late_is_done(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *first = usbhc_submit(rig->bulk_out, "first", 5);
    UsbHcTransfer *second = usbhc_submit(rig->bulk_out, "second", 6);
    PeerMessage *m = rig_submit(rig, PEER_BULK_OUT);
    PeerMessage *late = rig_submit(rig, PEER_BULK_OUT);

    rig->peer->auto_cancel = false;
    peer_answer(rig->peer, m, USB_REMOTE_STATUS_NAK);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    peer_send_complete(rig->peer, &late->head, USB_REMOTE_STATUS_CANCELLED,
                       NULL, 6, NULL, -1);
    peer_message_free(late);
    rig_expect_out(rig, PEER_BULK_OUT, "first", 5);
    g_assert_cmpint(usbhc_wait(first), ==, USBHC_OK);
    g_assert_cmpint(usbhc_wait(second), ==, USBHC_OK);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_SUBMIT));
    usbhc_transfer_free(first);
    usbhc_transfer_free(second);
    rig_free(rig);
}

/* The guest may write to a buffer while the controller lets go of it. */
static void out_that_comes_back_with_other_bytes_is_new(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);
    UsbHcTransfer *stays = usbhc_submit(rig->bulk_out, "before", 6);
    UsbHcTransfer *goes = usbhc_submit(rig->bulk_out, "goes", 4);
    PeerMessage *m = rig_submit(rig, PEER_BULK_OUT);

    peer_message_free(m);
    peer_message_free(rig_submit(rig, PEER_BULK_OUT));
    qtest_memwrite(rig->qts, stays->buffer, "after!", 6);
    usbhc_cancel(goes);
    rig_expect_out(rig, PEER_BULK_OUT, "after!", 6);
    g_assert_cmpint(usbhc_wait(stays), ==, USBHC_OK);
    usbhc_transfer_free(goes);
    usbhc_transfer_free(stays);
    rig_free(rig);
}

static void answer_in_spite_of_cancel(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_out, "data", 4);
    PeerMessage *m = rig_submit(rig, PEER_BULK_OUT);

    rig->peer->auto_cancel = false;
    usbhc_transfer_free(xfer);
    usbhc_ep_close(rig->bulk_out);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    peer_answer_ok(rig->peer, m, NULL, 4);
    rig_run(rig, 20);
    g_assert_false(rig->peer->eof);
    g_assert_cmpint(rig_qom_number(rig, "in-flight"), ==, 0);
    rig_free(rig);
}

static void peer_that_never_reads(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    g_autofree uint8_t *data = g_malloc0(16384);
    size_t before = 0, rounds;

    rig->peer->deaf = true;
    for (rounds = 0; rounds < 400; rounds++) {
        UsbHcTransfer *xfer = usbhc_submit(rig->bulk_out, data, 16384);

        rig_step(rig);
        usbhc_cancel(xfer);
        usbhc_transfer_free(xfer);
        if (rounds == 100) {
            before = rig_rss(rig);
        }
    }
    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'query-status' }");
    g_assert_cmpint(rig_rss(rig), <, before + 8 * 1024 * 1024);
    peer_close(rig->peer);
    rig->peer->deaf = false;
    rig_expect_unplugged(rig);
    rig->quiet = true;
    rig_free(rig);
}

static void cancelled_transfers_do_not_add_up(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    g_autofree uint8_t *data = g_malloc0(65536);
    size_t before = 0, rounds;

    for (rounds = 0; rounds < 600; rounds++) {
        UsbHcTransfer *xfer = usbhc_submit(rig->bulk_out, data, 65536);

        peer_message_free(rig_submit(rig, PEER_BULK_OUT));
        usbhc_cancel(xfer);
        usbhc_transfer_free(xfer);
        xfer = usbhc_submit(rig->bulk_out, data, 1);
        peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_OUT), NULL, 1);
        g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
        usbhc_transfer_free(xfer);
        peer_drop(rig->peer, USB_REMOTE_MSG_CANCEL);
        if (rounds == 100) {
            before = rig_rss(rig);
        }
    }
    g_assert_cmpint(rig_qom_number(rig, "in-flight"), ==, 0);
    g_assert_cmpint(rig_rss(rig), <, before + 8 * 1024 * 1024);
    rig_free(rig);
}

void usb_remote_cancel_add(void)
{
    size_t i;

    rig_add(&usbhc_xhci, "cancel-is-told-before-later-requests",
            cancel_is_told_before_later_requests);
    rig_add(&usbhc_uhci, "out-that-comes-back-with-other-bytes-is-new",
            out_that_comes_back_with_other_bytes_is_new);
    for (i = 0; i < G_N_ELEMENTS(rig_drivers); i++) {
        const UsbHcDriver *drv = rig_drivers[i];

        rig_add(drv, "cancelled-out-is-told", cancelled_out_is_told);
        rig_add(drv, "cancelled-in-is-told", cancelled_in_is_told);
        rig_add(drv, "unanswered-cancel-times-out",
                unanswered_cancel_times_out);
        rig_add(drv, "two-unanswered-cancels-are-one-violation",
                two_unanswered_cancels_are_one_violation);
        rig_add(drv, "out-taken-back-too-late-is-done",
                out_taken_back_too_late_is_done);
        rig_add(drv, "answer-in-spite-of-cancel",
                answer_in_spite_of_cancel);
        rig_add(drv, "second-cancel-has-its-own-grace",
                second_cancel_has_its_own_grace);
        if (drv != &usbhc_xhci) {
            rig_add(drv, "out-polled-for-again-is-consumed-once",
                    out_polled_for_again_is_consumed_once);
            rig_add(drv, "answer-not-polled-for-is-a-retry",
                    answer_not_polled_for_is_a_retry);
        }
        if (drv != &usbhc_ohci) {       /* does not tell when it stops */
            rig_add(drv, "polls-given-up-are-told", polls_given_up_are_told);
            rig_add(drv, "polls-begun-again-are-left-alone",
                    polls_begun_again_are_left_alone);
        }
        rig_add(drv, "cancelled-nak-out-is-told-by-the-next",
                cancelled_nak_out_is_told_by_the_next);
        rig_add(drv, "cancelled-control-is-told-at-once",
                cancelled_control_is_told_at_once);
        rig_add(drv, "late-in-goes-to-the-next", late_in_goes_to_the_next);
        rig_add(drv, "late-in-is-kept-after-the-grace",
                late_in_is_kept_after_the_grace);
        rig_add(drv, "late-short-packet-ends-the-next",
                late_short_packet_ends_the_next);
        rig_add(drv, "late-packet-too-large-is-babble",
                late_packet_too_large_is_babble);
        rig_add(drv, "late-in-is-dropped-by-clear-halt",
                late_in_is_dropped_by_clear_halt);
        rig_add(drv, "out-bytes-are-sent-once", out_bytes_are_sent_once);
        rig_add(drv, "in-stream-survives-a-cancel",
                in_stream_survives_a_cancel);
        rig_add(drv, "peer-that-never-reads", peer_that_never_reads);
        rig_add(drv, "orphaned-out-is-adopted", orphaned_out_is_adopted);
    }
    rig_add(&usbhc_xhci, "poll-given-up-unsent-is-not-told",
            poll_given_up_unsent_is_not_told);
    rig_add(&usbhc_xhci, "stopped-endpoint-is-not-woken",
            stopped_endpoint_is_not_woken);
    rig_add(&usbhc_xhci, "in-that-came-back-is-left-alone",
            in_that_came_back_is_left_alone);
    rig_add(&usbhc_xhci, "clear-halt-spares-what-was-answered",
            clear_halt_spares_what_was_answered);
    rig_add(&usbhc_xhci, "cancelled-transfers-do-not-add-up",
            cancelled_transfers_do_not_add_up);
}
