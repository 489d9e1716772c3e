/*
 * USB device whose other end is a program: internal interfaces
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Who calls whom:
 *
 *   USB core --> dev-remote.c            life, bus events, properties
 *                     |
 *                dev-remote-packet.c     packets answered ASYNC
 *                dev-remote-poll.c       packets answered NAK
 *                     |
 *                dev-remote-request.c    SUBMIT, COMPLETE, CANCEL
 *                dev-remote-table.c      endpoint tables
 *                dev-remote-spare.c      memory for packets and requests
 *                dev-remote-clock.c      the time
 *                dev-remote-log.c        what is said of peers
 *                     |
 *                dev-remote-conn.c       bytes, messages (remote-codec.h)
 *                     |
 *                  chardev
 *
 * A handler of the USB core only records what it was told, but for xHCI's
 * flush_ep_queue, which sends; a message from the peer is only recorded, too.
 * Whatever the guest can see (completing a packet, plugging, unplugging,
 * waking an endpoint) happens in remote_run(), which is entered only from a
 * bottom half, a timer or the end of a chardev read: host controllers do not
 * expect it anywhere else.  It ends with sending what follows from it.
 *
 * docs/usb-remote.rst has the protocol and the table of what becomes of each
 * request in flight.
 */

#ifndef HW_USB_DEV_REMOTE_H
#define HW_USB_DEV_REMOTE_H

#include "chardev/char-fe.h"
#include "hw/usb.h"
#include "qemu/bitmap.h"
#include "qemu/queue.h"
#include "qemu/timer.h"
#include "qom/object.h"
#include "system/runstate.h"
#include "remote-codec.h"

#define TYPE_USB_REMOTE "usb-remote"
OBJECT_DECLARE_SIMPLE_TYPE(USBRemoteState, USB_REMOTE)

/* Endpoint 0, then 1-15 OUT at 1-15 and 1-15 IN at 17-31; 16 is not used. */
#define REMOTE_ENDPOINTS            32
#define REMOTE_ENDPOINT_IN          0x10

/* Places for requests without an answer; more than max_requests and ep0. */
#define REMOTE_SLOTS                512

/* Interface numbers are a byte. */
#define REMOTE_FUNCTIONS            256

/* The most configurations whose descriptors are remembered. */
#define REMOTE_CONFIGS              8

/* Where our clocks start: after any moment that they are asked about. */
#define REMOTE_CLOCK_START          (USB_REMOTE_MAX_GAP_MS * (int64_t)SCALE_MS)
/* A timer that is late by more says that QEMU was not running. */
#define REMOTE_LATE_NS              (50 * SCALE_MS)
/* For so long after that, our clocks stand still. */
#define REMOTE_CATCH_UP_NS          (50 * SCALE_MS)

/* How long an orphan waits for its transfer to come back (virtual time). */
#define REMOTE_ORPHAN_NS            (100 * SCALE_MS)
/* A late peer: for so long it must have been read nothing from, */
#define REMOTE_LOOK_NS              (10 * SCALE_MS)
/* but it cannot win more than this by sending other things (real time). */
#define REMOTE_LAST_WORD_NS         NANOSECONDS_PER_SECOND
/* The least time between a nak and the next SUBMIT (virtual time). */
#define REMOTE_RETRY_NS             SCALE_MS

/*
 * So long a controller may need to hand to the guest what was completed: what
 * UHCI does once in a frame, twice for the last two stages of a control
 * transfer; longer if it is more than fits into a frame, up to the limit.
 */
#define REMOTE_FRAME_NS             SCALE_MS
#define REMOTE_FRAME_BYTES          1280
#define REMOTE_SETTLE_NS            (4 * REMOTE_FRAME_NS)
#define REMOTE_SETTLE_MAX_NS        (20 * REMOTE_FRAME_NS)

/* A controller that polls has given up what it did not poll for so long. */
#define REMOTE_POLL_LOST_NS         NANOSECONDS_PER_SECOND

