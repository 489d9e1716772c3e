/*
 * The socket of a usb-redir peer, read and written in large pieces.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The parser of usbredir reads a header at a time and writes a message at a
 * time.  libusbremote does neither, so that a comparison would be one of
 * system calls if this were not between the parser and its socket.
 */

#ifndef LINK_H
#define LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define LINK_READ       65536
#define LINK_BUFFERS    64

struct usbredirparser;

typedef struct Link {
    int fd;
    uint8_t in[LINK_READ];
    size_t start, end;          /* of what was not taken yet */
    unsigned reads;             /* since the last flush */
    struct iovec out[LINK_BUFFERS];
    int count;                  /* of them that are to be written */
} Link;

/** Connect to a unix socket.  Returns 0, or -1 with errno. */
int link_open(Link *link, const char *path);

/** As usbredirparser_read wants it. */
int link_read(Link *link, uint8_t *data, int count);

/** Take a buffer that is to be written.  Returns false if there are many. */
bool link_write(Link *link, uint8_t *data, int count);

/** Write all, waiting if need be; @parser frees.  Returns 0 or -1. */
int link_flush(Link *link, struct usbredirparser *parser);

#endif
