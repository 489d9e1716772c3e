/*
 * USB device whose other end is a program: packets and requests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A packet is what the host controller hands over, a request is one SUBMIT
 * and its COMPLETE.  What becomes of each:
 *
 *   event            packet                     request that was sent
 *   ---------------  -------------------------  ------------------------------
 *   COMPLETE         completed, in the order    freed when its last byte went
 *                    of the guest's queue       to a packet
 *   nak              kept                       freed; asked again on READY or
 *                                               after a service interval
 *   cancel, control  gone                       CANCEL; the answer is dropped
 *   cancel, OUT      gone                       waits for the packet to come
 *                                               back, then CANCEL
 *   cancel, IN       gone                       as OUT; data that came is kept
 *                                               for the next packets
 *   CLEAR_HALT       asked again                CANCEL; the answer is dropped
 *   configuration    fails with IOERROR         CANCEL; the answer is dropped
 *   bus reset        fails with IOERROR         forgotten
 *   detach, lost     cancelled by the host      forgotten
 *   connection       controller
 *   VM stop          waits for the VM           goes on
 *
 * Two ways to wait.  Endpoints in NAK mode (interrupt on every controller,
 * because the core accepts ASYNC only for pass-through devices there; all on
 * OHCI, which has room for a single ASYNC packet) answer every poll with NAK
 * until a request is answered, and keep no packet.  All others answer ASYNC
 * and complete the packet later.
 *
 * Host controllers cancel more than the guest gave up: xHCI, EHCI and UHCI
 * drop a whole queue when one transfer is unlinked, then bring the survivors
 * back.  So nothing is cancelled at the peer at once, except for control.
 */

#include "qemu/osdep.h"
#include "qemu/iov.h"
#include "dev-remote.h"
#include "trace.h"

static int remote_status(uint8_t status)
{
    switch (status) {
    case USB_REMOTE_STATUS_OK:
        return USB_RET_SUCCESS;
    case USB_REMOTE_STATUS_STALL:
        return USB_RET_STALL;
    case USB_REMOTE_STATUS_NAK:
        return USB_RET_NAK;
    case USB_REMOTE_STATUS_BABBLE:
        return USB_RET_BABBLE;
    case USB_REMOTE_STATUS_NODEV:
        return USB_RET_NODEV;
    default:
        /* CANCELLED without a CANCEL is a fault like any other. */
        return USB_RET_IOERROR;
    }
}

static bool remote_is_control(const RemoteEndpoint *ep)
{
    return ep->address == 0;
}

/* The service interval (USB 2.0 section 9.6.6), in virtual ns. */
static int64_t remote_interval_ns(USBRemoteState *s, const RemoteEndpoint *ep)
{
    if (ep->type != USB_ENDPOINT_XFER_INT) {
        return REMOTE_RETRY_NS;
    }
    if (USB_DEVICE(s)->speed >= USB_SPEED_HIGH) {
        return MAX((125 * SCALE_US) << (MIN(MAX(ep->interval, 1), 16) - 1),
                   REMOTE_RETRY_NS);
    }
    return MAX(ep->interval, 1) * SCALE_MS;
}

/* Requests */

/* An id is a count, so that none comes twice, above a place in slots. */
static RemoteRequest **remote_slot(USBRemoteState *s, uint64_t id)
{
    return &s->slots[id % REMOTE_SLOTS];
}

/* No answer is awaited any more; the id is not known from here on. */
static void remote_unslot(USBRemoteState *s, RemoteRequest *r)
{
    *remote_slot(s, r->id) = NULL;
    r->ep->n_sent--;
    s->n_in_flight -= !remote_is_control(r->ep);
    s->credit_freed = true;
    if (r->cancel_sent) {
        r->ep->n_cancelled--;
        s->n_cancelled--;
        s->cancel_at = s->n_cancelled ? remote_now() + REMOTE_CANCEL_NS : 0;
    }
}

static void remote_request_free(USBRemoteState *s, RemoteRequest *r)
{
    if (r->state != REMOTE_DONE) {
        remote_unslot(s, r);
    }
    if (!remote_is_control(r->ep)) {
        s->bytes -= r->length;
    }
    QTAILQ_REMOVE(&r->ep->requests, r, next);
    g_free(r->data);
    g_free(r->table);
    g_free(r);
    s->credit_freed = true;
}

