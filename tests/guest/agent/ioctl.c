/*
 * One ioctl on a device node, for drivers that want to be told something.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 *   ioctl PATH REQUEST [SIZE]
 *
 * REQUEST is a number, as of strtoul().  With SIZE the request is given so
 * many zero bytes, and what they are afterwards is printed in hexadecimal.
 * Exit status 0 when it has succeeded.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
    unsigned char data[4096] = { 0 };
    size_t size = argc > 3 ? strtoul(argv[3], NULL, 0) : 0;
    int fd;

    if (argc < 3 || size > sizeof(data)) {
        fprintf(stderr, "usage: ioctl PATH REQUEST [SIZE]\n");
        return 2;
    }
    fd = open(argv[1], O_RDWR | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, strtoul(argv[2], NULL, 0), data) < 0) {
        fprintf(stderr, "ioctl: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    for (size_t i = 0; i < size; i++) {
        printf("%02x", data[i]);
    }
    if (size) {
        putchar('\n');
    }
    return 0;
}
