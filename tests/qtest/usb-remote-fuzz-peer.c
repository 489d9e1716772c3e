/* Invariant: no bytes of a peer's kill, hang or spoil QEMU; it survives. */
/*
 * usb-remote cases: a peer that sends anything
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A good peer is plugged in, which shows that the program before left nothing
 * behind.  While the guest has transfers of all kinds in flight it goes mad:
 * answers of any status, length and table, once or twice or for nothing,
 * events of any age, and all of these with bytes changed, cut short, in
 * pieces, or over and over.  What a reader without state finds wrong in what
 * was sent must have ended the connection with an ERROR.
 */

#include "qemu/osdep.h"
#include "usb-remote-fuzz.h"

#define OUT_MAX     (256 * 1024)        /* not sent yet */
#define PIECES_MAX  400                 /* when it is sent byte by byte */

/* What is wrong with what was sent */
enum {
    GOOD = 0,                           /* else USB_REMOTE_ERROR_* */
    GOOD_BYE = -1,                      /* it said that it would go */
    STRANGER = -2,                      /* not this protocol */
};

/* The oracle: what a reader without state has to say */

static int judge_message(Fuzz *f, const uint8_t *at, size_t left, bool open)
{
    UsbRemoteLimits own = usb_remote_default_limits();
    UsbRemoteHead h = usb_remote_get_header(at);
    const uint8_t *body = at + sizeof(UsbRemoteHeader);
    bool skip;
    int code = usb_remote_check_header(&h, USB_REMOTE_FROM_PEER,
                                       &f->limits, &skip);

    if (skip && !open) {
        return USB_REMOTE_ERROR_UNEXPECTED;
    }
    if (code || skip || left - sizeof(UsbRemoteHeader) < h.length) {
        return code;
    }
    code = usb_remote_check_body(&h, body, &f->limits);
    if (code) {
        return code;
    }
    switch (h.type) {
    case USB_REMOTE_MSG_BYE:
    case USB_REMOTE_MSG_ERROR:
        return GOOD_BYE;
    case USB_REMOTE_MSG_HELLO:
        f->limits = usb_remote_join_limits(&own, (const void *)body);
        return open ? USB_REMOTE_ERROR_UNEXPECTED : GOOD;
    default:
        return open ? GOOD : USB_REMOTE_ERROR_UNEXPECTED;
    }
}

static int judge_preamble(const uint8_t *at, size_t left)
{
    if (!usb_remote_magic_ok(at, left)) {
        return STRANGER;
    }
    return left < sizeof(UsbRemotePreamble) ||
           usb_remote_version_ok((const void *)at)
           ? GOOD : USB_REMOTE_ERROR_VERSION;
}

static int judge(Fuzz *f)
{
    const uint8_t *at = f->sent->data;
    size_t left = f->sent->len;
    bool open = !f->handshake;
    int code = GOOD;

    if (f->handshake) {
        f->limits = usb_remote_default_limits();
        code = judge_preamble(at, left);
        at += MIN(left, sizeof(UsbRemotePreamble));
        left -= MIN(left, sizeof(UsbRemotePreamble));
    }
    while (code == GOOD && left >= sizeof(UsbRemoteHeader)) {
        uint64_t size = sizeof(UsbRemoteHeader) +
                        (uint64_t)usb_remote_get_header(at).length;

        code = judge_message(f, at, left, open);
        open = true;
        at += MIN(left, size);
        left -= MIN(left, size);
    }
    return code;
}

/* Sending */

static void send_all(Fuzz *f)
{
    static const unsigned pieces[] = { OUT_MAX, 1, 7, 24, 4096 };
    unsigned piece = pieces[fuzz_pick(f, G_N_ELEMENTS(pieces))];
    g_autoptr(GByteArray) bytes = f->out;
    Peer *peer = f->rig->peer;
    size_t at = 0;
    int64_t end = g_get_monotonic_time() +
                  PEER_DEADLINE_S * G_TIME_SPAN_SECOND;

    f->out = peer->held = g_byte_array_new();
    piece = MAX(piece, bytes->len / PIECES_MAX);
    while (at < bytes->len && !peer->eof) {
        size_t n = peer_try_send(peer, bytes->data + at,
                                 MIN(piece, bytes->len - at));

        at += n;
        if (at < bytes->len) {
            g_assert_cmpint(g_get_monotonic_time(), <, end);
            rig_step(f->rig);
        }
    }
    g_byte_array_append(f->sent, bytes->data, at);
}

