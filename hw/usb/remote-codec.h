/*
 * usb-remote codec: bytes to messages and back, for any C program.
 *
 * SPDX-License-Identifier: MIT
 *
 * No I/O, no allocation, no state: framing tells how many bytes the next
 * unit needs, usb_remote_check_header() judges a message before its body is
 * there, usb_remote_check_body() judges the body.  Only what passed both may
 * be read through the structs of remote-proto.h.  Both directions are here,
 * so that the device, C peers and the tests share one copy.
 */

#ifndef USB_REMOTE_CODEC_H
#define USB_REMOTE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "remote-proto.h"

static inline uint16_t usb_remote_get16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (p[1] << 8));
}

static inline uint32_t usb_remote_get32(const uint8_t *p)
{
    return usb_remote_get16(p) | ((uint32_t)usb_remote_get16(p + 2) << 16);
}

static inline uint64_t usb_remote_get64(const uint8_t *p)
{
    return usb_remote_get32(p) | ((uint64_t)usb_remote_get32(p + 4) << 32);
}

static inline void usb_remote_put16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v & 0xff);
    p[1] = (uint8_t)(v >> 8);
}

static inline void usb_remote_put32(uint8_t *p, uint32_t v)
{
    usb_remote_put16(p, (uint16_t)(v & 0xffff));
    usb_remote_put16(p + 2, (uint16_t)(v >> 16));
}

static inline void usb_remote_put64(uint8_t *p, uint64_t v)
{
    usb_remote_put32(p, (uint32_t)(v & 0xffffffff));
    usb_remote_put32(p + 4, (uint32_t)(v >> 32));
}

/* Who sends a message, as a set. */
enum {
    USB_REMOTE_FROM_QEMU = 1,
    USB_REMOTE_FROM_PEER = 2,
    USB_REMOTE_FROM_BOTH = 3,
};

/* What follows a message's fixed part. */
typedef enum UsbRemoteTail {
    USB_REMOTE_TAIL_NONE,
    USB_REMOTE_TAIL_TEXT,
    USB_REMOTE_TAIL_STRINGS,
    USB_REMOTE_TAIL_TABLE,
    USB_REMOTE_TAIL_DATA,
    USB_REMOTE_TAIL_DATA_TABLE,
} UsbRemoteTail;

typedef struct UsbRemoteMessageInfo {
    const char *name;
    uint8_t from;               /* USB_REMOTE_FROM_* */
    uint8_t fixed;              /* bytes of the fixed part */
    UsbRemoteTail tail;
} UsbRemoteMessageInfo;

/* A header in native form. */
typedef struct UsbRemoteHead {
    uint16_t type;
    uint16_t flags;
    uint32_t length;
    uint64_t id;
    uint32_t attachment;
    uint32_t epoch;
} UsbRemoteHead;

/* Limits in force: the smaller of both HELLOs. */
typedef struct UsbRemoteLimits {
    uint64_t features;
    uint32_t max_payload;
    uint32_t max_control;
    uint32_t max_requests;
    uint32_t max_per_endpoint;
    uint32_t max_bytes;
} UsbRemoteLimits;

/* NULL for a type that this version does not know. */
static inline const UsbRemoteMessageInfo *usb_remote_message(uint16_t type)
{
#define USB_REMOTE_INFO(name, sender, fixed, tail) \
    case USB_REMOTE_MSG_##name: { \
        static const UsbRemoteMessageInfo info = { \
            #name, USB_REMOTE_FROM_##sender, sizeof(fixed), \
            USB_REMOTE_TAIL_##tail \
        }; \
        return &info; \
    }

    switch (type) {
    USB_REMOTE_MESSAGES(USB_REMOTE_INFO)
    }
    return NULL;
#undef USB_REMOTE_INFO
}

/* For logs; never NULL. */
static inline const char *usb_remote_message_name(uint16_t type)
{
    const UsbRemoteMessageInfo *info = usb_remote_message(type);

    return info ? info->name : "unknown message";
}

static inline void usb_remote_put_preamble(UsbRemotePreamble *p)
{
    memset(p, 0, sizeof(*p));
    memcpy(p->magic, USB_REMOTE_MAGIC, USB_REMOTE_MAGIC_SIZE);
    usb_remote_put16(p->major, USB_REMOTE_MAJOR);
    usb_remote_put16(p->minor, USB_REMOTE_MINOR);
}

