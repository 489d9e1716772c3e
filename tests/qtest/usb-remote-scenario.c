/*
 * usb-remote cases: what a hostile or unlucky world does
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each is a scenario that has broken a USB device of QEMU's, or could.  The
 * ones that the other files have for their own subject are not repeated.
 */

#include "qemu/osdep.h"
#include <sys/ioctl.h>
#include "qobject/qdict.h"
#include "usb-remote-rig.h"

#define LARGE       65536
#define DEPTH       16

/* A port that was emptied, and used again from both sides */
static void plug_again(Rig *rig)
{
    rig_expect_unplugged(rig);
    rig_unplug_guest(rig);
    rig_connect(rig);
    rig_plug(rig);
    rig_out(rig, rig->bulk_out, 64);
}

/* In steps at which a controller that polls still takes part */
static void a_minute_passes(Rig *rig)
{
    int i;

    for (i = 0; i < 240; i++) {
        usbhc_step(rig->hc, 250 * USBHC_FRAME_NS);
    }
}

/* Answers */

/*
 * The first packet of a transfer is at the peer; those behind it have no id
 * yet, however well the peer guesses.
 */
static void packet_in_the_queue_has_no_id(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, LARGE);
    PeerMessage *m = rig_submit(rig, PEER_BULK_IN);

    m->head.id = m->head.id + 1;
    peer_answer_ok(rig->peer, m, "x", 1);
    peer_expect_error(rig->peer, USB_REMOTE_ERROR_UNKNOWN_ID);
    rig_expect_log(rig, "'dev0'");
    rig_expect_unplugged(rig);
    usbhc_transfer_free(xfer);
    plug_again(rig);
    rig_free(rig);
}

static void answers_byte_by_byte(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    rig->peer->dribble = true;
    rig_in(rig, rig->bulk_in, 64, 64);
    rig_out(rig, rig->bulk_out, 64);
    rig_in(rig, rig->int_in, 8, 8);
    rig_out(rig, rig->int_out, 8);
    rig->peer->auto_control = false;
    rig_control_read(rig, 64, 64);
    rig_free(rig);
}

static void answered_after_a_minute(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);
    int i;

    a_minute_passes(rig);
    for (i = 0; i < RIG_FLIGHT; i++) {
        peer_send_complete(rig->peer, &f.submit[i], USB_REMOTE_STATUS_OK,
                           NULL, 0, NULL, -1);
    }
    for (i = 0; i < RIG_FLIGHT; i++) {
        usbhc_wait(f.xfer[i]);
        g_assert_true(f.xfer[i]->status == USBHC_OK ||
                      f.xfer[i]->status == USBHC_SHORT);
        usbhc_transfer_free(f.xfer[i]);
    }
    rig_free(rig);
}

/*
 * A poll that was given up leaves its request at the peer, until that answers
 * the CANCEL, where the controller tells that it was.
 */
static void given_up_then_answered_after_a_minute(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->int_in, NULL, 8);
    PeerMessage *m = rig_submit(rig, PEER_INT_IN);

    rig->peer->auto_cancel = false;
    usbhc_cancel(xfer);
    usbhc_transfer_free(xfer);
    a_minute_passes(rig);
    peer_answer_ok(rig->peer, m, "late", 4);
    xfer = usbhc_submit(rig->int_in, NULL, 8);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    g_assert_cmpmem(xfer->data, xfer->actual, "late", 4);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* QEMU sleeps while the peer answers: all of it is on the wire, unread. */
static void answer_unread(Rig *rig, PeerMessage *m, uint8_t data)
{
    int unread = 0;

    rig_freeze(rig);
    peer_answer_ok(rig->peer, m, &data, 1);
    g_assert_cmpint(ioctl(rig->peer->fd, TIOCOUTQ, &unread), ==, 0);
    g_assert_cmpint(unread, >, 0);
    rig_thaw(rig);
}

/* All but the last byte of the answer is sent; returns that. */
static uint8_t answer_in_part(Rig *rig, PeerMessage *m, uint8_t data)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();

    rig->peer->held = bytes;
    peer_answer_ok(rig->peer, m, &data, 1);
    rig->peer->held = NULL;
    peer_send_bytes(rig->peer, bytes->data, bytes->len - 1);
    return bytes->data[bytes->len - 1];
}

/*
 * The guest takes a transfer back while its answer is on the wire.  Each
 * answer is seen once: in that transfer or, which is certain if some of it
 * was not sent yet, in the next one.
 */