/* Packets of one endpoint that are kept; the core queues more. */
#define REMOTE_HOLD_MAX             256
/* Bytes by which a long OUT packet is known again between its pieces. */
#define REMOTE_TAIL_MAX             4096

/* Packets, requests and buffers that are kept for later, of each. */
#define REMOTE_SPARE_MAX            64

/* Bytes taken from the chardev at a time. */
#define REMOTE_READ_SIZE            131072
/* A message as long as this is not copied if its buffer can go on. */
#define REMOTE_LONG                 4096
/* In the buffer of a request: before it, there is room for a SUBMIT's head. */
#define REMOTE_DATA_AT              (sizeof(UsbRemoteHeader) + \
                                     sizeof(UsbRemoteSubmit))
/* Nothing more is put into the send buffer while this much is unsent. */
#define REMOTE_OUT_HIGH             65536

typedef struct RemoteEndpoint RemoteEndpoint;
typedef struct RemoteRequest RemoteRequest;

typedef enum RemoteRequestState {
    REMOTE_WAITING,     /* NAK mode: polled for, not sent yet */
    REMOTE_SENT,        /* SUBMIT is out, COMPLETE is awaited */
    REMOTE_DONE,        /* answered; the result waits for its packet */
} RemoteRequestState;

/* Memory for a message or for data; who has it gives it to the next. */
typedef struct RemoteBuffer {
    size_t room;
    uint8_t bytes[];
} RemoteBuffer;

/*
 * One SUBMIT and its COMPLETE.  An OUT or control request belongs to one
 * packet and knows it again when the host controller drops it and brings it
 * back.  An IN request belongs to the endpoint: its data is the next part of
 * a stream, and goes to whichever packet is next.
 */
struct RemoteRequest {
    QTAILQ_ENTRY(RemoteRequest) next;   /* in RemoteEndpoint.requests */
    RemoteEndpoint *ep;
    RemoteRequestState state;
    uint64_t id;                /* on the wire; 0 until sent */
    uint64_t hcd_id;            /* USBPacket.id; it may come back with it */
    size_t size;                /* of the whole packet */
    size_t done;                /* bytes of the packet before this piece */
    uint32_t length;            /* bytes of this piece */
    uint8_t setup[8];
    RemoteBuffer *buffer;
    uint8_t *data;              /* in buffer, behind the head of a message, */
                                /* or NULL if it has nothing: */
                                /* OUT: what was sent; IN: what came */
    uint32_t actual;            /* answered length, at most length */
    uint32_t taken;             /* IN: bytes of data given to packets */
    int status;                 /* USB_RET_* */
    bool orphan;                /* OUT, control: its packet was cancelled */
    bool cancel;                /* CANCEL is to be sent */
    bool cancel_sent;
    bool discard;               /* the answer is of no use to anybody */
    bool retry;                 /* asked before */
    int64_t answer_by;          /* real ns: when CANCEL must be answered */
    bool stands_in;             /* never sent: see remote_leave_progress() */
    uint32_t tail_length;       /* with it: bytes before `done` to compare */
    uint32_t tail_crc;
    bool more;                  /* the packet goes on after this piece */
    bool short_not_ok;
    bool have_table;            /* the answer overrides the endpoints */
    uint8_t endpoint_count;
    UsbRemoteEndpoint *table;
};

/* One USBPacket that was answered ASYNC. */
typedef struct RemotePacket {
    QTAILQ_ENTRY(RemotePacket) next;    /* in RemoteEndpoint.packets */
    USBPacket *packet;
    size_t progress;            /* bytes done by earlier pieces */
    uint32_t tail_length;       /* OUT: the last of these, */
    uint32_t tail_crc;          /* to know the packet again */
    RemoteRequest *request;     /* OUT and control: its own */
    int status;                 /* USB_RET_ASYNC, or how it has to end */
    bool retry;                 /* OUT and control: it was asked before */
    bool silent;                /* never answered: SET_ADDRESS policy */
} RemotePacket;

