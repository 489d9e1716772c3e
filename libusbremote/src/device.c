/*
 * libusbremote: a device that answers the standard requests
 *
 * SPDX-License-Identifier: MIT
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

#define PIPES       32          /* OUT at 0-15, IN at 16-31 */
#define INTERFACES  16          /* bInterfaceNumber is below this */

#define SELF_POWERED_SHIFT  6   /* in bmAttributes, table 9-10 */
#define WAKEUP_ATTRIBUTE    0x20

/* bmRequestType and bRequest of the standard requests, table 9-3 */
enum {
    IN = 0x80, INTERFACE = 0x01, ENDPOINT = 0x02, RECIPIENT = 0x1f,
    KIND_AND_RECIPIENT = 0x7f
};
enum {
    GET_STATUS = 0, CLEAR_FEATURE = 1, SET_FEATURE = 3, GET_DESCRIPTOR = 6,
    GET_CONFIGURATION = 8, SET_CONFIGURATION = 9, GET_INTERFACE = 10,
    SET_INTERFACE = 11, SET_SEL = 48, SET_ISOCH_DELAY = 49
};
/* feature selectors, table 9-6 and USB 3.2 table 9-7 */
enum {
    ENDPOINT_HALT = 0, FUNCTION_SUSPEND = 0, REMOTE_WAKEUP = 1,
    U1_ENABLE = 48, LTM_ENABLE = 50
};
/* of a device's status, USB 3.2 section 9.4.5; U2 and LTM are above it */
enum { U1_STATUS_BIT = 2 };

struct UsbRemoteDevice {
    const UsbRemoteDeviceInfo *info;
    UsbRemoteDeviceOps ops;
    void *opaque;
    UsbRemotePeer *peer;
    UsbRemoteRequest *answering;    /* by this layer; NULL once it is gone */
    int speed;
    bool remote_wakeup;
    uint8_t link_power;             /* of U1, U2, LTM what is on, as status */
    const UsbRemoteConfigurationInfo *configuration;    /* or NULL */
    uint8_t alternates[INTERFACES];
    UsbRemotePipe pipes[PIPES];
    uint8_t reply[USB_REMOTE_MAX_CONTROL];
};

/* A SETUP packet, section 9.3. */
typedef struct Setup {
    uint8_t type;
    uint8_t request;
    uint16_t value;
    uint16_t index;
} Setup;

static Setup get_setup(const UsbRemoteRequest *r)
{
    const uint8_t *bytes = usbremote_setup(r);
    Setup s;

    s.type = bytes[0];
    s.request = bytes[1];
    s.value = (uint16_t)(bytes[2] | bytes[3] << 8);
    s.index = (uint16_t)(bytes[4] | bytes[5] << 8);
    return s;
}

/* Settings */

UsbRemotePipe *usbremote_device_pipe(UsbRemoteDevice *device,
                                     uint8_t address)
{
    unsigned number = address & 0x0fu;

    if (!number || (address & 0x70)) {
        return NULL;
    }
    return &device->pipes[number | (address & 0x80u ? 16u : 0u)];
}

static const UsbRemoteInterfaceInfo *find_setting(
    const UsbRemoteConfigurationInfo *c, unsigned number, unsigned alternate)
{
    size_t n;

    for (n = 0; c && n < c->interface_count; n++) {
        if (c->interfaces[n].number == number &&
            c->interfaces[n].alternate == alternate) {
            return &c->interfaces[n];
        }
    }
    return NULL;
}

static void close_setting(UsbRemoteDevice *d, const UsbRemoteInterfaceInfo *i)
{
    size_t n;

    for (n = 0; n < i->endpoint_count; n++) {
        pipe_close(usbremote_device_pipe(d, i->endpoints[n].address));
    }
}