/*
 * Control needs no credit, so that a device whose endpoints are all parked
 * can still be talked to.  It never has more than one request, as the next
 * one waits for the answer of one that was cancelled.
 */
static bool remote_has_credit(USBRemoteState *s, RemoteEndpoint *ep,
                              uint32_t length)
{
    const UsbRemoteLimits *l = &s->conn.limits;

    if (s->conn.state != REMOTE_OPEN) {
        return false;
    }
    return remote_is_control(ep) ||
           (s->n_in_flight < l->max_requests &&
            ep->n_sent < l->max_per_endpoint &&
            s->bytes + length <= l->max_bytes);
}

static uint64_t remote_next_id(USBRemoteState *s)
{
    /* There are more slots than credits, so one is free. */
    while (*remote_slot(s, s->next_slot)) {
        s->next_slot++;
    }
    s->next_id++;
    return s->next_id * REMOTE_SLOTS + s->next_slot++ % REMOTE_SLOTS;
}

/*
 * A new request of @length bytes for the packet @p, of which @done bytes are
 * over; NULL if there is no credit or no memory for it.
 */
static RemoteRequest *remote_request_new(USBRemoteState *s, RemoteEndpoint *ep,
                                         USBPacket *p, size_t done,
                                         uint32_t length)
{
    RemoteRequest *r;
    uint8_t *data = NULL;

    if (!remote_has_credit(s, ep, length)) {
        return NULL;
    }
    if (length && !remote_ep_is_in(ep)) {
        data = g_try_malloc(length);
        if (!data) {
            return NULL;
        }
    }
    r = g_new0(RemoteRequest, 1);
    r->ep = ep;
    r->id = remote_next_id(s);
    r->hcd_id = p->id;
    r->size = usb_packet_size(p);
    r->done = done;
    r->length = length;
    r->data = data;
    r->retry = ep->retry;
    ep->retry = false;
    *remote_slot(s, r->id) = r;
    ep->n_sent++;
    if (!remote_is_control(ep)) {
        s->n_in_flight++;
        s->bytes += length;
    }
    QTAILQ_INSERT_TAIL(&ep->requests, r, next);
    return r;
}

static void remote_send_submit(USBRemoteState *s, RemoteRequest *r)
{
    RemoteEndpoint *ep = r->ep;
    UsbRemoteSubmit m = { .endpoint = { ep->address } };
    uint16_t flags = (r->more ? USB_REMOTE_SUBMIT_MORE : 0) |
                     (r->retry ? USB_REMOTE_SUBMIT_RETRY : 0) |
                     (r->short_not_ok ? USB_REMOTE_SUBMIT_SHORT_NOT_OK : 0);
    bool in = remote_is_control(ep) ? r->setup[0] & USB_DIR_IN
                                    : remote_ep_is_in(ep);
    size_t data = in ? 0 : r->length;

    m.type[0] = remote_is_control(ep) ? USB_REMOTE_TYPE_CONTROL : ep->type;
    usb_remote_put16(m.flags, flags);
    usb_remote_put32(m.length, r->length);
    memcpy(m.setup, r->setup, sizeof(m.setup));
    r->state = REMOTE_SENT;
    s->stats.submits++;
    if (!in) {
        s->stats.bytes_out += data;
    }
    remote_conn_put(s, USB_REMOTE_MSG_SUBMIT, r->id, &m, r->data, data);
}

/* The peer need not answer @r any more; if it does, nobody wants it. */
static void remote_abandon(USBRemoteState *s, RemoteRequest *r)
{
    if (r->state != REMOTE_SENT) {
        remote_request_free(s, r);
        return;
    }
    r->orphan = false;
    r->cancel = true;
    r->discard = true;
    remote_schedule(s);
}

static void remote_send_cancels(USBRemoteState *s, RemoteEndpoint *ep)
{
    static const UsbRemoteCancel m;
    RemoteRequest *r;

    QTAILQ_FOREACH(r, &ep->requests, next) {
        if (r->cancel && !r->cancel_sent && r->state == REMOTE_SENT) {
            r->cancel_sent = true;
            ep->n_cancelled++;
            s->n_cancelled++;
            s->stats.cancels++;
            if (!s->cancel_at) {
                s->cancel_at = remote_now() + REMOTE_CANCEL_NS;
            }
            remote_conn_put(s, USB_REMOTE_MSG_CANCEL, r->id, &m, NULL, 0);
        }
    }
}

