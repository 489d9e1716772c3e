/*
 * usb-remote cases: a random walk over all that can happen
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * At each step one action of the guest's, of the peer's or of the monitor's
 * is drawn from a table.  Every so often everything in flight is answered,
 * and then nothing may be left; at the end no file descriptor and no memory
 * either.
 *
 * QTEST_SEED chooses the walk, USB_REMOTE_WALK_STEPS its length.  With
 * USB_REMOTE_WALK_SECONDS it goes on for so long instead.  What is drawn
 * depends on the seed only; how the socket's bytes fall between QEMU's other
 * work does not.
 */

#include "qemu/osdep.h"
#include "usb-remote-walk.h"

#define STEPS           10000
#define SETTLE_EVERY    200             /* steps */
#define SETTLE_FRAMES   2000
#define GUEST_RAM       (40 * 1024 * 1024)      /* more than is in use */
/* of QEMU, after warm-up */
#define GROWTH          (2 * 1024 * 1024 + RIG_SANITIZER_KEEPS)
#define BLOCK           8
#define HEADER          3               /* number and block in each of them */

static const struct {
    const char *name;
    unsigned weight;
    WalkAction *run;
} actions[] = {
    /* the guest */
    { "transfer", 160, walk_transfer },
    { "burst", 20, walk_burst },
    { "control", 40, walk_control },
    { "cancel", 25, walk_cancel },
    { "cancel-all", 4, walk_cancel_all },
    { "halt", 6, walk_halt },
    { "clear-halt", 30, walk_clear_halt },
    { "recover", 20, walk_ep_recover },
    { "set-configuration", 4, walk_set_configuration },
    { "set-interface", 4, walk_set_interface },
    { "descriptor", 6, walk_descriptor },
    { "bus-reset", 3, walk_bus_reset },
    /* the peer */
    { "answer", 200, walk_answer },
    { "answer-all", 20, walk_answer_all },
    { "answer-backwards", 10, walk_answer_backwards },
    { "answer-oddly", 30, walk_answer_oddly },
    { "nak", 20, walk_nak },
    { "ready", 20, walk_ready },
    { "wakeup", 6, walk_wakeup },
    { "stale-answer", 10, walk_stale_answer },
    { "dribble", 4, walk_dribble },
    { "go-deaf", 4, walk_go_deaf },
    { "hear", 10, walk_hear },
    { "attach-again", 3, walk_attach_again },
    { "detach", 3, walk_detach },
    { "detach-attach", 2, walk_detach_attach },
    { "hang-up", 2, walk_hang_up },
    { "reconnect", 2, walk_reconnect },
    /* the monitor */
    { "device-del", 2, walk_device_del },
    { "device-del-hmp", 2, walk_device_del_hmp },
    { "chardev-change", 2, walk_chardev_change },
    { "hub-plug", 20, walk_hub_plug },
    { "hub-unplug", 10, walk_hub_unplug },
    { "stop", 4, walk_stop },
    { "cont", 30, walk_cont },
    { "system-reset", 1, walk_system_reset },
    /* towards a device that can be used */
    { "come-back", 150, walk_come_back },
};

typedef struct Event {
    unsigned step;
    unsigned action;
    char note[100];
} Event;

/* The walk that is under way, for what is said after a failure */
static Walk *walking;
static Event history[WALK_HISTORY];
static unsigned counts[G_N_ELEMENTS(actions)];

/* Chance */

uint32_t walk_below(Walk *w, uint32_t n)
{
    return n ? g_rand_int(w->rand) % n : 0;
}

bool walk_chance(Walk *w, unsigned percent)
{
    return walk_below(w, 100) < percent;
}

static unsigned draw(Walk *w)
{
    unsigned i, sum = 0, at;

    for (i = 0; i < G_N_ELEMENTS(actions); i++) {
        sum += actions[i].weight;
    }
    at = walk_below(w, sum);
    for (i = 0; at >= actions[i].weight; i++) {
        at -= actions[i].weight;
    }
    return i;
}

/* What is said after a failure */

static void tell(void)
{
    g_autofree char *log = NULL;
    Walk *w = walking;
    unsigned i;

    walking = NULL;
    if (!w) {
        return;
    }
    g_file_get_contents(w->rig->log, &log, NULL, NULL);
    fprintf(stderr, "# random walk, %s: failed at step %u; QTEST_SEED=%u\n",
            w->rig->drv->name, w->step, w->seed);
    for (i = 1; i <= WALK_HISTORY; i++) {
        Event *e = &history[(w->step + i) % WALK_HISTORY];

        if (e->step) {
            fprintf(stderr, "# %u %s%s\n", e->step, actions[e->action].name,
                    e->note);
        }
    }
    fprintf(stderr, "%s", log ?: "");
}

static void tell_before_abort(void *unused)
{
    tell();
}

/* g_error() traps, and libqtest looks after aborts only. */
static void abort_after_trap(int unused)
{
    abort();
}

