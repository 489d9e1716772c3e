/*
 * usb-remote cases: what the peer said last, before it goes
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An answer, and then at once the end of the attachment or of the connection:
 * the guest gets the answer first, and then sees the device go.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "usb-remote-rig.h"

#define SIZE        60          /* fits into every packet */
#define CONTROL     200         /* bytes of a data stage: some packets */
#define READ_LONG   6400        /* 100 packets at full speed */
#define SLOW_MS     16          /* service interval of slow endpoints, */
#define SLOW_FULL   16          /* as bInterval at full */
#define SLOW_HIGH   8           /* and at high and super speed */
#define SETTLE_MS   5           /* REMOTE_SETTLE_NS and a frame */

typedef enum Kind {
    CONTROL_IN, CONTROL_OUT, CONTROL_NO_DATA, INT_IN, INT_OUT, BULK_IN,
    BULK_OUT, KINDS
} Kind;

typedef void Goodbye(Rig *rig);

static uint8_t last_words[CONTROL];

static UsbHcTransfer *begin_control(Rig *rig, uint8_t type, uint16_t length)
{
    uint8_t setup[8] = { type, 0x55 };

    stw_le_p(setup + 6, length);
    return usbhc_submit_control(rig->dev, setup, last_words);
}

static UsbHcTransfer *begin(Rig *rig, Kind kind)
{
    switch (kind) {
    case CONTROL_IN:
        return begin_control(rig, 0xc0, CONTROL);
    case CONTROL_OUT:
        return begin_control(rig, 0x40, CONTROL);
    case CONTROL_NO_DATA:
        return begin_control(rig, 0x40, 0);
    case INT_IN:
        return usbhc_submit(rig->int_in, NULL, SIZE);
    case INT_OUT:
        return usbhc_submit(rig->int_out, last_words, SIZE);
    case BULK_IN:
        return usbhc_submit(rig->bulk_in, NULL, SIZE);
    default:
        return usbhc_submit(rig->bulk_out, last_words, SIZE);
    }
}

static void answer(Rig *rig, PeerMessage *m)
{
    bool in = peer_submit(m)->endpoint[0] ? peer_submit(m)->endpoint[0] & 0x80
                                          : peer_submit(m)->setup[0] & 0x80;

    peer_answer_ok(rig->peer, m, in ? last_words : NULL,
                   peer_submit_length(m));
}

static void check(UsbHcTransfer *xfer)
{
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    g_assert_cmpmem(xfer->data, xfer->actual, last_words, xfer->length);
    usbhc_transfer_free(xfer);
}

/* The answer and what @goodbye sends arrive together. */
static void answered_and_gone(Rig *rig, Kind kind, Goodbye *goodbye)
{
    UsbHcTransfer *xfer;
    PeerMessage *m;

    rig->peer->auto_control = false;
    xfer = begin(rig, kind);
    m = peer_expect(rig->peer, USB_REMOTE_MSG_SUBMIT);
    peer_hold(rig->peer);
    answer(rig, m);
    goodbye(rig);
    if (rig->peer->held) {
        peer_release(rig->peer);
    }
    rig->peer->auto_control = true;
    check(xfer);
}

/* With each kind of transfer; @again plugs it in for the next. */
static void goodbyes(const void *opaque, Goodbye *goodbye, Goodbye *again)
{
    Rig *rig = rig_new_plugged(opaque);
    Kind kind;

    rig_fill(last_words, sizeof(last_words), 1);
    for (kind = 0; kind < KINDS; kind++) {
        g_test_message("kind %u", kind);
        answered_and_gone(rig, kind, goodbye);
        again(rig);
    }
    rig_free(rig);
}

static void say_detach(Rig *rig)
{
    peer_send_detach(rig->peer);
}

/* It was acknowledged when the guest no longer saw it. */
static void after_detach(Rig *rig)
{
    peer_expect_free(rig->peer, USB_REMOTE_MSG_DETACHED);
    g_assert_cmpint(usbhc_find_port(rig->hc), <, 0);
    rig_unplug_guest(rig);
    rig_plug(rig);
}

static void answer_then_detach(const void *opaque)
{
    goodbyes(opaque, say_detach, after_detach);
}

static void say_attach(Rig *rig)
{
    peer_send_attach(rig->peer, rig->speeds, USB_REMOTE_ADDRESS_ACCEPT, 0,
                     NULL, 0);
}

static void after_attach(Rig *rig)
{
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    rig_unplug_guest(rig);
    rig->dev = usbhc_attach(rig->hc);
    rig_configure(rig);
}

static void answer_then_attach(const void *opaque)
{
    goodbyes(opaque, say_attach, after_attach);
}

static void say_bye(Rig *rig)
{
    const UsbRemoteBye bye = { 0 };

    peer_send(rig->peer, USB_REMOTE_MSG_BYE, &bye, sizeof(bye));
}

static void hang_up(Rig *rig)
{
    peer_release(rig->peer);
    peer_close(rig->peer);
}

static void after_the_connection(Rig *rig)
{
    rig_expect_unplugged(rig);
    peer_close(rig->peer);
    rig_unplug_guest(rig);
    rig_connect(rig);
    rig_plug(rig);
}

static void answer_then_bye(const void *opaque)
{
    goodbyes(opaque, say_bye, after_the_connection);
}

static void answer_then_close(const void *opaque)
{
    goodbyes(opaque, hang_up, after_the_connection);
}

/* Both wait until the machine runs, in their order. */
static void paused_detach(Rig *rig)
{
    rig_stop(rig);
    peer_send_detach(rig->peer);
    peer_release(rig->peer);
    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'query-status' }");
    g_assert_cmpint(usbhc_find_port(rig->hc), >=, 0);
    rig_cont(rig);
}

