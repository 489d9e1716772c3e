/*
 * Nothing is allocated for a transfer once as much has been in flight as
 * ever will be
 *
 * SPDX-License-Identifier: MIT
 */

#include <stdlib.h>

#include "rig.h"
#include "usbremote-device.h"

#define ROUNDS      2000
#define WARM        200         /* rounds that may allocate */
#define WAITING     200         /* IN requests that nobody answers soon */
#define LARGEST     USB_REMOTE_MAX_PAYLOAD
#define MOST        (6 * LARGEST)   /* bytes of OUT in flight */
#define PACKET      512

static const UsbRemoteCapacity small = { 16384, 0, 256, 64, 65536 };
#define MOST_SMALL  256         /* its max_requests */

static uint8_t data[LARGEST];

/* Run @round WARM times, then many times more without an allocation. */
static void no_more(void *opaque, void (*round)(void *opaque, size_t number))
{
    size_t number, before;

    for (number = 0; number < WARM; number++) {
        round(opaque, number);
    }
    before = check_allocations();
    for (; number < WARM + ROUNDS; number++) {
        round(opaque, number);
        CHECK(check_allocations() == before);
    }
}

static void forget_what_was_said(Rig *rig)
{
    QemuHeard m;

    CHECK(rig->code == USB_REMOTE_ERROR_NONE);
    rig->told[0] = 0;
    while (qemu_end_next(rig->qemu, &m)) {
        continue;
    }
}

/* The session */

/* A few of every size and kind; some are answered, the rest is void. */
static void every_kind(void *opaque, size_t number)
{
    static const uint32_t sizes[] = { 0, 1, 512, 4096, 4097, 65536, LARGEST };
    static const uint8_t setup[8] = { 0x21, 9, 0, 0, 0, 0, 64, 0 };
    Rig *rig = (Rig *)opaque;
    size_t i;

    rig_control(rig, setup, data);
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        rig_out(rig, 0x02, data, sizes[i]);
        qemu_end_cancel(rig->qemu, rig_in(rig, 0x81, sizes[i]));
        rig_in(rig, 0x81, sizes[i]);
    }
    rig_talk(rig);
    while (rig->count > number % 4) {
        UsbRemoteRequest *r = rig->waiting[number % rig->count];
        uint32_t length = usbremote_length(r);

        rig_answer(rig, usbremote_id(r), USB_REMOTE_STATUS_OK,
                   usbremote_is_in(r) ? data : NULL, length);
    }
    rig_talk(rig);
    qemu_end_reset(rig->qemu, USB_REMOTE_SPEED_HIGH);
    rig_talk(rig);
    forget_what_was_said(rig);
}

static void transfers_of_every_kind(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    no_more(rig, every_kind);
    rig_free(rig);
}

static uint32_t any(uint32_t below)
{
    static uint32_t random = 1;

    random = random * 1664525u + 1013904223u;
    return (random >> 8) % below;
}

/* Requests without data must not keep the memory of those with data. */
static void many_wait(void *opaque, size_t number)
{
    Rig *rig = (Rig *)opaque;
    size_t outs = 0, i;

    (void)number;
    for (i = 0; i < rig->count; i++) {
        outs += !usbremote_is_in(rig->waiting[i]);
    }
    for (i = rig->count - outs; i < WAITING; i++) {
        rig_in(rig, 0x81 + (int)any(15), 8);
    }
    for (; outs < MOST / LARGEST; outs++) {
        rig_out(rig, 1 + (int)any(15), data, LARGEST);
    }
    rig_talk(rig);
    for (i = 0; i < 20; i++) {
        UsbRemoteRequest *r = rig->waiting[any((uint32_t)rig->count)];

        rig_answer(rig, usbremote_id(r), USB_REMOTE_STATUS_OK, NULL,
                   usbremote_is_in(r) ? 0 : usbremote_length(r));
    }
    rig_talk(rig);
    forget_what_was_said(rig);
}

static void long_transfers_among_many_that_wait(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    no_more(rig, many_wait);
    rig_free(rig);
}

/* Fill what may be in flight with requests of @length bytes, and answer. */
static void fill_with(Rig *rig, uint32_t length)
{
    uint32_t left = small.max_bytes;
    size_t i;

    for (i = 0; i < MOST_SMALL && left >= length; i++, left -= length) {
        rig_out(rig, 1 + (int)(i % 15), data, length);
    }
    rig_talk(rig);
    while (rig->count) {
        rig_answer(rig, usbremote_id(rig->waiting[0]),
                   USB_REMOTE_STATUS_OK, NULL, length);
    }
    rig_talk(rig);
    forget_what_was_said(rig);
}

