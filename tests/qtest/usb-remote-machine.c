/*
 * usb-remote cases: the machine around the device
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Stopped VMs, chardevs, hubs, command lines that must fail.
 */

#include "qemu/osdep.h"
#include "libqos/fw_cfg.h"
#include "qobject/qdict.h"
#include "usb-remote-rig.h"

#define BOOT_ORDER_MAX  256     /* bytes */

/* Stopped */

static void nothing_completes_while_stopped(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, 64);
    PeerMessage *m = rig_submit(rig, PEER_BULK_IN), *state;
    int64_t end;

    rig_stop(rig);
    state = peer_expect(rig->peer, USB_REMOTE_MSG_VMSTATE);
    g_assert_cmpint(state->body[0], ==, 0);
    peer_message_free(state);
    peer_answer_ok(rig->peer, m, "hello", 5);
    end = g_get_monotonic_time() + 50 * 1000;
    while (g_get_monotonic_time() < end) {
        usbhc_step(rig->hc, 0);
    }
    g_assert_cmpint(xfer->status, ==, USBHC_PENDING);
    rig_cont(rig);
    state = peer_expect(rig->peer, USB_REMOTE_MSG_VMSTATE);
    g_assert_cmpint(state->body[0], ==, 1);
    peer_message_free(state);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    g_assert_cmpmem(xfer->data, xfer->actual, "hello", 5);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void attach_is_answered_when_it_runs(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);
    PeerMessage *m;

    rig_stop(rig);
    rig_connect(rig);
    m = peer_expect(rig->peer, USB_REMOTE_MSG_VMSTATE);
    g_assert_cmpint(m->body[0], ==, 0);
    peer_message_free(m);
    peer_send_attach(rig->peer, rig->speeds, 0, 0, NULL, 0);
    rig_run(rig, 10);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_ATTACHED));
    g_assert_cmpint(usbhc_find_port(rig->hc), <, 0);
    rig_cont(rig);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    rig->dev = usbhc_attach(rig->hc);
    rig_free(rig);
}

static void detach_waits_for_cont(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    rig_stop(rig);
    peer_send_detach(rig->peer);
    rig_run(rig, 10);
    g_assert_cmpint(usbhc_find_port(rig->hc), >=, 0);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_DETACHED));
    rig_cont(rig);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_DETACHED);
    rig_expect_unplugged(rig);
    rig_free(rig);
}

static void disconnect_waits_for_cont(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    rig_stop(rig);
    peer_close(rig->peer);
    rig_run(rig, 10);
    g_assert_cmpint(usbhc_find_port(rig->hc), >=, 0);
    rig_connect(rig);
    peer_send_attach(rig->peer, rig->speeds, 0, 0, NULL, 0);
    rig_run(rig, 10);
    rig_cont(rig);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    rig_unplug_guest(rig);
    rig->dev = usbhc_attach(rig->hc);
    rig_free(rig);
}

/* No message from or to a peer gives the device an occasion. */
static void disconnect_alone_waits_for_cont(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    rig_stop(rig);
    peer_close(rig->peer);
    while (rig_qom_bool(rig, "connected")) {
        rig_step(rig);
    }
    rig_run(rig, 10);
    g_assert_cmpint(usbhc_find_port(rig->hc), >=, 0);
    rig_cont(rig);
    rig_expect_unplugged(rig);
    rig_free(rig);
}

/* Each answer names the attachment it is about, however late it is. */
static void detached_names_what_has_ended(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    PeerMessage *m;

    rig_stop(rig);
    peer_send_detach(rig->peer);
    peer_send_attach(rig->peer, rig->speeds, 0, 0, NULL, 0);
    rig_run(rig, 10);
    rig_cont(rig);
    m = peer_expect(rig->peer, USB_REMOTE_MSG_DETACHED);
    g_assert_cmpint(m->head.attachment, ==, 1);
    peer_message_free(m);
    m = peer_expect(rig->peer, USB_REMOTE_MSG_ATTACHED);
    g_assert_cmpint(m->head.attachment, ==, 2);
    peer_message_free(m);
    rig_free(rig);
}

