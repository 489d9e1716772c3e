/*
 * usb-remote cases: what only a broken program does
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each ends the connection with an ERROR of the right code and one log line
 * that names the device; the device is gone, QEMU is not.
 */

#include "qemu/osdep.h"
#include "usb-remote-rig.h"

typedef struct Violation {
    const char *name;
    uint32_t code;
    void (*commit)(Rig *rig);
} Violation;

/* Lifecycle */

static void attach_with(Rig *rig, size_t offset, uint32_t value)
{
    UsbRemoteAttach m = { .speeds = { 0xf } };

    ((uint8_t *)&m)[offset] = value;
    ((uint8_t *)&m)[offset + 1] = value >> 8;
    ((uint8_t *)&m)[offset + 2] |= value >> 16;
    rig->peer->attachment++;
    peer_send(rig->peer, USB_REMOTE_MSG_ATTACH, &m, sizeof(m));
}

static void attach_without_speed(Rig *rig)
{
    attach_with(rig, offsetof(UsbRemoteAttach, speeds), 0);
}

static void attach_with_unknown_speed(Rig *rig)
{
    attach_with(rig, offsetof(UsbRemoteAttach, speeds), 0x10);
}

static void attach_with_unknown_policy(Rig *rig)
{
    attach_with(rig, offsetof(UsbRemoteAttach, address_policy), 4);
}

static void attach_with_long_gap(Rig *rig)
{
    attach_with(rig, offsetof(UsbRemoteAttach, gap_ms), 60001);
}

static void attach_with_missing_table(Rig *rig)
{
    attach_with(rig, offsetof(UsbRemoteAttach, endpoint_count), 1);
}

static void attach_out_of_sequence(Rig *rig)
{
    rig->peer->attachment += 5;
    peer_send_attach(rig->peer, 0xf, 0, 0, NULL, 0);
}

static void attach_twice(Rig *rig)
{
    peer_send_attach(rig->peer, 0xf, 0, 60000, NULL, 0);
    peer_send_attach(rig->peer, 0xf, 0, 60000, NULL, 0);
}

static void attach_table(Rig *rig, const UsbRemoteEndpoint *table, size_t n)
{
    peer_send_attach(rig->peer, 0xf, 0, 0, table, n);
}

static void table_with_endpoint_twice(Rig *rig)
{
    UsbRemoteEndpoint table[2] = {
        { { 0x81 }, { 2 }, { 64 } }, { { 0x81 }, { 2 }, { 64 } },
    };

    attach_table(rig, table, 2);
}

static void table_with_endpoint_zero(Rig *rig)
{
    UsbRemoteEndpoint table[1] = { { { 0x80 }, { 2 }, { 64 } } };

    attach_table(rig, table, 1);
}

static void table_with_control_type(Rig *rig)
{
    UsbRemoteEndpoint table[1] = { { { 0x81 }, { 0 }, { 64 } } };

    attach_table(rig, table, 1);
}

static void table_with_no_packet_size(Rig *rig)
{
    UsbRemoteEndpoint table[1] = { { { 0x81 }, { 2 }, { 0 } } };

    attach_table(rig, table, 1);
}

static void table_with_interface_16(Rig *rig)
{
    UsbRemoteEndpoint table[1] = {
        { { 0x81 }, { 2 }, { 64 }, { 0 }, { 16 } }
    };

    attach_table(rig, table, 1);
}

static void detach_of_the_future(Rig *rig)
{
    rig->peer->attachment++;
    peer_send_detach(rig->peer);
}

/* Framing */

static void second_hello(Rig *rig)
{
    peer_send_hello(rig->peer);
}

static void frame(Rig *rig, uint16_t type, uint16_t flags, uint32_t length,
                  uint64_t id)
{
    UsbRemoteHead h = {
        .type = type, .flags = flags, .length = length, .id = id,
        .attachment = rig->peer->attachment, .epoch = rig->peer->epoch
    };

    peer_send_head(rig->peer, &h, NULL, 0, NULL, 0);
}

static void message_of_qemus(Rig *rig)
{
    frame(rig, USB_REMOTE_MSG_SUBMIT, 0, sizeof(UsbRemoteSubmit), 1);
}

static void message_unknown(Rig *rig)
{
    frame(rig, USB_REMOTE_RANGE_PRIVATE_FIRST, 0, 0, 0);
}

static void message_of_a_later_version(Rig *rig)
{
    frame(rig, USB_REMOTE_RANGE_ISO_FIRST, 0, 0, 0);
}

