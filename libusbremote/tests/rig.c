/*
 * A peer of the library and QEMU's end, in memory
 *
 * SPDX-License-Identifier: MIT
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

/* What is told and heard, as text */

static void note(char *text, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;

    if (used) {
        used += (size_t)snprintf(text + used, RIG_TEXT - used, "; ");
    }
    va_start(arguments, format);
    used += (size_t)vsnprintf(text + used, RIG_TEXT - used, format, arguments);
    va_end(arguments);
    CHECK(used < RIG_TEXT);
}

void rig_told(Rig *rig, const char *text, const char *file, int line)
{
    check(strcmp(rig->told, text) == 0, file, line,
          "told \"%s\" instead of \"%s\"", rig->told, text);
    rig->told[0] = 0;
}

static void note_message(char *text, const QemuHeard *m)
{
    const UsbRemoteComplete *answer = (const UsbRemoteComplete *)m->body;
    const char *name = usb_remote_message_name(m->head.type);

    switch (m->head.type) {
    case USB_REMOTE_MSG_ATTACH:
    case USB_REMOTE_MSG_DETACH:
        note(text, "%s %u", name, m->head.attachment);
        break;
    case USB_REMOTE_MSG_READY:
        note(text, "%s %02x", name, m->body[0]);
        break;
    case USB_REMOTE_MSG_COMPLETE:
        note(text, "%s %u %u %u", name, (unsigned)m->head.id,
             answer->status[0], usb_remote_get32(answer->length));
        break;
    case USB_REMOTE_MSG_ERROR:
        note(text, "%s %u", name, usb_remote_get32(m->body));
        break;
    default:
        note(text, "%s", name);
    }
}

void rig_heard(Rig *rig, const char *text, const char *file, int line)
{
    char heard[RIG_TEXT] = "";
    QemuHeard m;

    while (qemu_end_next(rig->qemu, &m)) {
        note_message(heard, &m);
    }
    check(strcmp(heard, text) == 0, file, line,
          "QEMU heard \"%s\" instead of \"%s\"", heard, text);
}

/* Requests that wait */

void rig_forget(Rig *rig, UsbRemoteRequest *request)
{
    size_t i = 0;

    while (i < rig->count && rig->waiting[i] != request) {
        i++;
    }
    CHECK(i < rig->count);
    rig->count--;
    memmove(&rig->waiting[i], &rig->waiting[i + 1],
            (rig->count - i) * sizeof(rig->waiting[0]));
}

UsbRemoteRequest *rig_request(Rig *rig, uint64_t id)
{
    size_t i = 0;

    while (i < rig->count && usbremote_id(rig->waiting[i]) != id) {
        i++;
    }
    CHECK(i < rig->count);
    return rig->waiting[i];
}

void rig_answer(Rig *rig, uint64_t id, int status, const void *data,
                uint32_t length)
{
    UsbRemoteRequest *request = rig_request(rig, id);

    CHECK(usbremote_complete(request, status, data, length) == 0);
    rig_forget(rig, request);
}

/* The device */

static const char *greeted(void *opaque, const UsbRemoteGreeting *greeting)
{
    Rig *rig = (Rig *)opaque;

    note(rig->told, "greeted %s %s %s", greeting->name, greeting->device_id,
         greeting->select);
    return rig->refusal;
}

static void opened(void *opaque)
{
    note(((Rig *)opaque)->told, "opened");
}

static void attached(void *opaque, int speed)
{
    note(((Rig *)opaque)->told, "attached %d", speed);
}

static void not_attached(void *opaque, int result, const char *text)
{
    note(((Rig *)opaque)->told, "not attached %d %s", result, text);
}

static void detached(void *opaque, uint32_t attachment)
{
    note(((Rig *)opaque)->told, "detached %u", attachment);
}

static void reset(void *opaque, int speed)
{
    note(((Rig *)opaque)->told, "reset %d", speed);
}

static void address(void *opaque, int number)
{
    note(((Rig *)opaque)->told, "address %d", number);
}

static void vmstate(void *opaque, bool running)
{
    note(((Rig *)opaque)->told, "vmstate %d", running);
}

static void submit(void *opaque, UsbRemoteRequest *request)
{
    Rig *rig = (Rig *)opaque;

    note(rig->told, "submit %u", (unsigned)usbremote_id(request));
    if (rig->submit) {
        rig->submit(rig, request);
    } else {
        rig->waiting[rig->count++] = request;
    }
}

static void cancelled(void *opaque, UsbRemoteRequest *request)
{
    Rig *rig = (Rig *)opaque;

    note(rig->told, "cancelled %u", (unsigned)usbremote_id(request));
    rig_forget(rig, request);
    if (rig->cancelled) {
        rig->cancelled(rig, request);
    }
}

