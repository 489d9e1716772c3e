/*
 * A client of libusb: control transfers write a buffer and read it back.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>

#include "client.h"

#define BUFFER 4096             /* bytes of the vendor requests' buffer */
#define PAIRS 4                 /* of queued transfers */

static void write_and_read(Client *client, int size, unsigned seed)
{
    unsigned char sent[BUFFER], got[BUFFER] = { 0 };
    int length;

    fill(sent, size, seed);
    length = libusb_control_transfer(client->handle, VENDOR_OUT, WRITE_BUFFER,
                                     0, 0, sent, size, LIMIT_MS);
    if (length != size) {
        wrong("control OUT of %d bytes: %d", size, length);
    }
    length = libusb_control_transfer(client->handle, VENDOR_IN, READ_BUFFER,
                                     0, 0, got, size, LIMIT_MS);
    if (length != size) {
        wrong("control IN of %d bytes: %d", size, length);
    }
    compare_bytes("control", got, sent, size);
}

/* Each read sees what the write before it wrote, and not the next one. */
static void queue_pairs(Client *client, int size)
{
    Batch batch;

    batch_new(&batch, client, 0, LIBUSB_TRANSFER_TYPE_CONTROL, 2 * PAIRS,
              LIBUSB_CONTROL_SETUP_SIZE + size);
    for (int i = 0; i < batch.depth; i++) {
        unsigned char *data = batch.transfers[i]->buffer;
        bool in = i % 2;

        libusb_fill_control_setup(data, in ? VENDOR_IN : VENDOR_OUT,
                                  in ? READ_BUFFER : WRITE_BUFFER, 0, 0,
                                  size);
        if (!in) {
            fill(data + LIBUSB_CONTROL_SETUP_SIZE, size, i);
        }
    }
    batch_submit(&batch);
    batch_wait(&batch, batch.depth);
    for (int i = 0; i < batch.depth; i++) {
        batch_check(&batch, i, size);
    }
    for (int i = 0; i < batch.depth; i += 2) {
        compare_bytes("queued control",
                      libusb_control_transfer_get_data(batch.transfers[i + 1]),
                      libusb_control_transfer_get_data(batch.transfers[i]),
                      size);
    }
    batch_free(&batch);
}

int control(Client *client, char **words)
{
    for (unsigned i = 0; words[i]; i++) {
        int size = number(words[i], 0, BUFFER);

        write_and_read(client, size, i);
        queue_pairs(client, size);
    }
    puts("ok");
    return 0;
}
