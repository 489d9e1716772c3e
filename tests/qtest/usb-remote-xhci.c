/*
 * usb-remote cases: what only a guest of xHCI can do
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Stopped endpoints, No-op TRBs, and guests that lie to the controller.  The
 * latter are cases for QEMU's other devices too: where one of these shows the
 * same, there is a second case with it.
 */

#include "qemu/osdep.h"
#include "qemu/units.h"
#include "usb-remote-rig.h"

#define MAPPING_ROUNDS  300
#define MICROFRAME_NS   (USBHC_FRAME_NS / 8)
#define TABLET_IN       0x81
#define TABLET_BYTES    8

/* Stop Endpoint */

static void answer_out(Rig *rig, uint32_t length)
{
    peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_OUT), NULL, length);
}

static void stops_at_the_oldest(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *ep = rig->bulk_out;
    UsbHcTransfer *xfer[3];
    unsigned i;

    ep->trb_bytes = 300;
    for (i = 0; i < 3; i++) {
        xfer[i] = usbhc_submit(ep, NULL, 700);
    }
    answer_out(rig, 700);
    g_assert_cmpint(usbhc_wait(xfer[0]), ==, USBHC_OK);
    usbhc_xhci_stop(ep);
    g_assert_cmphex(usbhc_xhci_dequeue(ep), ==, xfer[1]->td[0] | ep->cycle);
    g_assert_cmphex(ep->stopped_at, ==, xfer[1]->td[0]);
    g_assert_cmpint(ep->stopped_left, ==, 300);
    usbhc_xhci_ring(ep);
    for (i = 1; i < 3; i++) {
        answer_out(rig, 700);
        g_assert_cmpint(usbhc_wait(xfer[i]), ==, USBHC_OK);
    }
    for (i = 0; i < 3; i++) {
        usbhc_transfer_free(xfer[i]);
    }
    rig_free(rig);
}

