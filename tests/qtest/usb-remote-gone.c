/*
 * usb-remote cases: what a guest has queued, and the device is gone
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Nobody acknowledges it, which is a transaction error: a guest that hears
 * nothing waits for its own time-outs.
 */

#include "qemu/osdep.h"
#include "usb-remote-rig.h"

#define KEYBOARD_IN     0x81
#define KEYBOARD_BYTES  8

static void expect_error(UsbHcTransfer *xfer)
{
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_ERROR);
    usbhc_transfer_free(xfer);
}

static void unplug(Rig *rig)
{
    peer_send_detach(rig->peer);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_DETACHED);
}

static void what_was_in_flight(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);
    unsigned i;

    unplug(rig);
    for (i = 0; i < RIG_FLIGHT; i++) {
        expect_error(f.xfer[i]);
    }
    rig_unplug_guest(rig);
    rig_free(rig);
}

/* The guest may not have looked at the port yet. */
static void what_is_queued_later(const void *opaque)
{
    static const uint8_t setup[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
    Rig *rig = rig_new_plugged(opaque);

    unplug(rig);
    expect_error(usbhc_submit_control(rig->dev, setup, NULL));
    usbhc_ep_recover(rig->dev->ep0);
    expect_error(usbhc_submit_control(rig->dev, setup, NULL));
    expect_error(usbhc_submit(rig->bulk_in, NULL, 64));
    expect_error(usbhc_submit(rig->bulk_out, "data", 4));
    expect_error(usbhc_submit(rig->int_in, NULL, 8));
    rig_unplug_guest(rig);
    rig_free(rig);
}

/* Each is asked for once more, and fails by itself. */
static void each_of_several(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *in[3];
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(in); i++) {
        in[i] = usbhc_submit(rig->bulk_in, NULL, 64);
    }
    peer_message_free(rig_submit(rig, PEER_BULK_IN));
    unplug(rig);
    for (i = 0; i < G_N_ELEMENTS(in); i++) {
        expect_error(in[i]);
        usbhc_ep_recover(rig->bulk_in);
    }
    rig_unplug_guest(rig);
    rig_free(rig);
}

/* One of QEMU's own devices */
static void a_keyboard(const void *opaque)
{
    Rig *rig = rig_new_bare(opaque, "-device usb-kbd,id=kbd,bus=hc.0");
    UsbHcEndpoint *ep;
    UsbHcTransfer *in;

    rig->dev = usbhc_attach(rig->hc);
    usbhc_control(rig->dev, 0x00, 9, 1, 0, NULL, 0, NULL);
    ep = usbhc_ep(rig->dev, KEYBOARD_IN, USBHC_INTERRUPT, KEYBOARD_BYTES, 4);
    in = usbhc_submit(ep, NULL, KEYBOARD_BYTES);
    rig_run(rig, 5);
    qtest_qmp_device_del(rig->qts, "kbd");
    expect_error(in);
    usbhc_ep_recover(ep);
    expect_error(usbhc_submit(ep, NULL, KEYBOARD_BYTES));
    rig_free(rig);
}

/* A guest resets the port and the slot, and goes on with the latter. */
static void slot_is_for_a_place(const void *opaque)
{
    static const uint8_t setup[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
    Rig *rig = rig_new_plugged(opaque);
    uint8_t descriptor[18];

    unplug(rig);
    expect_error(usbhc_submit_control(rig->dev, setup, NULL));
    usbhc_ep_recover(rig->dev->ep0);
    peer_attach(rig->peer, rig->speeds);
    usbhc_port_reset(rig->hc, rig->dev->port);
    g_assert_cmpint(usbhc_xhci_reset_device(rig->dev), ==, USBHC_OK);
    g_assert_cmpint(usbhc_control(rig->dev, 0x80, 6, 0x0100, 0, descriptor,
                                  sizeof(descriptor), NULL), ==, USBHC_OK);
    rig_free(rig);
}

void usb_remote_gone_add(void)
{
    rig_add_all("unplug-fails-what-was-in-flight", what_was_in_flight);
    rig_add_all("unplug-fails-what-is-queued-later", what_is_queued_later);
    rig_add_all("unplug-fails-each-of-several", each_of_several);
    rig_add_all("unplug-fails-the-poll-of-a-keyboard", a_keyboard);
    rig_add(&usbhc_xhci, "slot-is-for-a-place", slot_is_for_a_place);
}
