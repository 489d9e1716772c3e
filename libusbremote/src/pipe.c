/*
 * libusbremote: endpoints as streams of packets
 *
 * SPDX-License-Identifier: MIT
 *
 * Requests wait in a list until pump() can answer them.  pump() is the only
 * one to do so but halt and close.  Callbacks of the device run within it;
 * what they start is carried on by the pump() that is already at work, so
 * nothing recurses.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The list of requests */

static UsbRemoteRequest *next_of(const UsbRemoteRequest *r)
{
    return (UsbRemoteRequest *)usbremote_private(r);
}

static void park(UsbRemotePipe *p, UsbRemoteRequest *r)
{
    usbremote_set_private(r, NULL);
    if (p->last) {
        usbremote_set_private(p->last, r);
    } else {
        p->first = r;
    }
    p->last = r;
}

static void unpark_first(UsbRemotePipe *p)
{
    p->first = next_of(p->first);
    if (!p->first) {
        p->last = NULL;
    }
    p->taken = 0;
}

/* Answer the first request and forget it. */
static void answer_first(UsbRemotePipe *p, int status, const void *data,
                         uint32_t length)
{
    UsbRemoteRequest *r = p->first;

    unpark_first(p);
    if (usbremote_complete(r, status, data, length)) {
        /* no memory for it; an error takes less */
        usbremote_complete(r, USB_REMOTE_STATUS_IOERROR, NULL, 0);
    }
}

/* Reads and writes */

static void finish(UsbRemotePipe *p, int result)
{
    UsbRemoteDone *done = p->done;

    p->active = false;
    if (done) {
        done(p->opaque, result);
    }
}

/* Bytes of the first OUT request to the reader; false if nobody reads. */
static bool serve_out(UsbRemotePipe *p)
{
    UsbRemoteRequest *r = p->first;
    uint32_t length = usbremote_length(r), n;
    bool whole, ended;

    if (!p->active) {
        return false;
    }
    if (!p->taken && !(usbremote_flags(r) & USB_REMOTE_SUBMIT_RETRY)) {
        p->phase = 0;           /* else it may be the rest of a packet */
    }
    n = least(length - p->taken, p->size - p->at);
    if (n) {
        memcpy(p->into + p->at, usbremote_data(r) + p->taken, n);
    }
    p->at += n;
    p->taken += n;
    p->phase = (p->phase + n) % p->max_packet;
    whole = p->taken == length;
    ended = whole && (p->phase || !length) &&
            !(usbremote_flags(r) & USB_REMOTE_SUBMIT_MORE);
    if (whole) {
        answer_first(p, USB_REMOTE_STATUS_OK, NULL, length);
    } else {
        usbremote_consumed(r, p->taken);
    }
    if (ended || p->at == p->size || (whole && p->some)) {
        p->phase = ended ? 0 : p->phase;
        finish(p, (int)p->at);
    }
    return true;
}

/* Keep @count bytes of the write for later; false without memory. */
static bool hold(UsbRemotePipe *p, uint32_t count)
{
    uint32_t size = p->held_count + count;

    if (size > p->held_size) {
        uint8_t *grown = (uint8_t *)realloc(p->held, size);

        if (!grown) {
            return false;
        }
        p->held = grown;
        p->held_size = size;
    }
    if (count) {
        memcpy(p->held + p->held_count, p->from + p->at, count);
    }
    p->held_count += count;
    p->at += count;
    return true;
}

static void drop_held(UsbRemotePipe *p, uint32_t count)
{
    p->held_count -= count;
    if (p->held_count) {
        memmove(p->held, p->held + count, p->held_count);
    }
}

/* Answer the first IN request with the next @count bytes. */
static void send_first(UsbRemotePipe *p, uint32_t count)
{
    const uint8_t *data = p->from + p->at;

    if (!p->held_count) {
        p->at += count;
        answer_first(p, USB_REMOTE_STATUS_OK, count ? data : NULL, count);
        return;
    }
    if (count > p->held_count && !hold(p, count - p->held_count)) {
        count = p->held_count;  /* a short transfer, rather than none */
    }
    answer_first(p, USB_REMOTE_STATUS_OK, p->held, count);
    drop_held(p, count);
}

/* An answer to the first IN request; false if there is nothing to send. */
static bool serve_in(UsbRemotePipe *p)
{
    uint32_t want = usbremote_length(p->first);
    uint32_t left = p->active ? p->size - p->at : 0;
    uint32_t have = p->held_count + left;
    bool whole = !(p->size % p->max_packet);    /* no short packet */
    bool empty_last = whole && (p->end || !p->size);

    if (!p->active && (!p->held_count || have < want)) {
        return false;
    }
    if (p->active && have < want && whole && !empty_last) {
        if (!hold(p, left)) {
            return false;
        }
        finish(p, (int)p->size);
        return true;
    }
    send_first(p, least(have, want));
    if (p->active && p->at == p->size && !p->held_count &&
        (!empty_last || have < want || !have)) {
        finish(p, (int)p->size);
    }
    return true;
}

