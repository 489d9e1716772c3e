/*
 * usb-remote cases: migration and snapshots
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The peer does not migrate.  So the guest loses the device as soon as it
 * runs from loaded state, with whatever is in flight on it, and gets it anew
 * where a peer is.  Both ends of a migration run in one case; the guest's
 * driver goes over to the destination with its memory.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "usb-remote-rig.h"

#define DEADLINE_S  20

static bool plugged(Rig *rig)
{
    return rig_qom_bool(rig, "plugged");
}

/* None of it may have succeeded; then the device is there as if new. */
static void expect_plugged_anew(Rig *rig, RigFlight *f)
{
    rig_until(rig, plugged, "the device is plugged in anew");
    rig_run(rig, 5);
    rig_land(rig, f);
    rig_unplug_guest(rig);
    rig->dev = usbhc_attach(rig->hc);
    rig_configure(rig);
    rig_in(rig, rig->int_in, 8, 8);
    if (rig->bulk_out) {
        rig_out(rig, rig->bulk_out, 64);
    }
}

/* The port is empty until a peer comes. */
static void expect_gone(Rig *rig, RigFlight *f)
{
    rig_expect_unplugged(rig);
    rig_run(rig, 5);
    rig_land(rig, f);
    rig_unplug_guest(rig);
    g_assert_cmpint(rig_qom_number(rig, "in-flight"), ==, 0);
}

static void expect_new_peer_works(Rig *rig)
{
    rig_connect(rig);
    rig_plug(rig);
    rig_out(rig, rig->bulk_out, 64);
}

/* Migration */

static bool state_is(QTestState *qts, const char *want)
{
    QDict *r = qtest_qmp(qts, "{ 'execute': 'query-status' }");
    bool is = !strcmp(qdict_get_str(qdict_get_qdict(r, "return"), "status"),
                      want);

    qobject_unref(r);
    return is;
}

static void wait_for_state(QTestState *qts, const char *want)
{
    int64_t end = g_get_monotonic_time() + DEADLINE_S * G_TIME_SPAN_SECOND;

    while (!state_is(qts, want)) {
        if (g_get_monotonic_time() > end) {
            g_error("the machine is not '%s' after %d s", want, DEADLINE_S);
        }
        g_usleep(1000);
    }
}

static char *peer_b(Rig *rig)
{
    return g_strdup_printf("%s/peerB", rig->dir);
}

static char *migration_uri(Rig *rig)
{
    return g_strdup_printf("unix:%s/migration", rig->dir);
}

static QTestState *start_destination(Rig *rig)
{
    g_autofree char *uri = migration_uri(rig);
    g_autofree char *path = peer_b(rig);

    return qtest_initf(
        "-machine pc -nodefaults -device %s "
        "-chardev socket,id=c0,path=%s,server=on,wait=off "
        "-device usb-remote,chardev=c0,id=dev0,bus=hc.0 -incoming %s",
        rig->drv->device, path, uri);
}

/* The machine is in @state at the destination. */
static void migrate_to(Rig *rig, QTestState *to, const char *state)
{
    g_autofree char *uri = migration_uri(rig);

    rig_migrate(rig, uri);
    wait_for_state(to, state);
    qtest_quit(rig->qts);
    rig->qts = to;
    usbhc_move(rig->hc, to);
    g_free(rig->path);
    rig->path = peer_b(rig);
}

static void migration_unplugs(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);

    migrate_to(rig, start_destination(rig), "running");
    expect_gone(rig, &f);
    expect_new_peer_works(rig);
    rig->quiet = true;
    rig_free(rig);
}

/* A second peer is connected before the machine arrives. */
static Peer *connect_peer_b(Rig *rig, uint8_t speeds)
{
    g_autofree char *path = peer_b(rig);
    Peer *peer = peer_new(rig_step, rig);

    peer_connect(peer, path);
    peer_handshake(peer);
    peer_send_attach(peer, speeds, 0, 0, NULL, 0);
    return peer;
}

static void take_over(Rig *rig, Peer *peer)
{
    PeerMessage *m;

    peer_free(rig->peer);
    rig->peer = peer;
    usbhc_set_idle(rig->hc, peer_pump, peer);
    m = peer_expect(peer, USB_REMOTE_MSG_ATTACHED);
    g_assert_cmpint(m->body[0], ==, USB_REMOTE_ATTACHED_OK);
    peer->speed = m->body[1];
    peer_message_free(m);
    peer_device_init(&peer->device, peer->speed);
}

