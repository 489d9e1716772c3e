/*
 * libusbremote: be a USB device of a QEMU guest.
 *
 * SPDX-License-Identifier: MIT
 *
 * A UsbRemotePeer is one connection to one usb-remote device of QEMU.  It
 * plugs a device in (usbremote_attach()), hands over every request that the
 * guest makes (submit), and takes the answers (usbremote_complete()), later
 * and in any order.  What comes over the wire is checked before a callback
 * sees it.  docs/usb-remote.rst is the specification; section numbers below
 * are its or the USB 2.0 specification's.
 *
 * Threads: none are made, and a peer must not be used by two at a time.
 * There are no globals.  Nothing is allocated for a transfer once as much
 * has been in flight as ever will be; what is kept for that is about twice
 * max_bytes at most.
 *
 * Return values: 0 or what is said, or a negative errno value:
 *   -EINVAL     an argument is out of its range, or does not fit the request
 *   -EALREADY   the request was answered before
 *   -ENOTCONN   not possible in the present state of the connection
 *   -EMSGSIZE   more than the limits in force allow
 *   -ENOBUFS    QEMU does not read: too much is unsent already
 *   -ENOMEM     no memory
 *
 * Two ways to move the bytes.  With a socket: usbremote_connect() or
 * usbremote_accept(), then usbremote_process() whenever usbremote_fd() has
 * one of usbremote_events(), or usbremote_run() for all of it.  Without one:
 * usbremote_feed() and usbremote_output().
 */

#ifndef USBREMOTE_H
#define USBREMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "remote-proto.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One connection. */
typedef struct UsbRemotePeer UsbRemotePeer;

/**
 * A request that waits for its answer, a SUBMIT of the protocol.  Valid from
 * the submit callback until it was answered, or the cancelled or dropped
 * callback for it has returned.
 */
typedef struct UsbRemoteRequest UsbRemoteRequest;

/**
 * What QEMU says of itself in HELLO.  The strings are UTF-8, may have control
 * characters, and are gone when greeted has returned.
 */
typedef struct UsbRemoteGreeting {
    const char *name;           /**< of the implementation, for logs */
    const char *device_id;      /**< id= of the -device option, may be "" */
    const char *select;         /**< its select= option, may be "" */
} UsbRemoteGreeting;

/** Why a connection ended.  QEMU was told of a VIOLATION. */
typedef enum UsbRemoteEnd {
    USBREMOTE_END_BYE,          /**< in order: BYE, or greeted refused it */
    USBREMOTE_END_REMOVED,      /**< QEMU removed the device (device_del) */
    USBREMOTE_END_REFUSED,      /**< QEMU sent an ERROR */
    USBREMOTE_END_VIOLATION,    /**< QEMU broke the protocol, or no memory */
    USBREMOTE_END_STRANGER,     /**< the other side is not usb-remote */
    USBREMOTE_END_LOST          /**< the connection broke */
} UsbRemoteEnd;

/**
 * What a device wants to hear of; any callback may be NULL.  Any function of
 * this header may be called from one, but not usbremote_free() and those that
 * make callbacks of what arrives: usbremote_process(), usbremote_run() and
 * usbremote_feed().  Texts are gone when the callback has returned.  Valid
 * replies are answers to the request that a callback is about.
 *
 * The struct grows at its end only; size says how much of it the caller
 * knows.
 */
typedef struct UsbRemoteCallbacks {
    size_t size;                /**< sizeof(UsbRemoteCallbacks) */

    /**
     * QEMU's HELLO is there.  Return NULL to go on (that is what happens
     * without the callback), or a sentence to refuse, of which QEMU's log
     * takes up to USB_REMOTE_MAX_TEXT bytes.
     */
    const char *(*greeted)(void *opaque, const UsbRemoteGreeting *greeting);

    /** Both sides have said HELLO: usbremote_attach() is possible. */
    void (*opened)(void *opaque);

    /**
     * The guest's host controller sees the device, at USB_REMOTE_SPEED_*
     * speed.  Again for the same attachment after the guest's state was
     * loaded (loadvm).
     */
    void (*attached)(void *opaque, int speed);

    /**
     * It does not: USB_REMOTE_ATTACHED_* result, and QEMU's words, which may
     * be none.  Nothing is plugged in.
     */
    void (*not_attached)(void *opaque, int result, const char *text);

    /**
     * QEMU unplugged this attachment, and all before it.  They count from 1,
     * with each usbremote_attach().
     */
    void (*detached)(void *opaque, uint32_t attachment);

    /**
     * The guest reset the bus (section 7.1.7.5).  The device is in its
     * default state now, at this speed; its requests were dropped before.
     */
    void (*reset)(void *opaque, int speed);

    /** The guest gave it an address, 0-127 (section 9.4.6). */
    void (*address)(void *opaque, int address);

    /** The virtual machine was stopped, or runs again. */
    void (*vmstate)(void *opaque, bool running);

    /**
     * A request.  Valid replies: usbremote_complete() from here or later,
     * usbremote_complete_table() for SET_CONFIGURATION and SET_INTERFACE,
     * or none until it is cancelled or dropped.  Without the callback it is
     * answered with STALL.
     */
    void (*submit)(void *opaque, UsbRemoteRequest *request);

    /**
     * QEMU wants the request no more.  Valid replies: usbremote_complete()
     * from here, if there is a result after all; usbremote_consumed() to say
     * what of an OUT request was used; or none.  Without an answer it is
     * answered with CANCELLED.  Data of an IN request must not get lost:
     * keep what was not sent for the next one.
     */
    void (*cancelled)(void *opaque, UsbRemoteRequest *request);

    /**
     * A reset, unplugging or the end of the connection took a request away
     * that was not cancelled.  Valid replies: none.  Oldest first.
     */
    void (*dropped)(void *opaque, UsbRemoteRequest *request);

    /** The last callback: the end, and a sentence about it. */
    void (*closed)(void *opaque, UsbRemoteEnd end, const char *text);
} UsbRemoteCallbacks;