/* Forget what was asked and answered on @ep; packets are asked again. */
void remote_drop_requests(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemoteRequest *r, *next;
    RemotePacket *rp;

    QTAILQ_FOREACH(rp, &ep->packets, next) {
        rp->request = NULL;
    }
    QTAILQ_FOREACH_SAFE(r, &ep->requests, next, next) {
        remote_abandon(s, r);
    }
    ep->retry_at = 0;
    ep->orphan_at = 0;
}

/* Packets that were answered ASYNC */

/*
 * Keep @p until it is completed or cancelled.  @status is USB_RET_ASYNC, or
 * what remote_deliver() is to complete it with.
 */
void remote_hold(USBRemoteState *s, USBPacket *p, int status, bool silent)
{
    RemoteEndpoint *ep = p->ep->nr == 0 ? &s->eps[0] :
        remote_ep(s, p->ep->nr | (p->pid == USB_TOKEN_IN ? USB_DIR_IN : 0));
    RemotePacket *rp = g_new0(RemotePacket, 1);

    rp->packet = p;
    rp->status = status;
    rp->silent = silent;
    QTAILQ_INSERT_TAIL(&ep->packets, rp, next);
    ep->n_packets++;
    p->status = USB_RET_ASYNC;
    remote_schedule(s);
}

static void remote_packet_free(RemoteEndpoint *ep, RemotePacket *rp)
{
    QTAILQ_REMOVE(&ep->packets, rp, next);
    ep->n_packets--;
    g_free(rp);
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

    remote_packet_free(ep, rp);
    p->status = status;
    p->actual_length = actual;
    trace_usb_remote_packet_done(remote_name(s), ep->address, p->id, status,
                                 actual);
    if (remote_is_control(ep)) {
        usb_generic_async_ctrl_complete(USB_DEVICE(s), p);
    } else {
        usb_packet_complete(USB_DEVICE(s), p);
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
        rp->request = NULL;
        rp->silent = false;
        rp->status = status;
    }
}

static void remote_forget(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemoteRequest *r, *next;

    QTAILQ_FOREACH_SAFE(r, &ep->requests, next, next) {
        remote_request_free(s, r);
    }
    ep->retry_at = 0;
    ep->orphan_at = 0;
    ep->retry = false;
    ep->wake = false;
    ep->starved = false;
}

/*
 * Forget every request; packets that the host controller does not cancel
 * itself are completed with @status from the bottom half.
 */
void remote_abort(USBRemoteState *s, int status)
{
    int i;

    for (i = 0; i < REMOTE_ENDPOINTS; i++) {
        remote_mark_packets(&s->eps[i], status);
        remote_forget(s, &s->eps[i]);
    }
    remote_schedule(s);
}

/* Data, OUT and control: a request belongs to a packet */

static bool remote_same_bytes(USBPacket *p, size_t offset, const uint8_t *data,
                              size_t size)
{
    uint8_t buf[512];
    size_t n;

    for (; size; size -= n, offset += n, data += n) {
        n = MIN(size, sizeof(buf));
        if (iov_to_buf(p->iov.iov, p->iov.niov, offset, buf, n) != n ||
            memcmp(buf, data, n)) {
            return false;
        }
    }
    return true;
}

/* Is @p the packet that @r was sent for, come back? */
static bool remote_request_matches(RemoteRequest *r, USBPacket *p)
{
    return !r->discard && r->hcd_id == p->id &&
           r->size == usb_packet_size(p) &&
           remote_same_bytes(p, r->done, r->data, r->length);
}

/* Give @rp the orphan that it left, and abandon those that stayed away. */
static void remote_adopt(USBRemoteState *s, RemoteEndpoint *ep,
                         RemotePacket *rp)
{
    RemoteRequest *r, *next;

    QTAILQ_FOREACH(r, &ep->requests, next) {
        if (r->orphan && remote_request_matches(r, rp->packet)) {
            r->orphan = false;
            rp->request = r;
            rp->progress = r->done;
            s->stats.adopted++;
            trace_usb_remote_adopt(remote_name(s), ep->address, r->id);
            break;
        }
    }
    QTAILQ_FOREACH_SAFE(r, &ep->requests, next, next) {
        if (r == rp->request) {
            break;
        }
        if (r->orphan) {
            remote_abandon(s, r);
        }
    }
}