static void taken_back_while_answered(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    uint8_t round, last;

    rig->hc->linger = 40;
    for (round = 0; round < 10; round++) {
        UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, 64);
        PeerMessage *m = rig_submit(rig, PEER_BULK_IN);

        if (round & 1) {
            answer_unread(rig, m, round);
            usbhc_cancel(xfer);
        } else {
            last = answer_in_part(rig, m, round);
            usbhc_cancel(xfer);
            g_assert_cmpint(xfer->status, ==, USBHC_CANCELLED);
            peer_send_bytes(rig->peer, &last, 1);
        }
        if (xfer->status == USBHC_CANCELLED) {
            usbhc_transfer_free(xfer);
            xfer = usbhc_submit(rig->bulk_in, NULL, 64);
        }
        g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
        g_assert_cmpmem(xfer->data, xfer->actual, &round, 1);
        usbhc_transfer_free(xfer);
    }
    rig_free(rig);
}

/* Connections */

/*
 * The peer reads nothing until QEMU can send no more.  Where the device has
 * only one request at the peer, the rest is VMSTATE: the socket is full when
 * a new one does not arrive.
 */
static UsbHcTransfer *fill_the_socket(Rig *rig)
{
    g_autofree uint8_t *data = g_malloc0(LARGE);
    UsbHcTransfer *xfer;
    int before;

    rig->peer->deaf = true;
    do {
        before = rig_unread(rig);
        xfer = usbhc_submit(rig->bulk_out, data, LARGE);
        rig->strays = g_slist_prepend(rig->strays, xfer);
    } while (rig_unread(rig) != before);
    rig_deafen(rig);
    return xfer;
}

static void closed_while_qemu_sends(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer = fill_the_socket(rig);

    peer_close(rig->peer);
    rig->peer->deaf = false;
    rig->strays = g_slist_prepend(rig->strays,
                                  usbhc_submit(rig->bulk_in, NULL, 64));
    rig_expect_unplugged(rig);
    g_assert_cmpint(xfer->status, !=, USBHC_OK);
    plug_again(rig);
    rig_free(rig);
}

static void violation_while_qemu_cannot_send(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    fill_the_socket(rig);
    peer_send_hello(rig->peer);
    rig_expect_log(rig, "'dev0'");
    rig_expect_unplugged(rig);
    peer_close(rig->peer);
    rig->peer->deaf = false;
    plug_again(rig);
    rig_free(rig);
}

static void chardev_change_while_qemu_cannot_send(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    g_autofree char *other = g_strdup_printf("%s/other", rig->dir);
    UsbHcTransfer *xfer = fill_the_socket(rig);

    rig_chardev_change(rig, other);
    rig->peer->raw = true;              /* the last message is cut off */
    rig->peer->deaf = false;
    peer_expect_eof(rig->peer);
    rig->peer->raw = false;
    rig_expect_unplugged(rig);
    rig_run(rig, 5);
    g_assert_cmpint(xfer->status, !=, USBHC_OK);
    plug_again(rig);
    rig_free(rig);
}

static void refuse_chardev(Rig *rig, const char *type)
{
    QDict *r = qtest_qmp(rig->qts,
        "{ 'execute': 'chardev-change', 'arguments': { 'id': 'c0', "
        "'backend': { 'type': %s, 'data': {} } } }", type);

    g_assert_true(qdict_haskey(r, "error"));
    qobject_unref(r);
    rig->quiet = true;
}

/*
 * Refused.  A type that is open at once costs nothing: what is in flight is
 * answered.  For another, QEMU says CLOSED first, and that is an unplug.
 */
static void chardev_change_to_another_type(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);
    int i;

    refuse_chardev(rig, "ringbuf");
    for (i = 0; i < RIG_FLIGHT; i++) {
        peer_send_complete(rig->peer, &f.submit[i], USB_REMOTE_STATUS_OK,
                           NULL, 0, NULL, -1);
    }
    for (i = 0; i < RIG_FLIGHT; i++) {
        g_assert_cmpint(usbhc_wait(f.xfer[i]), <=, USBHC_SHORT);
        usbhc_transfer_free(f.xfer[i]);
    }
    f = rig_take_off(rig);
    refuse_chardev(rig, "null");
    peer_expect_eof(rig->peer);
    g_assert_cmpint(rig_qom_number(rig, "violations"), ==, 0);
    rig_expect_unplugged(rig);
    rig_run(rig, 5);
    rig_land(rig, &f);
    plug_again(rig);
    rig_free(rig);
}

