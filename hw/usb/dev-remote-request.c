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
 *   halt set, or     asked again, if it was     CANCEL; the answer is dropped
 *   cleared          not answered before
 *   STALL seen by    cancelled by the host      CANCEL; the answer is dropped
 *   the guest        controller
 *   configuration    fails with IOERROR         CANCEL; the answer is dropped
 *   bus reset        fails with IOERROR         forgotten
 *   detach, lost     cancelled by the host      forgotten
 *   connection       controller
 *   VM stop          waits for the VM           goes on
 *
 * Two ways to wait.  Endpoints in NAK mode (interrupt ones, because the core
 * accepts ASYNC there only from pass-through devices) answer every poll with
 * NAK until a request is answered, and keep no packet.  All others answer
 * ASYNC and complete the packet later.
 *
 * Host controllers cancel more than the guest gave up: they all drop a whole
 * queue when one transfer is unlinked, then bring the survivors back.  So
 * nothing is cancelled at the peer at once, except for control.
 */

#include "qemu/osdep.h"
#include "qemu/crc32c.h"
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
    case USB_REMOTE_STATUS_BABBLE:
        return USB_RET_BABBLE;
    case USB_REMOTE_STATUS_NODEV:
        return USB_RET_NODEV;
    default:
        /* CANCELLED without a CANCEL is a fault like any other. */
        return USB_RET_IOERROR;
    }
}

/* The service interval (USB 2.0 section 9.6.6), in virtual ns. */
int64_t remote_interval_ns(USBRemoteState *s, const RemoteEndpoint *ep)
{
    if (ep->type != USB_ENDPOINT_XFER_INT) {
        return REMOTE_RETRY_NS;
    }
    if (remote_speed(s) >= USB_SPEED_HIGH) {
        int exponent = MIN(MAX(ep->interval, 1), 16) - 1;

        return MAX((int64_t)(125 * SCALE_US) << exponent, REMOTE_RETRY_NS);
    }
    return MAX(ep->interval, 1) * SCALE_MS;
}

/* An id is a count, so that none comes twice, above a place in slots. */
static RemoteRequest **remote_slot(USBRemoteState *s, uint64_t id)
{
    return &s->slots[id % REMOTE_SLOTS];
}

/* Endpoints that had to wait for credit are told by remote_deliver(). */
static void remote_credit_freed(USBRemoteState *s)
{
    s->credit_freed = true;
    if (s->starved) {
        remote_schedule(s);
    }
}

/* No answer is awaited any more; the id is not known from here on. */
static void remote_unslot(USBRemoteState *s, RemoteRequest *r)
{
    if (r->state == REMOTE_SENT) {
        *remote_slot(s, r->id) = NULL;
    }
    r->ep->n_sent--;
    s->n_in_flight -= !remote_is_control(r->ep);
    remote_credit_freed(s);
    if (r->cancel_sent) {
        r->ep->n_cancelled--;
    }
}

void remote_request_free(USBRemoteState *s, RemoteRequest *r)
{
    if (r->state != REMOTE_DONE) {
        remote_unslot(s, r);
    }
    if (!remote_is_control(r->ep)) {
        s->bytes -= r->length;
    }
    remote_set_orphan(r, false);
    r->ep->n_live -= !r->discard;
    QTAILQ_REMOVE(&r->ep->requests, r, next);
    remote_spare_put_request(s, r);
    remote_credit_freed(s);
}

static void remote_request_add(USBRemoteState *s, RemoteEndpoint *ep,
                               RemoteRequest *r)
{
    remote_set_busy(s, ep);
    r->ep = ep;
    ep->n_live++;
    QTAILQ_INSERT_TAIL(&ep->requests, r, next);
}

/*
 * How many bytes a new request of @ep may have, or -1 if there can be none
 * now.  Half of the credit is only for endpoints that have no request yet, a
 * packet at least for each: a guest that leaves reads waiting on one endpoint,
 * or what came for them, must not stop the others.
 * Control is not asked for here.  It needs no credit, so that a device whose
 * endpoints are all parked can still be talked to; it never has more than one
 * request.
 */
