/*
 * Small USB host controller drivers for qtest: xHCI
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One segment for each ring, events polled in memory, no interrupts.  What
 * is cancelled leaves its ring in one of the ways of UsbHcUnlink; by default
 * the dequeue pointer is set as a careful driver does, to the oldest transfer
 * that is still wanted.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "hw/pci/pci_regs.h"
#include "usbhc.h"

#define TRBS            256             /* in a ring, the last one a link */
#define TRB_BYTES       16
#define TRB_MAX         65536           /* bytes of data in one TRB */
#define STREAMS         256             /* with the reserved one */
#define STREAM_BYTES    16              /* of a stream context */
#define STREAM_PRIMARY  (1 << 1)        /* its type: a ring of its own */
#define TRB_LENGTH_MASK 0x1ffff         /* and what would fit */
#define SEGMENT_BYTES   65536           /* the largest ring segment */
#define EVENTS_READ     8               /* at a time */

/* Operational, port, runtime and doorbell registers */
#define OP_USBCMD       0x00
#define OP_USBSTS       0x04
#define OP_CRCR         0x18
#define OP_DCBAAP       0x30
#define OP_CONFIG       0x38
#define OP_PORTSC(n)    (0x400 + 0x10 * (n))
#define RT_IMAN         0x20
#define RT_ERSTSZ       0x28
#define RT_ERSTBA       0x30
#define RT_ERDP         0x38

#define CMD_RUN         (1 << 0)
#define CMD_RESET       (1 << 1)
#define CMD_INTE        (1 << 2)
#define IMAN_IE         (1 << 1)
#define ERDP_EHB        (1 << 3)        /* cleared by writing 1 */
#define STS_DEAD        ((1 << 2) | (1 << 12))
#define PORT_CCS        (1 << 0)
#define PORT_PED        (1 << 1)
#define PORT_PR         (1 << 4)
#define PORT_PP         (1 << 9)
#define PORT_LWS        (1 << 16)
#define PORT_CSC        (1 << 17)
#define PORT_CHANGES    (0x7f << 17)
#define PLS_U3          3
#define PLS_RESUME      15

/* TRB types, bits of the control word, completion codes */
#define TRB(type)       ((type) << 10)
#define TRB_TYPE(c)     (((c) >> 10) & 0x3f)
#define TRB_CYCLE       (1 << 0)
#define TRB_TOGGLE      (1 << 1)
#define TRB_ISP         (1 << 2)
#define TRB_CHAIN       (1 << 4)
#define TRB_IOC         (1 << 5)
#define TRB_IDT         (1 << 6)
#define TRB_DIR_IN      (1 << 16)

enum {
    NORMAL = 1, SETUP, DATA, STATUS, ISOCH, LINK, EVENT_DATA, NOOP,
    ENABLE_SLOT = 9, DISABLE_SLOT, ADDRESS_DEVICE, CONFIGURE_ENDPOINT,
    EVALUATE, RESET_ENDPOINT, STOP_ENDPOINT, SET_DEQUEUE,
    RESET_DEVICE,
    TRANSFER_EVENT = 32, COMMAND_EVENT, PORT_EVENT,
};

enum {
    CC_SUCCESS = 1, CC_DATA_BUFFER, CC_BABBLE, CC_TRANSACTION, CC_TRB,
    CC_STALL, CC_SHORT = 13, CC_STOPPED = 26,
};

typedef struct Ring {
    uint64_t base;
    unsigned index;
    bool cycle;
} Ring;

struct UsbHcHw {
    uint32_t op;
    uint32_t runtime;
    uint32_t doorbell;
    unsigned ports;
    uint64_t dcbaa;
    uint64_t erst;
    uint64_t events;            /* the event ring that it starts with */
    Ring command;
    Ring event;
    uint32_t event_trbs;
    uint64_t waiting;           /* address of the command in progress */
    uint32_t command_status;
    uint32_t command_control;
};

static uint32_t op_read(UsbHc *hc, uint32_t reg)
{
    return qpci_io_readl(hc->pci, hc->bar, hc->hw->op + reg);
}

static void op_write(UsbHc *hc, uint32_t reg, uint32_t value)
{
    qpci_io_writel(hc->pci, hc->bar, hc->hw->op + reg, value);
}

static void op_write64(UsbHc *hc, uint32_t reg, uint64_t value)
{
    op_write(hc, reg, value);
    op_write(hc, reg + 4, value >> 32);
}

static void rt_write(UsbHc *hc, uint32_t reg, uint64_t value)
{
    qpci_io_writel(hc->pci, hc->bar, hc->hw->runtime + reg, value);
    qpci_io_writel(hc->pci, hc->bar, hc->hw->runtime + reg + 4, value >> 32);
}

static void ring_doorbell(UsbHc *hc, unsigned slot, unsigned target)
{
    qpci_io_writel(hc->pci, hc->bar, hc->hw->doorbell + 4 * slot, target);
}

