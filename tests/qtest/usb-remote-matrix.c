/*
 * usb-remote cases: each type, direction, size, status, depth and speed
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "usb-remote-rig.h"

#define DEPTH       16
#define VICTIM      3           /* of 8: the one that is stalled */
#define QUEUED      8
#define EPS         4           /* besides endpoint 0 */
#define POLLED_MAX  32          /* packets of a transfer that is polled for */

/* Sizes: around one packet, and the most that the controller takes */

static void control_out_at_one_speed(Rig *rig)
{
    uint32_t mps = rig->dev->ep0->mps;
    const uint32_t sizes[] = { 0, 1, mps - 1, mps, mps + 1, 4096 };
    size_t i;

    rig->peer->auto_control = false;
    for (i = 0; i < G_N_ELEMENTS(sizes); i++) {
        rig_control_write(rig, sizes[i]);
    }
    rig->peer->auto_control = true;
}

static void control_out_at_every_speed(const void *opaque)
{
    rig_at_every_speed(opaque, control_out_at_one_speed);
}

static void control_in_at_one_speed(Rig *rig)
{
    uint32_t mps = rig->dev->ep0->mps;
    const uint32_t sizes[] = { 1, mps - 1, mps, mps + 1, 4096 };
    size_t i;

    rig->peer->auto_control = false;
    for (i = 0; i < G_N_ELEMENTS(sizes); i++) {
        rig_control_read(rig, sizes[i], sizes[i]);
        rig_control_read(rig, sizes[i], sizes[i] - 1);
        rig_control_read(rig, sizes[i], 0);
    }
    rig->peer->auto_control = true;
}

static void control_in_at_every_speed(const void *opaque)
{
    rig_at_every_speed(opaque, control_in_at_one_speed);
}

static void out_sizes(Rig *rig, UsbHcEndpoint *ep, uint32_t max)
{
    const uint32_t mps = ep->mps;
    const uint32_t sizes[] = { 0, 1, mps - 1, mps, mps + 1, max };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(sizes); i++) {
        rig_out(rig, ep, sizes[i]);
    }
}

/* Whole, short by one byte, and ended by a zero-length packet */
static void in_sizes(Rig *rig, UsbHcEndpoint *ep, uint32_t max)
{
    const uint32_t mps = ep->mps;
    const uint32_t sizes[] = { 0, 1, mps - 1, mps, mps + 1 };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(sizes); i++) {
        rig_in(rig, ep, sizes[i], sizes[i]);
        if (sizes[i]) {
            rig_in(rig, ep, sizes[i], sizes[i] - 1);
            rig_in(rig, ep, sizes[i], 0);
        }
    }
    rig_in(rig, ep, max, max);
}

/* On all but xHCI each packet of an interrupt endpoint is polled for. */
static uint32_t max_interrupt(Rig *rig)
{
    return rig->drv == &usbhc_xhci ? rig->drv->max_transfer
                                   : POLLED_MAX * rig->int_in->mps;
}

static void bulk_out_at_one_speed(Rig *rig)
{
    if (rig->bulk_out) {
        out_sizes(rig, rig->bulk_out, rig->drv->max_transfer);
    }
}

static void bulk_out_at_every_speed(const void *opaque)
{
    rig_at_every_speed(opaque, bulk_out_at_one_speed);
}

static void bulk_in_at_one_speed(Rig *rig)
{
    if (rig->bulk_in) {
        in_sizes(rig, rig->bulk_in, rig->drv->max_transfer);
    }
}

static void bulk_in_at_every_speed(const void *opaque)
{
    rig_at_every_speed(opaque, bulk_in_at_one_speed);
}

static void interrupt_out_at_one_speed(Rig *rig)
{
    if (rig->int_out) {
        out_sizes(rig, rig->int_out, max_interrupt(rig));
    }
}

static void interrupt_out_at_every_speed(const void *opaque)
{
    rig_at_every_speed(opaque, interrupt_out_at_one_speed);
}

static void interrupt_in_at_one_speed(Rig *rig)
{
    in_sizes(rig, rig->int_in, max_interrupt(rig));
}

static void interrupt_in_at_every_speed(const void *opaque)
{
    rig_at_every_speed(opaque, interrupt_in_at_one_speed);
}