/*
 * NAK mode: why the controller was last told NAK.  It keeps that packet, and
 * on xHCI tries it again only when it is told to.  So there are two ways
 * out: the packet is given an answer, or the endpoint gets REMOTE_POLL_AGAIN
 * from whatever ends the reason (remote_poll_again()).
 */
typedef enum RemotePollState {
    REMOTE_POLL_NONE,           /* answered, or the controller asks by itself */
    REMOTE_POLL_ASKED,          /* the peer has to answer a request */
    REMOTE_POLL_BACKOFF,        /* it answered nak: until READY or retry_at */
    REMOTE_POLL_STARVED,        /* there is no credit */
    REMOTE_POLL_GONE,           /* nobody: the unplug ends the packet */
    REMOTE_POLL_AGAIN,          /* the controller is to be told to try again */
} RemotePollState;

struct RemoteEndpoint {
    uint8_t address;            /* bEndpointAddress; 0 for control */
    uint8_t type;               /* USB_ENDPOINT_XFER_* */
    uint8_t interval;           /* bInterval */
    uint16_t max_packet;        /* bytes of one packet, without multipliers */
    RemotePollState poll;
    bool retry;                 /* the packet retry_id was asked before */
    uint64_t retry_id;
    uint64_t partial_id;        /* IN: a packet cancelled between pieces, */
    size_t partial_size;        /* its size, 0 if there is none, */
    size_t partial_progress;    /* and how much of it is done */
    QTAILQ_HEAD(, RemotePacket) packets;    /* as the guest queued them */
    QTAILQ_HEAD(, RemoteRequest) requests;  /* as they were sent */
    unsigned n_packets;
    RemotePacket *asked;        /* all up to it have a request; NULL: none */
    unsigned n_asked;           /* IN: and that is how many they are */
    unsigned n_live;            /* requests without those to be discarded */
    unsigned n_orphans;
    bool cancel_due;            /* a CANCEL may have to be sent */
    unsigned n_sent;            /* requests not answered yet */
    unsigned n_cancelled;       /* of these, those with CANCEL sent */
    int64_t polled_at;          /* virtual ns, of the last poll for OUT or */
                                /* control; 0: there are no more of them */
    int64_t retry_at;           /* virtual ns; 0: no nak to repeat */
    int64_t orphan_at;          /* virtual ns; 0: no orphan */
};

typedef enum RemoteConnState {
    REMOTE_CLOSED,
    REMOTE_PREAMBLE,            /* nothing of the peer's was judged yet */
    REMOTE_HELLO,               /* its preamble was right */
    REMOTE_OPEN,                /* its HELLO was right */
    REMOTE_DEAD,                /* to be disconnected, reads nothing */
} RemoteConnState;

/* Messages that are due; each is sent once however often it was caused. */
enum {
    REMOTE_DUE_DETACHED         = 1 << 0,
    REMOTE_DUE_ATTACHED         = 1 << 1,
    REMOTE_DUE_RESET            = 1 << 2,
    REMOTE_DUE_VMSTATE          = 1 << 3,
    REMOTE_DUE_ADDRESS          = 1 << 4,
};

/* A clock of QEMU's without its jumps, and a timer of it */
typedef struct RemoteClock {
    QEMUClockType type;
    QEMUTimer *timer;
    QEMUTimerCB *fired;
    void *opaque;
    int64_t now;                /* ns, when QEMU's clock showed `seen` */
    int64_t seen;               /* ns, of QEMU's clock; ahead: catching up */
    int64_t due;                /* when the timer has to fire, or INT64_MAX */
    bool away;                  /* the timer was late the last time */
} RemoteClock;

/*
 * ATTACHED as it was decided: until there is room for it, the device may have
 * become another one.
 */
typedef struct RemoteAttached {
    uint32_t number;
    uint32_t epoch;
    bool after_reset;           /* RESET to this epoch has to come before */
    uint8_t result;             /* USB_REMOTE_ATTACHED_* */
    uint8_t speed;
    char *reason;               /* why not, or NULL */
} RemoteAttached;

