/*
 * usb-remote cases: small limits, fairness, order, and what is not repeated
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "usb-remote-rig.h"

#define DESCRIPTORS     300     /* more than a host controller's ring has */

typedef struct Window {
    uint32_t max_payload;
    uint32_t max_requests;
    uint32_t max_per_endpoint;
    uint32_t max_bytes;
} Window;

/* Plugged, with a peer that announces @w. */
static Rig *rig_window(const UsbHcDriver *drv, const Window *w)
{
    UsbRemoteHello m = peer_hello();

    usb_remote_put32(m.max_payload, w->max_payload);
    usb_remote_put32(m.max_requests, w->max_requests);
    usb_remote_put32(m.max_per_endpoint, w->max_per_endpoint);
    usb_remote_put32(m.max_bytes, w->max_bytes);
    return rig_new_with_hello(drv, &m);
}

static unsigned submits(Rig *rig)
{
    return peer_queued(rig->peer, USB_REMOTE_MSG_SUBMIT);
}

/* The core queues what the window has no room for, and replays it. */
static void small_window_keeps_the_order(const void *opaque)
{
    static const Window w = { 1 << 20, 256, 2, 8 << 20 };
    Rig *rig = rig_window(opaque, &w);
    UsbHcTransfer *x[40];
    uint8_t i;

    for (i = 0; i < G_N_ELEMENTS(x); i++) {
        uint8_t data[4] = { i };

        x[i] = usbhc_submit(rig->bulk_out, data, sizeof(data));
    }
    for (i = 0; i < G_N_ELEMENTS(x); i++) {
        PeerMessage *m = rig_submit(rig, PEER_BULK_OUT);

        g_assert_cmpint(peer_submit_data(m)[0], ==, i);
        peer_answer_ok(rig->peer, m, NULL, 4);
        rig_run(rig, 2);
    }
    for (i = 0; i < G_N_ELEMENTS(x); i++) {
        g_assert_cmpint(usbhc_wait(x[i]), ==, USBHC_OK);
        usbhc_transfer_free(x[i]);
    }
    rig_free(rig);
}

static uint64_t answer_growing(Rig *rig, uint64_t last)
{
    static const uint8_t data[8];
    PeerMessage *m;

    while ((m = peer_take(rig->peer, USB_REMOTE_MSG_SUBMIT))) {
        bool in = peer_submit(m)->endpoint[0] & 0x80;

        g_assert_cmphex(m->head.id, >, last);
        last = m->head.id;
        peer_answer_ok(rig->peer, m, in ? data : NULL, sizeof(data));
    }
    return last;
}

static void ids_grow_on_the_wire(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *x[60];
    uint64_t last = 0;
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(x); i += 3) {
        uint8_t data[8] = { i };

        x[i] = usbhc_submit(rig->int_in, NULL, sizeof(data));
        x[i + 1] = usbhc_submit(rig->int_out, data, sizeof(data));
        x[i + 2] = usbhc_submit(rig->bulk_out, data, sizeof(data));
        rig_run(rig, 40);
        last = answer_growing(rig, last);
        rig_run(rig, 20);
    }
    g_assert_cmphex(last, !=, 0);
    for (i = 0; i < G_N_ELEMENTS(x); i++) {
        usbhc_transfer_free(x[i]);
    }
    rig_free(rig);
}

