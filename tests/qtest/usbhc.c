/*
 * Small USB host controller drivers for qtest: what they have in common
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "libqos/pci-pc.h"
#include "usbhc.h"

#define RAM_START       (1 * MiB)
#define RAM_END         (120 * MiB)
#define BLOCK_SIZE      64
#define PAGE            4096

#define REQ_CLEAR_FEATURE   1
#define REQ_SET_FEATURE     3
#define REQ_SET_ADDRESS     5
#define HUB_PORT_RESET      4
#define HUB_PORT_POWER      8
#define HUB_C_RESET         20

static const char *const status_names[USBHC_STATUS_COUNT] = {
    [USBHC_PENDING] = "pending",
    [USBHC_OK] = "ok",
    [USBHC_SHORT] = "short",
    [USBHC_STALL] = "stall",
    [USBHC_BABBLE] = "babble",
    [USBHC_ERROR] = "error",
    [USBHC_CANCELLED] = "cancelled",
};

const char *usbhc_status_name(UsbHcStatus status)
{
    return status < USBHC_STATUS_COUNT ? status_names[status] : "?";
}

/* Guest memory */

uint64_t usbhc_alloc(UsbHc *hc, size_t size)
{
    size_t whole = ROUND_UP(MAX(size, 1), PAGE);
    uint64_t addr = guest_alloc(&hc->alloc, whole);

    qtest_memset(hc->qts, addr, 0, whole);
    return addr;
}

void usbhc_release(UsbHc *hc, uint64_t addr)
{
    if (addr) {
        guest_free(&hc->alloc, addr);
    }
}

uint64_t usbhc_block_alloc(UsbHc *hc)
{
    uint64_t addr;

    if (!hc->blocks) {
        uint64_t page = usbhc_alloc(hc, 16 * PAGE);
        int64_t at;

        for (at = 16 * PAGE - BLOCK_SIZE; at >= 0; at -= BLOCK_SIZE) {
            usbhc_block_free(hc, page + at);
        }
    }
    addr = (uint64_t)(uintptr_t)hc->blocks->data;
    hc->blocks = g_slist_delete_link(hc->blocks, hc->blocks);
    return addr;
}

void usbhc_block_free(UsbHc *hc, uint64_t addr)
{
    hc->blocks = g_slist_prepend(hc->blocks, (void *)(uintptr_t)addr);
}

void usbhc_read32(UsbHc *hc, uint64_t addr, uint32_t *words, unsigned n)
{
    unsigned i;

    qtest_memread(hc->qts, addr, words, n * 4);
    for (i = 0; i < n; i++) {
        words[i] = le32_to_cpu(words[i]);
    }
}

void usbhc_write32(UsbHc *hc, uint64_t addr, const uint32_t *words,
                   unsigned n)
{
    g_autofree uint32_t *le = g_new(uint32_t, n);
    unsigned i;

    for (i = 0; i < n; i++) {
        le[i] = cpu_to_le32(words[i]);
    }
    qtest_memwrite(hc->qts, addr, le, n * 4);
}

uint32_t usbhc_get32(UsbHc *hc, uint64_t addr)
{
    uint32_t value;

    usbhc_read32(hc, addr, &value, 1);
    return value;
}

void usbhc_put32(UsbHc *hc, uint64_t addr, uint32_t value)
{
    usbhc_write32(hc, addr, &value, 1);
}

void usbhc_change32(UsbHc *hc, uint64_t addr, uint32_t clear, uint32_t set)
{
    usbhc_put32(hc, addr, (usbhc_get32(hc, addr) & ~clear) | set);
}

/* The controller */

/* The last addr=SLOT.FUNCTION of the -device argument is the controller. */
static int pci_devfn(const UsbHcDriver *drv)
{
    const char *addr = g_strrstr(drv->device, "addr=");
    unsigned slot, fn;

    g_assert(addr && sscanf(addr, "addr=%x.%x", &slot, &fn) == 2);
    return QPCI_DEVFN(slot, fn);
}

void usbhc_pci_start(UsbHc *hc, int bar)
{
    hc->pci = qpci_device_find(hc->pcibus, pci_devfn(hc->drv));
    g_assert(hc->pci);
    qpci_device_enable(hc->pci);
    hc->bar = qpci_iomap(hc->pci, bar, NULL);
}

