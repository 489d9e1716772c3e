/*
 * Modules for what is plugged in, as udev has them loaded.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hotplug.h"

enum { KERNEL_EVENTS = 1, BUFFER = 1 << 20 };

static int open_events(void)
{
    struct sockaddr_nl address = {
        .nl_family = AF_NETLINK, .nl_groups = KERNEL_EVENTS,
    };
    int size = BUFFER;
    int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC,
                    NETLINK_KOBJECT_UEVENT);

    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address))) {
        perror("init: no kernel events");
        _exit(1);
    }
    return fd;
}

/* The value of KEY= in an event, which is strings one after the other. */
static const char *value_of(const char *event, size_t length, const char *key)
{
    size_t size = strlen(key);

    for (const char *p = event; p < event + length; p += strlen(p) + 1) {
        if (!strncmp(p, key, size)) {
            return p + size;
        }
    }
    return NULL;
}

/* The driver of hubs is in usbcore; each controller brings some at boot. */
static int is_hub(const char *modalias)
{
    return !strncmp(modalias, "usb:", 4) && strstr(modalias, "ic09") != NULL;
}

static void load_for(const char *modalias)
{
    pid_t pid = fork();

    if (pid == 0) {
        execl("/bin/modprobe", "modprobe", "-q", "-b", modalias, NULL);
        _exit(127);
    }
    if (pid > 0) {
        waitpid(pid, NULL, 0);
    }
}

static void tell(int file, const char *number)
{
    char line[24];
    int length = snprintf(line, sizeof(line), "%20s\n", number);

    if (pwrite(file, line, length, 0) != length) {
        perror("init: " HOTPLUG_FILE);
    }
}

static void serve(int events, int file)
{
    static char event[8192];

    for (;;) {
        ssize_t n = recv(events, event, sizeof(event) - 1, 0);
        const char *modalias, *number;

        if (n <= 0) {
            continue;           /* too many at once: the next one tells */
        }
        event[n] = '\0';
        modalias = value_of(event, n, "MODALIAS=");
        number = value_of(event, n, "SEQNUM=");
        if (modalias && !strncmp(event, "add@", 4) && !is_hub(modalias)) {
            load_for(modalias);
        }
        if (number) {
            tell(file, number);
        }
    }
}

void hotplug_start(void)
{
    int file = open(HOTPLUG_FILE, O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    int events = open_events();

    if (fork() == 0) {
        serve(events, file);
    }
    close(events);
    close(file);
}