/* It was overtaken, so it is taken back, and must go out again. */
static void zero_length_out_given_back_is_sent_again(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    g_autofree uint8_t *data = g_malloc0(rig->bulk_out->mps);
    UsbHcTransfer *a = usbhc_submit(rig->bulk_out, data, rig->bulk_out->mps);
    UsbHcTransfer *b = usbhc_submit(rig->bulk_out, data, 0);
    PeerMessage *first = rig_submit(rig, PEER_BULK_OUT);
    PeerMessage *m = rig_submit(rig, PEER_BULK_OUT);

    g_assert_cmpint(peer_submit_length(m), ==, 0);
    peer_message_free(m);
    peer_answer(rig->peer, first, USB_REMOTE_STATUS_NAK);
    m = rig_submit(rig, PEER_BULK_OUT);
    g_assert_cmpint(rig->peer->cancels, ==, 1);
    peer_answer_ok(rig->peer, m, NULL, rig->bulk_out->mps);
    g_assert_cmpint(usbhc_wait(a), ==, USBHC_OK);
    m = rig_submit(rig, PEER_BULK_OUT);
    g_assert_cmpint(peer_submit_length(m), ==, 0);
    peer_answer_ok(rig->peer, m, NULL, 0);
    g_assert_cmpint(usbhc_wait(b), ==, USBHC_OK);
    usbhc_transfer_free(a);
    usbhc_transfer_free(b);
    rig_free(rig);
}

static void parked_reads_leave_credit_for_others(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    uint32_t size = MIN(rig->drv->max_transfer, 1 << 20);
    UsbHcTransfer *x[18];
    unsigned i;

    for (i = 0; i < 16; i++) {
        x[i] = usbhc_submit(rig->bulk_in, NULL, size);
    }
    rig_run(rig, 20);
    peer_drop(rig->peer, USB_REMOTE_MSG_SUBMIT);
    x[16] = usbhc_submit(rig->bulk_out, "cmd", 3);
    x[17] = usbhc_submit(rig->int_in, NULL, 8);
    peer_message_free(rig_submit(rig, PEER_BULK_OUT));
    peer_message_free(rig_submit(rig, PEER_INT_IN));
    for (i = 0; i < G_N_ELEMENTS(x); i++) {
        usbhc_transfer_free(x[i]);
    }
    rig_free(rig);
}

/* What the socket does not take waits in the guest. */
static void writes_wait_for_a_peer_that_does_not_read(const void *opaque)
{
    enum { SIZE = 65536, COUNT = 16 };
    Rig *rig = rig_new_plugged(opaque);
    g_autofree uint8_t *data = g_malloc(SIZE);
    UsbHcTransfer *x[COUNT];
    unsigned i;

    rig->peer->deaf = true;
    for (i = 0; i < COUNT; i++) {
        rig_fill(data, SIZE, i);
        x[i] = usbhc_submit(rig->bulk_out, data, SIZE);
    }
    rig_run(rig, 10);
    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'query-status' }");
    g_assert_cmpint(rig_qom_number(rig, "bytes-out"), <, COUNT * SIZE);
    rig->peer->deaf = false;
    for (i = 0; i < COUNT; i++) {
        rig_fill(data, SIZE, i);
        rig_expect_out(rig, PEER_BULK_OUT, data, SIZE);
        g_assert_cmpint(usbhc_wait(x[i]), ==, USBHC_OK);
        usbhc_transfer_free(x[i]);
    }
    rig_free(rig);
}

static void endpoint_without_credit_is_woken(const void *opaque)
{
    static const Window w = { 8192, 1, 1, 8192 };
    Rig *rig = rig_window(opaque, &w);
    UsbHcTransfer *in = usbhc_submit(rig->bulk_in, NULL, 8);
    PeerMessage *m = rig_submit(rig, PEER_BULK_IN);
    UsbHcTransfer *out = usbhc_submit(rig->int_out, "abcd", 4);

    rig_run(rig, 40);
    g_assert_cmpint(submits(rig), ==, 0);
    peer_answer_ok(rig->peer, m, "12345678", 8);
    g_assert_cmpint(usbhc_wait(in), ==, USBHC_OK);
    peer_message_free(rig_submit(rig, PEER_INT_OUT));
    usbhc_transfer_free(in);
    usbhc_transfer_free(out);
    rig_free(rig);
}

