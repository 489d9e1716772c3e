/*
 * usb-remote's random walk: the guest
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * While the machine runs it queues transfers and takes them back.  It judges
 * what it gets: data has to come in the order of the requests, once, and
 * without a gap; an OUT is done when the peer has taken all of it, and not
 * before; an error needs a cause.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "usb-remote-walk.h"

#define SLOW_MAX        1024            /* a packet has 64 bytes */
#define FAST_MAX        40000
#define CONTROL_MAX     512
#define FAULT_FRAMES    20              /* until an answer is seen */
#define CONTROL_LARGE   4096

/* Endpoints */

static UsbHcEndpoint *hc_ep(Walk *w, WalkEndpoint *wep)
{
    Rig *rig = w->rig;

    switch (wep - w->eps) {
    case WALK_INT_OUT:
        return rig->int_out;
    case WALK_INT_IN:
        return rig->int_in;
    case WALK_BULK_OUT:
        return rig->bulk_out;
    case WALK_BULK_IN:
        return rig->bulk_in;
    default:
        return rig->dev ? rig->dev->ep0 : NULL;
    }
}

static WalkEndpoint *any_data_endpoint(Walk *w)
{
    return &w->eps[WALK_INT_OUT + walk_below(w, WALK_BULK_IN -
                                                WALK_INT_OUT + 1)];
}

/* Transfers */

static WalkFlight *fly(Walk *w, WalkEndpoint *wep, UsbHcTransfer *xfer,
                       WalkItem *item)
{
    WalkFlight *f = g_new0(WalkFlight, 1);

    f->wep = wep;
    f->xfer = xfer;
    f->item = item;
    f->count = item ? item->count : 0;
    f->disturbed = wep->disturbed;
    f->halted = wep->halted;
    f->halts = wep->halts;
    f->halt = wep->halt;
    g_queue_push_tail(&wep->flights, f);
    return f;
}

static void flight_free(WalkFlight *f)
{
    g_queue_remove(&f->wep->flights, f);
    usbhc_transfer_free(f->xfer);
    g_free(f);
}

static uint32_t any_size(Walk *w, WalkEndpoint *wep, UsbHcEndpoint *ep)
{
    uint32_t mps = ep->mps;
    bool slow = w->rig->drv->best == USBHC_FULL;
    uint32_t most = ep->type == USBHC_INTERRUPT ? 2 * mps :
                    slow ? SLOW_MAX : FAST_MAX;
    const uint32_t sizes[] = {
        0, 1, mps - 1, mps, mps, mps, mps + 1, 2 * mps,
        mps * (1 + walk_below(w, 4)), 1 + walk_below(w, 4 * mps),
        1 + walk_below(w, 4 * mps), 1 + walk_below(w, most)
    };

    return MIN(wep->size ? wep->size * mps
                         : sizes[walk_below(w, G_N_ELEMENTS(sizes))], most);
}

static bool transfer_on(Walk *w, WalkEndpoint *wep)
{
    UsbHcEndpoint *ep = hc_ep(w, wep);
    WalkItem *item = NULL;
    uint32_t size;

    if (!ep || ep->halted || w->stopped ||
        wep->flights.length >= WALK_DEPTH) {
        return false;
    }
    size = any_size(w, wep, ep);
    if (!wep->in && size) {
        item = walk_item(wep);
        walk_item_fill(wep, item, size);
    }
    walk_note(w, "%s %u", wep->name, size);
    fly(w, wep, usbhc_submit(ep, item ? item->data : NULL, size), item);
    return true;
}

bool walk_transfer(Walk *w)
{
    return transfer_on(w, any_data_endpoint(w));
}

bool walk_burst(Walk *w)
{
    WalkEndpoint *wep = any_data_endpoint(w);
    unsigned n = 2 + walk_below(w, WALK_DEPTH - 1);
    bool any = false;

    while (n-- && transfer_on(w, wep)) {
        any = true;
    }
    return any;
}

