/*
 * USB device whose other end is a program: packets of the host controller
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Packets that are answered ASYNC: keeping them, making requests of them,
 * and completing them in the guest's order whatever the peer's is.  The core
 * asserts that order, and that nothing but ASYNC or ADD_TO_QUEUE is answered
 * while an endpoint has packets in flight.
 */

#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "dev-remote.h"
#include "trace.h"

/*
 * Keep @p until it is completed or cancelled.  @status is USB_RET_ASYNC, or
 * what remote_deliver() is to complete it with.
 */
void remote_hold(USBRemoteState *s, USBPacket *p, int status, bool silent)
{
    RemoteEndpoint *ep = remote_packet_ep(s, p);
    RemotePacket *rp = remote_spare_packet(s);

    rp->packet = p;
    rp->status = status;
    rp->silent = silent;
    QTAILQ_INSERT_TAIL(&ep->packets, rp, next);
    ep->n_packets++;
    remote_set_busy(s, ep);
    p->status = USB_RET_ASYNC;
    /*
     * What @p asks for is sent without a bottom half at the end of
     * remote_run(), and by flush_ep_queue where each packet is followed by
     * it, but if xHCI has just died; then the guest has to reset it.
     */
    if (status != USB_RET_ASYNC ||
        !(s->in_run || remote_bus_has(s, USB_BUS_FLUSHES))) {
        remote_schedule(s);
    }
}

static void remote_packet_free(USBRemoteState *s, RemoteEndpoint *ep,
                               RemotePacket *rp)
{
    if (rp == ep->asked || rp != QTAILQ_FIRST(&ep->packets)) {
        remote_rewind(ep);
    } else if (ep->n_asked) {
        ep->n_asked--;
    }
    QTAILQ_REMOVE(&ep->packets, rp, next);
    ep->n_packets--;
    remote_spare_put_packet(s, rp);
}

/*
 * @p ends, but that does not mean that the guest has it: controllers that poll
 * hand it on in their own time, and a control transfer has stages to go.
 */
void remote_settle(USBRemoteState *s, USBPacket *p)
{
    int64_t now, at;

    if (!remote_bus_has(s, USB_BUS_POLLS)) {
        return;
    }
    now = remote_now(s);
    at = MAX(s->settled_at, now + REMOTE_SETTLE_NS) +
         p->actual_length * (int64_t)REMOTE_FRAME_NS / REMOTE_FRAME_BYTES;
    s->settled_at = MIN(at, now + REMOTE_SETTLE_MAX_NS);
    if (p->ep->nr == 0) {
        s->stages = p->status == USB_RET_SUCCESS &&
                    (USB_DEVICE(s)->setup_buf[0] & USB_DIR_IN);
    }
}

/*
 * Hand the oldest packet of @ep back to the host controller.  It may submit,
 * cancel and complete others before this returns.
 */
static void remote_finish(USBRemoteState *s, RemoteEndpoint *ep, int status,
                          size_t actual)
{
    RemotePacket *rp = QTAILQ_FIRST(&ep->packets);
    USBPacket *p = rp->packet;

    remote_packet_free(s, ep, rp);
    p->status = status;
    p->actual_length = actual;
    remote_settle(s, p);
    trace_usb_remote_packet_done(remote_name(s), ep->address, p->id, status,
                                 actual);
    if (remote_is_control(ep)) {
        usb_generic_async_ctrl_complete(USB_DEVICE(s), p);
    } else {
        usb_packet_complete(USB_DEVICE(s), p);
        remote_guest_saw(s, ep, status);
    }
}

/* Fail what @ep has now; what comes in meanwhile is left alone. */
void remote_fail_packets(USBRemoteState *s, RemoteEndpoint *ep, int status)
{
    unsigned n = ep->n_packets;

    while (n-- && !QTAILQ_EMPTY(&ep->packets)) {
        remote_finish(s, ep, status, 0);
    }
}

/* Have remote_deliver() complete all packets of @ep with @status. */
void remote_mark_packets(RemoteEndpoint *ep, int status)
{
    RemotePacket *rp;

    QTAILQ_FOREACH(rp, &ep->packets, next) {
        remote_unask(ep, rp);
        rp->silent = false;
        rp->status = status;
    }
}

