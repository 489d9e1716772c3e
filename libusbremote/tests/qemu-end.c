/*
 * QEMU's end of one connection, for tests of peers
 *
 * SPDX-License-Identifier: MIT
 */

#include <stdlib.h>

#include "qemu-end.h"

/* Bytes that grow as needed. */
typedef struct Bytes {
    uint8_t *at;
    size_t used;
    size_t size;                /* allocated */
} Bytes;

typedef struct InFlight {
    uint64_t id;
    UsbRemoteSubmit submit;
} InFlight;

typedef enum Plug { DETACHED, WAITING, ATTACHED } Plug;

struct QemuEnd {
    UsbRemoteLimits limits;     /* QEMU's; from HELLO on, those in force */
    bool versed;                /* the peer's preamble has come */
    bool greeted;               /* its HELLO, too */
    bool closed;
    Plug plug;
    uint32_t attachment;
    uint32_t epoch;
    uint64_t last_id;
    InFlight in_flight[USB_REMOTE_MAX_REQUESTS + 1];
    size_t count;               /* of these */

    Bytes in;                   /* a preamble or message, as far as it came */
    size_t skip;                /* bytes of an unknown message to drop */
    Bytes out;
    Bytes sent;                 /* what qemu_end_output() gave out */
    Bytes heard;                /* messages */
    size_t taken;               /* of these, by qemu_end_next() */
};

/* Bytes */

static uint8_t *append(Bytes *b, const void *bytes, size_t size)
{
    uint8_t *to;

    if (b->size - b->used < size || !b->at) {
        b->size = 2 * (b->used + size) + 64;
        b->at = (uint8_t *)realloc(b->at, b->size);
        if (!b->at) {
            abort();
        }
    }
    to = b->at + b->used;
    if (size) {
        memcpy(to, bytes, size);
    }
    b->used += size;
    return to;
}

const uint8_t *qemu_end_output(QemuEnd *q, size_t *size)
{
    Bytes last = q->sent;

    q->sent = q->out;
    q->out = last;
    q->out.used = 0;
    *size = q->sent.used;
    return q->sent.at;
}

/* What QEMU says */

static void put_header(QemuEnd *q, const UsbRemoteHead *head)
{
    uint8_t bytes[sizeof(UsbRemoteHeader)];

    usb_remote_put_header(bytes, head);
    append(&q->out, bytes, sizeof(bytes));
}

void qemu_end_send(QemuEnd *q, const UsbRemoteHead *head, const void *body,
                   size_t size)
{
    put_header(q, head);
    append(&q->out, body, size);
}

/* With the numbers of now. */
static void say(QemuEnd *q, uint16_t type, uint64_t id, const void *fixed,
                size_t fixed_size, const void *tail, size_t tail_size)
{
    UsbRemoteHead head;

    memset(&head, 0, sizeof(head));
    head.type = type;
    head.id = id;
    head.attachment = q->attachment;
    head.epoch = q->epoch;
    head.length = (uint32_t)(fixed_size + tail_size);
    put_header(q, &head);
    append(&q->out, fixed, fixed_size);
    append(&q->out, tail, tail_size);
}

/* A message whose fixed part is 8 bytes, all but the first reserved. */
static void say_value(QemuEnd *q, uint16_t type, uint64_t id, int value)
{
    uint8_t fixed[sizeof(UsbRemoteReset)] = { (uint8_t)value };

    say(q, type, id, fixed, sizeof(fixed), NULL, 0);
}

static void say_hello(QemuEnd *q, const char *device_id, const char *select)
{
    static const char name[] = "QEMU";
    UsbRemotePreamble preamble;
    UsbRemoteHello m;
    Bytes text = { NULL, 0, 0 };

    usb_remote_put_preamble(&preamble);
    append(&q->out, &preamble, sizeof(preamble));
    memset(&m, 0, sizeof(m));
    usb_remote_put_limits(&m, &q->limits);
    usb_remote_put16(m.name_length, (uint16_t)strlen(name));
    usb_remote_put16(m.id_length, (uint16_t)strlen(device_id));
    usb_remote_put16(m.select_length, (uint16_t)strlen(select));
    append(&text, name, strlen(name));
    append(&text, device_id, strlen(device_id));
    append(&text, select, strlen(select));
    say(q, USB_REMOTE_MSG_HELLO, 0, &m, sizeof(m), text.at, text.used);
    free(text.at);
}

