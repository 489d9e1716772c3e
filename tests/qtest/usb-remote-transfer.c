/*
 * usb-remote cases: what the guest transfers, what the peer answers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "usb-remote-rig.h"

#define BIG     65536

/* Control */

static void enumerates_byte_for_byte(const void *opaque)
{
    static const uint8_t expected[] = {
        0x80, 6, 0, 1, 0, 0, 18, 0,
        0x80, 6, 0, 2, 0, 0, 9, 0,
        0x80, 6, 0, 2, 0, 0, 255, 0,
        0x00, 9, 1, 0, 0, 0, 0, 0,
        0x21, 10, 0, 0, 0, 0, 0, 0,
    };
    Rig *rig = rig_new_peer(opaque);
    PeerDevice *d = &rig->peer->device;
    uint8_t buf[255];
    UsbHcDevice *dev;
    uint32_t actual;

    peer_attach(rig->peer, rig->speeds);
    dev = usbhc_attach(rig->hc);
    usbhc_control(dev, 0x80, 6, 0x100, 0, buf, 18, &actual);
    g_assert_cmpmem(buf, actual, d->device, 18);
    usbhc_control(dev, 0x80, 6, 0x200, 0, buf, 9, &actual);
    g_assert_cmpmem(buf, actual, d->config, 9);
    usbhc_control(dev, 0x80, 6, 0x200, 0, buf, 255, &actual);
    g_assert_cmpmem(buf, actual, d->config, d->config_size);
    g_assert_cmpint(usbhc_control(dev, 0, 9, 1, 0, NULL, 0, NULL), ==,
                    USBHC_OK);
    g_assert_cmpint(usbhc_control(dev, 0x21, 10, 0, 0, NULL, 0, NULL), ==,
                    USBHC_OK);
    g_assert_cmpmem(rig->peer->setups->data, rig->peer->setups->len,
                    expected, sizeof(expected));
    g_assert_cmpint(rig->peer->resets, >=, 1);
    g_assert_cmpint(rig->peer->address, ==, dev->address);
    rig_free(rig);
}

static void nothing_more(Rig *rig)
{
}

static void enumerates_at_every_speed(const void *drv)
{
    rig_at_every_speed(drv, nothing_more);
}

static void nonsense_descriptors_pass(const void *opaque)
{
    static const uint8_t nonsense[5] = { 0, 255, 0, 0, 7 };
    Rig *rig = rig_new_plugged(opaque);
    const uint8_t setup[8] = { 0x80, 6, 0, 2, 0, 0, 5, 0 };
    UsbHcTransfer *xfer;
    PeerMessage *m;

    rig->peer->auto_control = false;
    xfer = usbhc_submit_control(rig->dev, setup, NULL);
    m = rig_submit(rig, 0);
    peer_answer_ok(rig->peer, m, nonsense, 5);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    g_assert_cmpmem(xfer->data, xfer->actual, nonsense, 5);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void control_writes(const void *opaque)
{
    static const uint16_t sizes[] = { 0, 1, 7, 8, 9, 63, 64, 65, 512, 4096 };
    Rig *rig = rig_new_plugged(opaque);
    size_t i;

    rig->peer->auto_control = false;
    for (i = 0; i < G_N_ELEMENTS(sizes); i++) {
        rig_control_write(rig, sizes[i]);
    }
    rig_free(rig);
}

static void control_reads(const void *opaque)
{
    static const uint16_t sizes[] = { 1, 8, 63, 64, 65, 512, 4096 };
    Rig *rig = rig_new_plugged(opaque);
    size_t i;

    rig->peer->auto_control = false;
    for (i = 0; i < G_N_ELEMENTS(sizes); i++) {
        rig_control_read(rig, sizes[i], sizes[i]);
        rig_control_read(rig, sizes[i], sizes[i] / 2);
        rig_control_read(rig, sizes[i], 0);
    }
    rig_free(rig);
}

static void control_faults(const void *opaque)
{
    const uint8_t setup[8] = { 0xc0, 1, 0, 0, 0, 0, 8, 0 };
    Rig *rig = rig_new_plugged(opaque);
    size_t i;

    rig->peer->auto_control = false;
    for (i = 0; i < RIG_FAULTS; i++) {
        UsbHcTransfer *xfer = usbhc_submit_control(rig->dev, setup, NULL);

        peer_answer(rig->peer, rig_submit(rig, 0), rig_faults[i].status);
        g_assert_cmpint(usbhc_wait(xfer), ==, rig_faults[i].seen);
        usbhc_ep_recover(rig->dev->ep0);
        usbhc_transfer_free(xfer);
        rig_control_read(rig, 8, 8);
    }
    rig_free(rig);
}

static void control_write_stalls(const void *opaque)
{
    const uint8_t setup[8] = { 0x40, 1, 0, 0, 0, 0, 8, 0 };
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer;

    rig->peer->auto_control = false;
    xfer = usbhc_submit_control(rig->dev, setup, "12345678");
    peer_answer(rig->peer, rig_submit(rig, 0), USB_REMOTE_STATUS_STALL);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_STALL);
    usbhc_ep_recover(rig->dev->ep0);
    usbhc_transfer_free(xfer);
    rig_control_write(rig, 8);
    rig_free(rig);
}