/* The first packet of @ep that can be asked for now, or NULL. */
static RemotePacket *remote_next_packet(RemoteEndpoint *ep)
{
    RemotePacket *rp;

    QTAILQ_FOREACH(rp, &ep->packets, next) {
        if (rp->silent || rp->status != USB_RET_ASYNC) {
            return NULL;
        }
        if (!rp->request) {
            return rp;
        }
        if (rp->request->more) {
            return NULL;
        }
    }
    return NULL;
}

/*
 * The bytes of @size that one request takes: all, or as many whole packets
 * as a message can carry.
 */
static uint32_t remote_piece(USBRemoteState *s, RemoteEndpoint *ep,
                             size_t size)
{
    uint32_t cap = s->conn.limits.max_payload;

    return size <= cap ? size : cap - cap % ep->max_packet;
}

static bool remote_submit_out(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemotePacket *rp = remote_next_packet(ep);
    RemoteRequest *r;
    uint32_t length;

    if (!rp) {
        return false;
    }
    length = remote_piece(s, ep, usb_packet_size(rp->packet) - rp->progress);
    r = remote_request_new(s, ep, rp->packet, rp->progress, length);
    if (!r) {
        return false;
    }
    iov_to_buf(rp->packet->iov.iov, rp->packet->iov.niov, rp->progress,
               r->data, length);
    r->more = rp->progress + length < r->size;
    r->short_not_ok = rp->packet->short_not_ok;
    rp->request = r;
    remote_send_submit(s, r);
    return true;
}

static RemoteRequest *remote_control_new(USBRemoteState *s, USBPacket *p)
{
    USBDevice *udev = USB_DEVICE(s);
    RemoteRequest *r = remote_request_new(s, &s->eps[0], p, 0,
                                          udev->setup_len);

    if (r) {
        memcpy(r->setup, udev->setup_buf, sizeof(r->setup));
        if (udev->setup_buf[0] & USB_DIR_IN) {
            g_clear_pointer(&r->data, g_free);
        } else if (r->length) {
            memcpy(r->data, udev->data_buf, r->length);
        }
    }
    return r;
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
        return false;
    }
    rp->request = r;
    remote_send_submit(s, r);
    return true;
}

/*
 * Put the answer of a control request where the core expects it.  Returns
 * the packet's actual_length.
 */
static size_t remote_control_result(USBRemoteState *s, RemoteRequest *r,
                                    USBPacket *p)
{
    USBDevice *udev = USB_DEVICE(s);
    size_t n = MIN(r->actual, udev->setup_len);

    if (r->status != USB_RET_SUCCESS) {
        return 0;
    }
    if (p->parameter) {
        n = MIN(n, usb_packet_size(p));
    }
    if ((r->setup[0] & USB_DIR_IN) && n) {
        memcpy(udev->data_buf, r->data, n);
        s->stats.bytes_in += n;
    }
    return n;
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
    bool whole, more;
    int status;

    if (!r || r->state != REMOTE_DONE) {
        return false;
    }
    rp->progress += r->actual;
    whole = r->actual == r->length;
    more = r->more;
    status = r->status;
    rp->request = NULL;
    remote_request_free(s, r);
    if (status == USB_RET_SUCCESS && whole && more) {
        remote_schedule(s);
        return false;
    }
    remote_finish(s, ep, status, rp->progress);
    return true;
}

/* Data, IN: answered requests are a stream that packets take from */

/* Requests that a packet still can take from, without those given up. */
static unsigned remote_count_in(RemoteEndpoint *ep)
{
    RemoteRequest *r;
    unsigned n = 0;

    QTAILQ_FOREACH(r, &ep->requests, next) {
        n += !r->discard;
    }
    return n;
}

/*
 * A packet of another size than the request that is to fill it: take that
 * one and those after it back, as far as they are not answered.
 */
static void remote_match_in(USBRemoteState *s, RemoteEndpoint *ep,
                            unsigned index, uint32_t length)
{
    RemoteRequest *r;
    bool differs = false;

    QTAILQ_FOREACH(r, &ep->requests, next) {
        if (r->discard || index) {
            index -= !r->discard;
            continue;
        }
        if (r->state == REMOTE_SENT) {
            differs |= r->length != length;
            r->cancel |= differs;
        }
    }
    if (differs) {
        remote_schedule(s);
    }
}