/* A poll that takes its data frees bytes that another endpoint waits for. */
static void taken_data_wakes_those_without_credit(const void *opaque)
{
    static const Window w = { 8192, 16, 16, 8192 };
    static uint8_t data[8192];
    Rig *rig = rig_window(opaque, &w);
    UsbHcTransfer *in = usbhc_submit(rig->int_in, NULL, sizeof(data)), *out;
    PeerMessage *m = rig_submit(rig, PEER_INT_IN);

    usbhc_cancel(in);
    usbhc_transfer_free(in);
    peer_answer_ok(rig->peer, m, data, sizeof(data));
    rig_run(rig, 5);
    out = usbhc_submit(rig->int_out, "abcd", 4);
    rig_run(rig, 40);
    g_assert_cmpint(submits(rig), ==, 0);
    in = usbhc_submit(rig->int_in, NULL, sizeof(data));
    g_assert_cmpint(usbhc_wait(in), ==, USBHC_OK);
    peer_message_free(rig_submit(rig, PEER_INT_OUT));
    usbhc_transfer_free(in);
    usbhc_transfer_free(out);
    rig_free(rig);
}

/* Half of the bytes are parked, so the write goes out in small pieces. */
static void parked_requests_outlive_many_others(const void *opaque)
{
    enum { PARKED = 4, EACH = 8192, SIZE = 512 * 1024, OTHERS = 512 };
    static const Window w = { EACH, 256, 16, 2 * PARKED * EACH };
    static uint8_t data[SIZE];
    Rig *rig = rig_window(opaque, &w);
    UsbHcTransfer *in[PARKED], *out;
    PeerMessage *parked[PARKED], *m;
    uint32_t i, done, others = 0;

    for (i = 0; i < PARKED; i++) {
        in[i] = usbhc_submit(rig->bulk_in, NULL, EACH);
        parked[i] = rig_submit(rig, PEER_BULK_IN);
    }
    out = usbhc_submit(rig->bulk_out, data, SIZE);
    for (done = 0; done < SIZE; others++) {
        m = rig_submit(rig, PEER_BULK_OUT);
        done += peer_submit_length(m);
        peer_answer_ok(rig->peer, m, NULL, peer_submit_length(m));
    }
    g_assert_cmpint(others, >=, OTHERS);
    g_assert_cmpint(usbhc_wait(out), ==, USBHC_OK);
    usbhc_transfer_free(out);
    for (i = 0; i < PARKED; i++) {
        peer_answer_ok(rig->peer, parked[i], data, EACH);
        g_assert_cmpint(usbhc_wait(in[i]), ==, USBHC_OK);
        usbhc_transfer_free(in[i]);
    }
    rig_free(rig);
}

/* Each small answer, which is kept, can have the buffer of a large write. */
static void small_answers_do_not_keep_large_buffers(const void *opaque)
{
    enum { ROUNDS = 15, LARGE = 1 << 20, BOUND = 8 << 20 };
    static const Window w = { LARGE, 256, 16, BOUND };
    Rig *rig = rig_window(opaque, &w);
    UsbHcTransfer *in[ROUNDS + 1];
    PeerMessage *first;
    size_t before, i;

    in[0] = usbhc_submit(rig->bulk_in, NULL, 64);
    first = rig_submit(rig, PEER_BULK_IN);
    rig_out(rig, rig->bulk_out, LARGE);
    before = rig_rss(rig);
    for (i = 1; i <= ROUNDS; i++) {
        in[i] = usbhc_submit(rig->bulk_in, NULL, 64);
        peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_IN), "x", 1);
        rig_out(rig, rig->bulk_out, LARGE);
    }
    g_assert_cmpint(rig_rss(rig), <, before + BOUND + RIG_SANITIZER_KEEPS);
    peer_answer_ok(rig->peer, first, "x", 1);
    for (i = 0; i <= ROUNDS; i++) {
        g_assert_cmpint(usbhc_wait(in[i]), ==, USBHC_SHORT);
        usbhc_transfer_free(in[i]);
    }
    rig_free(rig);
}

