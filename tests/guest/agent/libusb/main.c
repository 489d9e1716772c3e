/*
 * Use a Gadget Zero through libusb.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 *   libusb [-d VENDOR:PRODUCT] [-s BUS:ADDRESS] [-c CONFIGURATION] COMMAND ...
 *
 * VENDOR and PRODUCT are hexadecimal (0525:a4a0), BUS and ADDRESS, which say
 * which of several devices, are decimal.  CONFIGURATION is chosen
 * before the command; without it the one stays that the kernel has chosen.
 * A driver of the kernel that has the interface is detached.  The commands:
 *
 *   bench [--warm N] in|out SIZE DEPTH SECONDS
 *       Keep DEPTH bulk transfers of SIZE bytes in flight.  The first N (as
 *       many as DEPTH) are not counted; time begins as the last of them ends
 *       and is over with the first that ends SECONDS later.  Prints
 *         {"bytes": B, "seconds": S, "transfers": T, "moved": M, "errors": E}
 *       S is CLOCK_MONOTONIC's.  M is bytes, too, and has those that are not
 *       counted: the first ones, and what was in flight in the end.  The
 *       first transfer that fails or is short is the last: E is 0 or 1.
 *   control-latency COUNT
 *       Have the vendor request 0x5c read 8 bytes, COUNT times one after the
 *       other.  Prints, in microseconds, p99 by the nearest rank,
 *         {"count": C, "median": M, "p99": P, "min": L, "max": H}
 *   interrupt-rate in|out SECONDS
 *       Keep four interrupt transfers of one packet in flight.  Prints
 *         {"reports": N, "seconds": S, "rate": N/S, "errors": E}
 *
 *
 * These check each byte, and print "ok":
 *
 *   control SIZE...
 *       Write SIZE bytes with the vendor request 0x5b and read them back
 *       with 0x5c, each alone and then several pairs queued.
 *   loop-sync SIZE..., loop DEPTH SIZE...
 *       In the loopback (-c 2): send SIZE bytes and get them back, in
 *       transfers of 4096 one after the other, or with DEPTH transfers of
 *       SIZE bytes in flight in each direction.
 *   cancel in|out
 *       In the loopback of a device with 32 buffers of 4096 bytes: of eight
 *       transfers that wait each is cancelled once, and submitted again.
 *   interrupt
 *       Interrupt transfers from and to a device with pattern 1.
 *   halt
 *       Halt the bulk endpoints of a device with pattern 1, clear them.
 *   claim
 *       Detach a driver of the kernel, which there has to be, claim its
 *       interface, try each alternate setting, give it back to the driver.
 *
 * DEPTH is up to 64, SIZE up to 16 MiB, SECONDS may have a fraction.  What
 * bulk and interrupt OUT carry are zeros; of IN only the length is looked at.
 * Endpoints are found in the descriptors: those of the first setting that has
 * one in each direction.  Exit status 0 when all went well, 1 when not, 2 for
 * words that make no sense.
 */
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static const struct {
    const char *name;
    int (*run)(Client *client, char **words);
} commands[] = {
    { "bench", bench },
    { "control-latency", control_latency },
    { "interrupt-rate", interrupt_rate },
    { "control", control },
    { "loop-sync", loop_sync },
    { "loop", loop },
    { "cancel", cancel },
    { "interrupt", interrupt },
    { "halt", halt },
    { "claim", claim },
};

void fail(const char *what, int error)
{
    fflush(stdout);
    fprintf(stderr, "libusb: %s: %s\n", what, libusb_strerror(error));
    exit(1);
}

void wrong(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fputs("libusb: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

void usage(void)
{
    fprintf(stderr, "usage: libusb [-d VENDOR:PRODUCT] [-s BUS:ADDRESS] "
            "[-c CONFIGURATION] COMMAND ...\ncommands:");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        fprintf(stderr, " %s", commands[i].name);
    }
    fputc('\n', stderr);
    exit(2);
}

double number(const char *word, double low, double high)
{
    char *end;
    double value = word ? strtod(word, &end) : 0;

    if (!word || end == word || *end || !(value >= low && value <= high)) {
        fprintf(stderr, "libusb: not a number from %g to %g: %s\n", low, high,
                word ? word : "(nothing)");
        exit(2);
    }
    return value;
}

bool is_in(const char *word)
{
    if (!word || (strcmp(word, "in") && strcmp(word, "out"))) {
        usage();
    }
    return !strcmp(word, "in");
}

static int run(Client *client, char **words)
{
    int status = -1;

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (!strcmp(words[0], commands[i].name)) {
            status = commands[i].run(client, words + 1);
        }
    }
    if (status < 0) {
        usage();
    }
    return status;
}

/* Take -d or -s; whether it makes sense. */
static bool wanted_device(Wanted *wanted, int option, const char *value)
{
    switch (option) {
    case 'd':
        return sscanf(value, "%4x:%4x", &wanted->vendor,
                      &wanted->product) == 2;
    case 's':
        return sscanf(value, "%3u:%3u", &wanted->bus,
                      &wanted->address) == 2;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    Wanted wanted = { .vendor = 0x0525, .product = 0xa4a0 };
    unsigned configuration = 0;
    Client client;
    int option, status;

    while ((option = getopt(argc, argv, "+d:s:c:")) != -1) {
        if (option == 'c') {
            configuration = number(optarg, 1, 255);
        } else if (!wanted_device(&wanted, option, optarg)) {
            usage();
        }
    }
    if (optind == argc) {
        usage();
    }
    client_open(&client, &wanted, configuration);
    status = run(&client, argv + optind);
    client_close(&client);
    return status;
}