/* OUT and control: a request belongs to a packet */

static void remote_take_orphan(USBRemoteState *s, RemotePacket *rp,
                               RemoteRequest *r)
{
    s->stats.adopted++;
    trace_usb_remote_adopt(remote_name(s), r->ep->address, r->id);
    rp->progress = r->done;
    rp->tail_length = r->tail_length;
    rp->tail_crc = r->tail_crc;
    remote_set_orphan(r, false);
    remote_schedule(s);         /* it may have been answered meanwhile */
    if (r->stands_in) {
        remote_request_free(s, r);
    } else {
        rp->request = r;
    }
}

/* Give @rp the orphan that it left, and abandon those that stayed away. */
static void remote_adopt(USBRemoteState *s, RemoteEndpoint *ep,
                         RemotePacket *rp)
{
    RemoteRequest *r, *next, *found;

    if (!ep->n_orphans) {
        return;
    }
    QTAILQ_FOREACH(found, &ep->requests, next) {
        if (found->orphan && remote_request_matches(found, rp->packet)) {
            break;
        }
    }
    QTAILQ_FOREACH_SAFE(r, &ep->requests, next, next) {
        if (r == found) {
            break;
        }
        if (r->orphan) {
            remote_abandon(s, r);
        }
    }
    if (found) {
        remote_take_orphan(s, rp, found);
    }
}

/* The first packet of @ep that can be asked for now, or NULL. */
static RemotePacket *remote_next_packet(RemoteEndpoint *ep)
{
    RemotePacket *rp = ep->asked ?: QTAILQ_FIRST(&ep->packets);

    while (rp && rp->request && !rp->request->more) {
        ep->asked = rp;
        rp = QTAILQ_NEXT(rp, next);
    }
    return rp && !rp->request && !rp->silent && rp->status == USB_RET_ASYNC ?
           rp : NULL;
}

static bool remote_submit_control(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemotePacket *rp = remote_next_packet(ep);
    RemoteRequest *r;

    if (!rp) {
        return false;
    }
    r = remote_control_new(s, rp->packet);
    if (!r) {
        remote_back_off(s, ep, REMOTE_RETRY_NS);    /* there is no memory */
        return false;
    }
    r->retry = rp->retry;
    rp->retry = false;
    rp->request = r;
    remote_send_submit(s, r);
    return true;
}

/* Returns whether the oldest packet of @ep was completed. */
static bool remote_deliver_control(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemotePacket *rp = QTAILQ_FIRST(&ep->packets);
    RemoteRequest *r = rp->request;
    size_t actual;
    int status;

    if (!r || r->state != REMOTE_DONE) {
        return false;
    }
    /*
     * The new endpoint table has to be in force when the guest learns that
     * its request was carried out.  Failing packets of other endpoints for
     * it may make the host controller cancel this one.
     */
    remote_table_snoop(s, r);
    rp = QTAILQ_FIRST(&ep->packets);
    if (!rp || rp->request != r) {
        return true;
    }
    actual = remote_control_result(s, r, rp->packet);
    status = r->status;
    remote_request_free(s, r);
    remote_finish(s, ep, status, actual);
    return true;
}

static bool remote_deliver_out(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemotePacket *rp = QTAILQ_FIRST(&ep->packets);
    RemoteRequest *r = rp->request;
    size_t actual;
    int status;

    if (!r || r->state != REMOTE_DONE) {
        return false;
    }
    status = r->status;
    if (status == USB_RET_SUCCESS && r->actual == r->length && r->more) {
        /* remote_run() ends with asking for the next piece. */
        remote_add_progress(rp, r, r->actual);
        remote_request_free(s, r);
        remote_unask(ep, rp);
        return false;
    }
    actual = rp->progress + r->actual;
    remote_request_free(s, r);
    remote_finish(s, ep, status, actual);
    return true;
}

/* IN: answered requests are a stream that packets take from */

