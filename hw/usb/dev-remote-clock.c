/*
 * USB device whose other end is a program: the time that it goes by
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QEMU's virtual clock goes back when loadvm brings that of an older machine.
 * A moment that was stored before would then be far ahead.  So what is stored
 * are moments of a clock of our own, which follows QEMU's, but never back.
 */

#include "qemu/osdep.h"
#include "dev-remote.h"

void remote_clock_init(RemoteClock *c, QEMUClockType type, QEMUTimerCB *fired,
                       void *opaque)
{
    c->type = type;
    c->timer = timer_new_ns(type, fired, opaque);
    c->seen = qemu_clock_get_ns(type);
    c->now = REMOTE_CLOCK_START;
}

void remote_clock_fini(RemoteClock *c)
{
    timer_free(c->timer);
}

int64_t remote_clock_now(RemoteClock *c)
{
    int64_t seen = qemu_clock_get_ns(c->type);

    c->now += MAX(seen - c->seen, 0);
    c->seen = seen;
    return c->now;
}

/* Have the timer fire at @at, or not at all if that is INT64_MAX. */
void remote_clock_alarm(RemoteClock *c, int64_t at)
{
    if (at != INT64_MAX) {
        timer_mod(c->timer, c->seen + (at - c->now));
    } else if (timer_pending(c->timer)) {       /* else save the lock */
        timer_del(c->timer);
    }
}