void qemu_end_attached(QemuEnd *q, int result, int speed, const char *text)
{
    UsbRemoteAttached m;

    memset(&m, 0, sizeof(m));
    m.result[0] = (uint8_t)result;
    m.speed[0] = (uint8_t)speed;
    q->plug = result == USB_REMOTE_ATTACHED_OK ? ATTACHED : DETACHED;
    say(q, USB_REMOTE_MSG_ATTACHED, 0, &m, sizeof(m), text, strlen(text));
}

void qemu_end_detached(QemuEnd *q)
{
    q->plug = DETACHED;
    q->count = 0;
    say_value(q, USB_REMOTE_MSG_DETACHED, 0, 0);
}

void qemu_end_reset(QemuEnd *q, int speed)
{
    q->epoch++;
    q->count = 0;
    say_value(q, USB_REMOTE_MSG_RESET, 0, speed);
}

void qemu_end_address(QemuEnd *q, int address)
{
    say_value(q, USB_REMOTE_MSG_ADDRESS, 0, address);
}

void qemu_end_vmstate(QemuEnd *q, bool running)
{
    say_value(q, USB_REMOTE_MSG_VMSTATE, 0, running);
}

void qemu_end_bye(QemuEnd *q, uint32_t reason)
{
    UsbRemoteBye m;

    memset(&m, 0, sizeof(m));
    usb_remote_put32(m.reason, reason);
    say(q, USB_REMOTE_MSG_BYE, 0, &m, sizeof(m), NULL, 0);
    q->closed = true;
}

uint64_t qemu_end_submit(QemuEnd *q, const QemuSubmit *s)
{
    UsbRemoteSubmit m;

    memset(&m, 0, sizeof(m));
    m.endpoint[0] = (uint8_t)s->endpoint;
    m.type[0] = (uint8_t)s->type;
    usb_remote_put16(m.flags, (uint16_t)s->flags);
    usb_remote_put32(m.length, s->length);
    if (s->setup) {
        memcpy(m.setup, s->setup, sizeof(m.setup));
    }
    q->last_id++;
    if (q->count < sizeof(q->in_flight) / sizeof(q->in_flight[0])) {
        q->in_flight[q->count].id = q->last_id;
        q->in_flight[q->count++].submit = m;
    }
    say(q, USB_REMOTE_MSG_SUBMIT, q->last_id, &m, sizeof(m), s->data,
        s->data ? s->length : 0);
    return q->last_id;
}

void qemu_end_cancel(QemuEnd *q, uint64_t id)
{
    say_value(q, USB_REMOTE_MSG_CANCEL, id, 0);
}

/* What QEMU hears: USB_REMOTE_ERROR_*, and whether it is to be told */

static uint32_t got_hello(QemuEnd *q, const uint8_t *body)
{
    if (q->greeted) {
        return USB_REMOTE_ERROR_UNEXPECTED;
    }
    q->greeted = true;
    q->limits = usb_remote_join_limits(&q->limits,
                                       (const UsbRemoteHello *)body);
    return USB_REMOTE_ERROR_NONE;
}

static uint32_t got_attach(QemuEnd *q, const UsbRemoteHead *head)
{
    if (q->plug == WAITING || head->attachment != q->attachment + 1) {
        return USB_REMOTE_ERROR_UNEXPECTED;
    }
    q->attachment = head->attachment;
    q->plug = WAITING;
    q->count = 0;
    return USB_REMOTE_ERROR_NONE;
}

static uint32_t got_detach(QemuEnd *q, const UsbRemoteHead *head, bool *tell)
{
    if (head->attachment == 0 || head->attachment > q->attachment) {
        return USB_REMOTE_ERROR_UNEXPECTED;
    }
    *tell = head->attachment == q->attachment;
    if (*tell) {
        q->plug = DETACHED;
        q->count = 0;
    }
    return USB_REMOTE_ERROR_NONE;
}

