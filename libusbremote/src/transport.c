/*
 * libusbremote: sockets
 *
 * SPDX-License-Identifier: MIT
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "session.h"

#define READ_SIZE       65536
#define READS_AT_ONCE   16      /* so that a flood does not keep the caller */
#define STOP_MS         500     /* a signal may come just before poll() */

/* "unix:PATH" or "tcp:HOST:PORT", taken apart. */
typedef struct Address {
    bool is_unix;
    struct sockaddr_un path;
    char host[256];
    char port[6];
} Address;

static int parse_unix(Address *a, const char *path)
{
    size_t size = strlen(path);

    if (size == 0) {
        return -EINVAL;
    }
    if (size >= sizeof(a->path.sun_path)) {
        return -ENAMETOOLONG;
    }
    memset(&a->path, 0, sizeof(a->path));
    a->path.sun_family = AF_UNIX;
    memcpy(a->path.sun_path, path, size);
    a->is_unix = true;
    return 0;
}

/* HOST may be in brackets, as IPv6 addresses are. */
static int parse_tcp(Address *a, const char *text)
{
    const char *colon = strrchr(text, ':');
    size_t host = colon ? (size_t)(colon - text) : 0;
    size_t port = colon ? strlen(colon + 1) : 0;

    if (host > 1 && text[0] == '[' && text[host - 1] == ']') {
        text++;
        host -= 2;
    }
    if (host == 0 || host >= sizeof(a->host) || port == 0 ||
        port >= sizeof(a->port) ||
        strspn(colon + 1, "0123456789") != port || atoi(colon + 1) > 65535) {
        return -EINVAL;
    }
    memcpy(a->host, text, host);
    a->host[host] = 0;
    memcpy(a->port, colon + 1, port + 1);
    a->is_unix = false;
    return 0;
}

static int parse_address(Address *a, const char *text)
{
    if (strncmp(text, "unix:", 5) == 0) {
        return parse_unix(a, text + 5);
    }
    if (strncmp(text, "tcp:", 4) == 0) {
        return parse_tcp(a, text + 4);
    }
    return -EINVAL;
}

static size_t send_along(UsbRemotePeer *p, const void *bytes, size_t size)
{
    struct iovec parts[2];
    struct msghdr message;
    size_t unsent;
    ssize_t n;

    parts[0].iov_base = (void *)usbremote_output(p, &unsent);
    parts[0].iov_len = unsent;
    parts[1].iov_base = (void *)bytes;
    parts[1].iov_len = size;
    memset(&message, 0, sizeof(message));
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    n = sendmsg(p->fd, &message, MSG_NOSIGNAL);
    if (n <= 0) {
        return 0;               /* write_some() will see why */
    }
    if ((size_t)n < unsent) {
        unsent = (size_t)n;
    }
    usbremote_output_sent(p, unsent);
    return (size_t)n - unsent;
}

/* Never waits, and does not leak into programs that the peer starts. */
static int prepare(UsbRemotePeer *p, int fd, bool tcp)
{
    int one = 1;

    p->fd = fd;
    p->send_along = send_along;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        return -errno;
    }
    if (tcp) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }
    return 0;
}

typedef int SocketCall(int fd, const struct sockaddr *address,
                       socklen_t size);