typedef struct RemoteConn {
    RemoteConnState state;
    uint32_t generation;        /* changes with every open and close */
    UsbRemoteLimits limits;     /* in force */
    uint8_t head[sizeof(UsbRemoteHeader)];  /* or the preamble */
    RemoteBuffer *in;           /* what follows it, while it arrives */
    size_t in_have;             /* bytes of both */
    size_t in_skip;             /* bytes of an unknown message to drop */
    GByteArray *out;            /* send buffer */
    size_t out_done;            /* bytes of it that are gone */
    RemoteRequest *direct;      /* whose SUBMIT is sent from its buffer */
    guint watch;
    QEMUTimer *write_timer;     /* where a watch cannot be had */
    RemoteClock clock;          /* real; fires when the peer may be late */
    int64_t hello_by;           /* real ns, or INT64_MAX */
    int64_t read_at;            /* real ns: when the peer was last heard of */
    int64_t looked_at;          /* real ns: when it was found late, or 0 */
    unsigned due;               /* REMOTE_DUE_* */
    RemoteAttached attached;    /* if it is due */
    uint32_t detached;          /* if DETACHED is due: the number in it */
    char *peer_name;            /* of its HELLO, printable */
    bool spoilt;                /* chardev-change failed under way */
} RemoteConn;

/* Lines about peers, of whom there may be very many */
typedef struct RemoteLog {
    QEMUTimer *timer;           /* pending: since the first line */
    unsigned lines;             /* shown since then */
    uint64_t left_out;
} RemoteLog;

typedef struct RemoteStats {
    uint64_t submits;
    uint64_t completes;
    uint64_t cancels;
    uint64_t stale;             /* answers of an older epoch, ignored */
    uint64_t naks;
    uint64_t adopted;           /* orphans whose transfer came back */
    uint64_t bytes_in;          /* data, from the peer to the guest */
    uint64_t bytes_out;
    uint64_t violations;
} RemoteStats;

/* What the last ATTACH said. */
typedef struct RemoteAttachment {
    uint32_t number;            /* 0 before the first */
    bool wanted;                /* plugged, or to be plugged */
    bool answer_owed;           /* ATTACHED was not decided yet */
    uint8_t speeds;             /* set of USB_SPEED_MASK_* */
    uint8_t address_policy;
    int64_t gap_ns;
    bool have_table;
    uint8_t endpoint_count;
    UsbRemoteEndpoint table[USB_REMOTE_MAX_ENDPOINTS];
} RemoteAttachment;

typedef enum RemotePlugState {
    REMOTE_OUT,                 /* the guest sees no device of ours */
    REMOTE_IN,                  /* it sees what the peer attached */
    REMOTE_LEAVING,             /* until it has what the peer answered last */
    REMOTE_GONE,                /* until the VM runs, and not a moment longer */
} RemotePlugState;

struct USBRemoteState {
    USBDevice parent_obj;

    /* properties */
    CharBackend chr;
    char *select;
    uint32_t peer_timeout;      /* ms of real time, 0: none */
    int32_t bootindex;

    RemoteConn conn;
    RemoteLog log;
    RemoteStats stats;

    QEMUBH *bh;
    RemoteClock clock;          /* virtual; fires at the next deadline */
    VMChangeStateEntry *vmstate;
    bool in_run;

    RemoteAttachment attachment;
    RemotePlugState plug;
    int64_t left_at;            /* virtual ns: LEAVING since then */
    int64_t settled_at;         /* virtual ns: see remote_settle() */
    bool stages;                /* the guest has stages of a control transfer */
                                /* to go that the peer has answered */
    uint32_t epoch;
    int64_t detached_at;        /* virtual ns; 0: before all time */
    uint8_t address;            /* last SET_ADDRESS, for ADDRESS */
    bool detach_owed;           /* DETACHED follows when it is unplugged */
    uint32_t detached_number;   /* for it */
    bool remote_wakeup_due;
    bool wakeup_enabled;        /* DEVICE_REMOTE_WAKEUP */
    DECLARE_BITMAP(function_wakeup, REMOTE_FUNCTIONS);  /* by interface */