/* Statuses */

static void endpoints(Rig *rig, UsbHcEndpoint **eps)
{
    eps[0] = rig->int_in;
    eps[1] = rig->int_out;
    eps[2] = rig->bulk_in;
    eps[3] = rig->bulk_out;
}

static void control_fault(Rig *rig, const RigFault *fault)
{
    const uint8_t setup[8] = { 0xc0, 1, 0, 0, 0, 0, 8, 0 };
    UsbHcTransfer *xfer = usbhc_submit_control(rig->dev, setup, NULL);

    peer_answer(rig->peer, rig_submit(rig, 0), fault->status);
    g_assert_cmpint(usbhc_wait(xfer), ==, fault->seen);
    usbhc_ep_recover(rig->dev->ep0);
    usbhc_transfer_free(xfer);
    rig_control_read(rig, 8, 8);
}

static void faults_at_one_speed(Rig *rig)
{
    UsbHcEndpoint *eps[EPS];
    size_t i;

    endpoints(rig, eps);
    for (i = 0; i < EPS; i++) {
        if (eps[i]) {
            rig_see_faults(rig, eps[i]);
        }
    }
    rig->peer->auto_control = false;
    for (i = 0; i < RIG_FAULTS; i++) {
        control_fault(rig, &rig_faults[i]);
    }
    rig->peer->auto_control = true;
}

static void faults_at_every_speed(const void *opaque)
{
    rig_at_every_speed(opaque, faults_at_one_speed);
}

/* Depth */

/* A permutation of @n numbers that the seed decides */
static void shuffle(unsigned *order, unsigned n)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        unsigned j = g_test_rand_int_range(0, i + 1);

        order[i] = order[j];
        order[j] = i;
    }
}

/* @n transfers, each one packet with its own number in it */
static void queue(UsbHcEndpoint *ep, UsbHcTransfer **xfer, unsigned n)
{
    g_autofree uint8_t *data = g_malloc(ep->mps);
    unsigned i;

    for (i = 0; i < n; i++) {
        memset(data, i, ep->mps);
        xfer[i] = usbhc_submit(ep, ep->address & 0x80 ? NULL : data, ep->mps);
    }
}

/* Answer the request of packet @number as that packet needs it. */
static void answer(Rig *rig, UsbHcEndpoint *ep, PeerMessage *m,
                   unsigned number)
{
    g_autofree uint8_t *data = g_malloc(ep->mps);

    memset(data, number, ep->mps);
    if (ep->address & 0x80) {
        peer_answer_ok(rig->peer, m, data, ep->mps);
    } else {
        g_assert_cmpmem(peer_submit_data(m), peer_submit_length(m), data,
                        ep->mps);
        peer_answer_ok(rig->peer, m, NULL, ep->mps);
    }
}

static void expect_number(UsbHcTransfer *xfer, unsigned number)
{
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    g_assert_cmpint(xfer->actual, ==, xfer->length);
    g_assert_cmpint(xfer->data[0], ==, number);
    g_assert_cmpint(xfer->data[xfer->length - 1], ==, number);
}

static void depth_of(Rig *rig, UsbHcEndpoint *ep, unsigned n)
{
    unsigned order[DEPTH], i;
    UsbHcTransfer *xfer[DEPTH];
    PeerMessage *m[DEPTH];

    shuffle(order, n);
    queue(ep, xfer, n);
    rig_submits(rig, m, n, ep->address);
    for (i = 0; i < n; i++) {
        answer(rig, ep, m[order[i]], order[i]);
    }
    for (i = 0; i < n; i++) {
        expect_number(xfer[i], i);
        usbhc_transfer_free(xfer[i]);
    }
}

static void every_depth(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    unsigned n;

    for (n = 1; n <= DEPTH; n++) {
        depth_of(rig, rig->bulk_in, n);
        depth_of(rig, rig->bulk_out, n);
    }
    rig_free(rig);
}

/* Halt and clear */

/* The first of QUEUED transfers are answered, then one is stalled. */
static void stall_one(Rig *rig, UsbHcEndpoint *ep, PeerMessage **m)
{
    unsigned i;

    rig_submits(rig, m, QUEUED, ep->address);
    for (i = 0; i < VICTIM; i++) {
        answer(rig, ep, m[i], i);
    }
    peer_answer(rig->peer, m[VICTIM], USB_REMOTE_STATUS_STALL);
}

