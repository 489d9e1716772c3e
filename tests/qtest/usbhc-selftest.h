/*
 * Cases for the small host controller drivers themselves, and what others
 * need of them to use devices that QEMU has anyway
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef USBHC_SELFTEST_H
#define USBHC_SELFTEST_H

#include "usbhc.h"

void usbhc_selftest_add(const UsbHcDriver *drv);

/* "a" on the keyboard */
void usbhc_press_key(QTestState *qts);
/* Begin a command of the bulk-only transport, with @length bytes of IN data */
void usbhc_storage_start(UsbHcEndpoint *out, const uint8_t *command, size_t n,
                         uint32_t length);
/* All of such a command */
void usbhc_storage_command(UsbHcEndpoint *out, UsbHcEndpoint *in,
                           const uint8_t *command, size_t n, uint8_t *data,
                           uint32_t length);

#endif