/* False as soon as the @have bytes at @buf cannot become a preamble. */
static inline bool usb_remote_magic_ok(const uint8_t *buf, size_t have)
{
    size_t n = have < USB_REMOTE_MAGIC_SIZE ? have : USB_REMOTE_MAGIC_SIZE;

    return memcmp(buf, USB_REMOTE_MAGIC, n) == 0;
}

/* Pre-release rule: while the major number is 0, the minor must match. */
static inline bool usb_remote_version_ok(const UsbRemotePreamble *p)
{
    return usb_remote_get16(p->major) == USB_REMOTE_MAJOR &&
           (USB_REMOTE_MAJOR != 0 ||
            usb_remote_get16(p->minor) == USB_REMOTE_MINOR);
}

static inline void usb_remote_put_header(uint8_t *buf, const UsbRemoteHead *h)
{
    UsbRemoteHeader *w = (UsbRemoteHeader *)buf;

    usb_remote_put16(w->type, h->type);
    usb_remote_put16(w->flags, h->flags);
    usb_remote_put32(w->length, h->length);
    usb_remote_put64(w->id, h->id);
    usb_remote_put32(w->attachment, h->attachment);
    usb_remote_put32(w->epoch, h->epoch);
}

static inline UsbRemoteHead usb_remote_get_header(const uint8_t *buf)
{
    const UsbRemoteHeader *w = (const UsbRemoteHeader *)buf;
    UsbRemoteHead h;

    h.type = usb_remote_get16(w->type);
    h.flags = usb_remote_get16(w->flags);
    h.length = usb_remote_get32(w->length);
    h.id = usb_remote_get64(w->id);
    h.attachment = usb_remote_get32(w->attachment);
    h.epoch = usb_remote_get32(w->epoch);
    return h;
}

/* The longest body that a message may have under @limits. */
static inline uint32_t usb_remote_max_length(const UsbRemoteMessageInfo *info,
                                             const UsbRemoteLimits *limits)
{
    const uint32_t table = USB_REMOTE_MAX_ENDPOINTS *
                           (uint32_t)sizeof(UsbRemoteEndpoint);

    switch (info->tail) {
    case USB_REMOTE_TAIL_TEXT:
        return info->fixed + (uint32_t)USB_REMOTE_MAX_TEXT;
    case USB_REMOTE_TAIL_STRINGS:
        return info->fixed + 2u * USB_REMOTE_MAX_NAME +
               (uint32_t)USB_REMOTE_MAX_SELECT;
    case USB_REMOTE_TAIL_TABLE:
        return info->fixed + table;
    case USB_REMOTE_TAIL_DATA:
        return info->fixed + limits->max_payload;
    case USB_REMOTE_TAIL_DATA_TABLE:
        return info->fixed + limits->max_payload + table;
    case USB_REMOTE_TAIL_NONE:
    default:
        return info->fixed;
    }
}

/*
 * Judge a header before its body has arrived.  @from is the end that sent
 * it, one of USB_REMOTE_FROM_QEMU and _PEER.  *@skip is set when the message
 * is unknown but optional: its body is to be read and dropped.
 *
 * Returns USB_REMOTE_ERROR_NONE or the code to answer with.
 */
static inline int usb_remote_check_header(const UsbRemoteHead *h, int from,
                                          const UsbRemoteLimits *limits,
                                          bool *skip)
{
    const UsbRemoteMessageInfo *info = usb_remote_message(h->type);

    *skip = !info;
    if (!info) {
        if (!(h->flags & USB_REMOTE_FLAG_OPTIONAL)) {
            return USB_REMOTE_ERROR_UNKNOWN_TYPE;
        }
        return h->length <= limits->max_payload ? USB_REMOTE_ERROR_NONE
                                                : USB_REMOTE_ERROR_LIMIT;
    }
    if (!(info->from & from)) {
        return USB_REMOTE_ERROR_UNEXPECTED;
    }
    if (h->length < info->fixed) {
        return USB_REMOTE_ERROR_MALFORMED;
    }
    if (h->length > usb_remote_max_length(info, limits)) {
        return info->tail == USB_REMOTE_TAIL_NONE ? USB_REMOTE_ERROR_MALFORMED
                                                  : USB_REMOTE_ERROR_LIMIT;
    }
    return USB_REMOTE_ERROR_NONE;
}

