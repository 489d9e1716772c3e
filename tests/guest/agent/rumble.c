/*
 * Have an input device rumble until this program is killed.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 *   rumble PATH STRONG WEAK
 *
 * PATH is a node in /dev/input; the magnitudes go from 0 to 65535.  The
 * kernel ends what a program plays when it closes the node.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct ff_effect effect = { .type = FF_RUMBLE, .id = -1 };
    struct input_event play = { .type = EV_FF, .value = 1 };
    int fd;

    if (argc != 4) {
        fprintf(stderr, "usage: rumble PATH STRONG WEAK\n");
        return 2;
    }
    effect.u.rumble.strong_magnitude = strtoul(argv[2], NULL, 0);
    effect.u.rumble.weak_magnitude = strtoul(argv[3], NULL, 0);
    fd = open(argv[1], O_RDWR | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, EVIOCSFF, &effect) < 0) {
        fprintf(stderr, "rumble: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    play.code = effect.id;
    if (write(fd, &play, sizeof(play)) != sizeof(play)) {
        perror("rumble: play");
        return 1;
    }
    return pause();
}