static void next_peer_waits_in_line(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);
    Peer *next = peer_new(rig_step, rig);

    peer_connect(next, rig->path);
    peer_free(rig->peer);
    rig->peer = next;
    usbhc_set_idle(rig->hc, peer_pump, next);
    peer_handshake(next);
    rig_expect_unplugged(rig);
    rig_run(rig, 5);
    rig_land(rig, &f);
    rig_unplug_guest(rig);
    rig_plug(rig);
    rig_out(rig, rig->bulk_out, 64);
    rig_free(rig);
}

/* One WAKEUP with @fd beside it, @n times */
static void send_descriptors(Peer *peer, int fd, unsigned n)
{
    UsbRemoteHead h = {
        .type = USB_REMOTE_MSG_WAKEUP, .length = sizeof(UsbRemoteWakeup),
        .attachment = peer->attachment,
    };
    uint8_t buf[sizeof(UsbRemoteHeader) + sizeof(UsbRemoteWakeup)] = { 0 };
    g_autofree char *control = g_malloc0(CMSG_SPACE(n * sizeof(int)));
    struct iovec iov = { buf, sizeof(buf) };
    struct msghdr msg = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
        .msg_controllen = CMSG_SPACE(n * sizeof(int)),
    };
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
    unsigned i;

    usb_remote_put_header(buf, &h);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(n * sizeof(int));
    for (i = 0; i < n; i++) {
        memcpy(CMSG_DATA(cmsg) + i * sizeof(int), &fd, sizeof(int));
    }
    g_assert_cmpint(sendmsg(peer->fd, &msg, MSG_NOSIGNAL), ==, sizeof(buf));
}

/* QEMU's chardev holds the last 16; nobody asks for them. */
static void descriptors_do_not_add_up(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    unsigned before = rig_fds(rig), i;
    int fd = open("/dev/null", O_RDWR);

    for (i = 0; i < 50; i++) {
        send_descriptors(rig->peer, fd, i & 1 ? 16 : 64);
        rig_step(rig);
    }
    close(fd);
    rig_out(rig, rig->bulk_out, 64);
    g_assert_cmpint(rig_fds(rig), <=, before + 16);
    peer_close(rig->peer);
    rig_expect_unplugged(rig);
    plug_again(rig);
    g_assert_cmpint(rig_fds(rig), ==, before);
    rig_free(rig);
}

/* Plugging and unplugging */

static void device_del_with_all_in_flight(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    RigFlight f = rig_take_off(rig);
    UsbHcTransfer *xfer[2 * DEPTH];
    unsigned i;

    for (i = 0; i < 2 * DEPTH; i++) {
        xfer[i] = usbhc_submit(i & 1 ? rig->bulk_in : rig->bulk_out, "data",
                               4);
    }
    rig_run(rig, 3);
    qtest_qmp_device_del(rig->qts, "dev0");
    peer_expect_free(rig->peer, USB_REMOTE_MSG_BYE);
    rig_expect_unplugged(rig);
    rig_run(rig, 5);
    rig_land(rig, &f);
    for (i = 0; i < 2 * DEPTH; i++) {
        g_assert_cmpint(xfer[i]->status, !=, USBHC_OK);
        g_assert_cmpint(xfer[i]->status, !=, USBHC_SHORT);
        usbhc_transfer_free(xfer[i]);
    }
    rig_device_add(rig);
    plug_again(rig);
    rig_free(rig);
}

/* As much as the socket takes */
static void flood(Peer *peer)
{
    UsbRemoteHead h = {
        .type = USB_REMOTE_MSG_WAKEUP, .length = sizeof(UsbRemoteWakeup),
        .attachment = peer->attachment,
    };
    uint8_t one[sizeof(UsbRemoteHeader) + sizeof(UsbRemoteWakeup)] = { 0 };
    g_autoptr(GByteArray) many = g_byte_array_new();
    int i;

    usb_remote_put_header(one, &h);
    for (i = 0; i < 500; i++) {
        g_byte_array_append(many, one, sizeof(one));
    }
    for (i = 0; i < 20 && peer_try_send(peer, many->data, many->len); i++) {
        continue;
    }
}