static inline bool usb_remote_check_endpoint(const UsbRemoteEndpoint *e)
{
    uint8_t nr = e->address[0] & 0x0f;

    return nr != 0 && (e->address[0] & 0x70) == 0 &&
           e->type[0] >= USB_REMOTE_TYPE_ISO &&
           e->type[0] <= USB_REMOTE_TYPE_INTERRUPT &&
           (usb_remote_get16(e->max_packet) & 0x7ff) != 0 &&
           e->interface[0] <= 15 && e->max_streams[0] <= 16;
}

/* @count entries, none twice. */
static inline bool usb_remote_check_table(const uint8_t *table, size_t count)
{
    const UsbRemoteEndpoint *e = (const UsbRemoteEndpoint *)table;
    uint32_t seen = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        uint32_t bit = 1u << ((e[i].address[0] & 0x0f) |
                              ((e[i].address[0] & 0x80) >> 3));

        if (!usb_remote_check_endpoint(&e[i]) || (seen & bit)) {
            return false;
        }
        seen |= bit;
    }
    return true;
}

/*
 * Well-formed UTF-8 without NUL: no overlong form, no surrogate, nothing
 * above U+10FFFF.
 */
static inline bool usb_remote_check_text(const uint8_t *s, size_t len)
{
    while (len) {
        size_t n = *s < 0x80 ? 1 : (*s & 0xe0) == 0xc0 ? 2 :
                   (*s & 0xf0) == 0xe0 ? 3 : (*s & 0xf8) == 0xf0 ? 4 : 0;
        static const uint32_t least[] = { 0, 1, 0x80, 0x800, 0x10000 };
        uint32_t c;
        size_t i;

        if (n == 0 || n > len) {
            return false;
        }
        c = n == 1 ? *s : (uint32_t)(*s & (0x7f >> n));
        for (i = 1; i < n; i++) {
            if ((s[i] & 0xc0) != 0x80) {
                return false;
            }
            c = (c << 6) | (s[i] & 0x3f);
        }
        if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) {
            return false;
        }
        s += n;
        len -= n;
    }
    return true;
}

static inline int usb_remote_check_hello(const UsbRemoteHello *m, size_t len)
{
    size_t name = usb_remote_get16(m->name_length);
    size_t id = usb_remote_get16(m->id_length);
    size_t select = usb_remote_get16(m->select_length);
    const uint8_t *text = (const uint8_t *)(m + 1);

    if (name > USB_REMOTE_MAX_NAME || id > USB_REMOTE_MAX_NAME ||
        select > USB_REMOTE_MAX_SELECT ||
        len != sizeof(*m) + name + id + select) {
        return USB_REMOTE_ERROR_MALFORMED;
    }
    if (usb_remote_get32(m->max_payload) < USB_REMOTE_MIN_PAYLOAD ||
        usb_remote_get32(m->max_control) < USB_REMOTE_MIN_CONTROL ||
        usb_remote_get32(m->max_requests) == 0 ||
        usb_remote_get32(m->max_per_endpoint) == 0 ||
        usb_remote_get32(m->max_bytes) < usb_remote_get32(m->max_payload)) {
        return USB_REMOTE_ERROR_MALFORMED;
    }
    return usb_remote_check_text(text, name) &&
           usb_remote_check_text(text + name, id) &&
           usb_remote_check_text(text + name + id, select)
           ? USB_REMOTE_ERROR_NONE : USB_REMOTE_ERROR_MALFORMED;
}

static inline int usb_remote_check_attach(const UsbRemoteAttach *m, size_t len)
{
    size_t count = usb_remote_get16(m->endpoint_count);
    bool has_table = usb_remote_get16(m->flags) & USB_REMOTE_ATTACH_ENDPOINTS;

    if (len != sizeof(*m) + count * sizeof(UsbRemoteEndpoint) ||
        (count && !has_table) ||
        m->speeds[0] == 0 || m->speeds[0] > 0x0f ||
        m->address_policy[0] > USB_REMOTE_ADDRESS_SILENCE ||
        usb_remote_get32(m->gap_ms) > USB_REMOTE_MAX_GAP_MS ||
        !usb_remote_check_table((const uint8_t *)(m + 1), count)) {
        return USB_REMOTE_ERROR_MALFORMED;
    }
    return USB_REMOTE_ERROR_NONE;
}

static inline int usb_remote_check_attached(const UsbRemoteAttached *m)
{
    return m->result[0] <= USB_REMOTE_ATTACHED_REFUSED &&
           m->speed[0] <= USB_REMOTE_SPEED_SUPER
           ? USB_REMOTE_ERROR_NONE : USB_REMOTE_ERROR_MALFORMED;
}