/* A peer that is gone takes the answers with it that it had to get. */
static void next_peer_is_not_told_of_the_last_detach(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    rig_stop(rig);
    peer_send_detach(rig->peer);
    rig_connect(rig);
    peer_send_attach(rig->peer, rig->speeds, 0, 0, NULL, 0);
    rig_run(rig, 10);
    rig_cont(rig);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    g_assert_false(peer_has(rig->peer, USB_REMOTE_MSG_DETACHED));
    rig_free(rig);
}

static void device_del_while_stopped(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, 64);

    peer_expect_free(rig->peer, USB_REMOTE_MSG_SUBMIT);
    rig_stop(rig);
    qtest_qmp_device_del(rig->qts, "dev0");
    peer_expect_free(rig->peer, USB_REMOTE_MSG_BYE);
    rig_cont(rig);
    usbhc_transfer_free(xfer);
    rig_unplug_guest(rig);
    rig_device_add(rig);
    rig_connect(rig);
    rig_plug(rig);
    rig_free(rig);
}

/* Chardevs */

static void chardev_change_in_flight(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    g_autofree char *other = g_strdup_printf("%s/other", rig->dir);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, 64);

    peer_expect_free(rig->peer, USB_REMOTE_MSG_SUBMIT);
    rig_chardev_change(rig, other);
    peer_expect_eof(rig->peer);
    rig_expect_unplugged(rig);
    usbhc_transfer_free(xfer);
    rig_unplug_guest(rig);
    rig_connect(rig);
    rig_plug(rig);
    rig_free(rig);
}

/*
 * The old one is opened anew in the middle of messages, so it is of no use:
 * no handshake is waited for.
 */
static void refused_chardev_ends_the_connection(const void *opaque)
{
    Rig *rig = rig_new(opaque, ",peer-timeout=0");
    QDict *r;

    rig_connect(rig);
    rig_plug(rig);
    r = qtest_qmp(rig->qts,
        "{ 'execute': 'chardev-change', 'arguments': { 'id': 'c0', "
        "'backend': { 'type': 'pty', 'data': {} } } }");
    g_assert_true(qdict_haskey(r, "error"));
    qobject_unref(r);
    peer_expect_eof(rig->peer);
    rig_expect_log(rig, "cannot be disconnected by QEMU");
    rig_expect_unplugged(rig);
    rig_unplug_guest(rig);
    rig_connect(rig);
    rig_plug(rig);
    rig_free(rig);
}

static void refused(Rig *rig, const char *chardev, const char *why)
{
    QDict *r = qtest_qmp(rig->qts, "{ 'execute': 'device_add', 'arguments': "
                         "{ 'driver': 'usb-remote', 'id': 'x', 'bus': 'hc.0',"
                         " 'chardev': %s } }", chardev);
    QDict *error = qdict_get_qdict(r, "error");

    g_assert_nonnull(error);
    g_test_message("%s: %s", chardev, qdict_get_str(error, "desc"));
    g_assert_nonnull(strstr(qdict_get_str(error, "desc"), why));
    qobject_unref(r);
}

static void unfit_chardevs_are_refused(const void *opaque)
{
    Rig *rig = rig_new_bare(opaque,
        "-chardev null,id=n0 "
        "-chardev socket,id=s0,host=127.0.0.1,port=0,server=on,wait=off,mux=on "
        "-chardev ringbuf,id=r0");
    QDict *r;

    r = qtest_qmp(rig->qts, "{ 'execute': 'device_add', 'arguments': "
                  "{ 'driver': 'usb-remote', 'id': 'x', 'bus': 'hc.0' } }");
    g_assert_nonnull(strstr(qdict_get_str(qdict_get_qdict(r, "error"),
                                          "desc"), "chardev"));
    qobject_unref(r);
    refused(rig, "nobody", "nobody");
    refused(rig, "n0", "n0");
    refused(rig, "s0", "s0");
    refused(rig, "r0", "r0");
    rig_device_add(rig);
    refused(rig, "c0", "c0");
    rig_connect(rig);
    rig_plug(rig);
    rig_free(rig);
}

