/* Invariant: no write of the guest's to its controller kills or hangs QEMU. */
/*
 * usb-remote cases: a guest that writes anything to its host controller
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * While the device has packets in flight, registers and the memory that has
 * the schedule (TDs, QHs, rings, contexts) are overwritten: with any numbers,
 * with single bits changed, with addresses of one another.  The peer is good
 * all the time.  A reset of the machine ends each program, and the next one
 * begins with a device that is plugged in and works.
 *
 * The controllers' drivers of these tests are of no use in between, as they
 * trust what they wrote: here time passes without them.
 */

#include "qemu/osdep.h"
#include "usb-remote-fuzz.h"

#define WORDS           16      /* of a descriptor that are written to */

typedef struct Registers {
    const char *controller;
    uint32_t first, size;       /* in its BAR */
} Registers;

/* Capabilities left out: nobody can write them. */
static const Registers registers[] = {
    { "xhci", 0x40, 0x40 },             /* operational */
    { "xhci", 0x440, 0x80 },            /* ports */
    { "xhci", 0x1020, 0x20 },           /* interrupter 0 */
    { "xhci", 0x2000, 0x10 },           /* doorbells */
    { "uhci", 0x00, 0x14 },
    { "ohci", 0x00, 0x60 },
    { "ehci", 0x20, 0x20 },             /* operational */
    { "ehci", 0x60, 0x20 },             /* CONFIGFLAG, ports */
};

static const Registers *draw_registers(Fuzz *f)
{
    const Registers *mine[G_N_ELEMENTS(registers)];
    unsigned i, n = 0;

    for (i = 0; i < G_N_ELEMENTS(registers); i++) {
        if (strcmp(registers[i].controller, f->rig->drv->name) == 0) {
            mine[n++] = &registers[i];
        }
    }
    return mine[fuzz_pick(f, n)];
}

/* Where the controller looks for its work */
static GArray *addresses(Fuzz *f)
{
    GArray *all = g_array_new(false, false, sizeof(uint64_t));
    UsbHcDevice *dev = f->rig->dev;
    GSList *l;
    uint32_t i;

    g_array_append_vals(all, dev->context, G_N_ELEMENTS(dev->context));
    for (l = dev->endpoints; l; l = l->next) {
        UsbHcEndpoint *ep = l->data;

        g_array_append_val(all, ep->head);
        g_array_append_val(all, ep->tail);
    }
    for (l = f->rig->strays; l; l = l->next) {
        UsbHcTransfer *xfer = l->data;

        g_array_append_val(all, xfer->buffer);
        for (i = 0; i < MIN(xfer->tds, 4); i++) {
            g_array_append_val(all, xfer->td[i]);
        }
    }
    return all;
}

/* 0 where this controller has no such thing */
static uint64_t draw_address(Fuzz *f)
{
    g_autoptr(GArray) all = addresses(f);

    return g_array_index(all, uint64_t, fuzz_pick(f, MIN(all->len, 256)));
}

static uint32_t draw_word(Fuzz *f)
{
    return fuzz_pick(f, 256) | fuzz_pick(f, 256) << 8 |
           fuzz_pick(f, 256) << 16 | (uint32_t)fuzz_pick(f, 256) << 24;
}

/* What is to be there instead of @old */
static uint32_t draw_value(Fuzz *f, uint32_t old)
{
    switch (fuzz_pick(f, 6)) {
    case 0:
        return fuzz_pick(f, 256);
    case 1:
        return draw_word(f);
    case 2:
        return draw_address(f) | fuzz_pick(f, 16);
    case 3:
        return UINT32_MAX;
    default:
        return old ^ 1u << fuzz_pick(f, 32);
    }
}

static void write_register(Fuzz *f)
{
    const Registers *r = draw_registers(f);
    uint32_t at = r->first + (fuzz_pick(f, r->size) & ~3u);
    UsbHc *hc = f->rig->hc;

    qpci_io_writel(hc->pci, hc->bar, at,
                   draw_value(f, qpci_io_readl(hc->pci, hc->bar, at)));
}

static void write_memory(Fuzz *f)
{
    uint64_t at = draw_address(f) + 4 * fuzz_pick(f, WORDS);
    UsbHc *hc = f->rig->hc;

    usbhc_put32(hc, at, draw_value(f, usbhc_get32(hc, at)));
}

