/*
 * usb-remote cases: plugging, unplugging, bus events
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "usb-remote-rig.h"

static void plug_again(Rig *rig)
{
    rig_unplug_guest(rig);
    rig_plug(rig);
    g_assert_cmpint(rig_qom_number(rig, "in-flight"), ==, 0);
}

static void detach_in_flight(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);
    PeerMessage *m;

    peer_send_detach(rig->peer);
    m = peer_expect(rig->peer, USB_REMOTE_MSG_DETACHED);
    g_assert_cmpint(m->head.attachment, ==, rig->peer->attachment);
    peer_message_free(m);
    rig_expect_unplugged(rig);
    rig_run(rig, 10);
    rig_land(rig, &f);
    plug_again(rig);
    rig_free(rig);
}

static void close_in_flight(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);

    peer_close(rig->peer);
    rig_expect_unplugged(rig);
    rig_run(rig, 10);
    rig_land(rig, &f);
    rig_connect(rig);
    plug_again(rig);
    rig_free(rig);
}

static void device_del_in_flight(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);
    PeerMessage *m;

    qtest_qmp_device_del(rig->qts, "dev0");
    m = peer_expect(rig->peer, USB_REMOTE_MSG_BYE);
    g_assert_cmpint(m->body[0], ==, USB_REMOTE_BYE_REMOVED);
    peer_message_free(m);
    peer_expect_eof(rig->peer);
    rig_expect_unplugged(rig);
    rig_run(rig, 10);
    rig_land(rig, &f);
    rig_unplug_guest(rig);
    rig_device_add(rig);
    rig_connect(rig);
    plug_again(rig);
    rig_free(rig);
}

static void device_del_in_every_state(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);
    unsigned fds = rig_fds(rig);

    qtest_qmp_device_del(rig->qts, "dev0");
    rig_device_add(rig);
    peer_connect(rig->peer, rig->path);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_HELLO);
    qtest_qmp_device_del(rig->qts, "dev0");
    peer_expect_free(rig->peer, USB_REMOTE_MSG_BYE);
    rig_device_add(rig);
    rig_connect(rig);
    qtest_qmp_device_del(rig->qts, "dev0");
    peer_expect_free(rig->peer, USB_REMOTE_MSG_BYE);
    rig_device_add(rig);
    rig_connect(rig);
    peer_send_attach(rig->peer, rig->speeds, 0, 60000, NULL, 0);
    rig_step(rig);
    qtest_qmp_device_del(rig->qts, "dev0");
    peer_expect_free(rig->peer, USB_REMOTE_MSG_BYE);
    peer_expect_eof(rig->peer);
    peer_close(rig->peer);
    rig_run(rig, 5);
    g_assert_cmpint(rig_fds(rig), ==, fds);
    rig_free(rig);
}

static void attach_again_as_another(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);
    uint8_t buf[18];

    peer_attach(rig->peer, rig->speeds);
    rig->peer->device.device[10] = 0x77;
    rig_run(rig, 10);
    rig_land(rig, &f);
    rig_unplug_guest(rig);
    rig->dev = usbhc_attach(rig->hc);
    usbhc_control(rig->dev, 0x80, 6, 0x100, 0, buf, 18, NULL);
    g_assert_cmphex(buf[10], ==, 0x77);
    rig_free(rig);
}

static void gap_is_virtual_time(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    int64_t end;

    rig_unplug_guest(rig);
    peer_send_detach(rig->peer);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_DETACHED);
    peer_send_attach(rig->peer, rig->speeds, 0, 3000, NULL, 0);
    rig_run(rig, 1000);
    g_assert_cmpint(usbhc_find_port(rig->hc), <, 0);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_ATTACHED));
    end = g_get_monotonic_time() + 50 * 1000;
    while (g_get_monotonic_time() < end) {
        usbhc_step(rig->hc, 0);
    }
    g_assert_cmpint(usbhc_find_port(rig->hc), <, 0);
    qtest_clock_step(rig->qts, 2001 * 1000000LL);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    rig->dev = usbhc_attach(rig->hc);
    rig_free(rig);
}

static void detach_is_idempotent(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    peer_send_detach(rig->peer);
    peer_send_detach(rig->peer);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_DETACHED);
    rig_unplug_guest(rig);
    peer_send_detach(rig->peer);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_DETACHED);
    peer_send_attach(rig->peer, rig->speeds, 0, 60000, NULL, 0);
    peer_send_detach(rig->peer);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_DETACHED);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_ATTACHED));
    rig_plug(rig);
    rig_free(rig);
}

static void attach_right_after_detach(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    int i;

    for (i = 0; i < 10; i++) {
        peer_send_detach(rig->peer);
        rig_unplug_guest(rig);
        rig_plug(rig);
    }
    rig_free(rig);
}

static void a_speed_that_the_port_has_not(const void *opaque)
{
    const UsbHcDriver *drv = opaque;
    Rig *rig = rig_new_peer(drv);
    PeerMessage *m;

    peer_send_attach(rig->peer, 0xf & ~drv->speeds, 0, 0, NULL, 0);
    m = peer_expect(rig->peer, USB_REMOTE_MSG_ATTACHED);
    g_assert_cmpint(m->body[0], ==, USB_REMOTE_ATTACHED_NO_SPEED);
    g_assert_cmpint(m->head.length, >, sizeof(UsbRemoteAttached));
    peer_message_free(m);
    rig->speeds = 0xf;
    rig_plug(rig);
    rig_free(rig);
}

static void reset_in_flight(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *in = usbhc_submit(rig->bulk_in, NULL, 64);
    UsbHcTransfer *out = usbhc_submit(rig->bulk_out, "data", 4);
    PeerMessage *a = peer_expect(rig->peer, USB_REMOTE_MSG_SUBMIT);
    PeerMessage *b = peer_expect(rig->peer, USB_REMOTE_MSG_SUBMIT);
    uint32_t epoch = rig->peer->epoch;
    unsigned port = rig->dev->port;

    usbhc_port_reset(rig->hc, port);
    peer_answer_ok(rig->peer, a, peer_submit(a)->endpoint[0] & 0x80 ? "late"
                   : NULL, 4);
    peer_answer_ok(rig->peer, b, peer_submit(b)->endpoint[0] & 0x80 ? "late"
                   : NULL, 4);
    rig_run(rig, 10);
    g_assert_cmpint(rig->peer->epoch, >, epoch);
    g_assert_cmpint(in->status, !=, USBHC_OK);
    g_assert_cmpint(in->status, !=, USBHC_SHORT);
    g_assert_cmpint(out->status, !=, USBHC_OK);
    usbhc_transfer_free(in);
    usbhc_transfer_free(out);
    rig_unplug_guest(rig);
    rig->dev = usbhc_attach(rig->hc);
    rig_configure(rig);
    in = usbhc_submit(rig->bulk_in, NULL, 64);
    peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_IN), "new", 3);
    g_assert_cmpint(usbhc_wait(in), ==, USBHC_SHORT);
    g_assert_cmpmem(in->data, in->actual, "new", 3);
    usbhc_transfer_free(in);
    rig_free(rig);
}

static void epoch_never_goes_back(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    uint32_t epoch = rig->peer->epoch;
    int i;

    peer_drop(rig->peer, USB_REMOTE_MSG_RESET);
    for (i = 0; i < 5; i++) {
        usbhc_port_reset(rig->hc, rig->dev->port);
        peer_expect_free(rig->peer, USB_REMOTE_MSG_RESET);
        rig_run(rig, 2);
        g_assert_cmpint(rig->peer->epoch, >, epoch);
        epoch = rig->peer->epoch;
    }
    rig_unplug_guest(rig);
    peer_attach(rig->peer, rig->speeds);
    rig->dev = usbhc_attach(rig->hc);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_RESET);
    g_assert_cmpint(rig->peer->epoch, >, epoch);
    rig_free(rig);
}

static void set_configuration_in_flight(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *in = usbhc_submit(rig->bulk_in, NULL, 64);

    peer_expect_free(rig->peer, USB_REMOTE_MSG_SUBMIT);
    g_assert_cmpint(usbhc_control(rig->dev, 0, 9, 1, 0, NULL, 0, NULL), ==,
                    USBHC_OK);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    rig_run(rig, 10);
    g_assert_cmpint(in->status, !=, USBHC_OK);
    usbhc_transfer_free(in);
    usbhc_ep_close(rig->bulk_in);
    rig->bulk_in = usbhc_ep(rig->dev, PEER_BULK_IN, USBHC_BULK,
                            rig->peer->device.bulk_mps, 0);
    in = usbhc_submit(rig->bulk_in, NULL, 64);
    peer_answer_ok(rig->peer, peer_expect(rig->peer, USB_REMOTE_MSG_SUBMIT),
                   "new", 3);
    g_assert_cmpint(usbhc_wait(in), ==, USBHC_SHORT);
    g_assert_cmpmem(in->data, in->actual, "new", 3);
    usbhc_transfer_free(in);
    rig_free(rig);
}

/* A high-speed device at a port that EHCI has handed over */
static void companion_means_full_speed(const void *opaque)
{
    Rig *rig = rig_new_peer(opaque);
    UsbHcTransfer *xfer;

    rig->speeds = (1 << USBHC_FULL) | (1 << USBHC_HIGH);
    rig_plug(rig);
    g_assert_cmpint(rig->peer->speed, ==, USB_REMOTE_SPEED_FULL);
    xfer = usbhc_submit(rig->bulk_in, NULL, 64);
    peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_IN), "hello", 5);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    usbhc_transfer_free(xfer);
    peer_close(rig->peer);
    rig_expect_unplugged(rig);
    rig_free(rig);
}

