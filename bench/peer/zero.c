/*
 * The Gadget Zero that is measured: what it is and what it answers.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include <string.h>

#include "zero.h"

#define BULK            2       /* bmAttributes */
#define INTERRUPT       3

#define CONFIGURATION   3       /* bConfigurationValue */
#define SETTINGS        2
#define BULK_ENDPOINTS  2       /* the others are in setting 1 only */
#define ALL_ENDPOINTS   4

#define CONFIGURATION_SIZE \
    (9 + 2 * 9 + 7 * (BULK_ENDPOINTS + ALL_ENDPOINTS))

/* bmRequestType and bRequest, as one number; USB 2.0 table 9-3 */
enum {
    GET_DEVICE_STATUS = 0x8000, GET_INTERFACE_STATUS = 0x8100,
    GET_ENDPOINT_STATUS = 0x8200, CLEAR_ENDPOINT_FEATURE = 0x0201,
    GET_DESCRIPTOR = 0x8006, GET_CONFIGURATION = 0x8008,
    SET_CONFIGURATION = 0x0009, GET_INTERFACE = 0x810a,
    SET_INTERFACE = 0x010b, WRITE_BUFFER = 0x405b, READ_BUFFER = 0xc05c
};

/* wValue of GET_DESCRIPTOR */
enum {
    DEVICE = 0x0100, FIRST_CONFIGURATION = 0x0200, LANGUAGES = 0x0300,
    PRODUCT = 0x0301
};

static const ZeroEndpoint endpoints[ALL_ENDPOINTS] = {
    { 0x81, BULK, 512, 0 },
    { 0x01, BULK, 512, 0 },
    /* every 8 microframes: 1 ms */
    { ZERO_INTERRUPT_IN, INTERRUPT, ZERO_INTERRUPT_SIZE, 4 },
    { 0x02, INTERRUPT, ZERO_INTERRUPT_SIZE, 4 },
};

const uint8_t zero_device_descriptor[] = {
    18, 1, 0x00, 0x02, 0xff, 0, 0, 64, 0x25, 0x05, 0xa0, 0xa4, 0x00, 0x01,
    0, 1, 0, 1
};

static const uint8_t languages[] = { 4, 3, 0x09, 0x04 };
static const uint8_t product[] = {
    24, 3, 'G', 0, 'a', 0, 'd', 0, 'g', 0, 'e', 0, 't', 0, ' ', 0,
    'Z', 0, 'e', 0, 'r', 0, 'o', 0
};

static const uint8_t zeros[ZERO_MAX_TRANSFER];

void zero_reset(Zero *zero)
{
    zero->configuration = zero->alternate = 0;
}

const ZeroEndpoint *zero_endpoints(const Zero *zero, size_t *count)
{
    *count = !zero->configuration ? 0 :
             zero->alternate ? ALL_ENDPOINTS : BULK_ENDPOINTS;
    return endpoints;
}

/* Answers */

static ZeroAnswer ok(const void *data, uint32_t size)
{
    ZeroAnswer a = { false, NULL, 0 };

    a.data = data;
    a.length = size;
    return a;
}

static ZeroAnswer stalled(void)
{
    ZeroAnswer a = { true, NULL, 0 };

    return a;
}

static ZeroAnswer stalled_unless(bool good)
{
    return good ? ok(NULL, 0) : stalled();
}

/* At most the wLength bytes that were asked for. */
static ZeroAnswer up_to(uint32_t asked, const void *data, uint32_t size)
{
    return ok(data, size < asked ? size : asked);
}

/* Control */

static uint8_t *put_setting(uint8_t *to, uint8_t alternate, uint8_t count)
{
    const uint8_t head[] = { 9, 4, 0, alternate, count, 0xff, 0, 0, 0 };
    uint8_t i;

    memcpy(to, head, sizeof(head));
    to += sizeof(head);
    for (i = 0; i < count; i++) {
        const ZeroEndpoint *e = &endpoints[i];
        const uint8_t body[] = {
            7, 5, e->address, e->type, (uint8_t)(e->max_packet & 0xff),
            (uint8_t)(e->max_packet >> 8), e->interval
        };

        memcpy(to, body, sizeof(body));
        to += sizeof(body);
    }
    return to;
}

static ZeroAnswer configuration(uint32_t asked)
{
    static uint8_t bytes[CONFIGURATION_SIZE];
    const uint8_t head[] = {
        9, 2, CONFIGURATION_SIZE, 0, 1, CONFIGURATION, 0, 0xc0, 1
    };

    memcpy(bytes, head, sizeof(head));
    put_setting(put_setting(bytes + sizeof(head), 0, BULK_ENDPOINTS), 1,
                ALL_ENDPOINTS);
    return up_to(asked, bytes, sizeof(bytes));
}

static ZeroAnswer descriptor(unsigned which, uint32_t asked)
{
    switch (which) {
    case DEVICE:
        return up_to(asked, zero_device_descriptor,
                     zero_device_descriptor[0]);
    case FIRST_CONFIGURATION:
        return configuration(asked);
    case LANGUAGES:
        return up_to(asked, languages, sizeof(languages));
    case PRODUCT:
        return up_to(asked, product, sizeof(product));
    default:
        return stalled();
    }
}

static ZeroAnswer set_configuration(Zero *zero, unsigned value)
{
    if (value && value != CONFIGURATION) {
        return stalled();
    }
    zero->configuration = (uint8_t)value;
    zero->alternate = 0;
    return ok(NULL, 0);
}

static ZeroAnswer set_interface(Zero *zero, unsigned alternate)
{
    if (!zero->configuration || alternate >= SETTINGS) {
        return stalled();
    }
    zero->alternate = (uint8_t)alternate;
    return ok(NULL, 0);
}

ZeroAnswer zero_control(Zero *zero, const uint8_t *setup, const uint8_t *data)
{
    unsigned value = setup[2] | (unsigned)setup[3] << 8;
    uint32_t length = setup[6] | (uint32_t)setup[7] << 8;

    switch (setup[0] << 8 | setup[1]) {
    case GET_DEVICE_STATUS:
    case GET_INTERFACE_STATUS:
    case GET_ENDPOINT_STATUS:
        return up_to(length, zeros, 2);
    case CLEAR_ENDPOINT_FEATURE:
        return stalled_unless(value == 0);      /* ENDPOINT_HALT */
    case GET_DESCRIPTOR:
        return descriptor(value, length);
    case GET_CONFIGURATION:
        return up_to(length, &zero->configuration, 1);
    case SET_CONFIGURATION:
        return set_configuration(zero, value);
    case GET_INTERFACE:
        return up_to(length, &zero->alternate, 1);
    case SET_INTERFACE:
        return set_interface(zero, value);
    case WRITE_BUFFER:
        if (length > sizeof(zero->buffer)) {
            return stalled();
        }
        memcpy(zero->buffer, data, length);
        return ok(NULL, length);
    case READ_BUFFER:
        return up_to(length, zero->buffer, sizeof(zero->buffer));
    default:
        return stalled();
    }
}

/* Bulk and interrupt */

ZeroAnswer zero_transfer(const Zero *zero, uint8_t endpoint, uint32_t length)
{
    size_t count, i;
    const ZeroEndpoint *e = zero_endpoints(zero, &count);

    for (i = 0; i < count; i++) {
        if (e[i].address == endpoint) {
            return ok(endpoint & 0x80 ? zeros : NULL, length);
        }
    }
    return stalled();
}
