/*
 * libusbremote: one connection, without I/O
 *
 * SPDX-License-Identifier: MIT
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

#define UNSENT_EXTRA    65536   /* unsent bytes besides max_bytes of data */
#define LONG            4096    /* bytes that are worth a call to send them */

/* Buffers */

/* Room for @more bytes at the end. */
static bool buffer_reserve(Buffer *b, size_t more)
{
    size_t have = b->end - b->start, size = b->size ? b->size : 256;
    uint8_t *grown;

    if (b->size - b->end >= more) {
        return true;
    }
    if (b->start) {
        memmove(b->bytes, b->bytes + b->start, have);
        b->start = 0;
        b->end = have;
    }
    while (size - have < more) {
        size *= 2;
    }
    if (size == b->size) {
        return true;
    }
    grown = (uint8_t *)realloc(b->bytes, size);
    if (!grown) {
        return false;
    }
    b->bytes = grown;
    b->size = size;
    return true;
}

static void buffer_append(Buffer *b, const void *bytes, size_t size)
{
    if (size) {
        memcpy(b->bytes + b->end, bytes, size);
        b->end += size;
    }
}

/* Sending */

/*
 * Much data is sent from where it is, as far as the socket takes it now; what
 * is unsent already says that it takes no more.  Returns how much was sent.
 */
static size_t send_along(UsbRemotePeer *p, const void *tail, size_t size)
{
    if (size < LONG || !p->send_along || p->out.end - p->out.start >= LONG) {
        return 0;
    }
    return p->send_along(p, tail, size);
}

/* A message that has begun has to end, so there is room for it before. */
int session_put(UsbRemotePeer *p, const UsbRemoteHead *head,
                const void *fixed, size_t fixed_size, const void *tail,
                size_t tail_size)
{
    UsbRemoteHead h = *head;
    uint8_t header[sizeof(UsbRemoteHeader)];
    size_t sent;

    h.length = (uint32_t)(fixed_size + tail_size);
    if (!buffer_reserve(&p->out, sizeof(header) + h.length)) {
        return -ENOMEM;
    }
    usb_remote_put_header(header, &h);
    buffer_append(&p->out, header, sizeof(header));
    buffer_append(&p->out, fixed, fixed_size);
    sent = send_along(p, tail, tail_size);
    if (sent < tail_size) {
        buffer_append(&p->out, (const uint8_t *)tail + sent, tail_size - sent);
    }
    return 0;
}

/* A message that is about no request. */
static int put_event(UsbRemotePeer *p, uint16_t type, uint32_t epoch,
                     const void *fixed, size_t fixed_size, const void *tail,
                     size_t tail_size)
{
    size_t most = 2 * (size_t)p->limits.max_bytes + UNSENT_EXTRA;
    UsbRemoteHead head;

    if (p->out.end - p->out.start > most) {
        return -ENOBUFS;
    }
    memset(&head, 0, sizeof(head));
    head.type = type;
    head.attachment = p->attachment;
    head.epoch = epoch;
    return session_put(p, &head, fixed, fixed_size, tail, tail_size);
}

static int put_hello(UsbRemotePeer *p)
{
    size_t length = strlen(p->name);
    UsbRemoteHello m;

    memset(&m, 0, sizeof(m));
    usb_remote_put_limits(&m, &p->limits);
    usb_remote_put16(m.name_length, (uint16_t)length);
    return put_event(p, USB_REMOTE_MSG_HELLO, 0, &m, sizeof(m), p->name,
                     length);
}

static int put_preamble(UsbRemotePeer *p)
{
    UsbRemotePreamble m;

    if (!buffer_reserve(&p->out, sizeof(m))) {
        return -ENOMEM;
    }
    usb_remote_put_preamble(&m);
    buffer_append(&p->out, &m, sizeof(m));
    return 0;
}

static size_t text_size(const char *text)
{
    const size_t most = USB_REMOTE_MAX_TEXT;
    size_t length = text ? strlen(text) : 0;

    return length < most ? length : most;
}

/* The end */

void session_close(UsbRemotePeer *p, UsbRemoteEnd end, const char *text)
{
    if (p->state == STATE_CLOSED) {
        return;
    }
    p->state = STATE_CLOSED;
    requests_drop(p);
    if (p->call.closed) {
        p->call.closed(p->opaque, end, text);
    }
}