static void pump(UsbRemotePipe *p)
{
    if (p->busy) {
        return;
    }
    p->busy = true;
    while (p->first && !p->halted &&
           (p->address & 0x80 ? serve_in(p) : serve_out(p))) {
        continue;
    }
    p->busy = false;
}

static int start(UsbRemotePipe *p, uint32_t size, UsbRemoteDone *done,
                 void *opaque)
{
    if (!p->max_packet) {
        return -ENOTCONN;
    }
    if (p->active) {
        return -EALREADY;
    }
    p->active = true;
    p->size = size;
    p->at = 0;
    p->done = done;
    p->opaque = opaque;
    pump(p);
    return 0;
}

static int start_read(UsbRemotePipe *pipe, bool some, void *buffer,
                      uint32_t size, UsbRemoteDone *done, void *opaque)
{
    if ((pipe->address & 0x80) || !buffer || !size || size > INT32_MAX) {
        return -EINVAL;
    }
    if (!pipe->active) {
        pipe->into = (uint8_t *)buffer;
        pipe->some = some;
    }
    return start(pipe, size, done, opaque);
}

int usbremote_pipe_read(UsbRemotePipe *pipe, void *buffer, uint32_t size,
                        UsbRemoteDone *done, void *opaque)
{
    return start_read(pipe, false, buffer, size, done, opaque);
}

int usbremote_pipe_read_some(UsbRemotePipe *pipe, void *buffer,
                             uint32_t size, UsbRemoteDone *done, void *opaque)
{
    return start_read(pipe, true, buffer, size, done, opaque);
}

int usbremote_pipe_write(UsbRemotePipe *pipe, const void *data, uint32_t size,
                         bool end, UsbRemoteDone *done, void *opaque)
{
    if (!(pipe->address & 0x80) || (size && !data) || size > INT32_MAX) {
        return -EINVAL;
    }
    if (!pipe->active) {
        pipe->from = (const uint8_t *)data;
        pipe->end = end;
    }
    return start(pipe, size, done, opaque);
}

void usbremote_pipe_cancel(UsbRemotePipe *pipe)
{
    pipe->held_count = 0;
    if (pipe->active) {
        finish(pipe, -ECANCELED);
    }
}

uint32_t usbremote_pipe_moved(const UsbRemotePipe *pipe)
{
    return pipe->active ? pipe->at : 0;
}

/* Halts */

void usbremote_pipe_halt(UsbRemotePipe *pipe)
{
    uint32_t count = pipe->held_count;

    pipe->halted = true;
    if (pipe->first && count) {
        answer_first(pipe, USB_REMOTE_STATUS_STALL, pipe->held, count);
    }
    pipe->held_count = 0;
    while (pipe->first) {
        answer_first(pipe, USB_REMOTE_STATUS_STALL, NULL, pipe->taken);
    }
}

void usbremote_pipe_clear_halt(UsbRemotePipe *pipe)
{
    pipe->halted = false;
    pipe->held_count = 0;       /* of a transfer that is over */
    if (usbremote_pipe_moved(pipe)) {
        finish(pipe, -ECANCELED);   /* the rest of it, too */
    }
    pump(pipe);
}

bool usbremote_pipe_is_halted(const UsbRemotePipe *pipe)
{
    return pipe->halted;
}

uint16_t usbremote_pipe_max_packet(const UsbRemotePipe *pipe)
{
    return pipe->max_packet;
}

/* What the device layer does with them */

void pipe_submitted(UsbRemotePipe *p, UsbRemoteRequest *r)
{
    if (p->halted || !p->max_packet) {
        usbremote_complete(r, p->halted ? USB_REMOTE_STATUS_STALL
                                        : USB_REMOTE_STATUS_IOERROR, NULL, 0);
        return;
    }
    park(p, r);
    pump(p);
}

/* Dropped: forget it.  What was read of it stays read. */
void pipe_dropped(UsbRemotePipe *p, UsbRemoteRequest *r)
{
    UsbRemoteRequest *before = NULL, *at = p->first;

    while (at && at != r) {
        before = at;
        at = next_of(at);
    }
    if (!at) {
        return;
    }
    if (!before) {
        unpark_first(p);
        return;
    }
    usbremote_set_private(before, next_of(r));
    if (p->last == r) {
        p->last = before;
    }
}

/* What was taken into it is for the next one. */
void pipe_cancelled(UsbRemotePipe *p, UsbRemoteRequest *r)
{
    pipe_dropped(p, r);
    pump(p);
}

void pipe_open(UsbRemotePipe *p, uint16_t max_packet)
{
    p->max_packet = max_packet & 0x7ff;
}

/* Not in force any more; QEMU has no use for what is still in flight. */
void pipe_close(UsbRemotePipe *p)
{
    p->max_packet = 0;
    p->halted = false;
    p->held_count = 0;
    p->phase = 0;
    while (p->first) {
        answer_first(p, USB_REMOTE_STATUS_IOERROR, NULL, 0);
    }
    usbremote_pipe_cancel(p);
}
