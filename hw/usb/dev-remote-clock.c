/*
 * USB device whose other end is a program: the time that it goes by
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QEMU's virtual clock goes back when loadvm brings that of an older machine.
 * A moment that was stored before would then be far ahead.  And it leaps: for a
 * process that was not scheduled (stopped by a signal, swapped out, under a
 * debugger) all is overdue at once, though nobody had the time to do what was
 * awaited.  So what is stored are moments of a clock of our own.  It follows
 * QEMU's, but never back; and it stands still for what QEMU did not run
 * through, which shows in a timer of ours that is late.
 */

#include "qemu/osdep.h"
#include "dev-remote.h"

/*
 * Was QEMU away until @seen?  Twice running is not believed: then it is as slow
 * as that, and what waits has to come to pass some time.
 */
static bool remote_clock_was_away(RemoteClock *c, int64_t seen)
{
    bool late = seen > c->due && seen - c->due > REMOTE_LATE_NS;
    bool away = late && !c->away;

    c->away |= late;
    return away;
}

int64_t remote_clock_now(RemoteClock *c)
{
    int64_t seen = qemu_clock_get_ns(c->type);
    int64_t passed = seen - c->seen;

    if (remote_clock_was_away(c, seen)) {
        /* And what is ready by now, answers too, comes before what is due. */
        c->seen = seen + REMOTE_CATCH_UP_NS;
    } else if (passed >= 0 || passed < -REMOTE_CATCH_UP_NS) {
        c->now += MAX(passed, 0);
        c->seen = seen;
    }
    return c->now;
}

static void remote_clock_fired(void *opaque)
{
    RemoteClock *c = opaque;
    bool on_time = qemu_clock_get_ns(c->type) - c->due <= REMOTE_LATE_NS;

    remote_clock_now(c);
    c->away &= !on_time;
    c->due = INT64_MAX;
    c->fired(c->opaque);
}

void remote_clock_init(RemoteClock *c, QEMUClockType type, QEMUTimerCB *fired,
                       void *opaque)
{
    c->type = type;
    c->timer = timer_new_ns(type, remote_clock_fired, c);
    c->fired = fired;
    c->opaque = opaque;
    c->seen = qemu_clock_get_ns(type);
    c->due = INT64_MAX;
    c->now = REMOTE_CLOCK_START;
}

void remote_clock_fini(RemoteClock *c)
{
    timer_free(c->timer);
}

/* Have the timer fire at @at, or not at all if that is INT64_MAX. */
void remote_clock_alarm(RemoteClock *c, int64_t at)
{
    c->due = at == INT64_MAX ? INT64_MAX : c->seen + (at - c->now);
    if (at != INT64_MAX) {
        timer_mod(c->timer, c->due);
        return;
    }
    c->away = false;            /* nothing waits that has to come to pass */
    if (timer_pending(c->timer)) {      /* else save the lock */
        timer_del(c->timer);
    }
}
