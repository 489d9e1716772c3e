/*
 * USB device whose other end is a program: the connection to it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Framing, the handshake, the send buffer, and what is said to a peer that
 * breaks the protocol.  Nothing here blocks: reads take what the chardev
 * has, writes what it accepts.  What can be caused over and over is kept as
 * one bit per message (RemoteConn.due) until there is room for it, so the
 * send buffer never holds more than REMOTE_OUT_HIGH and one message.
 *
 * A write error can make the chardev disconnect while it holds its own write
 * lock, so the CLOSED event neither writes nor disconnects: it records the
 * loss and leaves the rest to the bottom half.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "dev-remote.h"
#include "trace.h"

#define REMOTE_SHOWN    80      /* bytes of a peer's text in a log line */
#define REMOTE_REWRITE_MS 10    /* without a watch: when to write again */

/* A copy of a peer's text that is safe for a log and a terminal. */
static char *remote_printable(const uint8_t *text, size_t size)
{
    size_t n = MIN(size, USB_REMOTE_MAX_TEXT);
    char *s = g_strndup((const char *)text, n);
    char *c;

    for (c = s; *c; c++) {
        if (*c < 0x20 || *c > 0x7e) {
            *c = '?';
        }
    }
    return s;
}

/* The bytes of a SUBMIT that is sent from the buffer of @r. */
static size_t remote_direct_size(const RemoteRequest *r)
{
    return REMOTE_DATA_AT + r->length;
}

/* Bytes that may still be put into the send buffer; 0 when it is full. */
size_t remote_conn_room(USBRemoteState *s)
{
    const RemoteConn *c = &s->conn;
    size_t unsent = c->direct ? remote_direct_size(c->direct)
                              : c->out->len - c->out_done;

    return unsent < REMOTE_OUT_HIGH ? REMOTE_OUT_HIGH - unsent : 0;
}

/* What all messages about the present have in common */
static UsbRemoteHead remote_head(USBRemoteState *s, uint16_t type,
                                 uint64_t id, size_t tail_size)
{
    return (UsbRemoteHead) {
        .type = type,
        .length = usb_remote_message(type)->fixed + tail_size,
        .id = id,
        .attachment = s->attachment.number,
        .epoch = s->epoch,
    };
}

static void remote_trace_send(USBRemoteState *s, const UsbRemoteHead *h)
{
    trace_usb_remote_send(remote_name(s), usb_remote_message_name(h->type),
                          h->id, h->length, h->attachment, h->epoch);
}

static void remote_put_head(uint8_t *to, const UsbRemoteHead *h,
                            const void *fixed)
{
    usb_remote_put_header(to, h);
    memcpy(to + sizeof(UsbRemoteHeader), fixed,
           usb_remote_message(h->type)->fixed);
}

/* What is left of the direct message goes through the send buffer after all. */
static void remote_conn_settle_direct(RemoteConn *c, size_t sent)
{
    RemoteRequest *r = g_steal_pointer(&c->direct);

    if (r) {
        g_byte_array_append(c->out, r->buffer->bytes + sent,
                            remote_direct_size(r) - sent);
    }
}

/* Put the message with header @h, and @tail_size bytes of @tail at its end. */
static void remote_put_message(USBRemoteState *s, const UsbRemoteHead *h,
                               const void *fixed, const void *tail,
                               size_t tail_size)
{
    GByteArray *out = s->conn.out;
    size_t start;

    remote_trace_send(s, h);
    remote_conn_settle_direct(&s->conn, 0);
    start = out->len;
    g_byte_array_set_size(out, start + sizeof(UsbRemoteHeader) + h->length);
    remote_put_head(out->data + start, h, fixed);
    if (tail_size) {
        memcpy(out->data + out->len - tail_size, tail, tail_size);
    }
}

/*
 * Put one message into the send buffer: the fixed part that belongs to its
 * type, then @tail_size bytes of @tail.
 */
void remote_conn_put(USBRemoteState *s, uint16_t type, uint64_t id,
                     const void *fixed, const void *tail, size_t tail_size)
{
    UsbRemoteHead h = remote_head(s, type, id, tail_size);

    remote_put_message(s, &h, fixed, tail, tail_size);
}

