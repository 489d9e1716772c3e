/*
 * How many packets an interrupt endpoint has had the time for.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#define _POSIX_C_SOURCE 200809L

#include <stddef.h>

#include "pace.h"

#define SECOND  1000000000

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * (int64_t)SECOND + t.tv_nsec;
}

void pace_start(Pace *pace)
{
    pace->running = true;
    pace->next = now();
}

void pace_stop(Pace *pace)
{
    pace->running = false;
}

unsigned pace_due(Pace *pace, int64_t interval)
{
    int64_t time;
    unsigned count = 0;

    if (!pace->running) {
        return 0;
    }
    for (time = now(); pace->next <= time; pace->next += interval) {
        count++;
    }
    return count;
}

const struct timespec *pace_wait(const Pace *pace, struct timespec *wait)
{
    int64_t left;

    if (!pace->running) {
        return NULL;
    }
    left = pace->next - now();
    left = left > 0 ? left : 0;
    wait->tv_sec = left / SECOND;
    wait->tv_nsec = left % SECOND;
    return wait;
}
