/*
 * A peer in a process of its own, which can be stopped
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * It plugs in the device of peer_device_init() at super speed, answers control
 * requests, leaves all others without an answer and answers their cancelling.
 * Stopped by a signal, it does nothing at all, as a program that hangs.
 */

#ifndef USB_REMOTE_FORKED_H
#define USB_REMOTE_FORKED_H

#include "usb-remote-peer.h"

typedef struct ForkedPeer ForkedPeer;
/* The process; @path is the chardev's socket.  It never returns. */
typedef void ForkedMain(ForkedPeer *forked, const char *path);

ForkedPeer *forked_peer_new(ForkedMain *main_function, const char *path);
void forked_peer_free(ForkedPeer *forked);
void forked_peer_stop(ForkedPeer *forked);
void forked_peer_cont(ForkedPeer *forked);

/* What it has received: transfers, and cancels of them */
uint64_t forked_peer_submits(ForkedPeer *forked);
uint64_t forked_peer_cancels(ForkedPeer *forked);
/* Wait for @more transfers than there were at forked_peer_expect(). */
void forked_peer_expect(ForkedPeer *forked, unsigned more);
void forked_peer_wait(ForkedPeer *forked);

/* For the process: connect; wait for bytes, not for long; count. */
Peer *forked_peer_connect(const char *path);
void forked_peer_poll(Peer *peer);
void forked_peer_count_submit(ForkedPeer *forked);
void forked_peer_count_cancel(ForkedPeer *forked);

/* Speaks usb-remote's protocol */
ForkedMain forked_remote_main;
/* Speaks usb-redir's, as much as a comparison needs */
ForkedMain forked_redir_main;

#endif