/*
 * A packet of another size than the request that is to fill it: take that
 * one and those after it back, as far as they are not answered.
 */
void remote_match_in(USBRemoteState *s, RemoteEndpoint *ep,
                     unsigned index, size_t size)
{
    RemoteRequest *r;
    bool differs = false;

    if (ep->n_live <= index) {
        return;
    }
    QTAILQ_FOREACH(r, &ep->requests, next) {
        if (r->discard || index) {
            index -= !r->discard;
            continue;
        }
        if (r->state == REMOTE_SENT) {
            differs |= r->size != size;
            if (differs) {
                remote_request_cancel(r);
            }
        }
    }
    if (differs) {
        remote_schedule(s);
    }
}

static RemotePacket *remote_packet_after(RemoteEndpoint *ep, RemotePacket *rp)
{
    return rp ? QTAILQ_NEXT(rp, next) : QTAILQ_FIRST(&ep->packets);
}

/*
 * The first packet that no request is there for, or NULL.  Those before it
 * have one each; if the last of these was only a piece, its others come first.
 * Here requests are discarded all at once, so those that are live come last.
 */
static RemotePacket *remote_next_in(RemoteEndpoint *ep)
{
    RemotePacket *rp = ep->asked;
    unsigned n = ep->n_asked;

    if (ep->n_live >= ep->n_packets ||
        (ep->n_live && QTAILQ_LAST(&ep->requests)->more)) {
        return NULL;
    }
    for (; n > ep->n_live; n--) {
        rp = QTAILQ_PREV(rp, next);
    }
    for (; n < ep->n_live; n++) {
        rp = remote_packet_after(ep, rp);
    }
    ep->asked = rp;
    ep->n_asked = n;
    rp = remote_packet_after(ep, rp);   /* there is one: n_live < n_packets */
    return rp->status == USB_RET_ASYNC ? rp : NULL;
}

/* Bytes of @r that fit into @room: whole packets, if not all of them. */
static size_t remote_fitting(RemoteEndpoint *ep, RemoteRequest *r, size_t room)
{
    size_t left = r->actual - r->taken;

    return left <= room ? left : room - room % ep->max_packet;
}

/*
 * Did @r end with a short or a zero-length packet?  Its own packet may have
 * asked for no more, but another one that takes the data has to end too.
 */
static bool remote_ends_short(RemoteEndpoint *ep, RemoteRequest *r)
{
    return r->actual < r->length || r->actual % ep->max_packet ||
           r->actual == 0;
}

/*
 * Fill @p from @*progress on with what was answered.  Returns how the packet
 * ends, or USB_RET_ASYNC if more has to come.
 */
int remote_take(USBRemoteState *s, RemoteEndpoint *ep, USBPacket *p,
                size_t *progress)
{
    size_t size = usb_packet_size(p);
    RemoteRequest *r = QTAILQ_FIRST(&ep->requests);
    int status = USB_RET_ASYNC;

    while (status == USB_RET_ASYNC && r && r->state == REMOTE_DONE) {
        size_t n = remote_fitting(ep, r, size - *progress);
        bool babble = !n && r->taken < r->actual && !*progress;

        n = babble ? size : n;
        if (n) {        /* an answer of no bytes has no data */
            iov_from_buf(p->iov.iov, p->iov.niov, *progress,
                         r->data + r->taken, n);
        }
        *progress += n;
        s->stats.bytes_in += n;
        r->taken += babble ? MIN(ep->max_packet, r->actual - r->taken) : n;
        if (babble) {
            status = USB_RET_BABBLE;
        } else if (r->taken < r->actual) {
            status = USB_RET_SUCCESS;
        } else if (r->status != USB_RET_SUCCESS || *progress == size ||
                   remote_ends_short(ep, r)) {
            status = r->status;
        }
        if (r->taken == r->actual) {
            remote_request_free(s, r);
        }
        r = QTAILQ_FIRST(&ep->requests);
    }
    return status;
}