/* Nor those that they came in, when each is longer than what was asked. */
static void long_answers_to_short_reads_take_no_memory(const void *opaque)
{
    enum { COUNT = 16, LONG = 1 << 20, BOUND = 8 << 20 };
    static const uint8_t data[LONG];
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *in[COUNT];
    PeerMessage *m[COUNT];
    size_t before = rig_rss(rig), i;

    for (i = 0; i < COUNT; i++) {
        in[i] = usbhc_submit(rig->bulk_in, NULL, 64);
    }
    rig_submits(rig, m, COUNT, PEER_BULK_IN);
    for (i = 1; i < COUNT; i++) {
        peer_answer_ok(rig->peer, m[i], data, LONG);
    }
    rig_run(rig, 5);
    g_assert_cmpint(rig_rss(rig), <, before + BOUND + RIG_SANITIZER_KEEPS);
    peer_answer_ok(rig->peer, m[0], data, 64);
    g_assert_cmpint(usbhc_wait(in[0]), ==, USBHC_OK);
    g_assert_cmpint(usbhc_wait(in[1]), ==, USBHC_BABBLE);
    for (i = 0; i < COUNT; i++) {
        usbhc_transfer_free(in[i]);
    }
    rig_free(rig);
}

/*
 * The device keeps the records of 64 requests and of 64 packets when they are
 * over.  All of these are over at once, when the first is answered.
 */
static void more_requests_than_are_kept(const void *opaque)
{
    enum { MANY = 100, ROUNDS = 2 };
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *in[MANY];
    PeerMessage *first;
    uint8_t i, round;

    for (round = 0; round < ROUNDS; round++) {
        for (i = 0; i < MANY; i++) {
            in[i] = usbhc_submit(rig->bulk_in, NULL, 64);
        }
        first = rig_submit(rig, PEER_BULK_IN);
        for (i = 1; i < MANY; i++) {
            peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_IN), &i, 1);
        }
        peer_answer_ok(rig->peer, first, "", 1);
        for (i = 0; i < MANY; i++) {
            g_assert_cmpint(usbhc_wait(in[i]), ==, USBHC_SHORT);
            g_assert_cmpint(in[i]->data[0], ==, i);
            usbhc_transfer_free(in[i]);
        }
    }
    rig_free(rig);
}

/* It takes no answer but a whole one, and that is too long for a message. */
static void interrupt_that_no_message_can_carry_fails(const void *opaque)
{
    static const Window w = { USB_REMOTE_MIN_PAYLOAD, 16, 16, 1 << 20 };
    Rig *rig = rig_window(opaque, &w);
    UsbHcTransfer *in = usbhc_submit(rig->int_in, NULL,
                                     USB_REMOTE_MIN_PAYLOAD + 1024);

    g_assert_cmpint(usbhc_wait(in), ==, USBHC_ERROR);
    g_assert_cmpint(submits(rig), ==, 0);
    usbhc_transfer_free(in);
    g_assert_cmpint(usbhc_clear_halt(rig->int_in), ==, USBHC_OK);
    rig_in(rig, rig->int_in, 64, 64);
    rig_free(rig);
}

static void failed_chardev_change_spares_the_next_peer(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);
    QDict *r = qtest_qmp(rig->qts,
        "{ 'execute': 'chardev-change', 'arguments': { 'id': 'c0', "
        "'backend': { 'type': 'null', 'data': {} } } }");

    g_assert_true(qdict_haskey(r, "error"));
    qobject_unref(r);
    rig->quiet = true;
    rig_connect(rig);
    rig_plug(rig);
    rig_free(rig);
}