/*
 * Put the SUBMIT of @r with the OUT data that it has.  Much data is sent from
 * the buffer of @r, if no other message goes along: all of them leave with one
 * write.  Only for remote_fill(): what cannot be written at once is copied, so
 * that @r may go.
 */
void remote_conn_put_out(USBRemoteState *s, RemoteRequest *r,
                         const UsbRemoteSubmit *m)
{
    RemoteConn *c = &s->conn;
    UsbRemoteHead h;

    if (r->length < REMOTE_LONG || c->direct || c->out->len) {
        remote_conn_put(s, USB_REMOTE_MSG_SUBMIT, r->id, m, r->data,
                        r->length);
        return;
    }
    h = remote_head(s, USB_REMOTE_MSG_SUBMIT, r->id, r->length);
    remote_trace_send(s, &h);
    remote_put_head(r->buffer->bytes, &h, m);
    c->direct = r;
}

static void remote_put_text(USBRemoteState *s, uint16_t type, uint64_t id,
                            const void *fixed, const char *text)
{
    remote_conn_put(s, type, id, fixed, text,
                    MIN(strlen(text), USB_REMOTE_MAX_TEXT));
}

static void remote_put_hello(USBRemoteState *s)
{
    static const char name[] = "QEMU " QEMU_VERSION;
    const char *id = DEVICE(s)->id ?: "";
    const char *select = s->select ?: "";
    UsbRemoteLimits own = usb_remote_default_limits();
    g_autofree char *texts = NULL;
    UsbRemotePreamble preamble;
    UsbRemoteHello m = {};
    size_t id_length = MIN(strlen(id), USB_REMOTE_MAX_NAME);

    usb_remote_put_preamble(&preamble);
    g_byte_array_append(s->conn.out, (uint8_t *)&preamble, sizeof(preamble));
    usb_remote_put_limits(&m, &own);
    usb_remote_put16(m.name_length, strlen(name));
    usb_remote_put16(m.id_length, id_length);
    usb_remote_put16(m.select_length, strlen(select));
    texts = g_strdup_printf("%s%.*s%s", name, (int)id_length, id, select);
    remote_conn_put(s, USB_REMOTE_MSG_HELLO, 0, &m, texts, strlen(texts));
}

static void remote_put_detached(USBRemoteState *s)
{
    UsbRemoteHead h = remote_head(s, USB_REMOTE_MSG_DETACHED, 0, 0);
    UsbRemoteDetached m = {};

    h.attachment = s->conn.detached;
    remote_put_message(s, &h, &m, NULL, 0);
}

static void remote_put_reset(USBRemoteState *s, uint32_t epoch)
{
    UsbRemoteHead h = remote_head(s, USB_REMOTE_MSG_RESET, 0, 0);
    UsbRemoteReset m = { .speed = { remote_speed(s) } };

    h.epoch = epoch;
    remote_put_message(s, &h, &m, NULL, 0);
}

static void remote_put_attached(USBRemoteState *s)
{
    const RemoteAttached *a = &s->conn.attached;
    size_t size = a->reason ? MIN(strlen(a->reason), USB_REMOTE_MAX_TEXT) : 0;
    UsbRemoteHead h = remote_head(s, USB_REMOTE_MSG_ATTACHED, 0, size);
    UsbRemoteAttached m = { .result = { a->result }, .speed = { a->speed } };

    if (a->after_reset) {
        remote_put_reset(s, a->epoch);
    }
    h.attachment = a->number;
    h.epoch = a->epoch;
    remote_put_message(s, &h, &m, a->reason, size);
}

/*
 * In the order in which the peer has to learn of them.  One message stands for
 * all of its causes: each is about what holds now, but ATTACHED and DETACHED,
 * which are as they were decided.
 */
static void remote_put_due(USBRemoteState *s)
{
    unsigned due = s->conn.due;

    s->conn.due = 0;
    if (due & REMOTE_DUE_DETACHED) {
        remote_put_detached(s);
    }
    if (due & REMOTE_DUE_ATTACHED) {
        remote_put_attached(s);
    }
    if (due & REMOTE_DUE_RESET) {
        remote_put_reset(s, s->epoch);
    }
    if (due & REMOTE_DUE_VMSTATE) {
        UsbRemoteVmstate m = { .running = { remote_live() } };

        remote_conn_put(s, USB_REMOTE_MSG_VMSTATE, 0, &m, NULL, 0);
    }
    if (due & REMOTE_DUE_ADDRESS) {
        UsbRemoteAddress m = { .address = { s->address } };

        remote_conn_put(s, USB_REMOTE_MSG_ADDRESS, 0, &m, NULL, 0);
    }
}

