/*
 * Small USB host controller drivers for qtest: OHCI
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Three lists (control, bulk, periodic in every frame), each starting with an
 * endpoint descriptor that is skipped.  A queue ends in an empty TD, which
 * the tail pointer names.
 */

#include "qemu/osdep.h"
#include "usbhc-queue.h"
#include "usbhc-ohci.h"

#define TD_MAX          8192            /* two pages */

enum {
    LIST_CONTROL, LIST_BULK, LIST_PERIODIC, LISTS
};

struct UsbHcHw {
    uint64_t hcca;
    uint64_t list[LISTS];       /* the EDs at the start */
};

static uint32_t ohci_read(UsbHc *hc, uint32_t reg)
{
    return qpci_io_readl(hc->pci, hc->bar, reg);
}

static void ohci_write(UsbHc *hc, uint32_t reg, uint32_t value)
{
    qpci_io_writel(hc->pci, hc->bar, reg, value);
}

static void write_ed(UsbHc *hc, uint64_t ed, uint32_t flags, uint32_t tail,
                     uint32_t head, uint32_t next)
{
    uint32_t words[4] = { flags, tail, head, next };

    usbhc_write32(hc, ed, words, 4);
}

static UsbHcHw *ohci_start(UsbHc *hc)
{
    UsbHcHw *hw = hc->hw = g_new0(UsbHcHw, 1);
    uint32_t table[32];
    unsigned i;

    usbhc_pci_start(hc, 0);
    ohci_write(hc, HC_COMMAND, COMMAND_RESET);
    for (i = 0; i < LISTS; i++) {
        hw->list[i] = usbhc_block_alloc(hc);
        write_ed(hc, hw->list[i], ED_SKIP, 0, 0, 0);
    }
    hw->hcca = usbhc_alloc(hc, 256);
    for (i = 0; i < 32; i++) {
        table[i] = hw->list[LIST_PERIODIC];
    }
    usbhc_write32(hc, hw->hcca, table, 32);
    ohci_write(hc, HC_HCCA, hw->hcca);
    ohci_write(hc, HC_CONTROL_HEAD, hw->list[LIST_CONTROL]);
    ohci_write(hc, HC_BULK_HEAD, hw->list[LIST_BULK]);
    ohci_write(hc, HC_CONTROL, CONTROL_RUN);
    ohci_write(hc, HC_RH_STATUS, RH_POWER);
    return hw;
}

static void ohci_stop(UsbHc *hc)
{
    ohci_write(hc, HC_CONTROL, 0);
    usbhc_release(hc, hc->hw->hcca);
}

/* Ports */

static unsigned ohci_ports(UsbHc *hc)
{
    return ohci_read(hc, HC_RH_A) & 0xff;
}

static UsbHcPort ohci_port_status(UsbHc *hc, unsigned port)
{
    uint32_t sc = ohci_read(hc, HC_PORT(port));

    return (UsbHcPort) {
        .connected = sc & PORT_CCS,
        .enabled = sc & PORT_PES,
        .changed = sc & PORT_CSC,
        .resume = (sc & PORT_CCS) && (ohci_read(hc, HC_INTR_STATUS) & 8),
        .speed = sc & PORT_LSDA ? USBHC_LOW : USBHC_FULL,
    };
}

static void ohci_port_clear(UsbHc *hc, unsigned port)
{
    ohci_write(hc, HC_PORT(port), PORT_CHANGES);
}

static void ohci_port_reset(UsbHc *hc, unsigned port)
{
    ohci_write(hc, HC_PORT(port), PORT_PRS);
    ohci_port_clear(hc, port);
}

static void ohci_port_suspend(UsbHc *hc, unsigned port)
{
    ohci_write(hc, HC_PORT(port), PORT_PSS);
}

/* Endpoints */

static uint64_t list_of(const UsbHcEndpoint *ep)
{
    UsbHcHw *hw = ep->dev->hc->hw;

    switch (ep->type) {
    case USBHC_CONTROL:
        return hw->list[LIST_CONTROL];
    case USBHC_BULK:
        return hw->list[LIST_BULK];
    default:
        return hw->list[LIST_PERIODIC];
    }
}