static InFlight *find(QemuEnd *q, uint64_t id)
{
    size_t i;

    for (i = 0; i < q->count; i++) {
        if (q->in_flight[i].id == id) {
            return &q->in_flight[i];
        }
    }
    return NULL;
}

/* Requests whose answer may bring an endpoint table. */
static bool takes_table(const UsbRemoteSubmit *m)
{
    return m->type[0] == USB_REMOTE_TYPE_CONTROL &&
           ((m->setup[0] == 0x00 && m->setup[1] == 9) ||
            (m->setup[0] == 0x01 && m->setup[1] == 11));
}

static uint32_t got_complete(QemuEnd *q, const UsbRemoteHead *head,
                             const uint8_t *body)
{
    InFlight *r = find(q, head->id);
    int code;

    if (!r) {
        return USB_REMOTE_ERROR_UNKNOWN_ID;
    }
    code = usb_remote_check_answer((const UsbRemoteComplete *)body,
                                   head->length,
                                   usb_remote_submit_is_in(&r->submit),
                                   usb_remote_get32(r->submit.length),
                                   takes_table(&r->submit));
    q->count--;
    memmove(r, r + 1, (size_t)(q->in_flight + q->count - r) * sizeof(*r));
    return (uint32_t)code;
}

/* COMPLETE, READY or WAKEUP: of now, of before, or of what has not been. */
static uint32_t got_event(QemuEnd *q, const UsbRemoteHead *head,
                          const uint8_t *body, bool *tell)
{
    bool same = head->attachment == q->attachment;
    bool by_epoch = head->type != USB_REMOTE_MSG_WAKEUP;

    if (head->attachment > q->attachment ||
        (same && by_epoch && head->epoch > q->epoch)) {
        return USB_REMOTE_ERROR_UNKNOWN_ID;
    }
    *tell = same && q->plug == ATTACHED &&
            (!by_epoch || head->epoch == q->epoch);
    return *tell && head->type == USB_REMOTE_MSG_COMPLETE
           ? got_complete(q, head, body) : USB_REMOTE_ERROR_NONE;
}

static uint32_t judge(QemuEnd *q, const UsbRemoteHead *head,
                      const uint8_t *body, bool *tell)
{
    int code = usb_remote_check_body(head, body, &q->limits);

    *tell = true;
    if (code != USB_REMOTE_ERROR_NONE) {
        return (uint32_t)code;
    }
    if (head->type == USB_REMOTE_MSG_ERROR ||
        head->type == USB_REMOTE_MSG_BYE) {
        q->closed = true;
        return USB_REMOTE_ERROR_NONE;
    }
    if (head->type == USB_REMOTE_MSG_HELLO) {
        return got_hello(q, body);
    }
    if (!q->greeted) {
        return USB_REMOTE_ERROR_UNEXPECTED;
    }
    if (head->type == USB_REMOTE_MSG_ATTACH) {
        return got_attach(q, head);
    }
    return head->type == USB_REMOTE_MSG_DETACH
           ? got_detach(q, head, tell) : got_event(q, head, body, tell);
}

/* The peer did what only a broken program does. */
static uint32_t violation(QemuEnd *q, uint32_t code, const UsbRemoteHead *head)
{
    UsbRemoteErrorMsg m;

    memset(&m, 0, sizeof(m));
    usb_remote_put32(m.code, code);
    usb_remote_put16(m.type, head->type);
    say(q, USB_REMOTE_MSG_ERROR, head->id, &m, sizeof(m), NULL, 0);
    q->closed = true;
    return code;
}

static void remember(QemuEnd *q, const uint8_t *message, size_t size)
{
    if (q->taken == q->heard.used) {
        q->taken = q->heard.used = 0;
    }
    append(&q->heard, message, size);
}

static uint32_t got_message(QemuEnd *q)
{
    UsbRemoteHead head = usb_remote_get_header(q->in.at);
    uint32_t code;
    bool tell;

    code = judge(q, &head, q->in.at + sizeof(UsbRemoteHeader), &tell);
    if (code != USB_REMOTE_ERROR_NONE) {
        return violation(q, code, &head);
    }
    if (tell) {
        remember(q, q->in.at, q->in.used);
    }
    q->in.used = 0;
    return USB_REMOTE_ERROR_NONE;
}