/* Virtual ms from a nak of a poll until it is asked for again */
static unsigned nak_lasts(Rig *rig)
{
    UsbHcTransfer *xfer = usbhc_submit(rig->int_in, NULL, 8);
    unsigned ms;

    peer_answer(rig->peer, rig_submit(rig, PEER_INT_IN),
                USB_REMOTE_STATUS_NAK);
    for (ms = 0; !peer_has(rig->peer, USB_REMOTE_MSG_SUBMIT); ms++) {
        g_assert_cmpint(ms, <, 500);
        rig_step(rig);
    }
    usbhc_cancel(xfer);
    usbhc_transfer_free(xfer);
    return ms;
}

/*
 * bInterval 10 is 10 ms there, as the device is asked at full speed; at high
 * speed it would be 64 ms.
 */
static void companion_means_full_speed_intervals(const void *opaque)
{
    Rig *rig = rig_new_peer(opaque);
    UsbRemoteEndpoint entry = {
        .address = { PEER_INT_IN }, .type = { USBHC_INTERRUPT },
        .max_packet = { 8 }, .interval = { 10 },
    };

    peer_send_attach(rig->peer, (1 << USBHC_FULL) | (1 << USBHC_HIGH), 0, 0,
                     &entry, 1);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    peer_device_init(&rig->peer->device, USBHC_FULL);
    rig->dev = usbhc_attach(rig->hc);
    rig_configure(rig);
    g_assert_cmpint(nak_lasts(rig), <, 40);
    rig_free(rig);
}

