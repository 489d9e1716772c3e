/*
 * Small USB host controller drivers for qtest: EHCI
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An asynchronous list and a periodic one that is run in every frame, each
 * starting with a queue head that stays empty.  A queue ends in an empty
 * qTD; the alternate links in a transfer lead to what follows it, so that a
 * short packet needs no help.
 */

#include "qemu/osdep.h"
#include "hw/usb/ehci-regs.h"
#include "usbhc-queue.h"

#define FRAMES          1024
#define QTD_MAX         16384
#define PORTSC_BASE     0x44
#define LINK_END        1
#define LINK_QH         2
#define TOKEN_HALT      (1 << 6)
#define TOKEN_ACTIVE    (1 << 7)
#define TOKEN_BABBLE    (1 << 4)
#define TOKEN_ERRORS    ((1 << 5) | TOKEN_XACT)
#define TOKEN_XACT      (1 << 3)
#define TOKEN_CERR      (3 << 10)
#define TOKEN_LEFT(t)   (((t) >> 16) & 0x7fff)
#define QH_HEAD         (1 << 15)
#define QH_TOGGLE_TD    (1 << 14)
#define QH_OVERLAY      12              /* current qTD and what follows it */
#define QH_TOKEN        24

struct UsbHcHw {
    uint32_t op;
    uint64_t frames;
    uint64_t async;
    uint64_t periodic;
};

static uint32_t ehci_read(UsbHc *hc, uint32_t reg)
{
    return qpci_io_readl(hc->pci, hc->bar, hc->hw->op + reg);
}

static void ehci_write(UsbHc *hc, uint32_t reg, uint32_t value)
{
    qpci_io_writel(hc->pci, hc->bar, hc->hw->op + reg, value);
}

static uint64_t head_alloc(UsbHc *hc, uint32_t flags, bool circular)
{
    uint64_t qh = usbhc_block_alloc(hc);
    uint32_t words[12] = {
        circular ? qh | LINK_QH : LINK_END, flags, 1 << 30, 0, LINK_END,
        LINK_END, TOKEN_HALT
    };

    usbhc_write32(hc, qh, words, 12);
    return qh;
}

static UsbHcHw *ehci_start(UsbHc *hc)
{
    UsbHcHw *hw = hc->hw = g_new0(UsbHcHw, 1);
    g_autofree uint32_t *frames = g_new(uint32_t, FRAMES);
    unsigned i;

    usbhc_pci_start(hc, 0);
    hw->op = qpci_io_readb(hc->pci, hc->bar, CAPLENGTH);
    ehci_write(hc, USBCMD, USBCMD_HCRESET);
    hw->async = head_alloc(hc, QH_HEAD | (2 << 12), true);
    hw->periodic = head_alloc(hc, 2 << 12, false);
    usbhc_put32(hc, hw->periodic + 8, (1 << 30) | 1);
    hw->frames = usbhc_alloc(hc, FRAMES * 4);
    for (i = 0; i < FRAMES; i++) {
        frames[i] = hw->periodic | LINK_QH;
    }
    usbhc_write32(hc, hw->frames, frames, FRAMES);
    ehci_write(hc, PERIODICLISTBASE, hw->frames);
    ehci_write(hc, ASYNCLISTADDR, hw->async);
    ehci_write(hc, USBCMD, USBCMD_RUNSTOP | USBCMD_PSE | USBCMD_ASE);
    ehci_write(hc, CONFIGFLAG, 1);
    return hw;
}

static void ehci_stop(UsbHc *hc)
{
    ehci_write(hc, USBCMD, 0);
    usbhc_release(hc, hc->hw->frames);
}

/* Ports */

static unsigned ehci_ports(UsbHc *hc)
{
    return qpci_io_readl(hc->pci, hc->bar, HCSPARAMS) & 15;
}

static uint32_t portsc(UsbHc *hc, unsigned port)
{
    return ehci_read(hc, PORTSC_BASE + 4 * port);
}

static UsbHcPort ehci_port_status(UsbHc *hc, unsigned port)
{
    uint32_t sc = portsc(hc, port);

    return (UsbHcPort) {
        .connected = sc & PORTSC_CONNECT,
        .enabled = sc & PORTSC_PED,
        .changed = sc & PORTSC_CSC,
        .resume = sc & PORTSC_FPRES,
        .speed = USBHC_HIGH,
    };
}

static void port_write(UsbHc *hc, unsigned port, uint32_t value)
{
    ehci_write(hc, PORTSC_BASE + 4 * port, PORTSC_PPOWER | value);
}

static void ehci_port_clear(UsbHc *hc, unsigned port)
{
    port_write(hc, port, (portsc(hc, port) & PORTSC_PED) | PORTSC_CSC |
                         PORTSC_PEDC);
}

static void ehci_port_reset(UsbHc *hc, unsigned port)
{
    port_write(hc, port, PORTSC_PRESET);
    port_write(hc, port, 0);
    ehci_port_clear(hc, port);
}

