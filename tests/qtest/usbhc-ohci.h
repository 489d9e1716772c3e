/*
 * Registers and descriptors of OHCI, as far as its driver and the cases use
 * them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef USBHC_OHCI_H
#define USBHC_OHCI_H

#define HC_CONTROL      0x04
#define HC_COMMAND      0x08
#define HC_INTR_STATUS  0x0c
#define HC_HCCA         0x18
#define HC_CONTROL_HEAD 0x20
#define HC_BULK_HEAD    0x28
#define HC_FRAME        0x3c
#define HC_RH_A         0x48
#define HC_RH_STATUS    0x50
#define HC_PORT(n)      (0x54 + 4 * (n))

#define CONTROL_RUN     0xbf            /* all lists, operational */
#define CONTROL_BLE     (1 << 5)
#define CONTROL_NO_LISTS 0x83           /* operational all the same */
#define CONTROL_SUSPEND(run) ((run) | 0xc0)
#define CONTROL_RESUME(run) (((run) & ~0xc0) | 0x40)
#define COMMAND_RESET   (1 << 0)
#define COMMAND_CLF     (1 << 1)
#define COMMAND_BLF     (1 << 2)
#define INTR_WDH        (1 << 1)
#define INTR_SF         (1 << 2)
#define INTR_UE         (1 << 4)
#define INTR_RHSC       (1 << 6)
#define RH_POWER        (1 << 16)
#define PORT_CCS        (1 << 0)
#define PORT_PES        (1 << 1)
#define PORT_PSS        (1 << 2)
#define PORT_POCI       (1 << 3)        /* write: ClearSuspendStatus */
#define PORT_PRS        (1 << 4)
#define PORT_LSDA       (1 << 9)
#define PORT_CSC        (1 << 16)
#define PORT_PSSC       (1 << 18)
#define PORT_CHANGES    (0x1f << 16)

#define ED_OUT          (1 << 11)
#define ED_IN           (2 << 11)
#define ED_LOW          (1 << 13)
#define ED_SKIP         (1 << 14)
#define ED_ISO          (1 << 15)
#define ED_HALTED       1
#define ED_CARRY        2
#define TD_ROUND        (1 << 18)
#define TD_PID(n)       ((n) << 19)
#define TD_NO_IRQ       (7 << 21)
#define TD_TOGGLE(n)    ((2 | (n)) << 24)
#define TD_UNTOUCHED    (0xfu << 28)
#define TD_CODE(flags)  ((flags) >> 28)

enum {
    CC_OK = 0, CC_STALL = 4, CC_NO_ANSWER = 5, CC_OVERRUN = 8, CC_UNDERRUN = 9,
};

#endif