static void message_zero(Rig *rig)
{
    frame(rig, 0, 0, 0, 0);
}

static void optional_message_too_long(Rig *rig)
{
    frame(rig, USB_REMOTE_RANGE_PRIVATE_FIRST, USB_REMOTE_FLAG_OPTIONAL,
          USB_REMOTE_MAX_PAYLOAD + 1, 0);
}

static void message_too_short(Rig *rig)
{
    frame(rig, USB_REMOTE_MSG_COMPLETE, 0, sizeof(UsbRemoteComplete) - 1, 1);
}

static void message_too_long(Rig *rig)
{
    frame(rig, USB_REMOTE_MSG_DETACH, 0, sizeof(UsbRemoteDetach) + 1, 0);
}

static void message_enormous(Rig *rig)
{
    frame(rig, USB_REMOTE_MSG_COMPLETE, 0, 0xffffffff, 1);
}

static void wakeup_with_an_id(Rig *rig)
{
    UsbRemoteHead h = {
        .type = USB_REMOTE_MSG_WAKEUP, .length = 8, .id = 1,
        .attachment = rig->peer->attachment,
    };

    peer_send_head(rig->peer, &h, "\0\0\0\0\0\0\0", 8, NULL, 0);
}

static void wakeup_of_the_future(Rig *rig)
{
    rig->peer->attachment++;
    peer_send_wakeup(rig->peer);
}

static void ready_for_no_endpoint(Rig *rig)
{
    peer_send_ready(rig->peer, 0x70);
}

static void ready_of_the_future(Rig *rig)
{
    rig->peer->epoch++;
    peer_send_ready(rig->peer, PEER_BULK_IN);
}

/* COMPLETE */

static UsbRemoteHead head_of_nothing(Rig *rig)
{
    return (UsbRemoteHead) {
        .id = 0x123456789, .attachment = rig->peer->attachment,
        .epoch = rig->peer->epoch
    };
}

static void complete_of_unknown_id(Rig *rig)
{
    UsbRemoteHead h = head_of_nothing(rig);

    peer_send_complete(rig->peer, &h, 0, NULL, 0, NULL, -1);
}

static void complete_of_id_zero(Rig *rig)
{
    UsbRemoteHead h = head_of_nothing(rig);

    h.id = 0;
    peer_send_complete(rig->peer, &h, 0, NULL, 0, NULL, -1);
}

static void complete_of_the_future(Rig *rig)
{
    UsbRemoteHead h = head_of_nothing(rig);

    h.epoch++;
    peer_send_complete(rig->peer, &h, 0, NULL, 0, NULL, -1);
}

static PeerMessage *in_flight(Rig *rig, bool in)
{
    UsbHcTransfer *xfer = usbhc_submit(in ? rig->bulk_in : rig->bulk_out,
                                       NULL, 64);

    rig->strays = g_slist_prepend(rig->strays, xfer);
    return rig_submit(rig, in ? PEER_BULK_IN : PEER_BULK_OUT);
}

static void complete(Rig *rig, bool in, uint8_t status, const void *data,
                     uint32_t length, const UsbRemoteEndpoint *table, int n)
{
    PeerMessage *m = in_flight(rig, in);

    peer_send_complete(rig->peer, &m->head, status, data, length, table, n);
    peer_message_free(m);
}

static void complete_twice(Rig *rig)
{
    PeerMessage *m = in_flight(rig, true);

    peer_send_complete(rig->peer, &m->head, 0, "x", 1, NULL, -1);
    peer_send_complete(rig->peer, &m->head, 0, "x", 1, NULL, -1);
    peer_message_free(m);
}

static void complete_with_unknown_status(Rig *rig)
{
    complete(rig, true, 7, NULL, 0, NULL, -1);
}

static void nak_with_length(Rig *rig)
{
    complete(rig, true, USB_REMOTE_STATUS_NAK, "x", 1, NULL, -1);
}

static void out_longer_than_sent(Rig *rig)
{
    complete(rig, false, USB_REMOTE_STATUS_OK, NULL, 65, NULL, -1);
}

static void out_with_data(Rig *rig)
{
    complete(rig, false, USB_REMOTE_STATUS_OK, "data", 4, NULL, -1);
}

static void in_without_its_data(Rig *rig)
{
    complete(rig, true, USB_REMOTE_STATUS_OK, NULL, 4, NULL, -1);
}

