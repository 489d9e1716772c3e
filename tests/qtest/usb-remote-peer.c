/*
 * A scripted peer for usb-remote's qtests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/sockets.h"
#include "usb-remote-peer.h"

#define READ_SIZE   65536

/* Life */

Peer *peer_new(void (*step)(void *opaque), void *opaque)
{
    Peer *peer = g_new0(Peer, 1);

    peer->fd = -1;
    peer->in = g_byte_array_new();
    peer->setups = g_byte_array_new();
    peer->open = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                       NULL);
    g_queue_init(&peer->messages);
    peer->auto_control = true;
    peer->auto_cancel = true;
    peer->step = step;
    peer->step_opaque = opaque;
    return peer;
}

void peer_forget(Peer *peer)
{
    PeerMessage *m;

    while ((m = g_queue_pop_head(&peer->messages))) {
        peer_message_free(m);
    }
    g_byte_array_set_size(peer->in, 0);
    g_byte_array_set_size(peer->setups, 0);
    g_hash_table_remove_all(peer->open);
    peer->eof = peer->got_preamble = false;
    peer->attachment = peer->epoch = 0;
    peer->resets = peer->submits = peer->bulk_submits = peer->cancels = 0;
}

void peer_close(Peer *peer)
{
    if (peer->fd >= 0) {
        close(peer->fd);
        peer->fd = -1;
    }
}

void peer_free(Peer *peer)
{
    peer_close(peer);
    peer_forget(peer);
    g_byte_array_free(peer->in, true);
    g_byte_array_free(peer->setups, true);
    g_hash_table_destroy(peer->open);
    g_free(peer);
}

