/*
 * A peer for usb-redir, as small as a comparison allows
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * It is the usb-host side of the protocol of the usbredir project, version
 * 0.7: hello, the device of peer_device_init() at super speed, answers to
 * control requests.  Bulk packets are swallowed; one that is cancelled is
 * answered "cancelled", as that protocol wants it.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "usb-remote-forked.h"

#define HEADER_SIZE         16          /* type, length, id; the id of */
#define HELLO_HEADER_SIZE   12          /* hello has 32 bits, others 64 */
#define VERSION_SIZE        64          /* of the text in hello */
#define ENDPOINTS           32          /* OUT, then IN */
#define CONTROL_SIZE        10
#define BULK_SIZE           10

enum {
    REDIR_HELLO = 0, REDIR_DEVICE_CONNECT, REDIR_INTERFACE_INFO = 4,
    REDIR_EP_INFO, REDIR_SET_CONFIGURATION, REDIR_CONFIGURATION_STATUS = 8,
    REDIR_CANCEL = 21, REDIR_CONTROL = 100, REDIR_BULK,
};

/* Without the first, device_connect has no version */
#define CAP_DEVICE_VERSION  (1 << 1)
#define CAP_MAX_PACKET      (1 << 4)
#define CAP_LONG_IDS        (1 << 5)
#define CAP_LONG_BULK       (1 << 6)
/* All that QEMU wants of a device on xHCI */
#define CAPS                (CAP_DEVICE_VERSION | CAP_MAX_PACKET | \
                             CAP_LONG_IDS | CAP_LONG_BULK)

#define SPEED_SUPER         3
#define STATUS_CANCELLED    1
#define STATUS_STALL        4
#define TYPE_CONTROL        0
#define TYPE_BULK           2
#define TYPE_INVALID        255

typedef struct Redir {
    ForkedPeer *forked;
    Peer *peer;                 /* takes bytes, knows no messages */
    size_t header;              /* of the messages from now on */
    PeerDevice device;
} Redir;

/* Sending */

static void redir_send(Redir *r, uint32_t type, uint64_t id, const void *body,
                       size_t size)
{
    g_autofree uint8_t *buf = g_malloc(HEADER_SIZE + size);

    stl_le_p(buf, type);
    stl_le_p(buf + 4, size);
    stq_le_p(buf + 8, id);
    memcpy(buf + r->header, body, size);
    peer_send_bytes(r->peer, buf, r->header + size);
}

static void send_hello(Redir *r)
{
    uint8_t hello[VERSION_SIZE + 4] = "usb-remote's bench";

    stl_le_p(hello + VERSION_SIZE, CAPS);
    redir_send(r, REDIR_HELLO, 0, hello, sizeof(hello));
}

static void send_interface(Redir *r)
{
    uint8_t info[4 + 4 * ENDPOINTS] = { 1 };

    info[4 + ENDPOINTS] = 0xff;         /* class */
    redir_send(r, REDIR_INTERFACE_INFO, 0, info, sizeof(info));
}

static unsigned ep_index(uint8_t address)
{
    return (address & 15) | (address & 0x80 ? 16 : 0);
}

static void send_endpoints(Redir *r)
{
    static const uint8_t bulk[] = { PEER_BULK_IN, PEER_BULK_OUT };
    uint8_t info[5 * ENDPOINTS] = { 0 };
    uint8_t *max_packet = info + 3 * ENDPOINTS;
    size_t i;

    memset(info, TYPE_INVALID, ENDPOINTS);
    info[0] = info[16] = TYPE_CONTROL;
    for (i = 0; i < G_N_ELEMENTS(bulk); i++) {
        unsigned at = ep_index(bulk[i]);

        info[at] = TYPE_BULK;
        stw_le_p(max_packet + 2 * at, r->device.bulk_mps);
    }
    redir_send(r, REDIR_EP_INFO, 0, info, sizeof(info));
}

