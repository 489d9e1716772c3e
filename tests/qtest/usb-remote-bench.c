/*
 * usb-remote cases: QEMU's memory and liveness, whatever the peer does
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The memory of usb-remote is bounded and a case of every run.  With "-m perf"
 * there are cases that measure and judge nothing: usb-remote beside usb-redir,
 * each with a peer in a process of its own.  They print a line "bench {...}"
 * (JSON) for bench/ in usb-remote's repository, which says what the numbers
 * mean and what they do not.
 *
 * The guest submits whole queues of bulk transfers, OUT and IN, and takes them
 * back.  A round is one transfer that is submitted and cancelled.
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/units.h"
#include "usb-remote-forked.h"
#include "usb-remote-rig.h"

#define TURN_ROUNDS         (2 * USBHC_BURST_DEPTH)
#define MEMORY_LENGTH       2048
#define MEMORY_WARM_UP      10000       /* rounds */
#define MEMORY_ROUNDS       100000      /* unless the environment says more */
#define MEMORY_GROWTH       (4 * MiB)
#define LIVENESS_LENGTH     65536
#define LIVENESS_SAMPLES    200
/* Where memory is not bounded, it ends here. */
#define GROWTH_LIMIT        (1 * GiB)
#define TIME_LIMIT_S        60

typedef struct BenchDevice {
    const char *name;                   /* QEMU's */
    const char *options;                /* a peer may be stopped for long */
    ForkedMain *peer;
    bool bounded;                       /* it may not grow, nor say a word */
} BenchDevice;

static const BenchDevice usb_remote = {
    "usb-remote", ",peer-timeout=0", forked_remote_main, true
};
static const BenchDevice usb_redir = {
    "usb-redir", "", forked_redir_main, false
};

typedef struct Bench {
    const BenchDevice *device;
    Rig *rig;
    ForkedPeer *peer;
    UsbHcBurst *burst;
} Bench;

/* Plugged, the peer runs, and the transfers to come have @length bytes. */
static Bench *bench_new(const BenchDevice *device, uint32_t length)
{
    g_autofree char *argument = g_strdup_printf(
        "-device %s,chardev=c0,id=dev0,bus=hc.0%s", device->name,
        device->options);
    UsbHcEndpoint *eps[2];
    Bench *b = g_new0(Bench, 1);

    b->device = device;
    b->rig = rig_new_bare(&usbhc_xhci, argument);
    b->peer = forked_peer_new(device->peer, b->rig->path);
    b->rig->dev = usbhc_attach(b->rig->hc);
    peer_device_init(&b->rig->peer->device, b->rig->dev->speed);
    rig_configure(b->rig);
    eps[0] = b->rig->bulk_out;
    eps[1] = b->rig->bulk_in;
    b->burst = usbhc_xhci_burst_new(eps, 2, USBHC_BURST_DEPTH, length);
    b->rig->quiet = !device->bounded;
    return b;
}

static void bench_free(Bench *b)
{
    forked_peer_free(b->peer);
    usbhc_xhci_burst_free(b->burst);
    rig_free(b->rig);
    g_free(b);
}

/* A turn: a queue of transfers each way */

/* The rig sees that QEMU goes on. */
static void turn_ends(Bench *b)
{
    usbhc_xhci_burst_cancel(b->burst);
    usbhc_step(b->rig->hc, 0);
}

/* Nothing is cancelled before the peer has it. */
static void turn_answered(Bench *b)
{
    forked_peer_expect(b->peer, TURN_ROUNDS);
    usbhc_xhci_burst_submit(b->burst);
    forked_peer_wait(b->peer);
    turn_ends(b);
}

/* The device has its time between the register writes. */
static void turn_unheard(Bench *b)
{
    usbhc_xhci_burst_submit(b->burst);
    turn_ends(b);
}

/* Memory */