static void put_error(UsbRemotePeer *p, uint32_t code, uint16_t type,
                      uint64_t id, const char *text)
{
    UsbRemoteErrorMsg m;
    UsbRemoteHead head;

    memset(&m, 0, sizeof(m));
    usb_remote_put32(m.code, code);
    usb_remote_put16(m.type, type);
    memset(&head, 0, sizeof(head));
    head.type = USB_REMOTE_MSG_ERROR;
    head.id = id;
    head.attachment = p->attachment;
    head.epoch = p->epoch;
    session_put(p, &head, &m, sizeof(m), text, text_size(text));
}

/* QEMU did what only a broken program does. */
void session_violation(UsbRemotePeer *p, uint32_t code, uint16_t type,
                       uint64_t id, const char *text)
{
    if (p->state != STATE_CLOSED) {
        put_error(p, code, type, id, text);
        session_close(p, USBREMOTE_END_VIOLATION, text);
    }
}

static void unexpected(UsbRemotePeer *p, const UsbRemoteHead *head,
                       const char *text)
{
    session_violation(p, USB_REMOTE_ERROR_UNEXPECTED, head->type, head->id,
                      text);
}

void usbremote_bye(UsbRemotePeer *peer, const char *text)
{
    UsbRemoteBye m;

    if (peer->state != STATE_CLOSED) {
        memset(&m, 0, sizeof(m));
        usb_remote_put32(m.reason, USB_REMOTE_BYE_DONE);
        put_event(peer, USB_REMOTE_MSG_BYE, 0, &m, sizeof(m), text,
                  text_size(text));
        session_close(peer, USBREMOTE_END_BYE, text && *text ? text : "done");
    }
}

/* What the device does */

static bool is_open(const UsbRemotePeer *p)
{
    return p->state > STATE_HELLO && p->state < STATE_CLOSED;
}

/* ATTACH as bytes at @m, with its table; their number, or -EINVAL. */
static int make_attach(uint8_t *bytes, const UsbRemotePlug *plug)
{
    UsbRemoteAttach *m = (UsbRemoteAttach *)bytes;
    size_t count = plug->endpoints ? plug->endpoint_count : 0;
    size_t table = count * sizeof(UsbRemoteEndpoint);

    if (plug->speeds > 0x0f || plug->address_policy < 0 ||
        plug->address_policy > USB_REMOTE_ADDRESS_SILENCE ||
        count > USB_REMOTE_MAX_ENDPOINTS) {
        return -EINVAL;
    }
    memset(m, 0, sizeof(*m));
    m->speeds[0] = (uint8_t)plug->speeds;
    m->address_policy[0] = (uint8_t)plug->address_policy;
    usb_remote_put32(m->gap_ms, plug->gap_ms);
    if (plug->endpoints) {
        usb_remote_put16(m->flags, USB_REMOTE_ATTACH_ENDPOINTS);
        usb_remote_put16(m->endpoint_count, (uint16_t)count);
        memcpy(m + 1, plug->endpoints, table);
    }
    return usb_remote_check_attach(m, sizeof(*m) + table) ? -EINVAL
           : (int)(sizeof(*m) + table);
}

int usbremote_attach(UsbRemotePeer *peer, const UsbRemotePlug *plug)
{
    uint8_t bytes[sizeof(UsbRemoteAttach) +
                  USB_REMOTE_MAX_ENDPOINTS * sizeof(UsbRemoteEndpoint)];
    int size = make_attach(bytes, plug), error;

    if (size < 0) {
        return size;
    }
    if (!is_open(peer) || peer->state == STATE_ATTACHING) {
        return -ENOTCONN;
    }
    peer->attachment++;
    error = put_event(peer, USB_REMOTE_MSG_ATTACH, 0, bytes, (size_t)size,
                      NULL, 0);
    if (error) {
        peer->attachment--;
        return error;
    }
    peer->state = STATE_ATTACHING;
    requests_drop(peer);
    return 0;
}

int usbremote_detach(UsbRemotePeer *peer)
{
    UsbRemoteDetach m;
    int error;

    if (peer->state != STATE_ATTACHING && peer->state != STATE_ATTACHED) {
        return -ENOTCONN;
    }
    memset(&m, 0, sizeof(m));
    error = put_event(peer, USB_REMOTE_MSG_DETACH, 0, &m, sizeof(m), NULL, 0);
    if (!error) {
        peer->state = STATE_DETACHING;
        requests_drop(peer);
    }
    return error;
}

int usbremote_wakeup(UsbRemotePeer *peer)
{
    UsbRemoteWakeup m;

    if (peer->state != STATE_ATTACHED) {
        return -ENOTCONN;
    }
    memset(&m, 0, sizeof(m));
    return put_event(peer, USB_REMOTE_MSG_WAKEUP, 0, &m, sizeof(m), NULL, 0);
}

