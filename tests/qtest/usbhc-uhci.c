/*
 * Small USB host controller drivers for qtest: UHCI
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every frame runs the same chain of queue heads, one for each endpoint.  A
 * queue ends in an empty TD: submitting fills that one and appends a new
 * empty one, so that the controller may run meanwhile.
 */

#include "qemu/osdep.h"
#include "hw/usb/uhci-regs.h"
#include "usbhc-queue.h"

#define FRAMES          1024
#define LINK_END        1
#define LINK_QH         2
#define LINK_DEPTH      4
#define CTRL_LOW        (1 << 26)
#define CTRL_ERRORS     (3 << TD_CTRL_ERROR_SHIFT)
#define CTRL_BUFFER     (1 << 21)
#define CTRL_CRC        TD_CTRL_TIMEOUT
#define PID_SETUP       0x2d
#define PID_IN          0x69
#define PID_OUT         0xe1
#define BAR             4

struct UsbHcHw {
    uint64_t frames;
    uint64_t first;             /* queue head that is always there */
};

static uint16_t uhci_read(UsbHc *hc, uint32_t reg)
{
    return qpci_io_readw(hc->pci, hc->bar, reg);
}

static void uhci_write(UsbHc *hc, uint32_t reg, uint16_t value)
{
    qpci_io_writew(hc->pci, hc->bar, reg, value);
}

static UsbHcHw *uhci_start(UsbHc *hc)
{
    UsbHcHw *hw = hc->hw = g_new0(UsbHcHw, 1);
    uint32_t qh[2] = { LINK_END, LINK_END };
    g_autofree uint32_t *frames = g_new(uint32_t, FRAMES);
    unsigned i;

    usbhc_pci_start(hc, BAR);
    uhci_write(hc, UHCI_USBCMD, UHCI_CMD_HCRESET);
    hw->first = usbhc_block_alloc(hc);
    usbhc_write32(hc, hw->first, qh, 2);
    hw->frames = usbhc_alloc(hc, FRAMES * 4);
    for (i = 0; i < FRAMES; i++) {
        frames[i] = hw->first | LINK_QH;
    }
    usbhc_write32(hc, hw->frames, frames, FRAMES);
    qpci_io_writel(hc->pci, hc->bar, UHCI_USBFLBASEADD, hw->frames);
    uhci_write(hc, UHCI_USBCMD, UHCI_CMD_RS);
    return hw;
}

static void uhci_stop(UsbHc *hc)
{
    uhci_write(hc, UHCI_USBCMD, 0);
    usbhc_release(hc, hc->hw->frames);
}

/* Ports */

static unsigned uhci_ports(UsbHc *hc)
{
    return 2;
}

static UsbHcPort uhci_port_status(UsbHc *hc, unsigned port)
{
    uint16_t sc = uhci_read(hc, UHCI_USBPORTSC1 + 2 * port);

    return (UsbHcPort) {
        .connected = sc & UHCI_PORT_CCS,
        .enabled = sc & UHCI_PORT_EN,
        .changed = sc & UHCI_PORT_CSC,
        .resume = sc & UHCI_PORT_RD,
        .speed = sc & UHCI_PORT_LSDA ? USBHC_LOW : USBHC_FULL,
    };
}

static void uhci_port_clear(UsbHc *hc, unsigned port)
{
    uint32_t reg = UHCI_USBPORTSC1 + 2 * port;

    uhci_write(hc, reg, (uhci_read(hc, reg) & UHCI_PORT_EN) |
                        UHCI_PORT_CSC | UHCI_PORT_ENC);
}

static void uhci_port_reset(UsbHc *hc, unsigned port)
{
    uint32_t reg = UHCI_USBPORTSC1 + 2 * port;

    uhci_write(hc, reg, UHCI_PORT_RESET);
    uhci_write(hc, reg, 0);
    uhci_write(hc, reg, UHCI_PORT_EN | UHCI_PORT_CSC | UHCI_PORT_ENC);
}

static void uhci_port_suspend(UsbHc *hc, unsigned port)
{
    uhci_write(hc, UHCI_USBPORTSC1 + 2 * port,
               UHCI_PORT_EN | UHCI_PORT_SUSPEND);
}

/* Endpoints */

static uint64_t empty_td(UsbHc *hc)
{
    uint64_t td = usbhc_block_alloc(hc);
    uint32_t words[4] = { LINK_END, 0, 0, 0 };

    usbhc_write32(hc, td, words, 4);
    return td;
}

