/*
 * Gadget Zero: what Linux's usbtest driver tests a USB stack with.
 *
 * SPDX-License-Identifier: MIT
 *
 *     qemu-system-x86_64 ... -device qemu-xhci \
 *         -chardev socket,id=c0,path=/tmp/zero,server=on,wait=off \
 *         -device usb-remote,chardev=c0
 *     zero --connect unix:/tmp/zero
 *
 * Configuration 3 is a source and a sink of data, by bulk endpoints, with
 * interrupt endpoints besides in the alternate setting 1.  Configuration 2
 * sends back what it gets.  The vendor requests 0x5b and 0x5c write and read
 * a buffer.  The Linux gadget of this name has isochronous endpoints where
 * this one has interrupt endpoints.
 */

#include <stdlib.h>
#include <string.h>

#include "program.h"

#define BULK_IN         0x81
#define BULK_OUT        0x01
#define INTERRUPT_IN    0x82
#define INTERRUPT_OUT   0x02

#define SOURCE_SINK     3       /* bConfigurationValue */
#define LOOPBACK        2

#define WRITE_BUFFER    0x5b    /* bRequest, to the device, vendor */
#define READ_BUFFER     0x5c

#define FLOW_SIZE       65536   /* a multiple of each packet size */
#define LOOP_SIZE       4096
#define LOOP_DEPTH      32
#define PERIOD          63      /* of the pattern 1 */

static const UsbRemoteEndpointInfo endpoints[] = {
    { BULK_IN, USB_REMOTE_TYPE_BULK, { 0, 64, 512, 1024 }, { 0, 0, 0, 0 } },
    { BULK_OUT, USB_REMOTE_TYPE_BULK, { 0, 64, 512, 1024 }, { 0, 0, 0, 0 } },
    /* once a millisecond */
    { INTERRUPT_IN, USB_REMOTE_TYPE_INTERRUPT,
      { 8, 64, 1024, 1024 }, { 10, 1, 4, 4 } },
    { INTERRUPT_OUT, USB_REMOTE_TYPE_INTERRUPT,
      { 8, 64, 1024, 1024 }, { 10, 1, 4, 4 } },
};

/* Indices of strings; the last two are the names of the configurations. */
enum { MANUFACTURER = 1, PRODUCT, SERIAL, FIRST_NAME, SECOND_NAME };

static const char *strings[] = {
    "usb-remote", "Gadget Zero", "0123456789.0123456789.0123456789",
    "source and sink data", "loop input to output"
};

static UsbRemoteInterfaceInfo source_sink[] = {
    { 0, 0, 0xff, 0, 0, FIRST_NAME, endpoints, 2, NULL, 0 },
    { 0, 1, 0xff, 0, 0, FIRST_NAME, endpoints, 4, NULL, 0 },
};

static UsbRemoteInterfaceInfo loopback[] = {
    { 0, 0, 0xff, 0, 0, SECOND_NAME, endpoints, 2, NULL, 0 },
};

static UsbRemoteConfigurationInfo configurations[] = {
    { SOURCE_SINK, FIRST_NAME, 0xc0, 2, source_sink, 2 },
    { LOOPBACK, SECOND_NAME, 0xc0, 2, loopback, 1 },
};

typedef struct Zero Zero;

/* One endpoint of source and sink. */
typedef struct Flow {
    Zero *zero;
    UsbRemotePipe *pipe;
    uint8_t data[FLOW_SIZE];
} Flow;

struct Zero {
    Program program;
    UsbRemoteDevice *device;
    int pattern;                /* 0: zeros, 1: counts, 2: not checked */
    Flow flows[4];              /* in the order of endpoints[] */
    uint8_t buffer[USB_REMOTE_MAX_CONTROL];

    UsbRemotePipe *in;          /* of the loop: */
    UsbRemotePipe *out;
    uint8_t ring[LOOP_DEPTH][LOOP_SIZE];
    uint32_t lengths[LOOP_DEPTH];
    unsigned received;          /* in all; modulo LOOP_DEPTH the place */
    unsigned sent;
    bool reading;
    bool writing;
};

/*
 * Source and sink.  They start again after -ECANCELED, too: it may be of a
 * halt that was cleared.  When it is of a setting that ends, that fails, and
 * the next setting starts them.
 */

/* The byte at @offset of a transfer. */
static uint8_t pattern_byte(const Flow *f, uint32_t offset)
{
    uint32_t in_packet = offset % usbremote_pipe_max_packet(f->pipe);

    return f->zero->pattern == 1 ? (uint8_t)(in_packet % PERIOD) : 0;
}

static bool is_pattern(const Flow *f, uint32_t size)
{
    uint32_t i;

    for (i = 0; i < size && f->zero->pattern < 2; i++) {
        if (f->data[i] != pattern_byte(f, i)) {
            return false;
        }
    }
    return true;
}

static void sink(void *opaque, int result)
{
    Flow *f = (Flow *)opaque;

    if (result >= 0 && !is_pattern(f, (uint32_t)result)) {
        usbremote_pipe_halt(f->pipe);
    }
    usbremote_pipe_read(f->pipe, f->data, FLOW_SIZE, sink, f);
}

static void source(void *opaque, int result)
{
    Flow *f = (Flow *)opaque;

    (void)result;
    usbremote_pipe_write(f->pipe, f->data, FLOW_SIZE, false, source, f);
}