static void open_setting(UsbRemoteDevice *d, const UsbRemoteInterfaceInfo *i)
{
    size_t n;

    for (n = 0; n < i->endpoint_count; n++) {
        const UsbRemoteEndpointInfo *e = &i->endpoints[n];

        pipe_open(usbremote_device_pipe(d, e->address),
                  e->max_packet[d->speed]);
    }
    d->alternates[i->number] = i->alternate;
}

static void tell_setting(UsbRemoteDevice *d, const UsbRemoteInterfaceInfo *i)
{
    if (d->ops.setting) {
        d->ops.setting(d->opaque, i->number, i->alternate);
    }
}

static void unconfigure(UsbRemoteDevice *d)
{
    unsigned n;

    d->configuration = NULL;
    for (n = 0; n < PIPES; n++) {
        pipe_close(&d->pipes[n]);
    }
}

static void set_configuration(UsbRemoteDevice *d, UsbRemoteRequest *r,
                              unsigned value)
{
    const UsbRemoteConfigurationInfo *c = NULL;
    size_t n;

    for (n = 0; n < d->info->configuration_count; n++) {
        if (d->info->configurations[n].value == value) {
            c = &d->info->configurations[n];
        }
    }
    if (value && !c) {
        usbremote_refuse(r);
        return;
    }
    unconfigure(d);
    if (!d->answering) {
        return;                 /* who was cancelled ended it all */
    }
    d->configuration = c;
    for (n = 0; c && n < c->interface_count; n++) {
        if (c->interfaces[n].alternate == 0) {
            open_setting(d, &c->interfaces[n]);
        }
    }
    usbremote_reply(r, NULL, 0);
    for (n = 0; c && c == d->configuration && n < c->interface_count; n++) {
        if (c->interfaces[n].alternate == 0) {
            tell_setting(d, &c->interfaces[n]);
        }
    }
}

static void set_interface(UsbRemoteDevice *d, UsbRemoteRequest *r,
                          unsigned number, unsigned alternate)
{
    const UsbRemoteInterfaceInfo *i = find_setting(d->configuration, number,
                                                   alternate);

    if (!i) {
        usbremote_refuse(r);
        return;
    }
    close_setting(d, find_setting(d->configuration, number,
                                  d->alternates[number]));
    if (!d->answering) {
        return;
    }
    open_setting(d, i);
    usbremote_reply(r, NULL, 0);
    tell_setting(d, i);
}

static void get_interface(UsbRemoteDevice *d, UsbRemoteRequest *r,
                          unsigned number)
{
    if (find_setting(d->configuration, number, 0)) {
        usbremote_reply(r, &d->alternates[number], 1);
    } else {
        usbremote_refuse(r);
    }
}

/* Status and features */

/* The pipe of a request's wIndex; NULL if there is none in force. */
static UsbRemotePipe *indexed_pipe(UsbRemoteDevice *d, uint16_t index)
{
    UsbRemotePipe *p = usbremote_device_pipe(d, (uint8_t)(index & 0x8f));

    return p && usbremote_pipe_max_packet(p) ? p : NULL;
}

static void get_status(UsbRemoteDevice *d, UsbRemoteRequest *r,
                       const Setup *s)
{
    uint8_t status[2] = { 0, 0 };
    UsbRemotePipe *p = indexed_pipe(d, s->index);
    bool known = true;

    if ((s->type & RECIPIENT) == 0) {
        unsigned attributes = d->configuration ? d->configuration->attributes
                                               : 0;

        status[0] = (uint8_t)((attributes >> SELF_POWERED_SHIFT & 1) |
                              (d->remote_wakeup ? 2u : 0u) |
                              d->link_power);
    } else if ((s->type & RECIPIENT) == INTERFACE) {
        known = find_setting(d->configuration, s->index & 0xff, 0);
    } else if (s->index & 0x0f) {
        known = p;
        status[0] = p && usbremote_pipe_is_halted(p);
    }
    if (known) {
        usbremote_reply(r, status, sizeof(status));
    } else {
        usbremote_refuse(r);
    }
}

