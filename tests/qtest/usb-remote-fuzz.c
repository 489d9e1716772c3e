/*
 * usb-remote's fuzzers: programs, and what all of them do
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QTEST_SEED chooses the programs.  With USB_REMOTE_FUZZ_SECONDS they go on
 * for so long instead of for a fixed number.  USB_REMOTE_FUZZ_DIR is where
 * the program that runs is written before it does, so that it is there when
 * QEMU is not any more; USB_REMOTE_FUZZ_INPUT is such a file, to be run
 * alone.
 */

#include "qemu/osdep.h"
#include "usb-remote-fuzz.h"

#define REPORT_S        10
#define WARM_UP         20              /* runs before memory is measured */
#define GROWTH          (64 * 1024 * 1024)
#define EDITS           8

/* Reading a program */

unsigned fuzz_pick(Fuzz *f, unsigned n)
{
    return fuzz_over(f) ? 0 : f->program.bytes[f->at++] % n;
}

bool fuzz_over(Fuzz *f)
{
    return f->at >= f->program.size;
}

size_t fuzz_size(Fuzz *f)
{
    static const uint32_t sizes[] = {
        0, 1, 7, 8, 9, 63, 64, 65, 511, 512, 1024, 4096, 5000, 16384, 40000
    };

    return MIN(sizes[fuzz_pick(f, G_N_ELEMENTS(sizes))],
               f->rig->drv->max_transfer);
}

/* Making programs */

static void edit(Fuzz *f, GByteArray *p)
{
    uint32_t at = p->len ? g_rand_int(f->rand) % p->len : 0;
    uint8_t byte = g_rand_int(f->rand);

    switch (g_rand_int(f->rand) % 5) {
    case 0:
        if (p->len) {
            p->data[at] = byte;
        }
        break;
    case 1:
        if (p->len) {
            p->data[at] ^= 1 << byte % 8;
        }
        break;
    case 2:
        g_byte_array_remove_range(p, at, MIN(p->len - at, byte % 8));
        break;
    case 3:                             /* a part of it once more */
        if (p->len < FUZZ_PROGRAM_MAX) {
            g_autofree uint8_t *part = g_memdup2(p->data + at, p->len - at);

            g_byte_array_append(p, part, p->len - at);
        }
        break;
    default:
        g_byte_array_append(p, &byte, 1);
    }
}

/* Something new, or one of the corpus with changes, or with another's end */
static GByteArray *make_program(Fuzz *f)
{
    GByteArray *p = g_byte_array_new();
    unsigned i, n = g_rand_int(f->rand) % EDITS + 1;
    unsigned parts = g_rand_int(f->rand) % 3;

    for (i = 0; i < parts; i++) {
        const FuzzProgram *c = &f->fuzzer->corpus[
            g_rand_int(f->rand) % f->fuzzer->corpus_size];

        g_byte_array_append(p, c->bytes, c->size);
    }
    for (i = 0; !parts && i < 16 * n; i++) {
        uint8_t byte = g_rand_int(f->rand);

        g_byte_array_append(p, &byte, 1);
    }
    for (i = 0; i < n; i++) {
        edit(f, p);
    }
    g_byte_array_set_size(p, MIN(p->len, FUZZ_PROGRAM_MAX));
    return p;
}

/* Running them */

static void save(Fuzz *f)
{
    const char *dir = getenv("USB_REMOTE_FUZZ_DIR");
    g_autofree char *name = NULL;

    if (dir && *dir) {
        name = g_strdup_printf("%s/input-%s", dir, f->rig->drv->name);
        g_assert_true(g_file_set_contents(name, (char *)f->program.bytes,
                                          f->program.size, NULL));
    }
}

static void run(Fuzz *f, const void *bytes, size_t size)
{
    f->program = (FuzzProgram) { bytes, size };
    f->at = 0;
    save(f);
    f->fuzzer->run(f);
    f->runs++;
}

static void report(Fuzz *f)
{
    g_test_message("%s, %s: %u executions", f->fuzzer->name,
                   f->rig->drv->name, f->runs);
}

