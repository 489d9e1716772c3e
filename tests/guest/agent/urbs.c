/*
 * Queue transfers on a USB endpoint, take some back, tell what became of all.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 *   urbs DEVICE ENDPOINT LENGTH STEP...
 *
 * DEVICE is a node in /dev/bus/usb, ENDPOINT one of interface 0, LENGTH the
 * bytes of each URB.  URBs are numbered from 0 on.  What OUT URBs carry is a
 * stream of 32-bit numbers, little-endian, that goes up by one.  The steps:
 *
 *   s       submit the next URB
 *   dN      discard URB N; no matter if it has ended already
 *   r       wait for the next URB that ends and tell about it
 *   cR,V    vendor request R to the device, with wValue V and this endpoint
 *           as wIndex
 *
 * It prints a line "urb NUMBER STATUS BYTES RUNS" for each URB that ended;
 * RUNS are the numbers in its bytes, "7+3,20+1" for 7, 8, 9 and 20.
 * Exit status 0 when each "r" got its URB.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PLACES 64               /* more than are ever in flight */
#define LIMIT_MS 20000          /* for an URB to end, or a control request */
#define VENDOR_OUT 0x40         /* bmRequestType: vendor, to the device */

static int device;
static unsigned endpoint, length;

static struct {
    struct usbdevfs_urb urb;
    unsigned number;
    int busy;
} places[PLACES];
static unsigned submitted;

static void fail(const char *what)
{
    fflush(stdout);
    fprintf(stderr, "urbs: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void fill(uint32_t *data, uint32_t first)
{
    for (unsigned i = 0; i < length / 4; i++) {
        data[i] = htole32(first + i);
    }
}

static void submit(void)
{
    unsigned number = submitted++;
    struct usbdevfs_urb *urb = &places[number % PLACES].urb;

    if (places[number % PLACES].busy) {
        errno = ENOBUFS;
        fail("submit");
    }
    places[number % PLACES].busy = 1;
    places[number % PLACES].number = number;
    urb->type = USBDEVFS_URB_TYPE_BULK;
    urb->endpoint = endpoint;
    urb->buffer_length = length;
    if (!urb->buffer) {
        urb->buffer = calloc(1, length);
    }
    if (!(endpoint & 0x80)) {
        fill(urb->buffer, number * (length / 4));
    }
    if (ioctl(device, USBDEVFS_SUBMITURB, urb)) {
        fail("submit");
    }
}

static void discard(unsigned number)
{
    unsigned place = number % PLACES;

    if (places[place].busy && places[place].number == number &&
        ioctl(device, USBDEVFS_DISCARDURB, &places[place].urb) &&
        errno != EINVAL) {
        fail("discard");
    }
}

static void print_runs(const uint32_t *data, unsigned count)
{
    unsigned i = 0;

    while (i < count) {
        unsigned start = i++;

        while (i < count && le32toh(data[i]) == le32toh(data[i - 1]) + 1) {
            i++;
        }
        printf("%s%u+%u", start ? "," : " ", le32toh(data[start]), i - start);
    }
}

/* An URB has its place for as long as it is in the kernel's hands. */
static void tell(const struct usbdevfs_urb *urb)
{
    unsigned place = 0;

    while (&places[place].urb != urb) {
        place++;
    }
    places[place].busy = 0;
    printf("urb %u %d %d", places[place].number, urb->status,
           urb->actual_length);
    print_runs(urb->buffer, urb->actual_length / 4);
    putchar('\n');
}

static void reap(void)
{
    struct pollfd ended = { device, POLLOUT, 0 };
    struct usbdevfs_urb *urb;

    switch (poll(&ended, 1, LIMIT_MS)) {
    case 0:
        errno = ETIMEDOUT;
        /* fall through */
    case -1:
        fail("no URB ended");
    }
    if (ioctl(device, USBDEVFS_REAPURBNDELAY, &urb)) {
        fail("reap");
    }
    tell(urb);
}

static void control(unsigned request, unsigned value)
{
    struct usbdevfs_ctrltransfer setup = {
        VENDOR_OUT, request, value, endpoint, 0, LIMIT_MS, NULL
    };

    if (ioctl(device, USBDEVFS_CONTROL, &setup) < 0) {
        fail("control request");
    }
}

static void step(const char *word)
{
    unsigned a, b;

    if (!strcmp(word, "s")) {
        submit();
    } else if (!strcmp(word, "r")) {
        reap();
    } else if (sscanf(word, "d%u", &a) == 1) {
        discard(a);
    } else if (sscanf(word, "c%u,%u", &a, &b) == 2) {
        control(a, b);
    } else {
        fprintf(stderr, "urbs: no such step: %s\n", word);
        exit(2);
    }
}

static void open_device(const char *path)
{
    unsigned interface = 0;

    device = open(path, O_RDWR | O_CLOEXEC);
    if (device < 0 || ioctl(device, USBDEVFS_CLAIMINTERFACE, &interface)) {
        fail(path);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: urbs DEVICE ENDPOINT LENGTH STEP...\n");
        return 2;
    }
    open_device(argv[1]);
    endpoint = strtoul(argv[2], NULL, 0);
    length = strtoul(argv[3], NULL, 0);
    for (int i = 4; i < argc; i++) {
        step(argv[i]);
    }
    return 0;
}