static void step(Fuzz *f)
{
    unsigned n = fuzz_pick(f, 4) + 1;

    while (n--) {
        rig_step(f->rig);
    }
}

/* Messages; they are collected in f->out */

static PeerMessage *some_submit(Fuzz *f)
{
    unsigned index = fuzz_pick(f, 4);
    PeerMessage *m, *found = NULL;
    unsigned n = peer_queued(f->rig->peer, USB_REMOTE_MSG_SUBMIT);

    /* Take out all, put back all but the one. */
    while (n--) {
        m = peer_take(f->rig->peer, USB_REMOTE_MSG_SUBMIT);
        if (!found && (index-- == 0 || n == 0)) {
            found = m;
        } else {
            g_queue_push_tail(&f->rig->peer->messages, m);
        }
    }
    return found;
}

static int draw_table(Fuzz *f, UsbRemoteEndpoint *table)
{
    int i, n = fuzz_pick(f, 8);

    memset(table, 0, 3 * sizeof(*table));
    for (i = 0; i < MIN(n, 3); i++) {
        table[i].address[0] = fuzz_pick(f, 256) & 0x83;
        table[i].type[0] = fuzz_pick(f, 4);
        usb_remote_put16(table[i].max_packet, 8u << fuzz_pick(f, 9));
        table[i].interval[0] = fuzz_pick(f, 18);
    }
    return n > 3 ? -1 : n;
}

static uint32_t draw_length(Fuzz *f, uint32_t asked)
{
    const uint32_t lengths[] = {
        asked, asked, 0, asked - 1, asked + 1, asked / 2, asked + 70000
    };

    return lengths[fuzz_pick(f, G_N_ELEMENTS(lengths))];
}

static bool is_in(const PeerMessage *m)
{
    return usb_remote_submit_is_in(peer_submit(m));
}

static void answer(Fuzz *f)
{
    static uint8_t data[OUT_MAX];
    PeerMessage *m = some_submit(f);
    uint8_t status = fuzz_pick(f, 16);
    UsbRemoteEndpoint table[3];
    uint32_t length;
    bool with_data;
    int n;

    if (!m) {
        return;
    }
    length = status < 8 ? draw_length(f, peer_submit_length(m))
                        : peer_submit_length(m);
    with_data = is_in(m) == (fuzz_pick(f, 8) != 0) && length < sizeof(data);
    n = status < 12 ? draw_table(f, table) : -1;
    peer_send_complete(f->rig->peer, &m->head, status < 8 ? status : 0,
                       with_data ? data : NULL, length, table, n);
    f->answered = m->head;
    peer_message_free(m);
}

/* As the device asks to be answered */
static void answer_well(Fuzz *f)
{
    g_autofree uint8_t *data = NULL;
    PeerMessage *m = some_submit(f);

    if (m) {
        data = is_in(m) ? g_malloc0(peer_submit_length(m)) : NULL;
        f->answered = m->head;
        peer_answer_ok(f->rig->peer, m, data, peer_submit_length(m));
    }
}

static void answer_again(Fuzz *f)
{
    peer_send_complete(f->rig->peer, &f->answered, fuzz_pick(f, 8), NULL, 0,
                       NULL, -1);
}

static void nak(Fuzz *f)
{
    PeerMessage *m = some_submit(f);

    if (m) {
        peer_answer(f->rig->peer, m, USB_REMOTE_STATUS_NAK);
    }
}

static void ready(Fuzz *f)
{
    static const uint8_t endpoints[] = {
        PEER_INT_IN, PEER_BULK_IN, PEER_BULK_OUT, PEER_INT_OUT, 0, 0x80, 0x70
    };

    peer_send_ready(f->rig->peer,
                    endpoints[fuzz_pick(f, G_N_ELEMENTS(endpoints))]);
}

static void wake_up(Fuzz *f)
{
    peer_send_wakeup(f->rig->peer);
}

static void detach(Fuzz *f)
{
    peer_send_detach(f->rig->peer);
}

