/*
 * libusbremote: a device out of tables and pipes.
 *
 * SPDX-License-Identifier: MIT
 *
 * A layer on top of usbremote.h, for those who want it.  A UsbRemoteDevice
 * is told in tables what it is.  It makes the descriptors of them, answers
 * the standard requests (USB 2.0 section 9.4), keeps configuration,
 * alternate settings and halts, and makes a pipe of each endpoint.
 *
 * A pipe is a stream of packets.  How the guest's transfers are cut into
 * requests is its host controller's business (one packet on UHCI, 64 KiB on
 * xHCI); what is read and written here is the same with all of them.  IN
 * requests for which there is nothing to send wait, as do OUT requests that
 * nobody reads.
 *
 * Sizes are in bytes.  Nothing is allocated for a transfer once requests as
 * large as they will ever be have come.  Errors are those of usbremote.h.
 */

#ifndef USBREMOTE_DEVICE_H
#define USBREMOTE_DEVICE_H

#include "usbremote.h"

#ifdef __cplusplus
extern "C" {
#endif

/** USB_REMOTE_SPEED_* are below this. */
#define USBREMOTE_SPEEDS    4

/**
 * USB 2.0 section 9.6.6; arrays have a value for each USB_REMOTE_SPEED_*.  At
 * a speed with a max_packet of 0 it cannot be used.
 */
typedef struct UsbRemoteEndpointInfo {
    uint8_t address;            /**< 0x01-0x0f, 0x81-0x8f */
    uint8_t type;               /**< USB_REMOTE_TYPE_BULK or _INTERRUPT */
    uint16_t max_packet[USBREMOTE_SPEEDS];  /**< wMaxPacketSize */
    uint8_t interval[USBREMOTE_SPEEDS]; /**< bInterval */
} UsbRemoteEndpointInfo;

/** USB 2.0 section 9.6.5. */
typedef struct UsbRemoteInterfaceInfo {
    uint8_t number;             /**< bInterfaceNumber, 0-15 */
    uint8_t alternate;          /**< bAlternateSetting */
    uint8_t interface_class;    /**< bInterfaceClass */
    uint8_t subclass;           /**< bInterfaceSubClass */
    uint8_t protocol;           /**< bInterfaceProtocol */
    uint8_t string;             /**< index, 0 for none */
    const UsbRemoteEndpointInfo *endpoints; /**< in their order */
    size_t endpoint_count;      /**< 0-30 */
    const uint8_t *extra;       /**< class descriptors, before endpoints */
    size_t extra_size;          /**< bytes, 0 for none */
} UsbRemoteInterfaceInfo;

/** USB 2.0 section 9.6.3. */
typedef struct UsbRemoteConfigurationInfo {
    uint8_t value;              /**< bConfigurationValue, not 0 */
    uint8_t string;             /**< index, 0 for none */
    uint8_t attributes;         /**< bmAttributes, bit 7 set */
    uint16_t max_power;         /**< mA */
    /** by number, each with an alternate setting 0 */
    const UsbRemoteInterfaceInfo *interfaces;
    size_t interface_count;     /**< alternate settings count, too */
} UsbRemoteConfigurationInfo;

/** USB 2.0 section 9.6.1.  Of a string the guest gets 126 characters. */
typedef struct UsbRemoteDeviceInfo {
    unsigned speeds;            /**< set of 1 << USB_REMOTE_SPEED_* */
    uint16_t vendor_id;         /**< idVendor */
    uint16_t product_id;        /**< idProduct */
    uint16_t release;           /**< bcdDevice */
    uint8_t device_class;       /**< bDeviceClass */
    uint8_t subclass;           /**< bDeviceSubClass */
    uint8_t protocol;           /**< bDeviceProtocol */
    uint8_t manufacturer;       /**< index of a string, 0 for none */
    uint8_t product;            /**< the same */
    uint8_t serial;             /**< the same */
    const char *const *strings; /**< ASCII; the first has the index 1 */
    size_t string_count;        /**< 0-255 */
    const UsbRemoteConfigurationInfo *configurations;   /**< by index */
    size_t configuration_count; /**< 1-255 */
} UsbRemoteDeviceInfo;

/** A device and its connection. */
typedef struct UsbRemoteDevice UsbRemoteDevice;

/**
 * What a device wants to hear of; any may be NULL.  From one, and from a
 * UsbRemoteDone, usbremote_device_free() may not be called, nor what may not
 * be from a callback of the peer's.  Grows at its end only.
 */
typedef struct UsbRemoteDeviceOps {
    size_t size;                /**< sizeof(UsbRemoteDeviceOps) */

    /**
     * A control request, standard ones included.  Valid replies: true, and
     * one of usbremote_reply(), usbremote_refuse() and usbremote_complete(),
     * now or later, unless it is cancelled or dropped before; or false: the
     * device answers a standard request, and refuses any other.  Who answers
     * SET_CONFIGURATION or SET_INTERFACE gets no setting by it.
     */
    bool (*control)(void *opaque, UsbRemoteRequest *request);

    /**
     * A control request that @control kept is gone without an answer.  Valid
     * replies: none.
     */
    void (*control_gone)(void *opaque, UsbRemoteRequest *request);

    /**
     * A setting of an interface has begun, and its pipes can be used: by
     * SET_CONFIGURATION (once for each interface, alternate 0) or by
     * SET_INTERFACE.  What was read or written there before was cancelled.
     */
    void (*setting)(void *opaque, uint8_t interface, uint8_t alternate);

    /** The last callback, see UsbRemoteCallbacks. */
    void (*closed)(void *opaque, UsbRemoteEnd end, const char *text);
} UsbRemoteDeviceOps;

/**
 * A device with a peer that is not connected yet; it plugs itself in once
 * the peer is, and ends the connection if QEMU does not take it.  @info and
 * all below it must stay.  @ops is copied.  @name is for QEMU's log, see
 * usbremote_new().
 *
 * Returns NULL with errno EINVAL (no @ops; a name that usbremote_new() does
 * not take; a value out of its range in a table, an endpoint twice in a
 * setting, an interface without setting 0, or more than
 * USB_REMOTE_MAX_CONTROL bytes of descriptors) or ENOMEM.
 */
UsbRemoteDevice *usbremote_device_new(const UsbRemoteDeviceInfo *info,
                                      const UsbRemoteDeviceOps *ops,
                                      void *opaque, const char *name);

/** Close without a word and free; @device may be NULL.  No callback. */
void usbremote_device_free(UsbRemoteDevice *device);

/** Its peer, to be connected, run and ended; it is freed with the device. */
UsbRemotePeer *usbremote_device_peer(UsbRemoteDevice *device);

/**
 * USB_REMOTE_SPEED_* of the last reset or plugging in; the highest of its own
 * before.
 */
int usbremote_device_speed(const UsbRemoteDevice *device);

/** bConfigurationValue; 0 when not configured. */
uint8_t usbremote_device_configuration(const UsbRemoteDevice *device);

/* Control requests */

/**
 * OK.  IN: up to usbremote_length() of the @size bytes at @data.  OUT: all
 * that came is used; @data is NULL, @size 0.  With @data, an OUT is refused:
 * it is a request to read, in the wrong direction.  Returns as
 * usbremote_complete().
 */
int usbremote_reply(UsbRemoteRequest *request, const void *data, size_t size);

/**
 * STALL: the request is not supported (section 8.5.3.4).  Returns as
 * usbremote_complete().
 */
int usbremote_refuse(UsbRemoteRequest *request);

/* Pipes */

/** An endpoint of a device; it lives as long as the device. */
typedef struct UsbRemotePipe UsbRemotePipe;

/**
 * A read or write is over.  @result: bytes, 0 or more, or -ECANCELED when one
 * of these came first:
 * - a reset, another configuration or setting, unplugging, or the end of the
 *   connection; usbremote_pipe_max_packet() is 0 then
 * - usbremote_pipe_clear_halt(), by the guest or the device, when some bytes
 *   had been moved
 * - usbremote_pipe_cancel()
 * The next one may be started from here; in the first of these cases that
 * fails with -ENOTCONN.
 */
typedef void UsbRemoteDone(void *opaque, int result);

/** The pipe of @address, the same each time; NULL for one out of range. */
UsbRemotePipe *usbremote_device_pipe(UsbRemoteDevice *device,
                                     uint8_t address);

/** wMaxPacketSize without bits 11-15; 0 while not in a setting in force. */
uint16_t usbremote_pipe_max_packet(const UsbRemotePipe *pipe);

/**
 * Read up to @size bytes, 1-INT32_MAX, into @buffer, which must stay until
 * @done.  The end is a full buffer, or the end of the guest's transfer: a
 * packet shorter than the largest, also an empty one.  What does not fit
 * into the buffer is there for the next read.  A request is answered when
 * all of it was read.
 *
 * Returns 0, and @done, which may be NULL, is called, perhaps before the
 * return; or -EINVAL (also for the other direction), -EALREADY (one is going
 * on), -ENOTCONN (no such endpoint in force).
 */
int usbremote_pipe_read(UsbRemotePipe *pipe, void *buffer, uint32_t size,
                        UsbRemoteDone *done, void *opaque);

/**
 * As usbremote_pipe_read(), but the end of a request is an end, too: what has
 * come so far, for a guest that does not end its transfers with a short
 * packet.  A request is one packet, or a large part of a transfer.
 */
int usbremote_pipe_read_some(UsbRemotePipe *pipe, void *buffer,
                             uint32_t size, UsbRemoteDone *done,
                             void *opaque);

/**
 * Write the @size bytes, 0-INT32_MAX, at @data, which must stay until @done:
 * then all of them were sent, or taken into a request that is not full yet.
 * They go out over as many of the guest's requests as it takes.
 *
 * A transfer ends with a packet shorter than the largest: a @size that is no
 * multiple of it ends one, as does 0 (an empty packet).  With @end it ends
 * in any case, by an empty packet where need be.  Else the next write goes
 * on with it, and the rest of a larger request waits for that.
 *
 * Returns as usbremote_pipe_read().
 */
int usbremote_pipe_write(UsbRemotePipe *pipe, const void *data, uint32_t size,
                         bool end, UsbRemoteDone *done, void *opaque);

/**
 * Halt (section 9.4.5): STALL to what waits and to what comes, until the
 * guest clears it, or a reset, configuration or setting does.  What was
 * taken into a request that is not full goes out with its STALL.  A read or
 * write that is going on waits; see usbremote_pipe_clear_halt().
 */
void usbremote_pipe_halt(UsbRemotePipe *pipe);

/**
 * As CLEAR_FEATURE(ENDPOINT_HALT) does, also without a halt.  A transfer that
 * had begun is over: what was taken into a request that is not full is
 * dropped, and a read or write of which bytes were moved ends with
 * -ECANCELED.  One that has not begun goes on.
 */
void usbremote_pipe_clear_halt(UsbRemotePipe *pipe);

/** Whether it is. */
bool usbremote_pipe_is_halted(const UsbRemotePipe *pipe);

/**
 * End the read or write that is going on, with -ECANCELED, and drop what was
 * taken into a request that is not full.  What had been read does not come
 * again.
 */
void usbremote_pipe_cancel(UsbRemotePipe *pipe);

/** Bytes, of the read or write that is going on, that were moved by now. */
uint32_t usbremote_pipe_moved(const UsbRemotePipe *pipe);

#ifdef __cplusplus
}
#endif

#endif /* USBREMOTE_DEVICE_H */
