/*
 * usb-remote's random walk: what its parts share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * usb-remote-walk.c        the table of actions, the walk, the end of it
 * usb-remote-walk-guest.c  what the guest transfers, and what it must see
 * usb-remote-walk-peer.c   what the peer is asked, and what it answers
 * usb-remote-walk-plug.c   plugging, unplugging, resets, stop and cont
 *
 * Both ends check the bytes by themselves.  All data comes in blocks of eight
 * bytes that begin with the number of the item (an OUT transfer, or the
 * answer to an IN request) and the number of the block in it, so that any
 * piece shows where it belongs.
 */

#ifndef USB_REMOTE_WALK_H
#define USB_REMOTE_WALK_H

#include "usb-remote-rig.h"

#define WALK_ITEMS      256             /* numbers are one byte in the data */
#define WALK_DEPTH      16              /* transfers queued on an endpoint */
#define WALK_HISTORY    30              /* actions shown after a failure */
/*
 * QEMU's UHCI completes an answer into a transfer that was taken back and
 * whose memory is in use again, unless its queue is left out for 32 frames
 * (docs/usb-remote.rst, Limits).  The walk stays away from that.
 */
#define WALK_LINGER     40

enum {
    WALK_CONTROL_OUT, WALK_CONTROL_IN, WALK_INT_OUT, WALK_INT_IN,
    WALK_BULK_OUT, WALK_BULK_IN, WALK_ENDPOINTS
};

/* An OUT transfer's data, or an IN request's answer */
typedef struct WalkItem {
    uint32_t count;             /* its number, without wrapping round */
    uint8_t *data;
    uint32_t length;
    uint32_t taken;             /* OUT: bytes that the peer took */
    bool open;                  /* IN: the request waits for its answer */
} WalkItem;

/* Both ends of one direction of an endpoint */
typedef struct WalkEndpoint {
    const char *name;
    uint8_t address;
    bool in;
    GQueue flights;             /* the guest's transfers, WalkFlight */
    WalkItem items[WALK_ITEMS];
    uint32_t next;              /* number of the next item */
    uint32_t at;                /* how far the receiver is: item, */
    uint32_t at_offset;         /* and bytes of it */
    uint32_t loose;             /* what is older than this may get lost */
    unsigned disturbed;         /* how often something happened to it */
    unsigned faults[USBHC_STATUS_COUNT];        /* given, minus seen */
    unsigned cancels;           /* CANCELs not answered yet */
    uint32_t size;              /* of every transfer, in MPS; 0: of any */
    bool unsure;                /* no order to be expected until it settles */
    bool halted;                /* by SET_FEATURE: the peer stalls all */
    unsigned halts;             /* how often it was */
    uint32_t halt;              /* IN: number of the first item after that */
} WalkEndpoint;

/* A transfer of the guest's */
typedef struct WalkFlight {
    WalkEndpoint *wep;
    UsbHcTransfer *xfer;
    WalkItem *item;             /* OUT with data */
    uint32_t count;
    unsigned disturbed;         /* wep->disturbed when it started, */
    bool halted;                /* and wep->halted, */
    unsigned halts;             /* wep->halts, */
    uint32_t halt;              /* and wep->halt */
} WalkFlight;

/* A SUBMIT that the peer has not answered */
typedef struct WalkRequest {
    WalkEndpoint *wep;
    PeerMessage *m;
    WalkItem *item;             /* NULL for OUT without data */
    uint32_t count;
    bool cancelled;             /* CANCEL arrived; an answer is due */
} WalkRequest;

typedef struct Walk Walk;

/* False: it makes no sense now, and something else is to be done. */
typedef bool WalkAction(Walk *w);