typedef struct Memory {
    const char *peer;                   /* what it does */
    void (*turn)(Bench *b);
    size_t before, after;
    uint64_t rounds;
    double seconds;
} Memory;

static size_t growth(Bench *b, const Memory *m)
{
    size_t now = rig_rss(b->rig);

    return now > m->before ? now - m->before : 0;
}

static void measure_memory(Bench *b, Memory *m, uint64_t wanted)
{
    int64_t start;
    unsigned i;

    for (i = 0; i < MEMORY_WARM_UP; i += TURN_ROUNDS) {
        m->turn(b);
    }
    m->before = rig_rss(b->rig);
    start = g_get_monotonic_time();
    while (m->rounds < wanted) {
        m->turn(b);
        m->rounds += TURN_ROUNDS;
        m->seconds = (g_get_monotonic_time() - start) / 1e6;
        if (!b->device->bounded && (m->seconds > TIME_LIMIT_S ||
                                    growth(b, m) > GROWTH_LIMIT)) {
            break;
        }
    }
    m->after = m->before + growth(b, m);
}

static void expect_no_growth(const Memory *m)
{
    if (m->after - m->before > MEMORY_GROWTH) {
        g_error("after %" PRIu64 " rounds QEMU has grown by %zu KiB",
                m->rounds, (m->after - m->before) / KiB);
    }
}

/* The grace of cancelled transfers is over, and each is answered. */
static void until_idle(Bench *b)
{
    int64_t end = g_get_monotonic_time() +
                  PEER_DEADLINE_S * G_TIME_SPAN_SECOND;

    rig_run(b->rig, 200);
    while (rig_qom_number(b->rig, "in-flight")) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
}

/* Else it was something else that did not grow. */
static void expect_all_on_the_wire(Bench *b)
{
    until_idle(b);
    g_assert_cmpint(forked_peer_submits(b->peer), ==,
                    forked_peer_cancels(b->peer));
    g_assert_cmpint(rig_qom_number(b->rig, "cancels"), ==,
                    forked_peer_cancels(b->peer));
}

static uint64_t rounds_wanted(unsigned usual)
{
    return rig_setting("USB_REMOTE_ROUNDS", usual);
}

static void answered_cancels_leave_no_memory(const void *opaque)
{
    Bench *b = bench_new(&usb_remote, MEMORY_LENGTH);
    Memory m = { .turn = turn_answered };

    measure_memory(b, &m, rounds_wanted(MEMORY_ROUNDS));
    expect_no_growth(&m);
    g_assert_cmpint(forked_peer_submits(b->peer), >=, m.rounds);
    expect_all_on_the_wire(b);
    bench_free(b);
}

/* And the device goes on as soon as the peer does. */
static void unheard_cancels_leave_no_memory(const void *opaque)
{
    Bench *b = bench_new(&usb_remote, MEMORY_LENGTH);
    Memory m = { .turn = turn_unheard };

    forked_peer_stop(b->peer);
    measure_memory(b, &m, rounds_wanted(MEMORY_ROUNDS));
    expect_no_growth(&m);
    forked_peer_cont(b->peer);
    until_idle(b);
    turn_answered(b);
    expect_all_on_the_wire(b);
    bench_free(b);
}

static void print_memory(Bench *b, const Memory *m)
{
    g_test_message("bench { \"figure\": \"memory\", \"device\": \"%s\", "
                   "\"peer\": \"%s\", \"rounds\": %" PRIu64 ", "
                   "\"submits\": %" PRIu64 ", \"cancels\": %" PRIu64 ", "
                   "\"before\": %zu, \"after\": %zu, \"seconds\": %.3f }",
                   b->device->name, m->peer, m->rounds,
                   forked_peer_submits(b->peer), forked_peer_cancels(b->peer),
                   m->before, m->after, m->seconds);
}

static void memory_answered(const void *device)
{
    Bench *b = bench_new(device, MEMORY_LENGTH);
    Memory m = { .peer = "answers", .turn = turn_answered };

    measure_memory(b, &m, rounds_wanted(1000000));
    print_memory(b, &m);
    bench_free(b);
}