static void uhci_link(UsbHcEndpoint *ep)
{
    UsbHc *hc = ep->dev->hc;

    usbhc_put32(hc, ep->head, usbhc_get32(hc, hc->hw->first));
    usbhc_put32(hc, hc->hw->first, ep->head | LINK_QH);
}

static void uhci_unlink(UsbHcEndpoint *ep)
{
    UsbHc *hc = ep->dev->hc;
    uint64_t at = hc->hw->first;
    uint32_t next = usbhc_get32(hc, at);

    while ((next & ~0xf) != ep->head) {
        g_assert(!(next & LINK_END));
        at = next & ~0xf;
        next = usbhc_get32(hc, at);
    }
    usbhc_put32(hc, at, usbhc_get32(hc, ep->head));
}

static void uhci_ep_open(UsbHcEndpoint *ep)
{
    UsbHc *hc = ep->dev->hc;

    ep->head = usbhc_block_alloc(hc);
    ep->tail = empty_td(hc);
    usbhc_put32(hc, ep->head + 4, ep->tail);
    uhci_link(ep);
}

/*
 * Out of the schedule, and a frame for the controller to leave the queue.
 * QEMU's notices after 32 frames only, which a test may want (@linger).
 */
static void pause_queue(UsbHcEndpoint *ep)
{
    UsbHc *hc = ep->dev->hc;

    uhci_unlink(ep);
    usbhc_leave_out(hc, MAX(hc->linger, 1));
}

static void uhci_ep_close(UsbHcEndpoint *ep)
{
    pause_queue(ep);
    usbhc_queue_free(ep);
}

static UsbHcStatus uhci_address(UsbHcDevice *dev)
{
    return USBHC_OK;
}

static void uhci_close(UsbHcDevice *dev)
{
}

/* Transfers */

static const uint8_t pids[] = {
    [USBHC_SETUP] = PID_SETUP, [USBHC_OUT] = PID_OUT, [USBHC_IN] = PID_IN,
};

static void write_td(UsbHcTransfer *xfer, uint32_t i, uint64_t next,
                     uint64_t buffer, uint32_t active)
{
    UsbHcEndpoint *ep = xfer->ep;
    bool setup = usbhc_is_control(xfer) && i == 0;
    uint32_t size = setup ? 8 : xfer->td_length[i];
    bool last = i == xfer->tds - 1;
    bool toggle = usbhc_is_control(xfer) ? (last || (i & 1)) : ep->toggle;
    uint32_t words[4] = {
        next | LINK_DEPTH,
        active | CTRL_ERRORS |
        (ep->dev->speed == USBHC_LOW ? CTRL_LOW : 0) |
        (usbhc_td_has_data(xfer, i) && usbhc_is_in(xfer) && !last
         ? TD_CTRL_SPD : 0) |
        (last ? TD_CTRL_IOC : 0),
        pids[usbhc_td_token(xfer, i)] | (ep->dev->address << 8) |
        ((ep->address & 15) << 15) | (toggle << 19) |
        (((size - 1) & 0x7ff) << 21),
        setup ? xfer->setup_buffer : buffer
    };

    usbhc_write32(xfer->hc, xfer->td[i], words, 4);
    ep->toggle = !ep->toggle;
}

static void uhci_submit(UsbHcTransfer *xfer)
{
    UsbHcEndpoint *ep = xfer->ep;
    uint64_t tail = empty_td(xfer->hc), at = xfer->buffer;
    uint32_t i;

    usbhc_queue_append(xfer, ep->mps, tail);
    for (i = 0; i < xfer->tds; i++) {
        write_td(xfer, i, i + 1 < xfer->tds ? xfer->td[i + 1] : tail, at,
                 i ? TD_CTRL_ACTIVE : 0);
        at += xfer->td_length[i];
    }
    usbhc_put32(xfer->hc, xfer->td[0] + 4,
                usbhc_get32(xfer->hc, xfer->td[0] + 4) | TD_CTRL_ACTIVE);
}

/* The queue goes on at the oldest pending transfer, or at the empty TD. */
static void set_element(UsbHcEndpoint *ep)
{
    usbhc_put32(ep->dev->hc, ep->head + 4, usbhc_queue_first(ep));
}