static void control_over_4096_stalls(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    unsigned before = rig->peer->submits;

    rig->quiet = true;          /* the core says so on stderr */
    g_assert_cmpint(usbhc_control(rig->dev, 0xc0, 1, 0, 0, NULL, 4097, NULL),
                    ==, USBHC_STALL);
    g_assert_cmpint(usbhc_control(rig->dev, 0xc0, 1, 0, 0, NULL, 65535, NULL),
                    ==, USBHC_STALL);
    g_assert_cmpint(rig->peer->submits, ==, before);
    rig_free(rig);
}

static void control_over_the_peers_limit_stalls(const void *opaque)
{
    UsbRemoteHello hello = peer_hello();
    unsigned before;
    Rig *rig;

    usb_remote_put32(hello.max_control, 256);
    rig = rig_new_with_hello(opaque, &hello);
    before = rig->peer->submits;
    g_assert_cmpint(usbhc_control(rig->dev, 0xc0, 1, 0, 0, NULL, 257, NULL),
                    ==, USBHC_STALL);
    g_assert_cmpint(rig->peer->submits, ==, before);
    rig->peer->auto_control = false;
    rig_control_read(rig, 256, 256);
    rig_free(rig);
}

static void control_babble(const void *opaque)
{
    const uint8_t setup[8] = { 0xc0, 1, 0, 0, 0, 0, 8, 0 };
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer;

    rig->peer->auto_control = false;
    xfer = usbhc_submit_control(rig->dev, setup, NULL);
    peer_answer_ok(rig->peer, rig_submit(rig, 0), "0123456789", 10);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_BABBLE);
    usbhc_ep_recover(rig->dev->ep0);
    usbhc_transfer_free(xfer);
    rig_control_read(rig, 8, 8);
    rig_free(rig);
}

/* Bulk and interrupt, cut as the controller likes */

static void bulk_out_sizes(const void *opaque)
{
    static const uint32_t sizes[] = { 0, 1, 63, 64, 65, 511, 512, 513, 1024,
                                      1025, 4096, BIG };
    Rig *rig = rig_new_plugged(opaque);
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(sizes); i++) {
        rig_out(rig, rig->bulk_out, sizes[i]);
    }
    rig_free(rig);
}

static void bulk_in_sizes(const void *opaque)
{
    static const uint32_t sizes[] = { 0, 1, 63, 64, 65, 511, 512, 513, 1024,
                                      1025, 4096, BIG };
    Rig *rig = rig_new_plugged(opaque);
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(sizes); i++) {
        rig_in(rig, rig->bulk_in, sizes[i], sizes[i]);
    }
    rig_free(rig);
}

static void bulk_in_short(const void *opaque)
{
    static const uint32_t given[] = { 0, 1, 63, 65, 511, 1000, 4095 };
    Rig *rig = rig_new_plugged(opaque);
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(given); i++) {
        rig_in(rig, rig->bulk_in, 4096, given[i]);
    }
    rig_in(rig, rig->bulk_in, 4096, 4096);
    rig_free(rig);
}

static Rig *rig_with_smallest_payload(const UsbHcDriver *drv)
{
    UsbRemoteHello hello = peer_hello();

    usb_remote_put32(hello.max_payload, USB_REMOTE_MIN_PAYLOAD);
    return rig_new_with_hello(drv, &hello);
}

static void larger_than_a_payload(const void *opaque)
{
    Rig *rig = rig_with_smallest_payload(opaque);

    rig_out(rig, rig->bulk_out, BIG);
    rig_in(rig, rig->bulk_in, BIG, BIG);
    rig_in(rig, rig->bulk_in, BIG, 10000);
    rig_out(rig, rig->bulk_out, 4096);
    rig_in(rig, rig->bulk_in, 8192, 4096);
    rig_free(rig);
}