/* Rings */

static void put_trb(UsbHc *hc, uint64_t addr, uint64_t parameter,
                    uint32_t status, uint32_t control)
{
    uint32_t trb[4] = { parameter, parameter >> 32, status, control };

    usbhc_write32(hc, addr, trb, 4);
}

static uint64_t ring_alloc(UsbHc *hc)
{
    return usbhc_alloc(hc, TRBS * TRB_BYTES);
}

/* Give one TRB to the controller; returns its address. */
static uint64_t ring_put(UsbHc *hc, uint64_t base, uint32_t *index,
                         bool *cycle, uint64_t parameter, uint32_t status,
                         uint32_t control)
{
    uint64_t addr = base + *index * TRB_BYTES;

    put_trb(hc, addr, parameter, status, control | *cycle);
    if (++*index == TRBS - 1) {
        put_trb(hc, base + *index * TRB_BYTES, base, 0,
                TRB(LINK) | TRB_TOGGLE | (control & TRB_CHAIN) | *cycle);
        *index = 0;
        *cycle = !*cycle;
    }
    return addr;
}

static unsigned epid_of(const UsbHcEndpoint *ep)
{
    return ep->address ? (ep->address & 15) * 2 + (ep->address >> 7) : 1;
}

/* Events */

static UsbHcEndpoint *find_endpoint(UsbHc *hc, uint32_t control)
{
    unsigned slot = control >> 24, epid = (control >> 16) & 31;
    GSList *d, *e;

    for (d = hc->devices; d; d = d->next) {
        UsbHcDevice *dev = d->data;

        for (e = dev->endpoints; dev->slot == slot && e; e = e->next) {
            UsbHcEndpoint *ep = e->data;

            if (epid_of(ep) == epid) {
                return ep;
            }
        }
    }
    return NULL;
}

static bool find_td(UsbHcEndpoint *ep, uint64_t addr, UsbHcTransfer **xfer,
                    uint32_t *which)
{
    GList *l;

    for (l = ep->transfers.head; l; l = l->next) {
        *xfer = l->data;
        for (*which = 0; *which < (*xfer)->tds; ++*which) {
            if ((*xfer)->td[*which] == addr) {
                return true;
            }
        }
    }
    return false;
}

static UsbHcStatus map_status(unsigned cc)
{
    switch (cc) {
    case CC_SUCCESS:
    case CC_SHORT:
        return USBHC_OK;
    case CC_STALL:
        return USBHC_STALL;
    case CC_BABBLE:
        return USBHC_BABBLE;
    default:
        return USBHC_ERROR;
    }
}

static void transfer_event(UsbHc *hc, uint64_t addr, uint32_t status,
                           uint32_t control)
{
    UsbHcEndpoint *ep = find_endpoint(hc, control);
    unsigned cc = status >> 24;
    uint32_t which, i, actual = 0;
    UsbHcTransfer *xfer;

    if (ep && cc == CC_STOPPED) {
        ep->stopped_at = addr;
        ep->stopped_left = status & 0xffffff;
        return;
    }
    if (!ep || !find_td(ep, addr, &xfer, &which)) {
        return;
    }
    for (i = 0; i <= which; i++) {
        actual += xfer->td_length[i];
    }
    if (xfer->td_length[which]) {
        actual -= status & 0xffffff;
    }
    if (usbhc_is_control(xfer) && cc == CC_SHORT && which < xfer->tds - 1) {
        xfer->actual = actual;          /* the status stage is to come */
        xfer->td_done = true;
        return;
    }
    if (usbhc_is_control(xfer) && xfer->td_done) {
        actual = xfer->actual;
    }
    usbhc_done(xfer, map_status(cc), actual);
}

static void event(UsbHc *hc, const uint32_t *trb)
{
    uint64_t parameter = trb[0] | ((uint64_t)trb[1] << 32);

    if (TRB_TYPE(trb[3]) == TRANSFER_EVENT) {
        transfer_event(hc, parameter, trb[2], trb[3]);
    } else if (TRB_TYPE(trb[3]) == COMMAND_EVENT &&
               parameter == hc->hw->waiting) {
        hc->hw->waiting = 0;
        hc->hw->command_status = trb[2];
        hc->hw->command_control = trb[3];
    }
}

/* As many events as there are in one read; returns whether there were any. */
static bool take_events(UsbHc *hc)
{
    Ring *ring = &hc->hw->event;
    unsigned i, n = MIN(EVENTS_READ, hc->hw->event_trbs - ring->index);
    bool cycle = ring->cycle;
    uint32_t trb[4 * EVENTS_READ];

    usbhc_read32(hc, ring->base + ring->index * TRB_BYTES, trb, 4 * n);
    for (i = 0; i < n && (trb[4 * i + 3] & TRB_CYCLE) == cycle; i++) {
        ring->index = (ring->index + 1) % hc->hw->event_trbs;
        ring->cycle ^= ring->index == 0;
        event(hc, trb + 4 * i);
    }
    return i > 0;
}