static bool device_feature(UsbRemoteDevice *d, const Setup *s, bool on)
{
    unsigned bit;

    if (s->value == REMOTE_WAKEUP) {
        if (d->configuration &&
            !(d->configuration->attributes & WAKEUP_ATTRIBUTE)) {
            return false;
        }
        d->remote_wakeup = on;
        return true;
    }
    if (s->value < U1_ENABLE || s->value > LTM_ENABLE ||
        d->speed != USB_REMOTE_SPEED_SUPER) {
        return false;
    }
    bit = 1u << (s->value - U1_ENABLE + U1_STATUS_BIT);
    d->link_power = (uint8_t)(on ? d->link_power | bit : d->link_power & ~bit);
    return true;
}

static bool endpoint_feature(UsbRemoteDevice *d, const Setup *s, bool on)
{
    UsbRemotePipe *p = indexed_pipe(d, s->index);

    if (s->value != ENDPOINT_HALT) {
        return false;
    }
    if (p) {
        (on ? usbremote_pipe_halt : usbremote_pipe_clear_halt)(p);
    }
    return p || !(s->index & 0x0f);
}

static void change_feature(UsbRemoteDevice *d, UsbRemoteRequest *r,
                           const Setup *s)
{
    bool on = s->request == SET_FEATURE, known;

    switch (s->type & RECIPIENT) {
    case 0:
        known = device_feature(d, s, on);
        break;
    case INTERFACE:
        known = s->value == FUNCTION_SUSPEND &&
                d->speed == USB_REMOTE_SPEED_SUPER;
        break;
    default:
        known = endpoint_feature(d, s, on);
        break;
    }
    if (!d->answering) {
        return;                 /* whose transfer was cut off ended it all */
    }
    if (known) {
        usbremote_reply(r, NULL, 0);
    } else {
        usbremote_refuse(r);
    }
}

/* Control requests */

int usbremote_reply(UsbRemoteRequest *request, const void *data, size_t size)
{
    uint32_t length = usbremote_length(request);

    if (usbremote_is_in(request)) {
        length = size < length ? (uint32_t)size : length;
    } else if (data) {
        return usbremote_refuse(request);   /* a read, the wrong way round */
    }
    return usbremote_complete(request, USB_REMOTE_STATUS_OK,
                              length ? data : NULL, length);
}

int usbremote_refuse(UsbRemoteRequest *request)
{
    return usbremote_complete(request, USB_REMOTE_STATUS_STALL, NULL, 0);
}

static void get_descriptor(UsbRemoteDevice *d, UsbRemoteRequest *r,
                           uint16_t value)
{
    size_t size = describe(d->info, d->speed, (uint8_t)(value >> 8),
                           (uint8_t)(value & 0xff), d->reply,
                           sizeof(d->reply));

    if (size) {
        usbremote_reply(r, d->reply, size);
    } else {
        usbremote_refuse(r);
    }
}

static void to_device(UsbRemoteDevice *d, UsbRemoteRequest *r, const Setup *s)
{
    uint8_t value = usbremote_device_configuration(d);

    switch (s->request) {
    case GET_DESCRIPTOR:
        get_descriptor(d, r, s->value);
        break;
    case GET_CONFIGURATION:
        usbremote_reply(r, &value, 1);
        break;
    case SET_CONFIGURATION:
        set_configuration(d, r, s->value & 0xff);
        break;
    case SET_SEL:
    case SET_ISOCH_DELAY:       /* nothing here depends on them */
        if (d->speed == USB_REMOTE_SPEED_SUPER) {
            usbremote_reply(r, NULL, 0);
            break;
        }
        /* fall through */
    default:
        usbremote_refuse(r);
    }
}

