/*
 * The library's transport, with a QEMU that does not read
 *
 * SPDX-License-Identifier: MIT
 *
 * The linker puts __wrap_poll() in place of the library's poll().
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rig.h"

#define SECONDS     20          /* for all of it, else it hangs */

int __wrap_poll(struct pollfd *fds, nfds_t count, int milliseconds);
int __real_poll(struct pollfd *fds, nfds_t count, int milliseconds);

static struct {
    int listening;
    int fd;                     /* QEMU's end */
    volatile int stop;
    int waits;                  /* calls of poll() */
    short events;               /* of the last one */
    char address[96];
} q;

static void drain(void)
{
    static char bytes[65536];

    while (recv(q.fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
        continue;
    }
}

/* QEMU reads while the peer waits for it. */
int __wrap_poll(struct pollfd *fds, nfds_t count, int milliseconds)
{
    q.waits++;
    q.events = fds->events;
    drain();
    return __real_poll(fds, count, milliseconds);
}

/* A peer that is connected and opened, and QEMU's end of its socket. */
static Rig *rig_connected(void)
{
    Rig *rig = rig_new(0, NULL);
    const char *folder = getenv("TMPDIR");
    const uint8_t *bytes;
    size_t size;

    snprintf(q.address, sizeof(q.address), "unix:%s/usb-remote-%ld",
             folder ? folder : "/tmp", (long)getpid());
    q.listening = usbremote_listen(q.address);
    CHECK(q.listening >= 0);
    CHECK(usbremote_fd(rig->peer) == -1);
    CHECK(usbremote_process(rig->peer) == -ENOTCONN);
    CHECK(usbremote_connect(rig->peer, q.address) == 0);
    CHECK(usbremote_connect(rig->peer, q.address) == -EISCONN);
    q.fd = accept(q.listening, NULL, NULL);
    bytes = qemu_end_output(rig->qemu, &size);
    CHECK(send(q.fd, bytes, size, 0) == (ssize_t)size);
    CHECK(usbremote_process(rig->peer) == 0);
    TOLD(rig, "greeted QEMU usb0 x; opened");
    q.stop = q.waits = 0;
    return rig;
}

static void rig_disconnect(Rig *rig)
{
    close(q.fd);
    close(q.listening);
    unlink(q.address + strlen("unix:"));
    rig_free(rig);
}

/* More than a socket takes, and than the peer may have unsent. */
static void fill(Rig *rig)
{
    CHECK(rig_attach(rig) == 0);
    while (usbremote_process(rig->peer) == 0 &&
           usbremote_events(rig->peer) == POLLIN) {
        CHECK(usbremote_detach(rig->peer) == 0 && rig_attach(rig) == 0);
    }
}

static void what_to_poll_for(size_t step)
{
    Rig *rig = rig_connected();

    (void)step;
    CHECK(usbremote_events(rig->peer) == POLLIN);
    CHECK(rig_attach(rig) == 0);
    CHECK(usbremote_events(rig->peer) == (POLLIN | POLLOUT));
    usbremote_bye(rig->peer, NULL);
    CHECK(usbremote_events(rig->peer) == POLLOUT);
    CHECK(usbremote_process(rig->peer) == -ENOTCONN);
    CHECK(usbremote_events(rig->peer) == 0);
    CHECK(usbremote_fd(rig->peer) == -1);
    CHECK(usbremote_connect(rig->peer, q.address) == -EISCONN);
    rig_disconnect(rig);
}

/* What QEMU has sent meanwhile is not read, and must not wake it. */
static void the_end_waits_for_qemu_to_read(size_t step)
{
    Rig *rig = rig_connected();

    (void)step;
    fill(rig);
    CHECK(send(q.fd, "x", 1, 0) == 1);
    q.stop = 1;
    CHECK(usbremote_run(rig->peer, &q.stop) == 0);
    CHECK(q.waits >= 1 && q.waits <= 8 && q.events == POLLOUT);
    TOLD(rig, "closed 0");
    rig_disconnect(rig);
}

int main(void)
{
    alarm(SECONDS);
    check_case("what_to_poll_for", what_to_poll_for, 0);
    check_case("the_end_waits_for_qemu_to_read",
               the_end_waits_for_qemu_to_read, 0);
    return check_done();
}