static bool control_is_free(Walk *w)
{
    return w->rig->dev && !w->stopped && !w->rig->dev->ep0->halted &&
           g_queue_is_empty(&w->eps[WALK_CONTROL_OUT].flights) &&
           g_queue_is_empty(&w->eps[WALK_CONTROL_IN].flights);
}

static uint32_t any_control_size(Walk *w)
{
    return walk_below(w, (walk_chance(w, 90) ? CONTROL_MAX
                                             : CONTROL_LARGE) + 1);
}

bool walk_control(Walk *w)
{
    bool in = walk_chance(w, 50);
    WalkEndpoint *wep = &w->eps[in ? WALK_CONTROL_IN : WALK_CONTROL_OUT];
    uint8_t setup[8] = { in ? 0xc0 : 0x40, 0x55 };
    WalkItem *item = NULL;
    uint32_t size;

    if (!control_is_free(w)) {
        return false;
    }
    size = any_control_size(w);
    if (!in && size) {
        item = walk_item(wep);
        walk_item_fill(wep, item, size);
    }
    stw_le_p(setup + 6, size);
    walk_note(w, "%s %u", wep->name, size);
    fly(w, wep, usbhc_submit_control(w->rig->dev, setup,
                                     item ? item->data : NULL), item);
    return true;
}

/* What the guest must see */

/* Is it all right that the bytes of @wep before @count, @offset are lost? */
static void check_gap(Walk *w, WalkEndpoint *wep, uint32_t count,
                      uint32_t offset)
{
    uint32_t i;

    for (i = MAX(wep->at, wep->loose); i < count; i++) {
        WalkItem *item = &wep->items[i % WALK_ITEMS];
        uint32_t had = i == wep->at ? wep->at_offset : 0;

        if (item->count == i && (item->open || item->length > had)) {
            walk_fail(w, "%s: answer %u comes before %u, of which %u of %u "
                      "bytes were seen%s", wep->name, count, i, had,
                      item->length, item->open ? " and which is open" : "");
        }
    }
    if (count >= wep->loose &&
        offset != (count == wep->at ? wep->at_offset : 0)) {
        walk_fail(w, "%s: answer %u goes on at byte %u, not %u", wep->name,
                  count, offset, count == wep->at ? wep->at_offset : 0);
    }
}

/* @length bytes of answer @count, from @offset on */
static void arrive(Walk *w, WalkEndpoint *wep, uint32_t count,
                   uint32_t offset, uint32_t length)
{
    if (count < wep->at || (count == wep->at && offset < wep->at_offset)) {
        walk_fail(w, "%s: byte %u of answer %u comes after byte %u of %u",
                  wep->name, offset, count, wep->at_offset, wep->at);
    }
    if (!wep->unsure) {
        check_gap(w, wep, count, offset);
    }
    wep->at = count;
    wep->at_offset = offset + length;
}

/* What is where the bytes of @item from @offset on should be? */
static void G_NORETURN wrong_bytes(Walk *w, WalkEndpoint *wep, WalkItem *item,
                                   uint32_t offset, const uint8_t *data,
                                   uint32_t n)
{
    const uint8_t *wanted = item->data + offset;
    uint32_t i = 0;

    while (data[i] == wanted[i]) {
        i++;
    }
    walk_fail(w, "%s: not the %u bytes of answer %u from byte %u on: byte %u "
              "is 0x%02x, not 0x%02x", wep->name, n, item->count, offset, i,
              data[i], wanted[i]);
}

static void check_in(Walk *w, WalkFlight *f)
{
    WalkEndpoint *wep = f->wep;
    const uint8_t *data = f->xfer->data;
    uint32_t left = f->xfer->actual, n;

    for (; left; left -= n, data += n) {
        WalkItem *item = &wep->items[data[0]];
        uint32_t offset = walk_offset(item, data, left);

        if (offset >= item->length) {
            walk_fail(w, "%s: %u bytes that are of no answer", wep->name,
                      left);
        }
        n = MIN(left, item->length - offset);
        if (memcmp(data, item->data + offset, n)) {
            wrong_bytes(w, wep, item, offset, data, n);
        }
        if (item->count < f->halt) {
            walk_fail(w, "%s: answer %u comes after a halt that it was made "
                      "before", wep->name, item->count);
        }
        arrive(w, wep, item->count, offset, n);
    }
    if (f->xfer->status == USBHC_SHORT && f->xfer->actual && !wep->unsure &&
        wep->at >= wep->loose &&
        wep->at_offset != wep->items[wep->at % WALK_ITEMS].length) {
        walk_fail(w, "%s: a transfer ends short at byte %u of %u of answer %u",
                  wep->name, wep->at_offset,
                  wep->items[wep->at % WALK_ITEMS].length, wep->at);
    }
}

