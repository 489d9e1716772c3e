/*
 * Queues of transfer descriptors (TDs), as UHCI, OHCI and EHCI have them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "usbhc-queue.h"

/* Stages: SETUP, data, and the status stage in the other direction */
UsbHcToken usbhc_td_token(const UsbHcTransfer *xfer, uint32_t i)
{
    bool in = usbhc_is_in(xfer);

    if (usbhc_is_control(xfer)) {
        if (i == 0) {
            return USBHC_SETUP;
        }
        if (i == xfer->tds - 1) {
            return in && xfer->length ? USBHC_OUT : USBHC_IN;
        }
    }
    return in ? USBHC_IN : USBHC_OUT;
}

bool usbhc_td_has_data(const UsbHcTransfer *xfer, uint32_t i)
{
    return !usbhc_is_control(xfer) || (i > 0 && i < xfer->tds - 1);
}

void usbhc_queue_append(UsbHcTransfer *xfer, uint32_t limit, uint64_t tail)
{
    uint32_t i;

    usbhc_cut(xfer, limit, usbhc_is_control(xfer) ? 2 : 0);
    xfer->td[0] = xfer->ep->tail;
    for (i = 1; i < xfer->tds; i++) {
        xfer->td[i] = usbhc_block_alloc(xfer->hc);
    }
    xfer->ep->tail = tail;
}

uint64_t usbhc_queue_first(const UsbHcEndpoint *ep)
{
    UsbHcTransfer *first = ep->transfers.head ? ep->transfers.head->data
                                              : NULL;

    return first ? first->td[first->td_done] : ep->tail;
}

UsbHcTransfer *usbhc_queue_before(UsbHcTransfer *xfer)
{
    GList *l = g_queue_find(&xfer->ep->transfers, xfer);

    return l->prev ? l->prev->data : NULL;
}

uint64_t usbhc_queue_behind(UsbHcTransfer *xfer)
{
    GList *l = g_queue_find(&xfer->ep->transfers, xfer);
    UsbHcTransfer *after = l->next ? l->next->data : NULL;

    return after ? after->td[0] : xfer->ep->tail;
}

static void free_tds(UsbHcTransfer *xfer)
{
    uint32_t i;

    for (i = 0; i < xfer->tds; i++) {
        usbhc_block_free(xfer->hc, xfer->td[i]);
    }
    xfer->tds = 0;
}

void usbhc_queue_done(UsbHcTransfer *xfer, UsbHcStatus status)
{
    usbhc_done(xfer, status, xfer->actual);
    free_tds(xfer);
}

void usbhc_queue_free(UsbHcEndpoint *ep)
{
    GList *l;

    for (l = ep->transfers.head; l; l = l->next) {
        free_tds(l->data);
    }
    usbhc_block_free(ep->dev->hc, ep->tail);
    usbhc_block_free(ep->dev->hc, ep->head);
}

static void harvest_queue(UsbHcEndpoint *ep, UsbHcHarvestTd *harvest)
{
    UsbHcTransfer *xfer;

    do {
        xfer = g_queue_peek_head(&ep->transfers);
        while (xfer && !ep->halted && harvest(xfer)) {
            continue;
        }
    } while (xfer && !ep->halted && xfer->status != USBHC_PENDING);
}

bool usbhc_queue_take_out(UsbHcTransfer *xfer, UsbHcHarvestTd *harvest,
                          void (*relink)(UsbHcTransfer *xfer))
{
    UsbHcEndpoint *ep = xfer->ep;

    harvest_queue(ep, harvest);
    if (xfer->status != USBHC_PENDING) {
        return false;
    }
    relink(xfer);
    usbhc_queue_done(xfer, USBHC_CANCELLED);
    return !ep->halted;
}

void usbhc_queues_harvest(UsbHc *hc, UsbHcHarvestTd *harvest)
{
    GSList *d, *e;

    for (d = hc->devices; d; d = d->next) {
        for (e = ((UsbHcDevice *)d->data)->endpoints; e; e = e->next) {
            harvest_queue(e->data, harvest);
        }
    }
}
