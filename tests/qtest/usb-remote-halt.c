/*
 * usb-remote cases: halts of endpoints, set and cleared
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An endpoint is halted by SET_FEATURE(ENDPOINT_HALT) or by a STALL (USB 2.0
 * sections 9.4.9 and 8.4.5).  From then on the guest gets nothing that was
 * answered for a transfer that it has given up: the peer is asked, and says
 * STALL until the guest clears the halt.
 */

#include "qemu/osdep.h"
#include "usb-remote-rig.h"

#define CLEAR_FEATURE   1
#define SET_FEATURE     3
#define DEPTH           4

static Rig *rig_new_patient(const UsbHcDriver *drv)
{
    Rig *rig = rig_new_plugged(drv);

    rig->hc->linger = 40;
    return rig;
}

static void set_halt(Rig *rig, UsbHcEndpoint *ep)
{
    g_assert_cmpint(usbhc_control(rig->dev, 0x02, SET_FEATURE, 0, ep->address,
                                  NULL, 0, NULL), ==, USBHC_OK);
}

/* The guest takes it back; what the peer answers then comes late. */
static PeerMessage *take_back(Rig *rig, UsbHcTransfer *xfer)
{
    PeerMessage *m = rig_submit(rig, xfer->ep->address);

    rig->peer->auto_cancel = false;
    usbhc_cancel(xfer);
    usbhc_transfer_free(xfer);
    return m;
}

/* What was taken back before is of no use to it: the peer is asked. */
static void expect_halted(Rig *rig, UsbHcEndpoint *ep, const char *data)
{
    UsbHcTransfer *xfer = usbhc_submit(ep, data, 8);

    peer_answer(rig->peer, rig_submit(rig, ep->address),
                USB_REMOTE_STATUS_STALL);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_STALL);
    usbhc_transfer_free(xfer);
}

static void expect_working(Rig *rig, UsbHcEndpoint *ep)
{
    UsbHcTransfer *xfer;

    rig->peer->auto_cancel = true;
    g_assert_cmpint(usbhc_clear_halt(ep), ==, USBHC_OK);
    xfer = usbhc_submit(ep, "freshnew", 8);
    peer_answer_ok(rig->peer, rig_submit(rig, ep->address),
                   ep->address & 0x80 ? "freshnew" : NULL, 8);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    g_assert_cmpmem(xfer->data, 8, "freshnew", 8);
    usbhc_transfer_free(xfer);
}

/* One answer is kept, of a transfer that the guest gave up. */
static void answered_before_a_halt(Rig *rig, UsbHcEndpoint *ep)
{
    PeerMessage *m = take_back(rig, usbhc_submit(ep, "stale...", 8));

    peer_answer_ok(rig->peer, m, ep->address & 0x80 ? "stale..." : NULL, 8);
    rig_run(rig, 5);
    set_halt(rig, ep);
    expect_halted(rig, ep, "stale...");
    expect_working(rig, ep);
}

static void halt_drops_a_late_in(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);

    answered_before_a_halt(rig, rig->bulk_in);
    rig_free(rig);
}

static void halt_drops_a_polled_in(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);

    answered_before_a_halt(rig, rig->int_in);
    rig_free(rig);
}

/* The peer has them still when it is halted, and answers with data. */
static void in_flight_at_a_halt(Rig *rig, UsbHcEndpoint *ep)
{
    UsbHcTransfer *xfer[DEPTH];
    PeerMessage *m[DEPTH];
    unsigned i;

    rig->peer->auto_cancel = false;
    for (i = 0; i < DEPTH; i++) {
        xfer[i] = usbhc_submit(ep, "stale...", 8);
    }
    rig_submits(rig, m, DEPTH, ep->address);
    for (i = DEPTH; i--; ) {
        usbhc_cancel(xfer[i]);
        usbhc_transfer_free(xfer[i]);
    }
    set_halt(rig, ep);
    for (i = 0; i < DEPTH; i++) {
        peer_answer_ok(rig->peer, m[i],
                       ep->address & 0x80 ? "stale..." : NULL, 8);
    }
    expect_halted(rig, ep, "stale...");
    expect_working(rig, ep);
}

static void halt_voids_reads_taken_back(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);

    in_flight_at_a_halt(rig, rig->bulk_in);
    rig_free(rig);
}

/*
 * An endpoint that is stopped at the halt goes on with the same TRB, which
 * is answered before it or @late.
 */