static uint32_t ed_flags(const UsbHcEndpoint *ep)
{
    uint32_t direction = ep->address & 0x80 ? ED_IN : ED_OUT;

    return ep->dev->address | ((ep->address & 15) << 7) |
           (ep->address ? direction : 0) |
           (ep->dev->speed == USBHC_LOW ? ED_LOW : 0) | (ep->mps << 16);
}

static uint64_t empty_td(UsbHc *hc)
{
    return usbhc_block_alloc(hc);
}

static void ohci_ep_open(UsbHcEndpoint *ep)
{
    UsbHc *hc = ep->dev->hc;
    uint64_t list = list_of(ep);

    ep->head = usbhc_block_alloc(hc);
    ep->tail = empty_td(hc);
    write_ed(hc, ep->head, ed_flags(ep), ep->tail, ep->tail,
             usbhc_get32(hc, list + 12));
    usbhc_put32(hc, list + 12, ep->head);
}

static void pause_queue(UsbHcEndpoint *ep)
{
    usbhc_put32(ep->dev->hc, ep->head, ed_flags(ep) | ED_SKIP);
    usbhc_leave_out(ep->dev->hc, 1);
}

static void ohci_ep_close(UsbHcEndpoint *ep)
{
    UsbHc *hc = ep->dev->hc;
    uint64_t at = list_of(ep);

    pause_queue(ep);
    while (usbhc_get32(hc, at + 12) != ep->head) {
        at = usbhc_get32(hc, at + 12);
        g_assert(at);
    }
    usbhc_put32(hc, at + 12, usbhc_get32(hc, ep->head + 12));
    usbhc_queue_free(ep);
}

/* The descriptor of ep0 still has the default address. */
static UsbHcStatus ohci_address(UsbHcDevice *dev)
{
    usbhc_put32(dev->hc, dev->ep0->head, ed_flags(dev->ep0));
    return USBHC_OK;
}

static void ohci_close(UsbHcDevice *dev)
{
}

/* Transfers */

static void write_td(UsbHcTransfer *xfer, uint32_t i, uint64_t next,
                     uint64_t buffer)
{
    bool control = usbhc_is_control(xfer), last = i == xfer->tds - 1;
    uint32_t size = control && i == 0 ? 8 : xfer->td_length[i];
    uint64_t start = control && i == 0 ? xfer->setup_buffer : buffer;
    uint32_t words[4] = {
        TD_UNTOUCHED | TD_PID(usbhc_td_token(xfer, i)) |
        (last ? 0 : TD_NO_IRQ) |
        (last || control ? TD_ROUND : 0) |
        (control ? TD_TOGGLE(last || (i & 1)) : 0),
        size ? start : 0, next, size ? start + size - 1 : 0
    };

    usbhc_write32(xfer->hc, xfer->td[i], words, 4);
}

static void kick(UsbHcEndpoint *ep)
{
    if (ep->type == USBHC_CONTROL) {
        ohci_write(ep->dev->hc, HC_COMMAND, COMMAND_CLF);
    } else if (ep->type == USBHC_BULK) {
        ohci_write(ep->dev->hc, HC_COMMAND, COMMAND_BLF);
    }
}

static void ohci_submit(UsbHcTransfer *xfer)
{
    UsbHcEndpoint *ep = xfer->ep;
    uint64_t tail = empty_td(xfer->hc), at = xfer->buffer;
    uint32_t i;

    usbhc_queue_append(xfer, TD_MAX, tail);
    for (i = 0; i < xfer->tds; i++) {
        write_td(xfer, i, i + 1 < xfer->tds ? xfer->td[i + 1] : tail, at);
        at += xfer->td_length[i];
    }
    usbhc_put32(xfer->hc, ep->head + 4, tail);
    kick(ep);
}