int usbremote_ready(UsbRemotePeer *peer, uint8_t endpoint)
{
    UsbRemoteReady m;

    if ((endpoint & 0x70) || endpoint == 0x80) {
        return -EINVAL;
    }
    if (peer->state != STATE_ATTACHED) {
        return -ENOTCONN;
    }
    memset(&m, 0, sizeof(m));
    m.endpoint[0] = endpoint;
    return put_event(peer, USB_REMOTE_MSG_READY, peer->epoch, &m, sizeof(m),
                     NULL, 0);
}

/* What QEMU says */

/* Whether a message is about what is plugged in now. */
static bool is_live(const UsbRemotePeer *p, const UsbRemoteHead *head)
{
    return head->attachment == p->attachment && p->state == STATE_ATTACHED;
}

/* A text of QEMU's, with an end and without what a terminal would obey. */
static void copy_text(char *to, const uint8_t *text, size_t size)
{
    size_t i;

    for (i = 0; i < size && i < USB_REMOTE_MAX_TEXT; i++) {
        to[i] = text[i] < 0x20 || text[i] == 0x7f ? '?' : (char)text[i];
    }
    to[i] = 0;
}

/* What greeted is told: three strings, one after the other. */
typedef struct Strings {
    char text[2 * USB_REMOTE_MAX_NAME + USB_REMOTE_MAX_SELECT + 3];
    size_t used;
} Strings;

static const char *take_string(Strings *s, const uint8_t **from,
                               const uint8_t *length)
{
    size_t size = usb_remote_get16(length);
    char *to = s->text + s->used;

    memcpy(to, *from, size);
    to[size] = 0;
    *from += size;
    s->used += size + 1;
    return to;
}

static void got_hello(UsbRemotePeer *p, const UsbRemoteHead *head,
                      const uint8_t *body)
{
    const UsbRemoteHello *m = (const UsbRemoteHello *)body;
    const uint8_t *text = body + sizeof(*m);
    const char *refusal = NULL;
    UsbRemoteGreeting greeting;
    Strings strings;

    if (p->state != STATE_HELLO) {
        unexpected(p, head, "HELLO a second time");
        return;
    }
    strings.used = 0;
    greeting.name = take_string(&strings, &text, m->name_length);
    greeting.device_id = take_string(&strings, &text, m->id_length);
    greeting.select = take_string(&strings, &text, m->select_length);
    if (p->call.greeted) {
        refusal = p->call.greeted(p->opaque, &greeting);
    }
    if (p->state == STATE_CLOSED) {
        return;
    }
    if (refusal) {
        put_error(p, USB_REMOTE_ERROR_REFUSED, 0, 0, refusal);
        session_close(p, USBREMOTE_END_BYE, refusal);
        return;
    }
    if (put_hello(p)) {
        session_close(p, USBREMOTE_END_LOST, "no memory");
        return;
    }
    p->limits = usb_remote_join_limits(&p->limits, m);
    p->state = STATE_DETACHED;
    if (p->call.opened) {
        p->call.opened(p->opaque);
    }
}

static void got_error(UsbRemotePeer *p, const UsbRemoteHead *head,
                      const uint8_t *body)
{
    char text[USB_REMOTE_MAX_TEXT + 1];

    copy_text(text, body + sizeof(UsbRemoteErrorMsg),
              head->length - sizeof(UsbRemoteErrorMsg));
    session_close(p, USBREMOTE_END_REFUSED,
                  text[0] ? text : "QEMU refused it without a word");
}

static void got_bye(UsbRemotePeer *p, const UsbRemoteHead *head,
                    const uint8_t *body)
{
    const UsbRemoteBye *m = (const UsbRemoteBye *)body;
    bool removed = usb_remote_get32(m->reason) == USB_REMOTE_BYE_REMOVED;
    char text[USB_REMOTE_MAX_TEXT + 1];

    copy_text(text, body + sizeof(*m), head->length - sizeof(*m));
    session_close(p, removed ? USBREMOTE_END_REMOVED : USBREMOTE_END_BYE,
                  text[0] ? text : "QEMU said goodbye");
}