static int try_socket(int family, const struct sockaddr *address,
                      socklen_t size, SocketCall *call)
{
    int fd = socket(family, SOCK_STREAM, 0), one = 1, error;

    if (fd < 0) {
        return -errno;
    }
    if (call == bind && family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    }
    if (call(fd, address, size) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

/* The first of a name's addresses with which @call succeeds. */
static int open_tcp(const Address *a, SocketCall *call)
{
    struct addrinfo hints, *found, *i;
    int fd = -ENOENT;

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = call == bind ? AI_PASSIVE : 0;
    if (getaddrinfo(a->host, a->port, &hints, &found)) {
        return -ENOENT;
    }
    for (i = found; i && fd < 0; i = i->ai_next) {
        fd = try_socket(i->ai_family, i->ai_addr, i->ai_addrlen, call);
    }
    freeaddrinfo(found);
    return fd;
}

static int open_socket(const Address *a, SocketCall *call)
{
    if (a->is_unix) {
        return try_socket(AF_UNIX, (const struct sockaddr *)&a->path,
                          sizeof(a->path), call);
    }
    return open_tcp(a, call);
}

int usbremote_connect(UsbRemotePeer *peer, const char *address)
{
    Address a;
    int error = parse_address(&a, address), fd;

    if (error) {
        return error;
    }
    if (peer->fd >= 0 || peer->state != STATE_START) {
        return -EISCONN;
    }
    fd = open_socket(&a, connect);
    if (fd < 0) {
        return fd;
    }
    return prepare(peer, fd, !a.is_unix);
}

/* Take away a socket file that nobody listens on. */
static void remove_dead_socket(const Address *a)
{
    struct stat st;
    int fd;

    if (stat(a->path.sun_path, &st) < 0 || !S_ISSOCK(st.st_mode)) {
        return;
    }
    fd = open_socket(a, connect);
    if (fd >= 0) {
        close(fd);
    } else if (fd == -ECONNREFUSED) {
        unlink(a->path.sun_path);
    }
}

int usbremote_listen(const char *address)
{
    Address a;
    int fd = parse_address(&a, address), error;

    if (fd) {
        return fd;
    }
    if (a.is_unix) {
        remove_dead_socket(&a);
    }
    fd = open_socket(&a, bind);
    if (fd < 0) {
        return fd;
    }
    if (listen(fd, 16) < 0) {
        error = -errno;
        close(fd);
        return error;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
}

int usbremote_accept(UsbRemotePeer *peer, int listening)
{
    struct sockaddr_storage from;
    socklen_t size = sizeof(from);
    int fd;

    if (peer->fd >= 0 || peer->state != STATE_START) {
        return -EISCONN;
    }
    fd = accept(listening, (struct sockaddr *)&from, &size);
    if (fd < 0) {
        return -errno;
    }
    return prepare(peer, fd, from.ss_family != AF_UNIX);
}

int usbremote_fd(const UsbRemotePeer *peer)
{
    return peer->fd;
}

static bool is_all_sent(const UsbRemotePeer *peer)
{
    return peer->out.end == peer->out.start;
}

short usbremote_events(const UsbRemotePeer *peer)
{
    short reading = usbremote_is_closed(peer) ? 0 : POLLIN;

    return (short)(is_all_sent(peer) ? reading : reading | POLLOUT);
}

static bool would_wait(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/*
 * Where several requests came at once, there may be more by now, and their
 * answers go along.  One that came alone does not wait for that.
 */
static void read_some(UsbRemotePeer *p)
{
    uint8_t bytes[READ_SIZE];
    unsigned before = p->submits;
    int i;

    for (i = 0; i < READS_AT_ONCE && !usbremote_is_closed(p); i++) {
        size_t size;
        uint8_t *rest = session_room(p, &size);
        bool is_long = size > sizeof(bytes);
        ssize_t n;

        size = is_long ? size : sizeof(bytes);
        n = recv(p->fd, is_long ? rest : bytes, size, 0);
        if (n > 0 && is_long) {
            session_received(p, (size_t)n);
        } else if (n > 0) {
            usbremote_feed(p, bytes, (size_t)n);
        } else if (n == 0 || !would_wait(errno)) {
            usbremote_feed_eof(p);
        }
        if (n <= 0 || (n < (ssize_t)size && p->submits - before < 2)) {
            break;
        }
    }
}

/* All answers that have gathered leave with one call if they can. */
static void write_some(UsbRemotePeer *p)
{
    const uint8_t *bytes;
    size_t size;
    ssize_t n;

    while ((bytes = usbremote_output(p, &size)) != NULL) {
        n = send(p->fd, bytes, size, MSG_NOSIGNAL);
        if (n < 0 && would_wait(errno)) {
            break;
        }
        if (n < 0) {
            read_some(p);       /* what QEMU said before it went */
            usbremote_output_sent(p, size);
            usbremote_feed_eof(p);
            break;
        }
        usbremote_output_sent(p, (size_t)n);
    }
}

int usbremote_process(UsbRemotePeer *peer)
{
    if (peer->fd < 0) {
        return -ENOTCONN;
    }
    if (!usbremote_is_closed(peer)) {
        read_some(peer);
    }
    write_some(peer);
    if (usbremote_is_closed(peer) && is_all_sent(peer)) {
        close(peer->fd);
        peer->fd = -1;
        return -ENOTCONN;
    }
    return 0;
}

/*
 * Not in recv(): on a Unix socket that wakes up also when QEMU has read, as
 * there is room to write then.
 */
int usbremote_run(UsbRemotePeer *peer, const volatile int *stop)
{
    while (usbremote_process(peer) == 0) {
        struct pollfd wait;

        if (stop && *stop) {
            usbremote_bye(peer, NULL);
        }
        wait.fd = peer->fd;
        wait.events = usbremote_events(peer);
        if (poll(&wait, 1, stop ? STOP_MS : -1) < 0 && errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

void usbremote_free(UsbRemotePeer *peer)
{
    if (!peer) {
        return;
    }
    if (peer->fd >= 0) {
        close(peer->fd);
    }
    requests_free(peer);
    memory_free(peer);
    free(peer->in.bytes);
    free(peer->out.bytes);
    free(peer->name);
    free(peer);
}
