/*
 * USB device whose other end is a program: endpoint tables
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The USB core has to know the type and the packet size of an endpoint
 * before the first packet.  They come from the peer's own table if it sent
 * one, else from the configuration descriptor that the guest last read, else
 * every endpoint is bulk.  Descriptors are read leniently, because broken
 * ones are what this device is for; nothing here is ever sent to anybody.
 */

#include "qemu/osdep.h"
#include "dev-remote.h"
#include "desc.h"
#include "trace.h"

#define REMOTE_ANY_INTERFACE    (-1)

/* The feature of interfaces, and its bit of wIndex (USB 3.2 table 9-9) */
#define REMOTE_FUNCTION_SUSPEND 0
#define REMOTE_FUNCTION_WAKE    (1 << 9)

/* Standard requests as bmRequestType << 8 | bRequest. */
static int remote_request(const uint8_t *setup)
{
    return setup[0] << 8 | setup[1];
}

static int remote_default_packet(USBRemoteState *s)
{
    switch (remote_speed(s)) {
    case USB_SPEED_LOW:
        return 8;
    case USB_SPEED_FULL:
        return 64;
    case USB_SPEED_HIGH:
        return 512;
    default:
        return USB_REMOTE_MAX_PACKET;
    }
}

/* Both the core's endpoint and ours; what is in flight has been failed. */
static void remote_set_endpoint(USBRemoteState *s, RemoteEndpoint *ep,
                                uint8_t type, uint16_t raw, uint8_t interval,
                                uint8_t ifnum)
{
    USBDevice *udev = USB_DEVICE(s);
    int nr = ep->address & 0x0f;
    int pid = remote_ep_is_in(ep) ? USB_TOKEN_IN : USB_TOKEN_OUT;

    if (type == USB_ENDPOINT_XFER_CONTROL) {
        type = USB_ENDPOINT_XFER_BULK;
    }
    if (!(raw & 0x7ff)) {
        raw = remote_default_packet(s);
    }
    ep->type = type;
    ep->max_packet = MIN(raw & 0x7ff, USB_REMOTE_MAX_PACKET);
    ep->interval = interval;
    usb_ep_set_type(udev, pid, nr, type);
    usb_ep_set_max_packet_size(udev, pid, nr, raw);
    usb_ep_set_ifnum(udev, pid, nr, ifnum);
    usb_ep_get(udev, pid, nr)->pipeline = type == USB_ENDPOINT_XFER_BULK;
    if (!usb_ep_get(udev, pid, nr)->pipeline) {
        /* Queued again by the host controller since they were failed. */
        remote_mark_packets(ep, USB_RET_IOERROR);
    }
}

static bool remote_ep_exists(int i)
{
    return (i & 0x0f) != 0;
}

/* Waking the bus is the core's to refuse: a bit of its own says whether. */
static void remote_update_wakeup(USBRemoteState *s)
{
    USB_DEVICE(s)->remote_wakeup =
        s->wakeup_enabled ||
        !bitmap_empty(s->function_wakeup, REMOTE_FUNCTIONS);
}

/* No configuration: every endpoint is bulk, and nothing wakes the bus. */
void remote_table_reset(USBRemoteState *s)
{
    int i;

    s->wakeup_enabled = false;
    bitmap_zero(s->function_wakeup, REMOTE_FUNCTIONS);
    remote_update_wakeup(s);
    for (i = 0; i < REMOTE_ENDPOINTS; i++) {
        if (remote_ep_exists(i)) {
            remote_set_endpoint(s, &s->eps[i], USB_ENDPOINT_XFER_BULK, 0, 0,
                                USB_INTERFACE_INVALID);
        }
    }
    s->eps[0].type = USB_ENDPOINT_XFER_CONTROL;
}

/* What was learnt of a device that is no longer there. */
void remote_table_forget(USBRemoteState *s)
{
    int i;

    for (i = 0; i < REMOTE_CONFIGS; i++) {
        g_clear_pointer(&s->configs[i], g_byte_array_unref);
    }
    s->product_index = 0;
}

/*
 * What the guest has queued fails, what the peer has is cancelled.  A packet
 * that was answered NAK is still with the host controller, and xHCI tries it
 * again only when it is told to.
 */
static void remote_change_endpoint(USBRemoteState *s, RemoteEndpoint *ep,
                                   uint8_t type, uint16_t raw,
                                   uint8_t interval, uint8_t ifnum)
{
    remote_fail_packets(s, ep, USB_RET_IOERROR);
    remote_drop_requests(s, ep);
    remote_set_endpoint(s, ep, type, raw, interval, ifnum);
    remote_schedule(s);     /* it may have failed packets */
}