static void dropped(void *opaque, UsbRemoteRequest *request)
{
    Rig *rig = (Rig *)opaque;

    note(rig->told, "dropped %u", (unsigned)usbremote_id(request));
    rig_forget(rig, request);
    if (rig->dropped) {
        rig->dropped(rig, request);
    }
}

static void closed(void *opaque, UsbRemoteEnd end, const char *text)
{
    CHECK(text && *text);
    note(((Rig *)opaque)->told, "closed %d", (int)end);
}

static UsbRemoteCallbacks callbacks(void)
{
    UsbRemoteCallbacks call;

    memset(&call, 0, sizeof(call));
    call.size = sizeof(call);
    call.greeted = greeted;
    call.opened = opened;
    call.attached = attached;
    call.not_attached = not_attached;
    call.detached = detached;
    call.reset = reset;
    call.address = address;
    call.vmstate = vmstate;
    call.submit = submit;
    call.cancelled = cancelled;
    call.dropped = dropped;
    call.closed = closed;
    return call;
}

/* Carrying bytes */

static size_t piece(const Rig *rig, size_t left)
{
    return rig->step && rig->step < left ? rig->step : left;
}

void rig_down(Rig *rig)
{
    size_t size, n;
    const uint8_t *at = qemu_end_output(rig->qemu, &size);

    for (; size; at += n, size -= n) {
        n = piece(rig, size);
        usbremote_feed(rig->peer, at, n);
    }
}

void rig_up(Rig *rig)
{
    const uint8_t *at;
    size_t size, n;

    while ((at = usbremote_output(rig->peer, &size)) != NULL) {
        uint32_t code;

        n = piece(rig, size);
        code = qemu_end_feed(rig->qemu, at, n);
        rig->code = code ? code : rig->code;
        usbremote_output_sent(rig->peer, n);
    }
}

void rig_talk(Rig *rig)
{
    size_t size;

    do {
        rig_down(rig);
        rig_up(rig);
        rig_down(rig);
        usbremote_output(rig->peer, &size);
    } while (size);
}

/* What QEMU and the peer do */

int rig_attach(Rig *rig)
{
    UsbRemotePlug plug;

    memset(&plug, 0, sizeof(plug));
    plug.speeds = 1u << USB_REMOTE_SPEED_HIGH;
    return usbremote_attach(rig->peer, &plug);
}

uint64_t rig_in(Rig *rig, int endpoint, uint32_t length)
{
    QemuSubmit s = { endpoint, USB_REMOTE_TYPE_BULK, 0, length, NULL, NULL };

    return qemu_end_submit(rig->qemu, &s);
}

uint64_t rig_out(Rig *rig, int endpoint, const void *data, uint32_t length)
{
    QemuSubmit s = { endpoint, USB_REMOTE_TYPE_BULK, 0, length, NULL, data };

    return qemu_end_submit(rig->qemu, &s);
}

uint64_t rig_control(Rig *rig, const uint8_t *setup, const void *data)
{
    QemuSubmit s = { 0, USB_REMOTE_TYPE_CONTROL, 0,
                     usb_remote_get16(setup + 6), setup, data };

    return qemu_end_submit(rig->qemu, &s);
}

void rig_take_in(Rig *rig)
{
    qemu_end_attached(rig->qemu, USB_REMOTE_ATTACHED_OK,
                      USB_REMOTE_SPEED_HIGH, "");
    qemu_end_reset(rig->qemu, USB_REMOTE_SPEED_HIGH);
}

/* Life */

Rig *rig_new(size_t step, const UsbRemoteCapacity *capacity)
{
    Rig *rig = (Rig *)calloc(1, sizeof(*rig));
    UsbRemoteCallbacks call = callbacks();

    CHECK(rig);
    rig->step = step;
    rig->qemu = qemu_end_new("usb0", "x", NULL);
    rig->peer = usbremote_new(&call, rig, "rig", capacity);
    CHECK(rig->peer);
    return rig;
}

void rig_plug(Rig *rig)
{
    rig_talk(rig);
    CHECK(rig_attach(rig) == 0);
    rig_talk(rig);
    rig_take_in(rig);
    rig_talk(rig);
    HEARD(rig, "HELLO; ATTACH 1");
    TOLD(rig, "greeted QEMU usb0 x; opened; attached 2; reset 2");
}

Rig *rig_plugged(size_t step, const UsbRemoteCapacity *capacity)
{
    Rig *rig = rig_new(step, capacity);

    rig_plug(rig);
    return rig;
}

void rig_free(Rig *rig)
{
    usbremote_free(rig->peer);
    qemu_end_free(rig->qemu);
    free(rig);
}