static void chardev_survives_device_del(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    QDict *r;

    qtest_qmp_device_del(rig->qts, "dev0");
    rig_unplug_guest(rig);
    r = qtest_qmp(rig->qts, "{ 'execute': 'chardev-remove', "
                  "'arguments': { 'id': 'c0' } }");
    g_assert_true(qdict_haskey(r, "return"));
    qobject_unref(r);
    rig_free(rig);
}

static void chardev_as_client_reconnects(const void *opaque)
{
    Rig *rig = rig_new_bare(opaque, NULL);
    g_autofree char *path = g_strdup_printf("%s/client", rig->dir);
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
    g_assert_cmpint(bind(listener, (struct sockaddr *)&addr, sizeof(addr)),
                    ==, 0);
    g_assert_cmpint(listen(listener, 1), ==, 0);
    qtest_qmp_assert_success(rig->qts,
        "{ 'execute': 'chardev-add', 'arguments': { 'id': 'c1', "
        "'backend': { 'type': 'socket', 'data': { 'addr': { 'type': 'unix', "
        "'data': { 'path': %s } }, 'server': false, 'reconnect-ms': 50 } } } }",
        path);
    qtest_qmp_device_add(rig->qts, "usb-remote", "dev0",
                         "{ 'bus': 'hc.0', 'chardev': 'c1' }");
    rig->peer->fd = accept(listener, NULL, NULL);
    peer_handshake(rig->peer);
    rig_plug(rig);
    peer_close(rig->peer);
    peer_forget(rig->peer);
    rig_expect_unplugged(rig);
    rig_unplug_guest(rig);
    rig->peer->fd = accept(listener, NULL, NULL);
    peer_handshake(rig->peer);
    rig_plug(rig);
    close(listener);
    rig->quiet = true;
    rig_free(rig);
}

/* Hubs */

static Rig *rig_behind_hub(const UsbHcDriver *drv, UsbHcDevice **hub)
{
    Rig *rig = rig_new_bare(drv, NULL);

    rig_hub_add(rig);
    *hub = usbhc_attach(rig->hc);
    usbhc_control(*hub, 0, 9, 1, 0, NULL, 0, NULL);
    rig_device_add_behind_hub(rig);
    rig->speeds = 1 << USBHC_FULL;
    rig_connect(rig);
    peer_attach(rig->peer, rig->speeds);
    rig->dev = usbhc_attach_behind(*hub, RIG_HUB_PORT);
    rig_configure(rig);
    return rig;
}

static void works_behind_a_hub(const void *opaque)
{
    UsbHcDevice *hub;
    Rig *rig = rig_behind_hub(opaque, &hub);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, 64);

    peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_IN), "hello", 5);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    g_assert_cmpmem(xfer->data, xfer->actual, "hello", 5);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void hub_unplugged_in_flight(const void *opaque)
{
    UsbHcDevice *hub;
    Rig *rig = rig_behind_hub(opaque, &hub);
    UsbHcTransfer *in = usbhc_submit(rig->bulk_in, NULL, 64);
    UsbHcTransfer *out = usbhc_submit(rig->bulk_out, "data", 4);

    peer_expect_free(rig->peer, USB_REMOTE_MSG_SUBMIT);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_SUBMIT);
    qtest_qmp_device_del(rig->qts, "hub");
    peer_expect_free(rig->peer, USB_REMOTE_MSG_BYE);
    peer_expect_eof(rig->peer);
    rig_run(rig, 10);
    usbhc_transfer_free(in);
    usbhc_transfer_free(out);
    rig_expect_unplugged(rig);
    rig_unplug_guest(rig);
    usbhc_close(hub);
    rig_device_add(rig);
    rig_connect(rig);
    rig_plug(rig);
    rig_free(rig);
}

