/*
 * usb-remote's random walk: the peer
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * It keeps what it was asked, judges that (ids, numbers, credits, bytes and
 * their order), and answers in any order, in any way, or not yet.  Standard
 * requests are answered by usb-remote-peer.c at once.
 */

#include "qemu/osdep.h"
#include "usb-remote-walk.h"

#define CANCEL_LIMIT_NS (1000 * (int64_t)USBHC_FRAME_NS)
#define DEAF_NS         (1000 * (int64_t)USBHC_FRAME_NS)
#define STALE_MAX       16
#define DRIBBLE_MAX     64              /* each byte costs a frame */
#define BABBLE_MAX      64              /* bytes too many */

/* Requests */

static void request_free(WalkRequest *r)
{
    peer_message_free(r->m);
    g_free(r);
}

static void unqueue(Walk *w, WalkRequest *r)
{
    g_queue_remove(&w->requests, r);
    r->wep->cancels -= r->cancelled;
    if (r->item && r->wep->in && r->item->count == r->count) {
        r->item->open = false;
    }
}

static void clear_halts(Walk *w)
{
    unsigned i;

    for (i = 0; i < WALK_ENDPOINTS; i++) {
        w->eps[i].halted = false;
    }
}

void walk_peer_void(Walk *w)
{
    WalkRequest *r;

    clear_halts(w);
    while ((r = g_queue_peek_head(&w->requests))) {
        unqueue(w, r);
        g_queue_push_tail(&w->stale, r);
        if (w->stale.length > STALE_MAX) {
            request_free(g_queue_pop_head(&w->stale));
        }
    }
}

void walk_peer_forget(Walk *w)
{
    WalkRequest *r;

    walk_peer_void(w);
    while ((r = g_queue_pop_head(&w->stale))) {
        request_free(r);
    }
    w->last_id = 0;
    w->attached = w->attach_owed = w->fresh = false;
    w->answer_by = 0;
    walk_disturb_all(w);
}

static bool is_standard(const PeerMessage *m)
{
    return peer_submit(m)->type[0] == USB_REMOTE_TYPE_CONTROL &&
           !(peer_submit(m)->setup[0] & 0x60);
}

static WalkEndpoint *endpoint_at(Walk *w, uint8_t address)
{
    unsigned i;

    for (i = 0; i < WALK_ENDPOINTS; i++) {
        if (w->eps[i].address == address) {
            return &w->eps[i];
        }
    }
    walk_fail(w, "SUBMIT for endpoint %02x, which nobody uses", address);
}

static WalkEndpoint *endpoint_of(Walk *w, const PeerMessage *m)
{
    uint8_t address = peer_submit(m)->endpoint[0];

    return endpoint_at(w, address ? address
                                  : peer_submit(m)->setup[0] & 0x80);
}

/* usb-remote-peer.c answers it; the halts are ours to keep. */
static void saw_standard(Walk *w, const PeerMessage *m)
{
    const uint8_t *setup = peer_submit(m)->setup;
    WalkEndpoint *wep;

    switch (setup[0] << 8 | setup[1]) {
    case 0x0203:                /* SET_FEATURE(ENDPOINT_HALT) */
        wep = endpoint_at(w, setup[4]);
        wep->halted = true;
        wep->halts++;
        wep->halt = wep->next;
        break;
    case 0x0201:                /* CLEAR_FEATURE(ENDPOINT_HALT) */
        endpoint_at(w, setup[4])->halted = false;
        break;
    case 0x0009:                /* SET_CONFIGURATION */
    case 0x010b:                /* SET_INTERFACE */
        clear_halts(w);
        break;
    }
}

static bool is_control(const WalkEndpoint *wep)
{
    return (wep->address & 0x0f) == 0;
}