static bool remote_deliver_in(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemotePacket *rp = QTAILQ_FIRST(&ep->packets);
    size_t progress = rp->progress;
    int status = remote_take(s, ep, rp->packet, &progress);

    if (status == USB_RET_ASYNC) {
        rp->progress = progress;
        return false;
    }
    remote_finish(s, ep, status, progress);
    return true;
}

/* From the USB core */

void remote_handle_control(USBRemoteState *s, USBPacket *p)
{
    s->stages = false;
    if (p->stream || USB_DEVICE(s)->setup_len > s->conn.limits.max_control) {
        p->status = USB_RET_STALL;
    } else if (!remote_on_bus(s)) {
        p->status = USB_RET_NODEV;
    } else {
        remote_hold(s, p, USB_RET_ASYNC, false);
    }
}

/*
 * The host controllers take no ASYNC for isochronous packets, and a stall is
 * noise for some.  IN has no data; OUT is gone.
 */
static void remote_handle_iso(USBPacket *p)
{
    p->status = USB_RET_SUCCESS;
    p->actual_length = p->pid == USB_TOKEN_IN ? 0 :
                       MIN(usb_packet_size(p), INT_MAX);
}

/* Does core have to hold @p back behind an earlier packet? */
static bool remote_must_queue(RemoteEndpoint *ep, USBPacket *p)
{
    USBPacket *core = QTAILQ_LAST(&p->ep->queue);
    RemotePacket *last = QTAILQ_LAST(&ep->packets);

    return (core && core->state == USB_PACKET_QUEUED) ||
           (last && last->packet->short_not_ok) ||
           ep->n_packets >= REMOTE_HOLD_MAX;
}

/* A packet that was cancelled between pieces goes on where it was. */
static void remote_continue_in(RemoteEndpoint *ep, RemotePacket *rp)
{
    USBPacket *p = rp->packet;

    if (ep->n_packets == 1 && ep->partial_size &&
        ep->partial_size == usb_packet_size(p) &&
        remote_same_id(ep->partial_id, p->id)) {
        rp->progress = ep->partial_progress;
    }
    ep->partial_size = 0;
}

/* What came late for another packet may be all that a new one waits for. */
static void remote_schedule_late_in(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemoteRequest *r = QTAILQ_FIRST(&ep->requests);

    if (r && r->state == REMOTE_DONE) {
        remote_schedule(s);
    }
}

static void remote_hold_data(USBRemoteState *s, RemoteEndpoint *ep,
                             USBPacket *p)
{
    size_t size = usb_packet_size(p);
    unsigned index = ep->n_packets;

    if (p->state == USB_PACKET_SETUP && remote_must_queue(ep, p)) {
        p->status = USB_RET_ADD_TO_QUEUE;
    } else if (!remote_on_bus(s)) {
        remote_hold(s, p, USB_RET_NODEV, false);
    } else if (size > INT_MAX) {
        remote_hold(s, p, USB_RET_IOERROR, false);
    } else {
        remote_hold(s, p, USB_RET_ASYNC, false);
        if (remote_ep_is_in(ep)) {
            remote_continue_in(ep, QTAILQ_LAST(&ep->packets));
            remote_match_in(s, ep, index, size);
            remote_schedule_late_in(s, ep);
        } else {
            remote_adopt(s, ep, QTAILQ_LAST(&ep->packets));
        }
    }
}

void remote_handle_data(USBRemoteState *s, USBPacket *p)
{
    RemoteEndpoint *ep = remote_packet_ep(s, p);

    if (p->stream) {
        p->status = USB_RET_STALL;      /* none were ever allocated */
    } else if (ep->type == USB_ENDPOINT_XFER_ISOC) {
        remote_handle_iso(p);
    } else if (!remote_is_polled(ep)) {
        remote_hold_data(s, ep, p);
    } else if (!remote_on_bus(s)) {
        p->status = USB_RET_NODEV;
    } else if (p->state == USB_PACKET_QUEUED ||
               usb_packet_size(p) > s->conn.limits.max_payload) {
        p->status = USB_RET_IOERROR;    /* replayed packets take no NAK */
    } else if (remote_ep_is_in(ep)) {
        remote_poll_in(s, ep, p);
    } else {
        remote_poll_out(s, ep, p);
    }
}

