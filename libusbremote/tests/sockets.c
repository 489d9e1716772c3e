/*
 * The library's transport, with a QEMU that reads when it is told to
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
#define MIB         (1 << 20)
#define ANSWERS     6           /* of a MiB, more than a socket takes */

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

/* QEMU says what it has to say. */
static void tell(Rig *rig)
{
    size_t size;
    const uint8_t *bytes = qemu_end_output(rig->qemu, &size);

    CHECK(send(q.fd, bytes, size, 0) == (ssize_t)size);
    CHECK(usbremote_process(rig->peer) == 0);
}

/* A peer that is connected and opened, and QEMU's end of its socket. */
static Rig *rig_connected(void)
{
    Rig *rig = rig_new(0, NULL);
    const char *folder = getenv("TMPDIR");

    snprintf(q.address, sizeof(q.address), "unix:%s/usb-remote-%ld",
             folder ? folder : "/tmp", (long)getpid());
    q.listening = usbremote_listen(q.address);
    CHECK(q.listening >= 0);
    CHECK(usbremote_fd(rig->peer) == -1);
    CHECK(usbremote_process(rig->peer) == -ENOTCONN);
    CHECK(usbremote_connect(rig->peer, q.address) == 0);
    CHECK(usbremote_connect(rig->peer, q.address) == -EISCONN);
    q.fd = accept(q.listening, NULL, NULL);
    tell(rig);
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

/* QEMU says what it has to say, and reads what there is. */
static void carry(Rig *rig)
{
    static char bytes[65536];
    ssize_t n;

    tell(rig);
    while ((n = recv(q.fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
        CHECK(qemu_end_feed(rig->qemu, bytes, (size_t)n) == 0);
        CHECK(usbremote_process(rig->peer) == 0);
    }
}

static Rig *rig_connected_plugged(void)
{
    Rig *rig = rig_connected();

    CHECK(rig_attach(rig) == 0);
    carry(rig);
    HEARD(rig, "HELLO; ATTACH 1");
    rig_take_in(rig);
    carry(rig);
    TOLD(rig, "attached 2; reset 2");
    return rig;
}

/* All bytes of @data differ from those of its neighbours. */
static void pattern(uint8_t *data, uint32_t length, unsigned seed)
{
    uint32_t i;

    for (i = 0; i < length; i++) {
        data[i] = (uint8_t)(seed * 31 + i * 7 + (i >> 8) * 13 + (i >> 16));
    }
}

static void check_answer(Rig *rig, uint64_t id, uint32_t length, unsigned seed)
{
    uint8_t *wanted = (uint8_t *)malloc(length);
    QemuHeard m;

    CHECK(wanted && qemu_end_next(rig->qemu, &m) && m.head.id == id);
    CHECK(m.head.length == sizeof(UsbRemoteComplete) + length);
    pattern(wanted, length, seed);
    CHECK(memcmp(m.body + sizeof(UsbRemoteComplete), wanted, length) == 0);
    free(wanted);
}

/* While there is room, and without a copy of what the answer points to. */
static void a_long_answer_leaves_at_once(size_t step)
{
    static uint8_t data[16384];
    Rig *rig = rig_connected_plugged();
    uint64_t small = rig_in(rig, 0x82, 512), id = rig_in(rig, 0x81, 16384);

    (void)step;
    carry(rig);
    pattern(data, sizeof(data), 1);
    rig_answer(rig, small, USB_REMOTE_STATUS_OK, data, 512);
    CHECK(usbremote_events(rig->peer) == (POLLIN | POLLOUT));
    rig_answer(rig, id, USB_REMOTE_STATUS_OK, data, sizeof(data));
    CHECK(usbremote_events(rig->peer) == POLLIN);
    memset(data, 0, sizeof(data));
    carry(rig);
    check_answer(rig, small, 512, 1);
    check_answer(rig, id, sizeof(data), 1);
    rig_disconnect(rig);
}

/* QEMU reads none of it before all of it is answered. */
static void long_answers_arrive_whole(size_t step)
{
    static uint8_t data[MIB];
    Rig *rig = rig_connected_plugged();
    uint64_t ids[ANSWERS];
    unsigned i;

    (void)step;
    for (i = 0; i < ANSWERS; i++) {
        ids[i] = rig_in(rig, 0x81, MIB);
    }
    carry(rig);
    for (i = 0; i < ANSWERS; i++) {
        pattern(data, MIB - i, i);
        rig_answer(rig, ids[i], USB_REMOTE_STATUS_OK, data, MIB - i);
        CHECK(usbremote_events(rig->peer) == (POLLIN | POLLOUT));
    }
    carry(rig);
    for (i = 0; i < ANSWERS; i++) {
        check_answer(rig, ids[i], MIB - i, i);
    }
    CHECK(usbremote_events(rig->peer) == POLLIN);
    rig_disconnect(rig);
}

/* Whom nobody told of the end hears of it there, too. */
static void an_answer_to_nobody_ends_it(size_t step)
{
    static uint8_t data[16384];
    Rig *rig = rig_connected_plugged();
    uint64_t id = rig_in(rig, 0x81, sizeof(data));

    (void)step;
    carry(rig);
    TOLD(rig, "submit 1");
    shutdown(q.fd, SHUT_RDWR);
    rig_answer(rig, id, USB_REMOTE_STATUS_OK, data, sizeof(data));
    CHECK(usbremote_process(rig->peer) == -ENOTCONN);
    TOLD(rig, "closed 5");
    rig_disconnect(rig);
}

int main(void)
{
    alarm(SECONDS);
    check_case("what_to_poll_for", what_to_poll_for, 0);
    check_case("the_end_waits_for_qemu_to_read",
               the_end_waits_for_qemu_to_read, 0);
    check_case("a_long_answer_leaves_at_once", a_long_answer_leaves_at_once,
               0);
    check_case("long_answers_arrive_whole", long_answers_arrive_whole, 0);
    check_case("an_answer_to_nobody_ends_it", an_answer_to_nobody_ends_it, 0);
    return check_done();
}
