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

/* Each command takes the words after its name, up to NULL; exit status. */
int bench(Client *client, char **words);
int control_latency(Client *client, char **words);
int interrupt_rate(Client *client, char **words);

/* main.c: these do not return */
void fail(const char *what, int error);     /* of enum libusb_error */
void usage(void);

/* The number that @word is, at least @low and at most @high. */
double number(const char *word, double low, double high);

/* device.c */

/* The first device of these ids, with @configuration chosen unless 0. */
void client_open(Client *client, int vendor, int product, int configuration);

/*
 * Claim the interface that has an alternate setting with an endpoint of
 * @type in each direction, choose this setting and note the endpoints.  A
 * driver of the kernel is detached.
 */
void client_claim(Client *client, enum libusb_endpoint_transfer_type type);

/* Give back what client_claim() took. */
void client_release(Client *client);

void client_close(Client *client);

#endif
