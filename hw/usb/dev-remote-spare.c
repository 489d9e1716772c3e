/*
 * USB device whose other end is a program: memory for packets and requests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a transfer needs is kept when it is over, so that the next one needs
 * no allocation.  Both the number and the bytes are bounded; what is above is
 * freed.
 */

#include "qemu/osdep.h"
#include "dev-remote.h"

#ifdef QEMU_SANITIZE_ADDRESS
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)
#define ASAN_UNPOISON_MEMORY_REGION(address, size)
#endif

/* The pointer by which a leak checker finds the buffer must stay visible. */
#define REMOTE_REQUEST_HIDDEN       sizeof_field(RemoteRequest, buffer)
QEMU_BUILD_BUG_ON(offsetof(RemoteRequest, buffer) != 0);

static void remote_spare_hide(RemoteRequest *r)
{
    ASAN_POISON_MEMORY_REGION(r->buffer, r->room);
    ASAN_POISON_MEMORY_REGION((uint8_t *)r + REMOTE_REQUEST_HIDDEN,
                              sizeof(*r) - REMOTE_REQUEST_HIDDEN);
}

static void *remote_spare_take(GPtrArray *spares)
{
    return spares->len ? g_ptr_array_steal_index_fast(spares, spares->len - 1)
                       : NULL;
}

/* A request of zeros, but for a buffer that it may have. */
RemoteRequest *remote_spare_request(USBRemoteState *s)
{
    RemoteRequest *r = remote_spare_take(s->spare_requests);

    if (!r) {
        return g_new0(RemoteRequest, 1);
    }
    ASAN_UNPOISON_MEMORY_REGION(r, sizeof(*r));
    return r;
}

static void remote_buffer_free(USBRemoteState *s, RemoteRequest *r)
{
    s->buffer_bytes -= r->room;
    r->room = 0;
    g_clear_pointer(&r->buffer, g_free);
}

/* The buffer of @r with room for @size bytes, or NULL. */
uint8_t *remote_request_buffer(USBRemoteState *s, RemoteRequest *r,
                               size_t size)
{
    if (size > r->room) {
        remote_buffer_free(s, r);
        r->buffer = g_try_malloc(size);
        r->room = r->buffer ? size : 0;
        s->buffer_bytes += r->room;
    }
    ASAN_UNPOISON_MEMORY_REGION(r->buffer, MIN(size, r->room));
    return r->buffer;
}

/*
 * A buffer may come back for a smaller request, which has less credit than
 * the buffer has bytes.  So one is kept only while all of them, used or not,
 * are within half of the credit, as much as busy endpoints get.  Those that
 * were kept are never more than that in all, and the others are as long as
 * their requests, which have credit: one and a half times it together.
 */
void remote_spare_put_request(USBRemoteState *s, RemoteRequest *r)
{
    uint8_t *buffer;
    size_t room;

    if (s->buffer_bytes > s->conn.limits.max_bytes / 2) {
        remote_buffer_free(s, r);
    }
    g_free(r->table);
    if (s->spare_requests->len == REMOTE_SPARE_MAX) {
        remote_buffer_free(s, r);
        g_free(r);
        return;
    }
    buffer = r->buffer;
    room = r->room;
    *r = (RemoteRequest) { .buffer = buffer, .room = room };
    remote_spare_hide(r);
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
}

/* Keep nothing of what is not in use. */
void remote_spares_drop(USBRemoteState *s)
{
    RemoteRequest *r;

    while (s->spare_requests->len) {
        r = remote_spare_request(s);
        remote_buffer_free(s, r);
        g_free(r);
    }
    while (s->spare_packets->len) {
        g_free(remote_spare_packet(s));
    }
}

void remote_spares_free(USBRemoteState *s)
{
    remote_spares_drop(s);
    g_ptr_array_free(s->spare_requests, true);
    g_ptr_array_free(s->spare_packets, true);
}
