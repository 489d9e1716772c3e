/*
 * The socket of a usb-redir peer, read and written in large pieces.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <usbredirparser.h>

#include "link.h"

#define READS_AT_ONCE   16      /* then the answers are due */

int link_open(Link *link, const char *path)
{
    struct sockaddr_un address;

    memset(&address, 0, sizeof(address));
    address.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    link->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (link->fd < 0) {
        return -1;
    }
    return connect(link->fd, (struct sockaddr *)&address, sizeof(address));
}

/* Bytes, 0 when there are none, -1 at the end. */
static int receive(Link *link, uint8_t *data, size_t size)
{
    ssize_t n;

    if (link->reads >= READS_AT_ONCE) {
        return 0;
    }
    link->reads++;
    n = recv(link->fd, data, size, MSG_DONTWAIT);
    if (n > 0) {
        return (int)n;
    }
    return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

int link_read(Link *link, uint8_t *data, int count)
{
    size_t want = (size_t)count, have;

    if (link->start == link->end) {
        int n;

        if (want >= sizeof(link->in)) {
            return receive(link, data, want);
        }
        n = receive(link, link->in, sizeof(link->in));
        if (n <= 0) {
            return n;
        }
        link->start = 0;
        link->end = (size_t)n;
    }
    have = link->end - link->start;
    have = have < want ? have : want;
    memcpy(data, link->in + link->start, have);
    link->start += have;
    return (int)have;
}

bool link_write(Link *link, uint8_t *data, int count)
{
    if (link->count == LINK_BUFFERS) {
        return false;
    }
    link->out[link->count].iov_base = data;
    link->out[link->count].iov_len = (size_t)count;
    link->count++;
    return true;
}

static int send_all(Link *link)
{
    struct iovec left[LINK_BUFFERS];
    struct msghdr message;

    memset(&message, 0, sizeof(message));
    memcpy(left, link->out, sizeof(left));
    message.msg_iov = left;
    message.msg_iovlen = (size_t)link->count;
    while (message.msg_iovlen) {
        ssize_t n = sendmsg(link->fd, &message, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR) {
            return -1;
        }
        for (; n > 0 && (size_t)n >= message.msg_iov->iov_len;
             message.msg_iov++, message.msg_iovlen--) {
            n -= (ssize_t)message.msg_iov->iov_len;
        }
        if (n > 0) {
            message.msg_iov->iov_base = (uint8_t *)message.msg_iov->iov_base
                                        + n;
            message.msg_iov->iov_len -= (size_t)n;
        }
    }
    return 0;
}

int link_flush(Link *link, struct usbredirparser *parser)
{
    int error = send_all(link), i;

    for (i = 0; i < link->count; i++) {
        usbredirparser_free_write_buffer(parser, link->out[i].iov_base);
    }
    link->count = 0;
    link->reads = 0;
    return error;
}