/* Nothing more is asked of a device that its peer has given up. */
static void attach_while_stopped_ends_the_old_device(const void *opaque)
{
    static const Window w = { 1 << 20, 256, 1, 8 << 20 };
    Rig *rig = rig_window(opaque, &w);
    UsbHcTransfer *x = usbhc_submit(rig->bulk_out, "aaaa", 4);
    PeerMessage *m = rig_submit(rig, PEER_BULK_OUT);

    rig_stop(rig);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_VMSTATE);
    peer_answer(rig->peer, m, USB_REMOTE_STATUS_NAK);
    peer_send_ready(rig->peer, PEER_BULK_OUT);
    peer_send_attach(rig->peer, rig->speeds, 0, 0, NULL, 0);
    rig_cont(rig);
    m = peer_expect(rig->peer, USB_REMOTE_MSG_ATTACHED);
    g_assert_cmpint(m->head.attachment, ==, 2);
    peer_message_free(m);
    while ((m = peer_take(rig->peer, USB_REMOTE_MSG_SUBMIT))) {
        g_assert_cmpint(m->head.attachment, ==, 1);
        peer_message_free(m);
    }
    usbhc_transfer_free(x);
    rig_free(rig);
}

static void retry_is_said_of_the_same_packet_only(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *x = usbhc_submit(rig->bulk_out, "first", 5);
    PeerMessage *m = rig_submit(rig, PEER_BULK_OUT);

    rig->hc->linger = 40;
    peer_answer(rig->peer, m, USB_REMOTE_STATUS_NAK);
    m = rig_submit(rig, PEER_BULK_OUT);
    g_assert_true(usb_remote_get16(peer_submit(m)->flags) &
                  USB_REMOTE_SUBMIT_RETRY);
    peer_answer(rig->peer, m, USB_REMOTE_STATUS_NAK);
    usbhc_cancel(x);
    rig_run(rig, 100);
    usbhc_transfer_free(x);
    peer_drop(rig->peer, USB_REMOTE_MSG_SUBMIT);
    x = usbhc_submit(rig->bulk_out, "other!", 6);
    m = rig_submit(rig, PEER_BULK_OUT);
    g_assert_cmpint(peer_submit_length(m), ==, 6);
    g_assert_false(usb_remote_get16(peer_submit(m)->flags) &
                   USB_REMOTE_SUBMIT_RETRY);
    peer_message_free(m);
    usbhc_transfer_free(x);
    rig_free(rig);
}

/* The controller drops the queue while no piece is on the way. */
static void pieces_are_sent_once(const void *opaque)
{
    static const Window w = { 8192, 16, 16, 1 << 20 };
    static uint8_t data[16384];
    Rig *rig = rig_window(opaque, &w);
    UsbHcTransfer *a, *b;
    PeerMessage *m;

    rig_fill(data, sizeof(data), 1);
    rig->hc->linger = 40;
    a = usbhc_submit(rig->bulk_out, data, sizeof(data));
    b = usbhc_submit(rig->bulk_out, "tail", 4);
    m = rig_submit(rig, PEER_BULK_OUT);
    g_assert_cmpint(peer_submit_length(m), ==, 8192);
    peer_answer_ok(rig->peer, m, NULL, 8192);
    m = rig_submit(rig, PEER_BULK_OUT);
    peer_answer(rig->peer, m, USB_REMOTE_STATUS_NAK);
    usbhc_cancel(b);
    rig_expect_out(rig, PEER_BULK_OUT, data + 8192, 8192);
    g_assert_cmpint(usbhc_wait(a), ==, USBHC_OK);
    usbhc_transfer_free(a);
    usbhc_transfer_free(b);
    rig_free(rig);
}

/* And what has come of a read is not asked for again. */
static void pieces_are_read_once(const void *opaque)
{
    static const Window w = { 8192, 16, 16, 1 << 20 };
    static uint8_t data[16384];
    Rig *rig = rig_window(opaque, &w);
    UsbHcTransfer *a, *b;
    PeerMessage *m;

    rig_fill(data, sizeof(data), 1);
    a = usbhc_submit(rig->bulk_in, NULL, sizeof(data));
    peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_IN), data, 8192);
    m = rig_submit(rig, PEER_BULK_IN);
    b = usbhc_submit(rig->bulk_in, NULL, 64);
    usbhc_cancel(b);
    peer_answer_ok(rig->peer, m, data + 8192, 8192);
    g_assert_cmpint(usbhc_wait(a), ==, USBHC_OK);
    g_assert_cmpmem(a->data, a->actual, data, sizeof(data));
    g_assert_cmpint(submits(rig), ==, 0);
    usbhc_transfer_free(a);
    usbhc_transfer_free(b);
    rig_free(rig);
}