/* Have the messages in @due sent as soon as there is room for them. */
void remote_conn_due(USBRemoteState *s, unsigned due)
{
    if (s->conn.state == REMOTE_OPEN) {
        s->conn.due |= due;
        remote_schedule(s);
    }
}

/*
 * ATTACH has its answer; @reason is why the result is not OK, or NULL.  A RESET
 * that is due is of before, and is not to be joined with those to come.
 */
void remote_conn_attached(USBRemoteState *s, int result, const char *reason)
{
    RemoteAttached *a = &s->conn.attached;

    g_free(a->reason);
    *a = (RemoteAttached) {
        .number = s->attachment.number,
        .epoch = s->epoch,
        .after_reset = s->conn.due & REMOTE_DUE_RESET,
        .result = result,
        .speed = reason ? 0 : remote_speed(s),
        .reason = g_strdup(reason),
    };
    s->conn.due &= ~REMOTE_DUE_RESET;
    remote_conn_due(s, REMOTE_DUE_ATTACHED);
}

/* DETACH of @number has its answer. */
void remote_conn_detached(USBRemoteState *s, uint32_t number)
{
    s->conn.detached = number;
    remote_conn_due(s, REMOTE_DUE_DETACHED);
}

/*
 * ATTACH or DETACH has come before what is due about the device of before; the
 * epoch is counted on all the same.
 */
void remote_conn_overtaken(USBRemoteState *s)
{
    RemoteConn *c = &s->conn;

    if ((c->due & REMOTE_DUE_ATTACHED) && c->attached.after_reset) {
        c->due |= REMOTE_DUE_RESET;
    }
    c->due &= ~(REMOTE_DUE_ATTACHED | REMOTE_DUE_ADDRESS);
}

static gboolean remote_conn_writable(void *do_not_use, GIOCondition cond,
                                     void *opaque)
{
    USBRemoteState *s = opaque;

    s->conn.watch = 0;
    remote_conn_flush(s);
    return G_SOURCE_REMOVE;
}

static void remote_conn_rewrite(void *opaque)
{
    remote_conn_flush(opaque);
}

static void remote_conn_wait_writable(USBRemoteState *s)
{
    s->conn.watch = qemu_chr_fe_add_watch(&s->chr, G_IO_OUT | G_IO_HUP,
                                          remote_conn_writable, s);
    if (!s->conn.watch) {
        timer_mod(s->conn.write_timer,
                  qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + REMOTE_REWRITE_MS);
    }
}

/*
 * A write error can end the connection and with it the request, and a chardev
 * logs the bytes after that: the buffer is nobody else's in the meantime.
 */
static int remote_conn_write_direct(USBRemoteState *s)
{
    RemoteConn *c = &s->conn;
    uint32_t generation = c->generation;
    RemoteRequest *r = c->direct;
    RemoteBuffer *b = g_steal_pointer(&r->buffer);
    int n = qemu_chr_fe_write(&s->chr, b->bytes, remote_direct_size(r));

    if (c->generation == generation) {
        r->buffer = b;
    } else {
        remote_spare_put_buffer(s, b);
    }
    return n;
}

/*
 * Write what the chardev takes of the direct message or the send buffer.
 * Returns false if there is nothing more to be done now: it is full, or the
 * connection is gone.
 */
static bool remote_conn_write(USBRemoteState *s)
{
    RemoteConn *c = &s->conn;
    bool direct = c->direct;
    uint32_t generation = c->generation;
    int n;

    errno = 0;
    n = direct ? remote_conn_write_direct(s)
               : qemu_chr_fe_write(&s->chr, c->out->data + c->out_done,
                                   c->out->len - c->out_done);
    if (c->generation != generation) {
        return false;
    }
    if (n < 0 && errno == EAGAIN) {
        remote_conn_wait_writable(s);
    }
    remote_conn_settle_direct(c, MAX(n, 0));
    if (n <= 0) {
        return false;
    }
    c->out_done += direct ? 0 : n;
    if (c->out_done == c->out->len) {
        g_byte_array_set_size(c->out, 0);
        c->out_done = 0;
    }
    return true;
}