static void run_many(Fuzz *f)
{
    uint32_t seconds = rig_setting("USB_REMOTE_FUZZ_SECONDS", 0);
    int64_t now = g_get_monotonic_time(), next = now;
    int64_t end = now + seconds * G_TIME_SPAN_SECOND;
    size_t i, before = 0;

    for (i = 0; i < f->fuzzer->corpus_size; i++) {
        run(f, f->fuzzer->corpus[i].bytes, f->fuzzer->corpus[i].size);
    }
    while (seconds ? now < end : f->runs < f->fuzzer->runs) {
        g_autoptr(GByteArray) p = make_program(f);

        run(f, p->data, p->len);
        now = g_get_monotonic_time();
        if (seconds && now >= next) {
            report(f);
            next = now + REPORT_S * G_TIME_SPAN_SECOND;
        }
        if (f->runs == WARM_UP) {
            before = rig_rss(f->rig);
        }
    }
    if (before) {
        g_assert_cmpuint(rig_rss(f->rig), <, before + GROWTH);
    }
}

static void run_one_file(Fuzz *f, const char *path)
{
    g_autofree char *text = NULL;
    gsize size;

    if (!g_file_get_contents(path, &text, &size, NULL)) {
        g_error("USB_REMOTE_FUZZ_INPUT=%s: cannot be read", path);
    }
    run(f, text, size);
}

void fuzz_case(const UsbHcDriver *drv, const Fuzzer *fuzzer)
{
    const char *input = getenv("USB_REMOTE_FUZZ_INPUT");
    uint32_t seed = rig_seed();
    Fuzz f = { .fuzzer = fuzzer };

    g_test_message("%s, %s: QTEST_SEED=%u", fuzzer->name, drv->name, seed);
    f.rand = g_rand_new_with_seed(seed);
    f.rig = rig_new(drv, NULL);
    f.rig->quiet = true;        /* it has a lot to complain about */
    f.out = g_byte_array_new();
    f.sent = g_byte_array_new();
    if (input && *input) {
        run_one_file(&f, input);
    } else {
        run_many(&f);
    }
    report(&f);
    g_byte_array_free(f.out, true);
    g_byte_array_free(f.sent, true);
    rig_free(f.rig);
    g_rand_free(f.rand);
}

/* Plugging and unplugging */

static void draw_limits(Fuzz *f, UsbRemoteHello *hello)
{
    UsbRemoteLimits own = usb_remote_default_limits();
    static const struct {
        uint32_t payload, requests, per_endpoint, bytes;
    } drawn[] = {
        { USB_REMOTE_MAX_PAYLOAD, 256, 64, 8 << 20 },
        { 8192, 2, 1, 8192 },
        { 16384, 4, 2, 65536 },
    };
    unsigned i = fuzz_pick(f, G_N_ELEMENTS(drawn));

    *hello = peer_hello();
    usb_remote_put32(hello->max_payload, drawn[i].payload);
    usb_remote_put32(hello->max_requests, drawn[i].requests);
    usb_remote_put32(hello->max_per_endpoint, drawn[i].per_endpoint);
    usb_remote_put32(hello->max_bytes, drawn[i].bytes);
    f->limits = usb_remote_join_limits(&own, hello);
}

static void connect_peer(Fuzz *f)
{
    Peer *peer = f->rig->peer;
    UsbRemoteHello hello;

    draw_limits(f, &hello);
    peer_connect(peer, f->rig->path);
    peer_send_preamble(peer, USB_REMOTE_MAJOR, USB_REMOTE_MINOR);
    peer_send(peer, USB_REMOTE_MSG_HELLO, &hello, sizeof(hello));
    peer_expect_free(peer, USB_REMOTE_MSG_HELLO);
}

static uint8_t draw_speed(Fuzz *f)
{
    unsigned speed = fuzz_pick(f, 8);

    return speed < 4 && f->rig->drv->speeds & (1 << speed)
           ? 1 << speed : 1 << f->rig->drv->best;
}

void fuzz_plug(Fuzz *f)
{
    Rig *rig = f->rig;

    connect_peer(f);
    rig->speeds = draw_speed(f);
    rig_plug(rig);
}

static void free_transfers(Fuzz *f)
{
    g_slist_free_full(f->rig->strays, (GDestroyNotify)usbhc_transfer_free);
    f->rig->strays = NULL;
}

void fuzz_unplug(Fuzz *f)
{
    Rig *rig = f->rig;
    Peer *peer = rig->peer;

    if (f->stopped) {
        fuzz_stop_or_cont(f);
    }
    peer_close(peer);
    peer->held = NULL;
    peer->raw = peer->dribble = false;
    peer->auto_control = peer->auto_cancel = true;
    rig_expect_unplugged(rig);
    rig_unplug_guest(rig);
    free_transfers(f);
    g_assert_cmpuint(rig_qom_number(rig, "in-flight"), ==, 0);
    g_assert_true(qtest_probe_child(rig->qts));
}