/* Nobody waits for an answer before the next command goes out. */
static void device_del_in_a_burst(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    int round, i;

    for (round = 0; round < 3; round++) {
        UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, 64);

        flood(rig->peer);
        for (i = 0; i < 3; i++) {
            qtest_qmp_send(rig->qts, "{ 'execute': 'device_del', "
                           "'arguments': { 'id': 'dev0' } }");
            qtest_qmp_send(rig->qts, "{ 'execute': 'device_add', "
                           "'arguments': { 'driver': 'usb-remote', "
                           "'id': 'dev0', 'bus': 'hc.0', 'chardev': 'c0' } }");
        }
        for (i = 0; i < 6; i++) {
            QDict *r = qtest_qmp_receive(rig->qts);

            g_assert_true(qdict_haskey(r, "return"));
            qobject_unref(r);
        }
        usbhc_transfer_free(xfer);
        plug_again(rig);
    }
    rig_free(rig);
}

/* device_add with a @property that does not do */
static void fail_to_add(Rig *rig, const char *property, const char *value)
{
    QDict *args = qdict_new(), *r;

    qdict_put_str(args, "driver", "usb-remote");
    qdict_put_str(args, "id", "dev0");
    qdict_put_str(args, "bus", "hc.0");
    qdict_put_str(args, "chardev", "c0");
    qdict_put_str(args, property, value);
    r = qtest_qmp(rig->qts, "{ 'execute': 'device_add', 'arguments': %p }",
                  args);
    g_assert_true(qdict_haskey(r, "error"));
    qobject_unref(r);
    rig_run(rig, 3);
}

/*
 * The chardev outlives it, and so does the peer that waits there; one that
 * the device has greeted already is told that it goes.
 */
static void device_add_fails_then_succeeds(const void *opaque)
{
    g_autofree char *too_long = g_strnfill(USB_REMOTE_MAX_SELECT + 1, 'x');
    Rig *rig = rig_new_bare(opaque, NULL);
    unsigned fds = 0;
    int i;

    for (i = 0; i < 3; i++) {
        peer_connect(rig->peer, rig->path);
        rig_run(rig, 3);
        fds = fds ?: rig_fds(rig);
        fail_to_add(rig, "port", "99");
        fail_to_add(rig, "select", too_long);
        g_assert_cmpint(rig_fds(rig), ==, fds);
        fail_to_add(rig, "pcap", "/nonexistent/pcap");
        peer_expect_free(rig->peer, USB_REMOTE_MSG_BYE);
        peer_expect_eof(rig->peer);
        peer_close(rig->peer);
        g_assert_cmpint(rig_fds(rig), ==, fds - 1);
    }
    peer_connect(rig->peer, rig->path);
    fail_to_add(rig, "select", too_long);
    rig_device_add(rig);
    peer_handshake(rig->peer);
    rig_plug(rig);
    rig_out(rig, rig->bulk_out, 64);
    rig_free(rig);
}

/* Wakeups */

static bool port_resumes(Rig *rig)
{
    return usbhc_port(rig->hc, rig->dev->port).resume;
}

static void set_remote_wakeup(Rig *rig, bool on)
{
    g_assert_cmpint(usbhc_control(rig->dev, 0, on ? 3 : 1, 1, 0, NULL, 0,
                                  NULL), ==, USBHC_OK);
}

static void wakeup_that_was_cleared(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    set_remote_wakeup(rig, true);
    set_remote_wakeup(rig, false);
    usbhc_port_suspend(rig->hc, rig->dev->port);
    peer_send_wakeup(rig->peer);
    rig_run(rig, 20);
    g_assert_false(port_resumes(rig));
    rig_free(rig);
}

static void storm_of_wakeups(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *in = usbhc_submit(rig->bulk_in, NULL, 64);
    PeerMessage *m = rig_submit(rig, PEER_BULK_IN);

    set_remote_wakeup(rig, true);
    flood(rig->peer);
    rig_run(rig, 5);
    usbhc_port_suspend(rig->hc, rig->dev->port);
    peer_close(rig->peer);
    rig_expect_unplugged(rig);
    peer_message_free(m);
    usbhc_transfer_free(in);
    plug_again(rig);
    set_remote_wakeup(rig, true);
    in = usbhc_submit(rig->bulk_in, NULL, 64);
    m = rig_submit(rig, PEER_BULK_IN);
    flood(rig->peer);
    rig_run(rig, 5);
    g_assert_cmpint(in->status, ==, USBHC_PENDING);
    usbhc_transfer_free(in);
    peer_message_free(m);
    rig_free(rig);
}

