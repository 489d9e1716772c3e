/*
 * A client of libusb: a source and a sink of a pattern, by interrupt and bulk.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <string.h>

#include "client.h"

#define PERIOD 63               /* of the device's pattern 1 */
#define PACKETS 4               /* of an interrupt transfer */
#define DEPTH 4                 /* interrupt transfers in flight */
#define MAX_PACKET 1024

static void fill_pattern(unsigned char *data, int size, int packet)
{
    for (int i = 0; i < size; i++) {
        data[i] = i % packet % PERIOD;
    }
}

static void queue_reports(Client *client, bool in)
{
    int packet = in ? client->in_packet : client->out_packet;
    int size = packet * PACKETS;
    unsigned char pattern[MAX_PACKET * PACKETS];
    Batch batch;

    fill_pattern(pattern, size, packet);
    batch_new(&batch, client, in ? client->in : client->out,
              LIBUSB_TRANSFER_TYPE_INTERRUPT, DEPTH, size);
    for (int i = 0; !in && i < DEPTH; i++) {
        memcpy(batch.transfers[i]->buffer, pattern, size);
    }
    batch_submit(&batch);
    batch_wait(&batch, DEPTH);
    for (int i = 0; i < DEPTH; i++) {
        batch_check(&batch, i, size);
        compare_bytes("interrupt", batch.transfers[i]->buffer, pattern, size);
    }
    batch_free(&batch);
}

static int transfer(Client *client, bool bulk, int endpoint,
                    unsigned char *data, int size)
{
    int length = 0;
    int error = (bulk ? libusb_bulk_transfer : libusb_interrupt_transfer)(
        client->handle, endpoint, data, size, &length, LIMIT_MS);

    if (!error && length != size) {
        wrong("endpoint %#04x: %d of %d bytes", endpoint, length, size);
    }
    return error;
}

/* The device halts the endpoint after what is not the pattern: only the
 * next transfer shows that all was well with this one. */
static void send_pattern(Client *client, bool bulk, int size)
{
    unsigned char data[MAX_PACKET];
    int error;

    fill_pattern(data, size, client->out_packet);
    error = transfer(client, bulk, client->out, data, size);
    if (error) {
        fail("send the pattern", error);
    }
}

static void receive_pattern(Client *client, bool bulk)
{
    unsigned char data[MAX_PACKET], pattern[MAX_PACKET];
    int error;

    fill_pattern(pattern, client->in_packet, client->in_packet);
    error = transfer(client, bulk, client->in, data, client->in_packet);
    if (error) {
        fail("receive the pattern", error);
    }
    compare_bytes("pattern", data, pattern, client->in_packet);
}

int interrupt(Client *client, char **words)
{
    if (words[0]) {
        usage();
    }
    client_claim(client, LIBUSB_ENDPOINT_TRANSFER_TYPE_INTERRUPT);
    receive_pattern(client, false);
    queue_reports(client, true);
    send_pattern(client, false, 0);
    send_pattern(client, false, 1);
    send_pattern(client, false, client->out_packet);
    queue_reports(client, false);
    send_pattern(client, false, client->out_packet);
    puts("ok");
    return 0;
}

static void clear(Client *client, int endpoint)
{
    int error = libusb_clear_halt(client->handle, endpoint);

    if (error) {
        fail("clear a halt", error);
    }
}

static void expect_halt(Client *client, int endpoint)
{
    unsigned char data[MAX_PACKET] = { 0 };
    int error = transfer(client, true, endpoint, data, client->in_packet);

    if (error != LIBUSB_ERROR_PIPE) {
        wrong("endpoint %#04x is not halted: %s", endpoint,
              libusb_error_name(error));
    }
}

/* A wrong byte has the device halt OUT, a request has it halt IN. */
static void halt_both(Client *client)
{
    unsigned char data[1] = { 0xff };
    int error = transfer(client, true, client->out, data, 1);

    if (error) {
        fail("send a wrong byte", error);
    }
    error = libusb_control_transfer(
        client->handle, LIBUSB_RECIPIENT_ENDPOINT, LIBUSB_REQUEST_SET_FEATURE,
        0, client->in, NULL, 0, LIMIT_MS);
    if (error) {
        fail("halt IN", error);
    }
}

int halt(Client *client, char **words)
{
    if (words[0]) {
        usage();
    }
    client_claim(client, LIBUSB_ENDPOINT_TRANSFER_TYPE_BULK);
    receive_pattern(client, true);
    halt_both(client);
    expect_halt(client, client->out);
    expect_halt(client, client->in);
    clear(client, client->out);
    clear(client, client->in);
    receive_pattern(client, true);
    send_pattern(client, true, client->out_packet);
    send_pattern(client, true, client->out_packet);
    puts("ok");
    return 0;
}