/* An answer of no bytes has no data that could be copied behind the others. */
static void last_piece_has_no_bytes(const void *opaque)
{
    Rig *rig = rig_with_smallest_payload(opaque);

    rig_in(rig, rig->bulk_in, BIG, USB_REMOTE_MIN_PAYLOAD);
    rig_in(rig, rig->bulk_in, BIG, 2 * USB_REMOTE_MIN_PAYLOAD);
    rig_free(rig);
}

/* What the peer did not take of a piece ends the write there. */
static void write_ends_with_a_short_piece(const void *opaque)
{
    static const uint8_t data[2 * USB_REMOTE_MIN_PAYLOAD];
    Rig *rig = rig_with_smallest_payload(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_out, data, sizeof(data));

    peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_OUT), NULL, 100);
    rig_run(rig, 5);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_SUBMIT));
    usbhc_wait(xfer);
    g_assert_cmpint(xfer->actual, ==, 100);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void interrupt_both_ways(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    uint32_t size;

    for (size = 1; size <= 64; size *= 2) {
        rig_in(rig, rig->int_in, size, size);
        rig_out(rig, rig->int_out, size);
    }
    rig_in(rig, rig->int_in, 64, 3);
    rig_free(rig);
}

static void low_speed_interrupt(const void *opaque)
{
    Rig *rig = rig_new_peer(opaque);
    int i;

    rig->speeds = 1 << USBHC_LOW;
    rig_plug(rig);
    for (i = 0; i < 5; i++) {
        rig_in(rig, rig->int_in, 8, 8 - i);
    }
    rig_free(rig);
}

/* Faults on bulk and interrupt */

static void bulk_in_faults(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    rig_see_faults(rig, rig->bulk_in);
    rig_free(rig);
}

static void bulk_out_faults(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    rig_see_faults(rig, rig->bulk_out);
    rig_free(rig);
}

static void interrupt_in_faults(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    rig_see_faults(rig, rig->int_in);
    rig_free(rig);
}

static void interrupt_out_faults(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    rig_see_faults(rig, rig->int_out);
    rig_free(rig);
}

static void babble_on(Rig *rig, UsbHcEndpoint *ep, uint32_t asked,
                      uint32_t answered)
{
    UsbHcTransfer *xfer = usbhc_submit(ep, NULL, asked);
    g_autofree uint8_t *data = g_malloc(answered);

    rig_fill(data, answered, 1);
    peer_answer_ok(rig->peer, rig_submit(rig, ep->address), data, answered);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_BABBLE);
    usbhc_transfer_free(xfer);
    usbhc_clear_halt(ep);
    rig_in(rig, ep, 8, 8);
}

static void over_long_answer_is_babble(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    babble_on(rig, rig->bulk_in, 8, 100);
    babble_on(rig, rig->bulk_in, rig->bulk_in->mps, rig->bulk_in->mps + 1);
    babble_on(rig, rig->int_in, 8, 100);
    babble_on(rig, rig->int_in, rig->int_in->mps, rig->int_in->mps + 1);
    rig_free(rig);
}

/* NAK */

static void nak_then_ready(Rig *rig, UsbHcEndpoint *ep)
{
    UsbHcTransfer *xfer = usbhc_submit(ep, "abcdefgh", 8);
    bool in = ep->address & 0x80;
    PeerMessage *m = rig_submit(rig, ep->address);
    uint64_t id = m->head.id;

    g_assert_cmphex(usb_remote_get16(peer_submit(m)->flags) &
                    USB_REMOTE_SUBMIT_RETRY, ==, 0);
    peer_answer(rig->peer, m, USB_REMOTE_STATUS_NAK);
    peer_send_ready(rig->peer, ep->address);
    m = rig_submit(rig, ep->address);
    g_assert_cmpint(m->head.id, !=, id);
    g_assert_cmphex(usb_remote_get16(peer_submit(m)->flags) &
                    USB_REMOTE_SUBMIT_RETRY, !=, 0);
    g_assert_cmpint(peer_submit_length(m), ==, 8);
    if (!in) {
        g_assert_cmpmem(peer_submit_data(m), 8, "abcdefgh", 8);
    }
    peer_answer_ok(rig->peer, m, in ? "ABCDEFGH" : NULL, 8);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
}

static void nak_then_ready_asks_again(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    nak_then_ready(rig, rig->bulk_in);
    nak_then_ready(rig, rig->bulk_out);
    nak_then_ready(rig, rig->int_in);
    nak_then_ready(rig, rig->int_out);
    rig_free(rig);
}