/*
 * Send all that is due and that the peer has credit for.  The guest sees
 * nothing of it; but a write error forgets all requests, so a caller may not
 * hold one.
 */
void remote_conn_flush(USBRemoteState *s)
{
    RemoteConn *c = &s->conn;

    do {
        if (c->state == REMOTE_CLOSED || c->watch) {
            return;
        }
        if (!c->out->len && c->state == REMOTE_OPEN) {
            remote_put_due(s);
            remote_fill(s);
        }
    } while ((c->direct || c->out->len) && remote_conn_write(s));
}

/* Read nothing more, say what is in the send buffer, then disconnect. */
static void remote_conn_kill(USBRemoteState *s)
{
    s->conn.state = REMOTE_DEAD;
    remote_schedule(s);
}

/*
 * The peer did what only a broken program does: tell it and the log why, and
 * drop the connection.  @code is USB_REMOTE_ERROR_*, @type and @id are those
 * of the offending message, or 0.
 */
void remote_violation(USBRemoteState *s, int code, uint16_t type, uint64_t id,
                      const char *fmt, ...)
{
    UsbRemoteErrorMsg m = {};
    g_autofree char *text = NULL;
    va_list ap;

    if (s->conn.state == REMOTE_DEAD || s->conn.state == REMOTE_CLOSED) {
        return;
    }
    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    trace_usb_remote_violation(remote_name(s), code, id, text);
    remote_report(s, "usb-remote '%s': the peer broke the protocol: %s; "
                  "connection closed", remote_name(s), text);
    s->stats.violations++;
    usb_remote_put32(m.code, code);
    usb_remote_put16(m.type, type);
    remote_put_text(s, USB_REMOTE_MSG_ERROR, id, &m, text);
    remote_conn_kill(s);
}

/* Something else than a peer: told so in words that it may show to people. */
static void remote_conn_stranger(USBRemoteState *s)
{
    RemoteConn *c = &s->conn;
    g_autofree char *shown = remote_printable(c->head, MIN(c->in_have,
                                                           REMOTE_SHOWN));
    g_autofree char *reply = g_strdup_printf(
        "usb-remote: this is the USB device '%s' of a QEMU machine, which "
        "speaks the usb-remote protocol %d.%d; what arrived is something "
        "else\r\n", remote_name(s), USB_REMOTE_MAJOR, USB_REMOTE_MINOR);

    trace_usb_remote_stranger(remote_name(s), shown);
    remote_report(s, "usb-remote '%s': what connected does not speak the "
                  "usb-remote protocol (it began with \"%s\"); connection "
                  "closed", remote_name(s), shown);
    s->stats.violations++;
    g_byte_array_append(c->out, (uint8_t *)reply, strlen(reply));
    remote_conn_kill(s);
}

/* Until when a peer may leave out what it owes from now on (real ns) */
int64_t remote_conn_patience(USBRemoteState *s)
{
    return s->peer_timeout ? remote_clock_now(&s->conn.clock) +
                             s->peer_timeout * (int64_t)SCALE_MS : INT64_MAX;
}

/*
 * When to ask again whether the peer is late with what it owed by @by, or 0 if
 * it is.  What it owed may be there and not be read yet; it must not be able to
 * put that off for ever by sending something else.
 */
static int64_t remote_conn_look(RemoteConn *c, int64_t by)
{
    int64_t now = remote_clock_now(&c->clock);

    if (now < by) {
        c->looked_at = 0;
        return by;
    }
    if (c->looked_at && now < c->looked_at + REMOTE_LOOK_NS) {
        return c->looked_at + REMOTE_LOOK_NS;
    }
    if (!c->looked_at || (c->read_at >= c->looked_at &&
                          now < by + REMOTE_LAST_WORD_NS)) {
        c->looked_at = now;
        return now + REMOTE_LOOK_NS;
    }
    return 0;
}

