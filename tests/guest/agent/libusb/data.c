/*
 * A client of libusb: bytes that show when they are lost or out of place.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdint.h>

#include "client.h"

void fill(unsigned char *data, int size, unsigned seed)
{
    uint32_t state = (seed + 1) * 2654435761u;

    for (int i = 0; i < size; i++) {
        state = state * 1664525 + 1013904223;
        data[i] = state >> 24;
    }
}

void compare_bytes(const char *what, const unsigned char *got,
                   const unsigned char *want, int size)
{
    for (int i = 0; i < size; i++) {
        if (got[i] != want[i]) {
            wrong("%s: byte %d of %d is %#04x, not %#04x", what, i, size,
                  got[i], want[i]);
        }
    }
}
