/*
 * A device that calls anything from any callback, and a QEMU that says
 * anything: what the header promises holds
 *
 * SPDX-License-Identifier: MIT
 */

#include <errno.h>
#include <stdlib.h>

#include "check.h"
#include "qemu-end.h"
#include "usbremote.h"

#define LIVES       2000
#define STEPS       60
#define MOST        256         /* requests in flight */
#define DEPTH       3           /* calls within callbacks within calls */

typedef struct Chaos {
    QemuEnd *qemu;
    UsbRemotePeer *peer;
    uint32_t random;
    int depth;
    bool closed;
    bool plugged;               /* as QEMU has it */
    bool attach_due;            /* its answer to ATTACH */
    bool detach_due;            /* and to DETACH */
    uint64_t submitted;         /* the newest id */
    bool gone[STEPS + 1];       /* by id: what submit said is over */
    UsbRemoteRequest *waiting[MOST];
    size_t count;
} Chaos;

static uint32_t any(Chaos *c, uint32_t below)
{
    c->random = c->random * 1664525u + 1013904223u;
    return (c->random >> 8) % below;
}

static void keep(Chaos *c, UsbRemoteRequest *request)
{
    CHECK(!c->gone[usbremote_id(request)]);
    c->waiting[c->count++] = request;
}

/* Each request ends once. */
static void end(Chaos *c, UsbRemoteRequest *request)
{
    size_t i = 0;

    while (i < c->count && c->waiting[i] != request) {
        i++;
    }
    CHECK(i < c->count);
    c->waiting[i] = c->waiting[--c->count];
    CHECK(!c->gone[usbremote_id(request)]);
    c->gone[usbremote_id(request)] = true;
}

/* What the device does */

static void answer(Chaos *c, UsbRemoteRequest *request)
{
    static const uint8_t data[600];
    uint32_t length = any(c, 600);
    uint64_t id = usbremote_id(request);
    int error = usbremote_complete(request, (int)any(c, 9) - 1,
                                   any(c, 2) ? data : NULL, length);

    CHECK(error == 0 || error == -EINVAL || error == -EMSGSIZE);
    if (!error) {
        size_t i = 0;

        while (c->waiting[i] != request) {
            i++;
        }
        c->waiting[i] = c->waiting[--c->count];
        c->gone[id] = true;
    }
}

static void attach(Chaos *c)
{
    UsbRemotePlug plug = { 0, 0, 0, NULL, 0 };
    int error;

    plug.speeds = any(c, 18);
    plug.address_policy = (int)any(c, 5);
    plug.gap_ms = any(c, 60002);
    error = usbremote_attach(c->peer, &plug);
    CHECK(error == 0 || error == -EINVAL || error == -ENOTCONN);
}

static void act(Chaos *c)
{
    uint32_t what = any(c, 16);
    int error = 0;

    if (c->depth == DEPTH) {
        return;
    }
    c->depth++;
    if (what < 7 && c->count) {
        answer(c, c->waiting[any(c, (uint32_t)c->count)]);
    } else if (what < 10) {
        attach(c);
    } else if (what == 10) {
        error = usbremote_detach(c->peer);
    } else if (what == 11) {
        error = usbremote_wakeup(c->peer);
    } else if (what == 12) {
        error = usbremote_ready(c->peer, (uint8_t)any(c, 256));
    } else if (what == 13 && c->count) {
        error = usbremote_consumed(c->waiting[0], any(c, 600));
    } else if (what == 14 && any(c, 40) == 0) {
        usbremote_bye(c->peer, NULL);
        CHECK(usbremote_is_closed(c->peer));
    } else if (what == 15 && any(c, 40) == 0) {
        usbremote_feed_eof(c->peer);
        CHECK(usbremote_is_closed(c->peer));
    }
    CHECK(error == 0 || error == -ENOTCONN || error == -EINVAL);
    c->depth--;
}

/* What the peer tells it */

static Chaos *told(void *opaque)
{
    Chaos *c = (Chaos *)opaque;

    CHECK(!c->closed);
    return c;
}

static const char *greeted(void *opaque, const UsbRemoteGreeting *greeting)
{
    (void)greeting;
    act(told(opaque));
    return any((Chaos *)opaque, 20) ? NULL : "no";
}

static void opened(void *opaque)
{
    act(told(opaque));
}

static void with_number(void *opaque, int number)
{
    CHECK(number >= 0);
    act(told(opaque));
}

static void not_attached(void *opaque, int result, const char *text)
{
    CHECK(result && text);
    act(told(opaque));
}

static void detached(void *opaque, uint32_t attachment)
{
    CHECK(attachment);
    act(told(opaque));
}

static void vmstate(void *opaque, bool running)
{
    (void)running;
    act(told(opaque));
}

static void submit(void *opaque, UsbRemoteRequest *request)
{
    keep(told(opaque), request);
    act((Chaos *)opaque);
}

static void cancelled(void *opaque, UsbRemoteRequest *request)
{
    Chaos *c = told(opaque);

    if (any(c, 3) == 0) {
        answer(c, request);
    }
    if (!c->gone[usbremote_id(request)]) {
        end(c, request);
        act(c);
    }
}