/* The peer owes HELLO, or, after it, answers to CANCEL by @cancels_by. */
void remote_conn_expect(USBRemoteState *s, int64_t cancels_by)
{
    RemoteConn *c = &s->conn;
    bool hello = c->state == REMOTE_PREAMBLE || c->state == REMOTE_HELLO;
    int64_t by = hello ? c->hello_by :
                 c->state == REMOTE_OPEN ? cancels_by : INT64_MAX;
    int64_t again = by == INT64_MAX ? by : remote_conn_look(c, by);

    if (!again) {
        remote_violation(s, USB_REMOTE_ERROR_TIMEOUT,
                         hello ? 0 : USB_REMOTE_MSG_CANCEL, 0,
                         "%s within %u ms (peer-timeout)",
                         hello ? "no HELLO" : "a CANCEL was not answered",
                         s->peer_timeout);
    }
    remote_clock_alarm(&c->clock, again ?: INT64_MAX);
}

static void remote_got_preamble(USBRemoteState *s)
{
    RemoteConn *c = &s->conn;
    const UsbRemotePreamble *p = (const UsbRemotePreamble *)c->head;

    c->in_have = 0;
    c->state = REMOTE_HELLO;
    if (!usb_remote_version_ok(p)) {
        remote_violation(s, USB_REMOTE_ERROR_VERSION, 0, 0,
                         "it speaks version %u.%u, this QEMU %d.%d",
                         usb_remote_get16(p->major),
                         usb_remote_get16(p->minor),
                         USB_REMOTE_MAJOR, USB_REMOTE_MINOR);
    }
}

static void remote_got_hello(USBRemoteState *s, const uint8_t *body)
{
    const UsbRemoteHello *m = (const UsbRemoteHello *)body;
    UsbRemoteLimits own = usb_remote_default_limits();
    RemoteConn *c = &s->conn;

    c->limits = usb_remote_join_limits(&own, m);
    g_free(c->peer_name);
    c->peer_name = remote_printable(body + sizeof(*m),
                                    usb_remote_get16(m->name_length));
    c->state = REMOTE_OPEN;
    trace_usb_remote_hello(remote_name(s), c->peer_name,
                           c->limits.max_payload, c->limits.max_requests,
                           c->limits.max_bytes);
    if (!remote_live()) {
        remote_conn_due(s, REMOTE_DUE_VMSTATE);
    }
}

static void remote_got_error(USBRemoteState *s, const UsbRemoteHead *h,
                             const uint8_t *body)
{
    const UsbRemoteErrorMsg *m = (const UsbRemoteErrorMsg *)body;
    g_autofree char *text = remote_printable(body + sizeof(*m),
                                             h->length - sizeof(*m));

    trace_usb_remote_peer_error(remote_name(s), usb_remote_get32(m->code),
                                h->id, text);
    remote_report(s, "usb-remote '%s': the peer ended the connection with "
                  "error %u: %s", remote_name(s), usb_remote_get32(m->code),
                  text);
    remote_conn_kill(s);
}

/*
 * -1: of an older attachment or bus reset, and to be ignored; 0: of now;
 * 1: of one that has not been, which no peer can know of.
 */
static int remote_age(USBRemoteState *s, const UsbRemoteHead *h, bool by_epoch)
{
    if (h->attachment != s->attachment.number) {
        return h->attachment < s->attachment.number ? -1 : 1;
    }
    if (by_epoch && h->epoch != s->epoch) {
        return h->epoch < s->epoch ? -1 : 1;
    }
    return s->plug == REMOTE_IN ? 0 : -1;
}

static void remote_got_event(USBRemoteState *s, const UsbRemoteHead *h,
                             const uint8_t *body)
{
    bool by_epoch = h->type != USB_REMOTE_MSG_WAKEUP;
    int age = remote_age(s, h, by_epoch);

    if (age > 0) {
        remote_violation(s, USB_REMOTE_ERROR_UNKNOWN_ID, h->type, h->id,
                         "%s for attachment %u, epoch %u, which have not been",
                         usb_remote_message_name(h->type), h->attachment,
                         h->epoch);
    } else if (age < 0) {
        s->stats.stale += h->type == USB_REMOTE_MSG_COMPLETE;
        trace_usb_remote_stale(remote_name(s), h->id, h->attachment, h->epoch);
    } else if (h->type == USB_REMOTE_MSG_COMPLETE) {
        remote_complete(s, h, (const UsbRemoteComplete *)body);
    } else if (h->type == USB_REMOTE_MSG_READY) {
        remote_ready(s, ((const UsbRemoteReady *)body)->endpoint[0]);
    } else {
        s->remote_wakeup_due = true;
    }
}