static void nak_alone_asks_again_in_time(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *eps[] = { rig->bulk_in, rig->bulk_out, rig->int_in,
                             rig->int_out };
    size_t i;
    int n;

    for (i = 0; i < G_N_ELEMENTS(eps); i++) {
        UsbHcTransfer *xfer = usbhc_submit(eps[i], "x", 1);
        bool in = eps[i]->address & 0x80;

        for (n = 0; n < 5; n++) {
            peer_answer(rig->peer, rig_submit(rig, eps[i]->address),
                        USB_REMOTE_STATUS_NAK);
        }
        peer_answer_ok(rig->peer, rig_submit(rig, eps[i]->address),
                       in ? "y" : NULL, 1);
        g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
        usbhc_transfer_free(xfer);
    }
    rig_free(rig);
}

static void control_nak_asks_again(const void *opaque)
{
    const uint8_t setup[8] = { 0xc0, 1, 0, 0, 0, 0, 8, 0 };
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer;
    PeerMessage *m;

    rig->peer->auto_control = false;
    xfer = usbhc_submit_control(rig->dev, setup, NULL);
    peer_answer(rig->peer, rig_submit(rig, 0), USB_REMOTE_STATUS_NAK);
    m = rig_submit(rig, 0);
    g_assert_cmpmem(peer_submit(m)->setup, 8, setup, 8);
    peer_answer_ok(rig->peer, m, "12345678", 8);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* SUBMITs in @rounds, each answered NAK, while @ns pass in each */
static unsigned naks_in(Rig *rig, unsigned rounds, int64_t ns)
{
    unsigned before = rig->peer->bulk_submits, i;

    for (i = 0; i < rounds; i++) {
        PeerMessage *m = peer_take(rig->peer, USB_REMOTE_MSG_SUBMIT);

        if (m) {
            peer_answer(rig->peer, m, USB_REMOTE_STATUS_NAK);
        }
        usbhc_step(rig->hc, ns);
    }
    return rig->peer->bulk_submits - before;
}

static void naks_are_rate_limited(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, 64);
    unsigned n = naks_in(rig, 100, USBHC_FRAME_NS);

    g_assert_cmpint(n, >=, 10);
    g_assert_cmpint(n, <=, 110);
    g_assert_cmpint(naks_in(rig, 500, 0), <=, 2);
    usbhc_cancel(xfer);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* Idle */

static void idle_on(Rig *rig, UsbHcEndpoint *ep)
{
    UsbHcTransfer *xfer = usbhc_submit(ep, NULL, 8);
    PeerMessage *m = rig_submit(rig, ep->address);
    unsigned before = rig->peer->submits;

    rig_run(rig, 1000);
    g_assert_cmpint(rig->peer->submits, ==, before);
    g_assert_cmpint(rig->peer->cancels, ==, 0);
    g_assert_cmpint(xfer->status, ==, USBHC_PENDING);
    peer_answer_ok(rig->peer, m, "late", 4);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    g_assert_cmpmem(xfer->data, 4, "late", 4);
    usbhc_transfer_free(xfer);
}

static void idle_interrupt_makes_no_traffic(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    idle_on(rig, rig->int_in);
    rig_free(rig);
}

static void idle_bulk_makes_no_traffic(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    idle_on(rig, rig->bulk_in);
    rig_free(rig);
}

static void idle_endpoints_stop_nobody(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *a = usbhc_submit(rig->int_in, NULL, 8);
    UsbHcTransfer *b = usbhc_submit(rig->bulk_in, NULL, 64);
    uint8_t config = 0;

    peer_expect_free(rig->peer, USB_REMOTE_MSG_SUBMIT);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_SUBMIT);
    rig_out(rig, rig->bulk_out, 200);
    usbhc_control(rig->dev, 0x80, 8, 0, 0, &config, 1, NULL);
    g_assert_cmpint(config, ==, 1);
    g_assert_cmpint(a->status, ==, USBHC_PENDING);
    g_assert_cmpint(b->status, ==, USBHC_PENDING);
    usbhc_transfer_free(a);
    usbhc_transfer_free(b);
    rig_free(rig);
}

/* Several at once */

#define DEPTH   8

static void out_of_order_in(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    uint32_t mps = rig->bulk_in->mps;
    g_autofree uint8_t *data = g_malloc(DEPTH * mps);
    UsbHcTransfer *xfer[DEPTH];
    PeerMessage *m[DEPTH];
    uint8_t order[DEPTH];
    unsigned i;

    rig_shuffle(order, DEPTH);
    rig_fill(data, DEPTH * mps, 3);
    for (i = 0; i < DEPTH; i++) {
        xfer[i] = usbhc_submit(rig->bulk_in, NULL, mps);
    }
    rig_submits(rig, m, DEPTH, PEER_BULK_IN);
    for (i = 0; i < DEPTH; i++) {
        peer_answer_ok(rig->peer, m[order[i]], data + order[i] * mps, mps);
        rig_step(rig);
    }
    for (i = 0; i < DEPTH; i++) {
        g_assert_cmpint(usbhc_wait(xfer[i]), ==, USBHC_OK);
        g_assert_cmpmem(xfer[i]->data, mps, data + i * mps, mps);
        usbhc_transfer_free(xfer[i]);
    }
    rig_free(rig);
}