/**
 * What this side can take, for HELLO.  0 takes the default, as does what is
 * larger: 1 MiB, 4096, 256, 64, 8 MiB.
 */
typedef struct UsbRemoteCapacity {
    uint32_t max_payload;       /**< bytes of a request, 8192 or more */
    uint32_t max_control;       /**< bytes of a data stage, 64 or more */
    uint32_t max_requests;      /**< in flight, 1 or more */
    uint32_t max_per_endpoint;  /**< of these on an endpoint, 1 or more */
    uint32_t max_bytes;         /**< in flight, max_payload or more */
} UsbRemoteCapacity;

/**
 * A peer that is not connected yet.
 *
 * @callbacks is copied.  @name, at most USB_REMOTE_MAX_NAME bytes of UTF-8,
 * goes to QEMU's log.  @capacity may be NULL.
 *
 * Returns NULL with errno EINVAL (no callbacks, a name that is not so, or a
 * capacity that is too small) or ENOMEM.
 */
UsbRemotePeer *usbremote_new(const UsbRemoteCallbacks *callbacks,
                             void *opaque, const char *name,
                             const UsbRemoteCapacity *capacity);

/**
 * Close without a word and free; @peer may be NULL.  No callback comes, and
 * its requests are gone.
 */
void usbremote_free(UsbRemotePeer *peer);

/* What the device does */

/** How to plug in: ATTACH of the protocol. */
typedef struct UsbRemotePlug {
    unsigned speeds;            /**< set of 1 << USB_REMOTE_SPEED_* */
    int address_policy;         /**< USB_REMOTE_ADDRESS_* */
    uint32_t gap_ms;            /**< least time unplugged before, 0-60000 */
    /** NULL, or a table that overrides the descriptors */
    const UsbRemoteEndpoint *endpoints;
    size_t endpoint_count;      /**< its entries, 0-30 */
} UsbRemotePlug;

/**
 * Plug in, in place of what is plugged in, whose requests are dropped before
 * this returns.  attached or not_attached follows, unless it is unplugged
 * before.
 *
 * Returns 0; -ENOTCONN before opened, after closed, and while an ATTACH
 * waits for its answer; -EINVAL for a value out of its range; -ENOBUFS;
 * -ENOMEM.
 */
int usbremote_attach(UsbRemotePeer *peer, const UsbRemotePlug *plug);

/**
 * Unplug; requests are dropped before this returns, and detached follows.
 *
 * Returns 0; -ENOTCONN when nothing is plugged in; -ENOBUFS; -ENOMEM.
 */
int usbremote_detach(UsbRemotePeer *peer);

/**
 * Remote wakeup (section 9.1.1.6).
 *
 * Returns 0; -ENOTCONN unless plugged in; -ENOBUFS; -ENOMEM.
 */
int usbremote_wakeup(UsbRemotePeer *peer);

/**
 * Ask for the request of @endpoint (0, 0x01-0x0f, 0x81-0x8f) that was
 * answered with NAK.
 *
 * Returns 0; -EINVAL for another endpoint; -ENOTCONN unless plugged in;
 * -ENOBUFS; -ENOMEM.
 */
int usbremote_ready(UsbRemotePeer *peer, uint8_t endpoint);

/**
 * End the connection in order.  @text, of which QEMU's log takes up to
 * USB_REMOTE_MAX_TEXT bytes of UTF-8, may be NULL.  Requests are dropped and
 * closed is called before this returns; what is unsent can still be sent.
 * QEMU is not told when there is no room for that.  Once closed, nothing
 * happens.
 */
void usbremote_bye(UsbRemotePeer *peer, const char *text);

/* Requests */