/* What the limits in HELLO allow, control aside */
static void check_credits(Walk *w, WalkEndpoint *wep, uint32_t length)
{
    unsigned n = 1, on_endpoint = 1;
    uint64_t bytes = length;
    GList *l;

    for (l = w->requests.head; l; l = l->next) {
        WalkRequest *r = l->data;

        if (!is_control(r->wep)) {
            n++;
            on_endpoint += r->wep == wep;
            bytes += peer_submit_length(r->m);
        }
    }
    if (n > w->limits.max_requests ||
        on_endpoint > w->limits.max_per_endpoint ||
        bytes > w->limits.max_bytes || length > w->limits.max_payload) {
        walk_fail(w, "beyond the limits: %u requests, %u on %s, %" PRIu64
                  " bytes, %u in this one", n, on_endpoint, wep->name, bytes,
                  length);
    }
}

/* A fault that was given and not seen yet: the queue will begin anew. */
bool walk_fault_is_due(const WalkEndpoint *wep)
{
    unsigned i, n = 0;

    for (i = 0; i < USBHC_STATUS_COUNT; i++) {
        n += wep->faults[i];
    }
    return n != 0;
}

/* The bytes must be the guest's, and in its order unless asked again. */
static WalkItem *check_out(Walk *w, WalkEndpoint *wep, const PeerMessage *m)
{
    const uint8_t *data = peer_submit_data(m);
    uint32_t length = peer_submit_length(m);
    WalkItem *item = &wep->items[data[0]];
    uint32_t offset = walk_offset(item, data, length);
    bool again = usb_remote_get16(peer_submit(m)->flags) &
                 USB_REMOTE_SUBMIT_RETRY;

    if (!item->data || offset + length > item->length ||
        memcmp(item->data + offset, data, length)) {
        walk_fail(w, "%s: %u bytes that the guest did not send: %02x %02x "
                  "%02x, from byte %u of transfer %u, of %u bytes",
                  wep->name, length, data[0], data[1], data[2], offset,
                  item->count, item->length);
    }
    if (!again && !wep->unsure && !walk_fault_is_due(wep) &&
        item->count >= wep->loose &&
        (item->count < wep->at ||
         (item->count == wep->at && offset < wep->at_offset))) {
        walk_fail(w, "%s: byte %u of transfer %u comes after byte %u of %u, "
                  "in request %" PRIx64 "; the peer took %u bytes of it",
                  wep->name, offset, item->count, wep->at_offset, wep->at,
                  m->head.id, item->taken);
    }
    if (item->count >= wep->at) {
        wep->at = item->count;
        wep->at_offset = offset + length;
    }
    return item;
}

static WalkRequest *keep(Walk *w, WalkEndpoint *wep, PeerMessage *m)
{
    WalkRequest *r = g_new0(WalkRequest, 1);

    r->wep = wep;
    r->m = m;
    if (wep->in) {
        r->item = walk_item(wep);
        r->item->open = true;
    } else if (peer_submit_length(m)) {
        r->item = check_out(w, wep, m);
    }
    r->count = r->item ? r->item->count : 0;
    g_queue_push_tail(&w->requests, r);
    return r;
}

/* Answers */

static UsbHcStatus seen_by_guest(uint8_t status)
{
    switch (status) {
    case USB_REMOTE_STATUS_STALL:
        return USBHC_STALL;
    case USB_REMOTE_STATUS_BABBLE:
        return USBHC_BABBLE;
    default:
        return USBHC_ERROR;
    }
}

static bool is_fault(const WalkRequest *r, uint8_t status)
{
    return status != USB_REMOTE_STATUS_OK && status != USB_REMOTE_STATUS_NAK &&
           !(status == USB_REMOTE_STATUS_CANCELLED && r->cancelled);
}

/*
 * While a message is under way nothing is read: what is answered at once to
 * what was read would come in the middle of it.
 */
bool walk_begin_sending(Walk *w)
{
    bool deaf = w->rig->peer->deaf;

    w->rig->peer->deaf = true;
    return deaf;
}

void walk_end_sending(Walk *w, bool deaf)
{
    w->rig->peer->deaf = deaf;
}

static void send_complete(Walk *w, const UsbRemoteHead *submit,
                          uint8_t status, const void *data, uint32_t length)
{
    bool deaf = walk_begin_sending(w);

    peer_send_complete(w->rig->peer, submit, status, data, length, NULL, -1);
    walk_end_sending(w, deaf);
}