static void out_of_order_out(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    uint32_t mps = rig->bulk_out->mps;
    g_autofree uint8_t *data = g_malloc(DEPTH * mps);
    UsbHcTransfer *xfer[DEPTH];
    PeerMessage *m[DEPTH];
    uint8_t order[DEPTH];
    unsigned i;

    rig_shuffle(order, DEPTH);
    rig_fill(data, DEPTH * mps, 4);
    for (i = 0; i < DEPTH; i++) {
        xfer[i] = usbhc_submit(rig->bulk_out, data + i * mps, mps);
    }
    rig_submits(rig, m, DEPTH, PEER_BULK_OUT);
    for (i = 0; i < DEPTH; i++) {
        g_assert_cmpmem(peer_submit_data(m[i]), mps, data + i * mps, mps);
    }
    for (i = 0; i < DEPTH; i++) {
        peer_answer_ok(rig->peer, m[order[i]], NULL, mps);
        rig_step(rig);
    }
    for (i = 0; i < DEPTH; i++) {
        g_assert_cmpint(usbhc_wait(xfer[i]), ==, USBHC_OK);
        usbhc_transfer_free(xfer[i]);
    }
    rig_free(rig);
}

/* A write that the peer has not taken is not overtaken by the next. */
static void nak_takes_later_writes_back(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *a = usbhc_submit(rig->bulk_out, "first", 5);
    UsbHcTransfer *b = usbhc_submit(rig->bulk_out, "then", 4);
    PeerMessage *m[2], *cancel;

    rig_submits(rig, m, 2, PEER_BULK_OUT);
    peer_answer(rig->peer, m[0], USB_REMOTE_STATUS_NAK);
    cancel = peer_expect(rig->peer, USB_REMOTE_MSG_CANCEL);
    g_assert_cmpint(cancel->head.id, ==, m[1]->head.id);
    peer_message_free(cancel);
    peer_message_free(m[1]);
    rig_submits(rig, m, 2, PEER_BULK_OUT);
    g_assert_cmpmem(peer_submit_data(m[0]), peer_submit_length(m[0]),
                    "first", 5);
    g_assert_cmpmem(peer_submit_data(m[1]), peer_submit_length(m[1]),
                    "then", 4);
    peer_answer_ok(rig->peer, m[0], NULL, 5);
    peer_answer_ok(rig->peer, m[1], NULL, 4);
    g_assert_cmpint(usbhc_wait(a), ==, USBHC_OK);
    g_assert_cmpint(usbhc_wait(b), ==, USBHC_OK);
    usbhc_transfer_free(a);
    usbhc_transfer_free(b);
    rig_free(rig);
}

/* UHCI wants each packet but the last to be full. */
static void nothing_is_asked_behind_what_may_be_short(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    uint32_t mps = rig->bulk_in->mps;
    g_autofree uint8_t *data = g_malloc0(mps);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, 2 * mps);
    PeerMessage *m = rig_submit(rig, PEER_BULK_IN);

    rig_run(rig, 5);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_SUBMIT));
    peer_answer_ok(rig->peer, m, data, mps);
    peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_IN), data, mps);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void a_stall_in_the_middle(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    uint32_t mps = rig->bulk_in->mps;
    g_autofree uint8_t *data = g_malloc0(mps);
    UsbHcTransfer *xfer[DEPTH];
    PeerMessage *m[DEPTH];
    unsigned i;

    for (i = 0; i < DEPTH; i++) {
        xfer[i] = usbhc_submit(rig->bulk_in, NULL, mps);
    }
    rig_submits(rig, m, DEPTH, PEER_BULK_IN);
    for (i = 0; i < 3; i++) {
        peer_answer_ok(rig->peer, m[i], data, mps);
    }
    peer_answer(rig->peer, m[3], USB_REMOTE_STATUS_STALL);
    for (i = 4; i < DEPTH; i++) {
        peer_message_free(m[i]);
    }
    for (i = 0; i < 4; i++) {
        g_assert_cmpint(usbhc_wait(xfer[i]), ==,
                        i == 3 ? USBHC_STALL : USBHC_OK);
    }
    g_assert_cmpint(xfer[4]->status, ==, USBHC_PENDING);
    for (i = 0; i < DEPTH; i++) {
        usbhc_transfer_free(xfer[i]);
    }
    rig_free(rig);
}