struct Walk {
    Rig *rig;
    GRand *rand;
    uint32_t seed;
    unsigned step;
    WalkEndpoint eps[WALK_ENDPOINTS];
    GQueue requests;            /* WalkRequest, as they came */
    GQueue stale;               /* of an older epoch or attachment */
    UsbRemoteLimits limits;     /* that the peer named */
    uint64_t last_id;           /* of the newest SUBMIT */
    UsbHcDevice *hub;           /* the guest's, while dev0 is behind it */
    bool behind_hub;            /* hub and dev0 are there */
    bool present;               /* dev0 is there */
    bool attach_owed;           /* ATTACH waits for ATTACHED */
    bool attached;              /* ATTACHED is newer than DETACH */
    bool fresh;                 /* the guest has it configured, as it is now */
    bool stopped;
    bool enumerating;
    unsigned sockets;           /* chardev-change: a new path each time */
    int64_t deaf_until;         /* virtual ns */
    int64_t answer_by;          /* CANCELs, virtual ns; 0: there is none */
};

/* usb-remote-walk.c */
uint32_t walk_below(Walk *w, uint32_t n);               /* 0 .. n-1 */
bool walk_chance(Walk *w, unsigned percent);
void walk_note(Walk *w, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void walk_fail(Walk *w, const char *fmt, ...)
    G_GNUC_PRINTF(2, 3) G_NORETURN;
int64_t walk_now(Walk *w);
void walk_steps(Walk *w, unsigned frames);
void walk_settle(Walk *w);
/* The next item, with no data yet */
WalkItem *walk_item(WalkEndpoint *wep);
/* @length bytes that nothing else has; three more can be read. */
void walk_item_fill(WalkEndpoint *wep, WalkItem *item, uint32_t length);
/* Where in @item a piece of @left bytes at @data belongs */
uint32_t walk_offset(const WalkItem *item, const uint8_t *data,
                     uint32_t left);
/* Something happened that may cost what is in flight. */
void walk_disturb(Walk *w, WalkEndpoint *wep);
void walk_disturb_all(Walk *w);
/* And requests may meet transfers that they were not made for. */
void walk_misfit(WalkEndpoint *wep);

/* usb-remote-walk-guest.c */
void walk_guest_reap(Walk *w);
void walk_guest_forget(Walk *w, WalkEndpoint *wep);     /* its transfers */
void walk_guest_gone(Walk *w);                          /* and the device */
void walk_guest_reset(Walk *w);                         /* of the machine */
bool walk_guest_quiet(Walk *w);                 /* nothing pending */
char *walk_guest_pending(Walk *w);
void walk_guest_recover(Walk *w);               /* all halted endpoints */
bool walk_can_control(Walk *w);
WalkAction walk_transfer, walk_burst, walk_control, walk_cancel,
    walk_cancel_all, walk_halt, walk_clear_halt, walk_ep_recover,
    walk_set_configuration, walk_set_interface, walk_descriptor;

/* usb-remote-walk-peer.c */
bool walk_peer_hook(Peer *peer, PeerMessage *m, void *opaque);
void walk_peer_void(Walk *w);                   /* all requests are stale */
void walk_peer_forget(Walk *w);                 /* a new connection */
bool walk_fault_is_due(const WalkEndpoint *wep);
void walk_peer_connect(Walk *w);
bool walk_begin_sending(Walk *w);
void walk_end_sending(Walk *w, bool deaf);      /* what the other returned */
void walk_peer_hang_up(Walk *w);
void walk_peer_tick(Walk *w);                   /* what has to be done now */
void walk_peer_answer_all(Walk *w);
WalkAction walk_answer, walk_answer_all, walk_answer_backwards,
    walk_answer_oddly, walk_nak, walk_ready, walk_wakeup, walk_stale_answer,
    walk_dribble, walk_go_deaf, walk_hear;

/* usb-remote-walk-plug.c */
WalkAction walk_come_back, walk_attach_again, walk_detach, walk_detach_attach,
    walk_hang_up, walk_reconnect, walk_device_del, walk_device_del_hmp,
    walk_chardev_change, walk_hub_plug, walk_hub_unplug, walk_bus_reset,
    walk_stop, walk_cont, walk_system_reset;

#endif