    GPtrArray *spare_requests;
    GPtrArray *spare_packets;
    GPtrArray *spare_little;    /* buffers, all of one size */
    GPtrArray *spare_buffers;   /* larger ones */
    uint64_t buffer_bytes;      /* of all buffers, spare ones too */

    RemoteEndpoint eps[REMOTE_ENDPOINTS];
    RemoteRequest *slots[REMOTE_SLOTS];
    uint32_t n_in_flight;       /* requests with credit and no answer */
    uint32_t next_slot;
    uint64_t next_id;
    uint64_t bytes;             /* data bytes in flight or kept */
    bool starved;               /* so is one of the endpoints */
    bool credit_freed;          /* starved endpoints can try again */
    unsigned next_ep;           /* round robin of SUBMITs */
    DECLARE_BITMAP(busy, REMOTE_ENDPOINTS);     /* there may be work on it */

    GByteArray *configs[REMOTE_CONFIGS];    /* as seen going by */
    unsigned next_config;
    uint8_t product_index;      /* iProduct, as seen going by */
};

/* Does the guest see a device, and may it have answers of the peer's? */
static inline bool remote_on_bus(USBRemoteState *s)
{
    return s->plug == REMOTE_IN || s->plug == REMOTE_LEAVING;
}

/* dev-remote.c */
const char *remote_name(USBRemoteState *s);
void remote_schedule(USBRemoteState *s);
void remote_run(USBRemoteState *s);
void remote_lost(USBRemoteState *s);
int remote_attach(USBRemoteState *s, uint32_t number,
                  const UsbRemoteAttach *m, const char **why);
int remote_detach(USBRemoteState *s, uint32_t number, const char **why);

/* The speed in force, USB_SPEED_*. */
static inline int remote_speed(USBRemoteState *s)
{
    return usb_device_speed_in_force(&s->parent_obj);
}

/* Does the bus have @flag, one of USB_BUS_*? */
static inline bool remote_bus_has(USBRemoteState *s, uint32_t flag)
{
    return usb_bus_from_device(&s->parent_obj)->flags & flag;
}

/* dev-remote-clock.c */
void remote_clock_init(RemoteClock *c, QEMUClockType type, QEMUTimerCB *fired,
                       void *opaque);
void remote_clock_fini(RemoteClock *c);
int64_t remote_clock_now(RemoteClock *c);
void remote_clock_alarm(RemoteClock *c, int64_t at);

/* Virtual ns, of the clock that all stored moments are of */
static inline int64_t remote_now(USBRemoteState *s)
{
    return remote_clock_now(&s->clock);
}

static inline bool remote_live(void)
{
    return runstate_is_live(runstate_get());
}