/* With nothing in flight there is no Stopped event. */
static void idle_endpoint_stops_where_it_is(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *ep = rig->bulk_out;
    UsbHcTransfer *xfer = usbhc_submit(ep, "data", 4);

    answer_out(rig, 4);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_xhci_stop(ep);
    g_assert_cmphex(usbhc_xhci_dequeue(ep), ==,
                    (xfer->td[0] + 16) | ep->cycle);
    g_assert_cmphex(ep->stopped_at, ==, 0);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* It is where another QEMU goes on after a migration. */
static void context_names_the_oldest(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *ep = rig->bulk_out;
    UsbHcTransfer *xfer[3];
    unsigned i;

    for (i = 0; i < 3; i++) {
        xfer[i] = usbhc_submit(ep, "data", 4);
    }
    g_assert_cmphex(usbhc_xhci_dequeue(ep), ==, xfer[0]->td[0] | ep->cycle);
    for (i = 0; i < 3; i++) {
        answer_out(rig, 4);
        g_assert_cmpint(usbhc_wait(xfer[i]), ==, USBHC_OK);
        g_assert_cmphex(usbhc_xhci_dequeue(ep), ==,
                        (xfer[i]->td[0] + 16) | ep->cycle);
    }
    for (i = 0; i < 3; i++) {
        usbhc_transfer_free(xfer[i]);
    }
    rig_free(rig);
}

/*
 * One of three control requests.  The first is cancelled at the peer in any
 * case; what the guest still wants is asked for again.
 */
static void cancel_control(const UsbHcDriver *drv, unsigned victim)
{
    static const uint8_t setup[8] = { 0x40, 1, 0, 0, 0, 0, 4, 0 };
    Rig *rig = rig_new_plugged(drv);
    UsbHcTransfer *xfer[3];
    uint8_t s[8];
    unsigned i;

    rig->hc->unlink = USBHC_UNLINK_NOOP;
    rig->peer->auto_control = false;
    for (i = 0; i < 3; i++) {
        memcpy(s, setup, sizeof(s));
        s[2] = i;
        xfer[i] = usbhc_submit_control(rig->dev, s, "data");
    }
    peer_message_free(rig_submit(rig, 0));
    usbhc_cancel(xfer[victim]);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    for (i = 0; i < 3; i++) {
        if (i != victim) {
            PeerMessage *m = rig_submit(rig, 0);

            g_assert_cmpint(peer_submit(m)->setup[2], ==, i);
            peer_answer_ok(rig->peer, m, NULL, 4);
            g_assert_cmpint(usbhc_wait(xfer[i]), ==, USBHC_OK);
        }
        usbhc_transfer_free(xfer[i]);
    }
    rig_free(rig);
}

static void cancelled_control_leaves_the_others(const void *opaque)
{
    unsigned victim;

    for (victim = 0; victim < 3; victim++) {
        cancel_control(opaque, victim);
    }
}

/* The guest polls one transfer of an interrupt endpoint at a time. */
static void cancel_interrupt(const UsbHcDriver *drv, unsigned victim)
{
    Rig *rig = rig_new_plugged(drv);
    UsbHcTransfer *xfer[4];
    PeerMessage *m;
    uint8_t i, n = 0;

    rig->hc->unlink = USBHC_UNLINK_NOOP;
    for (i = 0; i < 4; i++) {
        xfer[i] = usbhc_submit(rig->int_in, NULL, 1);
    }
    m = rig_submit(rig, PEER_INT_IN);
    usbhc_cancel(xfer[victim]);
    for (i = 0; i < 4; i++) {
        if (i != victim) {
            m = m ?: rig_submit(rig, PEER_INT_IN);
            peer_answer_ok(rig->peer, m, &n, 1);
            m = NULL;
            g_assert_cmpint(usbhc_wait(xfer[i]), ==, USBHC_OK);
            g_assert_cmpint(xfer[i]->data[0], ==, n++);
        }
        usbhc_transfer_free(xfer[i]);
    }
    rig_free(rig);
}

static void cancelled_interrupt_leaves_the_others(const void *opaque)
{
    unsigned victim;

    for (victim = 0; victim < 4; victim++) {
        cancel_interrupt(opaque, victim);
    }
}

/* No-op TRBs */

static void noops_are_not_the_devices(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *eps[] = {
        rig->dev->ep0, rig->bulk_out, rig->bulk_in, rig->int_in
    };
    unsigned submits = rig->peer->submits;
    size_t i, n;

    for (i = 0; i < G_N_ELEMENTS(eps); i++) {
        eps[i]->noop = true;
        for (n = 0; n < 17; n++) {
            g_assert_cmpint(usbhc_transfer(eps[i], NULL, 0, NULL), ==,
                            USBHC_OK);
        }
        eps[i]->noop = false;
    }
    g_assert_cmpint(rig_qom_number(rig, "in-flight"), ==, 0);
    usbhc_control(rig->dev, 0x80, 8, 0, 0, NULL, 1, NULL);
    g_assert_cmpint(rig->peer->submits, ==, submits + 1);
    rig_free(rig);
}

/* A transfer, a No-op, a transfer: the events come in this order. */
static void noop_completes_in_its_turn(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *ep = rig->bulk_out;
    UsbHcTransfer *first = usbhc_submit(ep, "data", 4), *noop, *last;
    PeerMessage *m = rig_submit(rig, PEER_BULK_OUT);

    ep->noop = true;
    noop = usbhc_submit(ep, NULL, 0);
    ep->noop = false;
    last = usbhc_submit(ep, "more", 4);
    rig_run(rig, 5);
    g_assert_cmpint(noop->status, ==, USBHC_PENDING);
    peer_answer_ok(rig->peer, m, NULL, 4);
    answer_out(rig, 4);
    g_assert_cmpint(usbhc_wait(last), ==, USBHC_OK);
    g_assert_cmpint(noop->status, ==, USBHC_OK);
    g_assert_true(ep->finished->data == last);
    g_assert_true(ep->finished->next->data == noop);
    g_assert_true(ep->finished->next->next->data == first);
    usbhc_transfer_free(first);
    usbhc_transfer_free(noop);
    usbhc_transfer_free(last);
    rig_free(rig);
}

/* What a cancelled transfer leaves behind */

/* A TD of many TRBs is cancelled by Stop Endpoint and started again. */
static void cancelled_mappings_are_freed(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *ep = rig->bulk_in;
    UsbHcTransfer *xfer;
    size_t before = 0, rounds;

    ep->segments = 1;
    xfer = usbhc_submit(ep, NULL, 0);
    for (rounds = 0; rounds < MAPPING_ROUNDS; rounds++) {
        usbhc_xhci_stop(ep);
        usbhc_xhci_restart(ep);
        if (rounds == MAPPING_ROUNDS / 3) {
            before = rig_rss(rig);
        }
    }
    g_assert_cmpint(rig_rss(rig), <, before + 4 * MiB);
    usbhc_transfer_free(xfer);
    peer_drop(rig->peer, USB_REMOTE_MSG_SUBMIT);
    rig_free(rig);
}

/* Guests that lie */

/* The second doorbell is what makes the controller try it again. */
static void tablet_nak_on_an_iso_endpoint(const void *opaque)
{
    Rig *rig = rig_new_bare(opaque, "-device usb-tablet,bus=hc.0");
    UsbHcEndpoint *ep;
    UsbHcTransfer *xfer;

    rig->dev = usbhc_attach(rig->hc);
    usbhc_control(rig->dev, 0x00, 9, 1, 0, NULL, 0, NULL);
    ep = usbhc_ep(rig->dev, TABLET_IN, USBHC_ISO, TABLET_BYTES, 1);
    xfer = usbhc_submit(ep, NULL, TABLET_BYTES);
    usbhc_xhci_ring(ep);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_ERROR);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void nak_on_an_iso_endpoint(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *ep;
    UsbHcTransfer *xfer;

    usbhc_ep_close(rig->int_in);
    ep = usbhc_ep(rig->dev, PEER_INT_IN, USBHC_ISO, 64, 1);
    xfer = usbhc_submit(ep, NULL, 64);
    usbhc_xhci_ring(ep);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_ERROR);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/*
 * Three in flight, one in the ring that the controller has not seen; then
 * the first one fails.
 */
static void fail_first_of_many(Rig *rig, UsbHcType type)
{
    UsbHcEndpoint *ep;
    UsbHcTransfer *xfer[4];
    PeerMessage *m;
    unsigned i;

    usbhc_ep_close(rig->bulk_out);
    ep = usbhc_ep(rig->dev, PEER_BULK_OUT, type, 64, 1);
    for (i = 0; i < 4; i++) {
        ep->held = i == 3;
        xfer[i] = usbhc_submit(ep, "data", 4);
        m = i ? m : rig_submit(rig, PEER_BULK_OUT);
        if (i && i < 3) {
            peer_message_free(rig_submit(rig, PEER_BULK_OUT));
        }
    }
    peer_answer(rig->peer, m, USB_REMOTE_STATUS_STALL);
    g_assert_cmpint(usbhc_wait(xfer[0]), ==, USBHC_STALL);
    usbhc_xhci_ring(ep);
    rig_run(rig, 5);
    for (i = 0; i < 4; i++) {
        usbhc_transfer_free(xfer[i]);
    }
    usbhc_ep_close(ep);
    rig->bulk_out = NULL;
}

static void failing_bulk_on_an_iso_endpoint(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    fail_first_of_many(rig, USBHC_ISO);
    g_assert_cmpint(usbhc_control(rig->dev, 0x80, 8, 0, 0, NULL, 1, NULL), ==,
                    USBHC_OK);
    rig_free(rig);
}

/* While virtual time stands still */
static void wait_now(UsbHcTransfer *xfer)
{
    int64_t end = g_get_monotonic_time() +
                  USBHC_DEADLINE_S * G_TIME_SPAN_SECOND;

    while (xfer->status == USBHC_PENDING) {
        if (g_get_monotonic_time() > end) {
            g_error("a transfer is not done after %d s", USBHC_DEADLINE_S);
        }
        usbhc_step(xfer->hc, 0);
    }
}

/*
 * The same with one that waits for its interval: it is due, but the timer
 * that would start it comes a fraction of a microframe later.  Nor does the
 * endpoint's dequeue pointer move to it when the halted endpoint is stopped.
 */
static void failing_bulk_on_an_interrupt_endpoint(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer[4];
    UsbHcEndpoint *ep;
    PeerMessage *m[3];
    const int64_t interval = 16 * MICROFRAME_NS;
    int64_t now, due;
    unsigned i;

    usbhc_ep_close(rig->bulk_out);
    rig->bulk_out = NULL;
    ep = usbhc_ep(rig->dev, PEER_BULK_OUT, USBHC_INTERRUPT, 64, 5);
    for (i = 0; i < 3; i++) {
        xfer[i] = usbhc_submit(ep, "data", 4);
        m[i] = rig_submit(rig, PEER_BULK_OUT);
    }
    do {
        now = qtest_clock_step(rig->qts, MICROFRAME_NS / 2);
    } while (now % interval < interval / 2 || now % MICROFRAME_NS == 0);
    xfer[3] = usbhc_submit(ep, "data", 4);
    due = QEMU_ALIGN_UP(now, interval);
    qtest_clock_step(rig->qts, due - now + MICROFRAME_NS / 4);
    peer_answer(rig->peer, m[0], USB_REMOTE_STATUS_STALL);
    wait_now(xfer[0]);
    g_assert_cmpint(xfer[0]->status, ==, USBHC_STALL);
    rig_run(rig, 5);
    g_assert_cmpint(rig->peer->bulk_submits, ==, 3);
    usbhc_xhci_stop(ep);
    g_assert_cmphex(usbhc_xhci_dequeue(ep), ==, xfer[0]->td[0] | ep->cycle);
    for (i = 0; i < 4; i++) {
        usbhc_transfer_free(xfer[i]);
    }
    peer_message_free(m[1]);
    peer_message_free(m[2]);
    rig_free(rig);
}

/* The core hands such a request over while another one is in flight. */
static void control_on_a_stream(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    unsigned submits = rig->peer->submits;
    uint8_t config;

    usbhc_xhci_control_on_streams(rig->dev);
    g_assert_cmpint(usbhc_control(rig->dev, 0x80, 8, 0, 0, &config, 1, NULL),
                    ==, USBHC_STALL);
    g_assert_cmpint(rig->peer->submits, ==, submits);
    rig_free(rig);
}

/* More than a packet can count, and more than any guest has memory */
static void td_of_many_gigabytes(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *ep = rig->bulk_out;

    ep->segments = 31;
    g_assert_cmpint(usbhc_transfer(ep, NULL, 0, NULL), ==, USBHC_ERROR);
    g_assert_cmpint(rig->peer->bulk_submits, ==, 0);
    ep->segments = 0;
    usbhc_ep_recover(ep);
    usbhc_transfer_free(usbhc_submit(ep, NULL, 1));
    rig_free(rig);
}

static bool is_dead(Rig *rig)
{
    return usbhc_xhci_is_dead(rig->hc);
}

/*
 * The event of a completed transfer would be a write to the doorbells, where
 * the controller finds a command to take the transfer's slot away.
 */
static void events_cannot_ring_doorbells(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_out, "data", 4);
    PeerMessage *m = rig_submit(rig, PEER_BULK_OUT);

    usbhc_xhci_prepare_disable(rig->dev);
    usbhc_xhci_set_events(rig->hc, usbhc_xhci_doorbells(rig->hc) - 4, 16);
    peer_answer_ok(rig->peer, m, NULL, 4);
    rig_until(rig, is_dead, "the controller has stopped");
    rig->hc->gone = true;
    usbhc_ep_close(rig->bulk_out);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* And so would the interrupt that tells of the event. */
static void interrupts_cannot_ring_doorbells(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_out, "data", 4);
    PeerMessage *m = rig_submit(rig, PEER_BULK_OUT);

    usbhc_xhci_prepare_disable(rig->dev);
    usbhc_xhci_aim_msi(rig->hc, usbhc_xhci_doorbells(rig->hc));
    peer_answer_ok(rig->peer, m, NULL, 4);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    rig_expect_log(rig, "Blocked re-entrant IO");
    rig->hc->gone = true;
    usbhc_ep_close(rig->bulk_out);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* And so would the data. */
static void data_cannot_ring_doorbells(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    uint64_t doorbells = usbhc_xhci_doorbells(rig->hc);
    uint32_t pointer[2] = { doorbells, doorbells >> 32 };
    UsbHcEndpoint *ep = rig->bulk_in;
    UsbHcTransfer *xfer;

    usbhc_xhci_prepare_disable(rig->dev);
    ep->held = true;
    xfer = usbhc_submit(ep, NULL, 4);
    usbhc_write32(rig->hc, xfer->td[0], pointer, 2);
    usbhc_xhci_ring(ep);
    peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_IN), "\0\0\0", 4);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* What does not fit is lost; what comes after there is room again is not. */