static void xhci_harvest(UsbHc *hc)
{
    Ring *ring = &hc->hw->event;
    bool any = false;

    while (take_events(hc)) {
        any = true;
    }
    if (any) {
        rt_write(hc, RT_ERDP, ring->base + ring->index * TRB_BYTES);
        g_assert_cmphex(op_read(hc, OP_USBSTS) & STS_DEAD, ==, 0);
    }
}

static void command_put(UsbHc *hc, uint64_t parameter, uint32_t status,
                        uint32_t control)
{
    Ring *ring = &hc->hw->command;

    hc->hw->waiting = ring_put(hc, ring->base, &ring->index, &ring->cycle,
                               parameter, status, control);
}

/*
 * Commands are done within the doorbell's write.  Returns how the last one
 * ended.
 */
static unsigned commands_run(UsbHc *hc)
{
    ring_doorbell(hc, 0, 0);
    xhci_harvest(hc);
    if (hc->hw->waiting) {
        g_error("xhci: no answer to the command at 0x%" PRIx64,
                hc->hw->waiting);
    }
    return hc->hw->command_status >> 24;
}

static unsigned command(UsbHc *hc, uint64_t parameter, uint32_t status,
                        uint32_t control)
{
    xhci_harvest(hc);
    command_put(hc, parameter, status, control);
    return commands_run(hc);
}

/* Bring-up */

void usbhc_xhci_set_events(UsbHc *hc, uint64_t base, uint32_t trbs)
{
    uint32_t segment[4] = { base, base >> 32, trbs, 0 };

    hc->hw->event = (Ring) { .base = base, .cycle = true };
    hc->hw->event_trbs = trbs;
    usbhc_write32(hc, hc->hw->erst, segment, 4);
    rt_write(hc, RT_ERDP, ROUND_UP(base, TRB_BYTES));
    qpci_io_writel(hc->pci, hc->bar, hc->hw->runtime + RT_ERSTSZ, 1);
    rt_write(hc, RT_ERSTBA, hc->hw->erst);
}

uint64_t usbhc_xhci_doorbells(UsbHc *hc)
{
    return hc->bar.addr + hc->hw->doorbell;
}

void usbhc_xhci_aim_msi(UsbHc *hc, uint64_t address)
{
    const uint32_t entry[4] = { address, address >> 32, 0, 0 };
    uint8_t msix = qpci_find_capability(hc->pci, PCI_CAP_ID_MSIX, 0);
    uint32_t table = qpci_config_readl(hc->pci, msix + PCI_MSIX_TABLE);
    unsigned i;

    g_assert_cmpint(table & PCI_MSIX_TABLE_BIR, ==, 0);
    for (i = 0; i < G_N_ELEMENTS(entry); i++) {
        qpci_io_writel(hc->pci, hc->bar, table + 4 * i, entry[i]);
    }
    qpci_config_writew(hc->pci, msix + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE);
    rt_write(hc, RT_ERDP, (hc->hw->event.base +
                           hc->hw->event.index * TRB_BYTES) | ERDP_EHB);
    qpci_io_writel(hc->pci, hc->bar, hc->hw->runtime + RT_IMAN, IMAN_IE);
    op_write(hc, OP_USBCMD, CMD_RUN | CMD_INTE);
}

bool usbhc_xhci_is_dead(UsbHc *hc)
{
    return op_read(hc, OP_USBSTS) & STS_DEAD;
}

void usbhc_xhci_prepare_disable(UsbHcDevice *dev)
{
    Ring *ring = &dev->hc->hw->command;

    ring_put(dev->hc, ring->base, &ring->index, &ring->cycle, 0, 0,
             TRB(DISABLE_SLOT) | (dev->slot << 24));
}

static UsbHcHw *xhci_start(UsbHc *hc)
{
    UsbHcHw *hw = hc->hw = g_new0(UsbHcHw, 1);

    usbhc_pci_start(hc, 0);
    hw->op = qpci_io_readb(hc->pci, hc->bar, 0);
    hw->ports = qpci_io_readl(hc->pci, hc->bar, 0x04) >> 24;
    hw->doorbell = qpci_io_readl(hc->pci, hc->bar, 0x14);
    hw->runtime = qpci_io_readl(hc->pci, hc->bar, 0x18);
    op_write(hc, OP_USBCMD, CMD_RESET);
    hw->dcbaa = usbhc_alloc(hc, 65 * 8);
    op_write64(hc, OP_DCBAAP, hw->dcbaa);
    op_write(hc, OP_CONFIG, 64);
    hw->command.base = ring_alloc(hc);
    hw->command.cycle = true;
    op_write64(hc, OP_CRCR, hw->command.base | 1);
    hw->erst = usbhc_alloc(hc, 64);
    hw->events = ring_alloc(hc);
    usbhc_xhci_set_events(hc, hw->events, TRBS);
    op_write(hc, OP_USBCMD, CMD_RUN);
    return hw;
}