static void dropped(void *opaque, UsbRemoteRequest *request)
{
    Chaos *c = (Chaos *)opaque;

    CHECK(!c->closed);
    end(c, request);
    act(c);
}

static void closed(void *opaque, UsbRemoteEnd why, const char *text)
{
    Chaos *c = told(opaque);

    CHECK(why <= USBREMOTE_END_LOST && text && *text);
    CHECK(usbremote_is_closed(c->peer) && c->count == 0);
    c->closed = true;
    act(c);
}

/* What QEMU says */

static void say_submit(Chaos *c)
{
    static const uint8_t data[600];
    QemuSubmit s = { 0, USB_REMOTE_TYPE_BULK, 0, 0, NULL, NULL };

    s.endpoint = any(c, 2) ? 0x81 : 0x02;
    s.length = any(c, 600);
    s.data = s.endpoint & 0x80 ? NULL : data;
    c->submitted = qemu_end_submit(c->qemu, &s);
}

/* A message of any type that QEMU has, or a peer, or nobody. */
static void say_anything(Chaos *c)
{
    UsbRemoteHead head = { 0, 0, 8, 0, 0, 0 };
    static const uint8_t body[8];

    head.type = (uint16_t)any(c, USB_REMOTE_MSG_CANCEL + 2);
    head.flags = (uint16_t)any(c, 2);
    head.attachment = qemu_end_attachment(c->qemu) + any(c, 3) - 1;
    head.epoch = qemu_end_epoch(c->qemu);
    qemu_end_send(c->qemu, &head, body, sizeof(body));
}

static void say_attached(Chaos *c)
{
    int result = (int)(any(c, 8) == 0);

    qemu_end_attached(c->qemu, result, (int)any(c, 4), "why not");
    c->plugged = !result;
    c->attach_due = false;
}

static void say(Chaos *c)
{
    uint32_t what = any(c, 24);

    if (c->attach_due) {
        say_attached(c);
    } else if (c->detach_due) {
        qemu_end_detached(c->qemu);
        c->detach_due = false;
    } else if (what < 12 && c->plugged) {
        say_submit(c);
    } else if (what < 14 && c->submitted) {
        qemu_end_cancel(c->qemu, 1 + any(c, (uint32_t)c->submitted));
    } else if (what < 16 && c->plugged) {
        qemu_end_reset(c->qemu, (int)any(c, 4));
    } else if (what == 16 && c->plugged) {
        say_attached(c);        /* anew */
    } else if (what == 17) {
        qemu_end_vmstate(c->qemu, any(c, 2));
    } else if (what == 18) {
        qemu_end_address(c->qemu, (int)any(c, 128));
    } else if (what == 19 && any(c, 8) == 0) {
        say_anything(c);
    }
}

static void hear(Chaos *c)
{
    QemuHeard m;

    while (qemu_end_next(c->qemu, &m)) {
        bool attach = m.head.type == USB_REMOTE_MSG_ATTACH;

        if (attach || m.head.type == USB_REMOTE_MSG_DETACH) {
            c->attach_due = attach;
            c->detach_due = !attach;
            c->plugged = false;
        }
    }
}

/* Part of what each has said; the peer never breaks the protocol. */
static void talk(Chaos *c)
{
    const uint8_t *at;
    size_t size, part;

    at = qemu_end_output(c->qemu, &size);
    if (size) {
        part = any(c, (uint32_t)size + 1);
        usbremote_feed(c->peer, at, part);
        usbremote_feed(c->peer, at + part, size - part);
    }
    at = usbremote_output(c->peer, &size);
    if (at) {
        CHECK(qemu_end_feed(c->qemu, at, size) == USB_REMOTE_ERROR_NONE);
        usbremote_output_sent(c->peer, size);
        hear(c);
    }
}

static UsbRemoteCallbacks callbacks(void)
{
    UsbRemoteCallbacks call;

    memset(&call, 0, sizeof(call));
    call.size = sizeof(call);
    call.greeted = greeted;
    call.opened = opened;
    call.attached = with_number;
    call.not_attached = not_attached;
    call.detached = detached;
    call.reset = with_number;
    call.address = with_number;
    call.vmstate = vmstate;
    call.submit = submit;
    call.cancelled = cancelled;
    call.dropped = dropped;
    call.closed = closed;
    return call;
}

/* Returns how much of it there was. */
static int live(uint32_t seed)
{
    UsbRemoteCallbacks call = callbacks();
    static Chaos c;
    int step;

    memset(&c, 0, sizeof(c));
    c.random = seed;
    c.qemu = qemu_end_new("usb0", "", NULL);
    c.peer = usbremote_new(&call, &c, "chaos", NULL);
    CHECK(c.peer);
    for (step = 0; step < STEPS && !c.closed; step++) {
        say(&c);
        act(&c);
        talk(&c);
    }
    usbremote_free(c.peer);
    qemu_end_free(c.qemu);
    return step;
}

static void anything_from_any_callback(size_t unused)
{
    uint32_t seed, steps = 0;

    (void)unused;
    for (seed = 1; seed <= LIVES; seed++) {
        steps += (uint32_t)live(seed);
    }
    CHECK(steps > LIVES * STEPS / 4);   /* most do not end at once */
}

int main(void)
{
    check_case("anything_from_any_callback", anything_from_any_callback, 0);
    return check_done();
}
