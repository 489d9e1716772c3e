/*
 * The measured Gadget Zero behind usb-redir.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 *     redir unix:PATH
 *
 * connects to the chardev of a usb-redir device and serves it to its end.
 */

#define _GNU_SOURCE             /* for ppoll() */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <usbredirparser.h>

#include "link.h"
#include "pace.h"
#include "zero.h"

#define TABLE           32      /* endpoints OUT at 0-15, IN at 16-31 */
#define UNIX            "unix:"

typedef struct Redir {
    struct usbredirparser *parser;
    Link link;
    Pace pace;                  /* of the interrupt IN endpoint */
    Zero zero;
} Redir;

static uint8_t status_of(const ZeroAnswer *a)
{
    return a->stall ? usb_redir_stall : usb_redir_success;
}

/* The parser neither writes to the data that it sends nor says so. */
static uint8_t *unconst(const uint8_t *data)
{
    union {
        const uint8_t *from;
        uint8_t *to;
    } u;

    u.from = data;
    return u.to;
}

/* What the device is */

static unsigned place(uint8_t address)
{
    return (address & 0x0fu) | (address & 0x80u) >> 3;
}

static void send_tables(Redir *r)
{
    struct usb_redir_interface_info_header interfaces;
    struct usb_redir_ep_info_header table;
    size_t count, i;
    const ZeroEndpoint *e = zero_endpoints(&r->zero, &count);

    memset(&interfaces, 0, sizeof(interfaces));
    interfaces.interface_count = count ? 1 : 0;
    interfaces.interface_class[0] = 0xff;
    memset(&table, 0, sizeof(table));
    memset(table.type, usb_redir_type_invalid, sizeof(table.type));
    table.type[0] = table.type[TABLE / 2] = usb_redir_type_control;
    table.max_packet_size[0] = table.max_packet_size[TABLE / 2] =
        zero_device_descriptor[7];
    for (i = 0; i < count; i++) {
        table.type[place(e[i].address)] = e[i].type;
        table.interval[place(e[i].address)] = e[i].interval;
        table.max_packet_size[place(e[i].address)] = e[i].max_packet;
    }
    usbredirparser_send_interface_info(r->parser, &interfaces);
    usbredirparser_send_ep_info(r->parser, &table);
}

static void hello(void *opaque, struct usb_redir_hello_header *h)
{
    const uint8_t *d = zero_device_descriptor;
    struct usb_redir_device_connect_header m;
    Redir *r = opaque;

    (void)h;
    memset(&m, 0, sizeof(m));
    m.speed = usb_redir_speed_high;
    m.device_class = d[4];
    m.vendor_id = (uint16_t)(d[8] | d[9] << 8);
    m.product_id = (uint16_t)(d[10] | d[11] << 8);
    m.device_version_bcd = (uint16_t)(d[12] | d[13] << 8);
    send_tables(r);
    usbredirparser_send_device_connect(r->parser, &m);
}

/* Control: some requests have messages of their own */

static ZeroAnswer control(Redir *r, uint8_t type, uint8_t request,
                          uint8_t value, uint8_t index, uint8_t length)
{
    const uint8_t setup[8] = { type, request, value, 0, index, 0, length, 0 };

    return zero_control(&r->zero, setup, NULL);
}

static void configuration_status(Redir *r, uint64_t id, const ZeroAnswer *a)
{
    struct usb_redir_configuration_status_header m;

    m.status = status_of(a);
    m.configuration = r->zero.configuration;
    usbredirparser_send_configuration_status(r->parser, id, &m);
}

static void setting_status(Redir *r, uint64_t id, const ZeroAnswer *a)
{
    struct usb_redir_alt_setting_status_header m;

    m.status = status_of(a);
    m.interface = 0;
    m.alt = r->zero.alternate;
    usbredirparser_send_alt_setting_status(r->parser, id, &m);
}

static void reset(void *opaque)
{
    Redir *r = opaque;

    pace_stop(&r->pace);
    zero_reset(&r->zero);
}