static void xhci_stop(UsbHc *hc)
{
    op_write(hc, OP_USBCMD, 0);
    usbhc_release(hc, hc->hw->command.base);
    usbhc_release(hc, hc->hw->events);
    usbhc_release(hc, hc->hw->erst);
    usbhc_release(hc, hc->hw->dcbaa);
}

/* Ports */

static unsigned xhci_ports(UsbHc *hc)
{
    return hc->hw->ports;
}

static UsbHcPort xhci_port_status(UsbHc *hc, unsigned port)
{
    static const UsbHcSpeed speeds[] = {
        0, USBHC_FULL, USBHC_LOW, USBHC_HIGH, USBHC_SUPER
    };
    uint32_t sc = op_read(hc, OP_PORTSC(port));

    return (UsbHcPort) {
        .connected = sc & PORT_CCS,
        .enabled = sc & PORT_PED,
        .changed = sc & PORT_CSC,
        .resume = ((sc >> 5) & 15) == PLS_RESUME,
        .speed = speeds[MIN((sc >> 10) & 15, 4)],
    };
}

static void xhci_port_clear(UsbHc *hc, unsigned port)
{
    op_write(hc, OP_PORTSC(port), PORT_PP | PORT_CHANGES);
}

static void xhci_port_reset(UsbHc *hc, unsigned port)
{
    op_write(hc, OP_PORTSC(port), PORT_PP | PORT_PR);
    xhci_port_clear(hc, port);
}

static void xhci_port_suspend(UsbHc *hc, unsigned port)
{
    op_write(hc, OP_PORTSC(port), PORT_PP | PORT_LWS | (PLS_U3 << 5));
}

/* Devices */

static uint32_t slot_speed(UsbHcSpeed speed)
{
    static const uint32_t psi[] = { 2, 1, 3, 4 };

    return psi[speed];
}

static unsigned exponent(const UsbHcEndpoint *ep)
{
    unsigned interval = MAX(ep->interval, 1), n = 0;

    if (ep->type != USBHC_INTERRUPT) {
        return 0;
    }
    if (ep->dev->speed >= USBHC_HIGH) {
        return MIN(interval, 16) - 1;
    }
    while ((2u << n) <= interval * 8) {
        n++;
    }
    return n;
}

/* MaxPStreams and, as the array is all there is, LSA */
static uint32_t stream_bits(const UsbHcEndpoint *ep)
{
    uint32_t n = 1;

    if (!ep->streams) {
        return 0;
    }
    while ((2u << n) <= ep->streams) {
        n++;
    }
    return (n << 10) | (1 << 15);
}

/* Slot context and one endpoint context of the input context */
static void fill_input(UsbHcEndpoint *ep)
{
    static const uint32_t types[] = { 4, 1, 2, 3 };
    UsbHcDevice *dev = ep->dev;
    uint64_t in = dev->context[0];
    unsigned epid = epid_of(ep);
    uint32_t control[2] = { 0, 1 | (1u << epid) };
    uint32_t slot[2] = {
        (dev->hub ? dev->hub_port : 0) | (slot_speed(dev->speed) << 20) |
        (31u << 27),
        (dev->port + 1) << 16
    };
    uint32_t type = types[ep->type] + (ep->address & 0x80 ? 4 : 0);
    uint32_t endpoint[5] = {
        (exponent(ep) << 16) | stream_bits(ep),
        (3 << 1) | (type << 3) | (ep->mps << 16),
        ep->head | !ep->streams, ep->head >> 32, ep->mps
    };

    usbhc_write32(dev->hc, in, control, 2);
    usbhc_write32(dev->hc, in + 32, slot, 2);
    usbhc_write32(dev->hc, in + 32 + 32 * epid, endpoint, 5);
}

static UsbHcStatus xhci_address(UsbHcDevice *dev)
{
    UsbHc *hc = dev->hc;
    uint32_t out[2];

    if (!dev->slot) {
        g_assert_cmpint(command(hc, 0, 0, TRB(ENABLE_SLOT)), ==, CC_SUCCESS);
        dev->slot = hc->hw->command_control >> 24;
        dev->context[0] = usbhc_alloc(hc, 33 * 32);
        dev->context[1] = usbhc_alloc(hc, 32 * 32);
        out[0] = dev->context[1];
        out[1] = 0;
        usbhc_write32(hc, hc->hw->dcbaa + 8 * dev->slot, out, 2);
    }
    fill_input(dev->ep0);
    if (command(hc, dev->context[0], 0,
                TRB(ADDRESS_DEVICE) | (dev->slot << 24)) != CC_SUCCESS) {
        return USBHC_ERROR;
    }
    dev->address = usbhc_get32(hc, dev->context[1] + 12) & 0xff;
    return USBHC_OK;
}