static void stopped_at_a_halt(Rig *rig, UsbHcEndpoint *ep, bool late)
{
    UsbHcTransfer *xfer = usbhc_submit(ep, "stale...", 8);
    PeerMessage *m = rig_submit(rig, ep->address);

    rig->peer->auto_cancel = false;
    usbhc_xhci_stop(ep);
    if (late) {
        set_halt(rig, ep);
    }
    peer_answer_ok(rig->peer, m, NULL, 8);
    rig_run(rig, 5);
    if (!late) {
        set_halt(rig, ep);
    }
    usbhc_xhci_ring(ep);
    peer_answer(rig->peer, rig_submit(rig, ep->address),
                USB_REMOTE_STATUS_STALL);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_STALL);
    usbhc_transfer_free(xfer);
    expect_working(rig, ep);
}

static void halt_drops_the_answer_of_a_write(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    stopped_at_a_halt(rig, rig->bulk_out, false);
    stopped_at_a_halt(rig, rig->bulk_out, true);
    rig_free(rig);
}

/* That one would be woken by an answer before it. */
static void halt_drops_the_answer_of_a_polled_write(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    stopped_at_a_halt(rig, rig->int_out, true);
    rig_free(rig);
}

/*
 * A transfer waits, and the peer answers it before the request that sets or
 * clears the halt; QEMU reads both at once.
 */
static void answer_with_the_request(Rig *rig, UsbHcEndpoint *ep,
                                    uint8_t request)
{
    const uint8_t setup[8] = { 0x02, request, 0, 0, ep->address };
    UsbHcTransfer *xfer = usbhc_submit(ep, "inbefore", 8), *control;
    PeerMessage *m = rig_submit(rig, ep->address), *c;

    rig->peer->auto_control = false;
    control = usbhc_submit_control(rig->dev, setup, NULL);
    c = rig_submit(rig, 0);
    peer_hold(rig->peer);
    peer_answer_ok(rig->peer, m, ep->address & 0x80 ? "inbefore" : NULL, 8);
    peer_answer_ok(rig->peer, c, NULL, 0);
    peer_release(rig->peer);
    rig->peer->auto_control = true;
    g_assert_cmpint(usbhc_wait(control), ==, USBHC_OK);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    g_assert_cmpmem(xfer->data, 8, "inbefore", 8);
    g_assert_cmpint(rig->peer->cancels, ==, 0);
    usbhc_transfer_free(control);
    usbhc_transfer_free(xfer);
}

static void answered_before_the_halt_arrives(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);

    answer_with_the_request(rig, rig->bulk_in, SET_FEATURE);
    answer_with_the_request(rig, rig->bulk_in, CLEAR_FEATURE);
    answer_with_the_request(rig, rig->bulk_out, SET_FEATURE);
    answer_with_the_request(rig, rig->bulk_out, CLEAR_FEATURE);
    rig_free(rig);
}

/*
 * A guest that recovers and does not tell the device meets it halted: the next
 * read is asked for, though it has been answered.
 */
static void stall_overtaken_by_answers(Rig *rig, UsbHcEndpoint *ep)
{
    UsbHcTransfer *xfer[DEPTH];
    PeerMessage *m[DEPTH];
    unsigned i;

    for (i = 0; i < DEPTH; i++) {
        xfer[i] = usbhc_submit(ep, NULL, 8);
    }
    rig_submits(rig, m, DEPTH, ep->address);
    for (i = 1; i < DEPTH; i++) {
        peer_answer_ok(rig->peer, m[i], "stale...", 8);
    }
    peer_answer(rig->peer, m[0], USB_REMOTE_STATUS_STALL);
    g_assert_cmpint(usbhc_wait(xfer[0]), ==, USBHC_STALL);
    usbhc_ep_recover(ep);
    peer_answer(rig->peer, rig_submit(rig, ep->address),
                USB_REMOTE_STATUS_STALL);
    g_assert_cmpint(usbhc_wait(xfer[1]), ==, USBHC_STALL);
    g_assert_cmpint(usbhc_clear_halt(ep), ==, USBHC_OK);
    for (i = 2; i < DEPTH; i++) {
        peer_answer_ok(rig->peer, rig_submit(rig, ep->address), "freshnew",
                       8);
        g_assert_cmpint(usbhc_wait(xfer[i]), ==, USBHC_OK);
        g_assert_cmpmem(xfer[i]->data, 8, "freshnew", 8);
    }
    for (i = 0; i < DEPTH; i++) {
        usbhc_transfer_free(xfer[i]);
    }
}

static void stall_drops_reads_that_overtook_it(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);

    stall_overtaken_by_answers(rig, rig->bulk_in);
    rig_free(rig);
}