/*
 * A read that is gone does not go on in one of no bytes, though that has the
 * same descriptor in its turn.
 */
static void nothing_goes_on_in_a_read_of_no_bytes(const void *opaque)
{
    static const Window w = { 8192, 16, 16, 1 << 20 };
    static uint8_t data[8192];
    Rig *rig = rig_window(opaque, &w);
    UsbHcTransfer *x = usbhc_submit(rig->bulk_in, NULL, 16384);
    PeerMessage *m;
    unsigned i;

    peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_IN), data, 8192);
    peer_message_free(rig_submit(rig, PEER_BULK_IN));
    usbhc_cancel(x);
    for (i = 0; i < DESCRIPTORS; i++) {
        usbhc_transfer_free(x);
        x = usbhc_submit(rig->bulk_in, NULL, 0);
        m = rig_submit(rig, PEER_BULK_IN);
        g_assert_cmpint(peer_submit_length(m), ==, 0);
        peer_answer_ok(rig->peer, m, NULL, 0);
        g_assert_cmpint(usbhc_wait(x), ==, USBHC_OK);
    }
    usbhc_transfer_free(x);
    rig_free(rig);
}

/* Nor does data that nobody reads stop the other endpoints. */
static void kept_data_leaves_room_for_a_packet(const void *opaque)
{
    static const Window w = { 8192, 16, 16, 8192 };
    static const uint8_t data[4096];
    Rig *rig = rig_window(opaque, &w);
    UsbHcTransfer *x;

    rig_late_in(rig, sizeof(data), data, sizeof(data));
    rig_run(rig, 200);
    x = usbhc_submit(rig->bulk_out, data, rig->bulk_out->mps);
    rig_expect_out(rig, PEER_BULK_OUT, data, rig->bulk_out->mps);
    g_assert_cmpint(usbhc_wait(x), ==, USBHC_OK);
    usbhc_transfer_free(x);
    peer_drop(rig->peer, USB_REMOTE_MSG_CANCEL);
    rig_free(rig);
}

/* bInterval 16 is 4.096 s from high speed on. */
static void nak_waits_for_a_slow_interval(const void *opaque)
{
    Rig *rig = rig_new_peer(opaque);
    PeerDevice *d = &rig->peer->device;
    UsbHcTransfer *x;
    size_t i;

    peer_attach(rig->peer, rig->speeds);
    for (i = 0; i < d->config_size; i += d->config[i]) {
        if (d->config[i + 1] == 5 && (d->config[i + 3] & 3) == 3) {
            d->config[i + 6] = 16;
        }
    }
    rig->dev = usbhc_attach(rig->hc);
    rig_configure(rig);
    x = usbhc_submit(rig->int_in, NULL, 8);
    peer_answer(rig->peer, rig_submit(rig, PEER_INT_IN),
                USB_REMOTE_STATUS_NAK);
    rig_run(rig, 1000);
    g_assert_cmpint(submits(rig), ==, 0);
    usbhc_transfer_free(x);
    rig_free(rig);
}

static void answered_cancel(Rig *rig)
{
    UsbHcTransfer *x = usbhc_submit(rig->bulk_out, "data", 4);
    PeerMessage *m = rig_submit(rig, PEER_BULK_OUT);

    usbhc_cancel(x);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    peer_send_complete(rig->peer, &m->head, USB_REMOTE_STATUS_CANCELLED,
                       NULL, 0, NULL, -1);
    peer_message_free(m);
    usbhc_transfer_free(x);
}

