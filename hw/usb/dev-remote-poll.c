/*
 * USB device whose other end is a program: endpoints in NAK mode
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A poll of the guest's makes a request and is answered NAK, as are the
 * polls after it; the first one after the peer's answer fetches it.  There
 * is one request of an endpoint at a time, so an idle endpoint costs nothing
 * but the host controller's own polls.
 */

#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "dev-remote.h"
#include "trace.h"

/* Why no request of @length bytes can be made on @ep now, or NONE. */
static RemotePollState remote_obstacle(USBRemoteState *s, RemoteEndpoint *ep,
                                       uint32_t length)
{
    RemoteRequest *r;

    if (s->plug != REMOTE_IN) {
        return REMOTE_POLL_GONE;
    }
    if (ep->retry_at) {
        return REMOTE_POLL_BACKOFF;
    }
    QTAILQ_FOREACH(r, &ep->requests, next) {
        if (r->cancel) {
            return REMOTE_POLL_ASKED;
        }
    }
    if (!remote_may_poll(s, ep, length)) {
        s->starved = true;
        return REMOTE_POLL_STARVED;
    }
    return REMOTE_POLL_NONE;
}

/* The packet is told NAK, and @r is what it waits for. */
static RemotePollState remote_asked(USBRemoteState *s, RemoteEndpoint *ep,
                                    RemoteRequest *r)
{
    if (!r) {
        remote_back_off(s, ep, REMOTE_RETRY_NS);    /* there is no memory */
        return REMOTE_POLL_BACKOFF;
    }
    remote_schedule(s);
    return REMOTE_POLL_ASKED;
}

/*
 * Make a request of @p, without the beginning that @rest stands for, if any;
 * returns why @p is told NAK.
 */
static RemotePollState remote_ask(USBRemoteState *s, RemoteEndpoint *ep,
                                  USBPacket *p, RemoteRequest *rest)
{
    size_t done = rest ? rest->done : 0;
    uint32_t size = usb_packet_size(p) - done;
    bool out = !remote_ep_is_in(ep);
    RemotePollState why = remote_obstacle(s, ep, size);
    RemoteRequest *r;

    if (why != REMOTE_POLL_NONE) {
        return why;
    }
    r = remote_request_new(s, ep, p, done, size, out);
    if (r) {
        r->short_not_ok = p->short_not_ok;
    }
    if (r && out) {
        iov_to_buf(p->iov.iov, p->iov.niov, done, r->data, size);
    }
    if (r && rest) {
        remote_request_free(s, rest);
    }
    return remote_asked(s, ep, r);
}

/* @p is told NAK: the controller keeps it and tries again later. */
static void remote_nak(USBRemoteState *s, RemoteEndpoint *ep, USBPacket *p,
                       RemotePollState why)
{
    p->status = USB_RET_NAK;
    ep->poll = why;
    remote_set_busy(s, ep);
}

/* @p is over. */
static void remote_polled(USBRemoteState *s, RemoteEndpoint *ep, USBPacket *p,
                          int status, size_t actual)
{
    p->status = status;
    p->actual_length = actual;
    ep->poll = REMOTE_POLL_NONE;
    remote_settle(s, p);
    if (s->plug == REMOTE_LEAVING) {
        remote_schedule(s);
    }
    remote_guest_saw(s, ep, status);
}

void remote_poll_in(USBRemoteState *s, RemoteEndpoint *ep, USBPacket *p)
{
    RemoteRequest *r = QTAILQ_FIRST(&ep->requests);
    size_t progress = 0;

    ep->orphan_at = 0;
    if (r && r->state == REMOTE_DONE) {
        int status = remote_take(s, ep, p, &progress);

        /* A poll has no memory: what is there is all of the packet. */
        remote_polled(s, ep, p, status == USB_RET_ASYNC ? USB_RET_SUCCESS
                                                        : status, progress);
    } else if (r && !r->cancel) {
        remote_match_in(s, ep, 0, usb_packet_size(p));
        remote_nak(s, ep, p, REMOTE_POLL_ASKED);
    } else {
        remote_nak(s, ep, p, remote_ask(s, ep, p, NULL));
    }
}

