/*
 * usb-remote cases: plugged and unplugged a thousand times
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One case for each way to do it.  In one cycle of fifty the guest uses the
 * device and has a transfer in flight when it goes; in the others the port
 * only changes.  Afterwards nothing of it may be left.
 */

#include "qemu/osdep.h"
#include "usb-remote-rig.h"

#define CYCLES      1000
#define WARM_UP     200                 /* cycles before memory is looked at */
#define USED        50                  /* one of so many */
#define GROWTH      (4 * 1024 * 1024 + RIG_SANITIZER_KEEPS)

typedef struct Cycle {
    Rig *rig;
    UsbHcDevice *hub;                   /* the device is behind one */
    UsbHcTransfer *xfer;                /* in flight */
} Cycle;

typedef void Half(Cycle *c);

/* The ways to plug in and to unplug */

static void attach(Cycle *c)
{
    peer_attach(c->rig->peer, c->rig->speeds);
}

static void detach(Cycle *c)
{
    peer_send_detach(c->rig->peer);
    peer_expect_free(c->rig->peer, USB_REMOTE_MSG_DETACHED);
}

/* The next ATTACH unplugs what is there. */
static void leave(Cycle *c)
{
}

static void connect_and_attach(Cycle *c)
{
    rig_connect(c->rig);
    attach(c);
}

static void hang_up(Cycle *c)
{
    peer_close(c->rig->peer);
    rig_expect_unplugged(c->rig);
}

static void expect_bye(Cycle *c)
{
    peer_expect_free(c->rig->peer, USB_REMOTE_MSG_BYE);
    peer_expect_eof(c->rig->peer);
}

static void qmp_add(Cycle *c)
{
    rig_device_add(c->rig);
    connect_and_attach(c);
}

static void qmp_del(Cycle *c)
{
    qtest_qmp_device_del(c->rig->qts, "dev0");
    expect_bye(c);
}

static void hmp_add(Cycle *c)
{
    rig_hmp(c->rig, RIG_ADD);
    connect_and_attach(c);
}

static void hmp_del(Cycle *c)
{
    rig_hmp(c->rig, "device_del dev0");
    expect_bye(c);
}

static void hub_add(Cycle *c)
{
    rig_hub_add(c->rig);
    rig_device_add_behind_hub(c->rig);
    connect_and_attach(c);
}

static void hub_del(Cycle *c)
{
    qtest_qmp_device_del(c->rig->qts, "hub");
    expect_bye(c);
}

/* The guest */

static void use(Cycle *c, bool behind_hub)
{
    Rig *rig = c->rig;

    if (behind_hub) {
        c->hub = usbhc_attach(rig->hc);
        rig->dev = usbhc_attach_behind(c->hub, RIG_HUB_PORT);
    } else {
        rig->dev = usbhc_attach(rig->hc);
    }
    rig_configure(rig);
    c->xfer = usbhc_submit(rig->bulk_in, NULL, 64);
    peer_message_free(rig_submit(rig, PEER_BULK_IN));
}

static void give_up(Cycle *c)
{
    rig_step(c->rig);
    g_assert_cmpint(c->xfer->status, !=, USBHC_OK);
    g_assert_cmpint(c->xfer->status, !=, USBHC_SHORT);
    g_clear_pointer(&c->xfer, usbhc_transfer_free);
    rig_unplug_guest(c->rig);
    g_clear_pointer(&c->hub, usbhc_close);
}

static void cycle(Cycle *c, Half *plug, Half *unplug, bool used)
{
    plug(c);
    if (used) {
        use(c, plug == hub_add);
    }
    unplug(c);
    if (used) {
        give_up(c);
    }
    peer_drop(c->rig->peer, USB_REMOTE_MSG_RESET);
    peer_drop(c->rig->peer, USB_REMOTE_MSG_ADDRESS);
}

/* Every cycle ends alike, so fds can be compared; @stays: with dev0 there */
static void cycles(Rig *rig, Half *plug, Half *unplug, bool stays)
{
    Cycle c = { .rig = rig };
    unsigned i, fds = 0;
    size_t rss = 0;

    for (i = 0; i < CYCLES; i++) {
        if (i == WARM_UP) {
            fds = rig_fds(rig);
            rss = rig_rss(rig);
        }
        cycle(&c, plug, unplug, i % USED == 0);
    }
    g_assert_cmpint(rig_fds(rig), ==, fds);
    g_assert_cmpint(rig_rss(rig), <, rss + GROWTH);
    if (stays) {
        g_assert_cmpint(rig_qom_number(rig, "in-flight"), ==, 0);
    }
    rig_free(rig);
}

static void by_the_peer(const void *opaque)
{
    cycles(rig_new_peer(opaque), attach, detach, true);
}

static void by_another_attach(const void *opaque)
{
    cycles(rig_new_peer(opaque), attach, leave, true);
}

static void by_the_connection(const void *opaque)
{
    cycles(rig_new(opaque, NULL), connect_and_attach, hang_up, true);
}

static void by_qmp(const void *opaque)
{
    cycles(rig_new_bare(opaque, NULL), qmp_add, qmp_del, false);
}

static void by_hmp(const void *opaque)
{
    cycles(rig_new_bare(opaque, NULL), hmp_add, hmp_del, false);
}

static void with_its_hub(const void *opaque)
{
    Rig *rig = rig_new_bare(opaque, NULL);

    rig->speeds = 1 << USBHC_FULL;
    cycles(rig, hub_add, hub_del, false);
}

/* Once only: EHCI has the port back then, and nobody hands it over again. */
static void hub_goes_in_flight(const void *opaque)
{
    Rig *rig = rig_new_bare(opaque, NULL);
    Cycle c = { .rig = rig };

    rig->speeds = 1 << USBHC_FULL;
    cycle(&c, hub_add, hub_del, true);
    rig_run(rig, 40);       /* UHCI ends queues that it lost 32 frames ago */
    rig_free(rig);
}

void usb_remote_hotplug_add(void)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rig_drivers); i++) {
        const UsbHcDriver *drv = rig_drivers[i];

        rig_add(drv, "plugged-1000-times-by-the-peer", by_the_peer);
        rig_add(drv, "plugged-1000-times-by-another-attach",
                by_another_attach);
        rig_add(drv, "plugged-1000-times-by-the-connection",
                by_the_connection);
        rig_add(drv, "plugged-1000-times-by-qmp", by_qmp);
        rig_add(drv, "plugged-1000-times-by-hmp", by_hmp);
        if (drv->speeds & (1 << USBHC_FULL)) {
            rig_add(drv, "plugged-1000-times-with-its-hub", with_its_hub);
        }
    }
    rig_add(&usbhc_ehci_companion, "hub-goes-in-flight", hub_goes_in_flight);
}