UsbHcStatus usbhc_xhci_reset_device(UsbHcDevice *dev)
{
    unsigned cc = command(dev->hc, 0, 0,
                          TRB(RESET_DEVICE) | (dev->slot << 24));

    return cc == CC_SUCCESS ? USBHC_OK : USBHC_ERROR;
}

static void xhci_close(UsbHcDevice *dev)
{
    if (dev->slot) {
        command(dev->hc, 0, 0, TRB(DISABLE_SLOT) | (dev->slot << 24));
        usbhc_release(dev->hc, dev->context[0]);
        usbhc_release(dev->hc, dev->context[1]);
    }
}

/* Endpoints */

static uint32_t ep_target(const UsbHcEndpoint *ep)
{
    return (ep->dev->slot << 24) | (epid_of(ep) << 16);
}

/* The endpoint's context leads to an array, and that to the rings. */
static void streams_open(UsbHcEndpoint *ep)
{
    UsbHc *hc = ep->dev->hc;
    unsigned i;

    ep->head = usbhc_alloc(hc, STREAMS * STREAM_BYTES);
    ep->stream = g_new0(UsbHcRing, ep->streams + 1);
    for (i = 1; i <= ep->streams; i++) {
        uint32_t context[2];

        ep->stream[i].base = ring_alloc(hc);
        ep->stream[i].cycle = true;
        context[0] = ep->stream[i].base | STREAM_PRIMARY | 1;
        context[1] = ep->stream[i].base >> 32;
        usbhc_write32(hc, ep->head + i * STREAM_BYTES, context, 2);
    }
}

static void streams_close(UsbHcEndpoint *ep)
{
    unsigned i;

    for (i = 1; i <= ep->streams; i++) {
        usbhc_release(ep->dev->hc, ep->stream[i].base);
    }
    g_free(ep->stream);
}

static void xhci_ep_open(UsbHcEndpoint *ep)
{
    if (ep->streams) {
        streams_open(ep);
    } else {
        ep->head = ring_alloc(ep->dev->hc);
        ep->cycle = true;
    }
    if (ep->address) {
        fill_input(ep);
        g_assert_cmpint(command(ep->dev->hc, ep->dev->context[0], 0,
                                TRB(CONFIGURE_ENDPOINT) |
                                (ep->dev->slot << 24)), ==, CC_SUCCESS);
    }
}

void usbhc_xhci_control_on_streams(UsbHcDevice *dev)
{
    usbhc_release(dev->hc, dev->ep0->head);
    dev->ep0->streams = STREAMS - 1;
    streams_open(dev->ep0);
    g_assert_cmpint(xhci_address(dev), ==, USBHC_OK);
}

unsigned usbhc_xhci_configure(UsbHcEndpoint *a, UsbHcEndpoint *b)
{
    UsbHcDevice *dev = a->dev;
    uint32_t control[2] = { 0, 1 | (1u << epid_of(a)) | (1u << epid_of(b)) };

    usbhc_write32(dev->hc, dev->context[0], control, 2);
    return command(dev->hc, dev->context[0], 0,
                   TRB(CONFIGURE_ENDPOINT) | (dev->slot << 24));
}

static void xhci_ep_close(UsbHcEndpoint *ep)
{
    UsbHc *hc = ep->dev->hc;
    uint32_t control[2] = { 1u << epid_of(ep), 1 };

    if (ep->address) {
        usbhc_write32(hc, ep->dev->context[0], control, 2);
        command(hc, ep->dev->context[0], 0,
                TRB(CONFIGURE_ENDPOINT) | (ep->dev->slot << 24));
    } else if (ep->dev->slot) {
        command(hc, 0, 0, TRB(STOP_ENDPOINT) | ep_target(ep));
    }
    streams_close(ep);
    usbhc_release(hc, ep->head);
}

static uint64_t dequeue_at(UsbHc *hc, uint64_t addr)
{
    uint32_t words[2];

    usbhc_read32(hc, addr, words, 2);
    return words[0] | ((uint64_t)words[1] << 32);
}

uint64_t usbhc_xhci_dequeue(UsbHcEndpoint *ep)
{
    return dequeue_at(ep->dev->hc,
                      ep->dev->context[1] + 32 * epid_of(ep) + 8);
}

static uint64_t stream_dequeue(UsbHcEndpoint *ep, unsigned stream)
{
    return dequeue_at(ep->dev->hc, ep->head + stream * STREAM_BYTES);
}

void usbhc_xhci_stop(UsbHcEndpoint *ep)
{
    command(ep->dev->hc, 0, 0, TRB(STOP_ENDPOINT) | ep_target(ep));
}

