/*
 * A peer of the library and QEMU's end, in memory, with a device that keeps
 * what it is told.
 *
 * SPDX-License-Identifier: MIT
 */

#ifndef RIG_H
#define RIG_H

#include "check.h"
#include "qemu-end.h"
#include "usbremote.h"

#define RIG_TEXT    4096

typedef struct Rig Rig;

/** What a device does with a request; it may answer it. */
typedef void RigHook(Rig *rig, UsbRemoteRequest *request);

struct Rig {
    QemuEnd *qemu;
    UsbRemotePeer *peer;
    size_t step;                /**< bytes carried at a time; 0: all */
    uint32_t code;              /**< the violation that QEMU's end saw */
    char told[RIG_TEXT];        /**< callbacks that came, see rig_told() */
    UsbRemoteRequest *waiting[USB_REMOTE_MAX_REQUESTS + 1];
    size_t count;               /**< of these */
    const char *refusal;        /**< what greeted returns */
    RigHook *submit;            /**< NULL: requests wait */
    RigHook *cancelled;         /**< NULL: the device does nothing */
    RigHook *dropped;           /**< the same, and it may not answer */
};

/** Nothing has been said yet; @capacity may be NULL. */
Rig *rig_new(size_t step, const UsbRemoteCapacity *capacity);
/** Talk, attach at high speed, reset once; forget what was told. */
void rig_plug(Rig *rig);
/** Both of it. */
Rig *rig_plugged(size_t step, const UsbRemoteCapacity *capacity);
void rig_free(Rig *rig);

/** Carry bytes both ways until nobody says more. */
void rig_talk(Rig *rig);
/** To QEMU only; to the peer only. */
void rig_up(Rig *rig);
void rig_down(Rig *rig);

/** ATTACH at high speed, with a gap of 0; returns as the library does. */
int rig_attach(Rig *rig);
/** What QEMU says to it: attached at high speed, and a bus reset. */
void rig_take_in(Rig *rig);

/** Requests; they return the id. */
uint64_t rig_in(Rig *rig, int endpoint, uint32_t length);
uint64_t rig_out(Rig *rig, int endpoint, const void *data, uint32_t length);
uint64_t rig_control(Rig *rig, const uint8_t *setup, const void *data);

/** The request with this id, which must be waiting. */
UsbRemoteRequest *rig_request(Rig *rig, uint64_t id);
/** Answer it with usbremote_complete(), which must take it. */
void rig_answer(Rig *rig, uint64_t id, int status, const void *data,
                uint32_t length);
/** It is answered: it waits no more. */
void rig_forget(Rig *rig, UsbRemoteRequest *request);

/**
 * Since the last time, exactly these callbacks came, with "; " between:
 * "greeted NAME ID SELECT", "opened", "attached SPEED", "not attached RESULT
 * TEXT", "detached NUMBER", "reset SPEED", "address A", "vmstate RUNNING",
 * "submit ID", "cancelled ID", "dropped ID", "closed END" (by number).
 */
#define TOLD(rig, text)     rig_told(rig, text, __FILE__, __LINE__)
void rig_told(Rig *rig, const char *text, const char *file, int line);

/**
 * Since the last time QEMU's end has heard exactly these messages: "NAME",
 * with "ATTACH NUMBER", "DETACH NUMBER", "READY ENDPOINT" (in hex),
 * "COMPLETE ID STATUS LENGTH" and "ERROR CODE" (by number).
 */
#define HEARD(rig, text)    rig_heard(rig, text, __FILE__, __LINE__)
void rig_heard(Rig *rig, const char *text, const char *file, int line);

#endif