static void standard(UsbRemoteDevice *d, UsbRemoteRequest *r)
{
    Setup s = get_setup(r);
    unsigned to = s.type & KIND_AND_RECIPIENT;

    if (to > ENDPOINT) {
        usbremote_refuse(r);    /* not a standard request */
    } else if (s.request == GET_STATUS) {
        get_status(d, r, &s);
    } else if (s.request == CLEAR_FEATURE || s.request == SET_FEATURE) {
        change_feature(d, r, &s);
    } else if (to == INTERFACE && s.request == GET_INTERFACE) {
        get_interface(d, r, s.index);
    } else if (to == INTERFACE && s.request == SET_INTERFACE) {
        set_interface(d, r, s.index, s.value);
    } else if (to == 0) {
        to_device(d, r, &s);
    } else {
        usbremote_refuse(r);
    }
}

/* What the peer calls */

static void opened(void *opaque)
{
    UsbRemoteDevice *d = (UsbRemoteDevice *)opaque;
    UsbRemotePlug plug;

    memset(&plug, 0, sizeof(plug));
    plug.speeds = d->info->speeds;
    plug.gap_ms = USB_REMOTE_DEFAULT_GAP_MS;
    usbremote_attach(d->peer, &plug);
}

static void not_attached(void *opaque, int result, const char *text)
{
    UsbRemoteDevice *d = (UsbRemoteDevice *)opaque;

    (void)result;
    usbremote_bye(d->peer, text);
}

/* Plugged in, or reset: in its default state, at this speed. */
static void begin(void *opaque, int speed)
{
    UsbRemoteDevice *d = (UsbRemoteDevice *)opaque;

    unconfigure(d);
    d->speed = speed;
    d->remote_wakeup = false;
    d->link_power = 0;
}

static void detached(void *opaque, uint32_t attachment)
{
    (void)attachment;
    unconfigure((UsbRemoteDevice *)opaque);
}

static void submit(void *opaque, UsbRemoteRequest *r)
{
    UsbRemoteDevice *d = (UsbRemoteDevice *)opaque;

    if (usbremote_endpoint(r)) {
        pipe_submitted(usbremote_device_pipe(d, usbremote_endpoint(r)), r);
    } else if (!d->ops.control || !d->ops.control(d->opaque, r)) {
        d->answering = r;
        standard(d, r);
        d->answering = NULL;
    }
}

static void control_gone(UsbRemoteDevice *d, UsbRemoteRequest *r)
{
    if (r == d->answering) {
        d->answering = NULL;
    } else if (d->ops.control_gone) {
        d->ops.control_gone(d->opaque, r);
    }
}

static void cancelled(void *opaque, UsbRemoteRequest *r)
{
    UsbRemoteDevice *d = (UsbRemoteDevice *)opaque;

    if (usbremote_endpoint(r)) {
        pipe_cancelled(usbremote_device_pipe(d, usbremote_endpoint(r)), r);
    } else {
        control_gone(d, r);
    }
}

static void dropped(void *opaque, UsbRemoteRequest *r)
{
    UsbRemoteDevice *d = (UsbRemoteDevice *)opaque;

    if (usbremote_endpoint(r)) {
        pipe_dropped(usbremote_device_pipe(d, usbremote_endpoint(r)), r);
    } else {
        control_gone(d, r);
    }
}

static void closed(void *opaque, UsbRemoteEnd end, const char *text)
{
    UsbRemoteDevice *d = (UsbRemoteDevice *)opaque;

    unconfigure(d);
    if (d->ops.closed) {
        d->ops.closed(d->opaque, end, text);
    }
}

/* Life */

static UsbRemotePeer *new_peer(UsbRemoteDevice *d, const char *name)
{
    UsbRemoteCallbacks call;

    memset(&call, 0, sizeof(call));
    call.size = sizeof(call);
    call.opened = opened;
    call.attached = begin;
    call.not_attached = not_attached;
    call.detached = detached;
    call.reset = begin;
    call.submit = submit;
    call.cancelled = cancelled;
    call.dropped = dropped;
    call.closed = closed;
    return usbremote_new(&call, d, name, NULL);
}