/* @length bytes given or taken; frees @r. */
static void complete(Walk *w, WalkRequest *r, uint8_t status, uint32_t length)
{
    WalkEndpoint *wep = r->wep;
    const uint8_t *data = NULL;

    unqueue(w, r);
    if (wep->in && length) {
        walk_item_fill(wep, r->item, length);
        data = r->item->data;
    } else if (r->item && !wep->in && r->item->count == r->count) {
        r->item->taken += length;
    }
    if (wep->in && length > peer_submit_length(r->m)) {
        wep->faults[USBHC_BABBLE]++;
    } else if (is_fault(r, status)) {
        wep->faults[seen_by_guest(status)]++;
    }
    send_complete(w, &r->m->head, status, data, length);
    request_free(r);
}

static void take_all(Walk *w, WalkRequest *r)
{
    complete(w, r, USB_REMOTE_STATUS_OK, peer_submit_length(r->m));
}

/* The real result, or how much was consumed: none, or some whole blocks */
static void answer_cancel(Walk *w, WalkRequest *r)
{
    uint32_t length = peer_submit_length(r->m);

    if (walk_chance(w, 30)) {
        take_all(w, r);
    } else {
        complete(w, r, USB_REMOTE_STATUS_CANCELLED,
                 r->wep->in ? 0 : walk_below(w, length + 1) & ~7);
    }
}

static void answer_cancels(Walk *w)
{
    GList *l, *next;

    for (l = w->requests.head; l; l = next) {
        WalkRequest *r = l->data;

        next = l->next;
        if (r->cancelled) {
            answer_cancel(w, r);
        }
    }
    w->answer_by = 0;
}

static WalkRequest *any_request(Walk *w)
{
    unsigned n = w->requests.length;
    WalkRequest *r;

    if (!n) {
        return NULL;
    }
    r = g_queue_peek_nth(&w->requests, walk_chance(w, 50) ? 0
                                       : walk_below(w, n));
    walk_note(w, "%s %u%s", r->wep->name, peer_submit_length(r->m),
              r->cancelled ? " cancelled" : "");
    return r;
}

bool walk_answer(Walk *w)
{
    WalkRequest *r = any_request(w);
    uint32_t length;

    if (!r) {
        return false;
    }
    length = peer_submit_length(r->m);
    if (r->cancelled) {
        answer_cancel(w, r);
    } else if (r->wep->in && walk_chance(w, 15)) {
        complete(w, r, USB_REMOTE_STATUS_OK, walk_below(w, length + 1));
    } else {
        take_all(w, r);
    }
    return true;
}

void walk_peer_answer_all(Walk *w)
{
    answer_cancels(w);
    while (!g_queue_is_empty(&w->requests)) {
        take_all(w, g_queue_peek_head(&w->requests));
    }
}

bool walk_answer_all(Walk *w)
{
    if (g_queue_is_empty(&w->requests)) {
        return false;
    }
    walk_peer_answer_all(w);
    return true;
}

bool walk_answer_backwards(Walk *w)
{
    if (g_queue_is_empty(&w->requests)) {
        return false;
    }
    answer_cancels(w);
    while (!g_queue_is_empty(&w->requests)) {
        take_all(w, g_queue_peek_tail(&w->requests));
    }
    return true;
}

/* Every fault that a device can have */
bool walk_answer_oddly(Walk *w)
{
    static const uint8_t faults[] = {
        USB_REMOTE_STATUS_STALL, USB_REMOTE_STATUS_BABBLE,
        USB_REMOTE_STATUS_IOERROR, USB_REMOTE_STATUS_NODEV,
        USB_REMOTE_STATUS_CANCELLED
    };
    WalkRequest *r = any_request(w);
    uint8_t status = faults[walk_below(w, G_N_ELEMENTS(faults))];

    if (!r || r->cancelled) {
        return false;
    }
    if (r->wep->in && walk_chance(w, 20) &&
        peer_submit_length(r->m) + BABBLE_MAX <= w->limits.max_payload) {
        walk_note(w, "too much");
        complete(w, r, USB_REMOTE_STATUS_OK, peer_submit_length(r->m) + 1 +
                                             walk_below(w, BABBLE_MAX));
    } else {
        walk_note(w, "status %u", status);
        complete(w, r, status, 0);
    }
    return true;
}

