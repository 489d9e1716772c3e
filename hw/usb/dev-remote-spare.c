/*
 * USB device whose other end is a program: memory for packets and requests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a transfer needs is kept when it is over, so that the next one of its
 * size needs no allocation.  Both the number and the bytes are bounded; what
 * is above is freed.  Buffers for little are all of one size.  Those for more
 * are freed if they are too small when their turn comes: where sizes differ,
 * the largest are those that stay.
 */

#include "qemu/osdep.h"
#include "dev-remote.h"

/* The room of a buffer for little: what is less than a long message. */
#define REMOTE_LITTLE   (REMOTE_DATA_AT + REMOTE_LONG)

#ifdef QEMU_SANITIZE_ADDRESS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)
#define ASAN_UNPOISON_MEMORY_REGION(address, size)
#endif

static void *remote_spare_take(GPtrArray *spares)
{
    return spares->len ? g_ptr_array_steal_index_fast(spares, spares->len - 1)
                       : NULL;
}

static void remote_buffer_free(USBRemoteState *s, RemoteBuffer *b)
{
    s->buffer_bytes -= b->room;
    g_free(b);
}

/* The spare buffers among which one with @room bytes belongs. */
static GPtrArray *remote_spares_of(USBRemoteState *s, size_t room)
{
    return room <= REMOTE_LITTLE ? s->spare_little : s->spare_buffers;
}

static RemoteBuffer *remote_buffer_new(USBRemoteState *s, size_t size)
{
    bool little = size < REMOTE_LITTLE && remote_spare_may_be_larger(s);
    size_t room = little ? REMOTE_LITTLE : size;
    RemoteBuffer *b = g_try_malloc(sizeof(*b) + room);

    if (b) {
        b->room = room;
        s->buffer_bytes += room;
    }
    return b;
}

/*
 * A buffer with room for @size bytes, or NULL.  The last one that was given
 * back comes first: it is still in the processor's caches.
 */
RemoteBuffer *remote_spare_buffer(USBRemoteState *s, size_t size)
{
    RemoteBuffer *b = remote_spare_take(remote_spares_of(s, size));

    if (b && b->room >= size) {
        ASAN_UNPOISON_MEMORY_REGION(b->bytes, size);
        return b;
    }
    if (b) {
        remote_buffer_free(s, b);
    }
    return remote_buffer_new(s, size);
}

/*
 * A buffer may have room for more from the start, come back for a smaller
 * request, or hold more than an answer to it, which has less credit than the
 * buffer has bytes.  So this is only while all of them, used or not, are
 * within half of the credit, as much as busy endpoints get, and the heads of
 * messages; the one that a message is received into comes on top, and may be
 * the last to be let in.  The others are as long as their requests, which
 * have credit: one and a half times it together, and two messages.
 */
bool remote_spare_may_be_larger(USBRemoteState *s)
{
    const UsbRemoteLimits *l = &s->conn.limits;
    RemoteBuffer *in = s->conn.in;

    return s->buffer_bytes - (in ? in->room : 0) <=
           l->max_bytes / 2 + (l->max_requests + 1) * REMOTE_DATA_AT;
}

void remote_spare_put_buffer(USBRemoteState *s, RemoteBuffer *b)
{
    GPtrArray *spares = remote_spares_of(s, b->room);

    if (spares->len == REMOTE_SPARE_MAX || !remote_spare_may_be_larger(s)) {
        remote_buffer_free(s, b);
        return;
    }
    ASAN_POISON_MEMORY_REGION(b->bytes, b->room);
    g_ptr_array_add(spares, b);
}

/* A request of zeros. */
RemoteRequest *remote_spare_request(USBRemoteState *s)
{
    RemoteRequest *r = remote_spare_take(s->spare_requests);

    if (!r) {
        return g_new0(RemoteRequest, 1);
    }
    ASAN_UNPOISON_MEMORY_REGION(r, sizeof(*r));
    return r;
}

/* Give @r a buffer for @size bytes; returns where they go, or NULL. */
uint8_t *remote_request_buffer(USBRemoteState *s, RemoteRequest *r,
                               size_t size)
{
    r->buffer = remote_spare_buffer(s, REMOTE_DATA_AT + size);
    return r->buffer ? r->buffer->bytes + REMOTE_DATA_AT : NULL;
}

void remote_spare_put_request(USBRemoteState *s, RemoteRequest *r)
{
    if (r->buffer) {
        remote_spare_put_buffer(s, r->buffer);
    }
    g_free(r->table);
    if (s->spare_requests->len == REMOTE_SPARE_MAX) {
        g_free(r);
        return;
    }
    memset(r, 0, sizeof(*r));
    ASAN_POISON_MEMORY_REGION(r, sizeof(*r));
    g_ptr_array_add(s->spare_requests, r);
}

/* A packet of zeros. */
RemotePacket *remote_spare_packet(USBRemoteState *s)
{
    RemotePacket *rp = remote_spare_take(s->spare_packets);

    if (!rp) {
        return g_new0(RemotePacket, 1);
    }
    ASAN_UNPOISON_MEMORY_REGION(rp, sizeof(*rp));
    return rp;
}

void remote_spare_put_packet(USBRemoteState *s, RemotePacket *rp)
{
    if (s->spare_packets->len == REMOTE_SPARE_MAX) {
        g_free(rp);
        return;
    }
    memset(rp, 0, sizeof(*rp));
    ASAN_POISON_MEMORY_REGION(rp, sizeof(*rp));
    g_ptr_array_add(s->spare_packets, rp);
}

void remote_spares_init(USBRemoteState *s)
{
    s->spare_requests = g_ptr_array_sized_new(REMOTE_SPARE_MAX);
    s->spare_packets = g_ptr_array_sized_new(REMOTE_SPARE_MAX);
    s->spare_little = g_ptr_array_sized_new(REMOTE_SPARE_MAX);
    s->spare_buffers = g_ptr_array_sized_new(REMOTE_SPARE_MAX);
}

static void remote_buffers_drop(USBRemoteState *s, GPtrArray *spares)
{
    while (spares->len) {
        remote_buffer_free(s, remote_spare_take(spares));
    }
}

/* Keep nothing of what is not in use. */
void remote_spares_drop(USBRemoteState *s)
{
    while (s->spare_requests->len) {
        g_free(remote_spare_request(s));
    }
    while (s->spare_packets->len) {
        g_free(remote_spare_packet(s));
    }
    remote_buffers_drop(s, s->spare_little);
    remote_buffers_drop(s, s->spare_buffers);
}

void remote_spares_free(USBRemoteState *s)
{
    remote_spares_drop(s);
    g_ptr_array_free(s->spare_requests, true);
    g_ptr_array_free(s->spare_packets, true);
    g_ptr_array_free(s->spare_little, true);
    g_ptr_array_free(s->spare_buffers, true);
}