static bool remote_submit_in(USBRemoteState *s, RemoteEndpoint *ep)
{
    unsigned have = remote_count_in(ep);
    RemotePacket *rp;
    RemoteRequest *r;
    uint32_t length;

    if (have >= ep->n_packets) {
        return false;
    }
    QTAILQ_FOREACH(rp, &ep->packets, next) {
        size_t left = usb_packet_size(rp->packet) - rp->progress;

        length = remote_piece(s, ep, left);
        if (rp->status != USB_RET_ASYNC) {
            return false;
        }
        if (!have--) {
            break;
        }
        if (left > length) {
            return false;   /* its other pieces come first */
        }
    }
    r = remote_request_new(s, ep, rp->packet, rp->progress, length);
    if (!r) {
        return false;
    }
    r->more = rp->progress + length < r->size;
    r->short_not_ok = rp->packet->short_not_ok;
    remote_send_submit(s, r);
    return true;
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
static int remote_take(USBRemoteState *s, RemoteEndpoint *ep, USBPacket *p,
                       size_t *progress)
{
    size_t size = usb_packet_size(p);
    RemoteRequest *r = QTAILQ_FIRST(&ep->requests);
    int status = USB_RET_ASYNC;

    while (status == USB_RET_ASYNC && r && r->state == REMOTE_DONE) {
        size_t n = remote_fitting(ep, r, size - *progress);
        bool babble = !n && r->taken < r->actual && !*progress;

        n = babble ? size : n;
        iov_from_buf(p->iov.iov, p->iov.niov, *progress, r->data + r->taken,
                     n);
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
        if (rp->progress != progress) {
            remote_schedule(s);
        }
        rp->progress = progress;
        return false;
    }
    remote_finish(s, ep, status, progress);
    return true;
}

/* NAK mode: the guest's poll fetches the answer */

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
    if (!remote_has_credit(s, ep, length)) {
        ep->starved = true;
        return false;
    }
    return true;
}

static void remote_poll_in(USBRemoteState *s, RemoteEndpoint *ep, USBPacket *p)
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
    } else if (r && !r->cancel) {
        remote_match_in(s, ep, 0, size);
    } else if (remote_may_ask(s, ep, size)) {
        r = remote_request_new(s, ep, p, 0, size);
        if (r) {
            r->short_not_ok = p->short_not_ok;
            remote_schedule(s);
        }
    }
}

/* The request that @p made when it was polled before, abandoning others. */
static RemoteRequest *remote_find_poll(USBRemoteState *s, RemoteEndpoint *ep,
                                       USBPacket *p)
{
    USBDevice *udev = USB_DEVICE(s);
    RemoteRequest *r, *next, *found = NULL;
    bool same;

    QTAILQ_FOREACH_SAFE(r, &ep->requests, next, next) {
        if (r->discard) {
            continue;
        }
        if (!remote_is_control(ep)) {
            same = remote_request_matches(r, p);
        } else {
            same = r->hcd_id == p->id &&
                   !memcmp(r->setup, udev->setup_buf, sizeof(r->setup)) &&
                   (!r->data || (r->setup[0] & USB_DIR_IN) ||
                    !memcmp(r->data, udev->data_buf, r->length));
        }
        if (same && !found) {
            found = r;
        } else {
            remote_abandon(s, r);
        }
    }
    return found;
}

static void remote_poll_out(USBRemoteState *s, RemoteEndpoint *ep,
                            USBPacket *p)
{
    uint32_t size = usb_packet_size(p);
    RemoteRequest *r = remote_find_poll(s, ep, p);

    p->status = USB_RET_NAK;
    if (r && r->state == REMOTE_DONE) {
        p->status = r->status;
        p->actual_length = r->actual;
        remote_request_free(s, r);
    } else if (!r && remote_may_ask(s, ep, size)) {
        r = remote_request_new(s, ep, p, 0, size);
        if (r) {
            iov_to_buf(p->iov.iov, p->iov.niov, 0, r->data, size);
            remote_schedule(s);
        }
    }
}

