/*
 * usb-remote's random walk: plugging, unplugging, resets, stop and cont
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is taken away here is brought back by walk_come_back(), one stage at
 * a time.  The guest is told of nothing: until it enumerates anew it goes on
 * with a device that is gone, was reset, or has become another one.
 */

#include "qemu/osdep.h"
#include "usb-remote-walk.h"

#define PORT_RESET      4               /* of a hub, USB 2.0 section 11.24.2 */
#define C_PORT_RESET    20

/* The guest's and the peer's view of the device no longer agree. */
static void outdate(Walk *w)
{
    w->fresh = false;
    walk_disturb_all(w);
}

/* The peer */

static bool connected(Walk *w)
{
    return w->rig->peer->fd >= 0;
}

static bool attach(Walk *w)
{
    const UsbHcDriver *drv = w->rig->drv;
    unsigned allowed = w->behind_hub ? drv->speeds & 0x3 : drv->speeds;
    unsigned speed;
    bool deaf;

    if (!connected(w) || w->attach_owed) {
        return false;
    }
    do {
        speed = walk_below(w, USBHC_SUPER + 1);
    } while (!(allowed & (1 << speed)));
    if (!w->behind_hub && walk_chance(w, 60)) {
        speed = drv->best;
    }
    walk_note(w, "speed %u", speed);
    deaf = walk_begin_sending(w);
    peer_send_attach(w->rig->peer, 1 << speed, USB_REMOTE_ADDRESS_ACCEPT, 0,
                     NULL, 0);
    walk_end_sending(w, deaf);
    walk_peer_void(w);
    w->attach_owed = true;
    w->attached = false;
    outdate(w);
    return true;
}

static bool detach(Walk *w)
{
    bool deaf;

    if (!connected(w) || !w->rig->peer->attachment) {
        return false;
    }
    deaf = walk_begin_sending(w);
    peer_send_detach(w->rig->peer);
    walk_end_sending(w, deaf);
    walk_peer_void(w);
    w->attach_owed = w->attached = false;
    outdate(w);
    return true;
}

bool walk_attach_again(Walk *w)
{
    return w->attached && attach(w);
}

bool walk_detach(Walk *w)
{
    return (w->attached || w->attach_owed) && detach(w);
}

bool walk_detach_attach(Walk *w)
{
    return detach(w) && attach(w);
}

bool walk_hang_up(Walk *w)
{
    if (!connected(w)) {
        return false;
    }
    walk_peer_hang_up(w);
    return true;
}

bool walk_reconnect(Walk *w)
{
    if (!walk_hang_up(w)) {
        return false;
    }
    walk_peer_connect(w);
    return true;
}

/* The monitor */

/* QEMU takes the device away: the peer is told so. */
static void dismissed(Walk *w)
{
    if (connected(w)) {
        w->rig->peer->deaf = false;
        peer_expect_eof(w->rig->peer);
    }
    walk_peer_hang_up(w);
}

static bool device_del(Walk *w, bool hmp)
{
    if (!w->present) {
        return false;
    }
    w->rig->peer->deaf = false;
    if (hmp) {
        rig_hmp(w->rig, "device_del dev0");
        qtest_qmp_eventwait(w->rig->qts, "DEVICE_DELETED");
    } else {
        qtest_qmp_device_del(w->rig->qts, "dev0");
    }
    w->present = false;
    dismissed(w);
    return true;
}

bool walk_device_del(Walk *w)
{
    return device_del(w, false);
}

bool walk_device_del_hmp(Walk *w)
{
    return device_del(w, true);
}

static void device_add(Walk *w)
{
    if (walk_chance(w, 30)) {
        walk_note(w, "device_add, HMP");
        rig_hmp(w->rig, w->behind_hub ? RIG_ADD_BEHIND_HUB : RIG_ADD);
    } else if (w->behind_hub) {
        walk_note(w, "device_add behind the hub");
        rig_device_add_behind_hub(w->rig);
    } else {
        walk_note(w, "device_add");
        rig_device_add(w->rig);
    }
    w->present = true;
}

bool walk_chardev_change(Walk *w)
{
    g_autofree char *path = g_strdup_printf("%s/other%u", w->rig->dir,
                                            w->sockets++);

    w->rig->peer->deaf = false;
    rig_chardev_change(w->rig, path);
    dismissed(w);
    return true;
}

bool walk_hub_plug(Walk *w)
{
    if (w->present || w->behind_hub || w->stopped ||
        !(w->rig->drv->speeds & (1 << USBHC_FULL))) {
        return false;
    }
    walk_guest_gone(w);
    rig_hub_add(w->rig);
    w->behind_hub = true;
    return true;
}

bool walk_hub_unplug(Walk *w)
{
    if (!w->behind_hub || w->stopped) {
        return false;
    }
    w->rig->peer->deaf = false;
    qtest_qmp_device_del(w->rig->qts, "hub");
    w->present = w->behind_hub = false;
    dismissed(w);
    walk_guest_gone(w);
    return true;
}

bool walk_stop(Walk *w)
{
    if (w->stopped) {
        return false;
    }
    rig_stop(w->rig);
    w->stopped = true;
    return true;
}

bool walk_cont(Walk *w)
{
    if (!w->stopped) {
        return false;
    }
    rig_cont(w->rig);
    w->stopped = false;
    return true;
}

/* Resets */

static void hub_port_reset(Walk *w)
{
    usbhc_control(w->hub, 0x23, 3, PORT_RESET, RIG_HUB_PORT, NULL, 0, NULL);
    usbhc_control(w->hub, 0x23, 1, C_PORT_RESET, RIG_HUB_PORT, NULL, 0, NULL);
}

bool walk_bus_reset(Walk *w)
{
    if (!w->rig->dev || w->stopped || (w->behind_hub && !w->hub)) {
        return false;
    }
    if (w->hub) {
        hub_port_reset(w);
    } else {
        usbhc_port_reset(w->rig->hc, w->rig->dev->port);
    }
    outdate(w);
    return true;
}

bool walk_system_reset(Walk *w)
{
    if (w->stopped) {
        return false;
    }
    qtest_system_reset(w->rig->qts);
    walk_guest_reset(w);
    return true;
}

/* Back to a device that can be used */

static void enumerate(Walk *w)
{
    Rig *rig = w->rig;

    walk_guest_gone(w);
    if (w->behind_hub && !w->hub) {
        w->hub = usbhc_attach(rig->hc);
    }
    rig->dev = w->hub ? usbhc_attach_behind(w->hub, RIG_HUB_PORT)
                      : usbhc_attach(rig->hc);
    rig_configure(rig);
    w->fresh = true;
    walk_disturb_all(w);
}

bool walk_come_back(Walk *w)
{
    if (walk_cont(w) || walk_hear(w)) {
        walk_note(w, "cont or hear");
    } else if (!w->present) {
        device_add(w);
    } else if (!connected(w)) {
        walk_note(w, "connect");
        walk_peer_connect(w);
    } else if (!w->attached && !w->attach_owed) {
        attach(w);
    } else if (!w->attached) {
        walk_note(w, "wait");
        walk_steps(w, 1);
    } else if (!w->fresh) {
        walk_note(w, "enumerate");
        enumerate(w);
    } else {
        return false;
    }
    return true;
}