/* The oldest pending transfer; of one stream, if the endpoint has them. */
static UsbHcTransfer *oldest(UsbHcEndpoint *ep, unsigned stream)
{
    GList *l;

    for (l = ep->transfers.head; l; l = l->next) {
        if (((UsbHcTransfer *)l->data)->stream == stream) {
            return l->data;
        }
    }
    return NULL;
}

/* Stream 0 is the ring of an endpoint that has none. */
static unsigned first_stream(const UsbHcEndpoint *ep)
{
    return ep->streams ? 1 : 0;
}

void usbhc_xhci_ring_stream(UsbHcEndpoint *ep, uint16_t stream)
{
    ring_doorbell(ep->dev->hc, ep->dev->slot, epid_of(ep) | (stream << 16));
}

void usbhc_xhci_ring(UsbHcEndpoint *ep)
{
    unsigned i;

    for (i = first_stream(ep); i <= ep->streams; i++) {
        if (oldest(ep, i)) {
            usbhc_xhci_ring_stream(ep, i);
        }
    }
}

static void move_dequeue(UsbHcEndpoint *ep, unsigned stream, uint64_t addr,
                         bool cycle)
{
    command(ep->dev->hc, addr | (stream ? STREAM_PRIMARY : 0) | cycle,
            stream << 16, TRB(SET_DEQUEUE) | ep_target(ep));
}

/* Where the oldest pending transfer starts, or the next one will */
static void set_dequeue(UsbHcEndpoint *ep)
{
    unsigned i;

    for (i = first_stream(ep); i <= ep->streams; i++) {
        UsbHcTransfer *first = oldest(ep, i);
        uint64_t addr = i ? ep->stream[i].base +
                            ep->stream[i].index * TRB_BYTES
                          : ep->head + ep->index * TRB_BYTES;
        bool cycle = i ? ep->stream[i].cycle : ep->cycle;

        if (first) {
            addr = first->td[0];
            cycle = usbhc_get32(ep->dev->hc, addr + 12) & TRB_CYCLE;
        }
        move_dequeue(ep, i, addr, cycle);
    }
}

void usbhc_xhci_restart(UsbHcEndpoint *ep)
{
    set_dequeue(ep);
    usbhc_xhci_ring(ep);
}

/*
 * A link from the first TRB to what follows the last one leaves all other
 * transfers where they are.
 */
static void skip_over(UsbHcTransfer *xfer)
{
    uint64_t first = xfer->td[0], last = xfer->td[xfer->tds - 1];
    uint32_t cycle = usbhc_get32(xfer->hc, first + 12) & TRB_CYCLE;

    put_trb(xfer->hc, first, last + TRB_BYTES, 0,
            TRB(LINK) | cycle | (last < first ? TRB_TOGGLE : 0));
}

/* As Linux does it: a No-op TRB has only its cycle bit. */
static void make_noops(UsbHcTransfer *xfer)
{
    uint64_t link = xfer->ep->head + (TRBS - 1) * TRB_BYTES;
    uint32_t i, control;

    for (i = 0; i < xfer->tds; i++) {
        control = usbhc_get32(xfer->hc, xfer->td[i] + 12);
        put_trb(xfer->hc, xfer->td[i], 0, 0,
                TRB(NOOP) | (control & TRB_CYCLE));
        if (xfer->td[i] + TRB_BYTES == link && (control & TRB_CHAIN)) {
            control = usbhc_get32(xfer->hc, link + 12);
            usbhc_put32(xfer->hc, link + 12, control & ~TRB_CHAIN);
        }
    }
}

/* Did the controller stop in the middle of @xfer? */
static bool stopped_within(UsbHcTransfer *xfer)
{
    uint64_t at = xfer->stream ? stream_dequeue(xfer->ep, xfer->stream)
                               : usbhc_xhci_dequeue(xfer->ep);
    uint32_t i;

    at &= ~0xfull;
    for (i = 0; i < xfer->tds; i++) {
        if (xfer->td[i] == at) {
            return true;
        }
    }
    return false;
}

static void unlink_transfer(UsbHcTransfer *xfer)
{
    uint64_t last = xfer->td[xfer->tds - 1];

    if (xfer->hc->unlink != USBHC_UNLINK_NOOP) {
        skip_over(xfer);
    } else if (stopped_within(xfer)) {
        move_dequeue(xfer->ep, xfer->stream, last + TRB_BYTES,
                     usbhc_get32(xfer->hc, last + 12) & TRB_CYCLE);
    } else {
        make_noops(xfer);
    }
}

static void xhci_cancel(UsbHcTransfer *xfer)
{
    UsbHcEndpoint *ep = xfer->ep;

    usbhc_xhci_stop(ep);
    usbhc_step(xfer->hc, 0);    /* a guest is never that quick */
    if (xfer->status == USBHC_PENDING) {
        unlink_transfer(xfer);
        usbhc_done(xfer, USBHC_CANCELLED, 0);
        if (xfer->hc->unlink == USBHC_UNLINK_MOVE) {
            set_dequeue(ep);
        }
    }
    usbhc_xhci_ring(ep);
}