static UsbHc *new_on_clock(QTestState *qts, const UsbHcDriver *drv, bool real)
{
    UsbHc *hc = g_new0(UsbHc, 1);

    hc->drv = drv;
    hc->qts = qts;
    hc->real = real;
    alloc_init(&hc->alloc, ALLOC_NO_FLAGS, RAM_START, RAM_END, PAGE);
    hc->pcibus = qpci_new_pc(qts, &hc->alloc);
    hc->hw = drv->start(hc);
    return hc;
}

UsbHc *usbhc_new(QTestState *qts, const UsbHcDriver *drv)
{
    return new_on_clock(qts, drv, false);
}

UsbHc *usbhc_new_real(QTestState *qts, const UsbHcDriver *drv)
{
    return new_on_clock(qts, drv, true);
}

void usbhc_free(UsbHc *hc)
{
    while (hc->devices) {
        usbhc_close(hc->devices->data);
    }
    if (!hc->gone) {
        hc->drv->stop(hc);
    }
    g_free(hc->hw);
    g_slist_free(hc->blocks);
    g_free(hc->pci);
    qpci_free_pc(hc->pcibus);
    alloc_destroy(&hc->alloc);
    g_free(hc);
}

UsbHc *usbhc_renew(UsbHc *hc)
{
    UsbHc *fresh;

    hc->gone = true;
    fresh = new_on_clock(hc->qts, hc->drv, hc->real);
    usbhc_set_idle(fresh, hc->idle, hc->idle_opaque);
    usbhc_free(hc);
    return fresh;
}

void usbhc_move(UsbHc *hc, QTestState *qts)
{
    hc->qts = qts;
    hc->pcibus->qts = qts;
}

void usbhc_set_idle(UsbHc *hc, UsbHcIdle *idle, void *opaque)
{
    hc->idle = idle;
    hc->idle_opaque = opaque;
}

void usbhc_pass(UsbHc *hc, int64_t ns)
{
    if (hc->real) {
        g_usleep(ns / 1000);
    } else {
        qtest_clock_step(hc->qts, ns);
    }
}

void usbhc_leave_out(UsbHc *hc, unsigned frames)
{
    if (hc->absent) {
        hc->absent(hc->idle_opaque);
    }
    usbhc_pass(hc, MAX(frames, hc->absence) * (int64_t)USBHC_FRAME_NS);
}

void usbhc_step(UsbHc *hc, int64_t ns)
{
    if (ns) {
        usbhc_pass(hc, ns);
    }
    if (hc->idle) {
        hc->idle(hc->idle_opaque);
    }
    hc->drv->harvest(hc);
}

void usbhc_run(UsbHc *hc, int64_t ns)
{
    int64_t done;

    for (done = 0; done < ns; done += USBHC_FRAME_NS) {
        usbhc_step(hc, MIN(USBHC_FRAME_NS, ns - done));
    }
}

bool usbhc_until(UsbHc *hc, UsbHcDone *done, void *opaque)
{
    int64_t end = g_get_monotonic_time() +
                  USBHC_DEADLINE_S * G_TIME_SPAN_SECOND;

    while (!done(opaque)) {
        if (g_get_monotonic_time() > end) {
            return false;
        }
        usbhc_step(hc, USBHC_FRAME_NS);
    }
    return true;
}

/* Ports */

UsbHcPort usbhc_port(UsbHc *hc, unsigned port)
{
    return hc->drv->port_status(hc, port);
}

void usbhc_port_reset(UsbHc *hc, unsigned port)
{
    hc->drv->port_reset(hc, port);
}

void usbhc_port_suspend(UsbHc *hc, unsigned port)
{
    hc->drv->port_suspend(hc, port);
}

int usbhc_find_port(UsbHc *hc)
{
    unsigned i, n = hc->drv->ports(hc);

    for (i = 0; i < n; i++) {
        if (usbhc_port(hc, i).connected) {
            return i;
        }
    }
    return -1;
}

static bool some_port(void *opaque)
{
    return usbhc_find_port(opaque) >= 0;
}

unsigned usbhc_wait_connect(UsbHc *hc)
{
    if (!usbhc_until(hc, some_port, hc)) {
        g_error("%s: no device at any port after %d s", hc->drv->name,
                USBHC_DEADLINE_S);
    }
    return usbhc_find_port(hc);
}

void usbhc_wait_disconnect(UsbHc *hc, unsigned port)
{
    int64_t end = g_get_monotonic_time() +
                  USBHC_DEADLINE_S * G_TIME_SPAN_SECOND;

    while (usbhc_port(hc, port).connected) {
        if (g_get_monotonic_time() > end) {
            g_error("%s: port %u still has a device after %d s",
                    hc->drv->name, port, USBHC_DEADLINE_S);
        }
        usbhc_step(hc, USBHC_FRAME_NS);
    }
}