static void got_attached(UsbRemotePeer *p, const UsbRemoteHead *head,
                         const uint8_t *body)
{
    const UsbRemoteAttached *m = (const UsbRemoteAttached *)body;
    char text[USB_REMOTE_MAX_TEXT + 1];
    State before = p->state;

    if (head->attachment < p->attachment || before == STATE_DETACHING) {
        return;                 /* overtaken by an ATTACH or a DETACH */
    }
    if (before != STATE_ATTACHING && before != STATE_ATTACHED) {
        unexpected(p, head, "ATTACHED, which was not asked for");
        return;
    }
    requests_drop(p);
    if (p->state != before) {
        return;                 /* the device did something else then */
    }
    if (m->result[0] == USB_REMOTE_ATTACHED_OK) {
        p->state = STATE_ATTACHED;
        if (p->call.attached) {
            p->call.attached(p->opaque, m->speed[0]);
        }
        return;
    }
    p->state = STATE_DETACHED;
    copy_text(text, body + sizeof(*m), head->length - sizeof(*m));
    if (p->call.not_attached) {
        p->call.not_attached(p->opaque, m->result[0], text);
    }
}

static void got_detached(UsbRemotePeer *p, const UsbRemoteHead *head)
{
    if (head->attachment == p->attachment) {
        if (p->state != STATE_DETACHING) {
            unexpected(p, head, "DETACHED, which was not asked for");
            return;
        }
        p->state = STATE_DETACHED;
    }
    if (p->call.detached) {
        p->call.detached(p->opaque, head->attachment);
    }
}

static void got_reset(UsbRemotePeer *p, const UsbRemoteHead *head,
                      const uint8_t *body)
{
    if (head->epoch <= p->epoch) {
        unexpected(p, head, "RESET to an epoch that is not new");
        return;
    }
    p->epoch = head->epoch;
    if (is_live(p, head)) {
        int speed = ((const UsbRemoteReset *)body)->speed[0];

        requests_drop(p);
        if (is_live(p, head) && p->call.reset) {
            p->call.reset(p->opaque, speed);
        }
    }
}

static void got_submit(UsbRemotePeer *p, const UsbRemoteHead *head,
                       const uint8_t *body)
{
    if (head->attachment == p->attachment && p->state != STATE_ATTACHED &&
        p->state != STATE_DETACHING) {
        unexpected(p, head, "SUBMIT with nothing plugged in");
    } else if (!is_live(p, head)) {
        return;                 /* crossed an ATTACH or a DETACH */
    } else if (head->epoch != p->epoch) {
        unexpected(p, head, "SUBMIT of another epoch");
    } else if (head->id <= p->newest_id) {
        unexpected(p, head, "SUBMIT with an id that is not new");
    } else {
        p->newest_id = head->id;
        request_submitted(p, head, body);
    }
}

static void got_cancel(UsbRemotePeer *p, const UsbRemoteHead *head)
{
    if (head->id > p->newest_id && is_live(p, head)) {
        session_violation(p, USB_REMOTE_ERROR_UNKNOWN_ID, head->type,
                          head->id, "CANCEL of what was never submitted");
    } else {
        request_cancelled(p, head);
    }
}

/* ATTACHED and DETACHED answer the peer, by the number of the attachment. */
static bool is_answer(const UsbRemoteHead *head)
{
    return head->type == USB_REMOTE_MSG_ATTACHED ||
           head->type == USB_REMOTE_MSG_DETACHED;
}

/* A message about the attachment, whose number is not from the future. */
static void got_event(UsbRemotePeer *p, const UsbRemoteHead *head,
                      const uint8_t *body)
{
    switch (head->type) {
    case USB_REMOTE_MSG_ATTACHED:
        got_attached(p, head, body);
        break;
    case USB_REMOTE_MSG_DETACHED:
        got_detached(p, head);
        break;
    case USB_REMOTE_MSG_RESET:
        got_reset(p, head, body);
        break;
    case USB_REMOTE_MSG_ADDRESS:
        if (is_live(p, head) && p->call.address) {
            p->call.address(p->opaque, body[0]);
        }
        break;
    case USB_REMOTE_MSG_VMSTATE:
        if (p->call.vmstate) {
            p->call.vmstate(p->opaque, body[0] != 0);
        }
        break;
    case USB_REMOTE_MSG_SUBMIT:
        got_submit(p, head, body);
        break;
    case USB_REMOTE_MSG_CANCEL:
        got_cancel(p, head);
        break;
    }
}