static void memory_stopped(const void *device)
{
    Bench *b = bench_new(device, MEMORY_LENGTH);
    Memory m = { .peer = "stopped", .turn = turn_unheard };

    forked_peer_stop(b->peer);
    measure_memory(b, &m, rounds_wanted(1000000));
    print_memory(b, &m);
    bench_free(b);
}

/*
 * Liveness.  libqtest keeps nothing in common for qtest's socket and for
 * QMP's, so that a thread may be the guest while this one asks.
 */

typedef struct Load {
    Bench *b;
    int end;
    size_t before;
    uint64_t rounds;
    bool full;                          /* ended early, at GROWTH_LIMIT */
    GMutex lock;
    GCond turned;
} Load;

static void *load_thread(void *opaque)
{
    Load *load = opaque;
    bool full = false;

    while (!qatomic_read(&load->end) && !full) {
        turn_unheard(load->b);
        full = rig_rss(load->b->rig) > load->before + GROWTH_LIMIT;
        g_mutex_lock(&load->lock);
        load->rounds += TURN_ROUNDS;
        load->full = full;
        g_cond_signal(&load->turned);
        g_mutex_unlock(&load->lock);
    }
    return NULL;
}

/* The samples are spread over the work of the guest. */
static void next_turn(Load *load)
{
    uint64_t rounds;

    g_mutex_lock(&load->lock);
    rounds = load->rounds;
    while (load->rounds == rounds && !load->full) {
        g_cond_wait(&load->turned, &load->lock);
    }
    g_mutex_unlock(&load->lock);
}

static int64_t query_status(Bench *b)
{
    int64_t start = g_get_monotonic_time();

    qtest_qmp_assert_success(b->rig->qts, "{ 'execute': 'query-status' }");
    return g_get_monotonic_time() - start;
}

static void liveness(const void *device)
{
    Bench *b = bench_new(device, LIVENESS_LENGTH);
    Load load = { .b = b, .before = rig_rss(b->rig) };
    g_autoptr(GString) samples = g_string_new("");
    GThread *thread;
    unsigned i;

    turn_answered(b);
    forked_peer_stop(b->peer);
    thread = g_thread_new("guest", load_thread, &load);
    for (i = 0; i < LIVENESS_SAMPLES; i++) {
        next_turn(&load);
        g_string_append_printf(samples, "%s%" PRId64, i ? ", " : "",
                               query_status(b));
    }
    qatomic_set(&load.end, true);
    g_thread_join(thread);
    g_test_message("bench { \"figure\": \"liveness\", \"device\": \"%s\", "
                   "\"rounds\": %" PRIu64 ", \"full\": %s, "
                   "\"before\": %zu, \"after\": %zu, \"samples_us\": [%s] }",
                   b->device->name, load.rounds, load.full ? "true" : "false",
                   load.before, rig_rss(b->rig), samples->str);
    bench_free(b);
}

static void bench_add(const BenchDevice *device)
{
    static const struct {
        const char *what;
        GTestDataFunc fn;
    } cases[] = {
        { "liveness", liveness },
        { "memory-answered", memory_answered },
        { "memory-stopped", memory_stopped },
    };
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *path = g_strdup_printf("/usb-remote/bench/%s/%s",
                                                cases[i].what, device->name);

        qtest_add_data_func(path, device, cases[i].fn);
    }
}

void usb_remote_bench_add(void)
{
    rig_add(&usbhc_xhci, "answered-cancels-leave-no-memory",
            answered_cancels_leave_no_memory);
    rig_add(&usbhc_xhci, "unheard-cancels-leave-no-memory",
            unheard_cancels_leave_no_memory);
    if (g_test_perf()) {
        bench_add(&usb_remote);
        bench_add(&usb_redir);
    }
}