/* Addresses */

static UsbHcStatus address_under(Rig *rig, uint8_t policy)
{
    peer_send_attach(rig->peer, rig->speeds, policy, 0, NULL, 0);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    peer_device_init(&rig->peer->device, rig->drv->best);
    rig->dev = usbhc_open(rig->hc, usbhc_wait_connect(rig->hc));
    return usbhc_address(rig->dev);
}

static void address_policies(const void *opaque)
{
    Rig *rig = rig_new_peer(opaque);

    /* Address Device has one code for all that can go wrong. */
    g_assert_cmpint(address_under(rig, USB_REMOTE_ADDRESS_STALL), ==,
                    rig->drv->sends_set_address ? USBHC_STALL : USBHC_ERROR);
    rig_unplug_guest(rig);
    g_assert_cmpint(address_under(rig, USB_REMOTE_ADDRESS_IOERROR), ==,
                    USBHC_ERROR);
    rig_unplug_guest(rig);
    g_assert_cmpint(address_under(rig, USB_REMOTE_ADDRESS_ACCEPT), ==,
                    USBHC_OK);
    g_assert_cmpint(rig->peer->submits, ==, 0);
    rig_free(rig);
}

static void address_silence(const void *opaque)
{
    static const uint8_t setup[8] = { 0, 5, 9 };
    Rig *rig = rig_new_peer(opaque);
    UsbHcTransfer *xfer;

    peer_send_attach(rig->peer, rig->speeds, USB_REMOTE_ADDRESS_SILENCE, 0,
                     NULL, 0);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    rig->dev = usbhc_open(rig->hc, usbhc_wait_connect(rig->hc));
    xfer = usbhc_submit_control(rig->dev, setup, NULL);
    rig_run(rig, 200);
    g_assert_cmpint(xfer->status, ==, USBHC_PENDING);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_ADDRESS));
    usbhc_transfer_free(xfer);
    rig_unplug_guest(rig);
    g_assert_cmpint(address_under(rig, USB_REMOTE_ADDRESS_ACCEPT), ==,
                    USBHC_OK);
    rig_free(rig);
}