/* dev-remote-log.c */
void remote_log_init(USBRemoteState *s);
void remote_log_fini(USBRemoteState *s);
void remote_report(USBRemoteState *s, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* dev-remote-conn.c */
void remote_conn_init(USBRemoteState *s);
void remote_conn_start(USBRemoteState *s);
void remote_conn_fini(USBRemoteState *s);
void remote_conn_flush(USBRemoteState *s);
void remote_conn_settle(USBRemoteState *s);
const char *remote_conn_unfit(Chardev *chr);
int64_t remote_conn_patience(USBRemoteState *s);
void remote_conn_expect(USBRemoteState *s, int64_t cancels_by);
void remote_conn_due(USBRemoteState *s, unsigned due);
void remote_conn_attached(USBRemoteState *s, int result, const char *reason);
void remote_conn_detached(USBRemoteState *s, uint32_t number);
void remote_conn_overtaken(USBRemoteState *s);
void remote_violation(USBRemoteState *s, int code, uint16_t type, uint64_t id,
                      const char *fmt, ...) G_GNUC_PRINTF(5, 6);
size_t remote_conn_room(USBRemoteState *s);
void remote_conn_put(USBRemoteState *s, uint16_t type, uint64_t id,
                     const void *fixed, const void *tail, size_t tail_size);
void remote_conn_put_out(USBRemoteState *s, RemoteRequest *r,
                         const UsbRemoteSubmit *m);
bool remote_conn_hand_over(USBRemoteState *s, RemoteRequest *r,
                           const UsbRemoteHead *h);

/* dev-remote-spare.c: memory, so that a transfer needs no allocation */
void remote_spares_init(USBRemoteState *s);
void remote_spares_drop(USBRemoteState *s);
void remote_spares_free(USBRemoteState *s);
RemoteBuffer *remote_spare_buffer(USBRemoteState *s, size_t size);
bool remote_spare_may_be_larger(USBRemoteState *s);
void remote_spare_put_buffer(USBRemoteState *s, RemoteBuffer *b);
RemoteRequest *remote_spare_request(USBRemoteState *s);
uint8_t *remote_request_buffer(USBRemoteState *s, RemoteRequest *r,
                               size_t size);
void remote_spare_put_request(USBRemoteState *s, RemoteRequest *r);
RemotePacket *remote_spare_packet(USBRemoteState *s);
void remote_spare_put_packet(USBRemoteState *s, RemotePacket *rp);

/* dev-remote-request.c: requests, and what the peer answers */
void remote_requests_init(USBRemoteState *s);
bool remote_may_poll(USBRemoteState *s, RemoteEndpoint *ep, uint32_t length);
int64_t remote_piece(USBRemoteState *s, RemoteEndpoint *ep, size_t size);
RemoteRequest *remote_request_new(USBRemoteState *s, RemoteEndpoint *ep,
                                  USBPacket *p, size_t done, uint32_t length,
                                  bool out);
RemoteRequest *remote_control_new(USBRemoteState *s, USBPacket *p);
void remote_request_free(USBRemoteState *s, RemoteRequest *r);
bool remote_request_matches(RemoteRequest *r, USBPacket *p);
size_t remote_control_result(USBRemoteState *s, RemoteRequest *r,
                             USBPacket *p);
void remote_send_submit(USBRemoteState *s, RemoteRequest *r);
void remote_add_progress(RemotePacket *rp, RemoteRequest *r, uint32_t bytes);
void remote_leave_progress(USBRemoteState *s, RemoteEndpoint *ep,
                           RemotePacket *rp);
int64_t remote_interval_ns(USBRemoteState *s, const RemoteEndpoint *ep);
void remote_request_cancel(RemoteRequest *r);
void remote_set_orphan(RemoteRequest *r, bool orphan);
void remote_unask(RemoteEndpoint *ep, RemotePacket *rp);
void remote_send_cancels(USBRemoteState *s, RemoteEndpoint *ep);
void remote_abandon(USBRemoteState *s, RemoteRequest *r);
void remote_drop_requests(USBRemoteState *s, RemoteEndpoint *ep);
void remote_guest_saw(USBRemoteState *s, RemoteEndpoint *ep, int status);
void remote_abort(USBRemoteState *s, int status);
void remote_void_unanswered(USBRemoteState *s);
void remote_complete(USBRemoteState *s, const UsbRemoteHead *h,
                     const UsbRemoteComplete *m);
void remote_ready(USBRemoteState *s, uint8_t address);
void remote_back_off(USBRemoteState *s, RemoteEndpoint *ep, int64_t ns);
void remote_poll_again(USBRemoteState *s, RemoteEndpoint *ep);
int64_t remote_requests_tick(USBRemoteState *s, int64_t now);
int64_t remote_answers_by(USBRemoteState *s);
void remote_answers_renew(USBRemoteState *s);

/* dev-remote-packet.c: packets that are answered ASYNC */
void remote_handle_control(USBRemoteState *s, USBPacket *p);
void remote_handle_data(USBRemoteState *s, USBPacket *p);
void remote_handle_cancel(USBRemoteState *s, USBPacket *p);
void remote_hold(USBRemoteState *s, USBPacket *p, int status, bool silent);
void remote_mark_packets(RemoteEndpoint *ep, int status);
void remote_fail_packets(USBRemoteState *s, RemoteEndpoint *ep, int status);
void remote_match_in(USBRemoteState *s, RemoteEndpoint *ep, unsigned index,
                     size_t size);
int remote_take(USBRemoteState *s, RemoteEndpoint *ep, USBPacket *p,
                size_t *progress);
void remote_fill(USBRemoteState *s);
void remote_deliver_endpoint(USBRemoteState *s, RemoteEndpoint *ep);
void remote_deliver(USBRemoteState *s);
void remote_settle(USBRemoteState *s, USBPacket *p);
int64_t remote_last_words(USBRemoteState *s, int64_t since);

/* dev-remote-poll.c: endpoints in NAK mode */
void remote_poll_in(USBRemoteState *s, RemoteEndpoint *ep, USBPacket *p);
void remote_poll_out(USBRemoteState *s, RemoteEndpoint *ep, USBPacket *p);
void remote_handle_stopped(USBRemoteState *s, USBEndpoint *uep);
int64_t remote_fetch_time(USBRemoteState *s, int64_t since);

static inline RemoteEndpoint *remote_ep(USBRemoteState *s, uint8_t address)
{
    return &s->eps[(address & 0x0f) |
                   (address & USB_DIR_IN ? REMOTE_ENDPOINT_IN : 0)];
}

static inline RemoteEndpoint *remote_packet_ep(USBRemoteState *s, USBPacket *p)
{
    bool in = p->ep->nr && p->pid == USB_TOKEN_IN;

    return remote_ep(s, p->ep->nr | (in ? USB_DIR_IN : 0));
}

/*
 * Do two packets have the same id?  It is the address of a descriptor, on
 * UHCI with the flags of the link that led to it, which need not be the same
 * link again.
 */
static inline bool remote_same_id(uint64_t a, uint64_t b)
{
    return (a & ~0xfull) == (b & ~0xfull);
}

/* From now on @ep has to be looked at. */
static inline void remote_set_busy(USBRemoteState *s, RemoteEndpoint *ep)
{
    set_bit(ep - s->eps, s->busy);
}

/* The number of the first endpoint to be looked at from @i on. */
static inline unsigned remote_next_busy(USBRemoteState *s, unsigned i)
{
    return find_next_bit(s->busy, REMOTE_ENDPOINTS, i);
}

/* Those that become busy meanwhile are included, if @i has not passed them. */
#define REMOTE_FOREACH_BUSY(s, i)                               \
    for ((i) = remote_next_busy(s, 0); (i) < REMOTE_ENDPOINTS;  \
         (i) = remote_next_busy(s, (i) + 1))

/* Which packets were asked for is not known: look from the first on. */
static inline void remote_rewind(RemoteEndpoint *ep)
{
    ep->asked = NULL;
    ep->n_asked = 0;
}

static inline bool remote_is_control(const RemoteEndpoint *ep)
{
    return ep->address == 0;
}

/* NAK mode: its packets are answered NAK, not ASYNC. */
static inline bool remote_is_polled(const RemoteEndpoint *ep)
{
    return ep->type == USB_ENDPOINT_XFER_INT;
}

static inline bool remote_ep_is_in(const RemoteEndpoint *ep)
{
    return ep->address & USB_DIR_IN;
}

/* dev-remote-table.c */
void remote_table_reset(USBRemoteState *s);
void remote_table_forget(USBRemoteState *s);
void remote_table_snoop(USBRemoteState *s, RemoteRequest *r);
bool remote_table_may_override(const uint8_t *setup);

#endif /* HW_USB_DEV_REMOTE_H */