/* Others that are answered do not win it more time. */
static void one_unanswered_cancel_times_out(const void *opaque)
{
    Rig *rig = rig_new(opaque, ",peer-timeout=700");
    UsbHcTransfer *x;

    rig_connect(rig);
    rig_plug(rig);
    rig->hc->linger = 40;
    rig->peer->auto_cancel = false;
    x = usbhc_submit(rig->bulk_in, NULL, 64);
    peer_message_free(rig_submit(rig, PEER_BULK_IN));
    usbhc_cancel(x);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    usbhc_transfer_free(x);
    answered_cancel(rig);
    rig_run(rig, 200);
    answered_cancel(rig);
    peer_expect_error(rig->peer, USB_REMOTE_ERROR_TIMEOUT);
    rig_expect_log(rig, "a CANCEL was not answered within 700 ms");
    rig_free(rig);
}

void usb_remote_credit_add(void)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rig_drivers); i++) {
        const UsbHcDriver *drv = rig_drivers[i];

        rig_add(drv, "small-window-keeps-the-order",
                small_window_keeps_the_order);
        rig_add(drv, "ids-grow-on-the-wire", ids_grow_on_the_wire);
        rig_add(drv, "parked-reads-leave-credit-for-others",
                parked_reads_leave_credit_for_others);
        rig_add(drv, "endpoint-without-credit-is-woken",
                endpoint_without_credit_is_woken);
        rig_add(drv, "attach-while-stopped-ends-the-old-device",
                attach_while_stopped_ends_the_old_device);
        rig_add(drv, "retry-is-said-of-the-same-packet-only",
                retry_is_said_of_the_same_packet_only);
        rig_add(drv, "zero-length-out-given-back-is-sent-again",
                zero_length_out_given_back_is_sent_again);
        rig_add(drv, "one-unanswered-cancel-times-out",
                one_unanswered_cancel_times_out);
    }
    rig_add(&usbhc_xhci, "writes-wait-for-a-peer-that-does-not-read",
            writes_wait_for_a_peer_that_does_not_read);
    rig_add(&usbhc_xhci, "taken-data-wakes-those-without-credit",
            taken_data_wakes_those_without_credit);
    rig_add(&usbhc_xhci, "parked-requests-outlive-many-others",
            parked_requests_outlive_many_others);
    rig_add(&usbhc_xhci, "small-answers-do-not-keep-large-buffers",
            small_answers_do_not_keep_large_buffers);
    rig_add(&usbhc_xhci, "long-answers-to-short-reads-take-no-memory",
            long_answers_to_short_reads_take_no_memory);
    rig_add(&usbhc_ehci, "more-requests-than-are-kept",
            more_requests_than_are_kept);
    rig_add(&usbhc_xhci, "interrupt-that-no-message-can-carry-fails",
            interrupt_that_no_message_can_carry_fails);
    rig_add(&usbhc_xhci, "failed-chardev-change-spares-the-next-peer",
            failed_chardev_change_spares_the_next_peer);
    rig_add(&usbhc_xhci, "pieces-are-sent-once", pieces_are_sent_once);
    rig_add(&usbhc_ehci, "pieces-are-sent-once", pieces_are_sent_once);
    rig_add(&usbhc_xhci, "kept-data-leaves-room-for-a-packet",
            kept_data_leaves_room_for_a_packet);
    rig_add(&usbhc_ehci, "kept-data-leaves-room-for-a-packet",
            kept_data_leaves_room_for_a_packet);
    rig_add(&usbhc_xhci, "pieces-are-read-once", pieces_are_read_once);
    rig_add(&usbhc_ehci, "pieces-are-read-once", pieces_are_read_once);
    rig_add(&usbhc_xhci, "nothing-goes-on-in-a-read-of-no-bytes",
            nothing_goes_on_in_a_read_of_no_bytes);
    rig_add(&usbhc_ehci, "nothing-goes-on-in-a-read-of-no-bytes",
            nothing_goes_on_in_a_read_of_no_bytes);
    rig_add(&usbhc_xhci, "nak-waits-for-a-slow-interval",
            nak_waits_for_a_slow_interval);
    rig_add(&usbhc_ehci, "nak-waits-for-a-slow-interval",
            nak_waits_for_a_slow_interval);
}