static void send_connect(Redir *r)
{
    const uint8_t connect[10] = {
        SPEED_SUPER, 0, 0, 0, PEER_VENDOR & 0xff, PEER_VENDOR >> 8,
        PEER_PRODUCT & 0xff, PEER_PRODUCT >> 8, 0, 1
    };

    send_interface(r);
    send_endpoints(r);
    redir_send(r, REDIR_DEVICE_CONNECT, 0, connect, sizeof(connect));
}

/* Receiving */

/* endpoint, request, type, status, then value, index and length */
static void answer_control(Redir *r, uint64_t id, const uint8_t *m)
{
    uint8_t answer[CONTROL_SIZE + sizeof(r->device.config)];
    uint16_t length = lduw_le_p(m + 8);
    const void *data = NULL;
    size_t size = 0;

    memcpy(answer, m, CONTROL_SIZE);
    answer[3] = 0;
    if (m[1] == 6 && m[2] == 0x80 && m[5] == 1) {
        data = r->device.device;
        size = MIN(length, sizeof(r->device.device));
    } else if (m[1] == 6 && m[2] == 0x80 && m[5] == 2) {
        data = r->device.config;
        size = MIN(length, r->device.config_size);
    } else if (m[2] & 0x80) {
        answer[3] = STATUS_STALL;
    }
    if (size) {
        memcpy(answer + CONTROL_SIZE, data, size);
    }
    if (m[2] & 0x80) {
        stw_le_p(answer + 8, size);
    }
    redir_send(r, REDIR_CONTROL, id, answer, CONTROL_SIZE + size);
}

static void answer_configuration(Redir *r, uint64_t id, const uint8_t *m)
{
    const uint8_t answer[2] = { 0, m[0] };

    send_interface(r);
    send_endpoints(r);
    redir_send(r, REDIR_CONFIGURATION_STATUS, id, answer, sizeof(answer));
}

/* The endpoint is not in the message, and QEMU does not look at it then. */
static void answer_cancel(Redir *r, uint64_t id)
{
    const uint8_t answer[BULK_SIZE] = { PEER_BULK_OUT, STATUS_CANCELLED };

    forked_peer_count_cancel(r->forked);
    redir_send(r, REDIR_BULK, id, answer, sizeof(answer));
}

static void receive(Redir *r, uint32_t type, uint64_t id, const uint8_t *body)
{
    switch (type) {
    case REDIR_HELLO:
        r->header = HEADER_SIZE;
        send_connect(r);
        break;
    case REDIR_CONTROL:
        answer_control(r, id, body);
        break;
    case REDIR_SET_CONFIGURATION:
        answer_configuration(r, id, body);
        break;
    case REDIR_BULK:
        forked_peer_count_submit(r->forked);
        break;
    case REDIR_CANCEL:
        answer_cancel(r, id);
        break;
    default:
        break;                          /* reset, and the like */
    }
}

/* Returns the bytes of the message at @at, 0 if it is not whole. */
static size_t parse_one(Redir *r, const uint8_t *at, size_t left)
{
    bool wide = r->header == HEADER_SIZE;
    const uint8_t *body = at + r->header;
    size_t size = r->header;

    if (left < size || left - size < ldl_le_p(at + 4)) {
        return 0;
    }
    size += ldl_le_p(at + 4);
    receive(r, ldl_le_p(at), wide ? ldq_le_p(at + 8) : ldl_le_p(at + 8), body);
    return size;
}

static void parse(Redir *r)
{
    GByteArray *in = r->peer->in;
    size_t n, done = 0;

    while ((n = parse_one(r, in->data + done, in->len - done))) {
        done += n;
    }
    g_byte_array_remove_range(in, 0, done);
}

void forked_redir_main(ForkedPeer *forked, const char *path)
{
    Redir r = { .forked = forked, .peer = forked_peer_connect(path),
                .header = HELLO_HEADER_SIZE };

    r.peer->raw = true;
    peer_device_init(&r.device, USB_REMOTE_SPEED_SUPER);
    send_hello(&r);
    while (!r.peer->eof) {
        forked_peer_poll(r.peer);
        peer_pump(r.peer);
        parse(&r);
    }
}
