/*
 * Cases for the small host controller drivers themselves
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef USBHC_SELFTEST_H
#define USBHC_SELFTEST_H

#include "usbhc.h"

void usbhc_selftest_add(const UsbHcDriver *drv);

#endif