static void many_requests_obey_credits(const void *opaque)
{
    UsbRemoteHello hello = peer_hello();
    UsbHcTransfer *xfer[DEPTH];
    unsigned i;
    Rig *rig;

    usb_remote_put32(hello.max_per_endpoint, 2);
    rig = rig_new_with_hello(opaque, &hello);
    for (i = 0; i < DEPTH; i++) {
        xfer[i] = usbhc_submit(rig->bulk_in, NULL, rig->bulk_in->mps);
    }
    for (i = 0; i < DEPTH; i++) {
        rig_run(rig, 5);
        g_assert_cmpint(peer_queued(rig->peer, USB_REMOTE_MSG_SUBMIT), <=, 2);
        peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_IN), "x", 1);
        g_assert_cmpint(usbhc_wait(xfer[i]), ==, USBHC_SHORT);
        usbhc_transfer_free(xfer[i]);
    }
    rig_free(rig);
}

static void one_request_at_a_time_is_enough(const void *opaque)
{
    UsbRemoteHello hello = peer_hello();
    Rig *rig;

    usb_remote_put32(hello.max_requests, 1);
    usb_remote_put32(hello.max_per_endpoint, 1);
    usb_remote_put32(hello.max_payload, USB_REMOTE_MIN_PAYLOAD);
    usb_remote_put32(hello.max_bytes, USB_REMOTE_MIN_PAYLOAD);
    rig = rig_new_with_hello(opaque, &hello);
    rig_in(rig, rig->bulk_in, 4096, 4096);
    rig_out(rig, rig->bulk_out, 4096);
    rig_in(rig, rig->int_in, 8, 8);
    rig_free(rig);
}

/* Endpoint tables */

