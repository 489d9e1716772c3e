/*
 * A client of libusb: an interface that a driver of the kernel has.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>

#include "client.h"

static void expect(const char *what, int got, int want)
{
    if (got != want) {
        wrong("%s: %d, not %d", what, got, want);
    }
}

int claim(Client *client, char **words)
{
    libusb_device_handle *one = client->handle, *other;

    if (words[0]) {
        usage();
    }
    libusb_set_auto_detach_kernel_driver(one, 0);
    expect("open again", libusb_open(libusb_get_device(one), &other), 0);
    expect("has a driver", libusb_kernel_driver_active(one, 0), 1);
    expect("claim, with a driver", libusb_claim_interface(one, 0),
           LIBUSB_ERROR_BUSY);
    expect("detach", libusb_detach_kernel_driver(one, 0), 0);
    expect("claim", libusb_claim_interface(one, 0), 0);
    expect("claim by another", libusb_claim_interface(other, 0),
           LIBUSB_ERROR_BUSY);
    expect("setting 1", libusb_set_interface_alt_setting(one, 0, 1), 0);
    expect("setting 0", libusb_set_interface_alt_setting(one, 0, 0), 0);
    expect("setting 2", libusb_set_interface_alt_setting(one, 0, 2),
           LIBUSB_ERROR_NOT_FOUND);
    expect("release", libusb_release_interface(one, 0), 0);
    expect("attach", libusb_attach_kernel_driver(one, 0), 0);
    expect("has a driver again", libusb_kernel_driver_active(one, 0), 1);
    libusb_close(other);
    puts("ok");
    return 0;
}