void remote_handle_cancel(USBRemoteState *s, USBPacket *p)
{
    RemoteEndpoint *ep = remote_packet_ep(s, p);
    RemotePacket *rp;

    QTAILQ_FOREACH(rp, &ep->packets, next) {
        if (rp->packet == p) {
            break;
        }
    }
    if (!rp) {
        return;
    }
    trace_usb_remote_packet_cancel(remote_name(s), ep->address, p->id);
    if (remote_ep_is_in(ep) && rp->progress) {
        ep->partial_id = p->id;
        ep->partial_size = usb_packet_size(p);
        ep->partial_progress = rp->progress;
    }
    if (rp->request && remote_is_control(ep)) {
        remote_abandon(s, rp->request);
    } else if (rp->request) {
        remote_set_orphan(rp->request, true);
    } else if (rp->progress && !remote_ep_is_in(ep)) {
        remote_leave_progress(s, ep, rp);
    }
    if (rp->retry) {
        ep->retry_at = 0;   /* what was to be repeated is gone */
    }
    if (!remote_is_control(ep) &&
        (!QTAILQ_EMPTY(&ep->requests) || ep->partial_size)) {
        ep->orphan_at = remote_now(s) + REMOTE_ORPHAN_NS;
    }
    remote_packet_free(s, ep, rp);
    remote_schedule(s);
}

/* Sending and delivering */

/* One request for a packet of a bulk endpoint, or for a piece of it. */
static bool remote_submit_data(USBRemoteState *s, RemoteEndpoint *ep)
{
    bool in = remote_ep_is_in(ep);
    RemotePacket *rp = in ? remote_next_in(ep) : remote_next_packet(ep);
    RemoteRequest *r;
    int64_t length;

    if (!rp) {
        return false;
    }
    length = remote_piece(s, ep, usb_packet_size(rp->packet) - rp->progress);
    if (length < 0) {
        return false;
    }
    r = remote_request_new(s, ep, rp->packet, rp->progress, length, !in);
    if (!r) {
        remote_back_off(s, ep, REMOTE_RETRY_NS);    /* there is no memory */
        return false;
    }
    if (!in) {
        iov_to_buf(rp->packet->iov.iov, rp->packet->iov.niov, rp->progress,
                   r->data, length);
        rp->request = r;
    }
    r->more = rp->progress + length < r->size;
    r->short_not_ok = rp->packet->short_not_ok;
    r->retry |= rp->retry;
    rp->retry = false;
    remote_send_submit(s, r);
    return true;
}

/* Send at most one SUBMIT of @ep; returns whether there was one. */
static bool remote_submit(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemoteRequest *r;

    if (remote_is_polled(ep)) {
        r = QTAILQ_LAST(&ep->requests);
        if (r && r->state == REMOTE_WAITING) {
            remote_send_submit(s, r);
            return true;
        }
        return false;
    }
    if (ep->n_cancelled || ep->retry_at || QTAILQ_EMPTY(&ep->packets)) {
        return false;
    }
    return remote_is_control(ep) ? remote_submit_control(s, ep)
                                 : remote_submit_data(s, ep);
}

/* The endpoint whose turn it is to send, or NULL. */
static RemoteEndpoint *remote_next_turn(USBRemoteState *s)
{
    unsigned i = remote_next_busy(s, s->next_ep);

    if (i == REMOTE_ENDPOINTS) {
        i = remote_next_busy(s, 0);
    }
    if (i == REMOTE_ENDPOINTS) {
        return NULL;
    }
    s->next_ep = i + 1;     /* perhaps beyond the last: then none is there */
    return &s->eps[i];
}

/* Fill the send buffer, one request of each endpoint in turn. */
void remote_fill(USBRemoteState *s)
{
    RemoteEndpoint *ep, *idle = NULL;   /* the first that had nothing */
    unsigned i;

    if (s->plug != REMOTE_IN) {
        return;
    }
    /*
     * First, for what the guest queued after it took a transfer back: the
     * peer must not have time to carry that out.
     */
    REMOTE_FOREACH_BUSY(s, i) {
        remote_send_cancels(s, &s->eps[i]);
    }
    while (remote_conn_room(s)) {
        ep = remote_next_turn(s);
        if (!ep || ep == idle) {
            break;
        }
        if (remote_submit(s, ep)) {
            idle = NULL;
        } else if (!idle) {
            idle = ep;
        }
    }
}

