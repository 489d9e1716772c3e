/*
 * libusbremote: descriptors out of a device's tables
 *
 * SPDX-License-Identifier: MIT
 *
 * USB 2.0 section 9.6, and USB 3.2 section 9.6 for super speed.
 */

#include <string.h>

#include "device.h"

#define LANGUAGE    0x0409      /* English (United States) */

/* A descriptor in the making; count goes on when there is no room. */
typedef struct Writer {
    uint8_t *to;
    size_t room;
    size_t count;
} Writer;

static void put8(Writer *w, unsigned value)
{
    if (w->count < w->room) {
        w->to[w->count] = (uint8_t)value;
    }
    w->count++;
}

static void put16(Writer *w, unsigned value)
{
    put8(w, value & 0xff);
    put8(w, value >> 8);
}

static void put_bytes(Writer *w, const uint8_t *bytes, size_t size)
{
    size_t i;

    for (i = 0; i < size; i++) {
        put8(w, bytes[i]);
    }
}

static bool has_bos(const UsbRemoteDeviceInfo *info)
{
    return (info->speeds & 1u << USB_REMOTE_SPEED_SUPER) != 0;
}

/* 2.10: there is a BOS descriptor (USB 3.2 section 9.2.6.6). */
static unsigned usb_version(const UsbRemoteDeviceInfo *info, int speed)
{
    return speed == USB_REMOTE_SPEED_SUPER ? 0x0300 :
           has_bos(info) ? 0x0210 : 0x0200;
}

static unsigned max_packet0(int speed)
{
    static const uint8_t sizes[USBREMOTE_SPEEDS] = { 8, 64, 64, 9 };

    return sizes[speed];        /* super: 2 to the power of 9 */
}

/* What device descriptor and qualifier have in common. */
static void put_class(Writer *w, const UsbRemoteDeviceInfo *info, int speed)
{
    put16(w, usb_version(info, speed));
    put8(w, info->device_class);
    put8(w, info->subclass);
    put8(w, info->protocol);
    put8(w, max_packet0(speed));
}

static void put_device(Writer *w, const UsbRemoteDeviceInfo *info, int speed)
{
    put8(w, 18);
    put8(w, DESCRIPTOR_DEVICE);
    put_class(w, info, speed);
    put16(w, info->vendor_id);
    put16(w, info->product_id);
    put16(w, info->release);
    put8(w, info->manufacturer);
    put8(w, info->product);
    put8(w, info->serial);
    put8(w, (unsigned)info->configuration_count);
}

/* High for full and the reverse, if the device can (section 9.6.2); or -1. */
static int other_speed(const UsbRemoteDeviceInfo *info, int speed)
{
    int other = speed == USB_REMOTE_SPEED_FULL ? USB_REMOTE_SPEED_HIGH :
                speed == USB_REMOTE_SPEED_HIGH ? USB_REMOTE_SPEED_FULL : -1;

    return other >= 0 && (info->speeds & 1u << other) ? other : -1;
}

static void put_qualifier(Writer *w, const UsbRemoteDeviceInfo *info,
                          int other)
{
    put8(w, 10);
    put8(w, DESCRIPTOR_QUALIFIER);
    put_class(w, info, other);
    put8(w, (unsigned)info->configuration_count);
    put8(w, 0);
}

static void put_endpoint(Writer *w, const UsbRemoteEndpointInfo *e, int speed)
{
    bool periodic = e->type == USB_REMOTE_TYPE_INTERRUPT;

    put8(w, 7);
    put8(w, DESCRIPTOR_ENDPOINT);
    put8(w, e->address);
    put8(w, e->type);
    put16(w, e->max_packet[speed]);
    put8(w, e->interval[speed]);
    if (speed == USB_REMOTE_SPEED_SUPER) {
        put8(w, 6);
        put8(w, DESCRIPTOR_COMPANION);
        put16(w, 0);            /* no bursts, no streams */
        put16(w, periodic ? e->max_packet[speed] : 0u);
    }
}

static void put_interface(Writer *w, const UsbRemoteInterfaceInfo *i,
                          int speed)
{
    size_t n;

    put8(w, 9);
    put8(w, DESCRIPTOR_INTERFACE);
    put8(w, i->number);
    put8(w, i->alternate);
    put8(w, (unsigned)i->endpoint_count);
    put8(w, i->interface_class);
    put8(w, i->subclass);
    put8(w, i->protocol);
    put8(w, i->string);
    put_bytes(w, i->extra, i->extra_size);
    for (n = 0; n < i->endpoint_count; n++) {
        put_endpoint(w, &i->endpoints[n], speed);
    }
}