static void migrates_to_a_peer(const UsbHcDriver *drv, uint8_t speeds)
{
    Rig *rig = rig_new_plugged(drv);
    RigFlight f = rig_take_off(rig);
    QTestState *to = start_destination(rig);
    Peer *peer = connect_peer_b(rig, speeds);

    migrate_to(rig, to, "running");
    take_over(rig, peer);
    expect_plugged_anew(rig, &f);
    g_assert_cmpint(speeds, ==, 1 << rig->dev->speed);
    rig->quiet = true;
    rig_free(rig);
}

static void peer_waits_at_the_destination(const void *opaque)
{
    const UsbHcDriver *drv = opaque;

    migrates_to_a_peer(drv, 1 << drv->best);
}

static void peer_at_the_destination_is_slower(const void *opaque)
{
    const UsbHcDriver *drv = opaque;

    migrates_to_a_peer(drv, drv->best > USBHC_FULL ? 1 << USBHC_FULL
                                                   : 1 << USBHC_LOW);
}

static void migration_of_an_empty_port(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);

    migrate_to(rig, start_destination(rig), "running");
    expect_new_peer_works(rig);
    rig->quiet = true;
    rig_free(rig);
}

static bool peer_is_gone(Rig *rig)
{
    return !rig_qom_bool(rig, "connected");
}

/* The guest learns of it when it runs, and then has nothing to migrate. */
static void disconnected_while_stopped(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);

    rig_stop(rig);
    peer_close(rig->peer);
    rig_until(rig, peer_is_gone, "QEMU has seen the peer go");
    g_assert_cmpint(usbhc_find_port(rig->hc), ==, rig->dev->port);
    rig_cont(rig);
    expect_gone(rig, &f);
    migrate_to(rig, start_destination(rig), "running");
    rig_run(rig, 5);
    g_assert_cmpint(usbhc_find_port(rig->hc), <, 0);
    expect_new_peer_works(rig);
    rig->quiet = true;
    rig_free(rig);
}

/* The guest learns of it at the destination. */
static void migrated_after_the_peer_is_gone(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);

    rig_stop(rig);
    peer_close(rig->peer);
    rig_until(rig, peer_is_gone, "QEMU has seen the peer go");
    migrate_to(rig, start_destination(rig), "paused");
    g_assert_cmpint(usbhc_find_port(rig->hc), ==, rig->dev->port);
    rig_cont(rig);
    expect_gone(rig, &f);
    expect_new_peer_works(rig);
    rig->quiet = true;
    rig_free(rig);
}

/* What the peer answers to a stopped machine does not migrate. */
static void migrates_while_stopped(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);
    int i;

    rig_stop(rig);
    for (i = 0; i < RIG_FLIGHT; i++) {
        peer_send_complete(rig->peer, &f.submit[i], USB_REMOTE_STATUS_OK,
                           NULL, 0, NULL, -1);
    }
    migrate_to(rig, start_destination(rig), "paused");
    g_assert_cmpint(usbhc_find_port(rig->hc), >=, 0);
    rig_cont(rig);
    expect_gone(rig, &f);
    expect_new_peer_works(rig);
    rig->quiet = true;
    rig_free(rig);
}

/* Snapshots */

static void loadvm_plugs_anew(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);
    uint32_t epoch;
    PeerMessage *m;

    rig_add_snapshot_store(rig);
    rig_savevm(rig);
    peer_drop(rig->peer, USB_REMOTE_MSG_RESET);
    epoch = rig->peer->epoch;
    rig_loadvm(rig);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_RESET);
    g_assert_cmpint(rig->peer->epoch, >, epoch);
    m = peer_expect(rig->peer, USB_REMOTE_MSG_ATTACHED);
    g_assert_cmpint(m->head.attachment, ==, rig->peer->attachment);
    peer_message_free(m);
    expect_plugged_anew(rig, &f);
    rig_free(rig);
}

/*
 * Between savevm and loadvm the guest's driver must learn nothing: its memory
 * goes back, and it does not.
 */
static void wait_only(void *opaque)
{
    g_usleep(1000);
}