/* OUT requests behind it are taken back; what was taken of them is. */
bool walk_nak(Walk *w)
{
    WalkRequest *r = any_request(w);

    if (!r) {
        return false;
    }
    r->wep->unsure |= !r->wep->in;
    walk_misfit(r->wep);
    complete(w, r, USB_REMOTE_STATUS_NAK, 0);
    return true;
}

/* An answer that is too late: nobody may take it for one of now. */
bool walk_stale_answer(Walk *w)
{
    static const uint8_t garbage[16] = { 0xee };
    WalkRequest *r = g_queue_peek_nth(&w->stale,
                                      walk_below(w, w->stale.length));
    uint32_t length;

    if (!r || w->rig->peer->fd < 0) {
        return false;
    }
    length = MIN(peer_submit_length(r->m), sizeof(garbage));
    g_queue_remove(&w->stale, r);
    send_complete(w, &r->m->head, USB_REMOTE_STATUS_OK,
                  r->wep->in ? garbage : NULL, length);
    request_free(r);
    return true;
}

/* Byte by byte */
bool walk_dribble(Walk *w)
{
    WalkRequest *r = any_request(w);

    if (!r || r->cancelled || peer_submit_length(r->m) > DRIBBLE_MAX) {
        return false;
    }
    w->rig->peer->dribble = true;
    take_all(w, r);
    w->rig->peer->dribble = false;
    return true;
}

bool walk_ready(Walk *w)
{
    uint8_t address = w->eps[walk_below(w, WALK_ENDPOINTS)].address;
    bool deaf;

    if (!w->attached) {
        return false;
    }
    deaf = walk_begin_sending(w);
    peer_send_ready(w->rig->peer, address == 0x80 ? 0 : address);
    walk_end_sending(w, deaf);
    return true;
}

bool walk_wakeup(Walk *w)
{
    bool deaf;

    if (!w->attached) {
        return false;
    }
    deaf = walk_begin_sending(w);
    peer_send_wakeup(w->rig->peer);
    walk_end_sending(w, deaf);
    return true;
}

bool walk_go_deaf(Walk *w)
{
    if (w->rig->peer->deaf || w->rig->peer->fd < 0) {
        return false;
    }
    w->rig->peer->deaf = true;
    w->deaf_until = walk_now(w) + DEAF_NS;
    return true;
}

bool walk_hear(Walk *w)
{
    if (!w->rig->peer->deaf) {
        return false;
    }
    w->rig->peer->deaf = false;
    return true;
}

/* Messages */

/* Returns whether the message is ours. */
static bool got_submit(Walk *w, PeerMessage *m)
{
    Peer *peer = w->rig->peer;
    WalkEndpoint *wep = endpoint_of(w, m);
    WalkRequest *r;

    if (m->head.id <= w->last_id) {
        walk_fail(w, "id %" PRIx64 " after %" PRIx64, m->head.id, w->last_id);
    }
    w->last_id = m->head.id;
    if (m->head.attachment != peer->attachment || !w->attached) {
        peer_message_free(m);           /* crossed with ATTACH or DETACH */
        return true;
    }
    if (m->head.epoch != peer->epoch) {
        walk_fail(w, "SUBMIT in epoch %u, RESET said %u", m->head.epoch,
                  peer->epoch);
    }
    if (wep->cancels) {
        walk_fail(w, "%s: a SUBMIT, and a CANCEL is not answered", wep->name);
    }
    if (is_standard(m)) {
        saw_standard(w, m);
        return false;
    }
    if (!is_control(wep)) {
        check_credits(w, wep, peer_submit_length(m));
    }
    r = keep(w, wep, m);
    if (wep->halted) {
        complete(w, r, USB_REMOTE_STATUS_STALL, 0);
    }
    return true;
}

