/*
 * libusbremote: requests and their answers
 *
 * SPDX-License-Identifier: MIT
 *
 * Records are made once, for as many requests as HELLO allows.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session.h"

/* So many bytes are copied; a longer message is taken over as it is. */
#define COPY_MAX    4096

/* A place for each endpoint: OUT at 0-15, IN at 16-31. */
static unsigned endpoint_index(uint8_t address)
{
    return (address & 0x0fu) | (address & 0x80u ? 0x10u : 0u);
}

static bool is_control(const UsbRemoteRequest *r)
{
    return r->submit.type[0] == USB_REMOTE_TYPE_CONTROL;
}

int requests_init(UsbRemotePeer *p)
{
    uint32_t count = p->limits.max_requests + 1, i;

    p->requests = (UsbRemoteRequest *)calloc(count, sizeof(p->requests[0]));
    if (!p->requests) {
        return -ENOMEM;
    }
    p->places = count;
    for (i = 0; i < count; i++) {
        p->requests[i].peer = p;
        p->requests[i].next = p->free;
        p->free = &p->requests[i];
    }
    return 0;
}

void requests_free(UsbRemotePeer *p)
{
    uint32_t i;

    for (i = 0; i < p->places; i++) {
        free(p->requests[i].memory);
    }
    free(p->requests);
}

static void request_unlink(UsbRemoteRequest *r)
{
    UsbRemotePeer *p = r->peer;

    *r->link = r->next;
    if (r->next) {
        r->next->link = r->link;
    }
    p->on_endpoint[endpoint_index(r->submit.endpoint[0])]--;
    if (!is_control(r)) {
        p->count--;
        p->bytes -= usbremote_length(r);
    }
    r->pending = false;
}

static void request_recycle(UsbRemoteRequest *r)
{
    UsbRemotePeer *p = r->peer;

    memory_give(p, r->memory, r->memory_size);
    r->memory = NULL;
    r->next = p->free;
    p->free = r;
}

/* All pending ones are void: forget them, oldest first. */
void requests_drop(UsbRemotePeer *p)
{
    while (p->pending) {
        UsbRemoteRequest *r = p->pending;

        while (r->next) {
            r = r->next;
        }
        request_unlink(r);
        if (p->call.dropped && !r->cancelled) {
            p->call.dropped(p->opaque, r);
        }
        request_recycle(r);
    }
}

/* QEMU promised not to have more than this in flight. */
static bool within_limits(UsbRemotePeer *p, const UsbRemoteSubmit *m)
{
    uint32_t same = p->on_endpoint[endpoint_index(m->endpoint[0])];

    if (m->type[0] == USB_REMOTE_TYPE_CONTROL) {
        return same == 0;
    }
    return p->count < p->limits.max_requests &&
           same < p->limits.max_per_endpoint &&
           p->bytes + usb_remote_get32(m->length) <= p->limits.max_bytes;
}

/* The memory of the message that ends with @data becomes that of @r. */
static void request_take_message(UsbRemoteRequest *r, const uint8_t *data)
{
    Buffer *in = &r->peer->in;

    r->data = in->bytes + (data - in->bytes);
    r->memory = in->bytes;
    r->memory_size = in->size;
    in->bytes = NULL;
    in->size = 0;
}

static bool request_copy_data(UsbRemoteRequest *r, const uint8_t *data,
                              size_t size)
{
    r->data = NULL;
    if (!size) {
        return true;
    }
    r->memory = memory_take(r->peer, size, &r->memory_size);
    if (!r->memory) {
        return false;
    }
    r->data = r->memory;
    memcpy(r->data, data, size);
    return true;
}

static bool request_take_data(UsbRemoteRequest *r, const uint8_t *data,
                              size_t size)
{
    if (size <= COPY_MAX) {
        return request_copy_data(r, data, size);
    }
    request_take_message(r, data);
    return true;
}

static void request_link(UsbRemotePeer *p, UsbRemoteRequest *r)
{
    p->free = r->next;
    r->next = p->pending;
    r->link = &p->pending;
    if (r->next) {
        r->next->link = &r->next;
    }
    p->pending = r;
    p->on_endpoint[endpoint_index(r->submit.endpoint[0])]++;
    if (!is_control(r)) {
        p->count++;
        p->bytes += usbremote_length(r);
    }
    p->submits++;
    r->pending = true;
    r->cancelled = false;
    r->consumed = 0;
    r->private_value = NULL;
}

void request_submitted(UsbRemotePeer *p, const UsbRemoteHead *head,
                       const uint8_t *body)
{
    const UsbRemoteSubmit *m = (const UsbRemoteSubmit *)body;
    UsbRemoteRequest *r = p->free;

    if (!within_limits(p, m)) {
        session_violation(p, USB_REMOTE_ERROR_LIMIT, head->type, head->id,
                          "more in flight than the limits allow");
        return;
    }
    r->head = *head;
    r->submit = *m;
    if (!request_take_data(r, body + sizeof(*m), head->length - sizeof(*m))) {
        session_violation(p, USB_REMOTE_ERROR_INTERNAL, head->type, head->id,
                          "no memory for the data of a request");
        return;
    }
    request_link(p, r);
    if (p->call.submit) {
        p->call.submit(p->opaque, r);
    } else {
        usbremote_complete(r, USB_REMOTE_STATUS_STALL, NULL, 0);
    }
}