static void got_message(UsbRemotePeer *p, const UsbRemoteHead *head,
                        const uint8_t *body)
{
    int code = usb_remote_check_body(head, body, &p->limits);

    if (code != USB_REMOTE_ERROR_NONE) {
        session_violation(p, (uint32_t)code, head->type, head->id,
                          "an impossible length or value");
    } else if (head->type == USB_REMOTE_MSG_HELLO) {
        got_hello(p, head, body);
    } else if (head->type == USB_REMOTE_MSG_ERROR) {
        got_error(p, head, body);
    } else if (head->type == USB_REMOTE_MSG_BYE) {
        got_bye(p, head, body);
    } else if (!is_open(p)) {
        unexpected(p, head, "a message before HELLO");
    } else if (is_answer(head) && (head->attachment == 0 ||
                                   head->attachment > p->attachment)) {
        session_violation(p, USB_REMOTE_ERROR_UNKNOWN_ID, head->type, 0,
                          "an answer about what was never plugged in");
    } else if (head->attachment > p->attachment) {
        unexpected(p, head, "a message of an attachment that has not been");
    } else {
        got_event(p, head, body);
    }
}

/* Bytes that arrive */

static void got_preamble(UsbRemotePeer *p)
{
    const UsbRemotePreamble *m = (const UsbRemotePreamble *)p->in.bytes;

    p->in.end = 0;
    p->state = STATE_HELLO;
    if (!usb_remote_version_ok(m)) {
        session_violation(p, USB_REMOTE_ERROR_VERSION, 0, 0,
                          "QEMU's usb-remote has another version of the "
                          "protocol");
    }
}

/* A header has arrived: is what follows welcome? */
static void got_header(UsbRemotePeer *p)
{
    UsbRemoteHead head = usb_remote_get_header(p->in.bytes);
    bool skip;
    int code = usb_remote_check_header(&head, USB_REMOTE_FROM_QEMU,
                                       &p->limits, &skip);

    if (skip && p->state == STATE_HELLO && code == USB_REMOTE_ERROR_NONE) {
        code = USB_REMOTE_ERROR_UNEXPECTED;
    }
    if (code != USB_REMOTE_ERROR_NONE) {
        session_violation(p, (uint32_t)code, head.type, head.id,
                          "a message that cannot be, by its header");
    } else if (skip) {
        p->skip = head.length;
        p->in.end = 0;
    }
}

/* Bytes that the preamble or message being received has in all. */
static size_t unit_size(const UsbRemotePeer *p)
{
    if (p->state == STATE_START) {
        return sizeof(UsbRemotePreamble);
    }
    if (p->in.end < sizeof(UsbRemoteHeader)) {
        return sizeof(UsbRemoteHeader);
    }
    return sizeof(UsbRemoteHeader) +
           usb_remote_get_header(p->in.bytes).length;
}

static void advance(UsbRemotePeer *p, size_t need)
{
    if (p->state == STATE_START) {
        if (!usb_remote_magic_ok(p->in.bytes, p->in.end)) {
            session_close(p, USBREMOTE_END_STRANGER,
                          "what answers is not a usb-remote device of QEMU");
        } else if (p->in.end == need) {
            got_preamble(p);
        }
        return;
    }
    if (p->in.end == sizeof(UsbRemoteHeader) && need == p->in.end) {
        got_header(p);
        if (p->state == STATE_CLOSED || p->in.end == 0) {
            return;
        }
        need = unit_size(p);
    }
    if (p->in.end == need) {
        UsbRemoteHead head = usb_remote_get_header(p->in.bytes);

        p->in.end = 0;
        got_message(p, &head, p->in.bytes + sizeof(UsbRemoteHeader));
    }
}

/* Room for @need bytes of a preamble or message; none is longer. */
static bool reserve_unit(UsbRemotePeer *p, size_t need)
{
    size_t size;
    uint8_t *more;

    if (need <= p->in.size) {
        return true;
    }
    more = memory_take(p, need, &size);
    if (!more) {
        session_violation(p, USB_REMOTE_ERROR_INTERNAL, 0, 0,
                          "no memory for a message");
        return false;
    }
    if (p->in.end) {
        memcpy(more, p->in.bytes, p->in.end);
    }
    memory_give(p, p->in.bytes, p->in.size);
    p->in.bytes = more;
    p->in.size = size;
    return true;
}

/*
 * Where the rest of the message goes whose header has arrived, and its size,
 * so that a long one need not be copied; NULL and 0 between messages.
 */
uint8_t *session_room(UsbRemotePeer *p, size_t *size)
{
    size_t need;

    *size = 0;
    if (p->skip || p->state == STATE_START || p->state == STATE_CLOSED ||
        p->in.end < sizeof(UsbRemoteHeader)) {
        return NULL;
    }
    need = unit_size(p);
    if (!reserve_unit(p, need)) {
        return NULL;
    }
    *size = need - p->in.end;
    return p->in.bytes + p->in.end;
}

