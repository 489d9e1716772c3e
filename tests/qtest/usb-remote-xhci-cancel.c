/*
 * usb-remote cases: a guest of xHCI cancels one of several transfers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The guest stops the endpoint, takes the one out and starts the endpoint
 * again.  All the others have to complete, in order, and each byte has to
 * reach the other side once.  Transfers are numbered; their bytes follow from
 * the number, and both ends count.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "usb-remote-rig.h"

#define DEPTH   8

/* When the peer's answers are written to the socket */
typedef enum When {
    BEFORE,             /* Stop Endpoint; QEMU may or may not have read them */
    BETWEEN,            /* Stop Endpoint and the doorbell */
    AFTER,              /* the doorbell */
    WHEN_COUNT
} When;

typedef struct Pipe {
    Rig *rig;
    UsbHcEndpoint *ep;
    UsbHcTransfer *xfer[DEPTH];
    uint32_t size;              /* of each transfer */
    uint8_t *data;              /* so many bytes, scratch */
    uint32_t base;              /* OUT: number of xfer[0] */
    unsigned taken[DEPTH];      /* OUT: how often the peer got each */
    uint32_t answered;          /* IN: number of the next answer */
    uint32_t received;          /* IN: and of the guest's next data */
    unsigned due;               /* answers to give at the next idle call */
    bool eager;                 /* give one at each idle call */
} Pipe;

static bool pipe_is_in(const Pipe *pipe)
{
    return pipe->ep->address & 0x80;
}

/* Some are short, so that it is seen where each begins and ends. */
static uint32_t pipe_length(const Pipe *pipe, uint32_t number)
{
    return pipe_is_in(pipe) && number % 5 == 4 ? pipe->size - 100
                                               : pipe->size;
}

static void pipe_fill(Pipe *pipe, uint32_t number)
{
    rig_fill(pipe->data, pipe->size, number);
    stl_le_p(pipe->data, number);
}

static void pipe_check(Pipe *pipe, const uint8_t *data, uint32_t length,
                       uint32_t number)
{
    g_assert_cmpint(length, ==, pipe_length(pipe, number));
    g_assert_cmpint(ldl_le_p(data), ==, number);
    pipe_fill(pipe, number);
    g_assert_cmpint(memcmp(data, pipe->data, length), ==, 0);
}

/* The peer */

static unsigned pipe_open(Pipe *pipe)
{
    peer_pump(pipe->rig->peer);
    return peer_queued(pipe->rig->peer, USB_REMOTE_MSG_SUBMIT);
}

static void pipe_give(Pipe *pipe, PeerMessage *m)
{
    pipe_fill(pipe, pipe->answered);
    peer_answer_ok(pipe->rig->peer, m, pipe->data,
                   pipe_length(pipe, pipe->answered));
    pipe->answered++;
}

static void pipe_take(Pipe *pipe, PeerMessage *m)
{
    uint32_t number = ldl_le_p(peer_submit_data(m));

    g_assert_cmpint(number - pipe->base, <, DEPTH);
    pipe_check(pipe, peer_submit_data(m), peer_submit_length(m), number);
    pipe->taken[number - pipe->base]++;
    peer_answer_ok(pipe->rig->peer, m, NULL, pipe->size);
}

/* Answer the oldest request. */
static void pipe_answer(Pipe *pipe)
{
    PeerMessage *m = peer_take(pipe->rig->peer, USB_REMOTE_MSG_SUBMIT);

    if (pipe_is_in(pipe)) {
        pipe_give(pipe, m);
    } else {
        pipe_take(pipe, m);
    }
}

static void pipe_answer_due(Pipe *pipe)
{
    for (; pipe->due && pipe_open(pipe); pipe->due--) {
        pipe_answer(pipe);
    }
}

static void pipe_idle(void *opaque)
{
    Pipe *pipe = opaque;

    peer_pump(pipe->rig->peer);
    if (pipe->eager) {
        pipe->due = 1;
    }
    pipe_answer_due(pipe);
}

/* The guest */

static bool all_asked(void *opaque)
{
    return pipe_open(opaque) >= DEPTH;
}

static void pipe_submit(Pipe *pipe)
{
    unsigned i;

    for (i = 0; i < DEPTH; i++) {
        pipe_fill(pipe, pipe->base + i);
        pipe->taken[i] = 0;
        pipe->xfer[i] = usbhc_submit(pipe->ep, pipe_is_in(pipe) ? NULL :
                                     pipe->data, pipe->size);
    }
    if (!usbhc_until(pipe->rig->hc, all_asked, pipe)) {
        g_error("only %u of %u requests", pipe_open(pipe), DEPTH);
    }
}

static void pipe_cancel(Pipe *pipe, UsbHcTransfer *victim, unsigned answers,
                        When when)
{
    pipe->due = answers;
    if (when == BEFORE) {
        pipe_answer_due(pipe);
    } else if (when == AFTER) {
        usbhc_set_idle(pipe->rig->hc, NULL, NULL);
    }
    usbhc_cancel(victim);
    usbhc_set_idle(pipe->rig->hc, pipe_idle, pipe);
    pipe_answer_due(pipe);
}

static unsigned pipe_index(Pipe *pipe, UsbHcTransfer *xfer)
{
    unsigned i;

    for (i = 0; pipe->xfer[i] != xfer; i++) {
        g_assert_cmpint(i, <, DEPTH);
    }
    return i;
}