/* Devices */

static UsbHcEndpoint *ep_new(UsbHcDevice *dev, uint8_t address, UsbHcType type,
                             uint16_t mps, uint8_t interval, unsigned streams)
{
    UsbHcEndpoint *ep = g_new0(UsbHcEndpoint, 1);

    ep->dev = dev;
    ep->address = address;
    ep->type = type;
    ep->mps = mps;
    ep->interval = interval;
    ep->streams = streams;
    g_queue_init(&ep->transfers);
    dev->endpoints = g_slist_prepend(dev->endpoints, ep);
    dev->hc->drv->ep_open(ep);
    return ep;
}

static UsbHcDevice *device_new(UsbHc *hc, unsigned port, UsbHcSpeed speed)
{
    static const uint16_t mps[] = { 8, 64, 64, 512 };
    UsbHcDevice *dev = g_new0(UsbHcDevice, 1);

    dev->hc = hc;
    dev->port = port;
    dev->speed = speed;
    hc->devices = g_slist_prepend(hc->devices, dev);
    dev->ep0 = ep_new(dev, 0, USBHC_CONTROL, mps[speed], 0, 0);
    return dev;
}

UsbHcDevice *usbhc_open(UsbHc *hc, unsigned port)
{
    usbhc_port_reset(hc, port);
    return device_new(hc, port, usbhc_port(hc, port).speed);
}

UsbHcDevice *usbhc_open_behind(UsbHcDevice *hub, unsigned hub_port)
{
    UsbHcDevice *dev = device_new(hub->hc, hub->port, USBHC_FULL);

    dev->hub = hub;
    dev->hub_port = hub_port;
    return dev;
}

/* xHCI sends SET_ADDRESS itself; elsewhere it is a request like others. */
UsbHcStatus usbhc_address(UsbHcDevice *dev)
{
    UsbHc *hc = dev->hc;
    uint8_t address = hc->last_address % 127 + 1;
    UsbHcStatus status;

    if (!hc->drv->sends_set_address) {
        return hc->drv->address(dev);
    }
    status = usbhc_control(dev, 0, REQ_SET_ADDRESS, address, 0, NULL, 0, NULL);
    if (status != USBHC_OK) {
        return status;
    }
    hc->last_address = address;
    dev->address = address;
    return hc->drv->address(dev);
}

UsbHcDevice *usbhc_attach(UsbHc *hc)
{
    UsbHcDevice *dev = usbhc_open(hc, usbhc_wait_connect(hc));
    UsbHcStatus status = usbhc_address(dev);

    if (status != USBHC_OK) {
        g_error("%s: the device takes no address: %s", hc->drv->name,
                usbhc_status_name(status));
    }
    return dev;
}

static uint32_t hub_port_status(UsbHcDevice *hub, unsigned port)
{
    uint8_t status[4] = { 0 };

    usbhc_control(hub, 0xa3, 0, 0, port, status, 4, NULL);
    return ldl_le_p(status);
}

UsbHcDevice *usbhc_attach_behind(UsbHcDevice *hub, unsigned hub_port)
{
    int64_t end = g_get_monotonic_time() +
                  USBHC_DEADLINE_S * G_TIME_SPAN_SECOND;
    UsbHcDevice *dev;

    usbhc_control(hub, 0x00, 9, 1, 0, NULL, 0, NULL);
    usbhc_control(hub, 0x23, REQ_SET_FEATURE, HUB_PORT_POWER, hub_port, NULL,
                  0, NULL);
    while (!(hub_port_status(hub, hub_port) & 1)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        usbhc_step(hub->hc, USBHC_FRAME_NS);
    }
    usbhc_control(hub, 0x23, REQ_SET_FEATURE, HUB_PORT_RESET, hub_port, NULL,
                  0, NULL);
    usbhc_control(hub, 0x23, REQ_CLEAR_FEATURE, HUB_C_RESET, hub_port, NULL,
                  0, NULL);
    dev = usbhc_open_behind(hub, hub_port);
    g_assert_cmpint(usbhc_address(dev), ==, USBHC_OK);
    return dev;
}