void walk_note(Walk *w, const char *fmt, ...)
{
    Event *e = &history[w->step % WALK_HISTORY];
    size_t at = strlen(e->note);
    va_list ap;

    va_start(ap, fmt);
    if (at + 1 < sizeof(e->note)) {
        e->note[at] = ' ';
        vsnprintf(e->note + at + 1, sizeof(e->note) - at - 1, fmt, ap);
    }
    va_end(ap);
}

void walk_fail(Walk *w, const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_error("%s, step %u, QTEST_SEED=%u: %s", w->rig->drv->name, w->step,
            w->seed, text);
}

/* Data */

void walk_item_fill(WalkEndpoint *wep, WalkItem *item, uint32_t length)
{
    uint32_t i;

    g_free(item->data);
    item->data = g_malloc(ROUND_UP(length, BLOCK) + BLOCK);
    item->length = length;
    rig_fill(item->data, length, item->count * 2 + wep->in);
    for (i = 0; i < length; i += BLOCK) {
        item->data[i] = item->count;
        item->data[i + 1] = i / BLOCK;
        item->data[i + 2] = i / BLOCK >> 8;
    }
}

WalkItem *walk_item(WalkEndpoint *wep)
{
    WalkItem *item = &wep->items[wep->next % WALK_ITEMS];

    g_free(item->data);
    memset(item, 0, sizeof(*item));
    item->count = wep->next++;
    return item;
}

uint32_t walk_offset(const WalkItem *item, const uint8_t *data, uint32_t left)
{
    if (left < HEADER) {
        return item->length - MIN(left, item->length);
    }
    return (data[1] | data[2] << 8) * BLOCK;
}

void walk_disturb(Walk *w, WalkEndpoint *wep)
{
    peer_pump(w->rig->peer);
    wep->disturbed++;
    wep->loose = wep->next;
    wep->unsure |= w->rig->peer->deaf;
}

void walk_disturb_all(Walk *w)
{
    unsigned i;

    for (i = 0; i < WALK_ENDPOINTS; i++) {
        walk_disturb(w, &w->eps[i]);
    }
}

/*
 * Data of an IN belongs to no transfer in particular.  When one of several
 * is cancelled or its request gets a nak, those behind move up; if they have
 * other sizes, what is answered ends short in the middle, or is babble.
 */
void walk_misfit(WalkEndpoint *wep)
{
    wep->unsure |= wep->in && !wep->size;
}

/* Time */

int64_t walk_now(Walk *w)
{
    return qtest_clock_step(w->rig->qts, 1);
}

void walk_steps(Walk *w, unsigned frames)
{
    while (frames--) {
        rig_step(w->rig);
        walk_guest_reap(w);
    }
}

/* Answer everything, until nothing is left. */
static void drain(Walk *w)
{
    int64_t end = g_get_monotonic_time() +
                  PEER_DEADLINE_S * G_TIME_SPAN_SECOND;
    unsigned frames = 0;

    do {
        walk_peer_answer_all(w);
        walk_guest_recover(w);
        walk_steps(w, 1);
        if (frames++ > SETTLE_FRAMES && g_get_monotonic_time() > end) {
            walk_fail(w, "what is in flight does not end: %u requests with "
                      "the peer (limits: %u in all, %u on an endpoint, "
                      "%u bytes), %" PRIu64 " in QEMU; the guest waits for%s",
                      g_queue_get_length(&w->requests),
                      w->limits.max_requests, w->limits.max_per_endpoint,
                      w->limits.max_bytes,
                      rig_qom_number(w->rig, "in-flight"),
                      walk_guest_quiet(w) ? " nothing"
                                          : walk_guest_pending(w));
        }
    } while (!walk_guest_quiet(w) || !g_queue_is_empty(&w->requests) ||
             rig_qom_number(w->rig, "in-flight"));
}

/* Half of the time all transfers of an endpoint have the same size. */
static void any_regime(Walk *w, WalkEndpoint *wep)
{
    wep->loose = wep->next;
    wep->unsure = false;
    wep->size = walk_chance(w, 50) ? 1 + walk_below(w, 4) : 0;
    memset(wep->faults, 0, sizeof(wep->faults));
}

/* A device that can be used, with nothing in flight */
void walk_settle(Walk *w)
{
    unsigned i;

    while (!w->fresh || w->stopped || w->rig->peer->deaf) {
        if (!walk_hear(w) && !walk_cont(w) && !walk_come_back(w)) {
            walk_steps(w, 1);
        }
        walk_peer_tick(w);
    }
    drain(w);
    for (i = 0; i < WALK_ENDPOINTS; i++) {
        any_regime(w, &w->eps[i]);
    }
}

/* The walk */

static void walk_one(Walk *w)
{
    Event *e = &history[++w->step % WALK_HISTORY];

    do {
        memset(e, 0, sizeof(*e));
        e->step = w->step;
        e->action = draw(w);
    } while (!actions[e->action].run(w));
    counts[e->action]++;
    walk_steps(w, walk_below(w, 2));
    walk_peer_tick(w);
    walk_guest_reap(w);
}