/* What has completed, newest first */
static void pipe_check_order(Pipe *pipe)
{
    unsigned last = DEPTH;
    GSList *l;

    for (l = pipe->ep->finished; l; l = l->next) {
        UsbHcTransfer *xfer = l->data;

        if (xfer->status != USBHC_CANCELLED) {
            g_assert_cmpint(pipe_index(pipe, xfer), <, last);
            last = pipe_index(pipe, xfer);
        }
    }
}

static void pipe_check_one(Pipe *pipe, unsigned i, bool victim)
{
    UsbHcTransfer *xfer = pipe->xfer[i];

    if (victim && xfer->status == USBHC_CANCELLED) {
        g_assert_cmpint(pipe->taken[i], <=, 1);
    } else if (pipe_is_in(pipe)) {
        pipe_check(pipe, xfer->data, xfer->actual, pipe->received++);
    } else {
        g_assert_cmpint(xfer->status, ==, USBHC_OK);
        g_assert_cmpint(xfer->actual, ==, pipe->size);
        g_assert_cmpint(pipe->taken[i], ==, 1);
    }
}

/* What was answered for the cancelled transfer is the next ones'. */
static void pipe_drain(Pipe *pipe)
{
    while (pipe->received < pipe->answered) {
        UsbHcTransfer *xfer = usbhc_submit(pipe->ep, NULL, pipe->size);

        usbhc_wait(xfer);
        pipe_check(pipe, xfer->data, xfer->actual, pipe->received++);
        usbhc_transfer_free(xfer);
    }
}

static void pipe_round(Pipe *pipe, unsigned victim, unsigned answers,
                       When when)
{
    unsigned i;

    pipe_submit(pipe);
    pipe_cancel(pipe, pipe->xfer[victim], answers, when);
    pipe->eager = true;
    for (i = 0; i < DEPTH; i++) {
        usbhc_wait(pipe->xfer[i]);
    }
    pipe->eager = false;
    pipe->due = 0;
    pipe_check_order(pipe);
    for (i = 0; i < DEPTH; i++) {
        pipe_check_one(pipe, i, i == victim);
        usbhc_transfer_free(pipe->xfer[i]);
    }
    pipe_drain(pipe);
    peer_drop(pipe->rig->peer, USB_REMOTE_MSG_CANCEL);
    pipe->base += DEPTH;
}

static void one_of_eight(const UsbHcDriver *drv, uint8_t address,
                         UsbHcUnlink way)
{
    Pipe pipe = { .rig = rig_new_plugged(drv) };
    unsigned victim, answers, rounds = 0;
    When when;

    pipe.rig->hc->unlink = way;
    pipe.ep = address & 0x80 ? pipe.rig->bulk_in : pipe.rig->bulk_out;
    pipe.ep->trb_bytes = pipe.ep->mps;
    pipe.size = 2 * pipe.ep->mps;
    pipe.data = g_malloc(pipe.size);
    usbhc_set_idle(pipe.rig->hc, pipe_idle, &pipe);
    for (when = 0; when < WHEN_COUNT; when++) {
        for (victim = 0; victim < DEPTH; victim++) {
            for (answers = 0; answers < DEPTH; answers++) {
                pipe_round(&pipe, victim, answers, when);
                rounds++;
            }
        }
    }
    if (!pipe_is_in(&pipe)) {
        g_assert_cmpint(pipe.rig->peer->bulk_submits, ==, rounds * DEPTH);
    }
    g_free(pipe.data);
    usbhc_set_idle(pipe.rig->hc, peer_pump, pipe.rig->peer);
    rig_free(pipe.rig);
}

static void noops_in_place_of_one_out(const void *opaque)
{
    one_of_eight(opaque, PEER_BULK_OUT, USBHC_UNLINK_NOOP);
}

static void noops_in_place_of_one_in(const void *opaque)
{
    one_of_eight(opaque, PEER_BULK_IN, USBHC_UNLINK_NOOP);
}

static void link_over_one_out(const void *opaque)
{
    one_of_eight(opaque, PEER_BULK_OUT, USBHC_UNLINK_LINK);
}

static void link_over_one_in(const void *opaque)
{
    one_of_eight(opaque, PEER_BULK_IN, USBHC_UNLINK_LINK);
}

/* The guest may change what the controller has not done. */
static void longer_out_is_another(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *ep = rig->bulk_out;
    UsbHcTransfer *xfer;
    uint64_t size;
    PeerMessage *m;

    ep->held = true;
    xfer = usbhc_submit(ep, "abcdefgh", 8);
    size = xfer->td[0] + 8;
    usbhc_put32(rig->hc, size, usbhc_get32(rig->hc, size) - 4);
    usbhc_xhci_ring(ep);
    m = rig_submit(rig, PEER_BULK_OUT);
    g_assert_cmpint(peer_submit_length(m), ==, 4);
    peer_message_free(m);
    usbhc_xhci_stop(ep);
    usbhc_put32(rig->hc, size, usbhc_get32(rig->hc, size) + 4);
    usbhc_xhci_restart(ep);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    rig_expect_out(rig, PEER_BULK_OUT, "abcdefgh", 8);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

void usb_remote_xhci_cancel_add(void)
{
    const UsbHcDriver *drv = &usbhc_xhci;

    rig_add(drv, "noops-in-place-of-one-out-leave-the-other-seven",
            noops_in_place_of_one_out);
    rig_add(drv, "noops-in-place-of-one-in-leave-the-other-seven",
            noops_in_place_of_one_in);
    rig_add(drv, "link-over-one-out-leaves-the-other-seven",
            link_over_one_out);
    rig_add(drv, "link-over-one-in-leaves-the-other-seven",
            link_over_one_in);
    rig_add(drv, "longer-out-is-another", longer_out_is_another);
}
