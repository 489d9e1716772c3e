/*
 * A client of libusb: a loopback gives back what it gets.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

#define PIECE 4096              /* the device sends it back when it is full */
#define BUFFERS 32              /* pieces that the device has room for */
#define QUEUE 8                 /* transfers of which one is cancelled */
#define ROUNDS QUEUE            /* each of them once */

/* A piece that is not full ends with a short packet, an empty one if need
 * be: else the device would wait for the rest. */
static bool needs_empty_packet(const Client *client, int size)
{
    return size % PIECE && size % client->out_packet == 0;
}

static int transfer_sync(Client *client, int endpoint, unsigned char *data,
                         int size)
{
    int length = 0;
    int error = libusb_bulk_transfer(client->handle, endpoint, data, size,
                                     &length, LIMIT_MS);

    if (error) {
        fail("bulk transfer", error);
    }
    return length;
}

static void piece_sync(Client *client, int size, unsigned seed)
{
    unsigned char sent[PIECE], got[PIECE];
    int length;

    fill(sent, size, seed);
    length = transfer_sync(client, client->out, sent, size);
    if (length != size) {
        wrong("%d of %d bytes were sent", length, size);
    }
    if (needs_empty_packet(client, size)) {
        transfer_sync(client, client->out, sent, 0);
    }
    length = transfer_sync(client, client->in, got, PIECE);
    if (length != size) {
        wrong("%d bytes came back, not %d", length, size);
    }
    compare_bytes("loop", got, sent, size);
}

int loop_sync(Client *client, char **words)
{
    unsigned seed = 0;

    client_claim(client, LIBUSB_ENDPOINT_TRANSFER_TYPE_BULK);
    for (; *words; words++) {
        int left = number(*words, 0, MAX_SIZE);

        do {
            int size = left < PIECE ? left : PIECE;

            piece_sync(client, size, seed++);
            left -= size;
        } while (left);
    }
    puts("ok");
    return 0;
}

static void new_pair(Client *client, Batch *in, Batch *out, int depth,
                     int size)
{
    int room = size ? (size + PIECE - 1) / PIECE * PIECE : PIECE;

    batch_new(in, client, client->in, LIBUSB_TRANSFER_TYPE_BULK, depth, room);
    batch_new(out, client, client->out, LIBUSB_TRANSFER_TYPE_BULK, depth,
              size);
    for (int i = 0; i < depth; i++) {
        fill(out->transfers[i]->buffer, size, i);
        if (needs_empty_packet(client, size)) {
            out->transfers[i]->flags |= LIBUSB_TRANSFER_ADD_ZERO_PACKET;
        }
    }
}

static void loop_size(Client *client, int depth, int size)
{
    Batch in, out;

    new_pair(client, &in, &out, depth, size);
    batch_submit(&in);
    batch_submit(&out);
    batch_wait(&out, depth);
    batch_wait(&in, depth);
    for (int i = 0; i < depth; i++) {
        batch_check(&out, i, size);
        batch_check(&in, i, size);
        if (in.order[i] != i || out.order[i] != i) {
            wrong("transfers of %d bytes ended out of order", size);
        }
        compare_bytes("loop", in.transfers[i]->buffer,
                      out.transfers[i]->buffer, size);
    }
    batch_free(&in);
    batch_free(&out);
}

int loop(Client *client, char **words)
{
    int depth = number(words[0], 1, MAX_DEPTH);

    client_claim(client, LIBUSB_ENDPOINT_TRANSFER_TYPE_BULK);
    while (*++words) {
        loop_size(client, depth, number(*words, 0, MAX_SIZE));
    }
    puts("ok");
    return 0;
}

/* What went in one direction, in the order in which transfers ended. */
typedef struct Log {
    unsigned char data[(BUFFERS + ROUNDS * QUEUE) * PIECE];
    int size;
} Log;

static void take(Log *log, Batch *batch, int from)
{
    for (int i = from; i < batch->ended; i++) {
        batch_check(batch, batch->order[i], PIECE);
        memcpy(log->data + log->size,
               batch->transfers[batch->order[i]]->buffer, PIECE);
        log->size += PIECE;
    }
}

/* None of the queue has anything to do yet: the cancelled one moved no
 * byte, and goes to the end of the queue. */
static void cancel_and_resubmit(Batch *batch, int index)
{
    struct libusb_transfer *transfer = batch->transfers[index];
    int error = libusb_cancel_transfer(transfer);

    if (error) {
        fail("cancel", error);
    }
    batch_wait(batch, 1);
    if (batch->order[0] != index ||
        transfer->status != LIBUSB_TRANSFER_CANCELLED ||
        transfer->actual_length) {
        wrong("endpoint %#04x: transfer %d ended instead of %d, status %d, "
              "%d bytes", batch->endpoint, batch->order[0], index,
              batch->transfers[batch->order[0]]->status,
              batch->transfers[batch->order[0]]->actual_length);
    }
    batch_submit_one(batch, index);
}

static void check_order(const Batch *batch, int cancelled)
{
    for (int i = 0; i < QUEUE; i++) {
        int want = i == QUEUE - 1 ? cancelled : i + (i >= cancelled);

        if (batch->order[1 + i] != want) {
            wrong("endpoint %#04x, with %d cancelled: transfer %d ended "
                  "where %d should", batch->endpoint, cancelled,
                  batch->order[1 + i], want);
        }
    }
}

/* @waits has its transfer cancelled, then @other lets the queue go on. */
static void cancel_round(Batch *waits, Log *waits_log, Batch *other,
                         Log *other_log, int index)
{
    batch_submit(waits);
    cancel_and_resubmit(waits, index);
    batch_submit(other);
    batch_wait(waits, 1 + QUEUE);
    batch_wait(other, QUEUE);
    check_order(waits, index);
    take(waits_log, waits, 1);
    take(other_log, other, 0);
}

static void refill(Batch *out, int round)
{
    for (int i = 0; i < out->depth; i++) {
        fill(out->transfers[i]->buffer, PIECE, (round + 1) * BUFFERS + i);
    }
}

static void move_buffers(Client *client, int endpoint, Log *log)
{
    Batch batch;

    batch_new(&batch, client, endpoint, LIBUSB_TRANSFER_TYPE_BULK, BUFFERS,
              PIECE);
    refill(&batch, -1);
    batch_submit(&batch);
    batch_wait(&batch, BUFFERS);
    take(log, &batch, 0);
    batch_free(&batch);
}

static void cancel_way(Client *client, bool cancel_in)
{
    static Log sent, got;
    Batch in, out;

    sent.size = got.size = 0;
    new_pair(client, &in, &out, QUEUE, PIECE);
    if (!cancel_in) {
        move_buffers(client, client->out, &sent);   /* now OUT waits */
    }
    for (int i = 0; i < ROUNDS; i++) {
        refill(&out, i);
        if (cancel_in) {
            cancel_round(&in, &got, &out, &sent, i);
        } else {
            cancel_round(&out, &sent, &in, &got, i);
        }
    }
    if (!cancel_in) {
        move_buffers(client, client->in, &got);
    }
    compare_bytes(cancel_in ? "cancelled IN" : "cancelled OUT", got.data,
                  sent.data, sent.size);
    batch_free(&in);
    batch_free(&out);
}

int cancel(Client *client, char **words)
{
    bool in = is_in(words[0]);

    client_claim(client, LIBUSB_ENDPOINT_TRANSFER_TYPE_BULK);
    cancel_way(client, in);
    puts("ok");
    return 0;
}
