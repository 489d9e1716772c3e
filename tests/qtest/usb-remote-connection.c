/*
 * usb-remote cases: connecting, HELLO, and what is not a peer
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "usb-remote-rig.h"

static void hello_names_the_device(const void *opaque)
{
    Rig *rig = rig_new(opaque, ",select=broken-headset");
    const UsbRemoteHello *hello;
    PeerMessage *m;
    size_t name, id, select;

    peer_connect(rig->peer, rig->path);
    m = peer_expect(rig->peer, USB_REMOTE_MSG_HELLO);
    hello = (const void *)m->body;
    name = usb_remote_get16(hello->name_length);
    id = usb_remote_get16(hello->id_length);
    select = usb_remote_get16(hello->select_length);
    g_assert_cmpmem(m->body + sizeof(*hello), 4, "QEMU", 4);
    g_assert_cmpmem(m->body + sizeof(*hello) + name, id, "dev0", 4);
    g_assert_cmpmem(m->body + sizeof(*hello) + name + id, select,
                    "broken-headset", 14);
    g_assert_cmpint(usb_remote_get32(hello->max_control), ==, 4096);
    g_assert_cmphex(usb_remote_get64(hello->features), ==, 0);
    g_assert_cmpint(m->head.attachment, ==, 0);
    g_assert_cmpint(m->head.epoch, ==, 0);
    peer_message_free(m);
    rig_free(rig);
}

static void connected_property_follows(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);

    g_assert_false(rig_qom_bool(rig, "connected"));
    rig_connect(rig);
    while (!rig_qom_bool(rig, "connected")) {
        rig_step(rig);
    }
    peer_close(rig->peer);
    while (rig_qom_bool(rig, "connected")) {
        rig_step(rig);
    }
    rig_free(rig);
}

static bool raw_eof(Peer *peer)
{
    return peer->eof;
}

static void stranger(Rig *rig, const char *greeting)
{
    g_autofree char *text = NULL;

    peer_connect(rig->peer, rig->path);
    rig->peer->raw = true;
    peer_send_bytes(rig->peer, greeting, strlen(greeting));
    g_assert_true(peer_wait(rig->peer, raw_eof));
    rig->peer->raw = false;
    text = g_strndup((char *)rig->peer->in->data + sizeof(UsbRemotePreamble),
                     rig->peer->in->len - sizeof(UsbRemotePreamble));
    g_assert_nonnull(memmem(rig->peer->in->data, rig->peer->in->len,
                            "usb-remote: ", 12));
    g_assert_nonnull(memmem(rig->peer->in->data, rig->peer->in->len,
                            "'dev0'", 6));
    g_assert_cmpmem(rig->peer->in->data + rig->peer->in->len - 2, 2, "\r\n",
                    2);
}

static void http_gets_a_sentence(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);

    stranger(rig, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    rig_expect_log(rig, "dev0");
    g_assert_cmpint(rig_log_count(rig, "\n"), ==, 1);
    rig_connect(rig);
    rig_free(rig);
}

static void one_wrong_byte_is_enough(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);

    stranger(rig, "x");
    stranger(rig, "usbrem\n");
    rig_expect_log(rig, "dev0");
    g_assert_cmpint(rig_log_count(rig, "\n"), ==, 2);
    rig_free(rig);
}

static void other_version(Rig *rig, uint16_t major, uint16_t minor)
{
    peer_connect(rig->peer, rig->path);
    peer_send_preamble(rig->peer, major, minor);
    peer_expect_error(rig->peer, USB_REMOTE_ERROR_VERSION);
}

static void other_versions_are_refused(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);

    other_version(rig, USB_REMOTE_MAJOR, USB_REMOTE_MINOR + 1);
    other_version(rig, USB_REMOTE_MAJOR + 1, USB_REMOTE_MINOR);
    other_version(rig, 0xffff, 0xffff);
    g_assert_cmpint(rig_log_count(rig, "version"), ==, 3);
    rig_connect(rig);
    rig_free(rig);
}

/* In three ways, as often as it likes; lines about it are counted. */
static void peer_fills_no_log(const void *opaque)
{
    static const UsbRemoteErrorMsg error;
    Rig *rig = rig_new(opaque, NULL);
    unsigned i;

    for (i = 0; i < 10; i++) {
        stranger(rig, "neither fish nor fowl");
        rig_connect(rig);
        peer_send_hello(rig->peer);
        peer_expect_error(rig->peer, USB_REMOTE_ERROR_UNEXPECTED);
        rig_connect(rig);
        peer_send(rig->peer, USB_REMOTE_MSG_ERROR, &error, sizeof(error));
        peer_expect_eof(rig->peer);
    }
    g_assert_cmpint(rig_log_count(rig, "'dev0'"), ==, 20);
    g_assert_cmpint(rig_log_count(rig, "does not speak"), ==, 7);
    qtest_qmp_device_del(rig->qts, "dev0");
    rig_expect_log(rig, "'dev0': 10 more lines about the peer were left out");
    rig_free(rig);
}

