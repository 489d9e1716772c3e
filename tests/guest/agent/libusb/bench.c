/*
 * A client of libusb: how fast transfers are; main.c has what is printed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"

#define REPORT_DEPTH 4          /* interrupt transfers in flight */
#define LATENCY_SIZE 8          /* bytes that a control transfer reads */
#define MAX_SAMPLES 1000000

/* Transfers of one endpoint, kept in flight for some time. */
typedef struct Run {
    Client *client;
    struct libusb_transfer *transfers[MAX_DEPTH];
    int depth;
    int in_flight;
    long warm;                  /* transfers to end before they count */
    double limit;               /* seconds */
    double start, end;          /* of what counts */
    long count, errors;
    long long moved;            /* bytes, those that do not count included */
    bool over;                  /* submit no more */
} Run;

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void submit(Run *run, struct libusb_transfer *transfer)
{
    int error = libusb_submit_transfer(transfer);

    if (error) {
        fail("submit", error);
    }
    run->in_flight++;
}

static void count(Run *run, const struct libusb_transfer *transfer)
{
    if (transfer->status != LIBUSB_TRANSFER_COMPLETED ||
        transfer->actual_length != transfer->length) {
        run->errors++;
        run->over = true;
        return;
    }
    run->end = now();
    if (run->warm) {
        run->warm--;
        run->start = run->end;
        return;
    }
    run->count++;
    run->over = run->end - run->start >= run->limit;
}

static void ended(struct libusb_transfer *transfer)
{
    Run *run = transfer->user_data;

    run->in_flight--;
    run->moved += transfer->actual_length;
    if (!run->over) {
        count(run, transfer);
    }
    if (!run->over) {
        submit(run, transfer);
    }
}

/*
 * Those that are in flight when it is over end by themselves: what is
 * cancelled would still be on its way when the next device is measured.
 */
static void wait_while_in_flight(Run *run)
{
    bool cancelled = false;

    while (run->in_flight) {
        libusb_handle_events_completed(run->client->context, NULL);
        for (int i = 0; run->errors && !cancelled && i < run->depth; i++) {
            libusb_cancel_transfer(run->transfers[i]);
        }
        cancelled = run->errors;
    }
}

static void keep_in_flight(Run *run, int endpoint,
                           enum libusb_transfer_type type, int size)
{
    for (int i = 0; i < run->depth; i++) {
        run->transfers[i] = new_transfer(run->client, endpoint, type, size,
                                         ended, run);
    }
    run->start = run->end = now();
    for (int i = 0; i < run->depth; i++) {
        submit(run, run->transfers[i]);
    }
    wait_while_in_flight(run);
    for (int i = 0; i < run->depth; i++) {
        libusb_free_transfer(run->transfers[i]);
    }
}

int bench(Client *client, char **words)
{
    Run run = { .client = client, .warm = -1 };
    bool in;
    int size;

    if (words[0] && !strcmp(words[0], "--warm")) {
        run.warm = number(words[1], 0, 1e9);
        words += 2;
    }
    in = is_in(words[0]);
    size = number(words[1], 1, MAX_SIZE);
    run.depth = number(words[2], 1, MAX_DEPTH);
    run.limit = number(words[3], 0.001, 3600);
    run.warm = run.warm < 0 ? run.depth : run.warm;
    client_claim(client, LIBUSB_ENDPOINT_TRANSFER_TYPE_BULK);
    keep_in_flight(&run, in ? client->in : client->out,
                   LIBUSB_TRANSFER_TYPE_BULK, size);
    printf("{\"bytes\": %lld, \"seconds\": %.6f, \"transfers\": %ld, "
           "\"moved\": %lld, \"errors\": %ld}\n",
           (long long)run.count * size, run.end - run.start, run.count,
           run.moved, run.errors);
    return run.errors != 0;
}

int interrupt_rate(Client *client, char **words)
{
    Run run = { .client = client, .depth = REPORT_DEPTH,
                .warm = REPORT_DEPTH };
    bool in = is_in(words[0]);

    run.limit = number(words[1], 0.001, 3600);
    client_claim(client, LIBUSB_ENDPOINT_TRANSFER_TYPE_INTERRUPT);
    keep_in_flight(&run, in ? client->in : client->out,
                   LIBUSB_TRANSFER_TYPE_INTERRUPT,
                   in ? client->in_packet : client->out_packet);
    printf("{\"reports\": %ld, \"seconds\": %.6f, \"rate\": %.1f, "
           "\"errors\": %ld}\n", run.count, run.end - run.start,
           run.count ? run.count / (run.end - run.start) : 0.0, run.errors);
    return run.errors != 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Microseconds that one control transfer takes. */
static double round_trip(Client *client)
{
    unsigned char data[LATENCY_SIZE];
    double start = now();
    int length = libusb_control_transfer(client->handle, VENDOR_IN,
                                         READ_BUFFER, 0, 0, data,
                                         sizeof(data), LIMIT_MS);

    if (length != sizeof(data)) {
        fail("control transfer", length < 0 ? length : LIBUSB_ERROR_IO);
    }
    return (now() - start) * 1e6;
}

int control_latency(Client *client, char **words)
{
    int count = number(words[0], 1, MAX_SAMPLES);
    double *samples = calloc(count, sizeof(*samples));

    if (!samples) {
        fail("samples", LIBUSB_ERROR_NO_MEM);
    }
    for (int i = 0; i < count; i++) {
        samples[i] = round_trip(client);
    }
    qsort(samples, count, sizeof(*samples), compare);
    printf("{\"count\": %d, \"median\": %.1f, \"p99\": %.1f, \"min\": %.1f, "
           "\"max\": %.1f}\n", count,
           (samples[(count - 1) / 2] + samples[count / 2]) / 2,
           samples[(count * 99LL + 99) / 100 - 1], samples[0],
           samples[count - 1]);
    free(samples);
    return 0;
}