/* The power management of the machine type "pc": PIIX4, function 1.3 */
#define PM_DEVFN            QPCI_DEVFN(1, 3)
#define PM_BASE_REGISTER    0x40
#define PM_IO               0x80
#define PM_BASE             0xb000
#define PM_CONTROL          (PM_BASE + 4)
#define SLEEP_S3            ((1 << 13) | (1 << 10))

static void suspend_to_ram(Rig *rig)
{
    QPCIDevice *pm = qpci_device_find(rig->hc->pcibus, PM_DEVFN);

    qpci_config_writel(pm, PM_BASE_REGISTER, PM_BASE | 1);
    qpci_config_writeb(pm, PM_IO, 1);
    qtest_outw(rig->qts, PM_CONTROL, SLEEP_S3);
    qtest_qmp_eventwait(rig->qts, "SUSPEND");
    g_free(pm);
}

static void expect_suspended(Rig *rig)
{
    QDict *r = qtest_qmp(rig->qts, "{ 'execute': 'query-status' }");

    g_assert_cmpstr(qdict_get_str(qdict_get_qdict(r, "return"), "status"), ==,
                    "suspended");
    qobject_unref(r);
}

/*
 * QEMU's USB controllers do not wake the machine: a WAKEUP resumes the port
 * at most.  Who wakes it resets it too, and the peer's device is still there.
 */
static void wakeup_in_s3(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *in = usbhc_submit(rig->bulk_in, NULL, 64);

    peer_message_free(rig_submit(rig, PEER_BULK_IN));
    set_remote_wakeup(rig, true);
    usbhc_port_suspend(rig->hc, rig->dev->port);
    suspend_to_ram(rig);
    flood(rig->peer);
    rig_run(rig, 20);
    expect_suspended(rig);
    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'system_wakeup' }");
    qtest_qmp_eventwait(rig->qts, "WAKEUP");
    usbhc_done(in, USBHC_CANCELLED, 0);
    usbhc_transfer_free(in);
    rig->hc = usbhc_renew(rig->hc);
    rig->dev = usbhc_attach(rig->hc);
    rig_configure(rig);
    rig_in(rig, rig->bulk_in, 64, 64);
    rig_free(rig);
}

/* Transfers */

/* One of the transfers in a queue ends early; the others are whole. */
static void ends_short_with_more_queued(const void *opaque)
{
    const uint32_t given[] = { 10000, 4096, 4096 };
    const uint32_t size[] = { LARGE, 4096, 8192 };
    g_autofree uint8_t *data = g_malloc(LARGE);
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer[G_N_ELEMENTS(size)];
    size_t i;

    rig_fill(data, LARGE, 12);
    for (i = 0; i < G_N_ELEMENTS(size); i++) {
        xfer[i] = usbhc_submit(rig->bulk_in, NULL, size[i]);
    }
    for (i = 0; i < G_N_ELEMENTS(size); i++) {
        uint32_t at = 0, n, asked;

        do {
            PeerMessage *m = rig_submit(rig, PEER_BULK_IN);

            asked = peer_submit_length(m);
            n = MIN(asked, given[i] - at);
            peer_answer_ok(rig->peer, m, data + at, n);
            at += n;
        } while (n == asked && at < size[i]);
    }
    for (i = 0; i < G_N_ELEMENTS(size); i++) {
        g_assert_cmpint(usbhc_wait(xfer[i]), ==,
                        given[i] < size[i] ? USBHC_SHORT : USBHC_OK);
        g_assert_cmpmem(xfer[i]->data, xfer[i]->actual, data, given[i]);
        usbhc_transfer_free(xfer[i]);
    }
    rig_free(rig);
}

static void all_zero_setup(const void *opaque)
{
    static const uint8_t zero[8];
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer;
    PeerMessage *m;

    rig->peer->auto_control = false;
    xfer = usbhc_submit_control(rig->dev, zero, NULL);
    if (rig->drv == &usbhc_xhci) {      /* the core does not let it pass */
        g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_STALL);
        usbhc_ep_recover(rig->dev->ep0);
    } else {
        m = rig_submit(rig, 0);
        g_assert_cmpmem(peer_submit(m)->setup, 8, zero, 8);
        peer_answer_ok(rig->peer, m, NULL, 0);
        g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    }
    usbhc_transfer_free(xfer);
    rig_control_read(rig, 8, 8);
    rig_free(rig);
}

