/*
 * usb-remote cases: a guest that opens bulk streams, of which there are none
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The controller asks no device whether it has streams, so a guest gets them
 * whatever the descriptors say.  Each transfer on one stalls, the peer does
 * not hear of it, and without streams the endpoint is as before.
 */

#include "qemu/osdep.h"
#include "usb-remote-rig.h"

#define STREAMS     64

static void close_bulk(Rig *rig)
{
    usbhc_ep_close(rig->bulk_in);
    usbhc_ep_close(rig->bulk_out);
}

static void open_streams(Rig *rig, unsigned streams)
{
    uint16_t mps = rig->peer->device.bulk_mps;

    rig->bulk_in = usbhc_ep_streams(rig->dev, PEER_BULK_IN, mps, streams);
    rig->bulk_out = usbhc_ep_streams(rig->dev, PEER_BULK_OUT, mps, streams);
}

static void open_plain(Rig *rig)
{
    uint16_t mps = rig->peer->device.bulk_mps;

    rig->bulk_in = usbhc_ep(rig->dev, PEER_BULK_IN, USBHC_BULK, mps, 0);
    rig->bulk_out = usbhc_ep(rig->dev, PEER_BULK_OUT, USBHC_BULK, mps, 0);
}

static void expect_plain_works(Rig *rig)
{
    close_bulk(rig);
    open_plain(rig);
    rig_in(rig, rig->bulk_in, 64, 64);
    rig_out(rig, rig->bulk_out, 64);
}

static void expect_stall(UsbHcEndpoint *ep, unsigned stream)
{
    UsbHcTransfer *xfer = usbhc_submit_stream(ep, stream, "data", 4);

    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_STALL);
    usbhc_transfer_free(xfer);
    g_assert_cmpint(usbhc_clear_halt(ep), ==, USBHC_OK);
}

static void each_stalls(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    unsigned before, i;

    close_bulk(rig);
    open_streams(rig, STREAMS);
    before = rig->peer->bulk_submits;
    for (i = 1; i <= STREAMS; i += 9) {
        expect_stall(rig->bulk_in, i);
        expect_stall(rig->bulk_out, i);
    }
    g_assert_cmpint(rig->peer->bulk_submits, ==, before);
    expect_plain_works(rig);
    rig_free(rig);
}

/* As many as the controller has, on a device that has none */
static void the_highest_id_stalls(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    unsigned most = rig->drv->max_streams;

    close_bulk(rig);
    open_streams(rig, most);
    expect_stall(rig->bulk_in, most);
    expect_stall(rig->bulk_out, most);
    expect_plain_works(rig);
    rig_free(rig);
}

/* The first of 64 halts the endpoint for all; then its streams are freed. */
static void freed_with_transfers_queued(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer[STREAMS + 1];
    unsigned i;

    close_bulk(rig);
    open_streams(rig, STREAMS);
    for (i = 1; i <= STREAMS; i++) {
        xfer[i] = usbhc_submit_stream(rig->bulk_in, i, NULL, 64);
    }
    g_assert_cmpint(usbhc_wait(xfer[1]), ==, USBHC_STALL);
    rig_run(rig, 2);
    for (i = 2; i <= STREAMS; i++) {
        g_assert_cmpint(xfer[i]->status, ==, USBHC_PENDING);
    }
    expect_plain_works(rig);
    for (i = 1; i <= STREAMS; i++) {
        usbhc_transfer_free(xfer[i]);
    }
    rig_free(rig);
}

/* Streams are opened while plain transfers are at the peer. */
static void opened_with_transfers_in_flight(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *in = usbhc_submit(rig->bulk_in, NULL, 64);
    UsbHcTransfer *out = usbhc_submit(rig->bulk_out, "data", 4);

    peer_expect_free(rig->peer, USB_REMOTE_MSG_SUBMIT);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_SUBMIT);
    close_bulk(rig);
    open_streams(rig, 1);
    expect_stall(rig->bulk_in, 1);
    expect_stall(rig->bulk_out, 1);
    usbhc_transfer_free(in);
    usbhc_transfer_free(out);
    expect_plain_works(rig);
    rig_free(rig);
}

/* It is reserved, but nothing keeps a guest from ringing its doorbell. */
static void doorbell_of_stream_zero(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    close_bulk(rig);
    open_streams(rig, STREAMS);
    usbhc_xhci_ring_stream(rig->bulk_out, 0);
    expect_stall(rig->bulk_out, 1);
    expect_plain_works(rig);
    rig_free(rig);
}

/* QEMU allocates the streams of all endpoints of a command together. */
static void unequal_numbers(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    uint16_t mps = rig->peer->device.bulk_mps;

    close_bulk(rig);
    rig->bulk_in = usbhc_ep_streams(rig->dev, PEER_BULK_IN, mps, 3);
    rig->bulk_out = usbhc_ep_streams(rig->dev, PEER_BULK_OUT, mps, STREAMS);
    g_assert_cmpint(usbhc_xhci_configure(rig->bulk_in, rig->bulk_out), ==,
                    USBHC_XHCI_RESOURCE_ERROR);
    expect_plain_works(rig);
    rig_free(rig);
}

/* After a migration the controller finds the streams with it. */
static void context_keeps_the_array(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *ep;

    close_bulk(rig);
    open_streams(rig, STREAMS);
    ep = rig->bulk_out;
    expect_stall(ep, 1);
    g_assert_cmphex(usbhc_xhci_dequeue(ep), ==, ep->head);
    expect_plain_works(rig);
    rig_free(rig);
}

void usb_remote_stream_add(void)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rig_drivers); i++) {
        const UsbHcDriver *drv = rig_drivers[i];

        if (!drv->max_streams) {
            continue;
        }
        rig_add(drv, "each-stream-stalls", each_stalls);
        rig_add(drv, "the-highest-stream-stalls", the_highest_id_stalls);
        rig_add(drv, "streams-freed-with-transfers-queued",
                freed_with_transfers_queued);
        rig_add(drv, "streams-opened-with-transfers-in-flight",
                opened_with_transfers_in_flight);
        rig_add(drv, "doorbell-of-stream-zero-is-ignored",
                doorbell_of_stream_zero);
        rig_add(drv, "unequal-numbers-of-streams-are-refused",
                unequal_numbers);
        rig_add(drv, "context-keeps-the-stream-array",
                context_keeps_the_array);
    }
}
