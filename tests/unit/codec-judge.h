/*
 * What a receiver makes of bytes, as the C codec has it.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef CODEC_JUDGE_H
#define CODEC_JUDGE_H

#include "remote-codec.h"

/* What codec_judge() finds besides the codes of USB_REMOTE_ERROR_*. */
enum {
    MORE = -1,                  /* bytes are missing */
    SKIP = -2,                  /* unknown but optional */
};

/*
 * What a receiver makes of the @have bytes at @buf: a code, MORE or SKIP.
 * *@used is the length of the message when there is one.
 */
static inline int codec_judge(const uint8_t *buf, size_t have, int from,
                              const UsbRemoteLimits *limits, size_t *used)
{
    UsbRemoteHead head;
    bool skip;
    int code;

    *used = 0;
    if (have < sizeof(UsbRemoteHeader)) {
        return MORE;
    }
    head = usb_remote_get_header(buf);
    code = usb_remote_check_header(&head, from, limits, &skip);
    if (code != USB_REMOTE_ERROR_NONE) {
        return code;
    }
    if (have - sizeof(UsbRemoteHeader) < head.length) {
        return MORE;
    }
    *used = sizeof(UsbRemoteHeader) + head.length;
    return skip ? SKIP
                : usb_remote_check_body(&head, buf + sizeof(UsbRemoteHeader),
                                        limits);
}

#endif