/* The queue goes on at the oldest pending transfer, or it is empty. */
static void set_head(UsbHcEndpoint *ep, uint32_t keep)
{
    uint32_t carry = usbhc_get32(ep->dev->hc, ep->head + 8) & keep;

    usbhc_put32(ep->dev->hc, ep->head + 8, usbhc_queue_first(ep) | carry);
    kick(ep);
}

static UsbHcStatus td_status(uint32_t flags)
{
    switch (TD_CODE(flags)) {
    case CC_OK:
        return USBHC_OK;
    case CC_STALL:
        return USBHC_STALL;
    case CC_OVERRUN:
        return USBHC_BABBLE;
    default:
        return USBHC_ERROR;
    }
}

/* An IN that ended early in one of several TDs: not an error for a guest. */
static bool underrun(UsbHcTransfer *xfer)
{
    usbhc_queue_done(xfer, USBHC_OK);
    set_head(xfer->ep, ED_CARRY);
    return false;
}

/* False when there is nothing more to see in this transfer. */
static bool harvest_td(UsbHcTransfer *xfer)
{
    uint32_t i = xfer->td_done, td[4];

    usbhc_read32(xfer->hc, xfer->td[i], td, 4);
    if (TD_CODE(td[0]) == TD_CODE(TD_UNTOUCHED) ||
        (TD_CODE(td[0]) == CC_OK && td[1] &&
         usbhc_td_token(xfer, i) != USBHC_IN)) {
        return false;           /* not begun, or an OUT with more to send */
    }
    if (usbhc_td_has_data(xfer, i)) {
        xfer->actual += td[1] ? xfer->td_length[i] - (td[3] + 1 - td[1])
                              : xfer->td_length[i];
    }
    if (TD_CODE(td[0]) == CC_UNDERRUN) {
        return underrun(xfer);
    }
    if (td_status(td[0]) != USBHC_OK) {
        usbhc_queue_done(xfer, td_status(td[0]));
        return false;
    }
    if (++xfer->td_done == xfer->tds) {
        usbhc_queue_done(xfer, USBHC_OK);
        return false;
    }
    return true;
}

static void ohci_harvest(UsbHc *hc)
{
    ohci_write(hc, HC_INTR_STATUS, INTR_WDH);
    usbhc_queues_harvest(hc, harvest_td);
}

/* Nobody may point at the TDs of a transfer that is taken out. */
static void relink(UsbHcTransfer *xfer)
{
    UsbHcTransfer *before = usbhc_queue_before(xfer);

    if (before) {
        usbhc_put32(xfer->hc, before->td[before->tds - 1] + 8,
                    usbhc_queue_behind(xfer));
    }
}

static void ohci_cancel(UsbHcTransfer *xfer)
{
    UsbHcEndpoint *ep = xfer->ep;

    pause_queue(ep);
    if (usbhc_queue_take_out(xfer, harvest_td, relink)) {
        set_head(ep, ED_CARRY);
    }
    usbhc_put32(ep->dev->hc, ep->head, ed_flags(ep));
    kick(ep);
}

static void ohci_ep_recover(UsbHcEndpoint *ep)
{
    set_head(ep, 0);
}

const UsbHcDriver usbhc_ohci = {
    .name = "ohci",
    .device = "pci-ohci,id=hc,addr=1d.0",
    .speeds = 0x3,
    .best = USBHC_FULL,
    .max_transfer = 65536,
    .sends_set_address = true,
    .start = ohci_start,
    .stop = ohci_stop,
    .ports = ohci_ports,
    .port_status = ohci_port_status,
    .port_clear = ohci_port_clear,
    .port_reset = ohci_port_reset,
    .port_suspend = ohci_port_suspend,
    .address = ohci_address,
    .close = ohci_close,
    .ep_open = ohci_ep_open,
    .ep_close = ohci_ep_close,
    .submit = ohci_submit,
    .harvest = ohci_harvest,
    .cancel = ohci_cancel,
    .ep_recover = ohci_ep_recover,
};