/* Events of the peer's */

static bool port_resumes(Rig *rig)
{
    return usbhc_port(rig->hc, rig->dev->port).resume;
}

static void set_feature(Rig *rig, uint8_t type, uint16_t value, uint16_t index)
{
    g_assert_cmpint(usbhc_control(rig->dev, type, 3, value, index, NULL, 0,
                                  NULL), ==, USBHC_OK);
}

/* Of the interface 0 or 1 (USB 3.2 section 9.4.9), as Linux does it */
static void enable_function_wake(Rig *rig, uint8_t interface, bool on)
{
    set_feature(rig, 1, 0, interface | (on ? 0x0300 : 0));
}

static void suspend_and_wake(Rig *rig)
{
    usbhc_port_suspend(rig->hc, rig->dev->port);
    rig_run(rig, 5);
    g_assert_false(port_resumes(rig));
    peer_send_wakeup(rig->peer);
}

static void wakeup_at_one_speed(Rig *rig)
{
    if (rig->dev->speed == USBHC_SUPER) {
        enable_function_wake(rig, 0, true);
    } else {
        set_feature(rig, 0, 1, 0);
    }
    suspend_and_wake(rig);
    rig_until(rig, port_resumes, "the port signals resume");
}

static void remote_wakeup(const void *opaque)
{
    rig_at_every_speed(opaque, wakeup_at_one_speed);
}

static void expect_no_wakeup(Rig *rig)
{
    suspend_and_wake(rig);
    rig_run(rig, 20);
    g_assert_false(port_resumes(rig));
}

/* Suspended, but not to wake up; and one that is not any more */
static void wakeup_of_no_function(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    set_feature(rig, 1, 0, 0x0100);
    enable_function_wake(rig, 1, true);
    enable_function_wake(rig, 1, false);
    expect_no_wakeup(rig);
    rig_free(rig);
}

/* One of two is enough. */
static void wakeup_of_another_function(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    enable_function_wake(rig, 0, true);
    enable_function_wake(rig, 1, true);
    enable_function_wake(rig, 0, false);
    suspend_and_wake(rig);
    rig_until(rig, port_resumes, "the port signals resume");
    rig_free(rig);
}