static void set_configuration(void *opaque, uint64_t id,
                              struct usb_redir_set_configuration_header *m)
{
    Redir *r = opaque;
    ZeroAnswer a = control(r, 0x00, 9, m->configuration, 0, 0);

    pace_stop(&r->pace);
    send_tables(r);
    configuration_status(r, id, &a);
}

static void get_configuration(void *opaque, uint64_t id)
{
    Redir *r = opaque;
    ZeroAnswer a = control(r, 0x80, 8, 0, 0, 1);

    configuration_status(r, id, &a);
}

static void set_setting(void *opaque, uint64_t id,
                        struct usb_redir_set_alt_setting_header *m)
{
    Redir *r = opaque;
    ZeroAnswer a = control(r, 0x01, 11, m->alt, m->interface, 0);

    pace_stop(&r->pace);
    send_tables(r);
    setting_status(r, id, &a);
}

static void get_setting(void *opaque, uint64_t id,
                        struct usb_redir_get_alt_setting_header *m)
{
    Redir *r = opaque;
    ZeroAnswer a = control(r, 0x81, 10, 0, m->interface, 1);

    setting_status(r, id, &a);
}

static void control_packet(void *opaque, uint64_t id,
                           struct usb_redir_control_packet_header *m,
                           uint8_t *data, int size)
{
    Redir *r = opaque;
    const uint8_t setup[8] = {
        m->requesttype, m->request, (uint8_t)(m->value & 0xff),
        (uint8_t)(m->value >> 8), (uint8_t)(m->index & 0xff),
        (uint8_t)(m->index >> 8), (uint8_t)(m->length & 0xff),
        (uint8_t)(m->length >> 8)
    };
    ZeroAnswer a = zero_control(&r->zero, setup, data);

    (void)size;
    usbredirparser_free_packet_data(r->parser, data);
    m->status = status_of(&a);
    m->length = (uint16_t)a.length;
    usbredirparser_send_control_packet(r->parser, id, m, unconst(a.data),
                                       a.data ? (int)a.length : 0);
}

/* Bulk */

static void bulk_packet(void *opaque, uint64_t id,
                        struct usb_redir_bulk_packet_header *m,
                        uint8_t *data, int size)
{
    Redir *r = opaque;
    uint32_t length = (uint32_t)m->length_high << 16 | m->length;
    ZeroAnswer a = zero_transfer(&r->zero, m->endpoint, length);

    (void)size;
    usbredirparser_free_packet_data(r->parser, data);
    m->status = status_of(&a);
    m->length = (uint16_t)(a.length & 0xffff);
    m->length_high = (uint16_t)(a.length >> 16);
    usbredirparser_send_bulk_packet(r->parser, id, m, unconst(a.data),
                                    a.data ? (int)a.length : 0);
}

/* What was answered already cannot be cancelled. */
static void cancel(void *opaque, uint64_t id)
{
    (void)opaque;
    (void)id;
}

/* Interrupt */

static void receiving_status(Redir *r, uint64_t id, uint8_t endpoint)
{
    struct usb_redir_interrupt_receiving_status_header m;

    m.status = usb_redir_success;
    m.endpoint = endpoint;
    usbredirparser_send_interrupt_receiving_status(r->parser, id, &m);
}

static void start_receiving(
    void *opaque, uint64_t id,
    struct usb_redir_start_interrupt_receiving_header *m)
{
    Redir *r = opaque;

    pace_start(&r->pace);
    receiving_status(r, id, m->endpoint);
}

static void stop_receiving(
    void *opaque, uint64_t id,
    struct usb_redir_stop_interrupt_receiving_header *m)
{
    Redir *r = opaque;

    pace_stop(&r->pace);
    receiving_status(r, id, m->endpoint);
}

static void send_interrupt(Redir *r, uint64_t id, uint8_t endpoint,
                           uint16_t length)
{
    ZeroAnswer a = zero_transfer(&r->zero, endpoint, length);
    struct usb_redir_interrupt_packet_header m;

    m.endpoint = endpoint;
    m.status = status_of(&a);
    m.length = (uint16_t)a.length;
    usbredirparser_send_interrupt_packet(r->parser, id, &m, unconst(a.data),
                                         a.data ? (int)a.length : 0);
}