static void cancelled_in_with_data(Rig *rig)
{
    complete(rig, true, USB_REMOTE_STATUS_CANCELLED, "data", 4, NULL, -1);
}

static void table_with_bulk_data(Rig *rig)
{
    UsbRemoteEndpoint table[1] = { { { 0x81 }, { 2 }, { 64 } } };

    complete(rig, true, USB_REMOTE_STATUS_OK, "data", 4, table, 1);
}

static void complete_in_shared_memory(Rig *rig)
{
    PeerMessage *m = in_flight(rig, true);
    UsbRemoteComplete c = { .place = { USB_REMOTE_PLACE_REGION } };
    UsbRemoteHead h = m->head;

    h.type = USB_REMOTE_MSG_COMPLETE;
    h.length = sizeof(c);
    peer_send_head(rig->peer, &h, &c, sizeof(c), NULL, 0);
    peer_message_free(m);
}

#define M   USB_REMOTE_ERROR_MALFORMED
#define U   USB_REMOTE_ERROR_UNEXPECTED
#define I   USB_REMOTE_ERROR_UNKNOWN_ID
#define L   USB_REMOTE_ERROR_LIMIT
#define T   USB_REMOTE_ERROR_UNKNOWN_TYPE

static const Violation violations[] = {
    { "attach-without-a-speed", M, attach_without_speed },
    { "attach-with-an-unknown-speed", M, attach_with_unknown_speed },
    { "attach-with-an-unknown-policy", M, attach_with_unknown_policy },
    { "attach-with-too-long-a-gap", M, attach_with_long_gap },
    { "attach-with-its-table-missing", M, attach_with_missing_table },
    { "attach-out-of-sequence", U, attach_out_of_sequence },
    { "attach-twice-at-once", U, attach_twice },
    { "table-with-an-endpoint-twice", M, table_with_endpoint_twice },
    { "table-with-endpoint-0", M, table_with_endpoint_zero },
    { "table-with-a-control-endpoint", M, table_with_control_type },
    { "table-with-packet-size-0", M, table_with_no_packet_size },
    { "table-with-interface-16", M, table_with_interface_16 },
    { "detach-of-the-future", U, detach_of_the_future },
    { "second-hello", U, second_hello },
    { "message-that-only-qemu-sends", U, message_of_qemus },
    { "message-unknown", T, message_unknown },
    { "message-of-a-feature-not-agreed-on", T, message_of_a_later_version },
    { "message-of-type-0", T, message_zero },
    { "optional-message-too-long", L, optional_message_too_long },
    { "message-too-short", M, message_too_short },
    { "message-too-long", M, message_too_long },
    { "message-of-4-gib", L, message_enormous },
    { "wakeup-with-an-id", M, wakeup_with_an_id },
    { "wakeup-of-the-future", I, wakeup_of_the_future },
    { "ready-for-no-endpoint", M, ready_for_no_endpoint },
    { "ready-of-the-future", I, ready_of_the_future },
    { "complete-of-an-unknown-id", I, complete_of_unknown_id },
    { "complete-of-id-0", M, complete_of_id_zero },
    { "complete-of-the-future", I, complete_of_the_future },
    { "complete-twice", I, complete_twice },
    { "complete-with-an-unknown-status", M, complete_with_unknown_status },
    { "complete-nak-with-a-length", M, nak_with_length },
    { "complete-out-longer-than-sent", M, out_longer_than_sent },
    { "complete-out-with-data", M, out_with_data },
    { "complete-in-without-its-data", M, in_without_its_data },
    { "complete-cancelled-in-with-data", M, cancelled_in_with_data },
    { "complete-bulk-with-a-table", M, table_with_bulk_data },
    { "complete-in-shared-memory", M, complete_in_shared_memory },
};

static void violation(const void *opaque)
{
    const Violation *v = opaque;
    Rig *rig = rig_new_plugged(&usbhc_xhci);

    v->commit(rig);
    peer_expect_error(rig->peer, v->code);
    rig_expect_unplugged(rig);
    rig_expect_log(rig, "'dev0'");
    g_assert_cmpint(rig_log_count(rig, "\n"), ==, 1);
    rig_unplug_guest(rig);
    rig_connect(rig);
    rig_plug(rig);
    rig_free(rig);
}

void usb_remote_violation_add(void)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(violations); i++) {
        g_autofree char *path = g_strdup_printf(
            "/usb-remote/xhci/violation/%s", violations[i].name);

        qtest_add_data_func(path, &violations[i], violation);
    }
}