static void remote_got_lifecycle(USBRemoteState *s, const UsbRemoteHead *h,
                                 const uint8_t *body)
{
    const char *why = NULL;
    int code;

    if (h->type == USB_REMOTE_MSG_ATTACH) {
        code = remote_attach(s, h->attachment, (const UsbRemoteAttach *)body,
                             &why);
    } else {
        code = remote_detach(s, h->attachment, &why);
    }
    if (code != USB_REMOTE_ERROR_NONE) {
        remote_violation(s, code, h->type, h->id, "%s for attachment %u %s",
                         usb_remote_message_name(h->type), h->attachment, why);
    }
}

static void remote_got_message(USBRemoteState *s, const UsbRemoteHead *h,
                               const uint8_t *body)
{
    int code = usb_remote_check_body(h, body, &s->conn.limits);
    bool open = s->conn.state == REMOTE_OPEN;

    trace_usb_remote_receive(remote_name(s), usb_remote_message_name(h->type),
                             h->id, h->length, h->attachment, h->epoch);
    if (code != USB_REMOTE_ERROR_NONE) {
        remote_violation(s, code, h->type, h->id,
                         "%s with an impossible length or value",
                         usb_remote_message_name(h->type));
        return;
    }
    switch (h->type) {
    case USB_REMOTE_MSG_ERROR:
        remote_got_error(s, h, body);
        return;
    case USB_REMOTE_MSG_BYE:
        remote_conn_kill(s);
        return;
    case USB_REMOTE_MSG_HELLO:
        if (!open) {
            remote_got_hello(s, body);
            return;
        }
        break;
    case USB_REMOTE_MSG_ATTACH:
    case USB_REMOTE_MSG_DETACH:
        if (open) {
            remote_got_lifecycle(s, h, body);
            return;
        }
        break;
    default:
        if (open) {
            remote_got_event(s, h, body);
            return;
        }
    }
    remote_violation(s, USB_REMOTE_ERROR_UNEXPECTED, h->type, h->id, "%s %s",
                     usb_remote_message_name(h->type),
                     open ? "a second time" : "before HELLO");
}

static const char *remote_header_complaint(int code)
{
    switch (code) {
    case USB_REMOTE_ERROR_UNKNOWN_TYPE:
        return "is not known and not marked as optional";
    case USB_REMOTE_ERROR_UNEXPECTED:
        return "must not be sent by a peer, or not before HELLO";
    case USB_REMOTE_ERROR_LIMIT:
        return "is longer than the limits agreed on";
    default:
        return "has an impossible length";
    }
}

/* A place for what follows a header; its length was checked. */
static void remote_conn_body(USBRemoteState *s, uint32_t length)
{
    s->conn.in = remote_spare_buffer(s, length);
    if (!s->conn.in) {
        remote_violation(s, USB_REMOTE_ERROR_INTERNAL, 0, 0,
                         "no memory for a message of %u bytes", length);
    }
}

static void remote_conn_body_done(USBRemoteState *s)
{
    RemoteBuffer *in = g_steal_pointer(&s->conn.in);

    if (in) {
        remote_spare_put_buffer(s, in);
    }
}

/*
 * Let @r have the buffer that its answer with header @h arrived in, if that
 * is a long one; a short one is copied in no time.  Returns whether it has.
 */
bool remote_conn_hand_over(USBRemoteState *s, RemoteRequest *r,
                           const UsbRemoteHead *h)
{
    if (h->length < REMOTE_LONG || !remote_spare_may_be_larger(s)) {
        return false;
    }
    r->buffer = g_steal_pointer(&s->conn.in);
    return true;
}

/* A header has arrived: is what follows welcome, and is there room? */
static void remote_got_header(USBRemoteState *s)
{
    RemoteConn *c = &s->conn;
    UsbRemoteHead h = usb_remote_get_header(c->head);
    bool skip;
    int code = usb_remote_check_header(&h, USB_REMOTE_FROM_PEER, &c->limits,
                                       &skip);

    if (code == USB_REMOTE_ERROR_NONE && skip && c->state != REMOTE_OPEN) {
        code = USB_REMOTE_ERROR_UNEXPECTED;
    }
    if (code != USB_REMOTE_ERROR_NONE) {
        remote_violation(s, code, h.type, h.id,
                         "%s (type 0x%04x, %u bytes) %s",
                         usb_remote_message_name(h.type), h.type, h.length,
                         remote_header_complaint(code));
    } else if (skip) {
        c->in_skip = h.length;
        c->in_have = 0;
    } else {
        remote_conn_body(s, h.length);
    }
}