static void interrupt_packet(void *opaque, uint64_t id,
                             struct usb_redir_interrupt_packet_header *m,
                             uint8_t *data, int size)
{
    Redir *r = opaque;

    (void)size;
    usbredirparser_free_packet_data(r->parser, data);
    send_interrupt(r, id, m->endpoint, m->length);
}

static void send_due(Redir *r)
{
    unsigned count = pace_due(&r->pace, ZERO_INTERVAL_NS);

    while (count--) {
        send_interrupt(r, 0, ZERO_INTERRUPT_IN, ZERO_INTERRUPT_SIZE);
    }
}

/* The parser and its socket */

static int read_bytes(void *opaque, uint8_t *data, int count)
{
    return link_read(&((Redir *)opaque)->link, data, count);
}

static int write_bytes(void *opaque, uint8_t *data, int count)
{
    return link_write(&((Redir *)opaque)->link, data, count) ? count : 0;
}

static void say(void *opaque, int level, const char *text)
{
    (void)opaque;
    if (level <= usbredirparser_warning) {
        fprintf(stderr, "redir: %s\n", text);
    }
}

static void set_callbacks(struct usbredirparser *p, Redir *r)
{
    p->priv = r;
    p->log_func = say;
    p->read_func = read_bytes;
    p->write_func = write_bytes;
    p->hello_func = hello;
    p->reset_func = reset;
    p->set_configuration_func = set_configuration;
    p->get_configuration_func = get_configuration;
    p->set_alt_setting_func = set_setting;
    p->get_alt_setting_func = get_setting;
    p->control_packet_func = control_packet;
    p->bulk_packet_func = bulk_packet;
    p->cancel_data_packet_func = cancel;
    p->start_interrupt_receiving_func = start_receiving;
    p->stop_interrupt_receiving_func = stop_receiving;
    p->interrupt_packet_func = interrupt_packet;
}

static int write_all(Redir *r)
{
    do {
        if (usbredirparser_do_write(r->parser) < 0 ||
            link_flush(&r->link, r->parser) < 0) {
            return -1;
        }
    } while (usbredirparser_has_data_to_write(r->parser));
    return 0;
}

/* Until QEMU hangs up. */
static void serve(Redir *r)
{
    struct pollfd wait = { r->link.fd, POLLIN, 0 };
    struct timespec time;

    while (write_all(r) == 0) {
        if (ppoll(&wait, 1, pace_wait(&r->pace, &time), NULL) < 0 &&
            errno != EINTR) {
            return;
        }
        if (usbredirparser_do_read(r->parser) < 0) {
            return;
        }
        send_due(r);
    }
}

int main(int argc, char **argv)
{
    static Redir redir;
    uint32_t caps[USB_REDIR_CAPS_SIZE] = { 0 };

    if (argc != 2 || strncmp(argv[1], UNIX, strlen(UNIX))) {
        fprintf(stderr, "usage: redir unix:PATH\n");
        return 2;
    }
    if (link_open(&redir.link, argv[1] + strlen(UNIX)) < 0) {
        fprintf(stderr, "redir: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    redir.parser = usbredirparser_create();
    if (!redir.parser) {
        fprintf(stderr, "redir: no memory\n");
        return 1;
    }
    set_callbacks(redir.parser, &redir);
    usbredirparser_caps_set_cap(caps, usb_redir_cap_connect_device_version);
    usbredirparser_caps_set_cap(caps, usb_redir_cap_ep_info_max_packet_size);
    usbredirparser_caps_set_cap(caps, usb_redir_cap_64bits_ids);
    usbredirparser_caps_set_cap(caps, usb_redir_cap_32bits_bulk_length);
    usbredirparser_init(redir.parser, "usb-remote bench", caps,
                        USB_REDIR_CAPS_SIZE,
                        usbredirparser_fl_usb_host |
                        usbredirparser_fl_write_cb_owns_buffer);
    serve(&redir);
    usbredirparser_destroy(redir.parser);
    return 0;
}