/* Command lines that end with one line and a failure */

static void must_not_start(const char *args, const char *why)
{
    g_autofree char *command = g_strdup_printf(
        "%s -machine pc -nodefaults -display none -device qemu-xhci %s",
        getenv("QTEST_QEMU_BINARY"), args);
    g_autofree char *all = NULL, *err = NULL;
    int status = 0;

    g_assert_true(g_spawn_command_line_sync(command, NULL, &all, &status,
                                            NULL));
    err = rig_without_notes(all);
    g_test_message("%s: %s", args, err);
    g_assert_cmpint(status, !=, 0);
    g_assert_nonnull(strstr(err, why));
    g_assert_true(strchr(err, '\n') == err + strlen(err) - 1);
}

static void wrong_command_lines(const void *opaque)
{
    must_not_start("-accel qtest -device usb-remote,id=d", "chardev");
    must_not_start("-accel qtest -device usb-remote,id=d,chardev=none",
                   "none");
    must_not_start("-accel qtest -chardev null,id=n "
                   "-device usb-remote,id=d,chardev=n", "n");
}

static void record_is_refused(const void *opaque)
{
    g_autofree char *dir = g_dir_make_tmp("usb-remote-XXXXXX", NULL);
    g_autofree char *file = g_strdup_printf("%s/rr", dir);
    g_autofree char *args = g_strdup_printf(
        "-accel tcg -icount shift=0,rr=record,rrfile=%s "
        "-chardev socket,id=c,path=%s/s,server=on,wait=off "
        "-device usb-remote,id=d,chardev=c", file, dir);

    must_not_start(args, "record");
    rig_remove_dir(dir);
}

/* The rest */

static void pcap_of_unknown_endpoints(const void *opaque)
{
    Rig *rig = rig_new_bare(opaque, NULL);
    g_autofree char *file = g_strdup_printf("%s/pcap", rig->dir);
    UsbHcEndpoint *in, *out;
    UsbHcTransfer *a, *b;
    struct stat st;

    qtest_qmp_device_add(rig->qts, "usb-remote", "dev0",
                         "{ 'bus': 'hc.0', 'chardev': 'c0', 'pcap': %s }",
                         file);
    rig_connect(rig);
    rig_plug(rig);
    in = usbhc_ep(rig->dev, 0x8e, USBHC_BULK, 64, 0);
    out = usbhc_ep(rig->dev, 0x0e, USBHC_BULK, 64, 0);
    a = usbhc_submit(in, NULL, 64);
    b = usbhc_submit(out, "data", 4);
    rig_run(rig, 20);
    peer_close(rig->peer);
    rig_expect_unplugged(rig);
    usbhc_transfer_free(a);
    usbhc_transfer_free(b);
    rig_unplug_guest(rig);
    qtest_qmp_device_del(rig->qts, "dev0");
    g_assert_cmpint(stat(file, &st), ==, 0);
    g_assert_cmpint(st.st_size, >, 100);
    rig_free(rig);
}

/* As usb-redir does: SeaBIOS looks for "usb-*" at the port it boots from. */
static void bootindex_names_the_port(const void *opaque)
{
    Rig *rig = rig_new(opaque, ",bootindex=0,port=2");
    QFWCFG *fw_cfg = pc_fw_cfg_init(rig->qts);
    g_autofree char *order = g_malloc0(BOOT_ORDER_MAX);

    g_assert_cmpint(qfw_cfg_get_file(fw_cfg, "bootorder", order,
                                     BOOT_ORDER_MAX), >, 0);
    g_test_message("%s", order);
    g_assert_true(g_str_has_prefix(order, "/pci@i0cf8/usb@"));
    g_assert_true(g_str_has_suffix(order, "/usb-remote@2"));
    pc_fw_cfg_uninit(fw_cfg);
    rig_free(rig);
}