static void finish(UsbHcTransfer *xfer, UsbHcStatus status)
{
    UsbHcEndpoint *ep = xfer->ep;
    uint32_t last = xfer->tds - 1;
    bool whole = xfer->td_done > last;

    usbhc_queue_done(xfer, status);
    if (ep->halted) {
        usbhc_put32(ep->dev->hc, ep->head + 4, LINK_END);
    } else if (!whole) {
        set_element(ep);
    }
}

static UsbHcStatus td_status(uint32_t ctrl)
{
    if (ctrl & TD_CTRL_BABBLE) {
        return USBHC_BABBLE;
    }
    if (ctrl & (CTRL_CRC | CTRL_BUFFER)) {
        return USBHC_ERROR;
    }
    return ctrl & TD_CTRL_STALL ? USBHC_STALL : USBHC_OK;
}

/* A short packet: a control transfer goes on with its status stage. */
static void short_packet(UsbHcTransfer *xfer)
{
    if (!usbhc_is_control(xfer)) {
        finish(xfer, USBHC_OK);
        return;
    }
    xfer->td_done = xfer->tds - 1;
    usbhc_put32(xfer->hc, xfer->ep->head + 4, xfer->td[xfer->td_done]);
}

/* False when there is nothing more to see in this transfer. */
static bool harvest_td(UsbHcTransfer *xfer)
{
    uint32_t i = xfer->td_done, td[4], got;
    UsbHcStatus status;

    usbhc_read32(xfer->hc, xfer->td[i], td, 4);
    if (td[1] & TD_CTRL_ACTIVE) {
        return false;
    }
    status = td_status(td[1]);
    if (status != USBHC_OK) {
        finish(xfer, status);
        return false;
    }
    got = (td[1] + 1) & 0x7ff;
    xfer->td_done++;
    if (usbhc_td_has_data(xfer, i)) {
        xfer->actual += got;
        if (usbhc_is_in(xfer) && got < xfer->td_length[i] &&
            i < xfer->tds - 1) {
            short_packet(xfer);
            return xfer->status == USBHC_PENDING;
        }
    }
    if (xfer->td_done == xfer->tds) {
        finish(xfer, USBHC_OK);
        return false;
    }
    return true;
}

static void uhci_harvest(UsbHc *hc)
{
    usbhc_queues_harvest(hc, harvest_td);
}

/* Nobody may point at the TDs of a transfer that is taken out. */
static void relink(UsbHcTransfer *xfer)
{
    UsbHcTransfer *before = usbhc_queue_before(xfer);

    if (before) {
        usbhc_put32(xfer->hc, before->td[before->tds - 1],
                    usbhc_queue_behind(xfer) | LINK_DEPTH);
    }
}

static void uhci_cancel(UsbHcTransfer *xfer)
{
    UsbHcEndpoint *ep = xfer->ep;

    pause_queue(ep);
    if (usbhc_queue_take_out(xfer, harvest_td, relink)) {
        set_element(ep);
    }
    uhci_link(ep);
}

static void uhci_ep_recover(UsbHcEndpoint *ep)
{
    ep->toggle = false;
    set_element(ep);
}

#define UHCI_OPS \
    .max_transfer = 65536, \
    .sends_set_address = true, \
    .start = uhci_start, \
    .stop = uhci_stop, \
    .ports = uhci_ports, \
    .port_status = uhci_port_status, \
    .port_clear = uhci_port_clear, \
    .port_reset = uhci_port_reset, \
    .port_suspend = uhci_port_suspend, \
    .address = uhci_address, \
    .close = uhci_close, \
    .ep_open = uhci_ep_open, \
    .ep_close = uhci_ep_close, \
    .submit = uhci_submit, \
    .harvest = uhci_harvest, \
    .cancel = uhci_cancel, \
    .ep_recover = uhci_ep_recover

const UsbHcDriver usbhc_uhci = {
    .name = "uhci",
    .device = "piix3-usb-uhci,id=hc,addr=1d.0",
    .speeds = 0x3,
    .best = USBHC_FULL,
    UHCI_OPS,
};

const UsbHcDriver usbhc_ehci_companion = {
    .name = "companion",
    .device = "ich9-usb-ehci1,id=hc,addr=1d.7,multifunction=on "
              "-device ich9-usb-uhci1,masterbus=hc.0,firstport=0,"
              "multifunction=on,addr=1d.0",
    .speeds = 0x3,
    .best = USBHC_FULL,
    UHCI_OPS,
};