/* A guest may aim a transfer at a register: here, the I/O APIC's. */
#define MMIO        0xfec00000

static void data_at(Rig *rig, UsbHcEndpoint *ep, uint32_t length)
{
    UsbHcTransfer *xfer = usbhc_submit_at(ep, MMIO, length);
    g_autofree uint8_t *data = g_malloc0(length);
    int i;

    for (i = 0; i < 20 && xfer->status == USBHC_PENDING; i++) {
        PeerMessage *m = peer_take(rig->peer, USB_REMOTE_MSG_SUBMIT);

        if (m) {
            bool in = peer_submit(m)->endpoint[0] & 0x80;

            peer_answer_ok(rig->peer, m, in ? data : NULL,
                           MIN(peer_submit_length(m), length));
        }
        rig_step(rig);
    }
    usbhc_transfer_free(xfer);
}

static void data_in_registers(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    data_at(rig, rig->bulk_out, 64);
    data_at(rig, rig->bulk_in, 64);
    data_at(rig, rig->bulk_out, 16384);
    data_at(rig, rig->bulk_in, 16384);
    data_at(rig, rig->int_in, 8);
    rig_run(rig, 200);
    peer_close(rig->peer);
    if (rig->drv == &usbhc_ohci) {      /* a DMA error ends its work */
        qtest_qmp_assert_success(rig->qts, "{ 'execute': 'query-status' }");
    } else {
        plug_again(rig);
        rig_in(rig, rig->bulk_in, 64, 64);
    }
    rig_free(rig);
}

/* Endpoints */

static void undeclared_endpoint(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    rig_in(rig, usbhc_ep(rig->dev, 0x8e, USBHC_BULK, 64, 0), 64, 10);
    rig_out(rig, usbhc_ep(rig->dev, 0x0e, USBHC_BULK, 64, 0), 64);
    rig_free(rig);
}

static const uint8_t impossible[] = {
    9, 2, 58, 0, 1, 1, 0, 0x80, 50,
    9, 4, 0, 0, 5, 0xff, 0, 0, 0,
    7, 5, 0x80, 3, 8, 0, 0,         /* endpoint 0, interrupt */
    7, 5, 0x85, 3, 0, 0, 0,         /* no packet size, no interval */
    7, 5, 0x85, 1, 0, 0, 0,         /* the same again, as another type */
    7, 5, 0x06, 2, 0, 0, 0,         /* bulk without a packet size */
    7, 5, 0x07, 0, 64, 0, 0,        /* a second control endpoint */
    5, 5, 0x88, 2, 64,              /* cut off */
};

/* One byte of the above, and what it lies about */
static const struct {
    uint8_t at, value;
} lies[] = {
    { 0, 0 }, { 0, 2 }, { 0, 255 },                     /* bLength */
    { 1, 0 }, { 1, 4 }, { 1, 255 },                     /* bDescriptorType */
    { 2, 0 }, { 2, 8 }, { 2, 9 }, { 2, 57 }, { 2, 59 }, /* wTotalLength */
    { 3, 1 }, { 3, 255 },
    { 4, 0 }, { 4, 255 },                               /* bNumInterfaces */
    { 5, 0 }, { 5, 255 },                       /* bConfigurationValue */
    { 9, 0 }, { 9, 1 }, { 9, 8 }, { 9, 255 },           /* bLength */
    { 10, 2 }, { 10, 5 }, { 10, 255 },                  /* bDescriptorType */
    { 11, 255 }, { 12, 255 },                   /* number and alternate */
    { 13, 0 }, { 13, 255 },                             /* bNumEndpoints */
    { 25, 0 }, { 25, 1 }, { 25, 2 }, { 25, 6 }, { 25, 255 },
    { 26, 2 }, { 26, 4 }, { 26, 255 },
    { 27, 0xff }, { 28, 0xff }, { 30, 0xff }, { 31, 0xff },
};

/* The guest reads what the peer wrote, byte for byte, and goes on. */
static void configure_as(Rig *rig, const uint8_t *config)
{
    PeerDevice *d = &rig->peer->device;
    uint8_t buf[255];
    uint32_t actual;

    memcpy(d->config, config, sizeof(impossible));
    d->config_size = sizeof(impossible);
    g_assert_cmpint(usbhc_control(rig->dev, 0x80, 6, 0x200, 0, buf,
                                  sizeof(buf), &actual), ==, USBHC_SHORT);
    g_assert_cmpmem(buf, actual, config, sizeof(impossible));
    g_assert_cmpint(usbhc_control(rig->dev, 0, 9, 1, 0, NULL, 0, NULL), ==,
                    USBHC_OK);
}