void peer_connect(Peer *peer, const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int64_t end = g_get_monotonic_time() +
                  PEER_DEADLINE_S * G_TIME_SPAN_SECOND;

    peer_close(peer);
    peer_forget(peer);
    g_strlcpy(addr.sun_path, path, sizeof(addr.sun_path));
    peer->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    g_assert_cmpint(peer->fd, >=, 0);
    while (connect(peer->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        peer->step(peer->step_opaque);
    }
    qemu_socket_set_nonblock(peer->fd);
}

/* Descriptors */

static size_t put_endpoint(uint8_t *d, uint8_t address, uint8_t type,
                           uint16_t mps, uint8_t interval, bool super)
{
    const uint8_t endpoint[7] = {
        7, 5, address, type, mps & 0xff, mps >> 8, interval
    };
    const uint8_t companion[6] = { 6, 48 };

    memcpy(d, endpoint, 7);
    if (super) {
        memcpy(d + 7, companion, 6);
    }
    return super ? 13 : 7;
}

static size_t put_interface(PeerDevice *d, uint8_t *at, uint8_t alt,
                            bool low, bool super)
{
    const uint8_t interface[9] = {
        9, 4, 0, alt, low ? 1 : 4, 0xff, 0, 0, 0
    };
    size_t n = 9;

    memcpy(at, interface, 9);
    n += put_endpoint(at + n, PEER_INT_IN, 3, d->int_mps, d->int_interval,
                      super);
    if (!low) {
        n += put_endpoint(at + n, PEER_INT_OUT, 3, d->int_mps,
                          d->int_interval, super);
        n += put_endpoint(at + n, PEER_BULK_IN, 2, d->bulk_mps, 0, super);
        n += put_endpoint(at + n, PEER_BULK_OUT, 2, d->bulk_mps, 0, super);
    }
    return n;
}

void peer_device_init(PeerDevice *d, uint8_t speed)
{
    static const uint16_t bulk[] = { 8, 64, 512, 1024 };
    static const uint8_t ep0[] = { 8, 64, 64, 9 };
    bool low = speed == USB_REMOTE_SPEED_LOW;
    bool super = speed == USB_REMOTE_SPEED_SUPER;
    const uint8_t device[18] = {
        18, 1, 0, super ? 3 : 2, 0, 0, 0, ep0[speed],
        PEER_VENDOR & 0xff, PEER_VENDOR >> 8,
        PEER_PRODUCT & 0xff, PEER_PRODUCT >> 8, 0, 1, 0, 0, 0, 1
    };
    const uint8_t config[9] = { 9, 2, 0, 0, 1, 1, 0, 0xa0, 50 };
    size_t n = 9;

    memset(d, 0, sizeof(*d));
    d->bulk_mps = bulk[speed];
    d->int_mps = low ? 8 : 64;
    d->int_interval = speed >= USB_REMOTE_SPEED_HIGH ? 4 : low ? 10 : 1;
    memcpy(d->device, device, 18);
    memcpy(d->config, config, 9);
    n += put_interface(d, d->config + n, 0, low, super);
    d->config_size = n;
    d->config[2] = n;
}

/* Sending */

size_t peer_try_send(Peer *peer, const void *buf, size_t size)
{
    ssize_t n = send(peer->fd, buf, size, MSG_NOSIGNAL);

    if (n < 0 && errno != EAGAIN) {
        peer->eof = true;
    }
    return MAX(n, 0);
}

/* A peer that is told to go away may find the door shut: not an error. */
void peer_send_bytes(Peer *peer, const void *buf, size_t size)
{
    int64_t end = g_get_monotonic_time() +
                  PEER_DEADLINE_S * G_TIME_SPAN_SECOND;
    const uint8_t *at = buf;

    if (peer->held) {
        g_byte_array_append(peer->held, buf, size);
        return;
    }
    while (size && !peer->eof) {
        size_t n = peer_try_send(peer, at, peer->dribble ? 1 : size);

        at += n;
        size -= n;
        if (!n || peer->dribble) {
            g_assert_cmpint(g_get_monotonic_time(), <, end);
            peer->step(peer->step_opaque);
        }
    }
}

void peer_hold(Peer *peer)
{
    peer->held = g_byte_array_new();
}

void peer_release(Peer *peer)
{
    g_autoptr(GByteArray) held = g_steal_pointer(&peer->held);

    peer_send_bytes(peer, held->data, held->len);
}

void peer_send_head(Peer *peer, const UsbRemoteHead *h, const void *fixed,
                    size_t fixed_size, const void *tail, size_t tail_size)
{
    size_t size = sizeof(UsbRemoteHeader) + fixed_size + tail_size;
    g_autofree uint8_t *buf = g_malloc(size);

    usb_remote_put_header(buf, h);
    if (fixed_size) {
        memcpy(buf + sizeof(UsbRemoteHeader), fixed, fixed_size);
    }
    if (tail_size) {
        memcpy(buf + sizeof(UsbRemoteHeader) + fixed_size, tail, tail_size);
    }
    peer_send_bytes(peer, buf, size);
}

void peer_send(Peer *peer, uint16_t type, const void *fixed, size_t size)
{
    UsbRemoteHead h = {
        .type = type, .length = size,
        .attachment = peer->attachment, .epoch = peer->epoch,
    };

    peer_send_head(peer, &h, fixed, size, NULL, 0);
}

void peer_send_preamble(Peer *peer, uint16_t major, uint16_t minor)
{
    UsbRemotePreamble p;

    usb_remote_put_preamble(&p);
    usb_remote_put16(p.major, major);
    usb_remote_put16(p.minor, minor);
    peer_send_bytes(peer, &p, sizeof(p));
}

UsbRemoteHello peer_hello(void)
{
    UsbRemoteLimits limits = usb_remote_default_limits();
    UsbRemoteHello m;

    memset(&m, 0, sizeof(m));
    usb_remote_put_limits(&m, &limits);
    return m;
}

void peer_send_hello(Peer *peer)
{
    static const char name[] = "qtest peer";
    UsbRemoteHello m = peer_hello();
    UsbRemoteHead h = {
        .type = USB_REMOTE_MSG_HELLO, .length = sizeof(m) + sizeof(name) - 1
    };

    usb_remote_put16(m.name_length, sizeof(name) - 1);
    peer_send_head(peer, &h, &m, sizeof(m), name, sizeof(name) - 1);
}

void peer_send_attach(Peer *peer, uint8_t speeds, uint8_t policy,
                      uint32_t gap_ms, const UsbRemoteEndpoint *table,
                      size_t count)
{
    size_t table_size = count * sizeof(*table);
    UsbRemoteAttach m;
    UsbRemoteHead h = {
        .type = USB_REMOTE_MSG_ATTACH, .length = sizeof(m) + table_size,
        .attachment = ++peer->attachment,
    };

    memset(&m, 0, sizeof(m));
    m.speeds[0] = speeds;
    m.address_policy[0] = policy;
    usb_remote_put32(m.gap_ms, gap_ms);
    if (table) {
        usb_remote_put16(m.flags, USB_REMOTE_ATTACH_ENDPOINTS);
        usb_remote_put16(m.endpoint_count, count);
    }
    peer_send_head(peer, &h, &m, sizeof(m), table, table_size);
}

void peer_send_detach(Peer *peer)
{
    UsbRemoteDetach m = { { 0 } };

    peer_send(peer, USB_REMOTE_MSG_DETACH, &m, sizeof(m));
}

void peer_send_ready(Peer *peer, uint8_t endpoint)
{
    UsbRemoteReady m = { .endpoint = { endpoint } };

    peer_send(peer, USB_REMOTE_MSG_READY, &m, sizeof(m));
}

void peer_send_wakeup(Peer *peer)
{
    UsbRemoteWakeup m = { { 0 } };

    peer_send(peer, USB_REMOTE_MSG_WAKEUP, &m, sizeof(m));
}

void peer_send_complete(Peer *peer, const UsbRemoteHead *submit,
                        uint8_t status, const void *data, uint32_t length,
                        const UsbRemoteEndpoint *table, int count)
{
    size_t data_size = data ? length : 0;
    size_t tail_size = data_size + MAX(count, 0) * sizeof(*table);
    g_autofree uint8_t *tail = g_malloc0(tail_size);
    UsbRemoteHead h = *submit;
    UsbRemoteComplete m;

    memset(&m, 0, sizeof(m));
    m.status[0] = status;
    usb_remote_put32(m.length, length);
    if (data_size) {
        memcpy(tail, data, data_size);
    }
    if (count >= 0) {
        usb_remote_put16(m.flags, USB_REMOTE_COMPLETE_ENDPOINTS);
        usb_remote_put16(m.endpoint_count, count);
    }
    if (count > 0) {
        memcpy(tail + data_size, table, count * sizeof(*table));
    }
    h.type = USB_REMOTE_MSG_COMPLETE;
    h.flags = 0;
    h.length = sizeof(m) + tail_size;
    g_hash_table_remove(peer->open, &h.id);
    peer_send_head(peer, &h, &m, sizeof(m), tail, tail_size);
}

/* Automatic answers */

static void answer_descriptor(Peer *peer, PeerMessage *m)
{
    const uint8_t *setup = peer_submit(m)->setup;
    uint32_t length = peer_submit_length(m);
    PeerDevice *d = &peer->device;

    if (setup[3] == 1) {
        peer_send_complete(peer, &m->head, USB_REMOTE_STATUS_OK, d->device,
                           MIN(length, 18), NULL, -1);
    } else if (setup[3] == 2) {
        peer_send_complete(peer, &m->head, USB_REMOTE_STATUS_OK, d->config,
                           MIN(length, d->config_size), NULL, -1);
    } else {
        peer_send_complete(peer, &m->head, USB_REMOTE_STATUS_STALL, NULL, 0,
                           NULL, -1);
    }
}

static void answer_control(Peer *peer, PeerMessage *m)
{
    const uint8_t *setup = peer_submit(m)->setup;
    PeerDevice *d = &peer->device;

    switch ((setup[0] << 8) | setup[1]) {
    case 0x8006:
        answer_descriptor(peer, m);
        return;
    case 0x8008:
        peer_send_complete(peer, &m->head, USB_REMOTE_STATUS_OK,
                           &d->configuration, 1, NULL, -1);
        return;
    case 0x0009:
        d->configuration = setup[2];
        break;
    case 0x010b:
        d->interface_setting = setup[2];
        break;
    default:
        if (setup[0] & 0x80) {
            peer_send_complete(peer, &m->head, USB_REMOTE_STATUS_STALL, NULL,
                               0, NULL, -1);
            return;
        }
    }
    peer_send_complete(peer, &m->head, USB_REMOTE_STATUS_OK, NULL,
                       peer_submit_length(m), NULL, -1);
}

/* A case never sees a request that was cancelled before it took it. */
static void forget_submit(Peer *peer, uint64_t id)
{
    GList *l;

    for (l = peer->messages.head; l; l = l->next) {
        PeerMessage *m = l->data;

        if (m->head.type == USB_REMOTE_MSG_SUBMIT && m->head.id == id) {
            g_queue_delete_link(&peer->messages, l);
            peer_message_free(m);
            return;
        }
    }
}

static void answer_cancel(Peer *peer, PeerMessage *m)
{
    if (g_hash_table_contains(peer->open, &m->head.id)) {
        forget_submit(peer, m->head.id);
        peer_send_complete(peer, &m->head, USB_REMOTE_STATUS_CANCELLED, NULL,
                           0, NULL, -1);
    }
}

/* Keep track, answer what is to be answered; true when it is dealt with. */
static bool automatic(Peer *peer, PeerMessage *m)
{
    switch (m->head.type) {
    case USB_REMOTE_MSG_RESET:
        peer->epoch = m->head.epoch;
        peer->speed = m->body[0];
        peer->resets++;
        return false;
    case USB_REMOTE_MSG_ADDRESS:
        peer->address = m->body[0];
        return false;
    case USB_REMOTE_MSG_CANCEL:
        peer->cancels++;
        if (peer->auto_cancel) {
            answer_cancel(peer, m);
        }
        return false;
    case USB_REMOTE_MSG_SUBMIT:
        peer->submits++;
        g_hash_table_add(peer->open, g_memdup2(&m->head.id, 8));
        if (peer_submit(m)->type[0] != USB_REMOTE_TYPE_CONTROL) {
            peer->bulk_submits++;
            return false;
        }
        g_byte_array_append(peer->setups, peer_submit(m)->setup, 8);
        if (peer->auto_control) {
            answer_control(peer, m);
            return true;
        }
        return false;
    default:
        return false;
    }
}

/* Receiving */

void peer_message_free(PeerMessage *m)
{
    if (m) {
        g_free(m->body);
        g_free(m);
    }
}

static void check_message(const UsbRemoteHead *h, const uint8_t *body)
{
    UsbRemoteLimits limits = usb_remote_default_limits();
    bool skip;

    g_assert_cmpint(usb_remote_check_header(h, USB_REMOTE_FROM_QEMU, &limits,
                                            &skip), ==, 0);
    g_assert_false(skip);
    g_assert_cmpint(usb_remote_check_body(h, body, &limits), ==, 0);
}

static bool parse(Peer *peer)
{
    UsbRemoteHead h;
    PeerMessage *m;

    if (!peer->got_preamble) {
        if (peer->in->len < sizeof(UsbRemotePreamble)) {
            return false;
        }
        g_assert_true(usb_remote_magic_ok(peer->in->data, peer->in->len));
        g_assert_true(usb_remote_version_ok((void *)peer->in->data));
        g_byte_array_remove_range(peer->in, 0, sizeof(UsbRemotePreamble));
        peer->got_preamble = true;
    }
    if (peer->in->len < sizeof(UsbRemoteHeader)) {
        return false;
    }
    h = usb_remote_get_header(peer->in->data);
    if (peer->in->len < sizeof(UsbRemoteHeader) + h.length) {
        return false;
    }
    m = g_new0(PeerMessage, 1);
    m->head = h;
    m->body = g_memdup2(peer->in->data + sizeof(UsbRemoteHeader), h.length);
    g_byte_array_remove_range(peer->in, 0, sizeof(UsbRemoteHeader) + h.length);
    check_message(&h, m->body);
    if (peer->hook && peer->hook(peer, m, peer->hook_opaque)) {
        return true;
    }
    if (automatic(peer, m)) {
        peer_message_free(m);
    } else {
        g_queue_push_tail(&peer->messages, m);
    }
    return true;
}

void peer_pump(void *opaque)
{
    static uint8_t buf[READ_SIZE];
    Peer *peer = opaque;
    ssize_t n = 0;

    while (peer->fd >= 0 && !peer->deaf &&
           (n = recv(peer->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
        g_byte_array_append(peer->in, buf, n);
        while (!peer->raw && parse(peer)) {
            continue;
        }
    }
    if (peer->fd >= 0 && !peer->deaf &&
        (n == 0 || (n < 0 && errno != EAGAIN))) {
        peer->eof = true;
    }
}

static GList *find_message(Peer *peer, uint16_t type)
{
    GList *l;

    for (l = peer->messages.head; l; l = l->next) {
        if (((PeerMessage *)l->data)->head.type == type) {
            return l;
        }
    }
    return NULL;
}

bool peer_has(Peer *peer, uint16_t type)
{
    return find_message(peer, type) != NULL;
}

unsigned peer_queued(Peer *peer, uint16_t type)
{
    unsigned n = 0;
    GList *l;

    for (l = peer->messages.head; l; l = l->next) {
        n += ((PeerMessage *)l->data)->head.type == type;
    }
    return n;
}

PeerMessage *peer_take(Peer *peer, uint16_t type)
{
    GList *l = find_message(peer, type);
    PeerMessage *m = l ? l->data : NULL;

    if (l) {
        g_queue_delete_link(&peer->messages, l);
    }
    return m;
}

void peer_drop(Peer *peer, uint16_t type)
{
    PeerMessage *m;

    peer_pump(peer);
    while ((m = peer_take(peer, type))) {
        peer_message_free(m);
    }
}

PeerMessage *peer_expect(Peer *peer, uint16_t type)
{
    int64_t end = g_get_monotonic_time() +
                  PEER_DEADLINE_S * G_TIME_SPAN_SECOND;
    PeerMessage *m;

    for (;;) {
        peer_pump(peer);
        m = peer_take(peer, type);
        if (m) {
            return m;
        }
        if (peer->eof || g_get_monotonic_time() > end) {
            g_error("no %s from QEMU%s", usb_remote_message_name(type),
                    peer->eof ? ", which closed the connection" : "");
        }
        peer->step(peer->step_opaque);
    }
}

void peer_expect_free(Peer *peer, uint16_t type)
{
    peer_message_free(peer_expect(peer, type));
}

bool peer_wait(Peer *peer, bool (*done)(Peer *peer))
{
    int64_t end = g_get_monotonic_time() +
                  PEER_DEADLINE_S * G_TIME_SPAN_SECOND;

    while (peer_pump(peer), !done(peer)) {
        if (g_get_monotonic_time() > end) {
            return false;
        }
        peer->step(peer->step_opaque);
    }
    return true;
}

static bool at_eof(Peer *peer)
{
    return peer->eof;
}

void peer_expect_eof(Peer *peer)
{
    if (!peer_wait(peer, at_eof)) {
        g_error("QEMU does not close the connection");
    }
}

void peer_expect_error(Peer *peer, uint32_t code)
{
    PeerMessage *m = peer_expect(peer, USB_REMOTE_MSG_ERROR);
    const UsbRemoteErrorMsg *e = (const void *)m->body;

    g_assert_cmpint(usb_remote_get32(e->code), ==, code);
    g_assert_cmpint(m->head.length, >, sizeof(*e));
    peer_message_free(m);
    peer_expect_eof(peer);
}

/* Several of the above in one */

void peer_handshake(Peer *peer)
{
    peer_send_preamble(peer, USB_REMOTE_MAJOR, USB_REMOTE_MINOR);
    peer_send_hello(peer);
    peer_expect_free(peer, USB_REMOTE_MSG_HELLO);
}

void peer_attach(Peer *peer, uint8_t speeds)
{
    PeerMessage *m;

    peer_send_attach(peer, speeds, USB_REMOTE_ADDRESS_ACCEPT, 0, NULL, 0);
    m = peer_expect(peer, USB_REMOTE_MSG_ATTACHED);
    g_assert_cmpint(m->body[0], ==, USB_REMOTE_ATTACHED_OK);
    g_assert_cmpint(m->head.attachment, ==, peer->attachment);
    peer->speed = m->body[1];
    peer_message_free(m);
    peer_device_init(&peer->device, peer->speed);
}

void peer_answer_ok(Peer *peer, PeerMessage *m, const void *data,
                    uint32_t length)
{
    peer_send_complete(peer, &m->head, USB_REMOTE_STATUS_OK, data, length,
                       NULL, -1);
    peer_message_free(m);
}

void peer_answer(Peer *peer, PeerMessage *m, uint8_t status)
{
    peer_send_complete(peer, &m->head, status, NULL, 0, NULL, -1);
    peer_message_free(m);
}