static void ep_free(UsbHcEndpoint *ep)
{
    UsbHcTransfer *xfer;

    if (!ep->dev->hc->gone) {
        ep->dev->hc->drv->ep_close(ep);
    }
    while ((xfer = g_queue_pop_head(&ep->transfers))) {
        xfer->status = USBHC_CANCELLED;
        xfer->ep = NULL;
    }
    while (ep->finished) {
        xfer = ep->finished->data;
        xfer->ep = NULL;
        ep->finished = g_slist_delete_link(ep->finished, ep->finished);
    }
    g_free(ep);
}

void usbhc_ep_close(UsbHcEndpoint *ep)
{
    ep->dev->endpoints = g_slist_remove(ep->dev->endpoints, ep);
    ep_free(ep);
}

void usbhc_close(UsbHcDevice *dev)
{
    UsbHc *hc = dev->hc;

    while (dev->endpoints) {
        usbhc_ep_close(dev->endpoints->data);
    }
    if (!hc->gone) {
        hc->drv->close(dev);
    }
    hc->devices = g_slist_remove(hc->devices, dev);
    g_free(dev);
}

UsbHcEndpoint *usbhc_ep(UsbHcDevice *dev, uint8_t address, UsbHcType type,
                        uint16_t mps, uint8_t interval)
{
    return ep_new(dev, address, type, mps, interval, 0);
}

UsbHcEndpoint *usbhc_ep_streams(UsbHcDevice *dev, uint8_t address,
                                uint16_t mps, unsigned streams)
{
    g_assert_cmpint(streams, >=, 1);
    g_assert_cmpint(streams, <=, dev->hc->drv->max_streams);
    return ep_new(dev, address, USBHC_BULK, mps, 0, streams);
}

void usbhc_ep_recover(UsbHcEndpoint *ep)
{
    ep->dev->hc->drv->ep_recover(ep);
    ep->halted = false;
}

UsbHcStatus usbhc_clear_halt(UsbHcEndpoint *ep)
{
    usbhc_ep_recover(ep);
    return usbhc_control(ep->dev, 0x02, REQ_CLEAR_FEATURE, 0, ep->address,
                         NULL, 0, NULL);
}

/* Transfers */

static UsbHcTransfer *transfer_new(UsbHcEndpoint *ep, const void *data,
                                   uint32_t length)
{
    UsbHcTransfer *xfer = g_new0(UsbHcTransfer, 1);
    UsbHc *hc = ep->dev->hc;

    xfer->hc = hc;
    xfer->ep = ep;
    xfer->length = length;
    xfer->stream = ep->streams ? 1 : 0;
    xfer->data = data ? g_memdup2(data, length) : g_malloc0(length);
    xfer->buffer = usbhc_alloc(hc, length);
    return xfer;
}

static void transfer_start(UsbHcTransfer *xfer)
{
    UsbHc *hc = xfer->hc;

    if (xfer->length && !usbhc_is_in(xfer) && !xfer->foreign) {
        qtest_bufwrite(hc->qts, xfer->buffer, xfer->data, xfer->length);
    }
    g_queue_push_tail(&xfer->ep->transfers, xfer);
    hc->drv->submit(xfer);
}

UsbHcTransfer *usbhc_submit(UsbHcEndpoint *ep, const void *data,
                            uint32_t length)
{
    UsbHcTransfer *xfer = transfer_new(ep, data, length);

    transfer_start(xfer);
    return xfer;
}

UsbHcTransfer *usbhc_submit_stream(UsbHcEndpoint *ep, uint16_t stream,
                                   const void *data, uint32_t length)
{
    UsbHcTransfer *xfer = transfer_new(ep, data, length);

    g_assert_cmpint(stream, >=, 1);
    g_assert_cmpint(stream, <=, ep->streams);
    xfer->stream = stream;
    transfer_start(xfer);
    return xfer;
}

UsbHcTransfer *usbhc_submit_at(UsbHcEndpoint *ep, uint64_t buffer,
                               uint32_t length)
{
    UsbHcTransfer *xfer = transfer_new(ep, NULL, length);

    usbhc_release(xfer->hc, xfer->buffer);
    xfer->foreign = true;
    xfer->buffer = buffer;
    transfer_start(xfer);
    return xfer;
}

UsbHcTransfer *usbhc_submit_control(UsbHcDevice *dev, const uint8_t *setup,
                                    const void *data)
{
    UsbHcTransfer *xfer = transfer_new(dev->ep0, data, lduw_le_p(setup + 6));

    memcpy(xfer->setup, setup, 8);
    xfer->setup_buffer = usbhc_alloc(dev->hc, 8);
    qtest_bufwrite(dev->hc->qts, xfer->setup_buffer, setup, 8);
    transfer_start(xfer);
    return xfer;
}

