/*
 * A peer in a process of its own, which can be stopped
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#ifdef CONFIG_LINUX
#include <sys/prctl.h>
#endif
#include "usb-remote-forked.h"

#define POLL_MS     10

/* Seen by both processes */
typedef struct ForkedCounts {
    uint64_t submits;
    uint64_t cancels;
    uint64_t expected;          /* submits at which a byte is written */
} ForkedCounts;

struct ForkedPeer {
    pid_t pid;
    int tell[2];                /* pipe: a byte when the expected are there */
    ForkedCounts *counts;
};

/* The test's side */

ForkedPeer *forked_peer_new(ForkedMain *main_function, const char *path)
{
    ForkedPeer *forked = g_new0(ForkedPeer, 1);

    forked->counts = mmap(NULL, sizeof(ForkedCounts), PROT_READ | PROT_WRITE,
                          MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert_true(forked->counts != MAP_FAILED);
    g_assert_cmpint(pipe(forked->tell), ==, 0);
    forked->pid = fork();
    g_assert_cmpint(forked->pid, >=, 0);
    if (forked->pid == 0) {
#ifdef CONFIG_LINUX
        /* Stopped or not, it does not outlive the test. */
        prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
        main_function(forked, path);
        _exit(0);
    }
    return forked;
}

void forked_peer_free(ForkedPeer *forked)
{
    kill(forked->pid, SIGKILL);
    g_assert_cmpint(waitpid(forked->pid, NULL, 0), ==, forked->pid);
    munmap(forked->counts, sizeof(ForkedCounts));
    close(forked->tell[0]);
    close(forked->tell[1]);
    g_free(forked);
}

/* The signal is handled when the process is seen to have stopped. */
void forked_peer_stop(ForkedPeer *forked)
{
    int status;

    g_assert_cmpint(kill(forked->pid, SIGSTOP), ==, 0);
    g_assert_cmpint(waitpid(forked->pid, &status, WUNTRACED), ==, forked->pid);
    g_assert_true(WIFSTOPPED(status));
}

void forked_peer_cont(ForkedPeer *forked)
{
    g_assert_cmpint(kill(forked->pid, SIGCONT), ==, 0);
}

uint64_t forked_peer_submits(ForkedPeer *forked)
{
    return qatomic_read_u64(&forked->counts->submits);
}

uint64_t forked_peer_cancels(ForkedPeer *forked)
{
    return qatomic_read_u64(&forked->counts->cancels);
}

void forked_peer_expect(ForkedPeer *forked, unsigned more)
{
    qatomic_set_u64(&forked->counts->expected,
                    forked_peer_submits(forked) + more);
}

void forked_peer_wait(ForkedPeer *forked)
{
    struct pollfd pfd = { .fd = forked->tell[0], .events = POLLIN };
    char byte;

    if (RETRY_ON_EINTR(poll(&pfd, 1, PEER_DEADLINE_S * 1000)) != 1) {
        g_error("after %d s the peer has %" PRIu64 " of %" PRIu64
                " transfers", PEER_DEADLINE_S, forked_peer_submits(forked),
                qatomic_read_u64(&forked->counts->expected));
    }
    g_assert_cmpint(read(forked->tell[0], &byte, 1), ==, 1);
}

/* The process's side */

void forked_peer_poll(Peer *peer)
{
    struct pollfd pfd = { .fd = peer->fd, .events = POLLIN };

    poll(&pfd, 1, POLL_MS);
}

static void poll_step(void *peer)
{
    forked_peer_poll(peer);
}

Peer *forked_peer_connect(const char *path)
{
    Peer *peer = peer_new(poll_step, NULL);

    peer->step_opaque = peer;
    peer_connect(peer, path);
    return peer;
}

void forked_peer_count_submit(ForkedPeer *forked)
{
    uint64_t submits = forked_peer_submits(forked) + 1;

    qatomic_set_u64(&forked->counts->submits, submits);
    if (submits == qatomic_read_u64(&forked->counts->expected)) {
        g_assert_cmpint(write(forked->tell[1], "", 1), ==, 1);
    }
}

void forked_peer_count_cancel(ForkedPeer *forked)
{
    qatomic_set_u64(&forked->counts->cancels,
                    forked_peer_cancels(forked) + 1);
}

/* usb-remote: the scripted peer, with no script */

static bool count_or_answer(Peer *peer, PeerMessage *m, void *forked)
{
    switch (m->head.type) {
    case USB_REMOTE_MSG_SUBMIT:
        if (peer_submit(m)->type[0] == USB_REMOTE_TYPE_CONTROL) {
            return false;
        }
        forked_peer_count_submit(forked);
        peer_message_free(m);
        return true;
    case USB_REMOTE_MSG_CANCEL:
        forked_peer_count_cancel(forked);
        peer_answer(peer, m, USB_REMOTE_STATUS_CANCELLED);
        return true;
    default:
        return false;
    }
}

static void drop_all(Peer *peer)
{
    PeerMessage *m;

    while ((m = g_queue_pop_head(&peer->messages))) {
        peer_message_free(m);
    }
}

void forked_remote_main(ForkedPeer *forked, const char *path)
{
    Peer *peer = forked_peer_connect(path);

    peer_handshake(peer);
    peer->hook = count_or_answer;
    peer->hook_opaque = forked;
    peer_attach(peer, 1 << USB_REMOTE_SPEED_SUPER);
    while (!peer->eof) {
        forked_peer_poll(peer);
        peer_pump(peer);
        drop_all(peer);
    }
}