static void reset_ends_function_wake(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    enable_function_wake(rig, 0, true);
    rig_unplug_guest(rig);
    rig->dev = usbhc_attach(rig->hc);
    rig_configure(rig);
    /* What looks at the bits again must not find the old one. */
    enable_function_wake(rig, 1, false);
    expect_no_wakeup(rig);
    rig_free(rig);
}

static void wakeup_not_enabled(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    expect_no_wakeup(rig);
    rig_free(rig);
}

static void flood_of_events(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    size_t before = rig_rss(rig);
    PeerMessage *m;
    uint32_t last;
    int i;

    for (i = 0; i < 5000; i++) {
        peer_send_wakeup(rig->peer);
        peer_send_ready(rig->peer, PEER_BULK_IN);
        peer_send_ready(rig->peer, PEER_INT_OUT);
    }
    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'query-status' }");
    for (i = 0; i < 500; i++) {
        peer_send_detach(rig->peer);
        peer_send_attach(rig->peer, rig->speeds, 0, 0, NULL, 0);
        peer_send_detach(rig->peer);
    }
    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'query-status' }");
    rig_unplug_guest(rig);
    do {
        m = peer_expect(rig->peer, USB_REMOTE_MSG_DETACHED);
        last = m->head.attachment;
        peer_message_free(m);
    } while (last != rig->peer->attachment);
    peer_drop(rig->peer, USB_REMOTE_MSG_ATTACHED);
    rig_plug(rig);
    g_assert_cmpint(rig_rss(rig), <, before + 8 * 1024 * 1024);
    rig_free(rig);
}

static void add_all(const UsbHcDriver *drv)
{
    rig_add(drv, "detach-in-flight", detach_in_flight);
    rig_add(drv, "connection-closed-in-flight", close_in_flight);
    rig_add(drv, "device-del-in-flight", device_del_in_flight);
    rig_add(drv, "device-del-in-every-state", device_del_in_every_state);
    rig_add(drv, "attach-again-as-another", attach_again_as_another);
    rig_add(drv, "gap-is-virtual-time", gap_is_virtual_time);
    rig_add(drv, "detach-is-idempotent", detach_is_idempotent);
    rig_add(drv, "attach-right-after-detach", attach_right_after_detach);
    rig_add(drv, "reset-in-flight", reset_in_flight);
    rig_add(drv, "epoch-never-goes-back", epoch_never_goes_back);
    rig_add(drv, "set-configuration-in-flight", set_configuration_in_flight);
    rig_add(drv, "flood-of-events", flood_of_events);
}

void usb_remote_lifecycle_add(void)
{
    size_t i;

    rig_add(&usbhc_ehci_companion, "means-full-speed",
            companion_means_full_speed);
    rig_add(&usbhc_ehci_companion, "means-full-speed-intervals",
            companion_means_full_speed_intervals);

    rig_add(&usbhc_xhci, "wakeup-of-no-function-is-nothing",
            wakeup_of_no_function);
    rig_add(&usbhc_xhci, "wakeup-of-another-function-is-left",
            wakeup_of_another_function);
    rig_add(&usbhc_xhci, "reset-ends-function-wake", reset_ends_function_wake);
    for (i = 0; i < G_N_ELEMENTS(rig_drivers); i++) {
        const UsbHcDriver *drv = rig_drivers[i];

        add_all(drv);
        rig_add(drv, "address-stalled-or-failed", address_policies);
        if (drv->sends_set_address) {
            rig_add(drv, "address-met-with-silence", address_silence);
        }
        if (drv->speeds != 0xf) {
            rig_add(drv, "a-speed-that-the-port-has-not",
                    a_speed_that_the_port_has_not);
        }
        if (drv != &usbhc_ohci) {
            rig_add(drv, "remote-wakeup-resumes-the-port", remote_wakeup);
            rig_add(drv, "wakeup-not-enabled-is-nothing", wakeup_not_enabled);
        }
    }
}
