/*
 * usb-remote cases: what no other subject comes across
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "usb-remote-rig.h"

static void bulk_in_works(Rig *rig)
{
    UsbHcTransfer *in = usbhc_submit(rig->bulk_in, NULL, 64);

    peer_answer_ok(rig->peer, rig_submit(rig, PEER_BULK_IN), "data", 4);
    g_assert_cmpint(usbhc_wait(in), ==, USBHC_SHORT);
    g_assert_cmpmem(in->data, in->actual, "data", 4);
    usbhc_transfer_free(in);
}

static void break_of_the_chardev_is_ignored(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'chardev-send-break', "
                             "'arguments': { 'id': 'c0' } }");
    bulk_in_works(rig);
    rig_free(rig);
}

static void expect_text(Rig *rig, const char *property, const char *text)
{
    QDict *r = qtest_qmp(rig->qts, "{ 'execute': 'qom-get', 'arguments': "
                         "{ 'path': 'dev0', 'property': %s } }", property);

    g_assert_cmpstr(qdict_get_try_str(r, "return"), ==, text);
    qobject_unref(r);
}

static void properties_tell_of_the_peer(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);

    expect_text(rig, "peer", "");
    expect_text(rig, "speed", "none");
    g_assert_false(rig_qom_bool(rig, "plugged"));
    rig_connect(rig);
    rig_plug(rig);
    expect_text(rig, "peer", "qtest peer");
    expect_text(rig, "speed", "super");
    g_assert_true(rig_qom_bool(rig, "plugged"));
    rig_free(rig);
}

static void select_that_is_too_long_is_refused(const void *opaque)
{
    Rig *rig = rig_new_bare(opaque, NULL);
    g_autofree char *select = g_strnfill(USB_REMOTE_MAX_SELECT + 1, 's');
    QDict *r = qtest_qmp(rig->qts, "{ 'execute': 'device_add', 'arguments': "
                         "{ 'driver': 'usb-remote', 'id': 'dev0', "
                         "'bus': 'hc.0', 'chardev': 'c0', 'select': %s } }",
                         select);

    g_assert_nonnull(strstr(qdict_get_str(qdict_get_qdict(r, "error"),
                                          "desc"), "select= must be UTF-8"));
    qobject_unref(r);
    rig_device_add(rig);
    rig_connect(rig);
    rig_free(rig);
}

static void first_message_must_be_hello_even_if_optional(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);
    UsbRemoteHead h = {
        .type = USB_REMOTE_RANGE_PRIVATE_FIRST,
        .flags = USB_REMOTE_FLAG_OPTIONAL,
    };

    peer_connect(rig->peer, rig->path);
    peer_send_preamble(rig->peer, USB_REMOTE_MAJOR, USB_REMOTE_MINOR);
    peer_send_head(rig->peer, &h, NULL, 0, NULL, 0);
    peer_expect_error(rig->peer, USB_REMOTE_ERROR_UNEXPECTED);
    rig_expect_log(rig, "must not be sent by a peer, or not before HELLO");
    rig_free(rig);
}

static void detach_that_crossed_an_attach_is_ignored(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    uint32_t newest;

    rig_unplug_guest(rig);
    rig_plug(rig);
    newest = rig->peer->attachment--;
    peer_send_detach(rig->peer);
    rig->peer->attachment = newest;
    bulk_in_works(rig);
    rig_free(rig);
}

static void answer_string(Rig *rig, const void *text, size_t size)
{
    uint8_t setup[8] = { 0x80, 6, 2, 3, 9, 4, 255, 0 };
    UsbHcTransfer *in = usbhc_submit_control(rig->dev, setup, NULL);

    peer_answer_ok(rig->peer, rig_submit(rig, 0), text, size);
    g_assert_cmpint(usbhc_wait(in), ==, USBHC_SHORT);
    usbhc_transfer_free(in);
}

static void info_usb_shows_the_product_string(const void *opaque)
{
    static const uint8_t string[] = {
        12, 3, 'L', 0, 'a', 0, 'm', 0, 'p', 0, 0x20, 0x26
    };
    Rig *rig = rig_new_plugged(opaque);
    g_autofree char *info = NULL;

    rig->peer->device.device[15] = 2;
    g_assert_cmpint(usbhc_control(rig->dev, 0x80, 6, 0x100, 0, NULL, 18,
                                  NULL), ==, USBHC_OK);
    rig->peer->auto_control = false;
    answer_string(rig, string, sizeof(string));
    info = qtest_hmp(rig->qts, "info usb");
    g_assert_nonnull(strstr(info, "Product Lamp?"));
    rig_free(rig);
}

/* Endpoint 0, and one that claims to be for control, are in it as well. */
static void odd_endpoints_of_a_descriptor_do_no_harm(const void *opaque)
{
    static const uint8_t odd[] = {
        7, 5, 0x80, 2, 64, 0, 0,
        7, 5, 0x83, 0, 64, 0, 0,
    };
    Rig *rig = rig_new_peer(opaque);
    PeerDevice *d = &rig->peer->device;

    peer_attach(rig->peer, rig->speeds);
    memcpy(d->config + d->config_size, odd, sizeof(odd));
    d->config_size += sizeof(odd);
    d->config[2] = d->config_size;
    rig->dev = usbhc_attach(rig->hc);
    rig_configure(rig);
    bulk_in_works(rig);
    rig_free(rig);
}

