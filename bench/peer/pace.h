/*
 * How many packets an interrupt endpoint has had the time for.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * In usb-redir's protocol QEMU does not ask for what an interrupt endpoint
 * sends: the other side polls the device, once per service interval.
 */

#ifndef PACE_H
#define PACE_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

typedef struct Pace {
    bool running;
    int64_t next;               /* ns of the monotonic clock */
} Pace;

void pace_start(Pace *pace);
void pace_stop(Pace *pace);

/** Packets that are due, each at @interval ns; they count as sent. */
unsigned pace_due(Pace *pace, int64_t interval);

/** How long to wait for the next one; NULL for ever. */
const struct timespec *pace_wait(const Pace *pace, struct timespec *wait);

#endif