static void attach(Fuzz *f)
{
    static const uint32_t gaps[] = { 0, 1, 200, 60000, 60001 };
    UsbRemoteEndpoint table[3];
    int n = draw_table(f, table);
    uint8_t speeds = fuzz_pick(f, 17);
    uint8_t policy = fuzz_pick(f, 5);
    uint32_t gap = gaps[fuzz_pick(f, G_N_ELEMENTS(gaps))];

    peer_send_attach(f->rig->peer, speeds ?: 0xf, policy, gap,
                     n < 0 ? NULL : table, MAX(n, 0));
}

/* Its fixed part is zero, and it may be of any length. */
static void message(Fuzz *f)
{
    static const uint8_t zero[300];
    static const uint16_t types[] = {
        USB_REMOTE_MSG_HELLO, USB_REMOTE_MSG_ERROR, USB_REMOTE_MSG_BYE,
        USB_REMOTE_MSG_ATTACHED, USB_REMOTE_MSG_SUBMIT, USB_REMOTE_MSG_CANCEL,
        USB_REMOTE_RANGE_ISO_FIRST, USB_REMOTE_RANGE_PRIVATE_FIRST, 0
    };
    uint16_t type = types[fuzz_pick(f, G_N_ELEMENTS(types))];
    const UsbRemoteMessageInfo *info = usb_remote_message(type);
    size_t size = fuzz_pick(f, 4) == 0 ? fuzz_pick(f, 256)
                                       : info ? info->fixed : 0;
    UsbRemoteHead h = {
        .type = type, .length = size, .flags = fuzz_pick(f, 2),
        .attachment = f->rig->peer->attachment, .epoch = f->rig->peer->epoch,
    };

    peer_send_head(f->rig->peer, &h, zero, size, NULL, 0);
}

/* From here on the peer is behind or ahead of its time. */
static void shift(Fuzz *f)
{
    Peer *peer = f->rig->peer;
    int by = fuzz_pick(f, 3) - 1;

    if (fuzz_pick(f, 2)) {
        peer->epoch += by;
    } else {
        peer->attachment += by;
    }
}

/* What is done to the messages */

static void garbage(Fuzz *f)
{
    unsigned n = fuzz_pick(f, 64);

    while (n--) {
        uint8_t byte = fuzz_pick(f, 256);

        g_byte_array_append(f->out, &byte, 1);
    }
}

static unsigned place(Fuzz *f)
{
    unsigned at = fuzz_pick(f, 256) | fuzz_pick(f, 4) << 8;

    return f->out->len ? at % f->out->len : 0;
}

static void flip(Fuzz *f)
{
    unsigned at = place(f);
    uint8_t bits = fuzz_pick(f, 256);

    if (f->out->len) {
        f->out->data[at] ^= bits;
    }
}

static void truncate_out(Fuzz *f)
{
    g_byte_array_set_size(f->out, place(f));
}

static void repeat(Fuzz *f)
{
    unsigned n = 1u << fuzz_pick(f, 8);
    guint size = f->out->len;
    g_autofree uint8_t *once = g_memdup2(f->out->data, size);

    while (n-- && f->out->len + size <= OUT_MAX) {
        g_byte_array_append(f->out, once, size);
    }
}

static void habits(Fuzz *f)
{
    Peer *peer = f->rig->peer;
    unsigned bits = fuzz_pick(f, 8);

    peer->auto_control = !(bits & 1);
    peer->auto_cancel = !(bits & 2);
}

/* Programs */

enum {
    SEND, STEP, TRANSFER, CONTROL, CANCEL, RECOVER, BUS_RESET, VM, ANSWER,
    ANSWER_WELL, ANSWER_AGAIN, NAK, READY, WAKEUP, DETACH, ATTACH, MESSAGE,
    SHIFT, GARBAGE, FLIP, TRUNCATE, REPEAT, HABITS, ACTIONS
};

static void (*const actions[ACTIONS])(Fuzz *f) = {
    [SEND] = send_all,
    [STEP] = step,
    [TRANSFER] = fuzz_transfer,
    [CONTROL] = fuzz_control,
    [CANCEL] = fuzz_cancel,
    [RECOVER] = fuzz_recover,
    [BUS_RESET] = fuzz_bus_reset,
    [VM] = fuzz_stop_or_cont,
    [ANSWER] = answer,
    [ANSWER_WELL] = answer_well,
    [ANSWER_AGAIN] = answer_again,
    [NAK] = nak,
    [READY] = ready,
    [WAKEUP] = wake_up,
    [DETACH] = detach,
    [ATTACH] = attach,
    [MESSAGE] = message,
    [SHIFT] = shift,
    [GARBAGE] = garbage,
    [FLIP] = flip,
    [TRUNCATE] = truncate_out,
    [REPEAT] = repeat,
    [HABITS] = habits,
};