static void wait_unplugged(Rig *rig)
{
    int64_t end = g_get_monotonic_time() + DEADLINE_S * G_TIME_SPAN_SECOND;

    while (plugged(rig)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        wait_only(rig);
    }
}

/* savevm alone disturbs nothing. */
static void savevm_goes_unnoticed(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *in = usbhc_submit(rig->bulk_in, NULL, 64);
    UsbHcTransfer *poll = usbhc_submit(rig->int_in, NULL, 64);
    PeerMessage *m[2];
    int i;

    m[0] = peer_expect(rig->peer, USB_REMOTE_MSG_SUBMIT);
    m[1] = peer_expect(rig->peer, USB_REMOTE_MSG_SUBMIT);
    rig_add_snapshot_store(rig);
    rig_savevm(rig);
    for (i = 0; i < 2; i++) {
        peer_answer_ok(rig->peer, m[i], "saved", 5);
    }
    g_assert_cmpint(usbhc_wait(in), ==, USBHC_SHORT);
    g_assert_cmpmem(in->data, in->actual, "saved", 5);
    g_assert_cmpint(usbhc_wait(poll), ==, USBHC_SHORT);
    g_assert_cmpmem(poll->data, poll->actual, "saved", 5);
    usbhc_transfer_free(in);
    usbhc_transfer_free(poll);
    rig_free(rig);
}

static void loadvm_without_a_peer(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);

    rig_add_snapshot_store(rig);
    rig_savevm(rig);
    peer_close(rig->peer);
    wait_unplugged(rig);
    rig_loadvm(rig);
    expect_gone(rig, &f);
    expect_new_peer_works(rig);
    rig_free(rig);
}

/*
 * The snapshot knows of no device, and one is there, in use.  The guest that
 * comes out of it finds a new device, and nothing of what the other had asked.
 */
static void loadvm_of_an_empty_port(const void *opaque)
{
    Rig *rig = rig_new_peer(opaque);
    RigFlight f;
    int i;

    rig_add_snapshot_store(rig);
    rig_savevm(rig);
    rig_plug(rig);
    f = rig_take_off(rig);
    peer_drop(rig->peer, USB_REMOTE_MSG_RESET);
    rig_loadvm(rig);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_RESET);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    g_assert_true(usbhc_port(rig->hc, usbhc_wait_connect(rig->hc)).changed);
    for (i = 0; i < RIG_FLIGHT; i++) {
        peer_send_complete(rig->peer, &f.submit[i], USB_REMOTE_STATUS_OK,
                           NULL, 0, NULL, -1);
        usbhc_done(f.xfer[i], USBHC_CANCELLED, 0);
        usbhc_transfer_free(f.xfer[i]);
    }
    g_assert_cmpint(rig_qom_number(rig, "in-flight"), ==, 0);
    rig->hc = usbhc_renew(rig->hc);
    rig->dev = usbhc_attach(rig->hc);
    rig_configure(rig);
    rig_in(rig, rig->bulk_in, 64, 64);
    g_assert_cmpint(rig_qom_number(rig, "stale"), >=, RIG_FLIGHT);
    rig_free(rig);
}

/* The port is empty in the snapshot: it became so when that was loaded. */
static void loadvm_waits_the_gap(const void *opaque)
{
    Rig *rig = rig_new_peer(opaque);

    rig_add_snapshot_store(rig);
    rig_savevm(rig);
    peer_send_attach(rig->peer, rig->speeds, 0, 3000, NULL, 0);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    rig_loadvm(rig);
    rig_run(rig, 1000);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_ATTACHED));
    rig_run(rig, 2001);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    rig->hc = usbhc_renew(rig->hc);
    rig->dev = usbhc_attach(rig->hc);
    rig_free(rig);
}

/* Where a field is in the device's section, from the end of its name on */
enum { SETUP_LENGTH = 21, SETUP_INDEX = 25, SPEED = 37 };

/* The device's section begins with its path on the bus. */
static void spoil_state(const char *file, size_t field, uint32_t value)
{
    static const char name[] = "/1/usb-remote";
    g_autofree char *stream = NULL;
    char *at;
    gsize length;

    g_assert_true(g_file_get_contents(file, &stream, &length, NULL));
    at = memmem(stream, length, name, strlen(name));
    g_assert_nonnull(at);
    at += strlen(name) + field;
    g_assert_cmpint(at + sizeof(value) - stream, <, length);
    stl_be_p(at, value);
    g_assert_true(g_file_set_contents(file, stream, length, NULL));
}

