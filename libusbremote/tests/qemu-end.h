/*
 * QEMU's end of one connection, for tests of peers.
 *
 * SPDX-License-Identifier: MIT
 *
 * It says what it is told to say, also when that is wrong, and is as strict
 * as QEMU about what a peer may say.  No I/O.  Without memory it aborts.
 */

#ifndef QEMU_END_H
#define QEMU_END_H

#include "remote-codec.h"

typedef struct QemuEnd QemuEnd;

/** A message of the peer's that passed all checks. */
typedef struct QemuHeard {
    UsbRemoteHead head;
    const uint8_t *body;        /**< head.length bytes */
} QemuHeard;

/**
 * The connection is open: preamble and HELLO are to be sent.  @limits are
 * QEMU's; NULL for those that it has.
 */
QemuEnd *qemu_end_new(const char *device_id, const char *select,
                      const UsbRemoteLimits *limits);
void qemu_end_free(QemuEnd *q);

/* Bytes */

/** All that is to be sent, *@size bytes; valid until the next call of it. */
const uint8_t *qemu_end_output(QemuEnd *q, size_t *size);

/**
 * @size bytes arrived.  Returns USB_REMOTE_ERROR_*: NONE, or the code that
 * the peer is told; then, and after ERROR and BYE, nothing more is read.
 */
uint32_t qemu_end_feed(QemuEnd *q, const void *bytes, size_t size);

/**
 * The next message that was heard, valid until the next qemu_end_feed();
 * false when there is none.  Answers to what a reset or an unplugging made
 * void are left out, as are READY and WAKEUP of before.
 */
bool qemu_end_next(QemuEnd *q, QemuHeard *heard);

/* What QEMU says */

/** Any header, and the @size bytes at @body, as they are. */
void qemu_end_send(QemuEnd *q, const UsbRemoteHead *head, const void *body,
                   size_t size);

/** ATTACHED with USB_REMOTE_ATTACHED_* and USB_REMOTE_SPEED_*. */
void qemu_end_attached(QemuEnd *q, int result, int speed, const char *text);
/** DETACHED; nothing is plugged in any more. */
void qemu_end_detached(QemuEnd *q);
/** RESET, with the next epoch. */
void qemu_end_reset(QemuEnd *q, int speed);
void qemu_end_address(QemuEnd *q, int address);
void qemu_end_vmstate(QemuEnd *q, bool running);
/** BYE, the end. */
void qemu_end_bye(QemuEnd *q, uint32_t reason);

/** What a request asks; @setup and @data may be NULL. */
typedef struct QemuSubmit {
    int endpoint;               /**< bEndpointAddress; 0 for control */
    int type;                   /**< USB_REMOTE_TYPE_* */
    unsigned flags;             /**< USB_REMOTE_SUBMIT_* */
    uint32_t length;
    const void *setup;          /**< 8 bytes */
    const void *data;           /**< of an OUT: length bytes */
} QemuSubmit;

/** SUBMIT; returns its id. */
uint64_t qemu_end_submit(QemuEnd *q, const QemuSubmit *s);
/** CANCEL; the request stays in flight until it is answered. */
void qemu_end_cancel(QemuEnd *q, uint64_t id);

/** Requests without an answer, those that are void not counted. */
size_t qemu_end_in_flight(const QemuEnd *q);
/** The newest attachment, and the epoch in force. */
uint32_t qemu_end_attachment(const QemuEnd *q);
uint32_t qemu_end_epoch(const QemuEnd *q);

#endif