static size_t remote_conn_need(RemoteConn *c)
{
    if (c->state == REMOTE_PREAMBLE) {
        return sizeof(UsbRemotePreamble);
    }
    if (c->in_have < sizeof(UsbRemoteHeader)) {
        return sizeof(UsbRemoteHeader);
    }
    return sizeof(UsbRemoteHeader) + usb_remote_get_header(c->head).length;
}

QEMU_BUILD_BUG_ON(sizeof(UsbRemotePreamble) > sizeof(UsbRemoteHeader));

/* Where the next byte goes. */
static uint8_t *remote_conn_place(RemoteConn *c)
{
    return c->in ? c->in->bytes + c->in_have - sizeof(UsbRemoteHeader)
                 : c->head + c->in_have;
}

static void remote_conn_advance(USBRemoteState *s, size_t need)
{
    RemoteConn *c = &s->conn;

    if (c->state == REMOTE_PREAMBLE) {
        if (!usb_remote_magic_ok(c->head, c->in_have)) {
            remote_conn_stranger(s);
        } else if (c->in_have == need) {
            remote_got_preamble(s);
        }
    } else if (c->in_have == sizeof(UsbRemoteHeader) && !c->in) {
        remote_got_header(s);
    } else if (c->in_have == need) {
        UsbRemoteHead h = usb_remote_get_header(c->head);

        c->in_have = 0;
        remote_got_message(s, &h, c->in->bytes);
        remote_conn_body_done(s);
    }
}

/* Take some of @size bytes at @buf; returns how many. */
static size_t remote_conn_feed(USBRemoteState *s, const uint8_t *buf,
                               size_t size)
{
    RemoteConn *c = &s->conn;
    size_t need, n;

    if (c->in_skip) {
        n = MIN(c->in_skip, size);
        c->in_skip -= n;
        return n;
    }
    need = remote_conn_need(c);
    n = MIN(need - c->in_have, size);
    memcpy(remote_conn_place(c), buf, n);
    c->in_have += n;
    remote_conn_advance(s, need);
    return n;
}

static bool remote_conn_reading(RemoteConn *c)
{
    return c->state != REMOTE_CLOSED && c->state != REMOTE_DEAD;
}

static int remote_conn_can_read(void *opaque)
{
    USBRemoteState *s = opaque;

    return remote_conn_reading(&s->conn) ? REMOTE_READ_SIZE : 0;
}

static void remote_conn_read(void *opaque, const uint8_t *buf, int size)
{
    USBRemoteState *s = opaque;
    uint32_t generation = s->conn.generation;
    bool whole = false;

    s->conn.read_at = remote_clock_now(&s->conn.clock);
    while (size && s->conn.generation == generation &&
           remote_conn_reading(&s->conn)) {
        size_t n = remote_conn_feed(s, buf, size);

        whole |= s->conn.in_have == 0;
        buf += n;
        size -= n;
    }
    /* A part of a message changes nothing; remote_conn_kill() schedules. */
    if (whole) {
        remote_run(s);
    }
}

static void remote_conn_reset(USBRemoteState *s, RemoteConnState state)
{
    RemoteConn *c = &s->conn;

    c->state = state;
    c->generation++;
    c->limits = usb_remote_default_limits();
    remote_conn_body_done(s);
    c->in_have = 0;
    c->in_skip = 0;
    c->due = 0;
    g_byte_array_set_size(c->out, 0);
    c->out_done = 0;
    c->direct = NULL;
    g_clear_pointer(&c->peer_name, g_free);
    g_clear_pointer(&c->attached.reason, g_free);
    g_clear_handle_id(&c->watch, g_source_remove);
    timer_del(c->write_timer);
    c->looked_at = 0;
    remote_clock_alarm(&c->clock, INT64_MAX);
}

static void remote_conn_closed(USBRemoteState *s)
{
    if (s->conn.state != REMOTE_CLOSED) {
        trace_usb_remote_closed(remote_name(s));
        remote_conn_reset(s, REMOTE_CLOSED);
        remote_lost(s);
    }
}

