/* Invariant: the C codec's verdict on each input is the Python codec's. */
/*
 * Prints what the C codec says of the inputs in standard input.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * An input is a byte that says who sent it, a length of 4 bytes, and so many
 * bytes, which are messages.  A line of output has the code of each message
 * in turn, up to the first that is wrong or not whole.
 */

#include <stdio.h>
#include <stdlib.h>

#include "codec-judge.h"

static void verdict(const uint8_t *at, size_t left, int from)
{
    UsbRemoteLimits limits = usb_remote_default_limits();
    size_t used;
    int code;

    do {
        code = codec_judge(at, left, from, &limits, &used);
        printf("%d ", code);
        at += used;
        left -= used;
    } while (code == USB_REMOTE_ERROR_NONE || code == SKIP);
    printf("\n");
}

int main(void)
{
    uint8_t head[5];

    while (fread(head, sizeof(head), 1, stdin) == 1) {
        size_t size = usb_remote_get32(head + 1);
        uint8_t *data = malloc(size ? size : 1);

        if (size && fread(data, size, 1, stdin) != 1) {
            fprintf(stderr, "the last input ends early\n");
            return 1;
        }
        verdict(data, size, head[0]);
        free(data);
    }
    return 0;
}