static void start_flow(Zero *zero, size_t index)
{
    uint8_t address = endpoints[index].address;
    Flow *f = &zero->flows[index];
    uint32_t i;

    f->zero = zero;
    f->pipe = usbremote_device_pipe(zero->device, address);
    if (!(address & 0x80)) {
        sink(f, 0);
        return;
    }
    for (i = 0; i < FLOW_SIZE; i++) {
        f->data[i] = pattern_byte(f, i);
    }
    source(f, 0);
}

/* Loopback */

static void loop_received(void *opaque, int result);
static void loop_sent(void *opaque, int result);

/* Read while there is a free buffer, write while there is a full one. */
static void loop_on(Zero *zero)
{
    unsigned from = zero->sent % LOOP_DEPTH;
    unsigned to = zero->received % LOOP_DEPTH;

    if (!usbremote_pipe_max_packet(zero->out) ||
        !usbremote_pipe_max_packet(zero->in)) {
        return;                 /* the setting ends */
    }
    if (!zero->reading && zero->received - zero->sent < LOOP_DEPTH) {
        zero->reading = true;
        usbremote_pipe_read(zero->out, zero->ring[to], LOOP_SIZE,
                            loop_received, zero);
    }
    if (!zero->writing && zero->sent != zero->received) {
        zero->writing = true;
        usbremote_pipe_write(zero->in, zero->ring[from], zero->lengths[from],
                             zero->lengths[from] < LOOP_SIZE, loop_sent,
                             zero);
    }
}

static void loop_received(void *opaque, int result)
{
    Zero *zero = (Zero *)opaque;

    zero->reading = false;
    if (result >= 0) {
        zero->lengths[zero->received++ % LOOP_DEPTH] = (uint32_t)result;
    }
    loop_on(zero);
}

static void loop_sent(void *opaque, int result)
{
    Zero *zero = (Zero *)opaque;

    (void)result;               /* what a cleared halt cut off is gone */
    zero->writing = false;
    zero->sent++;
    loop_on(zero);
}

/* The device */

static bool control(void *opaque, UsbRemoteRequest *r)
{
    Zero *zero = (Zero *)opaque;
    const uint8_t *setup = usbremote_setup(r);
    bool named = setup[2] || setup[3] || setup[4] || setup[5];

    if (setup[0] == 0x40 && setup[1] == WRITE_BUFFER && !named) {
        memcpy(zero->buffer, usbremote_data(r), usbremote_length(r));
        usbremote_reply(r, NULL, 0);
        return true;
    }
    if (setup[0] == 0xc0 && setup[1] == READ_BUFFER && !named) {
        usbremote_reply(r, zero->buffer, sizeof(zero->buffer));
        return true;
    }
    return false;
}

static void setting(void *opaque, uint8_t interface, uint8_t alternate)
{
    Zero *zero = (Zero *)opaque;
    size_t i;

    (void)interface;            /* there is but 0 */
    if (usbremote_device_configuration(zero->device) == LOOPBACK) {
        zero->received = zero->sent = 0;
        loop_on(zero);
        return;
    }
    for (i = 0; i < source_sink[alternate].endpoint_count; i++) {
        start_flow(zero, i);
    }
}

static void closed(void *opaque, UsbRemoteEnd end, const char *text)
{
    program_closed(&((Zero *)opaque)->program, end, text);
}

static const UsbRemoteDeviceOps ops = {
    sizeof(ops), control, NULL, setting, closed
};

static const char usage[] =
    "  --pattern N     what source and sink have: 0 zeros, 1 bytes that count\n"
    "                  to 62 in each packet, 2 zeros and nothing is checked (0)\n"
    "  --loop          have the guest choose the loopback first\n";

/* The loopback first; strings are numbered as they are used. */
static void swap_configurations(void)
{
    UsbRemoteConfigurationInfo first = configurations[0];
    const char *name = strings[FIRST_NAME - 1];

    configurations[0] = configurations[1];
    configurations[1] = first;
    strings[FIRST_NAME - 1] = strings[SECOND_NAME - 1];
    strings[SECOND_NAME - 1] = name;
    configurations[0].string = loopback[0].string = FIRST_NAME;
    configurations[1].string = SECOND_NAME;
    source_sink[0].string = source_sink[1].string = SECOND_NAME;
}

int main(int argc, char **argv)
{
    static Zero zero;
    static UsbRemoteDeviceInfo info = {
        0, 0x0525, 0xa4a0, 0x0100, 0xff, 0, 0, MANUFACTURER, PRODUCT, SERIAL,
        strings, sizeof(strings) / sizeof(strings[0]), configurations, 2
    };
    const char *pattern = "0";
    bool loop = false;
    const ProgramOption options[] = {
        { "--pattern", &pattern, NULL }, { "--loop", NULL, &loop },
        { NULL, NULL, NULL }
    };

    (void)argc;
    program_parse(&zero.program, argv, usage, options,
                  1u << USB_REMOTE_SPEED_FULL | 1u << USB_REMOTE_SPEED_HIGH |
                  1u << USB_REMOTE_SPEED_SUPER);
    if (strlen(pattern) != 1 || *pattern < '0' || *pattern > '2') {
        program_fail(&zero.program, "no such pattern: ", pattern);
    }
    zero.pattern = *pattern - '0';
    info.speeds = zero.program.speeds;
    if (loop) {
        swap_configurations();
    }
    zero.device = usbremote_device_new(&info, &ops, &zero, "zero.c");
    if (zero.device) {
        zero.in = usbremote_device_pipe(zero.device, BULK_IN);
        zero.out = usbremote_device_pipe(zero.device, BULK_OUT);
    }
    return program_run(&zero.program, zero.device);
}