static bool endpoint_is_sound(const UsbRemoteEndpointInfo *e)
{
    return !(e->address & 0x70) && (e->address & 0x0f) &&
           (e->type == USB_REMOTE_TYPE_BULK ||
            e->type == USB_REMOTE_TYPE_INTERRUPT);
}

static bool interface_is_sound(const UsbRemoteInterfaceInfo *i)
{
    size_t n, before;

    if (i->number >= INTERFACES ||
        i->endpoint_count > USB_REMOTE_MAX_ENDPOINTS) {
        return false;
    }
    for (n = 0; n < i->endpoint_count; n++) {
        if (!endpoint_is_sound(&i->endpoints[n])) {
            return false;
        }
        for (before = 0; before < n; before++) {
            if (i->endpoints[before].address == i->endpoints[n].address) {
                return false;
            }
        }
    }
    return true;
}

static bool configuration_is_sound(const UsbRemoteConfigurationInfo *c)
{
    size_t n;

    for (n = 0; n < c->interface_count; n++) {
        const UsbRemoteInterfaceInfo *i = &c->interfaces[n];

        if (!interface_is_sound(i) || !find_setting(c, i->number, 0)) {
            return false;
        }
    }
    return c->value != 0;
}

static bool info_is_sound(const UsbRemoteDeviceInfo *info)
{
    size_t n;

    if (!info->speeds || info->speeds >= 1u << USBREMOTE_SPEEDS ||
        !info->configuration_count || info->configuration_count > 0xff) {
        return false;
    }
    for (n = 0; n < info->configuration_count; n++) {
        if (!configuration_is_sound(&info->configurations[n]) ||
            describe(info, USB_REMOTE_SPEED_SUPER, DESCRIPTOR_CONFIGURATION,
                     (uint8_t)n, NULL, 0) > USB_REMOTE_MAX_CONTROL) {
            return false;
        }
    }
    return true;
}

static int highest_speed(unsigned speeds)
{
    int speed = USBREMOTE_SPEEDS - 1;

    while (!(speeds & 1u << speed)) {
        speed--;
    }
    return speed;
}

UsbRemoteDevice *usbremote_device_new(const UsbRemoteDeviceInfo *info,
                                      const UsbRemoteDeviceOps *ops,
                                      void *opaque, const char *name)
{
    size_t known = ops ? ops->size : 0;
    UsbRemoteDevice *d;
    unsigned n;

    if (!info || known < sizeof(known) || !info_is_sound(info)) {
        errno = EINVAL;
        return NULL;
    }
    d = (UsbRemoteDevice *)calloc(1, sizeof(*d));
    if (!d) {
        return NULL;
    }
    d->info = info;
    memcpy(&d->ops, ops, known < sizeof(d->ops) ? known : sizeof(d->ops));
    d->opaque = opaque;
    d->speed = highest_speed(info->speeds);
    for (n = 0; n < PIPES; n++) {
        d->pipes[n].address = (uint8_t)((n & 15) | (n & 16 ? IN : 0));
    }
    d->peer = new_peer(d, name);
    if (!d->peer) {
        n = (unsigned)errno;
        free(d);
        errno = (int)n;
        return NULL;
    }
    return d;
}

void usbremote_device_free(UsbRemoteDevice *device)
{
    unsigned n;

    if (device) {
        usbremote_free(device->peer);
        for (n = 0; n < PIPES; n++) {
            free(device->pipes[n].held);
        }
        free(device);
    }
}

UsbRemotePeer *usbremote_device_peer(UsbRemoteDevice *device)
{
    return device->peer;
}

int usbremote_device_speed(const UsbRemoteDevice *device)
{
    return device->speed;
}

uint8_t usbremote_device_configuration(const UsbRemoteDevice *device)
{
    return device->configuration ? device->configuration->value : 0;
}