static void remote_conn_opened(USBRemoteState *s)
{
    remote_conn_closed(s);
    trace_usb_remote_opened(remote_name(s));
    remote_conn_reset(s, REMOTE_PREAMBLE);
    s->epoch = 0;
    if (s->conn.spoilt) {
        s->conn.spoilt = false;
        remote_conn_kill(s);
        return;
    }
    remote_put_hello(s);
    s->conn.hello_by = remote_conn_patience(s);
    remote_schedule(s);
}

static void remote_conn_event(void *opaque, QEMUChrEvent event)
{
    USBRemoteState *s = opaque;

    switch (event) {
    case CHR_EVENT_OPENED:
        remote_conn_opened(s);
        break;
    case CHR_EVENT_CLOSED:
        remote_conn_closed(s);
        break;
    case CHR_EVENT_BREAK:
    case CHR_EVENT_MUX_IN:
    case CHR_EVENT_MUX_OUT:
        /* Ignore */
        break;
    }
}

/*
 * Why @chr cannot carry the protocol, or NULL.  What cannot be disconnected
 * would leave a peer that broke the protocol in place.
 */
const char *remote_conn_unfit(Chardev *chr)
{
    if (object_dynamic_cast(OBJECT(chr), TYPE_CHARDEV_MUX)) {
        return "is a multiplexer, which takes bytes out of the stream; give "
               "the device a chardev of its own, without mux=on";
    }
    if (!CHARDEV_GET_CLASS(chr)->chr_disconnect) {
        return "cannot be disconnected by QEMU; use a socket chardev";
    }
    return NULL;
}

static int remote_conn_change(void *opaque);

static void remote_conn_set_handlers(USBRemoteState *s)
{
    qemu_chr_fe_set_handlers(&s->chr, remote_conn_can_read, remote_conn_read,
                             remote_conn_event, remote_conn_change, s, NULL,
                             true);
}

/* chardev-change: the old connection is gone without further notice. */
static int remote_conn_change(void *opaque)
{
    USBRemoteState *s = opaque;
    const char *unfit = remote_conn_unfit(s->chr.chr);

    if (unfit) {
        error_report("usb-remote '%s': the new chardev %s", remote_name(s),
                     unfit);
        /*
         * If CLOSED was sent, the old one is opened again, in the middle of
         * messages, before the bottom half runs.
         */
        s->conn.spoilt = s->conn.state == REMOTE_CLOSED;
        remote_schedule(s);
        return -1;
    }
    remote_conn_closed(s);
    remote_conn_set_handlers(s);
    return 0;
}

/* The peer may be late: remote_run() looks. */
static void remote_conn_watch(void *opaque)
{
    remote_schedule(opaque);
}

void remote_conn_init(USBRemoteState *s)
{
    RemoteConn *c = &s->conn;

    c->out = g_byte_array_new();
    c->write_timer = timer_new_ms(QEMU_CLOCK_REALTIME, remote_conn_rewrite, s);
    remote_clock_init(&c->clock, QEMU_CLOCK_REALTIME, remote_conn_watch, s);
}

/* From here on a peer can connect. */
void remote_conn_start(USBRemoteState *s)
{
    remote_conn_set_handlers(s);
}

/* What the bottom half does last: an end that was decided on is made. */
void remote_conn_settle(USBRemoteState *s)
{
    remote_conn_flush(s);
    if (s->conn.state == REMOTE_DEAD) {
        qemu_chr_fe_disconnect(&s->chr);
        remote_conn_closed(s);
    }
}

/* device_del: say so if that can be done without waiting, and hang up. */
void remote_conn_fini(USBRemoteState *s)
{
    RemoteConn *c = &s->conn;

    if (remote_conn_reading(c)) {
        UsbRemoteBye m = {};

        usb_remote_put32(m.reason, USB_REMOTE_BYE_REMOVED);
        remote_put_text(s, USB_REMOTE_MSG_BYE, 0, &m,
                        "the device was removed from the machine");
        c->state = REMOTE_DEAD;
    }
    remote_conn_settle(s);
    remote_conn_reset(s, REMOTE_CLOSED);
    qemu_chr_fe_deinit(&s->chr, false);
    timer_free(c->write_timer);
    remote_clock_fini(&c->clock);
    g_byte_array_free(c->out, true);
}
