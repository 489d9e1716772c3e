/*
 * A client of libusb: what its files share.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef GUEST_LIBUSB_CLIENT_H
#define GUEST_LIBUSB_CLIENT_H

#include <libusb.h>
#include <stdbool.h>

#define LIMIT_MS 20000          /* for any transfer to end */
#define MAX_DEPTH 64            /* transfers in flight */
#define MAX_SIZE (16 << 20)     /* bytes of one transfer */

/* The vendor requests of a Gadget Zero; wValue and wIndex are 0. */
#define WRITE_BUFFER 0x5b
#define READ_BUFFER 0x5c
#define VENDOR_OUT 0x40         /* bmRequestType: vendor, to the device */
#define VENDOR_IN 0xc0

typedef struct Client {
    libusb_context *context;
    libusb_device_handle *handle;
    int interface;              /* -1: none is claimed */
    uint8_t in, out;            /* endpoint addresses */
    int in_packet, out_packet;  /* wMaxPacketSize */
} Client;

/* Which device. */
typedef struct Wanted {
    unsigned vendor, product;
    unsigned bus, address;      /* as lsusb has them; 0: any */
} Wanted;

/* Each command takes the words after its name, up to NULL; exit status. */
int bench(Client *client, char **words);
int control_latency(Client *client, char **words);
int interrupt_rate(Client *client, char **words);
int control(Client *client, char **words);
int loop_sync(Client *client, char **words);
int loop(Client *client, char **words);
int cancel(Client *client, char **words);
int interrupt(Client *client, char **words);
int halt(Client *client, char **words);
int claim(Client *client, char **words);

/* main.c: these do not return */
void fail(const char *what, int error);     /* of enum libusb_error */
void usage(void);
void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The number that @word is, at least @low and at most @high. */
double number(const char *word, double low, double high);

/* Whether @word is "in", and not "out". */
bool is_in(const char *word);

/* device.c */

/* The first device that is @wanted, with @configuration chosen unless 0. */
void client_open(Client *client, const Wanted *wanted, int configuration);

/*
 * Claim the interface that has an alternate setting with an endpoint of
 * @type in each direction, choose this setting and note the endpoints.  A
 * driver of the kernel is detached.
 */
void client_claim(Client *client, enum libusb_endpoint_transfer_type type);

/* Give back what client_claim() took. */
void client_release(Client *client);

void client_close(Client *client);

/* batch.c: asynchronous transfers of one endpoint */

/* One with a buffer of @size bytes, which goes with it. */
struct libusb_transfer *new_transfer(Client *client, int endpoint,
                                     enum libusb_transfer_type type, int size,
                                     libusb_transfer_cb_fn ended,
                                     void *opaque);

typedef struct Batch {
    Client *client;
    int endpoint;               /* 0: control transfers */
    int depth;
    struct libusb_transfer *transfers[MAX_DEPTH];
    int ended;                  /* how many have, since batch_submit() */
    int order[2 * MAX_DEPTH];   /* their indices, in the order they did */
} Batch;

/* @size: room for bytes in each, which is what they ask for at first. */
void batch_new(Batch *batch, Client *client, int endpoint,
               enum libusb_transfer_type type, int depth, int size);
void batch_submit(Batch *batch);                    /* all of them */
void batch_submit_one(Batch *batch, int index);
void batch_wait(Batch *batch, int count);           /* until so many ended */
void batch_free(Batch *batch);

/* Stop when a transfer has not ended well, with @length bytes. */
void batch_check(Batch *batch, int index, int length);

/* data.c */

/* Bytes that differ for each @seed and in each place. */
void fill(unsigned char *data, int size, unsigned seed);

/* Stop, and say where, when the bytes differ. */
void compare_bytes(const char *what, const unsigned char *got,
                   const unsigned char *want, int size);

#endif