/* Actions of the guest's */

static void free_finished(Fuzz *f)
{
    GSList *l = f->rig->strays;

    while (l) {
        UsbHcTransfer *xfer = l->data;

        l = l->next;
        if (xfer->status != USBHC_PENDING) {
            f->rig->strays = g_slist_remove(f->rig->strays, xfer);
            usbhc_transfer_free(xfer);
        }
    }
}

UsbHcEndpoint *fuzz_endpoint(Fuzz *f)
{
    UsbHcEndpoint *const eps[] = {
        f->rig->int_in, f->rig->int_out, f->rig->bulk_in, f->rig->bulk_out
    };

    return eps[fuzz_pick(f, G_N_ELEMENTS(eps))];
}

static bool may_queue(UsbHcEndpoint *ep)
{
    return ep && !ep->halted &&
           g_queue_get_length(&ep->transfers) < FUZZ_DEPTH;
}

void fuzz_transfer(Fuzz *f)
{
    UsbHcEndpoint *ep = fuzz_endpoint(f);
    size_t size = fuzz_size(f);

    free_finished(f);
    if (may_queue(ep)) {
        if (ep->type == USBHC_INTERRUPT) {
            size = MIN(size, ep->mps);
        }
        f->rig->strays = g_slist_prepend(f->rig->strays,
                                         usbhc_submit(ep, NULL, size));
    }
}

void fuzz_control(Fuzz *f)
{
    static const uint8_t setups[][8] = {
        { 0x80, 6, 0, 1, 0, 0, 18, 0 },         /* GET_DESCRIPTOR: device */
        { 0x80, 6, 0, 2, 0, 0, 255, 0 },        /* configuration */
        { 0x80, 6, 1, 3, 9, 4, 255, 0 },        /* string 1 */
        { 0x00, 9, 1, 0, 0, 0, 0, 0 },          /* SET_CONFIGURATION */
        { 0x00, 9, 0, 0, 0, 0, 0, 0 },
        { 0x01, 11, 1, 0, 0, 0, 0, 0 },         /* SET_INTERFACE */
        { 0x02, 1, 0, 0, 0x82, 0, 0, 0 },       /* CLEAR_FEATURE: halt */
        { 0x02, 1, 0, 0, 0x01, 0, 0, 0 },
        { 0x00, 3, 1, 0, 0, 0, 0, 0 },          /* SET_FEATURE: wakeup */
        { 0x00, 1, 1, 0, 0, 0, 0, 0 },
        { 0xc0, 1, 0, 0, 0, 0, 64, 0 },         /* vendor, IN and OUT */
        { 0xc0, 1, 0, 0, 0, 0, 0, 4 },
        { 0x40, 2, 0, 0, 0, 0, 64, 0 },
        { 0x40, 2, 0, 0, 0, 0, 0, 4 },
    };
    const uint8_t *setup = setups[fuzz_pick(f, G_N_ELEMENTS(setups))];

    free_finished(f);
    if (f->rig->dev && may_queue(f->rig->dev->ep0)) {
        f->rig->strays = g_slist_prepend(
            f->rig->strays, usbhc_submit_control(f->rig->dev, setup, NULL));
    }
}

void fuzz_cancel(Fuzz *f)
{
    UsbHcTransfer *xfer;

    free_finished(f);
    xfer = g_slist_nth_data(f->rig->strays, fuzz_pick(f, 8));
    if (xfer) {
        usbhc_cancel(xfer);
    }
}

void fuzz_recover(Fuzz *f)
{
    GSList *l;

    for (l = f->rig->dev ? f->rig->dev->endpoints : NULL; l; l = l->next) {
        UsbHcEndpoint *ep = l->data;

        if (ep->halted) {
            usbhc_ep_recover(ep);
        }
    }
}

void fuzz_bus_reset(Fuzz *f)
{
    if (f->rig->dev) {
        usbhc_port_reset(f->rig->hc, f->rig->dev->port);
    }
}

void fuzz_stop_or_cont(Fuzz *f)
{
    f->stopped = !f->stopped;
    if (f->stopped) {
        rig_stop(f->rig);
    } else {
        rig_cont(f->rig);
    }
}