static void ehci_port_suspend(UsbHc *hc, unsigned port)
{
    port_write(hc, port, PORTSC_PED | PORTSC_SUSPEND);
}

/* Endpoints */

static bool is_periodic(const UsbHcEndpoint *ep)
{
    return ep->type == USBHC_INTERRUPT || ep->type == USBHC_ISO;
}

static uint64_t list_of(const UsbHcEndpoint *ep)
{
    UsbHcHw *hw = ep->dev->hc->hw;

    return is_periodic(ep) ? hw->periodic : hw->async;
}

static uint64_t empty_qtd(UsbHc *hc)
{
    uint64_t qtd = usbhc_block_alloc(hc);
    uint32_t words[8] = { LINK_END, LINK_END };

    usbhc_write32(hc, qtd, words, 8);
    return qtd;
}

static uint32_t qh_flags(const UsbHcEndpoint *ep)
{
    return ep->dev->address | ((ep->address & 15) << 8) | (2 << 12) |
           (ep->type == USBHC_CONTROL ? QH_TOGGLE_TD : 0) | (ep->mps << 16);
}

static void ehci_link(UsbHcEndpoint *ep)
{
    UsbHc *hc = ep->dev->hc;
    uint64_t list = list_of(ep);

    usbhc_put32(hc, ep->head, usbhc_get32(hc, list));
    usbhc_put32(hc, list, ep->head | LINK_QH);
}

/* Where the queue goes on: the oldest pending transfer or the empty qTD */
static void set_overlay(UsbHcEndpoint *ep)
{
    uint32_t words[9] = { 0, usbhc_queue_first(ep), LINK_END, 0 };

    usbhc_write32(ep->dev->hc, ep->head + QH_OVERLAY, words, 9);
}

static void ehci_ep_open(UsbHcEndpoint *ep)
{
    UsbHc *hc = ep->dev->hc;

    ep->head = usbhc_block_alloc(hc);
    ep->tail = empty_qtd(hc);
    usbhc_put32(hc, ep->head + 4, qh_flags(ep));
    usbhc_put32(hc, ep->head + 8, (1 << 30) | (is_periodic(ep) ? 1 : 0));
    set_overlay(ep);
    ehci_link(ep);
}

static void ehci_unlink(UsbHcEndpoint *ep)
{
    UsbHc *hc = ep->dev->hc;
    uint64_t at = list_of(ep);

    while ((usbhc_get32(hc, at) & ~0x1f) != ep->head) {
        at = usbhc_get32(hc, at) & ~0x1f;
        g_assert(at && at != hc->hw->async);
    }
    usbhc_put32(hc, at, usbhc_get32(hc, ep->head));
}

static bool advanced(void *opaque)
{
    UsbHc *hc = opaque;

    return ehci_read(hc, USBSTS) & USBSTS_IAA;
}

/*
 * Out of the schedule, and the handshake that says that the controller has
 * left it; the periodic list has none, there a frame is enough.
 */
static void pause_queue(UsbHcEndpoint *ep)
{
    UsbHc *hc = ep->dev->hc;
    unsigned i;

    ehci_unlink(ep);
    if (is_periodic(ep)) {
        usbhc_leave_out(hc, 2);
        return;
    }
    ehci_write(hc, USBCMD, ehci_read(hc, USBCMD) | USBCMD_IAAD);
    for (i = 0; i < 1000 && !advanced(hc); i++) {
        usbhc_pass(hc, USBHC_FRAME_NS);
    }
    g_assert(advanced(hc));
    ehci_write(hc, USBSTS, USBSTS_IAA);
}

static void ehci_ep_close(UsbHcEndpoint *ep)
{
    pause_queue(ep);
    usbhc_queue_free(ep);
}

static UsbHcStatus ehci_address(UsbHcDevice *dev)
{
    usbhc_put32(dev->hc, dev->ep0->head + 4, qh_flags(dev->ep0));
    return USBHC_OK;
}

static void ehci_close(UsbHcDevice *dev)
{
}

/* Transfers */

static const uint8_t pids[] = {
    [USBHC_OUT] = 0, [USBHC_IN] = 1, [USBHC_SETUP] = 2,
};

static void write_qtd(UsbHcTransfer *xfer, uint32_t i, uint64_t after,
                      uint64_t buffer, uint32_t active)
{
    bool control = usbhc_is_control(xfer), last = i == xfer->tds - 1;
    uint32_t size = control && i == 0 ? 8 : xfer->td_length[i];
    uint64_t start = control && i == 0 ? xfer->setup_buffer : buffer;
    bool toggle = control && (last || (i & 1));
    uint32_t words[8] = {
        last ? after : xfer->td[i + 1],
        last ? LINK_END : control ? xfer->td[xfer->tds - 1] : after,
        ((uint32_t)toggle << 31) | (size << 16) | (last ? 1 << 15 : 0) |
        (3 << 10) | (pids[usbhc_td_token(xfer, i)] << 8) | active,
        start
    };
    unsigned page;

    for (page = 1; page < 5; page++) {
        words[3 + page] = (start & ~0xfff) + page * 0x1000;
    }
    usbhc_write32(xfer->hc, xfer->td[i], words, 8);
}