/* The peer answers one request out of four with an error. */
static void answer(Fuzz *f)
{
    PeerMessage *m = peer_take(f->rig->peer, USB_REMOTE_MSG_SUBMIT);
    static uint8_t data[USB_REMOTE_MAX_PAYLOAD];
    uint32_t length;
    bool in;

    if (!m) {
        return;
    }
    length = peer_submit_length(m);
    in = usb_remote_submit_is_in(peer_submit(m));
    if (fuzz_pick(f, 4) == 0) {
        peer_answer(f->rig->peer, m, fuzz_pick(f, USB_REMOTE_STATUS_NODEV));
    } else {
        peer_answer_ok(f->rig->peer, m, in ? data : NULL, length);
    }
}

/* As rig_step(), without the controller's driver */
static void pass_time(void *opaque)
{
    Rig *rig = opaque;

    qtest_clock_step(rig->qts, USBHC_FRAME_NS);
    peer_pump(rig->peer);
}

static void step(Fuzz *f)
{
    unsigned n = fuzz_pick(f, 4) + 1;

    while (n--) {
        pass_time(f->rig);
    }
}

enum { REGISTER, MEMORY, ANSWER, STEP, ACTIONS };

static void (*const actions[ACTIONS])(Fuzz *f) = {
    [REGISTER] = write_register,
    [MEMORY] = write_memory,
    [ANSWER] = answer,
    [STEP] = step,
};

/* Transfers that work, of which some are under way */
static void begin(Fuzz *f)
{
    unsigned i, n = fuzz_pick(f, 8) + 4;

    fuzz_plug(f);
    for (i = 0; i < n; i++) {
        if (fuzz_pick(f, 4) == 0) {
            fuzz_control(f);
        } else {
            fuzz_transfer(f);
        }
        if (fuzz_pick(f, 2)) {
            rig_step(f->rig);
        }
    }
}

/* The driver learns that all of it is gone. */
static void forget(Fuzz *f)
{
    Rig *rig = f->rig;

    while (rig->strays) {
        UsbHcTransfer *xfer = rig->strays->data;

        if (xfer->status == USBHC_PENDING) {
            usbhc_done(xfer, USBHC_CANCELLED, 0);
        }
        usbhc_transfer_free(xfer);
        rig->strays = g_slist_remove(rig->strays, xfer);
    }
    rig->hc = usbhc_renew(rig->hc);
    rig->dev = NULL;
    rig_unplug_guest(rig);
}

static void run(Fuzz *f)
{
    Peer *peer = f->rig->peer;

    begin(f);
    peer->step = pass_time;
    while (!fuzz_over(f)) {
        actions[fuzz_pick(f, ACTIONS)](f);
    }
    pass_time(f->rig);
    qtest_system_reset(f->rig->qts);
    forget(f);
    peer->step = rig_step;
    fuzz_unplug(f);
}

#define P(...)      { (const uint8_t []) { __VA_ARGS__ }, \
                      sizeof((const uint8_t []) { __VA_ARGS__ }) }
/* What comes after transfers of each kind */
#define T(...)      P(0, 7, 0, 1, 0, 6, 1, 1, 2, 9, 1, 1, 3, 9, 1, 0, 10, 1, \
                      __VA_ARGS__)

/* The first two are the limits and the speed. */
static const FuzzProgram corpus[] = {
    P(0, 7),
    T(STEP, 3, ANSWER, 1, 1, STEP, 3, ANSWER, 1, 1, STEP, 3),
    T(STEP, 1, MEMORY, 2, 1, 4, 3, STEP, 3, ANSWER, 1, STEP, 3),
    T(STEP, 1, MEMORY, 14, 0, 2, 15, 1, STEP, 3, ANSWER, 1),
    T(STEP, 1, MEMORY, 17, 3, 4, 19, STEP, 3, ANSWER, 1, STEP, 3),
    T(STEP, 1, REGISTER, 0, 0, 4, 0, STEP, 3, ANSWER, 1, STEP, 3),
    T(STEP, 1, REGISTER, 1, 4, 4, 9, STEP, 3, ANSWER, 1, STEP, 3),
    T(STEP, 1, REGISTER, 3, 4, 0, 5, REGISTER, 3, 4, 0, 4, STEP, 3),
};

static const Fuzzer fuzzer = {
    .name = "guest-writes-anything",
    .corpus = corpus,
    .corpus_size = G_N_ELEMENTS(corpus),
    .runs = 60,
    .run = run,
};

static void guest_writes_anything(const void *drv)
{
    fuzz_case(drv, &fuzzer);
}

void usb_remote_fuzz_guest_add(void)
{
    rig_add_all(fuzzer.name, guest_writes_anything);
}