static void info_names_the_device(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    g_autofree char *usb = qtest_hmp(rig->qts, "info usb");
    g_autofree char *qtree = qtest_hmp(rig->qts, "info qtree");

    g_assert_nonnull(strstr(usb, "dev0"));
    g_assert_nonnull(strstr(qtree, "usb-remote"));
    g_assert_nonnull(strstr(qtree, "peer-timeout = 10000"));
    rig_free(rig);
}

static void system_reset_in_flight(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *in = usbhc_submit(rig->bulk_in, NULL, 64);
    PeerMessage *m = rig_submit(rig, PEER_BULK_IN);

    qtest_system_reset(rig->qts);
    peer_answer_ok(rig->peer, m, "late", 4);
    usbhc_done(in, USBHC_CANCELLED, 0);
    usbhc_transfer_free(in);
    rig->hc = usbhc_renew(rig->hc);
    rig->dev = usbhc_attach(rig->hc);
    rig_configure(rig);
    in = usbhc_submit(rig->bulk_in, NULL, 64);
    peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_IN), "new", 3);
    g_assert_cmpint(usbhc_wait(in), ==, USBHC_SHORT);
    g_assert_cmpmem(in->data, in->actual, "new", 3);
    usbhc_transfer_free(in);
    rig_free(rig);
}

static void add_all(const UsbHcDriver *drv)
{
    rig_add(drv, "bootindex-names-the-port", bootindex_names_the_port);
    rig_add(drv, "nothing-completes-while-stopped",
            nothing_completes_while_stopped);
    rig_add(drv, "attach-is-answered-when-it-runs",
            attach_is_answered_when_it_runs);
    rig_add(drv, "detach-waits-for-cont", detach_waits_for_cont);
    rig_add(drv, "disconnect-waits-for-cont", disconnect_waits_for_cont);
    rig_add(drv, "device-del-while-stopped", device_del_while_stopped);
    rig_add(drv, "chardev-change-in-flight", chardev_change_in_flight);
    rig_add(drv, "system-reset-in-flight", system_reset_in_flight);
    rig_add(drv, "pcap-of-unknown-endpoints", pcap_of_unknown_endpoints);
    if (drv->speeds & (1 << USBHC_FULL)) {
        rig_add(drv, "works-behind-a-hub", works_behind_a_hub);
        rig_add(drv, "hub-unplugged-in-flight", hub_unplugged_in_flight);
    }
}

void usb_remote_machine_add(void)
{
    const UsbHcDriver *drv = &usbhc_xhci;
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rig_drivers); i++) {
        add_all(rig_drivers[i]);
    }
    rig_add(drv, "unfit-chardevs-are-refused", unfit_chardevs_are_refused);
    rig_add(drv, "disconnect-alone-waits-for-cont",
            disconnect_alone_waits_for_cont);
    rig_add(drv, "detached-names-what-has-ended",
            detached_names_what_has_ended);
    rig_add(drv, "next-peer-is-not-told-of-the-last-detach",
            next_peer_is_not_told_of_the_last_detach);
    rig_add(drv, "refused-chardev-ends-the-connection",
            refused_chardev_ends_the_connection);
    rig_add(drv, "chardev-survives-device-del", chardev_survives_device_del);
    rig_add(drv, "chardev-as-client-reconnects", chardev_as_client_reconnects);
    rig_add(drv, "wrong-command-lines-are-told", wrong_command_lines);
    if (qtest_has_accel("tcg")) {
        rig_add(drv, "record-is-refused", record_is_refused);
    }
    rig_add(drv, "info-names-the-device", info_names_the_device);
}