static void ehci_submit(UsbHcTransfer *xfer)
{
    UsbHcEndpoint *ep = xfer->ep;
    uint64_t tail = empty_qtd(xfer->hc), at = xfer->buffer;
    uint32_t i;

    usbhc_queue_append(xfer, is_periodic(ep) ? ep->mps : QTD_MAX, tail);
    for (i = 0; i < xfer->tds; i++) {
        write_qtd(xfer, i, tail, at, i ? TOKEN_ACTIVE : 0);
        at += xfer->td_length[i];
    }
    usbhc_put32(xfer->hc, xfer->td[0] + 8,
                usbhc_get32(xfer->hc, xfer->td[0] + 8) | TOKEN_ACTIVE);
}

static UsbHcStatus qtd_status(uint32_t token)
{
    if (token & TOKEN_BABBLE) {
        return USBHC_BABBLE;
    }
    if (token & TOKEN_ERRORS) {
        return USBHC_ERROR;
    }
    return token & TOKEN_HALT ? USBHC_STALL : USBHC_OK;
}

/* False when there is nothing more to see in this transfer. */
/*
 * As Linux does it: the qTD goes on with what the controller left of it.  It
 * is no business of the caller's then.
 */
static bool try_again(UsbHcTransfer *xfer, uint64_t qtd, uint32_t token)
{
    UsbHc *hc = xfer->hc;

    if (!hc->retries || !(token & TOKEN_XACT) || (token & TOKEN_CERR)) {
        return false;
    }
    hc->retries--;
    token &= ~(TOKEN_HALT | TOKEN_ERRORS);
    token |= TOKEN_ACTIVE | TOKEN_CERR;
    usbhc_put32(hc, qtd + 8, token);
    usbhc_put32(hc, xfer->ep->head + QH_TOKEN, token);
    return true;
}

static bool harvest_qtd(UsbHcTransfer *xfer)
{
    uint32_t i = xfer->td_done;
    uint32_t token = usbhc_get32(xfer->hc, xfer->td[i] + 8);
    bool is_short = false;

    if ((token & TOKEN_ACTIVE) || try_again(xfer, xfer->td[i], token)) {
        return false;
    }
    if (usbhc_td_has_data(xfer, i)) {
        xfer->actual += xfer->td_length[i] - TOKEN_LEFT(token);
        is_short = TOKEN_LEFT(token) && usbhc_is_in(xfer);
    }
    if (qtd_status(token) != USBHC_OK) {
        usbhc_queue_done(xfer, qtd_status(token));
        return false;
    }
    xfer->td_done = is_short && usbhc_is_control(xfer) ? xfer->tds - 1 : i + 1;
    if (xfer->td_done == xfer->tds ||
        (is_short && !usbhc_is_control(xfer))) {
        usbhc_queue_done(xfer, USBHC_OK);
        return false;
    }
    return true;
}

static void ehci_harvest(UsbHc *hc)
{
    usbhc_queues_harvest(hc, harvest_qtd);
}

/* Nobody may point at the qTDs of a transfer that is taken out. */
static void relink(UsbHcTransfer *xfer)
{
    UsbHcTransfer *before = usbhc_queue_before(xfer);
    uint64_t next = usbhc_queue_behind(xfer);
    uint32_t i;

    if (!before) {
        return;
    }
    usbhc_put32(xfer->hc, before->td[before->tds - 1], next);
    for (i = 0; !usbhc_is_control(before) && i < before->tds - 1; i++) {
        usbhc_put32(xfer->hc, before->td[i] + 4, next);
    }
}

static void ehci_cancel(UsbHcTransfer *xfer)
{
    UsbHcEndpoint *ep = xfer->ep;

    pause_queue(ep);
    if (usbhc_queue_take_out(xfer, harvest_qtd, relink)) {
        set_overlay(ep);
    }
    ehci_link(ep);
}

static void ehci_ep_recover(UsbHcEndpoint *ep)
{
    set_overlay(ep);
}

const UsbHcDriver usbhc_ehci = {
    .name = "ehci",
    .device = "usb-ehci,id=hc,addr=1d.0",
    .speeds = 0x4,
    .best = USBHC_HIGH,
    .max_transfer = 65536,
    .sends_set_address = true,
    .start = ehci_start,
    .stop = ehci_stop,
    .ports = ehci_ports,
    .port_status = ehci_port_status,
    .port_clear = ehci_port_clear,
    .port_reset = ehci_port_reset,
    .port_suspend = ehci_port_suspend,
    .address = ehci_address,
    .close = ehci_close,
    .ep_open = ehci_ep_open,
    .ep_close = ehci_ep_close,
    .submit = ehci_submit,
    .harvest = ehci_harvest,
    .cancel = ehci_cancel,
    .ep_recover = ehci_ep_recover,
};