void usbhc_cut(UsbHcTransfer *xfer, uint32_t limit, unsigned extra)
{
    uint32_t left = xfer->length;
    uint32_t pieces = DIV_ROUND_UP(left, limit);
    uint32_t i;

    if (xfer->ep->type != USBHC_CONTROL) {
        pieces = MAX(pieces, 1);
    }
    xfer->tds = pieces + extra;
    xfer->td = g_new0(uint64_t, xfer->tds);
    xfer->td_length = g_new0(uint32_t, xfer->tds);
    for (i = 0; i < pieces; i++) {
        xfer->td_length[i + (extra ? 1 : 0)] = MIN(left, limit);
        left -= MIN(left, limit);
    }
}

void usbhc_done(UsbHcTransfer *xfer, UsbHcStatus status, uint32_t actual)
{
    UsbHcEndpoint *ep = xfer->ep;

    if (status == USBHC_OK && actual < xfer->length) {
        status = USBHC_SHORT;
    }
    if (status != USBHC_OK && status != USBHC_SHORT &&
        status != USBHC_CANCELLED) {
        ep->halted = true;
    }
    xfer->status = status;
    xfer->actual = actual;
    if (actual && usbhc_is_in(xfer) && !xfer->foreign) {
        qtest_bufread(xfer->hc->qts, xfer->buffer, xfer->data, actual);
    }
    g_queue_remove(&ep->transfers, xfer);
    ep->finished = g_slist_prepend(ep->finished, xfer);
}

static bool transfer_is_done(void *opaque)
{
    return ((UsbHcTransfer *)opaque)->status != USBHC_PENDING;
}

UsbHcStatus usbhc_wait(UsbHcTransfer *xfer)
{
    UsbHcEndpoint *ep = xfer->ep;

    if (xfer->status == USBHC_PENDING &&
        !usbhc_until(ep->dev->hc, transfer_is_done, xfer)) {
        g_error("%s: endpoint %02x: transfer of %u bytes (SETUP %02x %02x) "
                "not done after %d s", ep->dev->hc->drv->name, ep->address,
                xfer->length, xfer->setup[0], xfer->setup[1],
                USBHC_DEADLINE_S);
    }
    return xfer->status;
}

void usbhc_cancel(UsbHcTransfer *xfer)
{
    xfer->hc->drv->harvest(xfer->hc);
    if (xfer->status == USBHC_PENDING) {
        xfer->hc->drv->cancel(xfer);
    }
}

void usbhc_transfer_free(UsbHcTransfer *xfer)
{
    if (xfer->status == USBHC_PENDING) {
        usbhc_cancel(xfer);
    }
    if (xfer->ep) {
        xfer->ep->finished = g_slist_remove(xfer->ep->finished, xfer);
    }
    if (!xfer->foreign) {
        usbhc_release(xfer->hc, xfer->buffer);
    }
    usbhc_release(xfer->hc, xfer->setup_buffer);
    g_free(xfer->td);
    g_free(xfer->td_length);
    g_free(xfer->data);
    g_free(xfer);
}

static UsbHcStatus finish(UsbHcTransfer *xfer, void *data, uint32_t *actual)
{
    UsbHcStatus status = usbhc_wait(xfer);
    bool control = xfer->ep->type == USBHC_CONTROL;

    if (data && usbhc_is_in(xfer)) {
        memcpy(data, xfer->data, xfer->actual);
    }
    if (actual) {
        *actual = xfer->actual;
    }
    if (control && xfer->ep->halted) {
        usbhc_ep_recover(xfer->ep);
    }
    usbhc_transfer_free(xfer);
    return status;
}

UsbHcStatus usbhc_transfer(UsbHcEndpoint *ep, void *data, uint32_t length,
                           uint32_t *actual)
{
    return finish(usbhc_submit(ep, data, length), data, actual);
}

UsbHcStatus usbhc_control(UsbHcDevice *dev, uint8_t type, uint8_t request,
                          uint16_t value, uint16_t index, void *data,
                          uint16_t length, uint32_t *actual)
{
    uint8_t setup[8] = { type, request };

    stw_le_p(setup + 2, value);
    stw_le_p(setup + 4, index);
    stw_le_p(setup + 6, length);
    return finish(usbhc_submit_control(dev, setup, data), data, actual);
}
