/*
 * A scripted peer for usb-remote's qtests
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * It lives in the test process and does exactly what a case says: any bytes,
 * whole or split, at any moment, or never.  Messages that arrive are queued
 * until a case takes them; control requests may be answered from a small set
 * of descriptors meanwhile (peer_pump() does that, and is what the host
 * controller drivers call while they wait).
 */

#ifndef USB_REMOTE_PEER_H
#define USB_REMOTE_PEER_H

#include "hw/usb/remote-proto.h"
#include "hw/usb/remote-codec.h"

#define PEER_DEADLINE_S     15          /* real time, for one wait */
#define PEER_VENDOR         0x1209
#define PEER_PRODUCT        0x0001
#define PEER_INT_IN         0x81
#define PEER_INT_OUT        0x01
#define PEER_BULK_IN        0x82
#define PEER_BULK_OUT       0x02

typedef struct PeerMessage {
    UsbRemoteHead head;
    uint8_t *body;
} PeerMessage;

/* What the automatic answers to control requests are made of */
typedef struct PeerDevice {
    uint8_t device[18];
    uint8_t config[128];
    size_t config_size;
    uint16_t bulk_mps;
    uint16_t int_mps;
    uint8_t int_interval;
    uint8_t configuration;      /* what SET_CONFIGURATION said */
    uint8_t interface_setting;
} PeerDevice;

typedef struct Peer Peer;
/* True when it took the message (which it must not free). */
typedef bool PeerHook(Peer *peer, PeerMessage *m, void *opaque);

struct Peer {
    int fd;                     /* -1: not connected */
    bool eof;                   /* QEMU closed */
    bool raw;                   /* collect bytes, make no messages of them */
    bool dribble;               /* write byte by byte */
    GByteArray *held;           /* if set, collects what would be sent */
    bool deaf;                  /* read nothing */
    bool auto_control;          /* answer ep0 from the device */
    bool auto_cancel;           /* answer CANCEL with CANCELLED */
    GByteArray *in;
    bool got_preamble;
    GQueue messages;
    uint32_t attachment;        /* of the last ATTACH sent */
    uint32_t epoch;             /* of the last RESET received */
    uint8_t speed;              /* of the last ATTACHED or RESET */
    uint8_t address;            /* of the last ADDRESS */
    unsigned resets;
    unsigned submits;           /* received, of all kinds */
    unsigned bulk_submits;      /* received, not control */
    unsigned cancels;
    PeerDevice device;
    GHashTable *open;           /* ids of requests not answered yet */
    GByteArray *setups;         /* 8 bytes for each control request */
    PeerHook *hook;             /* sees every message first */
    void *hook_opaque;
    void (*step)(void *opaque); /* called while waiting */
    void *step_opaque;
};

Peer *peer_new(void (*step)(void *opaque), void *opaque);
void peer_free(Peer *peer);
void peer_connect(Peer *peer, const char *path);
void peer_close(Peer *peer);
void peer_forget(Peer *peer);               /* state of a new connection */
void peer_device_init(PeerDevice *d, uint8_t speed);

/* Sending */
void peer_send_bytes(Peer *peer, const void *buf, size_t size);
/* What would be sent is collected, and then sent all at once. */
void peer_hold(Peer *peer);
void peer_release(Peer *peer);
/* As much as the socket takes now; returns the number of bytes. */
size_t peer_try_send(Peer *peer, const void *buf, size_t size);
void peer_send_head(Peer *peer, const UsbRemoteHead *h, const void *fixed,
                    size_t fixed_size, const void *tail, size_t tail_size);
void peer_send(Peer *peer, uint16_t type, const void *fixed,
               size_t fixed_size);
void peer_send_preamble(Peer *peer, uint16_t major, uint16_t minor);
UsbRemoteHello peer_hello(void);
void peer_send_hello(Peer *peer);
void peer_send_attach(Peer *peer, uint8_t speeds, uint8_t policy,
                      uint32_t gap_ms, const UsbRemoteEndpoint *table,
                      size_t count);
void peer_send_detach(Peer *peer);
void peer_send_ready(Peer *peer, uint8_t endpoint);
void peer_send_wakeup(Peer *peer);
void peer_send_complete(Peer *peer, const UsbRemoteHead *submit,
                        uint8_t status, const void *data, uint32_t length,
                        const UsbRemoteEndpoint *table, int count);

/* Receiving */
void peer_pump(void *peer);
bool peer_has(Peer *peer, uint16_t type);
unsigned peer_queued(Peer *peer, uint16_t type);
PeerMessage *peer_take(Peer *peer, uint16_t type);      /* NULL if none */
PeerMessage *peer_expect(Peer *peer, uint16_t type);    /* waits */
void peer_drop(Peer *peer, uint16_t type);              /* all there are */
void peer_expect_free(Peer *peer, uint16_t type);
void peer_expect_error(Peer *peer, uint32_t code);
void peer_expect_eof(Peer *peer);
bool peer_wait(Peer *peer, bool (*done)(Peer *peer));
void peer_message_free(PeerMessage *m);

static inline const UsbRemoteSubmit *peer_submit(const PeerMessage *m)
{
    return (const UsbRemoteSubmit *)m->body;
}

static inline const uint8_t *peer_submit_data(const PeerMessage *m)
{
    return m->body + sizeof(UsbRemoteSubmit);
}

static inline uint32_t peer_submit_length(const PeerMessage *m)
{
    return usb_remote_get32(peer_submit(m)->length);
}

/* Several of the above in one */
void peer_handshake(Peer *peer);
void peer_attach(Peer *peer, uint8_t speeds);           /* until ATTACHED */
/* The next SUBMIT of an endpoint other than 0, answered and freed */
void peer_answer_ok(Peer *peer, PeerMessage *m, const void *data,
                    uint32_t length);
void peer_answer(Peer *peer, PeerMessage *m, uint8_t status);

#endif