static void remote_poll_control(USBRemoteState *s, RemoteEndpoint *ep,
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

/* From the USB core */

void remote_handle_control(USBRemoteState *s, USBPacket *p)
{
    RemoteEndpoint *ep = &s->eps[0];

    if (USB_DEVICE(s)->setup_len > s->conn.limits.max_control) {
        p->status = USB_RET_STALL;
    } else if (!s->plugged) {
        p->status = USB_RET_NODEV;
    } else if (!ep->nak_mode) {
        remote_hold(s, p, USB_RET_ASYNC, false);
    } else {
        remote_poll_control(s, ep, p);
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
static bool remote_must_queue(USBRemoteState *s, RemoteEndpoint *ep,
                              USBPacket *p)
{
    USBPacket *core = QTAILQ_LAST(&p->ep->queue);
    RemotePacket *last = QTAILQ_LAST(&ep->packets);

    return (core && core->state == USB_PACKET_QUEUED) ||
           (last && last->packet->short_not_ok) ||
           ep->n_packets >= s->conn.limits.max_per_endpoint;
}

static void remote_hold_data(USBRemoteState *s, RemoteEndpoint *ep,
                             USBPacket *p)
{
    size_t size = usb_packet_size(p);
    unsigned index = ep->n_packets;

    if (p->state == USB_PACKET_SETUP && index &&
        remote_must_queue(s, ep, p)) {
        p->status = USB_RET_ADD_TO_QUEUE;
    } else if (!s->plugged) {
        remote_hold(s, p, USB_RET_NODEV, false);
    } else if (size > INT_MAX) {
        remote_hold(s, p, USB_RET_IOERROR, false);
    } else {
        remote_hold(s, p, USB_RET_ASYNC, false);
        if (remote_ep_is_in(ep)) {
            remote_match_in(s, ep, index, remote_piece(s, ep, size));
        } else {
            remote_adopt(s, ep, QTAILQ_LAST(&ep->packets));
        }
    }
}

void remote_handle_data(USBRemoteState *s, USBPacket *p)
{
    bool in = p->pid == USB_TOKEN_IN;
    RemoteEndpoint *ep = remote_ep(s, p->ep->nr | (in ? USB_DIR_IN : 0));

    if (p->stream) {
        p->status = USB_RET_STALL;      /* none were ever allocated */
    } else if (ep->type == USB_ENDPOINT_XFER_ISOC) {
        remote_handle_iso(p);
    } else if (!ep->nak_mode) {
        remote_hold_data(s, ep, p);
    } else if (!s->plugged) {
        p->status = USB_RET_NODEV;
    } else if (p->state == USB_PACKET_QUEUED ||
               usb_packet_size(p) > s->conn.limits.max_payload) {
        p->status = USB_RET_IOERROR;    /* replayed packets take no NAK */
    } else if (in) {
        remote_poll_in(s, ep, p);
    } else {
        remote_poll_out(s, ep, p);
    }
}

void remote_handle_cancel(USBRemoteState *s, USBPacket *p)
{
    bool in = p->pid == USB_TOKEN_IN;
    RemoteEndpoint *ep = p->ep->nr == 0 ? &s->eps[0] :
        remote_ep(s, p->ep->nr | (in ? USB_DIR_IN : 0));
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
    if (rp->request && remote_is_control(ep)) {
        remote_abandon(s, rp->request);
    } else if (rp->request) {
        rp->request->orphan = true;
    }
    if (!remote_is_control(ep) && !QTAILQ_EMPTY(&ep->requests)) {
        ep->orphan_at = remote_now() + REMOTE_ORPHAN_NS;
    }
    remote_packet_free(ep, rp);
    remote_schedule(s);
}

/* From the peer */

/* The packet that @r was sent for, if it is still there. */
static RemotePacket *remote_packet_of(RemoteRequest *r)
{
    RemotePacket *rp;

    QTAILQ_FOREACH(rp, &r->ep->packets, next) {
        if (rp->request == r) {
            return rp;
        }
    }
    return NULL;
}

/*
 * Not done, and to be done again.  Later requests of an OUT endpoint have
 * overtaken this one; they are taken back to keep the order.
 */
static void remote_answered_nak(USBRemoteState *s, RemoteRequest *r)
{
    RemoteEndpoint *ep = r->ep;
    RemotePacket *rp = remote_packet_of(r);
    RemoteRequest *later = QTAILQ_NEXT(r, next);

    s->stats.naks++;
    ep->retry = true;
    ep->retry_at = remote_now() + remote_interval_ns(s, ep);
    if (rp) {
        rp->request = NULL;
    }
    if (!remote_ep_is_in(ep)) {
        for (; later; later = QTAILQ_NEXT(later, next)) {
            later->cancel |= later->state == REMOTE_SENT;
        }
    }
    remote_request_free(s, r);
}

/* Given up by the peer: whatever of it is still wanted is asked again. */
static void remote_answered_cancelled(USBRemoteState *s, RemoteRequest *r,
                                      uint32_t consumed)
{
    RemotePacket *rp = remote_packet_of(r);

    if (rp) {
        rp->progress += consumed;
        rp->request = NULL;
        r->ep->retry = true;
    }
    remote_request_free(s, r);
}

static bool remote_answer_ok(USBRemoteState *s, const UsbRemoteHead *h,
                             const UsbRemoteComplete *m, RemoteRequest *r)
{
    bool control = remote_is_control(r->ep);
    bool in = control ? r->setup[0] & USB_DIR_IN : remote_ep_is_in(r->ep);
    int code = usb_remote_check_answer(m, h->length, in, r->length,
                                       control &&
                                       remote_table_may_override(r->setup));

    if (code != USB_REMOTE_ERROR_NONE) {
        remote_violation(s, code, h->type, h->id,
                         "COMPLETE of request 0x%" PRIx64 " does not fit it "
                         "(%s endpoint 0x%02x, %u bytes asked, %u answered)",
                         h->id, in ? "IN" : "OUT", r->ep->address, r->length,
                         usb_remote_get32(m->length));
    }
    return code == USB_REMOTE_ERROR_NONE;
}

/* Keep what was answered until a packet takes it. */
static bool remote_store(RemoteRequest *r, const UsbRemoteHead *h,
                         const UsbRemoteComplete *m)
{
    const uint8_t *data = (const uint8_t *)(m + 1);
    uint32_t size = usb_remote_complete_data(m, h->length);
    uint32_t length = usb_remote_get32(m->length);

    r->status = remote_status(m->status[0]);
    r->actual = MIN(length, r->length);
    if (length > r->length) {
        r->status = USB_RET_BABBLE;
    }
    if (size && r->actual) {
        g_free(r->data);
        r->data = g_try_malloc(r->actual);
        if (!r->data) {
            r->actual = 0;
            r->status = USB_RET_IOERROR;
            return false;
        }
        memcpy(r->data, data, r->actual);
    }
    if (usb_remote_get16(m->flags) & USB_REMOTE_COMPLETE_ENDPOINTS) {
        r->have_table = true;
        r->endpoint_count = usb_remote_get16(m->endpoint_count);
        r->table = g_memdup2(data + size,
                             r->endpoint_count * sizeof(*r->table));
    }
    return true;
}

static void remote_answered(USBRemoteState *s, RemoteRequest *r,
                            const UsbRemoteHead *h,
                            const UsbRemoteComplete *m)
{
    bool cancelled = m->status[0] == USB_REMOTE_STATUS_CANCELLED &&
                     r->cancel_sent;
    bool naked = m->status[0] == USB_REMOTE_STATUS_NAK;
    uint32_t consumed = usb_remote_get32(m->length);

    if (r->discard || (r->orphan && r->cancel_sent)) {
        remote_request_free(s, r);
    } else if (naked && !r->cancel_sent) {
        remote_answered_nak(s, r);
    } else if (naked || (cancelled && (remote_ep_is_in(r->ep) ||
                                       consumed < r->length))) {
        remote_answered_cancelled(s, r, naked ? 0 : consumed);
    } else {
        remote_unslot(s, r);
        r->state = REMOTE_DONE;
        r->cancel = false;
        remote_store(r, h, m);
        if (cancelled) {
            r->status = USB_RET_SUCCESS;    /* all of it was consumed */
        }
    }
}

/* COMPLETE of this attachment and epoch; its form was checked. */
void remote_complete(USBRemoteState *s, const UsbRemoteHead *h,
                     const UsbRemoteComplete *m)
{
    RemoteRequest *r = *remote_slot(s, h->id);
    RemoteEndpoint *ep;

    if (!r || r->id != h->id || r->state != REMOTE_SENT) {
        remote_violation(s, USB_REMOTE_ERROR_UNKNOWN_ID, h->type, h->id,
                         "COMPLETE of request 0x%" PRIx64 ", which was "
                         "answered before or never made", h->id);
        return;
    }
    if (!remote_answer_ok(s, h, m, r)) {
        return;
    }
    ep = r->ep;
    s->stats.completes++;
    remote_answered(s, r, h, m);
    ep->wake |= ep->nak_mode && !ep->retry_at;
}

/* READY: an endpoint that answered nak need not wait any longer. */
void remote_ready(USBRemoteState *s, uint8_t address)
{
    RemoteEndpoint *ep = (address & 0x0f) ? remote_ep(s, address)
                                          : &s->eps[0];

    if (ep->retry_at) {
        ep->retry_at = 0;
        ep->wake = ep->nak_mode;
    }
}

/* Sending and delivering */

/* Send at most one SUBMIT of @ep; returns whether there was one. */
static bool remote_submit(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemoteRequest *r;

    remote_send_cancels(s, ep);
    if (ep->nak_mode) {
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
    return remote_is_control(ep) ? remote_submit_control(s, ep) :
           remote_ep_is_in(ep) ? remote_submit_in(s, ep) :
           remote_submit_out(s, ep);
}

/* Fill the send buffer, one request of each endpoint in turn. */
void remote_fill(USBRemoteState *s)
{
    unsigned idle = 0;

    while (s->plugged && idle < REMOTE_ENDPOINTS && remote_conn_room(s)) {
        RemoteEndpoint *ep = &s->eps[s->next_ep++ % REMOTE_ENDPOINTS];

        idle = remote_submit(s, ep) ? 0 : idle + 1;
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
 * Complete all packets that can be, and wake endpoints.  Whatever the host
 * controller queues meanwhile is served by a later call, so that a guest
 * cannot keep this one busy for ever.
 */
void remote_deliver(USBRemoteState *s)
{
    int i;

    for (i = 0; i < REMOTE_ENDPOINTS; i++) {
        RemoteEndpoint *ep = &s->eps[i];
        unsigned n = ep->n_packets;

        while (n && remote_deliver_one(s, ep)) {
            n--;
        }
        if (ep->starved && s->credit_freed) {
            ep->starved = false;
            ep->wake = true;
        }
        if (ep->wake && s->plugged) {
            ep->wake = false;
            remote_wake(s, ep);
        }
    }
    s->credit_freed = false;
}

/* The grace of orphans is over: the guest did give these up. */
static void remote_expire_orphans(USBRemoteState *s, RemoteEndpoint *ep)
{
    unsigned wanted = ep->n_packets;
    RemoteRequest *r, *next;

    ep->orphan_at = 0;
    QTAILQ_FOREACH_SAFE(r, &ep->requests, next, next) {
        if (remote_ep_is_in(ep)) {
            if (!wanted) {
                r->cancel |= r->state == REMOTE_SENT;
            }
            wanted -= wanted && !r->discard;
        } else if (r->orphan && r->state == REMOTE_DONE) {
            remote_request_free(s, r);
        } else if (r->orphan) {
            r->cancel = true;
        }
    }
}

/* Do what is due at @now; returns the next time, or INT64_MAX. */
int64_t remote_requests_tick(USBRemoteState *s, int64_t now)
{
    int64_t next = INT64_MAX;
    int i;

    if (s->cancel_at && now >= s->cancel_at) {
        s->cancel_at = 0;
        remote_violation(s, USB_REMOTE_ERROR_TIMEOUT, USB_REMOTE_MSG_CANCEL, 0,
                         "a CANCEL was not answered within %d s",
                         (int)(REMOTE_CANCEL_NS / NANOSECONDS_PER_SECOND));
    }
    if (s->cancel_at) {
        next = s->cancel_at;
    }
    for (i = 0; i < REMOTE_ENDPOINTS; i++) {
        RemoteEndpoint *ep = &s->eps[i];

        if (ep->retry_at && now >= ep->retry_at) {
            ep->retry_at = 0;
            ep->wake |= ep->nak_mode;
        }
        if (ep->orphan_at && now >= ep->orphan_at) {
            remote_expire_orphans(s, ep);
        }
        next = MIN(next, ep->retry_at ?: INT64_MAX);
        next = MIN(next, ep->orphan_at ?: INT64_MAX);
    }
    return next;
}

void remote_requests_init(USBRemoteState *s)
{
    int i;

    for (i = 0; i < REMOTE_ENDPOINTS; i++) {
        RemoteEndpoint *ep = &s->eps[i];

        ep->address = i & REMOTE_ENDPOINT_IN ? USB_DIR_IN | (i & 0x0f) : i;
        QTAILQ_INIT(&ep->packets);
        QTAILQ_INIT(&ep->requests);
    }
}
