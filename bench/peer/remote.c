/*
 * The measured Gadget Zero behind usb-remote.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 *     remote unix:PATH
 *
 * connects to the chardev of a usb-remote device and serves it to its end.
 */

#include <stdio.h>
#include <string.h>

#include "usbremote.h"
#include "zero.h"

typedef struct Remote {
    UsbRemotePeer *peer;
    Zero zero;
} Remote;

static void opened(void *opaque)
{
    UsbRemotePlug plug = { 1u << USB_REMOTE_SPEED_HIGH, 0, 0, NULL, 0 };

    usbremote_attach(((Remote *)opaque)->peer, &plug);
}

static void reset(void *opaque, int speed)
{
    (void)speed;                /* there is but one */
    zero_reset(&((Remote *)opaque)->zero);
}

static void submit(void *opaque, UsbRemoteRequest *request)
{
    Zero *zero = &((Remote *)opaque)->zero;
    uint8_t endpoint = usbremote_endpoint(request);
    ZeroAnswer a = endpoint ?
        zero_transfer(zero, endpoint, usbremote_length(request)) :
        zero_control(zero, usbremote_setup(request),
                     usbremote_data(request));

    usbremote_complete(request, a.stall ? USB_REMOTE_STATUS_STALL :
                       USB_REMOTE_STATUS_OK, a.data, a.length);
}

static void closed(void *opaque, UsbRemoteEnd end, const char *text)
{
    (void)opaque;
    if (end != USBREMOTE_END_BYE && end != USBREMOTE_END_REMOVED &&
        end != USBREMOTE_END_LOST) {
        fprintf(stderr, "remote: %s\n", text);
    }
}

int main(int argc, char **argv)
{
    static Remote remote;
    UsbRemoteCallbacks callbacks;
    int error;

    if (argc != 2) {
        fprintf(stderr, "usage: remote unix:PATH\n");
        return 2;
    }
    memset(&callbacks, 0, sizeof(callbacks));
    callbacks.size = sizeof(callbacks);
    callbacks.opened = opened;
    callbacks.reset = reset;
    callbacks.submit = submit;
    callbacks.closed = closed;
    remote.peer = usbremote_new(&callbacks, &remote, "bench", NULL);
    error = remote.peer ? usbremote_connect(remote.peer, argv[1]) : -1;
    error = error ? error : usbremote_run(remote.peer, NULL);
    if (error) {
        fprintf(stderr, "remote: %s: %s\n", argv[1], strerror(-error));
    }
    usbremote_free(remote.peer);
    return error != 0;
}