static void check_out(Walk *w, WalkFlight *f)
{
    WalkItem *item = f->item;

    if (!item || item->count != f->count) {
        return;
    }
    if (item->taken < item->length) {
        walk_fail(w, "%s: transfer %u is done, but the peer took %u of its %u "
                  "bytes", f->wep->name, f->count, item->taken, item->length);
    }
    if (item->taken > item->length && f->disturbed == f->wep->disturbed) {
        walk_fail(w, "%s: of transfer %u the peer got %u of %u bytes",
                  f->wep->name, f->count, item->taken, item->length);
    }
}

static void check_fault(Walk *w, WalkFlight *f)
{
    WalkEndpoint *wep = f->wep;

    if (wep->faults[f->xfer->status]) {
        wep->faults[f->xfer->status]--;
    } else if (w->fresh && f->disturbed == wep->disturbed &&
               wep->loose <= wep->at && !wep->unsure) {
        walk_fail(w, "%s: a transfer of %u bytes ends with %s, for no reason",
                  wep->name, f->xfer->length,
                  usbhc_status_name(f->xfer->status));
    }
}

static void reap(Walk *w, WalkFlight *f)
{
    WalkEndpoint *wep = f->wep;
    bool ok = f->xfer->status == USBHC_OK || f->xfer->status == USBHC_SHORT;

    if (ok && f->halted && wep->halted && f->halts == wep->halts) {
        walk_fail(w, "%s: a transfer of %u bytes succeeds on a halted "
                  "endpoint", wep->name, f->xfer->length);
    }
    if (!ok && f->xfer->status != USBHC_CANCELLED) {
        check_fault(w, f);
        walk_disturb(w, wep);
        walk_misfit(wep);
        if (usbhc_is_control(f->xfer)) {
            usbhc_ep_recover(f->xfer->ep);
        }
    } else if (ok && wep->in) {
        check_in(w, f);
    } else if (f->xfer->status == USBHC_OK) {
        check_out(w, f);
    }
    flight_free(f);
}

void walk_guest_reap(Walk *w)
{
    unsigned i;

    for (i = 0; i < WALK_ENDPOINTS; i++) {
        GList *l, *next;

        for (l = w->eps[i].flights.head; l; l = next) {
            WalkFlight *f = l->data;

            next = l->next;
            if (f->xfer->status != USBHC_PENDING) {
                reap(w, f);
            }
        }
    }
}

bool walk_guest_quiet(Walk *w)
{
    unsigned i;

    for (i = 0; i < WALK_ENDPOINTS; i++) {
        if (!g_queue_is_empty(&w->eps[i].flights)) {
            return false;
        }
    }
    return true;
}

/* What the guest waits for, in words */
char *walk_guest_pending(Walk *w)
{
    g_autoptr(GString) text = g_string_new("");
    unsigned i;

    for (i = 0; i < WALK_ENDPOINTS; i++) {
        WalkEndpoint *wep = &w->eps[i];
        WalkFlight *f = g_queue_peek_head(&wep->flights);

        if (f) {
            g_string_append_printf(text, ", %s (%u transfers, %u bytes in the "
                                   "first, TD %u of %u%s)", wep->name,
                                   wep->flights.length, f->xfer->length,
                                   f->xfer->td_done, f->xfer->tds,
                                   f->xfer->ep->halted ? ", halted" : "");
        }
    }
    return g_string_free(g_steal_pointer(&text), false);
}