/* Requests from before the halt are taken back, in order. */
static void answer_too_late(Rig *rig, UsbHcEndpoint *ep, PeerMessage **m,
                            unsigned from, unsigned to)
{
    g_autofree uint8_t *data = g_malloc(ep->mps);
    unsigned i;

    memset(data, 0xee, ep->mps);
    for (i = from; i < to; i++) {
        PeerMessage *c = peer_expect(rig->peer, USB_REMOTE_MSG_CANCEL);

        g_assert_cmphex(c->head.id, ==, m[i]->head.id);
        peer_message_free(c);
    }
    for (i = from; i < to; i++) {
        if (ep->address & 0x80) {
            peer_answer_ok(rig->peer, m[i], data, ep->mps);
        } else {
            peer_answer(rig->peer, m[i], USB_REMOTE_STATUS_CANCELLED);
        }
    }
}

/*
 * What was queued behind a stalled transfer goes on once it is cleared, and
 * with nothing that the peer was asked for before.
 */
static void halt_of(Rig *rig, UsbHcEndpoint *ep)
{
    UsbHcTransfer *xfer[QUEUED];
    PeerMessage *m[QUEUED];
    unsigned i;

    queue(ep, xfer, QUEUED);
    rig->peer->auto_cancel = false;
    stall_one(rig, ep, m);
    for (i = 0; i < VICTIM; i++) {
        expect_number(xfer[i], i);
    }
    g_assert_cmpint(usbhc_wait(xfer[VICTIM]), ==, USBHC_STALL);
    rig_run(rig, 2);
    for (i = VICTIM + 1; i < QUEUED; i++) {
        g_assert_cmpint(xfer[i]->status, ==, USBHC_PENDING);
    }
    g_assert_cmpint(usbhc_clear_halt(ep), ==, USBHC_OK);
    answer_too_late(rig, ep, m, VICTIM + 1, QUEUED);
    rig->peer->auto_cancel = true;
    for (i = VICTIM + 1; i < QUEUED; i++) {
        answer(rig, ep, rig_submit(rig, ep->address), i);
        expect_number(xfer[i], i);
    }
    for (i = 0; i < QUEUED; i++) {
        usbhc_transfer_free(xfer[i]);
    }
}

static void halt_and_clear(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    halt_of(rig, rig->bulk_in);
    halt_of(rig, rig->bulk_out);
    rig_free(rig);
}

static void answer_if_asked(Rig *rig)
{
    PeerMessage *m;

    rig_run(rig, 5);
    m = peer_take(rig->peer, USB_REMOTE_MSG_SUBMIT);
    if (m) {
        peer_answer_ok(rig->peer, m, "hello", 5);
    }
}

/*
 * A queue that has halted stays so when one of its transfers is taken back,
 * and none behind is lost.  What was asked for already may be answered yet.
 */
static void cancelled_behind_a_halt(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer[3];
    unsigned i;

    for (i = 0; i < 3; i++) {
        xfer[i] = usbhc_submit(rig->bulk_in, NULL, 64);
    }
    peer_answer(rig->peer, rig_submit(rig, PEER_BULK_IN),
                USB_REMOTE_STATUS_STALL);
    g_assert_cmpint(usbhc_wait(xfer[0]), ==, USBHC_STALL);
    usbhc_cancel(xfer[2]);
    answer_if_asked(rig);
    rig_run(rig, 5);
    peer_drop(rig->peer, USB_REMOTE_MSG_SUBMIT);
    g_assert_cmpint(usbhc_clear_halt(rig->bulk_in), ==, USBHC_OK);
    answer_if_asked(rig);
    g_assert_cmpint(usbhc_wait(xfer[1]), ==, USBHC_SHORT);
    g_assert_cmpmem(xfer[1]->data, xfer[1]->actual, "hello", 5);
    rig_in(rig, rig->bulk_in, 64, 64);
    for (i = 0; i < 3; i++) {
        usbhc_transfer_free(xfer[i]);
    }
    rig_free(rig);
}

/* Configurations and interfaces */