/** Its number on the wire, for logs. */
uint64_t usbremote_id(const UsbRemoteRequest *request);
/** bEndpointAddress; 0 for control. */
uint8_t usbremote_endpoint(const UsbRemoteRequest *request);
/** USB_REMOTE_TYPE_*, as QEMU knows it. */
int usbremote_type(const UsbRemoteRequest *request);
/** Set of USB_REMOTE_SUBMIT_*. */
unsigned usbremote_flags(const UsbRemoteRequest *request);
/** Whether data goes to the guest. */
bool usbremote_is_in(const UsbRemoteRequest *request);
/** Bytes asked for (IN) or sent (OUT), 0 to max_payload. */
uint32_t usbremote_length(const UsbRemoteRequest *request);
/** The 8 bytes of the SETUP packet (section 9.3); zeros if not control. */
const uint8_t *usbremote_setup(const UsbRemoteRequest *request);
/**
 * What the guest sent: usbremote_length() bytes of an OUT, which stay as long
 * as the request; NULL for an IN, and maybe where there are none.
 */
const uint8_t *usbremote_data(const UsbRemoteRequest *request);

/** Keep a pointer of the device's own with the request. */
void usbremote_set_private(UsbRemoteRequest *request, void *value);
/** The pointer that was kept with it, NULL at first. */
void *usbremote_private(const UsbRemoteRequest *request);

/**
 * Answer a request.
 *
 * @status: USB_REMOTE_STATUS_*.  IN: the @length bytes at @data go to the
 * guest; 0 with NAK and CANCELLED.  They are not needed any more when this
 * returns: much is sent at once, as far as the socket takes it, and what is
 * left is copied.  OUT: @data is NULL and @length, at most
 * usbremote_length(), says how much was used; 0 with NAK.  An IN with more
 * than was asked for is babble, and is sent all the same.
 *
 * Returns 0, and the request is gone; or an error, and it is not:
 * -EINVAL for another status, or data or a length that do not go with it;
 * -EMSGSIZE for more data than max_payload; -EALREADY; -ENOMEM.  Answering
 * twice is a use after the end; builds without NDEBUG assert on it where it
 * can be noticed.
 */
int usbremote_complete(UsbRemoteRequest *request, int status,
                       const void *data, uint32_t length);

/**
 * OK to SET_CONFIGURATION or SET_INTERFACE, with a table of @count (0-30)
 * endpoints that overrides the descriptors.
 *
 * Returns 0; -EINVAL for another request, or a table that makes no sense;
 * -EALREADY; -ENOMEM.
 */
int usbremote_complete_table(UsbRemoteRequest *request,
                             const UsbRemoteEndpoint *table, size_t count);

/**
 * So many bytes of an OUT request are used by now: what CANCELLED will say.
 *
 * Returns 0; -EINVAL for an IN, and beyond usbremote_length().
 */
int usbremote_consumed(UsbRemoteRequest *request, uint32_t bytes);

/* Without a socket */

/**
 * @size bytes arrived; callbacks are made of them.  Returns 0, or -ENOTCONN
 * once the connection is closed.
 */
int usbremote_feed(UsbRemotePeer *peer, const void *bytes, size_t size);

/** Nothing more will arrive: closed is called, if it was not before. */
void usbremote_feed_eof(UsbRemotePeer *peer);

/**
 * The @size bytes to be sent next, valid until another function is called;
 * NULL and 0 when there are none.
 */
const uint8_t *usbremote_output(UsbRemotePeer *peer, size_t *size);

/** @size of them, at most as many as there are, were sent. */
void usbremote_output_sent(UsbRemotePeer *peer, size_t size);

/** Whether it is over: closed has been called, or is just being called. */
bool usbremote_is_closed(const UsbRemotePeer *peer);

/* With a socket */

/**
 * Connect to "unix:PATH" or "tcp:HOST:PORT", which may wait for the network.
 *
 * Returns 0 or an error of socket(), connect() or the resolver (-ENOENT for
 * a name that is not known); -EINVAL for another address, -ENAMETOOLONG for
 * a PATH that no socket can have; -EISCONN for a peer that has, or had, a
 * connection.
 */
int usbremote_connect(UsbRemotePeer *peer, const char *address);

/**
 * A listening socket for such an address, to be closed by the caller; a socket
 * file that nobody listens on any more is replaced.
 *
 * Returns it; an error of socket(), bind(), listen() or the resolver; -EINVAL
 * and -ENAMETOOLONG as usbremote_connect().
 */
int usbremote_listen(const char *address);

/**
 * Take the next connection of a listening socket, waiting for one.
 *
 * Returns 0 or an error of accept(); -EISCONN as usbremote_connect().
 */
int usbremote_accept(UsbRemotePeer *peer, int listening);

/** The socket, for poll(); -1 when there is none. */
int usbremote_fd(const UsbRemotePeer *peer);

/** What to poll it for: POLLIN while it is open, POLLOUT if any is unsent. */
short usbremote_events(const UsbRemotePeer *peer);

/**
 * Read, make callbacks, write; never waits.  Returns 0, or -ENOTCONN when
 * the connection is over and its last bytes are sent, or without one.
 */
int usbremote_process(UsbRemotePeer *peer);

/**
 * usbremote_process() until the end.  @stop, which may be NULL, ends it in
 * order once it is not 0: a signal handler may set it.  It still waits for
 * QEMU to read what is unsent.  Returns 0, or an error of poll().
 */
int usbremote_run(UsbRemotePeer *peer, const volatile int *stop);

#ifdef __cplusplus
}
#endif

#endif /* USBREMOTE_H */