static uint32_t got_preamble(QemuEnd *q)
{
    UsbRemoteHead none;
    bool ok = usb_remote_version_ok((const UsbRemotePreamble *)q->in.at);

    memset(&none, 0, sizeof(none));
    q->versed = true;
    q->in.used = 0;
    return ok ? USB_REMOTE_ERROR_NONE
              : violation(q, USB_REMOTE_ERROR_VERSION, &none);
}

static uint32_t got_header(QemuEnd *q)
{
    UsbRemoteHead head = usb_remote_get_header(q->in.at);
    bool skip;
    int code = usb_remote_check_header(&head, USB_REMOTE_FROM_PEER,
                                       &q->limits, &skip);

    if (skip && !q->greeted && code == USB_REMOTE_ERROR_NONE) {
        code = USB_REMOTE_ERROR_UNEXPECTED;
    }
    if (code != USB_REMOTE_ERROR_NONE) {
        return violation(q, (uint32_t)code, &head);
    }
    if (skip) {
        q->skip = head.length;
        q->in.used = 0;
    }
    return USB_REMOTE_ERROR_NONE;
}

/* Bytes that the preamble or message being received has in all. */
static size_t unit_size(const QemuEnd *q)
{
    if (!q->versed) {
        return sizeof(UsbRemotePreamble);
    }
    return sizeof(UsbRemoteHeader) +
           (q->in.used < sizeof(UsbRemoteHeader)
            ? 0 : usb_remote_get_header(q->in.at).length);
}

/* One byte more has arrived, or a part of a body. */
static uint32_t advance(QemuEnd *q)
{
    uint32_t code = USB_REMOTE_ERROR_NONE;

    if (!q->versed) {
        if (!usb_remote_magic_ok(q->in.at, q->in.used)) {
            q->closed = true;   /* QEMU says so in a line of text */
            return USB_REMOTE_ERROR_MALFORMED;
        }
        return q->in.used == unit_size(q) ? got_preamble(q) : code;
    }
    if (q->in.used == sizeof(UsbRemoteHeader)) {
        code = got_header(q);
    }
    if (code == USB_REMOTE_ERROR_NONE && q->in.used &&
        q->in.used == unit_size(q)) {
        code = got_message(q);
    }
    return code;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

uint32_t qemu_end_feed(QemuEnd *q, const void *bytes, size_t size)
{
    const uint8_t *at = (const uint8_t *)bytes;
    uint32_t code = USB_REMOTE_ERROR_NONE;

    while (size && !q->closed && code == USB_REMOTE_ERROR_NONE) {
        size_t n = q->skip ? least(q->skip, size)
                   : q->versed ? least(unit_size(q) - q->in.used, size) : 1;

        if (q->skip) {
            q->skip -= n;
        } else {
            append(&q->in, at, n);
            code = advance(q);
        }
        at += n;
        size -= n;
    }
    return code;
}

bool qemu_end_next(QemuEnd *q, QemuHeard *heard)
{
    const uint8_t *at;

    if (q->taken == q->heard.used) {
        return false;
    }
    at = q->heard.at + q->taken;
    heard->head = usb_remote_get_header(at);
    heard->body = at + sizeof(UsbRemoteHeader);
    q->taken += sizeof(UsbRemoteHeader) + heard->head.length;
    return true;
}

size_t qemu_end_in_flight(const QemuEnd *q)
{
    return q->count;
}

uint32_t qemu_end_attachment(const QemuEnd *q)
{
    return q->attachment;
}

uint32_t qemu_end_epoch(const QemuEnd *q)
{
    return q->epoch;
}

/* Life */

QemuEnd *qemu_end_new(const char *device_id, const char *select,
                      const UsbRemoteLimits *limits)
{
    QemuEnd *q = (QemuEnd *)calloc(1, sizeof(*q));

    if (!q) {
        abort();
    }
    q->limits = limits ? *limits : usb_remote_default_limits();
    say_hello(q, device_id, select);
    return q;
}

void qemu_end_free(QemuEnd *q)
{
    free(q->in.at);
    free(q->out.at);
    free(q->sent.at);
    free(q->heard.at);
    free(q);
}
