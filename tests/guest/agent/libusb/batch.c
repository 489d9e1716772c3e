/*
 * A client of libusb: asynchronous transfers of one endpoint.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdlib.h>

#include "client.h"

static void ended(struct libusb_transfer *transfer)
{
    Batch *batch = transfer->user_data;
    int index = 0;

    while (batch->transfers[index] != transfer) {
        index++;
    }
    if (batch->ended == 2 * MAX_DEPTH) {
        wrong("more transfers ended than were submitted");
    }
    batch->order[batch->ended++] = index;
}

struct libusb_transfer *new_transfer(Client *client, int endpoint,
                                     enum libusb_transfer_type type, int size,
                                     libusb_transfer_cb_fn ended, void *opaque)
{
    struct libusb_transfer *transfer = libusb_alloc_transfer(0);
    unsigned char *data = calloc(1, size ? size : 1);

    if (!transfer || !data) {
        fail("transfers", LIBUSB_ERROR_NO_MEM);
    }
    libusb_fill_bulk_transfer(transfer, client->handle, endpoint, data, size,
                              ended, opaque, LIMIT_MS);
    transfer->type = type;
    transfer->flags = LIBUSB_TRANSFER_FREE_BUFFER;
    return transfer;
}

void batch_new(Batch *batch, Client *client, int endpoint,
               enum libusb_transfer_type type, int depth, int size)
{
    *batch = (Batch) { .client = client, .endpoint = endpoint,
                       .depth = depth };
    for (int i = 0; i < depth; i++) {
        batch->transfers[i] = new_transfer(client, endpoint, type, size,
                                           ended, batch);
    }
}

void batch_submit_one(Batch *batch, int index)
{
    int error = libusb_submit_transfer(batch->transfers[index]);

    if (error) {
        fail("submit", error);
    }
}

void batch_submit(Batch *batch)
{
    batch->ended = 0;
    for (int i = 0; i < batch->depth; i++) {
        batch_submit_one(batch, i);
    }
}

void batch_wait(Batch *batch, int count)
{
    while (batch->ended < count) {
        libusb_handle_events(batch->client->context);
    }
}

void batch_free(Batch *batch)
{
    for (int i = 0; i < batch->depth; i++) {
        libusb_free_transfer(batch->transfers[i]);
    }
}

void batch_check(Batch *batch, int index, int length)
{
    const struct libusb_transfer *transfer = batch->transfers[index];

    if (transfer->status != LIBUSB_TRANSFER_COMPLETED ||
        transfer->actual_length != length) {
        wrong("endpoint %#04x, transfer %d: status %d, %d of %d bytes",
              batch->endpoint, index, transfer->status,
              transfer->actual_length, length);
    }
}