/* Get the endpoints of @interface, or of all interfaces, out of the way. */
static void remote_clear_interface(USBRemoteState *s, int interface)
{
    int i;

    for (i = 0; i < REMOTE_ENDPOINTS; i++) {
        RemoteEndpoint *ep = &s->eps[i];
        int pid = remote_ep_is_in(ep) ? USB_TOKEN_IN : USB_TOKEN_OUT;
        USBEndpoint *uep = usb_ep_get(USB_DEVICE(s), pid, i & 0x0f);

        if (!remote_ep_exists(i) || (interface != REMOTE_ANY_INTERFACE &&
                                     uep->ifnum != interface)) {
            continue;
        }
        remote_change_endpoint(s, ep, USB_ENDPOINT_XFER_BULK, 0, 0,
                               USB_INTERFACE_INVALID);
    }
}

/* An endpoint that is new to @interface may have been in use before. */
static void remote_put_endpoint(USBRemoteState *s, uint8_t address,
                                uint8_t type, uint16_t raw, uint8_t interval,
                                uint8_t ifnum)
{
    RemoteEndpoint *ep = remote_ep(s, address);

    if ((address & 0x0f) == 0) {
        return;
    }
    remote_change_endpoint(s, ep, type, raw, interval, ifnum);
    trace_usb_remote_endpoint(remote_name(s), ep->address, ep->type,
                              ep->max_packet, ep->interval, ifnum);
}

/* The peer's own entries for @interface, or for all. */
static void remote_put_table(USBRemoteState *s, const UsbRemoteEndpoint *table,
                             unsigned count, int interface)
{
    unsigned i;

    remote_clear_interface(s, interface);
    for (i = 0; i < count; i++) {
        if (interface != REMOTE_ANY_INTERFACE &&
            table[i].interface[0] != interface) {
            continue;
        }
        remote_put_endpoint(s, table[i].address[0], table[i].type[0],
                            usb_remote_get16(table[i].max_packet),
                            table[i].interval[0], table[i].interface[0]);
    }
}

/*
 * The endpoints of one alternate setting, or with REMOTE_ANY_INTERFACE of
 * the first one of each interface (USB 2.0 section 9.6.3).  Stops where the
 * lengths stop making sense.
 */
static void remote_put_config(USBRemoteState *s, const GByteArray *config,
                              int interface, int alternate)
{
    const uint8_t *d = config->data;
    size_t left = config->len;
    bool ours = false;
    uint8_t ifnum = 0;

    remote_clear_interface(s, interface);
    while (left >= 2 && d[0] >= 2 && d[0] <= left) {
        if (d[1] == USB_DT_INTERFACE && d[0] >= 4) {
            ifnum = d[2];
            ours = d[3] == alternate && (interface == REMOTE_ANY_INTERFACE ||
                                         ifnum == interface);
        } else if (d[1] == USB_DT_ENDPOINT && d[0] >= 7 && ours) {
            remote_put_endpoint(s, d[2], d[3] & 0x03,
                                usb_remote_get16(d + 4), d[6], ifnum);
        }
        left -= d[0];
        d += d[0];
    }
}

static GByteArray *remote_find_config(USBRemoteState *s, uint8_t value)
{
    int i;

    for (i = 0; i < REMOTE_CONFIGS; i++) {
        if (s->configs[i] && s->configs[i]->data[5] == value) {
            return s->configs[i];
        }
    }
    return NULL;
}

/* Remember a configuration descriptor if all of it was read. */
static void remote_saw_config(USBRemoteState *s, const uint8_t *data,
                              size_t size)
{
    size_t total = size >= 9 ? usb_remote_get16(data + 2) : 0;
    GByteArray *config;

    if (total < 9 || total > size) {
        return;
    }
    config = remote_find_config(s, data[5]);
    if (!config) {
        unsigned i = s->next_config++ % REMOTE_CONFIGS;

        g_clear_pointer(&s->configs[i], g_byte_array_unref);
        config = s->configs[i] = g_byte_array_new();
    }
    g_byte_array_set_size(config, 0);
    g_byte_array_append(config, data, total);
}

/* The product string, as "info usb" can show it. */
static void remote_saw_product(USBRemoteState *s, const uint8_t *data,
                               size_t size)
{
    USBDevice *udev = USB_DEVICE(s);
    size_t i, n = 0;

    for (i = 2; i + 1 < size && n + 1 < sizeof(udev->product_desc); i += 2) {
        uint16_t c = usb_remote_get16(data + i);

        udev->product_desc[n++] = c >= 0x20 && c <= 0x7e ? c : '?';
    }
    if (n) {
        udev->product_desc[n] = 0;
    }
}

static void remote_saw_descriptor(USBRemoteState *s, RemoteRequest *r)
{
    uint8_t type = r->setup[3];
    uint8_t index = r->setup[2];

    if (type == USB_DT_CONFIG) {
        remote_saw_config(s, r->data, r->actual);
    } else if (type == USB_DT_DEVICE && r->actual >= 18) {
        s->product_index = r->data[15];
    } else if (type == USB_DT_STRING && index && index == s->product_index) {
        remote_saw_product(s, r->data, r->actual);
    }
}