/* The endpoints anew, as a guest's driver opens them after a change */
static void reopen(Rig *rig)
{
    UsbHcEndpoint **eps[] = { &rig->int_in, &rig->int_out, &rig->bulk_in,
                              &rig->bulk_out };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(eps); i++) {
        UsbHcEndpoint old = **eps[i];

        usbhc_ep_close(*eps[i]);
        *eps[i] = usbhc_ep(rig->dev, old.address, old.type, old.mps,
                           old.interval);
    }
}

/*
 * What the controller holds ends with the old endpoint; what it polls for is
 * asked for anew, and served.
 */
static void see_off(Rig *rig, UsbHcEndpoint **eps, UsbHcTransfer **xfer)
{
    int64_t end = g_get_monotonic_time() +
                  PEER_DEADLINE_S * G_TIME_SPAN_SECOND;
    unsigned i = 0;

    while (i < EPS) {
        PeerMessage *m = peer_take(rig->peer, USB_REMOTE_MSG_SUBMIT);
        unsigned ep = 0;

        if (m) {
            while (eps[ep]->address != peer_submit(m)->endpoint[0]) {
                g_assert_cmpint(++ep, <, EPS);
            }
            answer(rig, eps[ep], m, 0);
        } else if (xfer[i]->status != USBHC_PENDING) {
            i++;
        } else {
            g_assert_cmpint(g_get_monotonic_time(), <, end);
            rig_step(rig);
        }
    }
}

static void toggle(Rig *rig, uint8_t type, uint8_t request, uint8_t value)
{
    UsbHcEndpoint *eps[EPS];
    UsbHcTransfer *xfer[EPS];
    size_t i;

    endpoints(rig, eps);
    for (i = 0; i < EPS; i++) {
        queue(eps[i], &xfer[i], 1);
        peer_expect_free(rig->peer, USB_REMOTE_MSG_SUBMIT);
    }
    g_assert_cmpint(usbhc_control(rig->dev, type, request, value, 0, NULL, 0,
                                  NULL), ==, USBHC_OK);
    for (i = 0; i < EPS; i++) {
        peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    }
    see_off(rig, eps, xfer);
    for (i = 0; i < EPS; i++) {
        if (xfer[i]->status != USBHC_ERROR) {
            expect_number(xfer[i], 0);
        }
        usbhc_transfer_free(xfer[i]);
    }
    g_assert_cmpint(rig_qom_number(rig, "in-flight"), ==, 0);
    reopen(rig);
}

static void expect_works(Rig *rig)
{
    rig_in(rig, rig->bulk_in, 64, 64);
    rig_out(rig, rig->bulk_out, 64);
    rig_in(rig, rig->int_in, 8, 8);
    rig_out(rig, rig->int_out, 8);
}

static void configurations(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    int i;

    for (i = 0; i < 4; i++) {
        toggle(rig, 0x00, 9, i & 1);
    }
    expect_works(rig);
    rig_free(rig);
}

static void interfaces(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    int i;

    for (i = 0; i < 4; i++) {
        toggle(rig, 0x01, 11, 0);
    }
    expect_works(rig);
    rig_free(rig);
}

void usb_remote_matrix_add(void)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rig_drivers); i++) {
        const UsbHcDriver *drv = rig_drivers[i];

        rig_add(drv, "control-out-at-every-speed", control_out_at_every_speed);
        rig_add(drv, "control-in-at-every-speed", control_in_at_every_speed);
        rig_add(drv, "bulk-out-at-every-speed", bulk_out_at_every_speed);
        rig_add(drv, "bulk-in-at-every-speed", bulk_in_at_every_speed);
        rig_add(drv, "interrupt-out-at-every-speed",
                interrupt_out_at_every_speed);
        rig_add(drv, "interrupt-in-at-every-speed",
                interrupt_in_at_every_speed);
        rig_add(drv, "faults-at-every-speed", faults_at_every_speed);
        rig_add(drv, "answers-in-any-order-at-every-depth", every_depth);
        rig_add(drv, "halt-cleared-with-more-queued", halt_and_clear);
        rig_add(drv, "cancelled-behind-a-halt", cancelled_behind_a_halt);
        rig_add(drv, "configuration-toggled-in-flight", configurations);
        rig_add(drv, "interface-set-in-flight", interfaces);
    }
}
