/* Invariant: no check reads outside its bytes; decode(encode(x)) is x. */
/*
 * The C codec under libFuzzer.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The first byte says who sent the rest, the second whether the limits are
 * small.  Each message is judged in a block of its own and whole, so that a
 * sanitizer sees a read beyond it; its header, and a HELLO's limits, must be
 * the same after they were written and read again.
 */

#include <stdint.h>
#include <stdlib.h>

#include "codec-judge.h"

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

static bool same_limits(const UsbRemoteLimits *a, const UsbRemoteLimits *b)
{
    return a->features == b->features && a->max_payload == b->max_payload &&
           a->max_control == b->max_control &&
           a->max_requests == b->max_requests &&
           a->max_per_endpoint == b->max_per_endpoint &&
           a->max_bytes == b->max_bytes;
}

static void header_again(const uint8_t *message)
{
    UsbRemoteHead head = usb_remote_get_header(message);
    uint8_t again[sizeof(UsbRemoteHeader)];

    usb_remote_put_header(again, &head);
    must(memcmp(message, again, sizeof(again)) == 0);
}

static UsbRemoteLimits widest(void)
{
    UsbRemoteLimits l;

    memset(&l, 0xff, sizeof(l));
    return l;
}

static void hello_again(const UsbRemoteHello *m)
{
    UsbRemoteLimits all = widest();
    UsbRemoteLimits joined = usb_remote_join_limits(&all, m), twice;
    UsbRemoteHello again;

    memset(&again, 0, sizeof(again));
    usb_remote_put_limits(&again, &joined);
    twice = usb_remote_join_limits(&all, &again);
    must(same_limits(&joined, &twice));
    must(joined.max_control <= joined.max_payload);
}

/* Whatever it is the answer to, its data is inside it. */
static void complete_fits(const UsbRemoteComplete *m, size_t size,
                          uint8_t request)
{
    uint32_t data = usb_remote_complete_data(m, size);
    int code = usb_remote_check_answer(m, size, request & 1, request,
                                       request & 2);

    must(data <= size - sizeof(*m));
    must(data == 0 || data == usb_remote_get32(m->length));
    must(code == USB_REMOTE_ERROR_NONE || code == USB_REMOTE_ERROR_MALFORMED);
}

static void accepted(const uint8_t *message, size_t size, uint8_t request)
{
    const uint8_t *body = message + sizeof(UsbRemoteHeader);

    switch (usb_remote_get_header(message).type) {
    case USB_REMOTE_MSG_HELLO:
        hello_again((const UsbRemoteHello *)body);
        break;
    case USB_REMOTE_MSG_COMPLETE:
        complete_fits((const UsbRemoteComplete *)body,
                      size - sizeof(UsbRemoteHeader), request);
        break;
    }
}

/* A message, or what there is of one; returns its size, or 0 at the end. */
static size_t one(const uint8_t *data, size_t size, int from,
                  const UsbRemoteLimits *limits, uint8_t request)
{
    uint8_t *copy = malloc(size ? size : 1);
    uint8_t *message;
    size_t used;
    int code;

    memcpy(copy, data, size);
    code = codec_judge(copy, size, from, limits, &used);
    free(copy);
    if (!used) {
        return 0;
    }
    message = malloc(used);
    memcpy(message, data, used);
    must(codec_judge(message, used, from, limits, &used) == code);
    header_again(message);
    must(usb_remote_message_name(usb_remote_get_header(message).type));
    if (code == USB_REMOTE_ERROR_NONE) {
        accepted(message, used, request);
    }
    free(message);
    return code == USB_REMOTE_ERROR_NONE || code == SKIP ? used : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    UsbRemoteLimits limits = usb_remote_default_limits();
    size_t used;

    if (size < 2) {
        return 0;
    }
    if (data[1] & 0x80) {
        limits.max_payload = USB_REMOTE_MIN_PAYLOAD;
        limits.max_control = USB_REMOTE_MIN_CONTROL;
    }
    usb_remote_magic_ok(data + 2, size - 2);
    if (size - 2 >= sizeof(UsbRemotePreamble)) {
        usb_remote_version_ok((const UsbRemotePreamble *)(data + 2));
    }
    for (size_t at = 2; at < size; at += used) {
        used = one(data + at, size - at, (data[0] & 1) + 1, &limits, data[1]);
        if (!used) {
            break;
        }
    }
    return 0;
}
