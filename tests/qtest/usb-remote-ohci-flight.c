/*
 * usb-remote cases: several packets in flight on OHCI
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a guest does to endpoint descriptors (EDs) and their transfer
 * descriptors (TDs) while devices have packets of them.  The cases that all
 * controllers have, with answers in any order, stalls and cancels, are
 * elsewhere.
 */

#include "qemu/osdep.h"
#include "usb-remote-rig.h"
#include "usbhc-ohci.h"

#define PAGE            4096
/* As in hcd-ohci.c: for an ED, and for all as long as they are not first */
#define ED_PACKETS      16
#define MAX_AHEAD       64
#define WRITES          4

/* Writes of a number each, all of them with the peer */
typedef struct Writes {
    UsbHcTransfer *xfer[WRITES];
    PeerMessage *m[WRITES];
} Writes;

static Writes start_writes(Rig *rig)
{
    Writes w;
    uint8_t i;

    for (i = 0; i < WRITES; i++) {
        w.xfer[i] = usbhc_submit(rig->bulk_out, &i, 1);
    }
    rig_submits(rig, w.m, WRITES, PEER_BULK_OUT);
    return w;
}

static void free_writes(Writes *w)
{
    unsigned i;

    for (i = 0; i < WRITES; i++) {
        usbhc_transfer_free(w->xfer[i]);
    }
}

/* They were sent once, and all of them arrive. */
static void end_writes(Rig *rig, Writes *w)
{
    unsigned i;

    for (i = 0; i < WRITES; i++) {
        g_assert_cmpint(peer_submit_data(w->m[i])[0], ==, i);
        peer_answer_ok(rig->peer, w->m[i], NULL, 1);
    }
    for (i = 0; i < WRITES; i++) {
        g_assert_cmpint(usbhc_wait(w->xfer[i]), ==, USBHC_OK);
    }
    g_assert_cmpuint(rig->peer->bulk_submits, ==, WRITES);
    g_assert_cmpuint(rig->peer->cancels, ==, 0);
    free_writes(w);
}

/* The guest does not want them back; each is taken back from the peer. */
static void lose_writes(Rig *rig, Writes *w)
{
    unsigned i;

    for (i = 0; i < WRITES; i++) {
        PeerMessage *c = peer_expect(rig->peer, USB_REMOTE_MSG_CANCEL);

        g_assert_cmphex(c->head.id, ==, w->m[i]->head.id);
        peer_message_free(c);
        peer_message_free(w->m[i]);
    }
    free_writes(w);
}

static void ohci_write(Rig *rig, uint32_t reg, uint32_t value)
{
    qpci_io_writel(rig->hc->pci, rig->hc->bar, reg, value);
}

/* How many */

/* Others wait, and are sent when there is an answer. */
static void bulk_out_tds_at_once(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer[ED_PACKETS + 2];
    PeerMessage *m[ED_PACKETS];
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(xfer); i++) {
        xfer[i] = usbhc_submit(rig->bulk_out, "data", 4);
    }
    rig_submits(rig, m, ED_PACKETS, PEER_BULK_OUT);
    rig_run(rig, 5);
    g_assert_cmpuint(rig->peer->bulk_submits, ==, ED_PACKETS);
    for (i = 0; i < G_N_ELEMENTS(xfer); i++) {
        peer_answer_ok(rig->peer, i < ED_PACKETS ? m[i] :
                       rig_submit(rig, PEER_BULK_OUT), NULL, 4);
    }
    for (i = 0; i < G_N_ELEMENTS(xfer); i++) {
        g_assert_cmpint(usbhc_wait(xfer[i]), ==, USBHC_OK);
        usbhc_transfer_free(xfer[i]);
    }
    rig_free(rig);
}

#define QUEUES          6

/* However long the queues of some are, each has one packet in flight. */
static void long_queues_leave_one_for_each(const void *opaque)
{
    unsigned i, j, expected = MAX_AHEAD + QUEUES - MAX_AHEAD / ED_PACKETS;
    Rig *rig = rig_new_plugged(opaque);

    for (i = 0; i < QUEUES; i++) {
        UsbHcEndpoint *ep = usbhc_ep(rig->dev, 3 + i, USBHC_BULK, 64, 0);

        for (j = 0; j < 2 * ED_PACKETS; j++) {
            rig->strays = g_slist_prepend(rig->strays,
                                          usbhc_submit(ep, "data", 4));
        }
    }
    for (i = 0; i < expected; i++) {
        peer_message_free(peer_expect(rig->peer, USB_REMOTE_MSG_SUBMIT));
    }
    rig_run(rig, 5);
    g_assert_cmpuint(rig->peer->bulk_submits, ==, expected);
    rig_free(rig);
}