/*
 * The halt of an endpoint was set or cleared (USB 2.0 section 9.4.5): what
 * was answered before that reaches the packets that wait for it, and no other.
 */
static void remote_saw_halt(USBRemoteState *s, uint8_t address, bool set)
{
    RemoteEndpoint *ep = remote_ep(s, address);

    if (!(address & 0x0f)) {
        return;
    }
    remote_deliver_endpoint(s, ep);
    remote_drop_requests(s, ep);
    if (!set) {
        usb_ep_set_halted(USB_DEVICE(s),
                          remote_ep_is_in(ep) ? USB_TOKEN_IN : USB_TOKEN_OUT,
                          address & 0x0f, 0);
    }
}

/*
 * The guest selected @alternate of @interface, or with REMOTE_ANY_INTERFACE
 * a configuration.  @table has the answer's @count entries; a @count of -1
 * says that it had no table.
 */
static void remote_put_setting(USBRemoteState *s, int interface, int alternate,
                               const UsbRemoteEndpoint *table, int count)
{
    int configuration = USB_DEVICE(s)->configuration;
    GByteArray *config = remote_find_config(s, configuration);

    if (count >= 0) {
        remote_put_table(s, table, count, interface);
    } else if (s->attachment.have_table) {
        remote_put_table(s, s->attachment.table, s->attachment.endpoint_count,
                         interface);
    } else if (config && configuration) {
        /* Completing packets must not free it under us. */
        g_byte_array_ref(config);
        remote_put_config(s, config, interface, alternate);
        g_byte_array_unref(config);
    } else {
        remote_clear_interface(s, interface);
    }
}

/*
 * From super speed on, each function is enabled by itself: bit 1 of the high
 * byte of wIndex, the low byte is its first interface (USB 3.2 section 9.4.9).
 */
static void remote_saw_function_suspend(USBRemoteState *s, uint8_t request,
                                        uint16_t index)
{
    if (request == USB_REQ_SET_FEATURE && (index & REMOTE_FUNCTION_WAKE)) {
        set_bit(index & 0xff, s->function_wakeup);
    } else {
        clear_bit(index & 0xff, s->function_wakeup);
    }
    remote_update_wakeup(s);
}

/* Whether the answer to @setup may bring an endpoint table. */
bool remote_table_may_override(const uint8_t *setup)
{
    int request = remote_request(setup);

    return request == (DeviceOutRequest | USB_REQ_SET_CONFIGURATION) ||
           request == (InterfaceOutRequest | USB_REQ_SET_INTERFACE);
}

/*
 * Learn from a control request that was carried out.  Packets of other
 * endpoints may be completed, and @r freed meanwhile: it is not looked at
 * after that.
 */
void remote_table_snoop(USBRemoteState *s, RemoteRequest *r)
{
    g_autofree UsbRemoteEndpoint *table = g_steal_pointer(&r->table);
    int count = r->have_table ? r->endpoint_count : -1;
    uint16_t value = usb_remote_get16(r->setup + 2);
    uint16_t index = usb_remote_get16(r->setup + 4);
    USBDevice *udev = USB_DEVICE(s);

    if (r->status != USB_RET_SUCCESS) {
        return;
    }
    switch (remote_request(r->setup)) {
    case DeviceRequest | USB_REQ_GET_DESCRIPTOR:
        remote_saw_descriptor(s, r);
        break;
    case DeviceOutRequest | USB_REQ_SET_CONFIGURATION:
        udev->configuration = value & 0xff;
        remote_put_setting(s, REMOTE_ANY_INTERFACE, 0, table, count);
        break;
    case InterfaceOutRequest | USB_REQ_SET_INTERFACE:
        remote_put_setting(s, index & 0xff, value, table, count);
        break;
    case EndpointOutRequest | USB_REQ_CLEAR_FEATURE:
    case EndpointOutRequest | USB_REQ_SET_FEATURE:
        if (value == 0) {   /* ENDPOINT_HALT */
            remote_saw_halt(s, index, r->setup[1] == USB_REQ_SET_FEATURE);
        }
        break;
    case DeviceOutRequest | USB_REQ_CLEAR_FEATURE:
    case DeviceOutRequest | USB_REQ_SET_FEATURE:
        if (value == USB_DEVICE_REMOTE_WAKEUP) {
            s->wakeup_enabled = r->setup[1] == USB_REQ_SET_FEATURE;
            remote_update_wakeup(s);
        }
        break;
    case InterfaceOutRequest | USB_REQ_CLEAR_FEATURE:
    case InterfaceOutRequest | USB_REQ_SET_FEATURE:
        if (value == REMOTE_FUNCTION_SUSPEND) {
            remote_saw_function_suspend(s, r->setup[1], index);
        }
        break;
    }
}
