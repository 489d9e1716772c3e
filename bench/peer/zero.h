/*
 * The Gadget Zero that is measured: what it is and what it answers.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A source of zeros and a sink, by bulk endpoints, with interrupt endpoints
 * besides in the alternate setting 1; the descriptors are those of
 * examples/c/zero.c at high speed.  How requests come and answers go is the
 * business of remote.c and redir.c, which both have this.
 */

#ifndef ZERO_H
#define ZERO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZERO_MAX_TRANSFER   (1u << 20)  /* bytes of an IN transfer */
#define ZERO_MAX_CONTROL    4096        /* bytes of a data stage */
#define ZERO_INTERRUPT_IN   0x82
#define ZERO_INTERRUPT_SIZE 1024        /* bytes of a packet */
#define ZERO_INTERVAL_NS    1000000     /* of the interrupt endpoints */

/** What the device is at the moment; all zero at first. */
typedef struct Zero {
    uint8_t configuration;      /* bConfigurationValue */
    uint8_t alternate;          /* of its only interface, 0 */
    uint8_t buffer[ZERO_MAX_CONTROL];
} Zero;

/** What becomes of a transfer. */
typedef struct ZeroAnswer {
    bool stall;
    const uint8_t *data;        /* IN: valid until the next call */
    uint32_t length;            /* IN: bytes at data; OUT: all that came */
} ZeroAnswer;

/** One entry of an endpoint table; USB 2.0 section 9.6.6. */
typedef struct ZeroEndpoint {
    uint8_t address;
    uint8_t type;               /* bmAttributes */
    uint16_t max_packet;
    uint8_t interval;
} ZeroEndpoint;

/** The device descriptor, 18 bytes (section 9.6.1). */
extern const uint8_t zero_device_descriptor[];

/** A bus reset. */
void zero_reset(Zero *zero);

/**
 * A control request, standard ones included.  @setup has 8 bytes (section
 * 9.3), @data what an OUT brought.
 */
ZeroAnswer zero_control(Zero *zero, const uint8_t *setup,
                        const uint8_t *data);

/** @length bytes, 0 to ZERO_MAX_TRANSFER, from or to @endpoint. */
ZeroAnswer zero_transfer(const Zero *zero, uint8_t endpoint, uint32_t length);

/** The endpoints of the setting in force, @count of them. */
const ZeroEndpoint *zero_endpoints(const Zero *zero, size_t *count);

#endif
