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

/*
 * May a request be made on @ep now?  If not, the packet is answered NAK; the
 * endpoint is woken when that has changed, as xHCI does not poll.
 */
static bool remote_may_ask(USBRemoteState *s, RemoteEndpoint *ep,
                           uint32_t length)
{
    RemoteRequest *r;

    if (ep->retry_at) {
        return false;
    }
    QTAILQ_FOREACH(r, &ep->requests, next) {
        if (r->cancel) {
            return false;
        }
    }
    if (!remote_may_poll(s, ep, length)) {
        ep->starved = true;
        s->starved = true;
        remote_set_busy(s, ep);
        return false;
    }
    return true;
}

void remote_poll_in(USBRemoteState *s, RemoteEndpoint *ep, USBPacket *p)
{
    uint32_t size = usb_packet_size(p);
    RemoteRequest *r = QTAILQ_FIRST(&ep->requests);
    size_t progress = 0;

    p->status = USB_RET_NAK;
    if (r && r->state == REMOTE_DONE) {
        int status = remote_take(s, ep, p, &progress);

        /* A poll has no memory: what is there is all of the packet. */
        p->status = status == USB_RET_ASYNC ? USB_RET_SUCCESS : status;
        p->actual_length = progress;
        remote_guest_saw(s, ep, p->status);
    } else if (r && !r->cancel) {
        remote_match_in(s, ep, 0, size);
    } else if (remote_may_ask(s, ep, size)) {
        r = remote_request_new(s, ep, p, 0, size, false);
        if (r) {
            r->short_not_ok = p->short_not_ok;
            remote_schedule(s);
        }
    }
}

/*
 * Has the guest stopped polling since the last time?  The core does not say
 * so, but then an answer is of no use to a transfer that looks the same.
 * xHCI polls when woken only, so there nothing can be told from the time.
 */
static bool remote_poll_lost(USBRemoteState *s, RemoteEndpoint *ep)
{
    int64_t now = remote_now(s);
    int64_t gap = now - ep->polled_at;

    ep->polled_at = now;
    return remote_bus_has(s, USB_BUS_POLLS) &&
           gap > REMOTE_POLL_LOST_NS + 2 * remote_interval_ns(s, ep);
}

/* The request that @p made when it was polled before, abandoning others. */
static RemoteRequest *remote_find_poll(USBRemoteState *s, RemoteEndpoint *ep,
                                       USBPacket *p)
{
    USBDevice *udev = USB_DEVICE(s);
    RemoteRequest *r, *next, *found = NULL;
    bool lost = remote_poll_lost(s, ep);
    bool same;

    QTAILQ_FOREACH_SAFE(r, &ep->requests, next, next) {
        if (r->discard) {
            continue;
        }
        if (!remote_is_control(ep)) {
            same = remote_request_matches(r, p);
        } else {
            same = remote_same_id(r->hcd_id, p->id) &&
                   !memcmp(r->setup, udev->setup_buf, sizeof(r->setup)) &&
                   (!r->data || (r->setup[0] & USB_DIR_IN) ||
                    !memcmp(r->data, udev->data_buf, r->length));
        }
        if (same && !found && !lost) {
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
    uint32_t size = usb_packet_size(p);
    RemoteRequest *r = remote_find_poll(s, ep, p);

    p->status = USB_RET_NAK;
    if (r && r->state == REMOTE_DONE) {
        p->status = r->status;
        p->actual_length = r->actual;
        remote_request_free(s, r);
        remote_guest_saw(s, ep, p->status);
    } else if (!r && remote_may_ask(s, ep, size)) {
        r = remote_request_new(s, ep, p, 0, size, true);
        if (r) {
            iov_to_buf(p->iov.iov, p->iov.niov, 0, r->data, size);
            r->short_not_ok = p->short_not_ok;
            remote_schedule(s);
        }
    }
}

void remote_poll_control(USBRemoteState *s, RemoteEndpoint *ep,
                         USBPacket *p)
{
    RemoteRequest *r = remote_find_poll(s, ep, p);

    p->status = USB_RET_NAK;
    if (r && r->state == REMOTE_DONE) {
        /* Nothing is held in NAK mode, so this completes no packets. */
        remote_table_snoop(s, r);
        p->actual_length = remote_control_result(s, r, p);
        p->status = r->status;
        remote_request_free(s, r);
    } else if (!r && remote_may_ask(s, ep, 0)) {
        if (remote_control_new(s, p)) {
            remote_schedule(s);
        }
    }
}
