/*
 * USB device whose other end is a program: what the log says of peers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A peer can be wrong as often as it can connect.  It must not be able to fill
 * a disk with that, nor to hide what others have done: of each stretch of time
 * the first lines are shown, and the others are counted.
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "dev-remote.h"

#define REMOTE_LOG_LINES    20
#define REMOTE_LOG_MS       10000   /* real time */

static void remote_log_count(void *opaque)
{
    USBRemoteState *s = opaque;

    if (s->log.left_out) {
        error_report("usb-remote '%s': %" PRIu64 " more lines about the peer "
                     "were left out", remote_name(s), s->log.left_out);
    }
    s->log.left_out = 0;
}

void remote_log_init(USBRemoteState *s)
{
    s->log.timer = timer_new_ms(QEMU_CLOCK_REALTIME, remote_log_count, s);
}

void remote_log_fini(USBRemoteState *s)
{
    remote_log_count(s);
    timer_free(s->log.timer);
}

/* As error_report(), for what a peer can cause. */
void remote_report(USBRemoteState *s, const char *fmt, ...)
{
    RemoteLog *log = &s->log;
    va_list ap;

    if (!timer_pending(log->timer)) {
        log->lines = 0;
        timer_mod(log->timer,
                  qemu_clock_get_ms(QEMU_CLOCK_REALTIME) + REMOTE_LOG_MS);
    }
    if (log->lines == REMOTE_LOG_LINES) {
        log->left_out++;
        return;
    }
    log->lines++;
    va_start(ap, fmt);
    error_vreport(fmt, ap);
    va_end(ap);
}