/* Interfaces, not counting their alternate settings. */
static unsigned count_interfaces(const UsbRemoteConfigurationInfo *c)
{
    unsigned count = 0;
    size_t n;

    for (n = 0; n < c->interface_count; n++) {
        count += c->interfaces[n].alternate == 0;
    }
    return count;
}

static void put_configuration(Writer *w, const UsbRemoteConfigurationInfo *c,
                              uint8_t type, int speed)
{
    unsigned unit = speed == USB_REMOTE_SPEED_SUPER ? 8 : 2;    /* mA */
    size_t n;

    put8(w, 9);
    put8(w, type);
    put16(w, 0);                /* wTotalLength, see below */
    put8(w, count_interfaces(c));
    put8(w, c->value);
    put8(w, c->string);
    put8(w, c->attributes);
    put8(w, c->max_power / unit);
    for (n = 0; n < c->interface_count; n++) {
        put_interface(w, &c->interfaces[n], speed);
    }
    if (w->room >= 4) {
        w->to[2] = (uint8_t)(w->count & 0xff);
        w->to[3] = (uint8_t)(w->count >> 8);
    }
}

static void put_string(Writer *w, const char *text)
{
    size_t length = strlen(text), i;

    length = length < 126 ? length : 126;
    put8(w, (unsigned)(2 + 2 * length));
    put8(w, DESCRIPTOR_STRING);
    for (i = 0; i < length; i++) {
        put16(w, (unsigned char)text[i]);
    }
}

static void put_languages(Writer *w)
{
    put8(w, 4);
    put8(w, DESCRIPTOR_STRING);
    put16(w, LANGUAGE);
}

static unsigned lowest_speed(unsigned speeds)
{
    unsigned speed = 0;

    while (!(speeds & 1u << speed)) {
        speed++;
    }
    return speed;
}

/*
 * How long the link takes to wake up (USB 3.2 section 9.6.2.2): as of a common
 * device.  Linux uses no link power management where they are 0.
 */
enum { U1_EXIT_US = 10, U2_EXIT_US = 32 };

/* USB 3.2 section 9.6.2: link power management, and what super speed can. */
static void put_bos(Writer *w, const UsbRemoteDeviceInfo *info)
{
    put8(w, 5);
    put8(w, DESCRIPTOR_BOS);
    put16(w, 5 + 7 + 10);
    put8(w, 2);
    put8(w, 7);
    put8(w, DESCRIPTOR_CAPABILITY);
    put8(w, 0x02);              /* USB 2.0 EXTENSION */
    put16(w, 0x0002);           /* LPM */
    put16(w, 0);
    put8(w, 10);
    put8(w, DESCRIPTOR_CAPABILITY);
    put8(w, 0x03);              /* SUPERSPEED_USB */
    put8(w, 0);
    put16(w, info->speeds);
    put8(w, lowest_speed(info->speeds));    /* fully functional there */
    put8(w, U1_EXIT_US);
    put16(w, U2_EXIT_US);
}

static void put_indexed(Writer *w, const UsbRemoteDeviceInfo *info, int speed,
                        uint8_t type, uint8_t index)
{
    if (type == DESCRIPTOR_STRING) {
        if (!index && info->string_count) {
            put_languages(w);
        } else if (index && index <= info->string_count) {
            put_string(w, info->strings[index - 1]);
        }
    } else if (speed >= 0 && index < info->configuration_count) {
        put_configuration(w, &info->configurations[index], type, speed);
    }
}

/*
 * Write the descriptor that GET_DESCRIPTOR asks for; returns its size, which
 * may be more than @room, or 0 when there is none.
 */
size_t describe(const UsbRemoteDeviceInfo *info, int speed, uint8_t type,
                uint8_t index, uint8_t *to, size_t room)
{
    int other = other_speed(info, speed);
    Writer w = { NULL, 0, 0 };

    w.to = to;
    w.room = room;
    switch (type) {
    case DESCRIPTOR_DEVICE:
        put_device(&w, info, speed);
        break;
    case DESCRIPTOR_QUALIFIER:
        if (other >= 0) {
            put_qualifier(&w, info, other);
        }
        break;
    case DESCRIPTOR_BOS:
        if (has_bos(info)) {
            put_bos(&w, info);
        }
        break;
    case DESCRIPTOR_STRING:
    case DESCRIPTOR_CONFIGURATION:
        put_indexed(&w, info, speed, type, index);
        break;
    case DESCRIPTOR_OTHER_SPEED:
        put_indexed(&w, info, other, type, index);
        break;
    }
    return w.count;
}
