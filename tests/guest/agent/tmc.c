/*
 * One message to a USBTMC instrument, and its answer.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 *   tmc PATH LENGTH PIECE < MESSAGE > ANSWER
 *
 * The message is one write, the answer of LENGTH bytes is read with reads of
 * at most PIECE bytes.  The kernel's usual five seconds for each are too few
 * on a busy machine; here they are a minute.  Exit status 0 when all went
 * through.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/usb/tmc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LIMIT_MS 60000
#define LARGEST (1 << 20)

static char data[LARGEST];

static void fail(const char *what)
{
    fprintf(stderr, "tmc: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void send_message(int fd)
{
    size_t size = fread(data, 1, sizeof(data), stdin);

    if (write(fd, data, size) != (ssize_t)size) {
        fail("write");
    }
}

static void read_answer(int fd, size_t length, size_t piece)
{
    while (length) {
        ssize_t n = read(fd, data, piece < length ? piece : length);

        if (n <= 0) {
            fail("read");
        }
        fwrite(data, 1, n, stdout);
        length -= n;
    }
}

int main(int argc, char **argv)
{
    __u32 limit = LIMIT_MS;
    size_t length, piece;
    int fd;

    if (argc != 4) {
        fprintf(stderr, "usage: tmc PATH LENGTH PIECE\n");
        return 2;
    }
    length = strtoul(argv[2], NULL, 0);
    piece = strtoul(argv[3], NULL, 0);
    fd = open(argv[1], O_RDWR | O_CLOEXEC);
    if (fd < 0 || piece > sizeof(data) ||
        ioctl(fd, USBTMC_IOCTL_SET_TIMEOUT, &limit)) {
        fail(argv[1]);
    }
    send_message(fd);
    read_answer(fd, length, piece);
    return 0;
}
