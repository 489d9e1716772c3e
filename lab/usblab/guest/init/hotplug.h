/*
 * Modules for what is plugged in, as udev has them loaded.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef GUEST_HOTPLUG_H
#define GUEST_HOTPLUG_H

/* What the file says: the number of the last event that was acted on. */
#define HOTPLUG_FILE "/tmp/hotplug"

/*
 * A process that runs modprobe for each device that the kernel announces.
 * Events are acted on one after the other; with /sys/kernel/uevent_seqnum,
 * HOTPLUG_FILE tells whether all of them were.
 */
void hotplug_start(void);

#endif