static int64_t remote_budget(USBRemoteState *s, RemoteEndpoint *ep)
{
    const UsbRemoteLimits *l = &s->conn.limits;
    int64_t half = l->max_bytes / 2;
    int64_t left = MAX(half - (int64_t)s->bytes, 0);

    if (ep->n_sent == 0 && s->n_in_flight < l->max_requests) {
        int64_t share = MAX(half / REMOTE_ENDPOINTS, ep->max_packet);

        return MAX(left, MIN(share, l->max_bytes - (int64_t)s->bytes));
    }
    if (ep->n_sent < l->max_per_endpoint &&
        s->n_in_flight < l->max_requests / 2) {
        return left;
    }
    return -1;
}

/*
 * The bytes that the next request for a packet with @size bytes to go takes:
 * all of them, or as many whole packets as a message can carry; -1 if it has
 * to wait for credit.  An endpoint's only request is made smaller rather
 * than to wait.
 */
int64_t remote_piece(USBRemoteState *s, RemoteEndpoint *ep, size_t size)
{
    int64_t cap = s->conn.limits.max_payload;
    int64_t want = size <= cap ? size : cap - cap % ep->max_packet;
    int64_t budget = remote_budget(s, ep);

    if (budget >= want) {
        return want;
    }
    if (budget < ep->max_packet || ep->n_sent) {
        return -1;
    }
    return budget - budget % ep->max_packet;
}