/* @size bytes have arrived there. */
void session_received(UsbRemotePeer *p, size_t size)
{
    p->in.end += size;
    advance(p, unit_size(p));
}

/* Take some of @size bytes; returns how many. */
static size_t feed_some(UsbRemotePeer *p, const uint8_t *bytes, size_t size)
{
    size_t need, n;

    if (p->skip) {
        n = p->skip < size ? p->skip : size;
        p->skip -= n;
        return n;
    }
    need = unit_size(p);
    n = need - p->in.end < size ? need - p->in.end : size;
    if (!reserve_unit(p, need)) {
        return size;
    }
    buffer_append(&p->in, bytes, n);
    advance(p, need);
    return n;
}

int usbremote_feed(UsbRemotePeer *peer, const void *bytes, size_t size)
{
    const uint8_t *at = (const uint8_t *)bytes;

    while (size && peer->state != STATE_CLOSED) {
        size_t n = feed_some(peer, at, size);

        at += n;
        size -= n;
    }
    return peer->state == STATE_CLOSED ? -ENOTCONN : 0;
}

void usbremote_feed_eof(UsbRemotePeer *peer)
{
    session_close(peer, USBREMOTE_END_LOST, is_open(peer) ?
                  "QEMU closed the connection without a word" :
                  "QEMU closed the connection during the handshake: is "
                  "another peer connected there?");
}

const uint8_t *usbremote_output(UsbRemotePeer *peer, size_t *size)
{
    *size = peer->out.end - peer->out.start;
    return *size ? peer->out.bytes + peer->out.start : NULL;
}

void usbremote_output_sent(UsbRemotePeer *peer, size_t size)
{
    peer->out.start += size;
    if (peer->out.start == peer->out.end) {
        peer->out.start = peer->out.end = 0;
    }
}

bool usbremote_is_closed(const UsbRemotePeer *peer)
{
    return peer->state == STATE_CLOSED;
}

/* Life */

static uint32_t chosen(uint32_t wanted, uint32_t most)
{
    return wanted && wanted < most ? wanted : most;
}

/* The limits to announce; false if they are below what is allowed. */
static bool set_limits(UsbRemoteLimits *l, const UsbRemoteCapacity *c)
{
    *l = usb_remote_default_limits();
    if (c) {
        l->max_payload = chosen(c->max_payload, l->max_payload);
        l->max_control = chosen(c->max_control, l->max_control);
        l->max_requests = chosen(c->max_requests, l->max_requests);
        l->max_per_endpoint = chosen(c->max_per_endpoint,
                                     l->max_per_endpoint);
        l->max_bytes = chosen(c->max_bytes, l->max_bytes);
    }
    return l->max_payload >= USB_REMOTE_MIN_PAYLOAD &&
           l->max_control >= USB_REMOTE_MIN_CONTROL &&
           l->max_bytes >= l->max_payload;
}

static bool name_is_sound(const char *name)
{
    return name && strlen(name) <= USB_REMOTE_MAX_NAME &&
           usb_remote_check_text((const uint8_t *)name, strlen(name));
}

static bool peer_init(UsbRemotePeer *p, const char *name)
{
    size_t size = strlen(name) + 1;

    p->name = (char *)malloc(size);
    if (!p->name) {
        return false;
    }
    memcpy(p->name, name, size);
    return requests_init(p) == 0 && put_preamble(p) == 0;
}

UsbRemotePeer *usbremote_new(const UsbRemoteCallbacks *callbacks,
                             void *opaque, const char *name,
                             const UsbRemoteCapacity *capacity)
{
    size_t known = callbacks ? callbacks->size : 0;
    UsbRemoteLimits limits;
    UsbRemotePeer *p;

    if (known < sizeof(known) || !name_is_sound(name) ||
        !set_limits(&limits, capacity)) {
        errno = EINVAL;
        return NULL;
    }
    p = (UsbRemotePeer *)calloc(1, sizeof(*p));
    if (!p) {
        return NULL;
    }
    memcpy(&p->call, callbacks,
           known < sizeof(p->call) ? known : sizeof(p->call));
    p->opaque = opaque;
    p->limits = limits;
    p->fd = -1;
    if (!peer_init(p, name)) {
        usbremote_free(p);
        errno = ENOMEM;
        return NULL;
    }
    return p;
}