static void out_td_is_one_packet(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    uint8_t data[PAGE];
    UsbHcTransfer *xfer;

    rig_fill(data, sizeof(data), 1);
    xfer = usbhc_submit(rig->bulk_out, data, sizeof(data));
    rig_expect_out(rig, PEER_BULK_OUT, data, sizeof(data));
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

#define DONE            128

static void error_leaves_what_was_done(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    uint8_t data[PAGE];
    UsbHcTransfer *xfer;
    PeerMessage *m;

    rig_fill(data, sizeof(data), 1);
    xfer = usbhc_submit(rig->bulk_out, data, sizeof(data));
    m = rig_submit(rig, PEER_BULK_OUT);
    peer_send_complete(rig->peer, &m->head, USB_REMOTE_STATUS_STALL, NULL,
                       DONE, NULL, -1);
    peer_message_free(m);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_STALL);
    g_assert_cmpint(xfer->actual, ==, DONE);
    usbhc_transfer_free(xfer);
    xfer = usbhc_submit(rig->bulk_in, NULL, sizeof(data));
    m = rig_submit(rig, PEER_BULK_IN);
    peer_send_complete(rig->peer, &m->head, USB_REMOTE_STATUS_IOERROR, data,
                       DONE, NULL, -1);
    peer_message_free(m);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_ERROR);
    g_assert_cmpmem(xfer->data, xfer->actual, data, DONE);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* What the guest does to them */