static void silent_peer_is_timed_out(const void *opaque)
{
    Rig *rig = rig_new(opaque, ",peer-timeout=150");

    peer_connect(rig->peer, rig->path);
    peer_expect_error(rig->peer, USB_REMOTE_ERROR_TIMEOUT);
    peer_connect(rig->peer, rig->path);
    peer_send_preamble(rig->peer, USB_REMOTE_MAJOR, USB_REMOTE_MINOR);
    peer_expect_error(rig->peer, USB_REMOTE_ERROR_TIMEOUT);
    rig_expect_log(rig, "peer-timeout");
    rig_free(rig);
}

static void hello_in_time_stops_the_clock(const void *opaque)
{
    Rig *rig = rig_new(opaque, ",peer-timeout=150");
    int64_t end;

    rig_connect(rig);
    end = g_get_monotonic_time() + 300 * 1000;
    while (g_get_monotonic_time() < end) {
        rig_step(rig);
        g_assert_false(rig->peer->eof);
    }
    rig_plug(rig);
    rig_free(rig);
}

/* One HELLO that is wrong, and the code it gets */

typedef struct WrongHello {
    const char *what;
    size_t offset;              /* of four bytes in the message */
    uint32_t value;
    uint32_t code;
} WrongHello;

#define HELLO_FIELD(f)  offsetof(UsbRemoteHello, f)

static const WrongHello wrong_hellos[] = {
    { "payload", HELLO_FIELD(max_payload), USB_REMOTE_MIN_PAYLOAD - 1,
      USB_REMOTE_ERROR_MALFORMED },
    { "control", HELLO_FIELD(max_control), USB_REMOTE_MIN_CONTROL - 1,
      USB_REMOTE_ERROR_MALFORMED },
    { "requests", HELLO_FIELD(max_requests), 0, USB_REMOTE_ERROR_MALFORMED },
    { "per-endpoint", HELLO_FIELD(max_per_endpoint), 0,
      USB_REMOTE_ERROR_MALFORMED },
    { "bytes", HELLO_FIELD(max_bytes), 1024, USB_REMOTE_ERROR_MALFORMED },
    { "name-length", HELLO_FIELD(name_length), 1, USB_REMOTE_ERROR_MALFORMED },
    { "id-length", HELLO_FIELD(name_length), 0xffff0000,
      USB_REMOTE_ERROR_MALFORMED },
    { "select-length", HELLO_FIELD(select_length), 5,
      USB_REMOTE_ERROR_MALFORMED },
};

static void wrong_hello(Rig *rig, const WrongHello *w)
{
    UsbRemoteHello hello = peer_hello();

    peer_connect(rig->peer, rig->path);
    peer_send_preamble(rig->peer, USB_REMOTE_MAJOR, USB_REMOTE_MINOR);
    usb_remote_put32((uint8_t *)&hello + w->offset, w->value);
    peer_send(rig->peer, USB_REMOTE_MSG_HELLO, &hello, sizeof(hello));
    g_test_message("HELLO with a wrong %s", w->what);
    peer_expect_error(rig->peer, w->code);
}

static void malformed_hellos_are_refused(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(wrong_hellos); i++) {
        wrong_hello(rig, &wrong_hellos[i]);
    }
    g_assert_cmpint(rig_log_count(rig, "\n"), ==, G_N_ELEMENTS(wrong_hellos));
    rig_connect(rig);
    rig_free(rig);
}