static UsbRemoteRequest *find_pending(UsbRemotePeer *p, uint64_t id)
{
    UsbRemoteRequest *r = p->pending;

    while (r && r->head.id > id) {
        r = r->next;            /* newest first, and ids grow */
    }
    return r && r->head.id == id ? r : NULL;
}

/* Whatever the device says or does not say, there is one answer. */
void request_cancelled(UsbRemotePeer *p, const UsbRemoteHead *head)
{
    UsbRemoteRequest *r = find_pending(p, head->id);

    if (!r) {
        return;                 /* its COMPLETE is on the way */
    }
    r->cancelled = true;
    if (p->call.cancelled) {
        p->call.cancelled(p->opaque, r);
    }
    if (r->pending && r->head.id == head->id) {
        usbremote_complete(r, USB_REMOTE_STATUS_CANCELLED, NULL,
                           usbremote_is_in(r) ? 0 : r->consumed);
    }
}

uint64_t usbremote_id(const UsbRemoteRequest *request)
{
    return request->head.id;
}

uint8_t usbremote_endpoint(const UsbRemoteRequest *request)
{
    return request->submit.endpoint[0];
}

int usbremote_type(const UsbRemoteRequest *request)
{
    return request->submit.type[0];
}

unsigned usbremote_flags(const UsbRemoteRequest *request)
{
    return usb_remote_get16(request->submit.flags);
}

bool usbremote_is_in(const UsbRemoteRequest *request)
{
    return usb_remote_submit_is_in(&request->submit);
}

uint32_t usbremote_length(const UsbRemoteRequest *request)
{
    return usb_remote_get32(request->submit.length);
}

const uint8_t *usbremote_setup(const UsbRemoteRequest *request)
{
    return request->submit.setup;
}

const uint8_t *usbremote_data(const UsbRemoteRequest *request)
{
    return usbremote_is_in(request) ? NULL : request->data;
}

void usbremote_set_private(UsbRemoteRequest *request, void *value)
{
    request->private_value = value;
}

void *usbremote_private(const UsbRemoteRequest *request)
{
    return request->private_value;
}

int usbremote_consumed(UsbRemoteRequest *request, uint32_t bytes)
{
    if (usbremote_is_in(request) || bytes > usbremote_length(request)) {
        return -EINVAL;
    }
    request->consumed = bytes;
    return 0;
}

/* Send an answer that is sound, and be done with the request. */
static int request_answer(UsbRemoteRequest *r, UsbRemoteComplete *m,
                          const void *tail, size_t tail_size)
{
    UsbRemoteHead head = r->head;
    int error;

    head.type = USB_REMOTE_MSG_COMPLETE;
    head.flags = 0;
    error = session_put(r->peer, &head, m, sizeof(*m), tail, tail_size);
    if (error) {
        return error;
    }
    request_unlink(r);
    request_recycle(r);
    return 0;
}

int usbremote_complete(UsbRemoteRequest *request, int status,
                       const void *data, uint32_t length)
{
    bool in = usbremote_is_in(request);
    bool empty = status == USB_REMOTE_STATUS_NAK ||
                 (in && status == USB_REMOTE_STATUS_CANCELLED);
    UsbRemoteComplete m;

    assert(request->pending);
    if (!request->pending) {
        return -EALREADY;
    }
    if (status < USB_REMOTE_STATUS_OK ||
        status > USB_REMOTE_STATUS_CANCELLED || (empty && length) ||
        (in ? length && !data : data != NULL ||
         length > usbremote_length(request))) {
        return -EINVAL;
    }
    if (length > request->peer->limits.max_payload) {
        return -EMSGSIZE;
    }
    memset(&m, 0, sizeof(m));
    m.status[0] = (uint8_t)status;
    usb_remote_put32(m.length, length);
    return request_answer(request, &m, data, in ? length : 0);
}

/* Requests whose answer may bring an endpoint table. */
static bool takes_table(const UsbRemoteRequest *r)
{
    const uint8_t *setup = usbremote_setup(r);

    return is_control(r) && ((setup[0] == 0x00 && setup[1] == 9) ||
                             (setup[0] == 0x01 && setup[1] == 11));
}

int usbremote_complete_table(UsbRemoteRequest *request,
                             const UsbRemoteEndpoint *table, size_t count)
{
    UsbRemoteComplete m;

    assert(request->pending);
    if (!request->pending) {
        return -EALREADY;
    }
    if (!takes_table(request) || count > USB_REMOTE_MAX_ENDPOINTS ||
        !usb_remote_check_table((const uint8_t *)table, count)) {
        return -EINVAL;
    }
    memset(&m, 0, sizeof(m));
    usb_remote_put16(m.flags, USB_REMOTE_COMPLETE_ENDPOINTS);
    usb_remote_put32(m.length, usbremote_length(request));
    usb_remote_put16(m.endpoint_count, (uint16_t)count);
    return request_answer(request, &m, table, count * sizeof(table[0]));
}