static void xhci_ep_recover(UsbHcEndpoint *ep)
{
    command(ep->dev->hc, 0, 0, TRB(RESET_ENDPOINT) | ep_target(ep));
    usbhc_xhci_restart(ep);
}

/* Transfers */

static uint64_t ep_put(UsbHcEndpoint *ep, uint64_t parameter, uint32_t status,
                       uint32_t control)
{
    return ring_put(ep->dev->hc, ep->head, &ep->index, &ep->cycle, parameter,
                    status, control);
}

static uint64_t xfer_put(UsbHcTransfer *xfer, uint64_t parameter,
                         uint32_t status, uint32_t control)
{
    UsbHcEndpoint *ep = xfer->ep;
    UsbHcRing *ring;

    if (!xfer->stream) {
        return ep_put(ep, parameter, status, control);
    }
    ring = &ep->stream[xfer->stream];
    return ring_put(xfer->hc, ring->base, &ring->index, &ring->cycle,
                    parameter, status, control);
}

static void queue_control(UsbHcTransfer *xfer)
{
    uint32_t in = usbhc_is_in(xfer) ? TRB_DIR_IN : 0;
    uint32_t stage = xfer->length ? (in ? 3 << 16 : 2 << 16) : 0;
    uint64_t setup = ldq_le_p(xfer->setup);
    uint32_t i;

    xfer->td[0] = xfer_put(xfer, setup, 8, TRB(SETUP) | TRB_IDT | stage);
    for (i = 1; i < xfer->tds - 1; i++) {
        xfer->td[i] = xfer_put(xfer, xfer->buffer, xfer->td_length[i],
                               TRB(DATA) | TRB_ISP | in);
    }
    xfer->td[i] = xfer_put(xfer, 0, 0, TRB(STATUS) | TRB_IOC |
                           (in && xfer->length ? 0 : TRB_DIR_IN));
}

static void queue_normal(UsbHcTransfer *xfer)
{
    uint32_t i, type = xfer->ep->type == USBHC_ISO ? ISOCH : NORMAL;
    uint64_t at = xfer->buffer;

    for (i = 0; i < xfer->tds; i++) {
        uint32_t last = i == xfer->tds - 1 ? TRB_IOC : TRB_CHAIN;

        xfer->td[i] = xfer_put(xfer, at, xfer->td_length[i],
                               TRB(i ? NORMAL : type) | TRB_ISP | last |
                               (type == ISOCH ? 1u << 31 : 0));
        at += xfer->td_length[i];
    }
}

static void queue_noop(UsbHcTransfer *xfer)
{
    usbhc_cut(xfer, TRB_MAX, usbhc_is_control(xfer));
    xfer->td[0] = ep_put(xfer->ep, 0, 0, TRB(NOOP) | TRB_IOC);
}

/* The same 128 KiB of memory again and again */
static void fill_segment(UsbHcTransfer *xfer, uint64_t at, uint64_t next,
                         bool last)
{
    g_autofree uint32_t *trbs = g_new0(uint32_t, SEGMENT_BYTES / 4);
    uint32_t i, cycle = xfer->ep->cycle;
    uint32_t *trb = trbs;

    for (i = 0; i < SEGMENT_BYTES / TRB_BYTES - 1; i++, trb += 4) {
        trb[0] = xfer->buffer;
        trb[2] = TRB_LENGTH_MASK;
        trb[3] = TRB(NORMAL) | TRB_CHAIN | cycle;
    }
    if (last) {
        trb[-1] = TRB(NORMAL) | TRB_IOC | cycle;
    }
    trb[0] = next;
    trb[3] = TRB(LINK) | cycle;
    usbhc_write32(xfer->hc, at, trbs, SEGMENT_BYTES / 4);
}

/* Links lead from the ring to the segments and back. */
static void queue_segments(UsbHcTransfer *xfer)
{
    UsbHcEndpoint *ep = xfer->ep;
    uint64_t at, back;
    unsigned n = ep->segments;

    usbhc_cut(xfer, TRB_MAX, 0);
    xfer->setup_buffer = usbhc_alloc(xfer->hc, n * SEGMENT_BYTES);
    at = xfer->td[0] = xfer->setup_buffer;
    back = ep_put(ep, at, 0, TRB(LINK)) + TRB_BYTES;
    for (; n; n--, at += SEGMENT_BYTES) {
        fill_segment(xfer, at, n > 1 ? at + SEGMENT_BYTES : back, n == 1);
    }
}

