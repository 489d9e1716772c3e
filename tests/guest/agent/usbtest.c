/*
 * Have the kernel's usbtest driver run one of its tests.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 *   usbtest DEVICE TEST ITERATIONS LENGTH VARY SGLEN
 *
 * DEVICE is a node in /dev/bus/usb whose interface 0 the driver has; the
 * numbers are those of its struct usbtest_param.  Prints "passed", or
 * "not supported" or an error.  Exit status 0 only for "passed".
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

struct parameters {             /* as the driver has them on 64 bits */
    uint32_t test, iterations, length, vary, sglen;
    int64_t seconds, microseconds;
};

#define RUN_TEST _IOWR('U', 100, struct parameters)

int main(int argc, char **argv)
{
    struct parameters p = { 0 };
    struct usbdevfs_ioctl call = { 0, RUN_TEST, &p };
    int fd;

    if (argc != 7) {
        fprintf(stderr, "usage: usbtest DEVICE TEST ITERATIONS LENGTH VARY "
                "SGLEN\n");
        return 2;
    }
    p.test = strtoul(argv[2], NULL, 0);
    p.iterations = strtoul(argv[3], NULL, 0);
    p.length = strtoul(argv[4], NULL, 0);
    p.vary = strtoul(argv[5], NULL, 0);
    p.sglen = strtoul(argv[6], NULL, 0);
    fd = open(argv[1], O_RDWR);
    if (fd < 0) {
        perror(argv[1]);
        return 1;
    }
    if (ioctl(fd, USBDEVFS_IOCTL, &call) >= 0) {
        puts("passed");
        return 0;
    }
    puts(errno == EOPNOTSUPP ? "not supported" : strerror(errno));
    return 1;
}