static bool has_failed(QTestState *qts)
{
    QDict *r = qtest_qmp(qts, "{ 'execute': 'query-migrate' }");
    const char *status = qdict_get_try_str(qdict_get_qdict(r, "return"),
                                           "status");
    bool failed = status && !strcmp(status, "failed");

    g_assert_cmpstr(status, !=, "completed");
    qobject_unref(r);
    return failed;
}

static void expect_not_loaded(const char *log, const char *device,
                              const char *uri)
{
    g_autofree char *text = NULL;
    int64_t end = g_get_monotonic_time() + DEADLINE_S * G_TIME_SPAN_SECOND;
    QTestState *to = qtest_initf(
        "-machine pc -nodefaults -device %s "
        "-chardev socket,id=c0,path=%s.peer,server=on,wait=off "
        "-device usb-remote,chardev=c0,bus=hc.0 -incoming defer 2>%s",
        device, log, log);

    qtest_qmp_assert_success(to, "{ 'execute': 'migrate-incoming', "
                             "'arguments': { 'uri': %s, "
                             "'exit-on-error': false } }", uri);
    while (!has_failed(to)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(1000);
    }
    g_assert_true(g_file_get_contents(log, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "the state to load has an impossible"));
    qtest_quit(to);
}

static void impossible_state_is_not_loaded(const void *opaque)
{
    static const struct {
        size_t field;
        uint32_t value;
    } bad[] = {
        { SPEED, -1 }, { SPEED, USB_REMOTE_SPEED_SUPER + 1 },
        { SETUP_LENGTH, -1 }, { SETUP_LENGTH, USB_REMOTE_MAX_CONTROL + 1 },
        { SETUP_INDEX, -1 }, { SETUP_INDEX, USB_REMOTE_MAX_CONTROL + 1 },
    };
    Rig *rig = rig_new_plugged(opaque);
    g_autofree char *file = g_strdup_printf("%s/stream", rig->dir);
    g_autofree char *uri = g_strdup_printf("file:%s", file);
    g_autofree char *log = g_strdup_printf("%s/log2", rig->dir);
    g_autofree char *stream = NULL;
    gsize length;
    size_t i;

    rig_migrate(rig, uri);
    g_assert_true(g_file_get_contents(file, &stream, &length, NULL));
    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_true(g_file_set_contents(file, stream, length, NULL));
        spoil_state(file, bad[i].field, bad[i].value);
        expect_not_loaded(log, rig->drv->device, uri);
    }
    rig_free(rig);
}

void usb_remote_migrate_add(void)
{
    size_t i;

    rig_add(&usbhc_xhci, "loadvm-waits-the-gap", loadvm_waits_the_gap);
    rig_add(&usbhc_xhci, "impossible-state-is-not-loaded",
            impossible_state_is_not_loaded);
    for (i = 0; i < G_N_ELEMENTS(rig_drivers); i++) {
        const UsbHcDriver *drv = rig_drivers[i];

        rig_add(drv, "migration-unplugs-in-flight", migration_unplugs);
        rig_add(drv, "peer-waits-at-the-destination",
                peer_waits_at_the_destination);
        if (drv->speeds != 1 << drv->best) {
            rig_add(drv, "peer-at-the-destination-is-slower",
                    peer_at_the_destination_is_slower);
        }
        rig_add(drv, "migration-of-an-empty-port", migration_of_an_empty_port);
        rig_add(drv, "disconnected-while-stopped-then-migrated",
                disconnected_while_stopped);
        rig_add(drv, "disconnected-while-stopped-then-migrated-stopped",
                migrated_after_the_peer_is_gone);
        rig_add(drv, "answered-while-stopped-then-migrated",
                migrates_while_stopped);
        rig_add(drv, "savevm-goes-unnoticed-in-flight", savevm_goes_unnoticed);
        rig_add(drv, "loadvm-in-flight-plugs-anew", loadvm_plugs_anew);
        rig_add(drv, "loadvm-without-a-peer-unplugs", loadvm_without_a_peer);
        rig_add(drv, "loadvm-of-an-empty-port-plugs-anew",
                loadvm_of_an_empty_port);
    }
}