static void full_event_ring_loses_events_only(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *ep = rig->bulk_out;
    UsbHcTransfer *xfer[20];
    unsigned i, done = 0;

    usbhc_xhci_set_events(rig->hc, usbhc_alloc(rig->hc, 16 * 16), 16);
    ep->noop = true;
    for (i = 0; i < G_N_ELEMENTS(xfer); i++) {
        xfer[i] = usbhc_submit(ep, NULL, 0);
    }
    rig_step(rig);
    for (i = 0; i < G_N_ELEMENTS(xfer); i++) {
        done += xfer[i]->status == USBHC_OK;
    }
    g_assert_cmpint(done, ==, 14);
    for (i = 0; i < G_N_ELEMENTS(xfer); i++) {
        usbhc_transfer_free(xfer[i]);
    }
    g_assert_cmpint(usbhc_transfer(ep, NULL, 0, NULL), ==, USBHC_OK);
    rig_free(rig);
}

void usb_remote_xhci_add(void)
{
    const UsbHcDriver *drv = &usbhc_xhci;

    rig_add(drv, "stops-at-the-oldest-transfer", stops_at_the_oldest);
    rig_add(drv, "idle-endpoint-stops-where-it-is",
            idle_endpoint_stops_where_it_is);
    rig_add(drv, "context-names-the-oldest-transfer",
            context_names_the_oldest);
    rig_add(drv, "cancelled-control-leaves-the-others",
            cancelled_control_leaves_the_others);
    rig_add(drv, "cancelled-interrupt-leaves-the-others",
            cancelled_interrupt_leaves_the_others);
    rig_add(drv, "noops-are-not-the-devices", noops_are_not_the_devices);
    rig_add(drv, "noop-completes-in-its-turn", noop_completes_in_its_turn);
    rig_add(drv, "cancelled-mappings-are-freed", cancelled_mappings_are_freed);
    rig_add(drv, "tablet-nak-on-an-iso-endpoint-is-an-error",
            tablet_nak_on_an_iso_endpoint);
    rig_add(drv, "nak-on-an-iso-endpoint-is-an-error",
            nak_on_an_iso_endpoint);
    rig_add(drv, "failing-bulk-on-an-iso-endpoint-halts-it",
            failing_bulk_on_an_iso_endpoint);
    rig_add(drv, "failing-bulk-on-an-interrupt-endpoint-halts-it",
            failing_bulk_on_an_interrupt_endpoint);
    rig_add(drv, "control-on-a-stream-is-stalled", control_on_a_stream);
    rig_add(drv, "td-of-many-gigabytes-fails", td_of_many_gigabytes);
    rig_add(drv, "events-cannot-ring-doorbells", events_cannot_ring_doorbells);
    rig_add(drv, "interrupts-cannot-ring-doorbells",
            interrupts_cannot_ring_doorbells);
    rig_add(drv, "data-cannot-ring-doorbells", data_cannot_ring_doorbells);
    rig_add(drv, "full-event-ring-loses-events-only",
            full_event_ring_loses_events_only);
}
