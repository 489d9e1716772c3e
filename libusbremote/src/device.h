/*
 * libusbremote: what the files of the device layer share
 *
 * SPDX-License-Identifier: MIT
 *
 *   usbremote-device.h
 *       |
 *   device.c       standard requests, settings
 *   describe.c     tables to descriptors
 *   pipe.c         endpoints: requests to and from streams of packets
 *       |
 *   usbremote.h    nothing below it is used
 */

#ifndef USBREMOTE_SRC_DEVICE_H
#define USBREMOTE_SRC_DEVICE_H

#include "usbremote-device.h"

/* Descriptor types, USB 2.0 table 9-5 and USB 3.2 table 9-6. */
enum {
    DESCRIPTOR_DEVICE           = 0x01,
    DESCRIPTOR_CONFIGURATION    = 0x02,
    DESCRIPTOR_STRING           = 0x03,
    DESCRIPTOR_INTERFACE        = 0x04,
    DESCRIPTOR_ENDPOINT         = 0x05,
    DESCRIPTOR_QUALIFIER        = 0x06,
    DESCRIPTOR_OTHER_SPEED      = 0x07,
    DESCRIPTOR_BOS              = 0x0f,
    DESCRIPTOR_CAPABILITY       = 0x10,
    DESCRIPTOR_COMPANION        = 0x30
};

struct UsbRemotePipe {
    uint8_t address;
    uint16_t max_packet;        /* 0: in no setting in force */
    bool halted;
    bool busy;                  /* pump() is at work further up */
    bool active;                /* there is a read or write: */
    bool end;                   /* it ends the transfer */
    bool some;                  /* it ends with the request */
    uint8_t *into;
    const uint8_t *from;
    uint32_t size;
    uint32_t at;                /* so much is done */
    UsbRemoteDone *done;
    void *opaque;

    UsbRemoteRequest *first;    /* waiting; private is the next */
    UsbRemoteRequest *last;
    uint32_t taken;             /* OUT: of the first request */
    uint32_t phase;             /* OUT: bytes of the packet in progress */
    uint8_t *held;              /* IN: written, but the request is not full */
    uint32_t held_size;         /* allocated */
    uint32_t held_count;
};

/* pipe.c */
void pipe_submitted(UsbRemotePipe *p, UsbRemoteRequest *r);
void pipe_cancelled(UsbRemotePipe *p, UsbRemoteRequest *r);
void pipe_dropped(UsbRemotePipe *p, UsbRemoteRequest *r);
void pipe_open(UsbRemotePipe *p, uint16_t max_packet);
void pipe_close(UsbRemotePipe *p);

/* describe.c */
size_t describe(const UsbRemoteDeviceInfo *info, int speed, uint8_t type,
                uint8_t index, uint8_t *to, size_t room);

#endif