static bool goes_on(Walk *w, int64_t end, unsigned steps)
{
    return end ? g_get_monotonic_time() < end : w->step < steps;
}

static void walk_all(Walk *w)
{
    unsigned seconds = rig_setting("USB_REMOTE_WALK_SECONDS", 0);
    unsigned steps = rig_setting("USB_REMOTE_WALK_STEPS", STEPS);
    int64_t end = seconds ? g_get_monotonic_time() +
                            seconds * G_TIME_SPAN_SECOND : 0;
    unsigned warm = seconds ? STEPS / 4 : steps / 4;
    size_t before = 0;
    ssize_t growth;

    while (goes_on(w, end, steps)) {
        walk_one(w);
        if (w->step % SETTLE_EVERY == 0) {
            walk_settle(w);
        }
        if (!before && w->step >= warm) {
            walk_settle(w);
            before = rig_rss(w->rig);
        }
    }
    walk_settle(w);
    growth = before ? rig_rss(w->rig) - before : 0;
    g_test_message("QEMU has grown by %zd KiB since step %u", growth / 1024,
                   warm);
    if (growth > GROWTH) {
        walk_fail(w, "QEMU has grown by %zd KiB since step %u",
                  growth / 1024, warm);
    }
}

/* Guest memory that is touched counts as QEMU's: touch all of it first. */
static void touch_guest_memory(Walk *w)
{
    usbhc_release(w->rig->hc, usbhc_alloc(w->rig->hc, GUEST_RAM));
}

static Walk *walk_new(const UsbHcDriver *drv)
{
    static const char *const names[WALK_ENDPOINTS] = {
        "control OUT", "control IN", "interrupt OUT", "interrupt IN",
        "bulk OUT", "bulk IN"
    };
    static const uint8_t addresses[WALK_ENDPOINTS] = {
        0, 0x80, PEER_INT_OUT, PEER_INT_IN, PEER_BULK_OUT, PEER_BULK_IN
    };
    Walk *w = g_new0(Walk, 1);
    unsigned i;

    for (i = 0; i < WALK_ENDPOINTS; i++) {
        w->eps[i].name = names[i];
        w->eps[i].address = addresses[i];
        w->eps[i].in = addresses[i] & 0x80;
    }
    w->seed = rig_seed();
    w->rand = g_rand_new_with_seed(w->seed);
    w->rig = rig_new(drv, NULL);
    w->rig->hc->linger = WALK_LINGER;
    w->rig->peer->auto_cancel = false;
    w->rig->peer->hook = walk_peer_hook;
    w->rig->peer->hook_opaque = w;
    w->present = true;
    memset(history, 0, sizeof(history));
    memset(counts, 0, sizeof(counts));
    walking = w;
    return w;
}

static void walk_free(Walk *w)
{
    unsigned i, j;

    walking = NULL;
    walk_guest_gone(w);
    walk_peer_forget(w);
    w->rig->peer->hook = NULL;
    for (i = 0; i < WALK_ENDPOINTS; i++) {
        for (j = 0; j < WALK_ITEMS; j++) {
            g_free(w->eps[i].items[j].data);
        }
    }
    rig_free(w->rig);
    g_rand_free(w->rand);
    g_free(w);
}

/* One line for people and for "make fuzz" */
static void report(Walk *w)
{
    g_autoptr(GString) line = g_string_new("");
    unsigned i;

    g_string_printf(line, "random walk, %s: %u steps, seed %u:",
                    w->rig->drv->name, w->step, w->seed);
    for (i = 0; i < G_N_ELEMENTS(actions); i++) {
        g_string_append_printf(line, " %s %u", actions[i].name, counts[i]);
    }
    g_test_message("%s", line->str);
}

static void walk_leaves_nothing_behind(const void *opaque)
{
    const struct sigaction trap = { .sa_handler = abort_after_trap };
    struct sigaction before;
    Walk *w = walk_new(opaque);
    unsigned fds;

    g_test_message("random walk, %s: QTEST_SEED=%u", w->rig->drv->name,
                   w->seed);
    qtest_add_abrt_handler(tell_before_abort, w);
    sigaction(SIGTRAP, &trap, &before);
    touch_guest_memory(w);
    walk_settle(w);
    fds = rig_fds(w->rig);
    walk_all(w);
    if (rig_fds(w->rig) != fds) {
        walk_fail(w, "%u fds are open, %u were at the start",
                  rig_fds(w->rig), fds);
    }
    report(w);
    qtest_remove_abrt_handler(w);
    sigaction(SIGTRAP, &before, NULL);
    walk_free(w);
}

void usb_remote_walk_add(void)
{
    rig_add_all("random-walk-leaves-nothing-behind",
                walk_leaves_nothing_behind);
}