enum { PLUGGED, HANDSHAKE = 7, STARTS };

static void start(Fuzz *f)
{
    static const char name[] = "fuzz";
    Peer *peer = f->rig->peer;
    UsbRemoteHello hello = peer_hello();
    UsbRemoteHead h = {
        .type = USB_REMOTE_MSG_HELLO, .length = sizeof(hello) + 4,
    };

    f->handshake = fuzz_pick(f, STARTS) == HANDSHAKE;
    if (!f->handshake) {
        fuzz_plug(f);
        peer->held = f->out;
        return;
    }
    peer_connect(peer, f->rig->path);
    peer->raw = true;
    peer->held = f->out;
    peer_send_preamble(peer, USB_REMOTE_MAJOR, USB_REMOTE_MINOR);
    usb_remote_put16(hello.name_length, 4);
    peer_send_head(peer, &h, &hello, sizeof(hello), name, 4);
}

/* A violation was answered with ERROR, and ended the connection. */
static void check(Fuzz *f)
{
    Peer *peer = f->rig->peer;
    int code = judge(f);

    if (code != GOOD) {
        peer_expect_eof(peer);
        if (code > GOOD && !f->handshake) {
            g_assert_true(peer_has(peer, USB_REMOTE_MSG_ERROR));
        }
    }
}

static void run(Fuzz *f)
{
    unsigned i;

    g_byte_array_set_size(f->out, 0);
    g_byte_array_set_size(f->sent, 0);
    memset(&f->answered, 0, sizeof(f->answered));
    start(f);
    while (!fuzz_over(f) && !f->rig->peer->eof) {
        actions[fuzz_pick(f, ACTIONS)](f);
    }
    send_all(f);
    if (f->stopped) {
        fuzz_stop_or_cont(f);
    }
    for (i = 0; i < 3; i++) {
        rig_step(f->rig);
    }
    check(f);
    fuzz_unplug(f);
}

#define BULK_IN     2
#define BULK_OUT    3
#define P(...)      { (const uint8_t []) { __VA_ARGS__ }, \
                      sizeof((const uint8_t []) { __VA_ARGS__ }) }