static void override_in_attach(const void *opaque)
{
    static const UsbRemoteEndpoint table[2] = {
        { { PEER_BULK_IN }, { USB_REMOTE_TYPE_INTERRUPT }, { 64 }, { 1 } },
        { { PEER_BULK_OUT }, { USB_REMOTE_TYPE_BULK }, { 64 } },
    };
    Rig *rig = rig_new_peer(opaque);
    UsbHcTransfer *xfer;
    PeerMessage *m;

    peer_send_attach(rig->peer, rig->speeds, 0, 0, table, 2);
    m = peer_expect(rig->peer, USB_REMOTE_MSG_ATTACHED);
    rig->peer->speed = m->body[1];
    peer_message_free(m);
    peer_device_init(&rig->peer->device, rig->peer->speed);
    rig->dev = usbhc_attach(rig->hc);
    rig_configure(rig);
    xfer = usbhc_submit(rig->bulk_in, NULL, 64);
    m = rig_submit(rig, PEER_BULK_IN);
    g_assert_cmpint(peer_submit(m)->type[0], ==, USB_REMOTE_TYPE_INTERRUPT);
    peer_answer_ok(rig->peer, m, "hello", 5);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void override_in_complete(const void *opaque)
{
    static const UsbRemoteEndpoint table[1] = {
        { { PEER_BULK_IN }, { USB_REMOTE_TYPE_INTERRUPT }, { 64 }, { 1 } },
    };
    const uint8_t setup[8] = { 0x00, 9, 1 };
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer;
    PeerMessage *m;

    rig_control_with_table(rig, setup, table, 1);
    xfer = usbhc_submit(rig->bulk_in, NULL, 64);
    m = rig_submit(rig, PEER_BULK_IN);
    g_assert_cmpint(peer_submit(m)->type[0], ==, USB_REMOTE_TYPE_INTERRUPT);
    peer_answer_ok(rig->peer, m, "hello", 5);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* The peer is told the type that the endpoint has in QEMU. */
static void check_type(Rig *rig, UsbHcEndpoint *ep, uint8_t type)
{
    UsbHcTransfer *xfer = usbhc_submit(ep, NULL, 8);
    PeerMessage *m = rig_submit(rig, ep->address);

    g_assert_cmpint(peer_submit(m)->type[0], ==, type);
    peer_answer_ok(rig->peer, m, "12345678", 8);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
}

static void empty_override_leaves_no_endpoint(const void *opaque)
{
    static const uint8_t setup[8] = { 0x00, 9, 1 };
    Rig *rig = rig_new_plugged(opaque);

    rig_control_with_table(rig, setup, NULL, 0);
    check_type(rig, rig->int_in, USB_REMOTE_TYPE_BULK);
    rig_free(rig);
}

static void override_of_an_interface_spares_the_others(const void *opaque)
{
    static const uint8_t setup[8] = { 0x01, 11, 0, 0, 0 };
    static const UsbRemoteEndpoint table[2] = {
        { { PEER_INT_IN }, { USB_REMOTE_TYPE_INTERRUPT }, { 8 }, { 1 }, { 0 } },
        { { PEER_BULK_IN }, { USB_REMOTE_TYPE_INTERRUPT }, { 64 }, { 1 },
          { 1 } },
    };
    Rig *rig = rig_new_plugged(opaque);

    rig_control_with_table(rig, setup, table, 2);
    check_type(rig, rig->int_in, USB_REMOTE_TYPE_INTERRUPT);
    check_type(rig, rig->bulk_in, USB_REMOTE_TYPE_BULK);
    rig_free(rig);
}

/* Guests read the first nine bytes alone, some of them again later. */
static void part_of_a_descriptor_is_not_all(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    uint8_t part[9];

    g_assert_cmpint(usbhc_control(rig->dev, 0x80, 6, 0x200, 0, part, 9, NULL),
                    ==, USBHC_OK);
    g_assert_cmpint(usbhc_control(rig->dev, 0x00, 9, 1, 0, NULL, 0, NULL), ==,
                    USBHC_OK);
    check_type(rig, rig->int_in, USB_REMOTE_TYPE_INTERRUPT);
    rig_free(rig);
}

static void without_descriptors_all_is_bulk(const void *opaque)
{
    Rig *rig = rig_new_peer(opaque);
    UsbHcEndpoint *ep;
    UsbHcTransfer *xfer;
    PeerMessage *m;

    peer_attach(rig->peer, rig->speeds);
    rig->dev = usbhc_attach(rig->hc);
    usbhc_control(rig->dev, 0, 9, 5, 0, NULL, 0, NULL);
    ep = usbhc_ep(rig->dev, 0x8f, USBHC_BULK, 64, 0);
    xfer = usbhc_submit(ep, NULL, 64);
    m = rig_submit(rig, 0x8f);
    g_assert_cmpint(peer_submit(m)->type[0], ==, USB_REMOTE_TYPE_BULK);
    peer_answer_ok(rig->peer, m, "hello", 5);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void iso_endpoint_is_no_crash(const void *opaque)
{
    static const UsbRemoteEndpoint table[2] = {
        { { 0x83 }, { USB_REMOTE_TYPE_ISO }, { 64 }, { 1 } },
        { { 0x03 }, { USB_REMOTE_TYPE_ISO }, { 64 }, { 1 } },
    };
    Rig *rig = rig_new_peer(opaque);
    UsbHcEndpoint *in, *out;
    UsbHcTransfer *a, *b;

    peer_send_attach(rig->peer, rig->speeds, 0, 0, table, 2);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    peer_device_init(&rig->peer->device, USB_REMOTE_SPEED_FULL);
    rig->dev = usbhc_attach(rig->hc);
    usbhc_control(rig->dev, 0, 9, 1, 0, NULL, 0, NULL);
    in = usbhc_ep(rig->dev, 0x83, USBHC_INTERRUPT, 64, 1);
    out = usbhc_ep(rig->dev, 0x03, USBHC_BULK, 64, 1);
    a = usbhc_submit(in, NULL, 64);
    b = usbhc_submit(out, NULL, 64);
    rig_run(rig, 100);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_SUBMIT));
    usbhc_transfer_free(a);
    usbhc_transfer_free(b);
    rig_unplug_guest(rig);
    rig_free(rig);
}

/* xHCI: what the guest says an endpoint is need not be what it is. */
static void context_type_may_lie(const void *opaque)
{
    static const UsbHcType types[] = {
        USBHC_ISO, USBHC_BULK, USBHC_INTERRUPT
    };
    static const uint8_t addresses[] = {
        PEER_INT_IN, PEER_INT_OUT, PEER_BULK_IN, PEER_BULK_OUT, 0x8e, 0x0e
    };
    size_t t, e;

    for (t = 0; t < G_N_ELEMENTS(types); t++) {
        Rig *rig = rig_new_plugged(opaque);
        UsbHcTransfer *xfer[G_N_ELEMENTS(addresses)];

        for (e = 0; e < G_N_ELEMENTS(addresses); e++) {
            UsbHcEndpoint *ep = usbhc_ep(rig->dev, addresses[e], types[t],
                                         64, 1);

            xfer[e] = usbhc_submit(ep, NULL, 64);
        }
        rig_run(rig, 20);
        peer_close(rig->peer);
        rig_expect_unplugged(rig);
        for (e = 0; e < G_N_ELEMENTS(addresses); e++) {
            usbhc_transfer_free(xfer[e]);
        }
        rig_unplug_guest(rig);
        rig->quiet = true;
        rig_free(rig);
    }
}

static void add_all(const UsbHcDriver *drv)
{
    rig_add(drv, "enumerates-byte-for-byte", enumerates_byte_for_byte);
    rig_add(drv, "enumerates-at-every-speed", enumerates_at_every_speed);
    rig_add(drv, "nonsense-descriptors-pass", nonsense_descriptors_pass);
    rig_add(drv, "control-writes-of-every-size", control_writes);
    rig_add(drv, "control-reads-of-every-size", control_reads);
    rig_add(drv, "control-read-sees-each-fault", control_faults);
    rig_add(drv, "control-write-sees-a-stall", control_write_stalls);
    rig_add(drv, "control-over-4096-bytes-stalls", control_over_4096_stalls);
    rig_add(drv, "control-answer-too-long-is-babble", control_babble);
    rig_add(drv, "control-nak-asks-again", control_nak_asks_again);
    rig_add(drv, "bulk-out-of-every-size", bulk_out_sizes);
    rig_add(drv, "bulk-in-of-every-size", bulk_in_sizes);
    rig_add(drv, "bulk-in-ends-with-a-short-packet", bulk_in_short);
    rig_add(drv, "larger-than-a-payload", larger_than_a_payload);
    rig_add(drv, "last-piece-has-no-bytes", last_piece_has_no_bytes);
    rig_add(drv, "interrupt-both-ways", interrupt_both_ways);
    rig_add(drv, "bulk-in-sees-each-fault", bulk_in_faults);
    rig_add(drv, "bulk-out-sees-each-fault", bulk_out_faults);
    rig_add(drv, "interrupt-in-sees-each-fault", interrupt_in_faults);
    rig_add(drv, "interrupt-out-sees-each-fault", interrupt_out_faults);
    rig_add(drv, "answer-too-long-is-babble", over_long_answer_is_babble);
    rig_add(drv, "nak-then-ready-asks-again", nak_then_ready_asks_again);
    rig_add(drv, "nak-alone-asks-again-in-time", nak_alone_asks_again_in_time);
    rig_add(drv, "naks-are-rate-limited", naks_are_rate_limited);
    rig_add(drv, "idle-interrupt-makes-no-traffic",
            idle_interrupt_makes_no_traffic);
    rig_add(drv, "idle-bulk-makes-no-traffic", idle_bulk_makes_no_traffic);
    rig_add(drv, "idle-endpoints-stop-nobody", idle_endpoints_stop_nobody);
    rig_add(drv, "one-request-at-a-time-is-enough",
            one_request_at_a_time_is_enough);
    rig_add(drv, "override-in-attach", override_in_attach);
    rig_add(drv, "override-in-complete", override_in_complete);
    rig_add(drv, "without-descriptors-all-is-bulk",
            without_descriptors_all_is_bulk);
    rig_add(drv, "iso-endpoint-is-no-crash", iso_endpoint_is_no_crash);
}

void usb_remote_transfer_add(void)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rig_drivers); i++) {
        const UsbHcDriver *drv = rig_drivers[i];

        add_all(drv);
        if (drv->speeds & (1 << USBHC_LOW)) {
            rig_add(drv, "low-speed-interrupt", low_speed_interrupt);
        }
        rig_add(drv, "answers-to-in-out-of-order", out_of_order_in);
        rig_add(drv, "answers-to-out-out-of-order", out_of_order_out);
        rig_add(drv, "a-stall-in-the-middle", a_stall_in_the_middle);
        rig_add(drv, "many-requests-obey-credits",
                many_requests_obey_credits);
    }
    rig_add(&usbhc_xhci, "control-over-the-peers-limit-stalls",
            control_over_the_peers_limit_stalls);
    rig_add(&usbhc_xhci, "context-type-may-lie", context_type_may_lie);
    rig_add(&usbhc_xhci, "write-ends-with-a-short-piece",
            write_ends_with_a_short_piece);
    rig_add(&usbhc_xhci, "nak-takes-later-writes-back",
            nak_takes_later_writes_back);
    rig_add(&usbhc_uhci, "nothing-is-asked-behind-what-may-be-short",
            nothing_is_asked_behind_what_may_be_short);
    rig_add(&usbhc_xhci, "empty-override-leaves-no-endpoint",
            empty_override_leaves_no_endpoint);
    rig_add(&usbhc_xhci, "override-of-an-interface-spares-the-others",
            override_of_an_interface_spares_the_others);
    rig_add(&usbhc_xhci, "part-of-a-descriptor-is-not-all",
            part_of_a_descriptor_is_not_all);
}