static void got_cancel(Walk *w, uint64_t id)
{
    GList *l;

    for (l = w->requests.head; l; l = l->next) {
        WalkRequest *r = l->data;

        if (r->m->head.id == id) {
            r->cancelled = true;
            r->wep->cancels++;
            if (is_control(r->wep)) {   /* the guest waits for the next one */
                answer_cancel(w, r);
            }
            return;
        }
    }
}

static void got_attached(Walk *w, const PeerMessage *m)
{
    Peer *peer = w->rig->peer;

    if (m->head.attachment != peer->attachment || !w->attach_owed) {
        return;                         /* overtaken */
    }
    g_assert_cmpint(m->body[0], ==, USB_REMOTE_ATTACHED_OK);
    w->attach_owed = false;
    w->attached = true;
    peer->speed = m->body[1];
    peer_device_init(&peer->device, peer->speed);
}

bool walk_peer_hook(Peer *peer, PeerMessage *m, void *opaque)
{
    Walk *w = opaque;

    switch (m->head.type) {
    case USB_REMOTE_MSG_SUBMIT:
        return got_submit(w, m);
    case USB_REMOTE_MSG_RESET:
        walk_peer_void(w);
        return false;
    case USB_REMOTE_MSG_CANCEL:
        got_cancel(w, m->head.id);
        break;
    case USB_REMOTE_MSG_ATTACHED:
        got_attached(w, m);
        break;
    case USB_REMOTE_MSG_ERROR:
        walk_fail(w, "ERROR from QEMU: %.*s",
                  (int)(m->head.length - sizeof(UsbRemoteErrorMsg)),
                  m->body + sizeof(UsbRemoteErrorMsg));
    default:
        return false;
    }
    peer_message_free(m);
    return true;
}

/* The connection */

static void any_limits(Walk *w)
{
    UsbRemoteLimits *l = &w->limits;

    *l = usb_remote_default_limits();
    if (walk_chance(w, 50)) {
        l->max_requests = 1 + walk_below(w, 64);
        l->max_per_endpoint = 1 + walk_below(w, WALK_DEPTH);
        l->max_payload = USB_REMOTE_MIN_PAYLOAD << walk_below(w, 4);
        l->max_bytes = l->max_payload << walk_below(w, 4);
    }
}

void walk_peer_connect(Walk *w)
{
    Peer *peer = w->rig->peer;
    UsbRemoteHello hello = peer_hello();

    any_limits(w);
    usb_remote_put_limits(&hello, &w->limits);
    peer_connect(peer, w->rig->path);
    peer_send_preamble(peer, USB_REMOTE_MAJOR, USB_REMOTE_MINOR);
    peer_send(peer, USB_REMOTE_MSG_HELLO, &hello, sizeof(hello));
    peer_expect_free(peer, USB_REMOTE_MSG_HELLO);
}

void walk_peer_hang_up(Walk *w)
{
    w->rig->peer->deaf = false;
    peer_close(w->rig->peer);
    walk_peer_forget(w);
}

/* What is not looked at may go; what QEMU waits for must not be late. */
void walk_peer_tick(Walk *w)
{
    Peer *peer = w->rig->peer;
    PeerMessage *m;
    GList *l;

    while ((m = g_queue_pop_head(&peer->messages))) {
        peer_message_free(m);
    }
    if (peer->fd >= 0 && peer->eof) {
        walk_fail(w, "QEMU has closed the connection");
    }
    if (peer->deaf && walk_now(w) >= w->deaf_until) {
        peer->deaf = false;
    }
    for (l = w->requests.head; l; l = l->next) {
        if (((WalkRequest *)l->data)->cancelled) {
            int64_t now = walk_now(w);

            w->answer_by = w->answer_by ?: now + CANCEL_LIMIT_NS;
            if (now >= w->answer_by || walk_chance(w, 60)) {
                answer_cancels(w);
            }
            return;
        }
    }
}
