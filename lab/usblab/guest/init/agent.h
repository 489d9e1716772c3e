/*
 * The guest's end of the result channel.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Lines of text, and counted bytes where output is carried:
 *
 *   host to guest   run ID COMMAND LINE        start it with sh -c
 *                   kill ID                    end the whole process group
 *   guest to host   hello RELEASE              once, the kernel's release
 *                   out ID LENGTH              LENGTH bytes follow
 *                   end ID STATUS              exit status, 128+N for signal N
 *
 * ID is a decimal number of the host's choice.  Any number of commands run
 * at a time (up to AGENT_JOBS), each with both its outputs in one pipe.
 */
#ifndef GUEST_AGENT_H
#define GUEST_AGENT_H

#include <sys/types.h>

#define AGENT_JOBS 32

/* Serve the channel at @path until it cannot be read any more. */
void agent_serve(const char *path);

/* Reap one child, whichever ends next; its pid, or -1 when there is none. */
pid_t agent_wait_child(void);

#endif