static void answer_and_detach_while_paused(const void *opaque)
{
    goodbyes(opaque, paused_detach, after_detach);
}

/* More than goes into a frame of UHCI's */
static void long_read_then_detach(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, READ_LONG);
    g_autofree uint8_t *data = g_malloc(READ_LONG);
    uint32_t given = 0;
    PeerMessage *m;

    rig_fill(data, READ_LONG, 2);
    while (given < READ_LONG) {
        m = peer_expect(rig->peer, USB_REMOTE_MSG_SUBMIT);
        peer_hold(rig->peer);
        for (; m; m = peer_take(rig->peer, USB_REMOTE_MSG_SUBMIT)) {
            uint32_t n = peer_submit_length(m);

            peer_answer_ok(rig->peer, m, data + given, n);
            given += n;
        }
        if (given == READ_LONG) {
            peer_send_detach(rig->peer);
        }
        peer_release(rig->peer);
    }
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    g_assert_cmpmem(xfer->data, xfer->actual, data, READ_LONG);
    usbhc_transfer_free(xfer);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_DETACHED);
    rig_free(rig);
}

/* A read on an interrupt endpoint that is answered when nobody polls */
static Rig *rig_with_an_answer(const void *opaque)
{
    const UsbHcDriver *drv = opaque;
    Rig *rig = rig_new_slow(drv, drv->best == USBHC_FULL ? SLOW_FULL
                                                         : SLOW_HIGH);
    UsbHcTransfer *xfer = usbhc_submit(rig->int_in, NULL, SIZE);
    PeerMessage *m = rig_submit(rig, PEER_INT_IN);

    usbhc_cancel(xfer);
    usbhc_transfer_free(xfer);
    rig_run(rig, SETTLE_MS);
    answer(rig, m);
    return rig;
}

/*
 * An answer that nobody fetches is waited for as long as one interval; what
 * the guest polls for meanwhile just waits.
 */
static void unplug_waits_one_interval(const void *opaque)
{
    Rig *rig = rig_with_an_answer(opaque);
    UsbHcTransfer *polled = usbhc_submit(rig->int_out, last_words, SIZE);

    peer_message_free(rig_submit(rig, PEER_INT_OUT));
    peer_send_detach(rig->peer);
    rig_run(rig, SLOW_MS / 2);
    g_assert_cmpint(usbhc_find_port(rig->hc), >=, 0);
    g_assert_cmpint(polled->status, ==, USBHC_PENDING);
    rig_run(rig, SLOW_MS - SLOW_MS / 2 + 2 * SETTLE_MS);
    g_assert_cmpint(usbhc_find_port(rig->hc), <, 0);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_DETACHED);
    usbhc_transfer_free(polled);
    rig_free(rig);
}

/* No time passes in the machine, so nothing can be waited for. */
static void device_del_waits_for_nothing(const void *opaque)
{
    Rig *rig = rig_with_an_answer(opaque);

    peer_send_detach(rig->peer);
    qtest_qmp_device_del(rig->qts, "dev0");
    peer_expect_eof(rig->peer);
    g_assert_cmpint(usbhc_find_port(rig->hc), <, 0);
    rig_free(rig);
}

/*
 * Data is left unread by a SETUP behind it that the core refuses, and nothing
 * reads it any more.
 */
static void unread_data_stage_ends(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer;

    rig->quiet = true;          /* the core says so on stderr */
    rig->peer->auto_control = false;
    xfer = begin(rig, CONTROL_IN);
    answer(rig, peer_expect(rig->peer, USB_REMOTE_MSG_SUBMIT));
    check(xfer);
    xfer = begin_control(rig, 0xc0, 5000);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_STALL);
    usbhc_transfer_free(xfer);
    peer_send_detach(rig->peer);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_DETACHED);
    rig_free(rig);
}

/* The second of two reads is answered: its data is not the first one's. */
static void answer_behind_a_hole_is_nobodys(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *first = usbhc_submit(rig->bulk_in, NULL, SIZE);
    UsbHcTransfer *second = usbhc_submit(rig->bulk_in, NULL, SIZE);
    PeerMessage *m = peer_expect(rig->peer, USB_REMOTE_MSG_SUBMIT);

    peer_message_free(m);
    m = peer_expect(rig->peer, USB_REMOTE_MSG_SUBMIT);
    peer_hold(rig->peer);
    answer(rig, m);
    say_detach(rig);
    peer_release(rig->peer);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_DETACHED);
    g_assert_cmpint(usbhc_wait(first), !=, USBHC_OK);
    usbhc_transfer_free(first);
    usbhc_transfer_free(second);
    rig_free(rig);
}

void usb_remote_goodbye_add(void)
{
    rig_add_all("answer-then-detach", answer_then_detach);
    rig_add_all("answer-then-attach", answer_then_attach);
    rig_add_all("answer-then-bye", answer_then_bye);
    rig_add_all("answer-then-the-end-of-the-connection", answer_then_close);
    rig_add_all("answer-and-detach-while-paused",
                answer_and_detach_while_paused);
    rig_add_all("long-read-then-detach", long_read_then_detach);
    rig_add_all("unplug-waits-one-interval", unplug_waits_one_interval);
    rig_add_all("device-del-waits-for-nothing", device_del_waits_for_nothing);
    rig_add_all("unread-data-stage-ends", unread_data_stage_ends);
    rig_add(&usbhc_xhci, "answer-behind-a-hole-is-nobodys",
            answer_behind_a_hole_is_nobodys);
}