#define DEAF_OUTS   12

/* More than the socket takes; the rest waits until it is read. */
static void peer_that_reads_late_gets_everything(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    g_autofree uint8_t *data = g_malloc(65536);
    UsbHcTransfer *out[DEAF_OUTS];
    unsigned i;

    rig->peer->deaf = true;
    for (i = 0; i < DEAF_OUTS; i++) {
        rig_fill(data, 65536, i);
        out[i] = usbhc_submit(rig->bulk_out, data, 65536);
        rig_step(rig);
    }
    rig_run(rig, 5);
    rig->peer->deaf = false;
    for (i = 0; i < DEAF_OUTS; i++) {
        rig_fill(data, 65536, i);
        rig_expect_out(rig, PEER_BULK_OUT, data, 65536);
        g_assert_cmpint(usbhc_wait(out[i]), ==, USBHC_OK);
        usbhc_transfer_free(out[i]);
    }
    rig_free(rig);
}

/* What it did wrong cannot be told any more. */
static void violation_of_a_peer_that_is_gone(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);

    peer_send_hello(rig->peer);
    peer_close(rig->peer);
    rig_expect_unplugged(rig);
    rig_expect_log(rig, "the peer broke the protocol");
    rig_unplug_guest(rig);
    rig_connect(rig);
    rig_plug(rig);
    bulk_in_works(rig);
    rig_free(rig);
}

void usb_remote_coverage_add(void)
{
    static const struct {
        const char *name;
        GTestDataFunc fn;
    } all[] = {
        { "break-of-the-chardev-is-ignored", break_of_the_chardev_is_ignored },
        { "properties-tell-of-the-peer", properties_tell_of_the_peer },
        { "select-that-is-too-long-is-refused",
          select_that_is_too_long_is_refused },
        { "first-message-must-be-hello-even-if-optional",
          first_message_must_be_hello_even_if_optional },
        { "detach-that-crossed-an-attach-is-ignored",
          detach_that_crossed_an_attach_is_ignored },
        { "info-usb-shows-the-product-string",
          info_usb_shows_the_product_string },
        { "odd-endpoints-of-a-descriptor-do-no-harm",
          odd_endpoints_of_a_descriptor_do_no_harm },
        { "peer-that-reads-late-gets-everything",
          peer_that_reads_late_gets_everything },
        { "violation-of-a-peer-that-is-gone",
          violation_of_a_peer_that_is_gone },
    };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(all); i++) {
        rig_add(&usbhc_xhci, all[i].name, all[i].fn);
    }
}