/* True for a request whose data stage or transfer goes to the guest. */
static inline bool usb_remote_submit_is_in(const UsbRemoteSubmit *m)
{
    return m->type[0] == USB_REMOTE_TYPE_CONTROL ? (m->setup[0] & 0x80) != 0
                                                 : m->endpoint[0] & 0x80;
}

static inline int usb_remote_check_submit(const UsbRemoteSubmit *m, size_t len,
                                          const UsbRemoteLimits *limits)
{
    uint32_t length = usb_remote_get32(m->length);
    size_t data = usb_remote_submit_is_in(m) ? 0 : length;
    bool control = m->type[0] == USB_REMOTE_TYPE_CONTROL;

    if (length > (control ? limits->max_control : limits->max_payload)) {
        return USB_REMOTE_ERROR_LIMIT;
    }
    if (len != sizeof(*m) + data ||
        m->type[0] > USB_REMOTE_TYPE_INTERRUPT ||
        (m->endpoint[0] & 0x70) || m->place[0] != USB_REMOTE_PLACE_INLINE ||
        control != ((m->endpoint[0] & 0x0f) == 0) ||
        (control && (m->endpoint[0] ||
                     usb_remote_get16(m->setup + 6) != length))) {
        return USB_REMOTE_ERROR_MALFORMED;
    }
    return USB_REMOTE_ERROR_NONE;
}

/*
 * What can be said of a COMPLETE without its SUBMIT; the rest is
 * usb_remote_check_answer()'s.
 */
static inline int usb_remote_check_complete(const UsbRemoteComplete *m,
                                            size_t len,
                                            const UsbRemoteLimits *limits)
{
    size_t count = usb_remote_get16(m->endpoint_count);
    size_t table = count * sizeof(UsbRemoteEndpoint);
    uint32_t length = usb_remote_get32(m->length);
    bool has_table = usb_remote_get16(m->flags) &
                     USB_REMOTE_COMPLETE_ENDPOINTS;
    size_t rest = len - sizeof(*m);

    if (length > limits->max_payload || count > USB_REMOTE_MAX_ENDPOINTS) {
        return USB_REMOTE_ERROR_LIMIT;
    }
    if (m->status[0] > USB_REMOTE_STATUS_CANCELLED ||
        m->place[0] != USB_REMOTE_PLACE_INLINE || (count && !has_table) ||
        (m->status[0] == USB_REMOTE_STATUS_NAK && length) ||
        (rest != table && rest != table + length) ||
        !usb_remote_check_table((const uint8_t *)m + len - table, count)) {
        return USB_REMOTE_ERROR_MALFORMED;
    }
    return USB_REMOTE_ERROR_NONE;
}

/* Bytes of data in a COMPLETE that passed usb_remote_check_complete(). */
static inline uint32_t usb_remote_complete_data(const UsbRemoteComplete *m,
                                                size_t len)
{
    return (uint32_t)(len - sizeof(*m) -
                      usb_remote_get16(m->endpoint_count) *
                      sizeof(UsbRemoteEndpoint));
}

/*
 * Judge a COMPLETE against the request it answers: @in and @requested are
 * the request's, @table_ok whether it may carry an endpoint table.
 */
static inline int usb_remote_check_answer(const UsbRemoteComplete *m,
                                          size_t len, bool in,
                                          uint32_t requested, bool table_ok)
{
    uint32_t length = usb_remote_get32(m->length);
    uint32_t data = usb_remote_complete_data(m, len);

    if (data != (in ? length : 0) || (!in && length > requested) ||
        (in && length && m->status[0] == USB_REMOTE_STATUS_CANCELLED)) {
        return USB_REMOTE_ERROR_MALFORMED;
    }
    if ((usb_remote_get16(m->flags) & USB_REMOTE_COMPLETE_ENDPOINTS) &&
        (!table_ok || m->status[0] != USB_REMOTE_STATUS_OK)) {
        return USB_REMOTE_ERROR_MALFORMED;
    }
    return USB_REMOTE_ERROR_NONE;
}

/* SUBMIT, CANCEL and COMPLETE have an id, ERROR may, nothing else does. */
static inline bool usb_remote_check_id(const UsbRemoteHead *h)
{
    switch (h->type) {
    case USB_REMOTE_MSG_SUBMIT:
    case USB_REMOTE_MSG_CANCEL:
    case USB_REMOTE_MSG_COMPLETE:
        return h->id != 0;
    case USB_REMOTE_MSG_ERROR:
        return true;
    default:
        return h->id == 0;
    }
}

