/*
 * Print what an input device says, event by event.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 *   evread NAME [PHYS]
 *
 * waits for the input device whose name is NAME (and whose physical path
 * begins with PHYS), prints "open /dev/input/eventN", then one line
 * "SECONDS.MICROSECONDS TYPE CODE VALUE" for each event, then "gone" when
 * the device is unplugged.  Exit status 0 only for "gone".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NODES 64

/* Whether the device open at @fd is the one wanted. */
static int matches(int fd, const char *name, const char *phys)
{
    char text[256] = "";

    if (ioctl(fd, EVIOCGNAME(sizeof(text) - 1), text) < 0 ||
        strcmp(text, name)) {
        return 0;
    }
    if (!phys) {
        return 1;
    }
    memset(text, 0, sizeof(text));
    return ioctl(fd, EVIOCGPHYS(sizeof(text) - 1), text) >= 0 &&
           !strncmp(text, phys, strlen(phys));
}

static int open_device(const char *name, const char *phys)
{
    char path[64];

    for (int i = 0; i < NODES; i++) {
        snprintf(path, sizeof(path), "/dev/input/event%d", i);
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd >= 0 && matches(fd, name, phys)) {
            printf("open %s\n", path);
            fflush(stdout);
            return fd;
        }
        if (fd >= 0) {
            close(fd);
        }
    }
    return -1;
}

/* The watch is set first, so that a device coming meanwhile is not missed. */
static int wait_for_device(const char *name, const char *phys)
{
    char events[4096];
    int fd, watch = inotify_init1(IN_CLOEXEC);

    mkdir("/dev/input", 0755);  /* it is there from the first device on */
    if (watch < 0 || inotify_add_watch(watch, "/dev/input", IN_CREATE) < 0) {
        perror("evread: cannot watch /dev/input");
        return -1;
    }
    while ((fd = open_device(name, phys)) < 0) {
        if (read(watch, events, sizeof(events)) < 0 && errno != EINTR) {
            perror("evread: cannot watch /dev/input");
            break;
        }
    }
    close(watch);
    return fd;
}

static void print_events(const struct input_event *event, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf("%llu.%06llu %u %u %d\n",
               (unsigned long long)event[i].input_event_sec,
               (unsigned long long)event[i].input_event_usec,
               event[i].type, event[i].code, event[i].value);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    struct input_event events[64];
    ssize_t n;
    int fd;

    if (argc < 2) {
        fprintf(stderr, "usage: evread NAME [PHYS]\n");
        return 2;
    }
    fd = wait_for_device(argv[1], argc > 2 ? argv[2] : NULL);
    if (fd < 0) {
        return 1;
    }
    while ((n = read(fd, events, sizeof(events))) > 0) {
        print_events(events, n / sizeof(events[0]));
    }
    if (errno != ENODEV) {
        perror("evread: read");
        return 1;
    }
    puts("gone");
    return 0;
}
