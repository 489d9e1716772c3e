/*
 * libusbremote: what its files share
 *
 * SPDX-License-Identifier: MIT
 *
 *   usbremote.h
 *       |
 *   transport.c    sockets, the only file with I/O
 *       |
 *   session.c      states, messages, bytes in and out
 *   request.c      requests and their answers
 *   memory.c       for what arrives
 *       |
 *   remote-codec.h bytes <-> messages
 */

#ifndef USBREMOTE_SESSION_H
#define USBREMOTE_SESSION_H

#include "usbremote.h"
#include "remote-codec.h"

#define MEMORY_LISTS    15      /* of 64 bytes to USB_REMOTE_MAX_PAYLOAD */

typedef struct Block Block;

/* Of the connection and of what is plugged in over it. */
typedef enum State {
    STATE_START,                /* waiting for QEMU's preamble */
    STATE_HELLO,                /* waiting for QEMU's HELLO */
    STATE_DETACHED,             /* nothing plugged in */
    STATE_ATTACHING,            /* ATTACH sent */
    STATE_ATTACHED,             /* plugged in */
    STATE_DETACHING,            /* DETACH sent */
    STATE_CLOSED
} State;

/* Bytes that grow as needed and are taken from the front. */
typedef struct Buffer {
    uint8_t *bytes;
    size_t size;                /* allocated */
    size_t start;               /* gone already */
    size_t end;
} Buffer;

struct UsbRemoteRequest {
    UsbRemotePeer *peer;
    UsbRemoteRequest *next;     /* of the free ones, or in flight */
    UsbRemoteRequest **link;    /* where the one before points here */
    UsbRemoteHead head;         /* of the SUBMIT */
    UsbRemoteSubmit submit;
    uint8_t *data;              /* what an OUT brought, in: */
    uint8_t *memory;            /* taken, or NULL */
    size_t memory_size;
    uint32_t consumed;
    bool pending;
    bool cancelled;             /* and the device was told so */
    void *private_value;
};

struct UsbRemotePeer {
    UsbRemoteCallbacks call;
    void *opaque;
    char *name;
    State state;
    uint32_t attachment;        /* of the last ATTACH sent */
    uint32_t epoch;             /* of the last RESET received */
    UsbRemoteLimits limits;     /* ours; from HELLO on, those in force */
    uint32_t places;            /* records in requests */

    Buffer in;                  /* the preamble or message being received,
                                   from its start on */
    size_t skip;                /* bytes of an unknown message to drop */
    Buffer out;

    UsbRemoteRequest *requests; /* all there are: max_requests and ep0's */
    UsbRemoteRequest *free;
    UsbRemoteRequest *pending;  /* newest first */
    uint64_t newest_id;
    unsigned submits;           /* that came, modulo what fits */
    uint32_t count;             /* pending, without control */
    uint32_t on_endpoint[32];   /* pending, by number and direction */
    uint32_t bytes;             /* of these, without control */
    Block *spare[MEMORY_LISTS]; /* memory that nobody uses, by its size */
    size_t held;                /* bytes of all memory, used or spare */

    int fd;
    /*
     * Send what is unsent and, in the same call, some of @size bytes that
     * follow it; never waits.  Returns how many of these.  NULL: no socket.
     */
    size_t (*send_along)(UsbRemotePeer *p, const void *bytes, size_t size);
};

/* session.c */
void session_close(UsbRemotePeer *p, UsbRemoteEnd end, const char *text);
void session_violation(UsbRemotePeer *p, uint32_t code, uint16_t type,
                       uint64_t id, const char *text);
int session_put(UsbRemotePeer *p, const UsbRemoteHead *head,
                const void *fixed, size_t fixed_size, const void *tail,
                size_t tail_size);
uint8_t *session_room(UsbRemotePeer *p, size_t *size);
void session_received(UsbRemotePeer *p, size_t size);

/* memory.c */
uint8_t *memory_take(UsbRemotePeer *p, size_t need, size_t *size);
void memory_give(UsbRemotePeer *p, uint8_t *bytes, size_t size);
void memory_free(UsbRemotePeer *p);

/* request.c */
int requests_init(UsbRemotePeer *p);
void requests_free(UsbRemotePeer *p);
void requests_drop(UsbRemotePeer *p);
void request_submitted(UsbRemotePeer *p, const UsbRemoteHead *head,
                       const uint8_t *body);
void request_cancelled(UsbRemotePeer *p, const UsbRemoteHead *head);

#endif