static void queue_transfer(UsbHcTransfer *xfer)
{
    if (xfer->ep->noop) {
        queue_noop(xfer);
        return;
    }
    if (xfer->ep->segments) {
        queue_segments(xfer);
        return;
    }
    usbhc_cut(xfer, xfer->ep->trb_bytes ?: TRB_MAX,
              usbhc_is_control(xfer) ? 2 : 0);
    if (usbhc_is_control(xfer)) {
        queue_control(xfer);
    } else {
        queue_normal(xfer);
    }
}

static void xhci_submit(UsbHcTransfer *xfer)
{
    queue_transfer(xfer);
    if (!xfer->ep->held) {
        usbhc_xhci_ring(xfer->ep);
    }
}

/*
 * Bursts.  Two queues take turns, at addresses and with lengths of their own:
 * what is submitted is never what was cancelled before, come back.
 */

struct UsbHcBurst {
    UsbHc *hc;
    UsbHcEndpoint *ep[USBHC_BURST_ENDPOINTS];
    unsigned endpoints;
    uint64_t buffer;            /* no endpoint looks into it */
    uint64_t queue[USBHC_BURST_ENDPOINTS][2];
    unsigned turn;              /* the queues that are aimed at */
};

/* Behind the last TRB is an empty one, which is not the controller's. */
static uint64_t burst_queue(UsbHcBurst *burst, unsigned depth, uint32_t length)
{
    uint64_t queue = usbhc_alloc(burst->hc, (depth + 1) * TRB_BYTES);
    unsigned i;

    for (i = 0; i < depth; i++) {
        put_trb(burst->hc, queue + i * TRB_BYTES, burst->buffer, length,
                TRB(NORMAL) | TRB_ISP | TRB_IOC | TRB_CYCLE);
    }
    return queue;
}

/* Stop the endpoints, and have them go on at the queues whose turn it is. */
static void burst_aim(UsbHcBurst *burst)
{
    unsigned i;

    for (i = 0; i < burst->endpoints; i++) {
        uint32_t target = ep_target(burst->ep[i]);

        command_put(burst->hc, 0, 0, TRB(STOP_ENDPOINT) | target);
        command_put(burst->hc, burst->queue[i][burst->turn] | TRB_CYCLE, 0,
                    TRB(SET_DEQUEUE) | target);
    }
    g_assert_cmpint(commands_run(burst->hc), ==, CC_SUCCESS);
}

UsbHcBurst *usbhc_xhci_burst_new(UsbHcEndpoint *const *eps, unsigned endpoints,
                                 unsigned depth, uint32_t length)
{
    UsbHcBurst *burst = g_new0(UsbHcBurst, 1);
    unsigned i;

    g_assert_cmpint(endpoints, <=, USBHC_BURST_ENDPOINTS);
    g_assert_cmpint(length, <=, TRB_MAX);
    burst->hc = eps[0]->dev->hc;
    burst->endpoints = endpoints;
    burst->buffer = usbhc_alloc(burst->hc, length);
    for (i = 0; i < endpoints; i++) {
        g_assert_cmpint(length, >, eps[i]->mps);
        burst->ep[i] = eps[i];
        burst->queue[i][0] = burst_queue(burst, depth, length);
        burst->queue[i][1] = burst_queue(burst, depth, length - eps[i]->mps);
    }
    burst_aim(burst);
    return burst;
}

void usbhc_xhci_burst_submit(UsbHcBurst *burst)
{
    unsigned i;

    for (i = 0; i < burst->endpoints; i++) {
        UsbHcEndpoint *ep = burst->ep[i];

        ring_doorbell(burst->hc, ep->dev->slot, epid_of(ep));
    }
}

void usbhc_xhci_burst_cancel(UsbHcBurst *burst)
{
    burst->turn ^= 1;
    burst_aim(burst);
}

void usbhc_xhci_burst_free(UsbHcBurst *burst)
{
    unsigned i;

    usbhc_release(burst->hc, burst->buffer);
    for (i = 0; i < burst->endpoints; i++) {
        usbhc_release(burst->hc, burst->queue[i][0]);
        usbhc_release(burst->hc, burst->queue[i][1]);
    }
    g_free(burst);
}

const UsbHcDriver usbhc_xhci = {
    .name = "xhci",
    .device = "qemu-xhci,id=hc,addr=1d.0",
    .speeds = 0xf,
    .best = USBHC_SUPER,
    .max_transfer = 8 * TRB_MAX,
    .max_streams = STREAMS - 1,
    .start = xhci_start,
    .stop = xhci_stop,
    .ports = xhci_ports,
    .port_status = xhci_port_status,
    .port_clear = xhci_port_clear,
    .port_reset = xhci_port_reset,
    .port_suspend = xhci_port_suspend,
    .address = xhci_address,
    .close = xhci_close,
    .ep_open = xhci_ep_open,
    .ep_close = xhci_ep_close,
    .submit = xhci_submit,
    .harvest = xhci_harvest,
    .cancel = xhci_cancel,
    .ep_recover = xhci_ep_recover,
};
