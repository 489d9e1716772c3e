/*
 * Queues of transfer descriptors (TDs), as UHCI, OHCI and EHCI have them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A queue ends in an empty TD, its tail: the next transfer begins there, and
 * makes a new tail.  How a TD looks, only the controller's driver knows.
 */

#ifndef USBHC_QUEUE_H
#define USBHC_QUEUE_H

#include "usbhc.h"

/* What a TD asks the device for (USB 2.0 section 8.4.1) */
typedef enum UsbHcToken {
    USBHC_SETUP,
    USBHC_OUT,
    USBHC_IN,
} UsbHcToken;

UsbHcToken usbhc_td_token(const UsbHcTransfer *xfer, uint32_t i);
bool usbhc_td_has_data(const UsbHcTransfer *xfer, uint32_t i);

/* TDs for it: the tail is the first one, @tail the new tail. */
void usbhc_queue_append(UsbHcTransfer *xfer, uint32_t limit, uint64_t tail);
/* The TD that the queue goes on with */
uint64_t usbhc_queue_first(const UsbHcEndpoint *ep);
/* The transfer before this one, or NULL; the TD behind all of its own */
UsbHcTransfer *usbhc_queue_before(UsbHcTransfer *xfer);
uint64_t usbhc_queue_behind(UsbHcTransfer *xfer);

/* It is over, and its TDs are free: nobody may point at them any more. */
void usbhc_queue_done(UsbHcTransfer *xfer, UsbHcStatus status);
/* All that is left, which the controller has forgotten */
void usbhc_queue_free(UsbHcEndpoint *ep);

/* Look at one TD; false when there is nothing more to see in @xfer. */
typedef bool UsbHcHarvestTd(UsbHcTransfer *xfer);
void usbhc_queues_harvest(UsbHc *hc, UsbHcHarvestTd *harvest);
/*
 * Cancel @xfer, unless it turns out to have ended, in a queue that stands
 * still.  @relink has nobody point at its TDs.  True if the controller is to
 * go on at usbhc_queue_first(); a queue that has halted waits for its recovery.
 */
bool usbhc_queue_take_out(UsbHcTransfer *xfer, UsbHcHarvestTd *harvest,
                          void (*relink)(UsbHcTransfer *xfer));

#endif