static void wrong_frame(Rig *rig, uint16_t type, uint16_t flags,
                        uint32_t length, uint32_t code)
{
    UsbRemoteHead h = { .type = type, .flags = flags, .length = length };
    UsbRemoteHello hello = peer_hello();

    if (type == USB_REMOTE_MSG_ATTACH) {
        memset(&hello, 0, sizeof(hello));
        ((UsbRemoteAttach *)&hello)->speeds[0] = 1;
    }
    peer_connect(rig->peer, rig->path);
    peer_send_preamble(rig->peer, USB_REMOTE_MAJOR, USB_REMOTE_MINOR);
    peer_send_head(rig->peer, &h, &hello, MIN(length, sizeof(hello)), NULL, 0);
    peer_expect_error(rig->peer, code);
}

static void hello_frames_are_judged(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);

    wrong_frame(rig, USB_REMOTE_MSG_HELLO, 0, sizeof(UsbRemoteHello) - 1,
                USB_REMOTE_ERROR_MALFORMED);
    wrong_frame(rig, USB_REMOTE_MSG_HELLO, 0, 0, USB_REMOTE_ERROR_MALFORMED);
    wrong_frame(rig, USB_REMOTE_MSG_HELLO, 0, 0xffffffff,
                USB_REMOTE_ERROR_LIMIT);
    wrong_frame(rig, USB_REMOTE_MSG_ATTACH, 0, sizeof(UsbRemoteAttach),
                USB_REMOTE_ERROR_UNEXPECTED);
    wrong_frame(rig, USB_REMOTE_RANGE_PRIVATE_FIRST, 0, 0,
                USB_REMOTE_ERROR_UNKNOWN_TYPE);
    wrong_frame(rig, USB_REMOTE_RANGE_PRIVATE_FIRST, USB_REMOTE_FLAG_OPTIONAL,
                USB_REMOTE_MAX_PAYLOAD + 1, USB_REMOTE_ERROR_LIMIT);
    wrong_frame(rig, USB_REMOTE_RANGE_PRIVATE_FIRST, USB_REMOTE_FLAG_OPTIONAL,
                0, USB_REMOTE_ERROR_UNEXPECTED);
    rig->quiet = true;
    rig_free(rig);
}

static void names_with_bad_text_are_refused(const void *opaque)
{
    static const char *const bad[] = { "\xff", "\xc0\x80", "\xe2\x82", "a\0b" };
    static const size_t sizes[] = { 1, 2, 2, 3 };
    Rig *rig = rig_new(opaque, NULL);
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(bad); i++) {
        UsbRemoteHello hello = peer_hello();
        UsbRemoteHead h = {
            .type = USB_REMOTE_MSG_HELLO, .length = sizeof(hello) + sizes[i]
        };

        peer_connect(rig->peer, rig->path);
        peer_send_preamble(rig->peer, USB_REMOTE_MAJOR, USB_REMOTE_MINOR);
        usb_remote_put16(hello.name_length, sizes[i]);
        peer_send_head(rig->peer, &h, &hello, sizeof(hello), bad[i], sizes[i]);
        peer_expect_error(rig->peer, USB_REMOTE_ERROR_MALFORMED);
    }
    rig->quiet = true;
    rig_free(rig);
}

/* The bytes of preamble, HELLO and ATTACH */
static GByteArray *opening(void)
{
    GByteArray *all = g_byte_array_new();
    UsbRemotePreamble p;
    UsbRemoteHello hello = peer_hello();
    UsbRemoteAttach attach = { .speeds = { 0xf } };
    UsbRemoteHead h = {
        .type = USB_REMOTE_MSG_HELLO, .length = sizeof(hello)
    };
    uint8_t header[sizeof(UsbRemoteHeader)];

    usb_remote_put_preamble(&p);
    g_byte_array_append(all, (uint8_t *)&p, sizeof(p));
    usb_remote_put_header(header, &h);
    g_byte_array_append(all, header, sizeof(header));
    g_byte_array_append(all, (uint8_t *)&hello, sizeof(hello));
    h.type = USB_REMOTE_MSG_ATTACH;
    h.length = sizeof(attach);
    h.attachment = 1;
    usb_remote_put_header(header, &h);
    g_byte_array_append(all, header, sizeof(header));
    g_byte_array_append(all, (uint8_t *)&attach, sizeof(attach));
    return all;
}