/* Is there credit for the one request of an endpoint in NAK mode? */
bool remote_may_poll(USBRemoteState *s, RemoteEndpoint *ep, uint32_t length)
{
    const UsbRemoteLimits *l = &s->conn.limits;

    return s->conn.state == REMOTE_OPEN &&
           (remote_is_control(ep) || (s->n_in_flight < l->max_requests &&
                                      s->bytes + length <= l->max_bytes));
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
 * over; NULL if there is no memory for it.  The caller has looked for credit.
 */
RemoteRequest *remote_request_new(USBRemoteState *s, RemoteEndpoint *ep,
                                  USBPacket *p, size_t done, uint32_t length,
                                  bool out)
{
    RemoteRequest *r = remote_spare_request(s);

    if (length && out) {
        r->data = remote_request_buffer(s, r, length);
        if (!r->data) {
            remote_spare_put_request(s, r);
            return NULL;
        }
    }
    r->hcd_id = p->id;
    r->size = usb_packet_size(p);
    r->done = done;
    r->length = length;
    r->retry = ep->retry && remote_same_id(ep->retry_id, p->id);
    ep->retry = false;
    ep->n_sent++;
    if (!remote_is_control(ep)) {
        s->n_in_flight++;
        s->bytes += length;
    }
    remote_request_add(s, ep, r);
    return r;
}

RemoteRequest *remote_control_new(USBRemoteState *s, USBPacket *p)
{
    USBDevice *udev = USB_DEVICE(s);
    bool out = !(udev->setup_buf[0] & USB_DIR_IN);
    RemoteRequest *r = remote_request_new(s, &s->eps[0], p, 0,
                                          udev->setup_len, out);

    if (r) {
        memcpy(r->setup, udev->setup_buf, sizeof(r->setup));
        if (r->data) {
            memcpy(r->data, udev->data_buf, r->length);
        }
    }
    return r;
}

void remote_send_submit(USBRemoteState *s, RemoteRequest *r)
{
    RemoteEndpoint *ep = r->ep;
    UsbRemoteSubmit m = { .endpoint = { ep->address } };
    uint16_t flags = (r->more ? USB_REMOTE_SUBMIT_MORE : 0) |
                     (r->retry ? USB_REMOTE_SUBMIT_RETRY : 0) |
                     (r->short_not_ok ? USB_REMOTE_SUBMIT_SHORT_NOT_OK : 0);
    bool in = remote_is_control(ep) ? r->setup[0] & USB_DIR_IN
                                    : remote_ep_is_in(ep);

    m.type[0] = remote_is_control(ep) ? USB_REMOTE_TYPE_CONTROL : ep->type;
    usb_remote_put16(m.flags, flags);
    usb_remote_put32(m.length, r->length);
    memcpy(m.setup, r->setup, sizeof(m.setup));
    /* Ids grow on the wire, so one is taken here and not before. */
    r->id = remote_next_id(s);
    *remote_slot(s, r->id) = r;
    r->state = REMOTE_SENT;
    s->stats.submits++;
    if (in) {
        remote_conn_put(s, USB_REMOTE_MSG_SUBMIT, r->id, &m, NULL, 0);
    } else {
        s->stats.bytes_out += r->length;
        remote_conn_put_out(s, r, &m);
    }
}

/* Have @r taken back from the peer, unless that has answered it. */
void remote_request_cancel(RemoteRequest *r)
{
    if (r->state == REMOTE_SENT) {
        r->cancel = true;
        r->ep->cancel_due = true;
    }
}

void remote_set_orphan(RemoteRequest *r, bool orphan)
{
    r->ep->n_orphans += orphan - r->orphan;
    r->orphan = orphan;
}

/* The packet @rp is to be asked for, though it may have been before. */
void remote_unask(RemoteEndpoint *ep, RemotePacket *rp)
{
    rp->request = NULL;
    remote_rewind(ep);
}

/* The peer need not answer @r any more; if it does, nobody wants it. */
void remote_abandon(USBRemoteState *s, RemoteRequest *r)
{
    if (r->state != REMOTE_SENT) {
        remote_request_free(s, r);
        return;
    }
    remote_set_orphan(r, false);
    remote_request_cancel(r);
    r->ep->n_live -= !r->discard;
    r->discard = true;
    remote_schedule(s);
}

void remote_send_cancels(USBRemoteState *s, RemoteEndpoint *ep)
{
    static const UsbRemoteCancel m;
    RemoteRequest *r;

    if (!ep->cancel_due) {
        return;
    }
    ep->cancel_due = false;
    QTAILQ_FOREACH(r, &ep->requests, next) {
        if (r->cancel && !r->cancel_sent && r->state == REMOTE_SENT) {
            r->cancel_sent = true;
            r->answer_by = remote_conn_patience(s);
            ep->n_cancelled++;
            s->stats.cancels++;
            remote_schedule(s);     /* for the timer */
            remote_conn_put(s, USB_REMOTE_MSG_CANCEL, r->id, &m, NULL, 0);
        }
    }
}

/* The packet that @r was sent for, if it is still there; IN has no such. */
static RemotePacket *remote_packet_of(RemoteRequest *r)
{
    RemotePacket *rp;

    if (remote_ep_is_in(r->ep)) {
        return NULL;
    }
    QTAILQ_FOREACH(rp, &r->ep->packets, next) {
        if (rp->request == r) {
            return rp;
        }
    }
    return NULL;
}

/* A packet that was answered NAK, if there is one, is to be tried again. */
void remote_poll_again(USBRemoteState *s, RemoteEndpoint *ep)
{
    if (ep->poll != REMOTE_POLL_NONE) {
        ep->poll = REMOTE_POLL_AGAIN;
        remote_set_busy(s, ep);
    }
}

/* Ask nothing more of @ep for @ns, unless the peer says READY before. */
void remote_back_off(USBRemoteState *s, RemoteEndpoint *ep, int64_t ns)
{
    ep->retry_at = remote_now(s) + ns;
    if (ep->poll != REMOTE_POLL_NONE) {
        ep->poll = REMOTE_POLL_BACKOFF;
    }
    remote_schedule(s);     /* for the timer */
}

/* Nothing of before is to be repeated, waited for or continued. */
static void remote_start_afresh(RemoteEndpoint *ep)
{
    ep->retry_at = 0;
    ep->orphan_at = 0;
    ep->polled_at = 0;
    ep->retry = false;
    ep->partial_size = 0;
}

/* Forget what was asked and answered on @ep; packets are asked again. */
void remote_drop_requests(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemoteRequest *r, *next;
    RemotePacket *rp;

    QTAILQ_FOREACH_SAFE(r, &ep->requests, next, next) {
        rp = remote_packet_of(r);
        if (rp && r->state == REMOTE_DONE) {
            continue;   /* done, and only waits for its turn */
        }
        if (rp) {
            remote_unask(ep, rp);
        }
        remote_abandon(s, r);
    }
    remote_start_afresh(ep);
    remote_poll_again(s, ep);
    remote_schedule(s);
}

/*
 * The guest got @status on the data endpoint @ep.  With a STALL it is halted
 * (USB 2.0 section 8.4.5): an answer that overtook it is of no transfer.
 */
void remote_guest_saw(USBRemoteState *s, RemoteEndpoint *ep, int status)
{
    if (status == USB_RET_STALL) {
        remote_drop_requests(s, ep);
    }
}

static void remote_forget(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemoteRequest *r, *next;

    QTAILQ_FOREACH_SAFE(r, &ep->requests, next, next) {
        remote_request_free(s, r);
    }
    remote_start_afresh(ep);
    /* Whoever kept a packet finds no device at the old address any more. */
    ep->poll = REMOTE_POLL_NONE;
}

/*
 * Forget every request; packets that the host controller does not cancel
 * itself are completed with @status from the bottom half.
 */
void remote_abort(USBRemoteState *s, int status)
{
    int i;

    s->stages = false;
    for (i = 0; i < REMOTE_ENDPOINTS; i++) {
        remote_mark_packets(&s->eps[i], status);
        remote_forget(s, &s->eps[i]);
    }
    remote_schedule(s);
}

/*
 * The peer has gone: what it has not answered, it will not.  Packets wait for
 * the unplug.  IN answers behind such a request go with it: their data is not
 * of the packet that would take it.
 */
void remote_void_unanswered(USBRemoteState *s)
{
    RemoteRequest *r, *next;
    RemotePacket *rp;
    int i;

    for (i = 0; i < REMOTE_ENDPOINTS; i++) {
        RemoteEndpoint *ep = &s->eps[i];
        bool hole = false;

        QTAILQ_FOREACH_SAFE(r, &ep->requests, next, next) {
            if (r->state == REMOTE_DONE && !r->stands_in &&
                !(hole && remote_ep_is_in(ep))) {
                continue;
            }
            hole |= !r->discard;
            rp = remote_packet_of(r);
            if (rp) {
                remote_unask(ep, rp);
            }
            remote_request_free(s, r);
        }
    }
    remote_schedule(s);
}

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

static uint32_t remote_crc(USBPacket *p, size_t offset, uint32_t size)
{
    uint8_t buf[REMOTE_TAIL_MAX];
    size_t n = iov_to_buf(p->iov.iov, p->iov.niov, offset, buf,
                          MIN(size, sizeof(buf)));

    return crc32c(0xffffffff, buf, n);
}

/* Is @p the packet that @r was sent for, come back? */
bool remote_request_matches(RemoteRequest *r, USBPacket *p)
{
    if (r->discard || !remote_same_id(r->hcd_id, p->id) ||
        r->size != usb_packet_size(p)) {
        return false;
    }
    if (r->stands_in) {
        return remote_crc(p, r->done - r->tail_length, r->tail_length) ==
               r->tail_crc;
    }
    return remote_same_bytes(p, r->done, r->data, r->length);
}

/* By what the first @bytes of @r are known again: the last of them. */
static uint32_t remote_tail_crc(RemoteRequest *r, uint32_t bytes)
{
    uint32_t tail = MIN(bytes, REMOTE_TAIL_MAX);

    return crc32c(0xffffffff, r->data + bytes - tail, tail);
}

/* @bytes more of the packet @rp, those of @r, are with the peer. */
void remote_add_progress(RemotePacket *rp, RemoteRequest *r, uint32_t bytes)
{
    if (bytes && r->data) {
        rp->tail_length = MIN(bytes, REMOTE_TAIL_MAX);
        rp->tail_crc = remote_tail_crc(r, bytes);
    }
    rp->progress += bytes;
}

/* What stands for the first @done bytes of a packet until it comes back */
static RemoteRequest *remote_stand_in(USBRemoteState *s, RemoteEndpoint *ep,
                                      uint64_t hcd_id, size_t size,
                                      size_t done)
{
    RemoteRequest *r = remote_spare_request(s);

    r->state = REMOTE_DONE;
    r->stands_in = true;
    r->hcd_id = hcd_id;
    r->size = size;
    r->done = done;
    remote_request_add(s, ep, r);
    return r;
}

/*
 * An OUT packet is cancelled while none of its pieces is on the way: leave a
 * request in their place, so that it can go on where it was if it comes back.
 */
void remote_leave_progress(USBRemoteState *s, RemoteEndpoint *ep,
                           RemotePacket *rp)
{
    RemoteRequest *r = remote_stand_in(s, ep, rp->packet->id,
                                       usb_packet_size(rp->packet),
                                       rp->progress);

    r->tail_length = rp->tail_length;
    r->tail_crc = rp->tail_crc;
    remote_set_orphan(r, true);
}

/* NAK mode: the peer has the first @bytes of @r; the next poll goes on there */
static void remote_leave_rest(USBRemoteState *s, RemoteRequest *r,
                              uint32_t bytes)
{
    RemoteEndpoint *ep = r->ep;

    ep->retry = true;
    ep->retry_id = r->hcd_id;
    if (bytes) {
        RemoteRequest *rest = remote_stand_in(s, ep, r->hcd_id, r->size,
                                              r->done + bytes);

        rest->tail_length = MIN(bytes, REMOTE_TAIL_MAX);
        rest->tail_crc = remote_tail_crc(r, bytes);
    }
}

/*
 * Put the answer of a control request where the core expects it.  Returns
 * the packet's actual_length.
 */
size_t remote_control_result(USBRemoteState *s, RemoteRequest *r,
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

/* From the peer */

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
    remote_back_off(s, ep, remote_interval_ns(s, ep));
    if (rp) {
        remote_unask(ep, rp);
        rp->retry = true;
    } else {
        ep->retry = true;
        ep->retry_id = r->hcd_id;
    }
    if (!remote_ep_is_in(ep)) {
        for (; later; later = QTAILQ_NEXT(later, next)) {
            remote_request_cancel(later);
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
        remote_add_progress(rp, r, consumed);
        remote_unask(r->ep, rp);
        rp->retry = true;
    } else if (remote_is_polled(r->ep) && !remote_ep_is_in(r->ep)) {
        remote_leave_rest(s, r, consumed);
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

/* Let @r have the @data of its answer; false if there is no memory for it. */
static bool remote_store_data(USBRemoteState *s, RemoteRequest *r,
                              const UsbRemoteHead *h, const uint8_t *data)
{
    if (remote_conn_hand_over(s, r, h)) {
        r->data = r->buffer->bytes + sizeof(UsbRemoteComplete);
        return true;
    }
    r->data = remote_request_buffer(s, r, r->actual);
    if (r->data) {
        memcpy(r->data, data, r->actual);
    }
    return r->data != NULL;
}

/* Keep what was answered until a packet takes it. */
static void remote_store(USBRemoteState *s, RemoteRequest *r,
                         const UsbRemoteHead *h, const UsbRemoteComplete *m)
{
    const uint8_t *data = (const uint8_t *)(m + 1);
    uint32_t size = usb_remote_complete_data(m, h->length);
    uint32_t length = usb_remote_get32(m->length);

    r->status = remote_status(m->status[0]);
    r->actual = MIN(length, r->length);
    if (length > r->length) {
        r->status = USB_RET_BABBLE;
    }
    if (size && r->actual && !remote_store_data(s, r, h, data)) {
        r->actual = 0;
        r->status = USB_RET_IOERROR;
    }
    if (usb_remote_get16(m->flags) & USB_REMOTE_COMPLETE_ENDPOINTS) {
        r->have_table = true;
        r->endpoint_count = usb_remote_get16(m->endpoint_count);
        r->table = g_memdup2(data + size,
                             r->endpoint_count * sizeof(*r->table));
    }
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
                                       consumed < r->length ||
                                       !r->length))) {
        remote_answered_cancelled(s, r, naked ? 0 : consumed);
    } else {
        remote_unslot(s, r);
        r->state = REMOTE_DONE;
        r->cancel = false;
        remote_store(s, r, h, m);
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
    if (!ep->retry_at) {
        remote_poll_again(s, ep);
    }
}

/* READY: an endpoint that answered nak need not wait any longer. */
void remote_ready(USBRemoteState *s, uint8_t address)
{
    RemoteEndpoint *ep = remote_ep(s, address);

    if (ep->retry_at) {
        ep->retry_at = 0;
        remote_poll_again(s, ep);
    }
}

/* Time */

/*
 * The peer halted an IN endpoint that the guest has given up: the next
 * transfer is to see that, and not what came before it.
 */
static void remote_drop_before_stall(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemoteRequest *r, *next, *stall = NULL;

    QTAILQ_FOREACH(r, &ep->requests, next) {
        if (r->state == REMOTE_DONE && r->status == USB_RET_STALL) {
            stall = r;
            break;
        }
    }
    QTAILQ_FOREACH_SAFE(r, &ep->requests, next, next) {
        if (!stall || r == stall) {
            break;
        }
        remote_abandon(s, r);
    }
    if (stall) {
        stall->taken = stall->actual;
    }
}

/* The guest does not poll for these any more. */
static void remote_expire_polls(USBRemoteState *s, RemoteEndpoint *ep)
{
    RemoteRequest *r, *next;

    ep->polled_at = 0;
    QTAILQ_FOREACH_SAFE(r, &ep->requests, next, next) {
        if (r->state == REMOTE_WAITING) {
            remote_request_free(s, r);
        } else {
            remote_request_cancel(r);
        }
    }
}

/* The grace of orphans is over: the guest did give these up. */
static void remote_expire_orphans(USBRemoteState *s, RemoteEndpoint *ep)
{
    unsigned wanted = ep->n_packets;
    RemoteRequest *r, *next;

    ep->orphan_at = 0;
    ep->partial_size = 0;
    if (remote_is_polled(ep)) {
        remote_expire_polls(s, ep);
        return;
    }
    if (!wanted && remote_ep_is_in(ep)) {
        remote_drop_before_stall(s, ep);
    }
    QTAILQ_FOREACH_SAFE(r, &ep->requests, next, next) {
        if (remote_ep_is_in(ep)) {
            if (!wanted) {
                remote_request_cancel(r);
            }
            wanted -= wanted && !r->discard;
        } else if (r->orphan && r->state == REMOTE_DONE) {
            remote_request_free(s, r);
        } else if (r->orphan) {
            remote_request_cancel(r);
        }
    }
}

/*
 * When the guest counts as having given up what it polled @ep for, or
 * INT64_MAX.  OHCI does not say that it has.  xHCI polls when woken only, so
 * there nothing can be told from the time.
 */
static int64_t remote_poll_time(USBRemoteState *s, RemoteEndpoint *ep)
{
    if (!ep->polled_at || !ep->n_live || !remote_bus_has(s, USB_BUS_POLLS)) {
        return INT64_MAX;
    }
    return ep->polled_at + REMOTE_POLL_LOST_NS + 2 * remote_interval_ns(s, ep);
}

static int64_t remote_endpoint_tick(USBRemoteState *s, RemoteEndpoint *ep,
                                    int64_t now)
{
    if (ep->retry_at && now >= ep->retry_at) {
        ep->retry_at = 0;
        remote_poll_again(s, ep);
    }
    if (ep->orphan_at && now >= ep->orphan_at) {
        remote_expire_orphans(s, ep);
    }
    if (now >= remote_poll_time(s, ep)) {
        ep->polled_at = 0;
    }
    return MIN(remote_poll_time(s, ep),
               MIN(ep->retry_at ?: INT64_MAX, ep->orphan_at ?: INT64_MAX));
}

static bool remote_ep_is_idle(const RemoteEndpoint *ep)
{
    return QTAILQ_EMPTY(&ep->packets) && QTAILQ_EMPTY(&ep->requests) &&
           ep->poll == REMOTE_POLL_NONE && !ep->retry_at && !ep->orphan_at;
}

/* Do what is due at @now; returns the next time, or INT64_MAX. */
int64_t remote_requests_tick(USBRemoteState *s, int64_t now)
{
    int64_t next = INT64_MAX;
    unsigned i;

    REMOTE_FOREACH_BUSY(s, i) {
        if (remote_ep_is_idle(&s->eps[i])) {
            clear_bit(i, s->busy);
        } else {
            next = MIN(next, remote_endpoint_tick(s, &s->eps[i], now));
        }
    }
    return next;
}

static bool remote_owes_answer(const RemoteRequest *r)
{
    return r->cancel_sent && r->state == REMOTE_SENT;
}

/*
 * When the first CANCEL has to be answered (real ns), or INT64_MAX.  None has
 * to be while the machine stands still, and its peer perhaps with it.
 */
int64_t remote_answers_by(USBRemoteState *s)
{
    int64_t first = INT64_MAX;
    RemoteRequest *r;
    unsigned i;

    if (!remote_live()) {
        return INT64_MAX;
    }
    REMOTE_FOREACH_BUSY(s, i) {
        if (!s->eps[i].n_cancelled) {
            continue;
        }
        QTAILQ_FOREACH(r, &s->eps[i].requests, next) {
            if (remote_owes_answer(r)) {
                first = MIN(first, r->answer_by);
            }
        }
    }
    return first;
}

/* All that the peer owes has its time anew. */
void remote_answers_renew(USBRemoteState *s)
{
    RemoteRequest *r;
    unsigned i;

    REMOTE_FOREACH_BUSY(s, i) {
        QTAILQ_FOREACH(r, &s->eps[i].requests, next) {
            if (remote_owes_answer(r)) {
                r->answer_by = remote_conn_patience(s);
            }
        }
    }
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