/* Nobody waits for the first either: after the grace it is the halt's. */
static void late_stall_drops_what_came_before(const void *opaque)
{
    Rig *rig = rig_new_patient(opaque);
    UsbHcTransfer *xfer[2];
    PeerMessage *m[2];
    unsigned i;

    rig->peer->auto_cancel = false;
    for (i = 0; i < 2; i++) {
        xfer[i] = usbhc_submit(rig->bulk_in, NULL, 8);
    }
    rig_submits(rig, m, 2, PEER_BULK_IN);
    for (i = 2; i--; ) {
        usbhc_cancel(xfer[i]);
        usbhc_transfer_free(xfer[i]);
    }
    peer_answer_ok(rig->peer, m[0], "stale...", 8);
    peer_send_complete(rig->peer, &m[1]->head, USB_REMOTE_STATUS_STALL, "x", 1,
                       NULL, -1);
    peer_message_free(m[1]);
    rig_run(rig, 200);
    xfer[0] = usbhc_submit(rig->bulk_in, NULL, 8);
    g_assert_cmpint(usbhc_wait(xfer[0]), ==, USBHC_STALL);
    g_assert_cmpint(xfer[0]->actual, ==, 0);
    usbhc_transfer_free(xfer[0]);
    expect_working(rig, rig->bulk_in);
    rig_free(rig);
}

/* The peer has said NAK, and it is long until the endpoint is asked again. */
static void halt_after_a_nak(Rig *rig, UsbHcEndpoint *ep, uint8_t request)
{
    UsbHcTransfer *xfer = usbhc_submit(ep, "patience", 8);

    peer_answer(rig->peer, rig_submit(rig, ep->address),
                USB_REMOTE_STATUS_NAK);
    g_assert_cmpint(usbhc_control(rig->dev, 0x02, request, 0, ep->address,
                                  NULL, 0, NULL), ==, USBHC_OK);
    peer_answer_ok(rig->peer, rig_submit(rig, ep->address),
                   ep->address & 0x80 ? "patience" : NULL, 8);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
}

static void nak_outlives_a_halt(const void *opaque)
{
    Rig *rig = rig_new_slow(opaque, 10);

    halt_after_a_nak(rig, rig->int_in, CLEAR_FEATURE);
    halt_after_a_nak(rig, rig->int_in, SET_FEATURE);
    halt_after_a_nak(rig, rig->int_out, CLEAR_FEATURE);
    halt_after_a_nak(rig, rig->int_out, SET_FEATURE);
    rig_free(rig);
}

static bool int_in_was_asked(Rig *rig)
{
    PeerMessage *m = peer_take(rig->peer, USB_REMOTE_MSG_SUBMIT);

    if (m && peer_submit(m)->endpoint[0] == PEER_INT_IN) {
        peer_answer_ok(rig->peer, m, "patience", 8);
        return true;
    }
    peer_message_free(m);
    return false;
}

/* Its request could not be sent yet, as the peer does not read. */
static void unsent_request_outlives_a_halt(const void *opaque)
{
    const uint8_t setup[8] = { 0x02, CLEAR_FEATURE, 0, 0, PEER_INT_IN };
    Rig *rig = rig_new_plugged(opaque);
    g_autofree uint8_t *data = g_malloc0(1 << 20);
    UsbHcTransfer *control, *out, *in;
    PeerMessage *c;

    rig->peer->auto_control = false;
    control = usbhc_submit_control(rig->dev, setup, NULL);
    c = rig_submit(rig, 0);
    rig->peer->deaf = true;
    out = usbhc_submit(rig->bulk_out, data, 1 << 20);
    rig_run(rig, 5);
    in = usbhc_submit(rig->int_in, NULL, 8);
    rig_run(rig, 5);
    peer_answer_ok(rig->peer, c, NULL, 0);
    g_assert_cmpint(usbhc_wait(control), ==, USBHC_OK);
    rig->peer->deaf = false;
    rig_until(rig, int_in_was_asked, "the read is asked for");
    g_assert_cmpint(usbhc_wait(in), ==, USBHC_OK);
    usbhc_transfer_free(control);
    usbhc_transfer_free(out);
    usbhc_transfer_free(in);
    rig_free(rig);
}

void usb_remote_halt_add(void)
{
    rig_add_all("halt-drops-a-late-in", halt_drops_a_late_in);
    rig_add_all("halt-drops-a-polled-in", halt_drops_a_polled_in);
    rig_add(&usbhc_xhci, "halt-drops-the-answer-of-a-write",
            halt_drops_the_answer_of_a_write);
    rig_add(&usbhc_xhci, "halt-drops-the-answer-of-a-polled-write",
            halt_drops_the_answer_of_a_polled_write);
    rig_add_all("nak-outlives-a-halt", nak_outlives_a_halt);
    rig_add(&usbhc_xhci, "unsent-request-outlives-a-halt",
            unsent_request_outlives_a_halt);
    rig_add_all("halt-voids-reads-taken-back", halt_voids_reads_taken_back);
    rig_add_all("answered-before-the-halt-arrives",
                answered_before_the_halt_arrives);
    rig_add_all("stall-drops-reads-that-overtook-it",
                stall_drops_reads_that_overtook_it);
    rig_add_all("late-stall-drops-what-came-before",
                late_stall_drops_what_came_before);
}