/* The first three are the start, the limits and the speed. */
static const FuzzProgram corpus[] = {
    /* nothing, and a good handshake alone */
    P(PLUGGED),
    P(HANDSHAKE),
    P(HANDSHAKE, SEND, 1, STEP, 3),
    P(HANDSHAKE, FLIP, 3, 0, 1, SEND, 0),
    P(HANDSHAKE, FLIP, 8, 0, 1, SEND, 0),
    P(HANDSHAKE, FLIP, 43, 0, 255, SEND, 0),
    P(HANDSHAKE, REPEAT, 0, SEND, 0),
    /* all kinds of transfers, answered as they should be */
    P(PLUGGED, 0, 7, TRANSFER, 0, 6, TRANSFER, 1, 6, TRANSFER, BULK_IN, 11,
      TRANSFER, BULK_OUT, 11, CONTROL, 12, STEP, 3, ANSWER_WELL, 0, SEND, 0,
      STEP, 3, ANSWER_WELL, 0, ANSWER_WELL, 0, SEND, 2, STEP, 3),
    P(PLUGGED, 1, 1, TRANSFER, BULK_OUT, 14, STEP, 3, ANSWER_WELL, 0, SEND, 0,
      STEP, 3, ANSWER_WELL, 0, SEND, 0, STEP, 3),
    P(PLUGGED, 1, 7, TRANSFER, BULK_IN, 14, TRANSFER, BULK_IN, 13, STEP, 3,
      ANSWER_WELL, 0, SEND, 0, STEP, 3, ANSWER, 0, 0, 5, 0, 4, SEND, 0),
    /* nak, READY; a table with SET_CONFIGURATION */
    P(PLUGGED, 0, 7, TRANSFER, BULK_OUT, 6, STEP, 3, NAK, 0, SEND, 0, STEP, 3,
      READY, 2, SEND, 0, STEP, 3, ANSWER_WELL, 0),
    P(PLUGGED, 0, 7, TRANSFER, 0, 6, STEP, 3, NAK, 0, READY, 0, SEND, 0,
      STEP, 3),
    P(PLUGGED, 0, 7, HABITS, 1, TRANSFER, BULK_IN, 6, CONTROL, 3, STEP, 3,
      ANSWER, 1, 8, 0, 2, 129, 3, 3, 1, 2, 2, 6, 1, SEND, 0, STEP, 3),
    P(PLUGGED, 0, 7, CONTROL, 5, CONTROL, 6, CONTROL, 8, CONTROL, 2, STEP, 3,
      SEND, 0, STEP, 3),
    /* answers that do not fit */
    P(PLUGGED, 0, 7, TRANSFER, BULK_IN, 6, STEP, 3, ANSWER, 0, 0, 6, 1, 4,
      SEND, 3),
    P(PLUGGED, 0, 7, TRANSFER, BULK_OUT, 6, STEP, 3, ANSWER, 0, 0, 4, 1, 4),
    P(PLUGGED, 0, 7, TRANSFER, BULK_IN, 6, STEP, 3, ANSWER_WELL, 0,
      ANSWER_AGAIN, 0, SEND, 0),
    /* cancelling, and an answer that comes after it */
    P(PLUGGED, 0, 7, TRANSFER, BULK_OUT, 9, TRANSFER, BULK_OUT, 9, STEP, 3,
      CANCEL, 0, STEP, 3, ANSWER_WELL, 0, SEND, 0, STEP, 3),
    P(PLUGGED, 0, 7, TRANSFER, BULK_IN, 9, TRANSFER, BULK_IN, 9, STEP, 3,
      CANCEL, 1, ANSWER_WELL, 0, SEND, 0, STEP, 3),
    /* halts, bus resets, a stopped machine */
    P(PLUGGED, 0, 7, TRANSFER, BULK_IN, 9, TRANSFER, BULK_IN, 9, STEP, 3,
      ANSWER, 0, 1, 0, 1, 4, SEND, 0, STEP, 3, RECOVER, STEP, 3),
    P(PLUGGED, 0, 7, TRANSFER, BULK_IN, 9, STEP, 3, BUS_RESET, ANSWER_WELL, 0,
      SEND, 0, STEP, 3),
    P(PLUGGED, 0, 7, TRANSFER, BULK_IN, 9, STEP, 3, VM, ANSWER_WELL, 0, DETACH,
      SEND, 0, STEP, 3, VM, STEP, 3),
    /* life */
    P(PLUGGED, 0, 7, DETACH, ATTACH, 1, 129, 2, 3, 1, 15, 0, 0, SEND, 0,
      STEP, 3, WAKEUP, SEND, 0, STEP, 3),
    P(PLUGGED, 0, 7, ATTACH, 7, 15, 0, 3, SEND, 0, STEP, 3, DETACH, SEND, 0),
    P(PLUGGED, 0, 7, SHIFT, 0, 1, READY, 2, SEND, 0),
    P(PLUGGED, 0, 7, MESSAGE, 1, 1, SEND, 0),
    P(PLUGGED, 0, 7, MESSAGE, 7, 0, 200, 1, REPEAT, 7, SEND, 0, STEP, 3),
    /* floods, garbage, half a message */
    P(PLUGGED, 0, 7, WAKEUP, READY, 1, REPEAT, 7, SEND, 4, STEP, 3),
    P(PLUGGED, 0, 7, GARBAGE, 40, 1, 2, 3, 4, 5, 6, 7, 8, SEND, 0),
    P(PLUGGED, 0, 7, WAKEUP, TRUNCATE, 20, 0, SEND, 0, STEP, 3),
};

static const Fuzzer fuzzer = {
    .name = "peer-sends-anything",
    .corpus = corpus,
    .corpus_size = G_N_ELEMENTS(corpus),
    .runs = 100,
    .run = run,
};

static void peer_sends_anything(const void *drv)
{
    fuzz_case(drv, &fuzzer);
}

void usb_remote_fuzz_peer_add(void)
{
    rig_add_all(fuzzer.name, peer_sends_anything);
}