/* Giving up */

/*
 * QEMU's xHCI carries out Stop Endpoint also on an endpoint that is halted:
 * if that happened just before, the next doorbell runs the failed TD again,
 * whose memory the guest may have given to somebody else.  So the fault has
 * to be seen first.
 */
static void see_fault(Walk *w, WalkFlight *f)
{
    unsigned frames;

    for (frames = 0; frames < FAULT_FRAMES &&
                     (f->wep->halted || walk_fault_is_due(f->wep)) &&
                     f->xfer->status == USBHC_PENDING; frames++) {
        rig_step(w->rig);
    }
}

/*
 * Of a halted endpoint the drivers in usbhc*.c take nothing back: that would
 * set the queue going again.
 */
static void take_back(Walk *w, WalkFlight *f)
{
    UsbHcEndpoint *ep = f->xfer->ep;

    if (w->rig->drv == &usbhc_xhci) {
        see_fault(w, f);
    }
    if (ep && ep->halted) {
        usbhc_ep_recover(ep);
    }
    usbhc_cancel(f->xfer);
}

void walk_guest_forget(Walk *w, WalkEndpoint *wep)
{
    GList *l;

    for (l = wep->flights.tail; l; l = l->prev) {
        take_back(w, l->data);
    }
    walk_disturb(w, wep);
    walk_misfit(wep);
    walk_guest_reap(w);
}

void walk_guest_gone(Walk *w)
{
    unsigned i;

    for (i = 0; i < WALK_ENDPOINTS; i++) {
        walk_guest_forget(w, &w->eps[i]);
    }
    rig_unplug_guest(w->rig);
    if (w->hub && !w->behind_hub) {
        usbhc_close(w->hub);
        w->hub = NULL;
    }
    w->fresh = false;
}

void walk_guest_reset(Walk *w)
{
    Rig *rig = w->rig;
    unsigned i;

    for (i = 0; i < WALK_ENDPOINTS; i++) {
        WalkEndpoint *wep = &w->eps[i];
        WalkFlight *f;

        while ((f = g_queue_peek_head(&wep->flights))) {
            if (f->xfer->status == USBHC_PENDING) {
                usbhc_done(f->xfer, USBHC_CANCELLED, 0);
            }
            flight_free(f);
        }
    }
    rig->hc = usbhc_renew(rig->hc);
    rig->hc->linger = WALK_LINGER;
    rig->dev = NULL;
    rig->int_in = rig->int_out = rig->bulk_in = rig->bulk_out = NULL;
    w->hub = NULL;
    w->fresh = false;
    walk_disturb_all(w);
}

static WalkFlight *any_flight(Walk *w)
{
    unsigned i, n = 0;

    if (w->stopped) {
        return NULL;
    }
    for (i = 0; i < WALK_ENDPOINTS; i++) {
        n += w->eps[i].flights.length;
    }
    n = walk_below(w, n);
    for (i = 0; i < WALK_ENDPOINTS; i++) {
        if (n < w->eps[i].flights.length) {
            return g_queue_peek_nth(&w->eps[i].flights, n);
        }
        n -= w->eps[i].flights.length;
    }
    return NULL;
}

bool walk_cancel(Walk *w)
{
    WalkFlight *f = any_flight(w);

    if (!f) {
        return false;
    }
    walk_note(w, "%s %u", f->wep->name, f->xfer->length);
    take_back(w, f);
    walk_disturb(w, f->wep);
    walk_misfit(f->wep);
    walk_guest_reap(w);
    return true;
}

bool walk_cancel_all(Walk *w)
{
    WalkFlight *f = any_flight(w);

    if (!f) {
        return false;
    }
    walk_note(w, "%s", f->wep->name);
    walk_guest_forget(w, f->wep);
    return true;
}

/* Requests that the guest waits for */

bool walk_can_control(Walk *w)
{
    return w->fresh && w->attached && !w->stopped && !w->rig->peer->deaf;
}