/*
 * A packet like that of @r is polled for, which the guest had given up: is it
 * that one, or a new one?  It cannot be known.  It is asked for again and said
 * to be so (RETRY), but for what the peer says that it has consumed when it
 * takes @r back.  Returns whether @r is waited for.
 */
static bool remote_resume_poll(USBRemoteState *s, RemoteEndpoint *ep,
                               RemoteRequest *r)
{
    if (r->state == REMOTE_DONE && !r->stands_in) {
        ep->retry = true;
        ep->retry_id = r->hcd_id;
        return false;
    }
    remote_request_cancel(r);
    remote_schedule(s);
    return true;
}

/* The request that @p made when it was polled before, abandoning others. */
static RemoteRequest *remote_find_poll(USBRemoteState *s, RemoteEndpoint *ep,
                                       USBPacket *p)
{
    RemoteRequest *r, *next, *found = NULL;
    bool given_up = ep->n_live && !ep->polled_at;

    ep->polled_at = remote_now(s);
    ep->orphan_at = 0;
    QTAILQ_FOREACH_SAFE(r, &ep->requests, next, next) {
        if (r->discard) {
            continue;
        }
        if (!found && remote_request_matches(r, p) &&
            (!given_up || remote_resume_poll(s, ep, r))) {
            found = r;
        } else {
            remote_abandon(s, r);
        }
    }
    return found;
}

void remote_poll_out(USBRemoteState *s, RemoteEndpoint *ep,
                     USBPacket *p)
{
    RemoteRequest *r = remote_find_poll(s, ep, p);
    int status;
    size_t actual;

    if (r && r->state == REMOTE_DONE && !r->stands_in) {
        status = r->status;
        actual = r->done + r->actual;
        remote_request_free(s, r);
        remote_polled(s, ep, p, status, actual);
    } else if (r && !r->stands_in) {
        remote_nak(s, ep, p, REMOTE_POLL_ASKED);
    } else {
        remote_nak(s, ep, p, remote_ask(s, ep, p, r));
    }
}

/*
 * The controller has let go of the packet that it was told NAK for.  The guest
 * may have given it up: xHCI stops endpoints to take one packet out, UHCI and
 * EHCI forget what they have not seen for a while, be it that it is polled
 * seldom.  So what was asked has the grace of an orphan, which a poll ends.
 */
void remote_handle_stopped(USBRemoteState *s, USBEndpoint *uep)
{
    uint8_t in = uep->pid == USB_TOKEN_IN ? USB_DIR_IN : 0;
    RemoteEndpoint *ep = remote_ep(s, uep->nr | in);

    if (!remote_is_polled(ep)) {
        return;
    }
    trace_usb_remote_poll_stopped(remote_name(s), ep->address);
    ep->poll = REMOTE_POLL_NONE;
    if (!QTAILQ_EMPTY(&ep->requests)) {
        ep->orphan_at = remote_now(s) + REMOTE_ORPHAN_NS;
        if (remote_bus_has(s, USB_BUS_POLLS)) {
            ep->orphan_at += remote_interval_ns(s, ep);
        }
        remote_schedule(s);
    }
}

/*
 * The peer has gone at @since.  Until when the guest's polls may take to fetch
 * what was answered before, or 0 if there is nothing: a service interval.
 */
int64_t remote_fetch_time(USBRemoteState *s, int64_t since)
{
    int64_t end = 0;
    unsigned i;

    REMOTE_FOREACH_BUSY(s, i) {
        RemoteEndpoint *ep = &s->eps[i];

        if (remote_is_polled(ep) && !QTAILQ_EMPTY(&ep->requests)) {
            end = MAX(end, since + remote_interval_ns(s, ep) +
                           REMOTE_SETTLE_NS);
        }
    }
    return end;
}
