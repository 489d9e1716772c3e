/*
 * libusbremote: memory for what QEMU sends, kept for the next message
 *
 * SPDX-License-Identifier: MIT
 *
 * Blocks have room for a power of two of data, and the message around it.
 * One that is given back stays in the list of its size.  A message takes the
 * smallest that is large enough, so that nothing is allocated once there were
 * enough of them; what is kept is bounded by twice what can be in flight.
 */

#include <stdlib.h>

#include "session.h"

#define SMALLEST    6           /* 64 bytes of data */
#define AROUND      (sizeof(UsbRemoteHeader) + sizeof(UsbRemoteSubmit))

/* The last list has room for the longest message there is. */
typedef char last_list_is_for_the_largest[
    1 << (SMALLEST + MEMORY_LISTS - 1) == USB_REMOTE_MAX_PAYLOAD ? 1 : -1];

/* What a block that nobody uses has at its start. */
struct Block {
    Block *next;
};

static size_t block_size(unsigned list)
{
    return ((size_t)1 << (SMALLEST + list)) + AROUND;
}

/* The first list with blocks of @need bytes; MEMORY_LISTS for too many. */
static unsigned list_for(size_t need)
{
    unsigned list = 0;

    while (list < MEMORY_LISTS && block_size(list) < need) {
        list++;
    }
    return list;
}

static Block *pop(UsbRemotePeer *p, unsigned list)
{
    Block *block = p->spare[list];

    p->spare[list] = block->next;
    return block;
}

static size_t bound(const UsbRemotePeer *p)
{
    return 2 * ((size_t)p->limits.max_bytes + p->places * block_size(0));
}

/* Free small ones that nobody uses, so that @more bytes are within bounds. */
static void make_room(UsbRemotePeer *p, size_t more)
{
    unsigned list;

    for (list = 0; list < MEMORY_LISTS; list++) {
        while (p->spare[list] && p->held + more > bound(p)) {
            free(pop(p, list));
            p->held -= block_size(list);
        }
    }
}

/* A block of at least @need bytes, which a message can have; or NULL. */
uint8_t *memory_take(UsbRemotePeer *p, size_t need, size_t *size)
{
    unsigned first = list_for(need), list = first;
    uint8_t *block;

    while (list < MEMORY_LISTS && !p->spare[list]) {
        list++;
    }
    if (list < MEMORY_LISTS) {
        *size = block_size(list);
        return (uint8_t *)pop(p, list);
    }
    *size = block_size(first);
    make_room(p, *size);
    block = (uint8_t *)malloc(*size);
    if (block) {
        p->held += *size;
    }
    return block;
}

/* Keep one for later, or not; NULL is none. */
void memory_give(UsbRemotePeer *p, uint8_t *bytes, size_t size)
{
    Block *block = (Block *)(void *)bytes;
    unsigned list = list_for(size);

    if (!block) {
        return;
    }
    if (p->held > bound(p)) {
        p->held -= size;
        free(block);
        return;
    }
    block->next = p->spare[list];
    p->spare[list] = block;
}

void memory_free(UsbRemotePeer *p)
{
    unsigned list;

    for (list = 0; list < MEMORY_LISTS; list++) {
        while (p->spare[list]) {
            free(pop(p, list));
        }
    }
}