static void idle_read_stops_nobody(const void *opaque)
{
    Rig *rig = rig_with(opaque, RIG_SLOW_DISK);
    UsbHcTransfer *xfer;

    rig_start_slow_read(rig, USBHC_BULK);
    xfer = usbhc_submit(rig->bulk_in, NULL, RIG_BLOCK);
    rig_run(rig, 3);
    rig_still_works(rig);
    g_assert_cmpint(xfer->status, ==, USBHC_PENDING);
    rig_answer_slow_read(rig);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void skipped_and_run_again(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    Writes w = start_writes(rig);

    usbhc_change32(rig->hc, rig->bulk_out->head, 0, ED_SKIP);
    rig_run(rig, 3);
    usbhc_change32(rig->hc, rig->bulk_out->head, ED_SKIP, 0);
    ohci_write(rig, HC_COMMAND, COMMAND_BLF);
    end_writes(rig, &w);
    rig_free(rig);
}

static void halted_by_the_guest(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    Writes w = start_writes(rig);

    usbhc_change32(rig->hc, rig->bulk_out->head + 8, 0, ED_HALTED);
    lose_writes(rig, &w);
    rig_free(rig);
}

/* The ED that leads to the endpoint's */
static uint64_t ed_before(Rig *rig, const UsbHcEndpoint *ep, uint32_t reg)
{
    uint64_t at = qpci_io_readl(rig->hc->pci, rig->hc->bar, reg);

    while (usbhc_get32(rig->hc, at + 12) != ep->head) {
        at = usbhc_get32(rig->hc, at + 12);
        g_assert_cmphex(at, !=, 0);
    }
    return at;
}

/* As no driver ought to do it: not skipped before */
static void taken_out_of_the_list(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    Writes w = start_writes(rig);
    uint64_t before = ed_before(rig, rig->bulk_out, HC_BULK_HEAD);

    usbhc_put32(rig->hc, before + 12,
                usbhc_get32(rig->hc, rig->bulk_out->head + 12));
    lose_writes(rig, &w);
    usbhc_put32(rig->hc, before + 12, rig->bulk_out->head);
    rig_free(rig);
}

/* All 32 periodic lists are empty: no ED comes by any more. */
static void taken_out_of_the_periodic_list(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *ep = usbhc_ep(rig->dev, PEER_BULK_IN, USBHC_INTERRUPT, 64,
                                 1);
    uint32_t none[32] = { 0 };
    UsbHcTransfer *xfer = usbhc_submit(ep, NULL, 64);

    peer_message_free(rig_submit(rig, PEER_BULK_IN));
    usbhc_write32(rig->hc, qpci_io_readl(rig->hc->pci, rig->hc->bar, HC_HCCA),
                  none, 32);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void disabled_list_cancels_its_own(const void *opaque)
{
    static const uint8_t setup[8] = { 0xc0, 1, 0, 0, 0, 0, 8, 0 };
    Rig *rig = rig_new_plugged(opaque);
    Writes w = start_writes(rig);
    UsbHcTransfer *xfer;
    PeerMessage *m;

    rig->peer->auto_control = false;
    xfer = usbhc_submit_control(rig->dev, setup, NULL);
    m = rig_submit(rig, 0);
    ohci_write(rig, HC_CONTROL, CONTROL_RUN & ~CONTROL_BLE);
    rig_run(rig, 3);
    ohci_write(rig, HC_CONTROL, CONTROL_RUN);
    end_writes(rig, &w);
    peer_answer_ok(rig->peer, m, "answered", 8);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void software_reset_in_flight(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    Writes w = start_writes(rig);

    ohci_write(rig, HC_COMMAND, COMMAND_RESET);
    lose_writes(rig, &w);
    rig_free(rig);
}

static bool all_cancelled(Rig *rig)
{
    return rig->peer->cancels >= WRITES;
}

/* The queue goes on with the second TD, and from there in a circle. */
static void tds_changed_in_flight(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    Writes w = start_writes(rig);
    uint64_t ed = rig->bulk_out->head;
    unsigned i;

    usbhc_put32(rig->hc, w.xfer[1]->td[0] + 8, w.xfer[0]->td[0]);
    usbhc_put32(rig->hc, ed + 8, w.xfer[1]->td[0]);
    rig_run(rig, 3);
    usbhc_change32(rig->hc, ed, 0, ED_SKIP);
    rig_until(rig, all_cancelled, "what was in flight is cancelled");
    g_assert_cmpuint(rig->peer->bulk_submits, <=, WRITES + ED_PACKETS);
    peer_drop(rig->peer, USB_REMOTE_MSG_SUBMIT);
    peer_drop(rig->peer, USB_REMOTE_MSG_CANCEL);
    for (i = 0; i < WRITES; i++) {
        peer_message_free(w.m[i]);
    }
    free_writes(&w);
    rig_free(rig);
}

/* The TDs in flight are isochronous ones all of a sudden. */
static void format_changed_in_flight(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    Writes w = start_writes(rig);

    usbhc_change32(rig->hc, rig->bulk_out->head, 0, ED_ISO);
    lose_writes(rig, &w);
    rig_free(rig);
}

/*
 * The stop waits for the block layer.  What comes of that has to be in the
 * guest's memory, for a migration.
 */
static void answered_by_the_stop(const void *opaque)
{
    Rig *rig = rig_with(opaque, RIG_SLOW_DISK);
    UsbHcTransfer *xfer;
    uint32_t tail;

    rig_start_slow_read(rig, USBHC_BULK);
    xfer = usbhc_submit(rig->bulk_in, NULL, RIG_BLOCK);
    rig_run(rig, 3);
    tail = usbhc_get32(rig->hc, rig->bulk_in->head + 4);
    rig_stop(rig);
    g_assert_cmphex(usbhc_get32(rig->hc, rig->bulk_in->head + 8) & ~15u, ==,
                    tail);
    rig_cont(rig);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* The second's packet waits for the end of the first's. */
static void two_eds_take_turns_at_an_endpoint(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *other = usbhc_ep(rig->dev, PEER_BULK_IN, USBHC_BULK, 64, 0);
    UsbHcTransfer *xfer[2];
    PeerMessage *m;
    unsigned i;

    xfer[0] = usbhc_submit(rig->bulk_in, NULL, 4);
    m = rig_submit(rig, PEER_BULK_IN);
    xfer[1] = usbhc_submit(other, NULL, 4);
    rig_run(rig, 3);
    g_assert_cmpuint(rig->peer->bulk_submits, ==, 1);
    for (i = 0; i < 2; i++) {
        peer_answer_ok(rig->peer, i ? rig_submit(rig, PEER_BULK_IN) : m,
                       "data", 4);
        g_assert_cmpint(usbhc_wait(xfer[i]), ==, USBHC_OK);
        usbhc_transfer_free(xfer[i]);
    }
    usbhc_ep_close(other);
    rig_free(rig);
}

void usb_remote_ohci_flight_add(void)
{
    rig_add(&usbhc_ohci, "bulk-out-tds-at-once", bulk_out_tds_at_once);
    rig_add(&usbhc_ohci, "long-queues-leave-one-for-each",
            long_queues_leave_one_for_each);
    rig_add(&usbhc_ohci, "out-td-is-one-packet", out_td_is_one_packet);
    rig_add(&usbhc_ohci, "error-leaves-what-was-done",
            error_leaves_what_was_done);
    rig_add(&usbhc_ohci, "idle-read-stops-nobody", idle_read_stops_nobody);
    rig_add(&usbhc_ohci, "several-skipped-and-run-again",
            skipped_and_run_again);
    rig_add(&usbhc_ohci, "several-halted-by-the-guest", halted_by_the_guest);
    rig_add(&usbhc_ohci, "several-taken-out-of-the-list",
            taken_out_of_the_list);
    rig_add(&usbhc_ohci, "taken-out-of-the-periodic-list",
            taken_out_of_the_periodic_list);
    rig_add(&usbhc_ohci, "disabled-list-cancels-its-own",
            disabled_list_cancels_its_own);
    rig_add(&usbhc_ohci, "software-reset-in-flight",
            software_reset_in_flight);
    rig_add(&usbhc_ohci, "tds-changed-in-flight", tds_changed_in_flight);
    rig_add(&usbhc_ohci, "format-changed-in-flight",
            format_changed_in_flight);
    rig_add(&usbhc_ohci, "answered-by-the-stop", answered_by_the_stop);
    rig_add(&usbhc_ohci, "two-eds-take-turns-at-an-endpoint",
            two_eds_take_turns_at_an_endpoint);
}