/* Half a size each time: none of the memory before fits better. */
static void what_is_kept_has_a_bound(size_t step)
{
    Rig *rig = rig_plugged(step, &small);
    uint32_t length;
    size_t before;

    fill_with(rig, 1);          /* buffers for what is to be sent */
    fill_with(rig, small.max_payload);
    before = check_bytes();
    for (length = 64; length <= small.max_payload; length *= 2) {
        fill_with(rig, length);
    }
    check(check_bytes() <= before + 3 * small.max_bytes, __FILE__, __LINE__,
          "%zu bytes more are kept", check_bytes() - before);
    rig_free(rig);
}

/* The device layer */

static const UsbRemoteEndpointInfo endpoints[2] = {
    { 0x81, USB_REMOTE_TYPE_BULK, { 0, 0, PACKET, 0 }, { 0, 0, 0, 0 } },
    { 0x01, USB_REMOTE_TYPE_BULK, { 0, 0, PACKET, 0 }, { 0, 0, 0, 0 } },
};
static const UsbRemoteInterfaceInfo interface = {
    0, 0, 0xff, 0, 0, 0, endpoints, 2, NULL, 0
};
static const UsbRemoteConfigurationInfo configuration = {
    1, 0, 0x80, 0, &interface, 1
};
static const UsbRemoteDeviceInfo info = {
    1u << USB_REMOTE_SPEED_HIGH, 1, 2, 3, 0xff, 0, 0, 0, 0, 0, NULL, 0,
    &configuration, 1
};

typedef struct Pipes {
    Rig rig;
    UsbRemoteDevice *device;
} Pipes;

static void done(void *opaque, int result)
{
    *(int *)opaque = result;
}

/* Descriptors, and pipes whose writes and reads are not cut as requests. */
static void pipes_round(void *opaque, size_t number)
{
    static const uint8_t get[8] = { 0x80, 6, 0, 2, 0, 0, 255, 0 };
    static uint8_t into[LARGEST];
    Pipes *p = (Pipes *)opaque;
    UsbRemotePipe *in = usbremote_device_pipe(p->device, 0x81);
    UsbRemotePipe *out = usbremote_device_pipe(p->device, 0x01);
    uint32_t size = number % 2 ? LARGEST : 2 * PACKET, at;
    int sent = 0, got = 0;

    rig_control(&p->rig, get, NULL);
    rig_in(&p->rig, 0x81, size);
    rig_talk(&p->rig);
    for (at = 0; at < size; at += PACKET) {     /* held until it is full */
        CHECK(!usbremote_pipe_write(in, data, PACKET, false, done, &sent));
        CHECK(sent == PACKET);
    }
    rig_out(&p->rig, 0x01, data, size - 1);
    rig_talk(&p->rig);
    CHECK(!usbremote_pipe_read(out, into, sizeof(into), done, &got));
    CHECK(got == (int)size - 1);
    rig_talk(&p->rig);
    CHECK(qemu_end_in_flight(p->rig.qemu) == 0);
    forget_what_was_said(&p->rig);
}

static void pipes(size_t step)
{
    static const uint8_t configure[8] = { 0x00, 9, 1, 0, 0, 0, 0, 0 };
    UsbRemoteDeviceOps ops;
    static Pipes p;

    memset(&ops, 0, sizeof(ops));
    ops.size = sizeof(ops);
    p.rig.step = step;
    p.device = usbremote_device_new(&info, &ops, NULL, "pipes");
    CHECK(p.device);
    p.rig.peer = usbremote_device_peer(p.device);
    p.rig.qemu = qemu_end_new("usb0", "", NULL);
    rig_talk(&p.rig);
    qemu_end_attached(p.rig.qemu, 0, USB_REMOTE_SPEED_HIGH, "");
    qemu_end_reset(p.rig.qemu, USB_REMOTE_SPEED_HIGH);
    rig_control(&p.rig, configure, NULL);
    rig_talk(&p.rig);
    no_more(&p, pipes_round);
    usbremote_device_free(p.device);
    qemu_end_free(p.rig.qemu);
}

int main(void)
{
    check_case("transfers_of_every_kind", transfers_of_every_kind, 0);
    check_case("long_transfers_among_many_that_wait",
               long_transfers_among_many_that_wait, 0);
    check_case("what_is_kept_has_a_bound", what_is_kept_has_a_bound, 0);
    check_case("pipes", pipes, 0);
    return check_done();
}
