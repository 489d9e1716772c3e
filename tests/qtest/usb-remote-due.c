/*
 * usb-remote cases: answers that wait until the peer reads
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What QEMU owes a peer that does not read is sent when there is room for it.
 * By then the device may be another one: each answer is as it was when it
 * became due.
 */

#include "qemu/osdep.h"
#include "usb-remote-rig.h"

#define LONG_MS     60000   /* no case waits for it, but of virtual time */

static bool is_told(Rig *rig)
{
    GQueue *q = &rig->peer->messages;
    PeerMessage *m = g_queue_peek_head(q);

    while (m && m->head.type == USB_REMOTE_MSG_VMSTATE) {
        peer_message_free(g_queue_pop_head(q));
        m = g_queue_peek_head(q);
    }
    return m != NULL;
}

/*
 * What came next is this, VMSTATE aside, which rig_deafen() has caused.
 * Returns its epoch.
 */
static uint32_t expect_next(Rig *rig, uint16_t type, uint32_t attachment)
{
    PeerMessage *m;
    uint32_t epoch;

    rig->peer->deaf = false;
    rig_until(rig, is_told, "QEMU sends something");
    m = g_queue_pop_head(&rig->peer->messages);
    g_assert_cmpstr(usb_remote_message_name(m->head.type), ==,
                    usb_remote_message_name(type));
    g_assert_cmpint(m->head.attachment, ==, attachment);
    epoch = m->head.epoch;
    peer_message_free(m);
    return epoch;
}

static void expect_no_more(Rig *rig)
{
    rig_run(rig, 20);
    g_assert_false(is_told(rig));
}

/* Plugged, all that was said is read, and no more will be. */
static Rig *rig_new_deaf(const UsbHcDriver *drv)
{
    Rig *rig = rig_new_plugged(drv);

    rig_run(rig, 20);
    peer_drop(rig->peer, USB_REMOTE_MSG_RESET);
    peer_drop(rig->peer, USB_REMOTE_MSG_ADDRESS);
    rig_deafen(rig);
    return rig;
}

/* The machine is what it was a moment ago; the guest's driver forgets it. */
static Rig *rig_new_deaf_and_loaded(const UsbHcDriver *drv)
{
    Rig *rig = rig_new_deaf(drv);

    rig_unplug_guest(rig);
    rig_add_snapshot_store(rig);
    rig_savevm(rig);
    rig_loadvm(rig);
    rig_run(rig, 20);
    return rig;
}

static void attach_and_wait_for_the_gap(Rig *rig)
{
    peer_send_attach(rig->peer, rig->speeds, 0, LONG_MS, NULL, 0);
    rig_run(rig, 20);
}

/*
 * Plugged in anew after loadvm, and overtaken by an ATTACH: the device that
 * this one is to become is not plugged in yet.
 */
static void attached_is_of_its_attach(const void *opaque)
{
    Rig *rig = rig_new_deaf_and_loaded(opaque);
    uint32_t epoch = rig->peer->epoch;

    attach_and_wait_for_the_gap(rig);
    g_assert_cmpint(expect_next(rig, USB_REMOTE_MSG_RESET, 2), >, epoch);
    expect_no_more(rig);
    usbhc_run(rig->hc, LONG_MS * (int64_t)USBHC_FRAME_NS);
    expect_next(rig, USB_REMOTE_MSG_ATTACHED, 2);
    rig_plug(rig);
    rig_free(rig);
}

/* The requests of before are void before the device is there again. */
static void reset_of_loadvm_is_before_attached(const void *opaque)
{
    Rig *rig = rig_new_deaf_and_loaded(opaque);

    expect_next(rig, USB_REMOTE_MSG_RESET, 1);
    expect_next(rig, USB_REMOTE_MSG_ATTACHED, 1);
    expect_no_more(rig);
    rig_free(rig);
}

/* And a reset of the guest's after it is told after it. */
static void reset_of_the_guest_is_after_attached(const void *opaque)
{
    Rig *rig = rig_new_deaf_and_loaded(opaque);
    uint32_t epoch;

    usbhc_port_reset(rig->hc, usbhc_wait_connect(rig->hc));
    epoch = expect_next(rig, USB_REMOTE_MSG_RESET, 1);
    expect_next(rig, USB_REMOTE_MSG_ATTACHED, 1);
    g_assert_cmpint(expect_next(rig, USB_REMOTE_MSG_RESET, 1), >, epoch);
    rig_free(rig);
}

/* The next one is unplugged only when the machine runs. */
static void detached_is_of_its_detach(const void *opaque)
{
    Rig *rig = rig_new_deaf(opaque);

    rig_unplug_guest(rig);
    peer_send_detach(rig->peer);
    rig_expect_unplugged(rig);
    rig_stop(rig);
    attach_and_wait_for_the_gap(rig);
    peer_send_detach(rig->peer);
    rig_run(rig, 20);
    expect_next(rig, USB_REMOTE_MSG_DETACHED, 1);
    expect_no_more(rig);
    rig_cont(rig);
    expect_next(rig, USB_REMOTE_MSG_DETACHED, 2);
    rig_free(rig);
}

/* The address was that of the device before. */
static void address_goes_with_its_device(const void *opaque)
{
    Rig *rig = rig_new_deaf(opaque);

    usbhc_control(rig->dev, 0x00, 5, 9, 0, NULL, 0, NULL);
    attach_and_wait_for_the_gap(rig);
    rig_unplug_guest(rig);
    rig->peer->deaf = false;
    rig_run(rig, 20);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_ADDRESS));
    rig_free(rig);
}

/* The port was refused: what it was refused for is told, whatever follows. */
static void refusal_outlives_a_loadvm(const void *opaque)
{
    Rig *rig = rig_new_peer(opaque);
    PeerMessage *m;

    rig_add_snapshot_store(rig);
    rig_savevm(rig);
    rig_deafen(rig);
    peer_send_attach(rig->peer, 1 << USB_REMOTE_SPEED_SUPER, 0, 0, NULL, 0);
    rig_run(rig, 20);
    rig_loadvm(rig);
    rig->peer->deaf = false;
    m = peer_expect(rig->peer, USB_REMOTE_MSG_ATTACHED);
    g_assert_cmpint(m->head.attachment, ==, 1);
    g_assert_cmpint(m->body[0], ==, USB_REMOTE_ATTACHED_NO_SPEED);
    peer_message_free(m);
    rig_plug(rig);
    rig_free(rig);
}

void usb_remote_due_add(void)
{
    const UsbHcDriver *drv = &usbhc_uhci;

    rig_add(drv, "attached-is-of-its-attach", attached_is_of_its_attach);
    rig_add(drv, "reset-of-loadvm-is-before-attached",
            reset_of_loadvm_is_before_attached);
    rig_add(drv, "reset-of-the-guest-is-after-attached",
            reset_of_the_guest_is_after_attached);
    rig_add(drv, "detached-is-of-its-detach", detached_is_of_its_detach);
    rig_add(drv, "address-goes-with-its-device", address_goes_with_its_device);
    rig_add(drv, "refusal-outlives-a-loadvm", refusal_outlives_a_loadvm);
}