/* What descriptors may not say, the guest reads, and QEMU makes do. */
static void impossible_descriptors(const void *opaque)
{
    Rig *rig = rig_new_peer(opaque);
    UsbHcEndpoint *out;
    size_t i;

    peer_attach(rig->peer, rig->speeds);
    rig->dev = usbhc_attach(rig->hc);
    configure_as(rig, impossible);
    out = usbhc_ep(rig->dev, 0x06, USBHC_BULK, 64, 0);
    rig_out(rig, out, 64);
    rig_out(rig, usbhc_ep(rig->dev, 0x07, USBHC_BULK, 64, 0), 64);
    rig_in(rig, usbhc_ep(rig->dev, 0x88, USBHC_BULK, 64, 0), 64, 64);
    for (i = 0; i < G_N_ELEMENTS(lies); i++) {
        uint8_t config[sizeof(impossible)];

        memcpy(config, impossible, sizeof(config));
        config[lies[i].at] = lies[i].value;
        configure_as(rig, config);
        rig_out(rig, out, 64);
    }
    rig->peer->auto_control = false;
    rig_control_read(rig, 8, 8);
    rig_free(rig);
}

/* The types of all endpoints change under what is in flight. */
static void types_change_in_flight(const void *opaque)
{
    static const UsbRemoteEndpoint table[] = {
        { { PEER_BULK_IN }, { USB_REMOTE_TYPE_INTERRUPT }, { 64 }, { 1 } },
        { { PEER_INT_IN }, { USB_REMOTE_TYPE_BULK }, { 64 } },
        { { PEER_BULK_OUT }, { USB_REMOTE_TYPE_INTERRUPT }, { 64 }, { 1 } },
        { { PEER_INT_OUT }, { USB_REMOTE_TYPE_BULK }, { 64 } },
    };
    const uint8_t setup[8] = { 0x00, 9, 1 };
    Rig *rig = rig_new_plugged(opaque);
    UsbHcEndpoint *eps[] = { rig->bulk_in, rig->int_in, rig->bulk_out,
                             rig->int_out };
    UsbHcTransfer *xfer[G_N_ELEMENTS(eps)];
    PeerMessage *old[G_N_ELEMENTS(eps)], *m;
    size_t i;

    rig->peer->auto_cancel = false;
    for (i = 0; i < G_N_ELEMENTS(eps); i++) {
        xfer[i] = usbhc_submit(eps[i], "data", 4);
        old[i] = rig_submit(rig, eps[i]->address);
    }
    rig_control_with_table(rig, setup, table, G_N_ELEMENTS(table));
    for (i = 0; i < G_N_ELEMENTS(eps); i++) {
        peer_expect_free(rig->peer, USB_REMOTE_MSG_CANCEL);
    }
    for (i = 0; i < G_N_ELEMENTS(eps); i++) {       /* which nobody may see */
        peer_answer_ok(rig->peer, old[i], eps[i]->address & 0x80 ? "old!"
                                                                 : NULL, 4);
    }
    rig->peer->auto_cancel = true;
    for (i = 0; i < G_N_ELEMENTS(eps); i++) {
        usbhc_transfer_free(xfer[i]);
        usbhc_clear_halt(eps[i]);
    }
    peer_drop(rig->peer, USB_REMOTE_MSG_SUBMIT);
    rig_run(rig, 150);
    for (i = 0; i < G_N_ELEMENTS(eps); i++) {
        xfer[i] = usbhc_submit(eps[i], "data", 3);
        m = rig_submit(rig, eps[i]->address);
        g_assert_cmpint(peer_submit(m)->type[0], ==, table[i].type[0]);
        peer_answer_ok(rig->peer, m, eps[i]->address & 0x80 ? "abc" : NULL,
                       3);
        g_assert_cmpint(usbhc_wait(xfer[i]), ==, USBHC_OK);
        if (eps[i]->address & 0x80) {
            g_assert_cmpmem(xfer[i]->data, xfer[i]->actual, "abc", 3);
        }
        usbhc_transfer_free(xfer[i]);
    }
    rig_free(rig);
}

/*
 * Isochronous endpoints read as empty and swallow what is written, while
 * their interface is set again in every frame.
 */