static void request(Walk *w, uint8_t type, uint8_t request, uint16_t value,
                    uint16_t index)
{
    UsbHcStatus status;

    walk_guest_forget(w, &w->eps[WALK_CONTROL_OUT]);
    walk_guest_forget(w, &w->eps[WALK_CONTROL_IN]);
    walk_disturb_all(w);
    status = usbhc_control(w->rig->dev, type, request, value, index, NULL, 0,
                           NULL);
    if (status != USBHC_OK) {
        walk_fail(w, "request %02x %02x ends with %s", type, request,
                  usbhc_status_name(status));
    }
}

static WalkEndpoint *halted_endpoint(Walk *w)
{
    unsigned i, from = walk_below(w, WALK_ENDPOINTS);

    for (i = 0; i < WALK_ENDPOINTS; i++) {
        WalkEndpoint *wep = &w->eps[(from + i) % WALK_ENDPOINTS];
        UsbHcEndpoint *ep = hc_ep(w, wep);

        if (ep && ep->address && ep->halted) {
            return wep;
        }
    }
    return NULL;
}

bool walk_halt(Walk *w)
{
    WalkEndpoint *wep = any_data_endpoint(w);

    if (!walk_can_control(w) || !hc_ep(w, wep)) {
        return false;
    }
    walk_note(w, "%s", wep->name);
    request(w, 0x02, 3, 0, wep->address);
    return true;
}

/* Also of endpoints that are not halted, which takes back what they have */
bool walk_clear_halt(Walk *w)
{
    WalkEndpoint *wep = halted_endpoint(w);
    bool halted = wep;

    if (!wep && walk_chance(w, 10)) {
        wep = any_data_endpoint(w);
    }
    if (!walk_can_control(w) || !wep || !hc_ep(w, wep)) {
        return false;
    }
    walk_note(w, "%s", wep->name);
    if (halted) {
        usbhc_ep_recover(hc_ep(w, wep));
    }
    request(w, 0x02, 1, 0, wep->address);
    walk_disturb(w, wep);
    return true;
}

bool walk_ep_recover(Walk *w)
{
    WalkEndpoint *wep = halted_endpoint(w);

    if (!wep || w->stopped) {
        return false;
    }
    walk_note(w, "%s", wep->name);
    usbhc_ep_recover(hc_ep(w, wep));
    return true;
}

void walk_guest_recover(Walk *w)
{
    while (walk_ep_recover(w)) {
        continue;
    }
}

static void reopen(Walk *w, WalkEndpoint *wep, UsbHcEndpoint **ep)
{
    UsbHcEndpoint old;

    walk_guest_forget(w, wep);
    if (*ep) {
        old = **ep;
        usbhc_ep_close(*ep);
        *ep = usbhc_ep(w->rig->dev, old.address, old.type, old.mps,
                       old.interval);
    }
}

/* What was in flight has failed or was taken back; begin anew. */
static void reopen_all(Walk *w)
{
    walk_disturb_all(w);
    walk_guest_reap(w);
    reopen(w, &w->eps[WALK_INT_OUT], &w->rig->int_out);
    reopen(w, &w->eps[WALK_INT_IN], &w->rig->int_in);
    reopen(w, &w->eps[WALK_BULK_OUT], &w->rig->bulk_out);
    reopen(w, &w->eps[WALK_BULK_IN], &w->rig->bulk_in);
}

bool walk_set_configuration(Walk *w)
{
    if (!walk_can_control(w)) {
        return false;
    }
    request(w, 0x00, 9, 1, 0);
    reopen_all(w);
    return true;
}

bool walk_set_interface(Walk *w)
{
    if (!walk_can_control(w)) {
        return false;
    }
    request(w, 0x01, 11, 0, 0);
    reopen_all(w);
    return true;
}

bool walk_descriptor(Walk *w)
{
    uint8_t buf[18];
    uint32_t actual;

    if (!walk_can_control(w) || !control_is_free(w)) {
        return false;
    }
    usbhc_control(w->rig->dev, 0x80, 6, 0x100, 0, buf, 18, &actual);
    g_assert_cmpmem(buf, actual, w->rig->peer->device.device, 18);
    return true;
}