static void death_at_every_byte(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);
    GByteArray *all = opening();
    size_t i;

    for (i = 0; i <= all->len; i++) {
        peer_connect(rig->peer, rig->path);
        peer_send_bytes(rig->peer, all->data, i);
        if (i % 16 == 0) {
            rig_step(rig);
        }
    }
    peer_close(rig->peer);
    rig_expect_unplugged(rig);
    rig_connect(rig);
    rig_plug(rig);
    g_byte_array_free(all, true);
    rig_free(rig);
}

static void every_byte_apart(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);

    rig->peer->dribble = true;
    rig_connect(rig);
    rig_plug(rig);
    rig_free(rig);
}

static void all_in_one_write(const void *opaque)
{
    Rig *rig = rig_new(opaque, NULL);
    GByteArray *all = opening();

    peer_connect(rig->peer, rig->path);
    peer_send_bytes(rig->peer, all->data, all->len);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    g_byte_array_free(all, true);
    rig_free(rig);
}

static void death_in_a_payload(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, 512);
    PeerMessage *m = rig_submit(rig, PEER_BULK_IN);
    UsbRemoteHead h = m->head;
    UsbRemoteComplete c = { { 0 } };

    h.type = USB_REMOTE_MSG_COMPLETE;
    h.length = sizeof(c) + 512;
    usb_remote_put32(c.length, 512);
    peer_send_head(rig->peer, &h, &c, sizeof(c), "half", 4);
    rig_run(rig, 5);
    g_assert_cmpint(xfer->status, ==, USBHC_PENDING);
    peer_message_free(m);
    peer_close(rig->peer);
    rig_expect_unplugged(rig);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* What is whole takes effect, whatever else came with it. */
static void answer_and_most_of_another(const void *opaque)
{
    struct {
        UsbRemoteHeader head;
        UsbRemoteComplete body;
    } answer[2] = { 0 };
    const size_t most = sizeof(answer) - 1;
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer[2] = {
        usbhc_submit(rig->bulk_out, "data", 4),
        usbhc_submit(rig->int_out, "data", 4),
    };
    PeerMessage *m[2] = {
        rig_submit(rig, PEER_BULK_OUT), rig_submit(rig, PEER_INT_OUT),
    };
    unsigned i;

    for (i = 0; i < 2; i++) {
        m[i]->head.type = USB_REMOTE_MSG_COMPLETE;
        m[i]->head.length = sizeof(answer[i].body);
        usb_remote_put_header((uint8_t *)&answer[i].head, &m[i]->head);
        usb_remote_put32(answer[i].body.length, 4);
        peer_message_free(m[i]);
    }
    peer_send_bytes(rig->peer, answer, most);
    g_assert_cmpint(usbhc_wait(xfer[0]), ==, USBHC_OK);
    g_assert_cmpint(xfer[1]->status, ==, USBHC_PENDING);
    peer_send_bytes(rig->peer, (uint8_t *)answer + most, 1);
    g_assert_cmpint(usbhc_wait(xfer[1]), ==, USBHC_OK);
    usbhc_transfer_free(xfer[0]);
    usbhc_transfer_free(xfer[1]);
    rig_free(rig);
}

static void unknown_optional_messages_are_skipped(const void *opaque)
{
    Rig *rig = rig_new_peer(opaque);
    g_autofree uint8_t *body = g_malloc0(100000);
    UsbRemoteHead h = {
        .type = USB_REMOTE_RANGE_PRIVATE_FIRST,
        .flags = USB_REMOTE_FLAG_OPTIONAL, .length = 100000
    };

    peer_send_head(rig->peer, &h, body, 100000, NULL, 0);
    h.length = 0;
    peer_send_head(rig->peer, &h, NULL, 0, NULL, 0);
    rig_plug(rig);
    rig_free(rig);
}