static void iso_under_set_interface(const void *opaque)
{
    static const UsbRemoteEndpoint table[] = {
        { { 0x83 }, { USB_REMOTE_TYPE_ISO }, { 64 }, { 1 } },
        { { 0x03 }, { USB_REMOTE_TYPE_ISO }, { 64 }, { 1 } },
    };
    Rig *rig = rig_new_peer(opaque);
    bool iso = rig->drv == &usbhc_xhci;
    UsbHcEndpoint *in, *out;
    int i;

    peer_send_attach(rig->peer, rig->speeds, 0, 0, table, 2);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    peer_device_init(&rig->peer->device, rig->drv->best);
    rig->dev = usbhc_attach(rig->hc);
    usbhc_control(rig->dev, 0, 9, 1, 0, NULL, 0, NULL);
    in = usbhc_ep(rig->dev, 0x83, iso ? USBHC_ISO : USBHC_INTERRUPT, 64, 1);
    out = usbhc_ep(rig->dev, 0x03, iso ? USBHC_ISO : USBHC_BULK, 64, 1);
    for (i = 0; i < 50; i++) {
        UsbHcTransfer *a = usbhc_submit(in, NULL, 64);
        UsbHcTransfer *b = usbhc_submit(out, "data", 4);

        usbhc_control(rig->dev, 1, 11, 0, 0, NULL, 0, NULL);
        g_assert_cmpint(usbhc_wait(a), ==, USBHC_SHORT);
        g_assert_cmpint(a->actual, ==, 0);
        g_assert_cmpint(usbhc_wait(b), ==, USBHC_OK);
        usbhc_transfer_free(a);
        usbhc_transfer_free(b);
    }
    g_assert_cmpint(rig->peer->bulk_submits, ==, 0);
    rig_free(rig);
}

static void add_all(const UsbHcDriver *drv)
{
    rig_add(drv, "packet-in-the-queue-has-no-id",
            packet_in_the_queue_has_no_id);
    rig_add(drv, "answers-byte-by-byte", answers_byte_by_byte);
    rig_add(drv, "answered-after-a-minute", answered_after_a_minute);
    rig_add(drv, "given-up-then-answered-after-a-minute",
            given_up_then_answered_after_a_minute);
    rig_add(drv, "taken-back-while-answered", taken_back_while_answered);
    rig_add(drv, "closed-while-qemu-sends", closed_while_qemu_sends);
    rig_add(drv, "violation-while-qemu-cannot-send",
            violation_while_qemu_cannot_send);
    rig_add(drv, "chardev-change-while-qemu-cannot-send",
            chardev_change_while_qemu_cannot_send);
    rig_add(drv, "chardev-change-to-another-type-in-flight",
            chardev_change_to_another_type);
    rig_add(drv, "next-peer-waits-in-line", next_peer_waits_in_line);
    rig_add(drv, "device-del-with-sixteen-of-each-in-flight",
            device_del_with_all_in_flight);
    rig_add(drv, "device-del-in-a-burst-while-flooded", device_del_in_a_burst);
    rig_add(drv, "short-packet-with-more-queued", ends_short_with_more_queued);
    rig_add(drv, "setup-of-zeroes", all_zero_setup);
    if (drv != &usbhc_ehci) {           /* which stops, and says so */
        rig_add(drv, "data-in-registers", data_in_registers);
    }
    rig_add(drv, "undeclared-endpoint-works", undeclared_endpoint);
    rig_add(drv, "impossible-descriptors", impossible_descriptors);
    rig_add(drv, "types-change-in-flight", types_change_in_flight);
    rig_add(drv, "interface-set-in-every-frame-with-iso",
            iso_under_set_interface);
    rig_add(drv, "storm-of-wakeups", storm_of_wakeups);
    rig_add(drv, "wakeup-in-s3", wakeup_in_s3);
    if (drv != &usbhc_ohci) {           /* it reports no resume per port */
        rig_add(drv, "wakeup-that-was-cleared-is-nothing",
                wakeup_that_was_cleared);
    }
}

void usb_remote_scenario_add(void)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rig_drivers); i++) {
        add_all(rig_drivers[i]);
    }
    rig_add(&usbhc_xhci, "descriptors-passed-do-not-add-up",
            descriptors_do_not_add_up);
    rig_add(&usbhc_xhci, "device-add-fails-then-succeeds",
            device_add_fails_then_succeeds);
}