/*
 * Judge the body of a message whose header passed usb_remote_check_header()
 * without *skip.  Texts of ERROR, BYE and ATTACHED are not judged: whoever
 * shows them makes them printable.
 */
static inline int usb_remote_check_body(const UsbRemoteHead *h,
                                        const uint8_t *body,
                                        const UsbRemoteLimits *limits)
{
    if (!usb_remote_check_id(h)) {
        return USB_REMOTE_ERROR_MALFORMED;
    }
    switch (h->type) {
    case USB_REMOTE_MSG_HELLO:
        return usb_remote_check_hello((const UsbRemoteHello *)body, h->length);
    case USB_REMOTE_MSG_ATTACH:
        return usb_remote_check_attach((const UsbRemoteAttach *)body,
                                       h->length);
    case USB_REMOTE_MSG_ATTACHED:
        return usb_remote_check_attached((const UsbRemoteAttached *)body);
    case USB_REMOTE_MSG_RESET:
        return body[0] <= USB_REMOTE_SPEED_SUPER ? USB_REMOTE_ERROR_NONE
                                                 : USB_REMOTE_ERROR_MALFORMED;
    case USB_REMOTE_MSG_ADDRESS:
        return body[0] <= 127 ? USB_REMOTE_ERROR_NONE
                              : USB_REMOTE_ERROR_MALFORMED;
    case USB_REMOTE_MSG_VMSTATE:
        return body[0] <= 1 ? USB_REMOTE_ERROR_NONE
                            : USB_REMOTE_ERROR_MALFORMED;
    case USB_REMOTE_MSG_READY:
        return (body[0] & 0x70) || body[0] == 0x80
               ? USB_REMOTE_ERROR_MALFORMED : USB_REMOTE_ERROR_NONE;
    case USB_REMOTE_MSG_SUBMIT:
        return usb_remote_check_submit((const UsbRemoteSubmit *)body,
                                       h->length, limits);
    case USB_REMOTE_MSG_COMPLETE:
        return usb_remote_check_complete((const UsbRemoteComplete *)body,
                                         h->length, limits);
    default:
        return USB_REMOTE_ERROR_NONE;
    }
}

/* The limits this version announces before it knows better. */
static inline UsbRemoteLimits usb_remote_default_limits(void)
{
    UsbRemoteLimits l;

    l.features = 0;
    l.max_payload = USB_REMOTE_MAX_PAYLOAD;
    l.max_control = USB_REMOTE_MAX_CONTROL;
    l.max_requests = 256;
    l.max_per_endpoint = 64;
    l.max_bytes = 8u << 20;
    return l;
}

static inline void usb_remote_put_limits(UsbRemoteHello *m,
                                         const UsbRemoteLimits *l)
{
    usb_remote_put64(m->features, l->features);
    usb_remote_put32(m->max_payload, l->max_payload);
    usb_remote_put32(m->max_control, l->max_control);
    usb_remote_put32(m->max_requests, l->max_requests);
    usb_remote_put32(m->max_per_endpoint, l->max_per_endpoint);
    usb_remote_put32(m->max_bytes, l->max_bytes);
}

static inline uint32_t usb_remote_smaller(uint32_t own, const uint8_t *other)
{
    uint32_t value = usb_remote_get32(other);

    return value < own ? value : own;
}

/* What holds after @theirs was received: the smaller limits, both's bits. */
static inline UsbRemoteLimits usb_remote_join_limits(const UsbRemoteLimits *own,
                                                     const UsbRemoteHello *m)
{
    UsbRemoteLimits l;

    l.features = own->features & usb_remote_get64(m->features);
    l.max_payload = usb_remote_smaller(own->max_payload, m->max_payload);
    l.max_control = usb_remote_smaller(own->max_control, m->max_control);
    if (l.max_control > l.max_payload) {
        l.max_control = l.max_payload;
    }
    l.max_requests = usb_remote_smaller(own->max_requests, m->max_requests);
    l.max_per_endpoint = usb_remote_smaller(own->max_per_endpoint,
                                            m->max_per_endpoint);
    l.max_bytes = usb_remote_smaller(own->max_bytes, m->max_bytes);
    return l;
}

#endif /* USB_REMOTE_CODEC_H */
