/*
 * A client of libusb: one device, one of its interfaces.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <stdlib.h>

#include "client.h"

/* The kernel's limit for all usbfs transfers is 16 MiB; 0 takes it away. */
static void allow_memory(void)
{
    static const char path[] =
        "/sys/module/usbcore/parameters/usbfs_memory_mb";
    FILE *file = fopen(path, "w");

    if (!file || fputs("0\n", file) < 0 || fclose(file)) {
        perror(path);
        exit(1);
    }
}

/* The kernel refuses while an interface has a driver. */
static void configure(Client *client, int configuration)
{
    int now, error = libusb_get_configuration(client->handle, &now);

    if (!error && now == configuration) {
        return;
    }
    error = libusb_detach_kernel_driver(client->handle, 0);
    if (error && error != LIBUSB_ERROR_NOT_FOUND) {
        fail("detach the driver", error);
    }
    error = libusb_set_configuration(client->handle, configuration);
    if (error) {
        fail("set the configuration", error);
    }
}

static bool is_wanted(libusb_device *device, const Wanted *wanted)
{
    struct libusb_device_descriptor d;

    return libusb_get_device_descriptor(device, &d) == 0 &&
           d.idVendor == wanted->vendor && d.idProduct == wanted->product &&
           (!wanted->bus ||
            (libusb_get_bus_number(device) == wanted->bus &&
             libusb_get_device_address(device) == wanted->address));
}

static void open_wanted(Client *client, const Wanted *wanted)
{
    libusb_device **devices;
    ssize_t count = libusb_get_device_list(client->context, &devices);
    int error = count < 0 ? count : LIBUSB_ERROR_NO_DEVICE;

    for (ssize_t i = 0; i < count; i++) {
        if (is_wanted(devices[i], wanted)) {
            error = libusb_open(devices[i], &client->handle);
            break;
        }
    }
    if (error) {
        fail("open the device", error);
    }
    libusb_free_device_list(devices, 1);
}

void client_open(Client *client, const Wanted *wanted, int configuration)
{
    int error = libusb_init(&client->context);

    if (error) {
        fail("libusb_init", error);
    }
    allow_memory();
    client->interface = -1;
    open_wanted(client, wanted);
    if (configuration) {
        configure(client, configuration);
    }
    libusb_set_auto_detach_kernel_driver(client->handle, 1);
}

/* Note the endpoints of @type; whether there is one in each direction. */
static bool take_endpoints(Client *client,
                           const struct libusb_interface_descriptor *setting,
                           enum libusb_endpoint_transfer_type type)
{
    client->in = client->out = 0;
    for (int i = 0; i < setting->bNumEndpoints; i++) {
        const struct libusb_endpoint_descriptor *e = &setting->endpoint[i];
        int packet = e->wMaxPacketSize & 0x7ff;

        if ((e->bmAttributes & LIBUSB_TRANSFER_TYPE_MASK) != (int)type) {
            continue;
        }
        if (e->bEndpointAddress & LIBUSB_ENDPOINT_IN) {
            client->in = e->bEndpointAddress;
            client->in_packet = packet;
        } else {
            client->out = e->bEndpointAddress;
            client->out_packet = packet;
        }
    }
    return client->in && client->out;
}

static const struct libusb_interface_descriptor *find_setting(
    Client *client, const struct libusb_config_descriptor *configuration,
    enum libusb_endpoint_transfer_type type)
{
    for (int i = 0; i < configuration->bNumInterfaces; i++) {
        const struct libusb_interface *one = &configuration->interface[i];

        for (int a = 0; a < one->num_altsetting; a++) {
            if (take_endpoints(client, &one->altsetting[a], type)) {
                return &one->altsetting[a];
            }
        }
    }
    return NULL;
}

void client_claim(Client *client, enum libusb_endpoint_transfer_type type)
{
    const struct libusb_interface_descriptor *setting;
    struct libusb_config_descriptor *configuration;
    int error = libusb_get_active_config_descriptor(
        libusb_get_device(client->handle), &configuration);

    if (error) {
        fail("read the configuration", error);
    }
    setting = find_setting(client, configuration, type);
    if (!setting) {
        fail("no setting has such endpoints", LIBUSB_ERROR_NOT_FOUND);
    }
    client->interface = setting->bInterfaceNumber;
    error = libusb_claim_interface(client->handle, client->interface);
    if (error) {
        fail("claim the interface", error);
    }
    error = libusb_set_interface_alt_setting(
        client->handle, client->interface, setting->bAlternateSetting);
    if (error) {
        fail("choose the alternate setting", error);
    }
    libusb_free_config_descriptor(configuration);
}

void client_release(Client *client)
{
    int error = libusb_release_interface(client->handle, client->interface);

    if (error) {
        fail("release the interface", error);
    }
    client->interface = -1;
}

void client_close(Client *client)
{
    if (client->interface >= 0) {
        client_release(client);
    }
    libusb_close(client->handle);
    libusb_exit(client->context);
}
