/*
 * A peer for the library's tests: echoes what bulk OUT brings on bulk IN
 *
 * SPDX-License-Identifier: MIT
 *
 * usage: echo connect|listen ADDRESS
 * Includes nothing of the library but its public header.
 */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "usbremote.h"

#define DEPTH   16

typedef struct Echo {
    UsbRemotePeer *peer;
    UsbRemoteRequest *in[DEPTH];    /* waiting, oldest first */
    size_t waiting;
    uint8_t data[1 << 20];
    size_t size;
    int status;
} Echo;

static volatile int stop;

static void on_signal(int number)
{
    stop = number;
}

static void opened(void *opaque)
{
    Echo *e = (Echo *)opaque;
    UsbRemotePlug plug;

    memset(&plug, 0, sizeof(plug));
    plug.speeds = 1u << USB_REMOTE_SPEED_HIGH;
    usbremote_attach(e->peer, &plug);
}

static void control(UsbRemoteRequest *r)
{
    static const uint8_t device[18] = {
        18, 1, 0, 2, 0xff, 0, 0, 64, 0x09, 0x12, 1, 0, 0, 1, 0, 0, 0, 1
    };
    const uint8_t *setup = usbremote_setup(r);
    uint32_t length = usbremote_length(r);

    if (setup[0] == 0x80 && setup[1] == 6 && setup[3] == 1) {
        usbremote_complete(r, USB_REMOTE_STATUS_OK, device,
                           length < sizeof(device) ? length
                                                   : sizeof(device));
    } else {
        usbremote_complete(r, USB_REMOTE_STATUS_STALL, NULL, 0);
    }
}

static void send_back(Echo *e)
{
    if (e->size && e->waiting) {
        usbremote_complete(e->in[0], USB_REMOTE_STATUS_OK, e->data,
                           (uint32_t)e->size);
        e->waiting--;
        memmove(e->in, e->in + 1, e->waiting * sizeof(e->in[0]));
        e->size = 0;
    }
}

static void submit(void *opaque, UsbRemoteRequest *r)
{
    Echo *e = (Echo *)opaque;

    if (usbremote_type(r) == USB_REMOTE_TYPE_CONTROL) {
        control(r);
    } else if (!usbremote_is_in(r)) {
        e->size = usbremote_length(r);
        memcpy(e->data, usbremote_data(r), e->size);
        usbremote_complete(r, USB_REMOTE_STATUS_OK, NULL,
                           (uint32_t)e->size);
    } else if (e->waiting < DEPTH) {
        e->in[e->waiting++] = r;
    } else {
        usbremote_complete(r, USB_REMOTE_STATUS_STALL, NULL, 0);
    }
    send_back(e);
}

static void forget(void *opaque, UsbRemoteRequest *r)
{
    Echo *e = (Echo *)opaque;
    size_t i, kept = 0;

    for (i = 0; i < e->waiting; i++) {
        if (e->in[i] != r) {
            e->in[kept++] = e->in[i];
        }
    }
    e->waiting = kept;
}

static void closed(void *opaque, UsbRemoteEnd end, const char *text)
{
    Echo *e = (Echo *)opaque;

    e->status = end == USBREMOTE_END_BYE || end == USBREMOTE_END_REMOVED
                ? 0 : 1;
    fprintf(stderr, "echo: %s\n", text);
}

static int start(UsbRemotePeer *peer, const char *how, const char *address)
{
    int listening, error;

    if (strcmp(how, "connect") == 0) {
        return usbremote_connect(peer, address);
    }
    listening = usbremote_listen(address);
    if (listening < 0) {
        return listening;
    }
    error = usbremote_accept(peer, listening);
    close(listening);
    return error;
}

int main(int argc, char **argv)
{
    static Echo echo;
    UsbRemoteCallbacks callbacks;
    int error;

    signal(SIGTERM, on_signal);
    memset(&callbacks, 0, sizeof(callbacks));
    callbacks.size = sizeof(callbacks);
    callbacks.opened = opened;
    callbacks.submit = submit;
    callbacks.cancelled = forget;
    callbacks.dropped = forget;
    callbacks.closed = closed;
    echo.peer = usbremote_new(&callbacks, &echo, "echo", NULL);
    if (argc != 3 || !echo.peer) {
        return 2;
    }
    error = start(echo.peer, argv[1], argv[2]);
    if (!error) {
        error = usbremote_run(echo.peer, &stop);
    }
    if (error) {
        fprintf(stderr, "echo: %s: %s\n", argv[2], strerror(-error));
    }
    usbremote_free(echo.peer);
    return error ? 1 : echo.status;
}