/* Returns whether a packet of @ep was completed. */
static bool remote_deliver_one(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemotePacket *rp = QTAILQ_FIRST(&ep->packets);

    if (!rp || rp->silent) {
        return false;
    }
    if (rp->status != USB_RET_ASYNC) {
        remote_finish(s, ep, rp->status, 0);
        return true;
    }
    return remote_is_control(ep) ? remote_deliver_control(s, ep) :
           remote_ep_is_in(ep) ? remote_deliver_in(s, ep) :
           remote_deliver_out(s, ep);
}

/*
 * Have the host controller poll @ep again; xHCI does not on its own after a
 * NAK.  usb_wakeup() would signal remote wakeup too, and that is the peer's
 * to ask for.
 */
static void remote_wake(USBRemoteState *s, RemoteEndpoint *ep)
{
    USBDevice *udev = USB_DEVICE(s);
    USBBus *bus = usb_bus_from_device(udev);
    int pid = remote_ep_is_in(ep) ? USB_TOKEN_IN : USB_TOKEN_OUT;

    if (bus->ops->wakeup_endpoint) {
        bus->ops->wakeup_endpoint(bus, usb_ep_get(udev, pid,
                                                  ep->address & 0x0f), 0);
    }
}

/*
 * Complete all packets of @ep that can be.  Whatever the host controller
 * queues meanwhile is served by a later call, so that a guest cannot keep
 * this one busy for ever.
 */
void remote_deliver_endpoint(USBRemoteState *s, RemoteEndpoint *ep)
{
    unsigned n = ep->n_packets;

    while (n && remote_deliver_one(s, ep)) {
        n--;
    }
}

/* Complete all packets that can be, and wake endpoints. */
void remote_deliver(USBRemoteState *s)
{
    bool freed = s->credit_freed;
    unsigned i;

    s->credit_freed = false;
    s->starved &= !freed;
    REMOTE_FOREACH_BUSY(s, i) {
        RemoteEndpoint *ep = &s->eps[i];

        remote_deliver_endpoint(s, ep);
        if (ep->poll == REMOTE_POLL_STARVED && freed) {
            ep->poll = REMOTE_POLL_AGAIN;
        }
        if (ep->poll == REMOTE_POLL_AGAIN && remote_on_bus(s)) {
            ep->poll = REMOTE_POLL_NONE;
            remote_wake(s, ep);
        }
    }
    if (s->starved && s->credit_freed) {
        remote_schedule(s);
    }
}

/*
 * Until when the guest may take to read the data stage that endpoint 0 has for
 * it, or 0.  The slowest has one packet of 8 bytes in each frame.
 */
static int64_t remote_stages_time(USBRemoteState *s, int64_t since)
{
    USBDevice *udev = USB_DEVICE(s);
    int64_t now = remote_now(s), end;

    if (!s->stages || udev->setup_index >= udev->setup_len) {
        return 0;
    }
    end = since + (udev->setup_len / 8 + 1) * REMOTE_FRAME_NS;
    if (now < end) {        /* else the guest has left it unread */
        s->settled_at = MAX(s->settled_at, now + REMOTE_SETTLE_NS);
    }
    return end;
}

/*
 * The peer has gone at @since.  When to look again whether the guest has what
 * was answered before, or 0 if that is so, or if it had the time for it.
 */
int64_t remote_last_words(USBRemoteState *s, int64_t since)
{
    int64_t now = remote_now(s);
    int64_t end = MAX(remote_fetch_time(s, since),
                      remote_stages_time(s, since));

    if (now < end) {
        return MIN(end, now + REMOTE_FRAME_NS);
    }
    return now < s->settled_at ? s->settled_at : 0;
}