/* What was still to be skipped is not taken from the next peer. */
static void death_in_a_skipped_message(const void *opaque)
{
    Rig *rig = rig_new_peer(opaque);
    UsbRemoteHead h = {
        .type = USB_REMOTE_RANGE_PRIVATE_FIRST,
        .flags = USB_REMOTE_FLAG_OPTIONAL, .length = 100000
    };

    peer_send_head(rig->peer, &h, "some", 4, NULL, 0);
    rig_connect(rig);
    rig_plug(rig);
    rig_free(rig);
}

static void new_peer_after_the_old(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    unsigned fds, i;

    peer_close(rig->peer);
    rig_expect_unplugged(rig);
    rig_unplug_guest(rig);
    fds = rig_fds(rig);
    for (i = 0; i < 20; i++) {
        rig_connect(rig);
        rig_plug(rig);
        rig_unplug_guest(rig);
        peer_close(rig->peer);
        rig_expect_unplugged(rig);
    }
    g_assert_cmpint(rig_fds(rig), ==, fds);
    rig_free(rig);
}

static void peer_says_bye(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbRemoteBye bye = { { USB_REMOTE_BYE_DONE } };

    peer_send(rig->peer, USB_REMOTE_MSG_BYE, &bye, sizeof(bye));
    peer_expect_eof(rig->peer);
    rig_expect_unplugged(rig);
    rig_free(rig);
}

static void peer_says_error(const void *opaque)
{
    static const char text[] = "no such device: \x1b[31mred\xff";
    Rig *rig = rig_new_peer(opaque);
    UsbRemoteErrorMsg e = { { USB_REMOTE_ERROR_REFUSED } };
    UsbRemoteHead h = {
        .type = USB_REMOTE_MSG_ERROR, .length = sizeof(e) + sizeof(text) - 1
    };

    peer_send_head(rig->peer, &h, &e, sizeof(e), text, sizeof(text) - 1);
    peer_expect_eof(rig->peer);
    rig_expect_log(rig, "no such device: ");
    g_assert_cmpint(rig_log_count(rig, "\x1b"), ==, 0);
    g_assert_cmpint(rig_log_count(rig, "\n"), ==, 1);
    rig_free(rig);
}

void usb_remote_connection_add(void)
{
    const UsbHcDriver *drv = &usbhc_xhci;

    rig_add(drv, "hello-names-the-device", hello_names_the_device);
    rig_add(drv, "connected-property-follows", connected_property_follows);
    rig_add(drv, "http-gets-a-sentence", http_gets_a_sentence);
    rig_add(drv, "one-wrong-byte-is-enough", one_wrong_byte_is_enough);
    rig_add(drv, "other-versions-are-refused", other_versions_are_refused);
    rig_add(drv, "peer-fills-no-log", peer_fills_no_log);
    rig_add(drv, "silent-peer-is-timed-out", silent_peer_is_timed_out);
    rig_add(drv, "hello-in-time-stops-the-clock",
            hello_in_time_stops_the_clock);
    rig_add(drv, "malformed-hellos-are-refused", malformed_hellos_are_refused);
    rig_add(drv, "hello-frames-are-judged", hello_frames_are_judged);
    rig_add(drv, "names-with-bad-text-are-refused",
            names_with_bad_text_are_refused);
    rig_add(drv, "death-at-every-byte-of-the-opening", death_at_every_byte);
    rig_add(drv, "every-byte-of-the-opening-apart", every_byte_apart);
    rig_add(drv, "the-opening-in-one-write", all_in_one_write);
    rig_add(drv, "death-in-a-payload", death_in_a_payload);
    rig_add(drv, "answer-and-most-of-another", answer_and_most_of_another);
    rig_add(drv, "unknown-optional-messages-are-skipped",
            unknown_optional_messages_are_skipped);
    rig_add(drv, "death-in-a-skipped-message", death_in_a_skipped_message);
    rig_add(drv, "new-peer-after-the-old-one", new_peer_after_the_old);
    rig_add(drv, "peer-says-bye", peer_says_bye);
    rig_add(drv, "peer-says-error", peer_says_error);
}
