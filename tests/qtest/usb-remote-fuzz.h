/*
 * usb-remote's fuzzers: what they share
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A program is a string of bytes that is read as actions and their
 * parameters; any string is one.  A fuzzer runs those it was given, then
 * changed copies of them and new ones, in one QEMU for each controller.
 */

#ifndef USB_REMOTE_FUZZ_H
#define USB_REMOTE_FUZZ_H

#include "usb-remote-rig.h"

#define FUZZ_PROGRAM_MAX    512
#define FUZZ_DEPTH          6           /* transfers of an endpoint */

typedef struct FuzzProgram {
    const uint8_t *bytes;
    size_t size;
} FuzzProgram;

typedef struct Fuzz Fuzz;

typedef struct Fuzzer {
    const char *name;           /* of the case */
    const FuzzProgram *corpus;
    size_t corpus_size;
    unsigned runs;              /* without USB_REMOTE_FUZZ_SECONDS */
    void (*run)(Fuzz *f);       /* one program, from start to end */
} Fuzzer;

struct Fuzz {
    const Fuzzer *fuzzer;
    Rig *rig;
    GRand *rand;
    FuzzProgram program;        /* the one that runs */
    size_t at;                  /* how far it has been read */
    unsigned runs;
    bool stopped;               /* the VM */
    /* the peer's side */
    GByteArray *out;            /* messages not sent yet */
    GByteArray *sent;           /* all since the connection was right */
    bool handshake;             /* that is from the first byte on */
    UsbRemoteLimits limits;     /* in force */
    UsbRemoteHead answered;     /* the last SUBMIT that was */
};

/* The next byte of the program, as 0 .. n - 1; 0 after its end. */
unsigned fuzz_pick(Fuzz *f, unsigned n);
bool fuzz_over(Fuzz *f);
size_t fuzz_size(Fuzz *f);      /* of a transfer */
void fuzz_case(const UsbHcDriver *drv, const Fuzzer *fuzzer);

/* Good peer, plugged; limits, speed and table are drawn */
void fuzz_plug(Fuzz *f);
/* Close whatever is left; then there must be nothing left. */
void fuzz_unplug(Fuzz *f);

/* Actions of the guest's */
UsbHcEndpoint *fuzz_endpoint(Fuzz *f);          /* NULL: has no such */
void fuzz_transfer(Fuzz *f);
void fuzz_control(Fuzz *f);
void fuzz_cancel(Fuzz *f);
void fuzz_recover(Fuzz *f);
void fuzz_bus_reset(Fuzz *f);
void fuzz_stop_or_cont(Fuzz *f);

#endif
