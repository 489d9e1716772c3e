/*
 * What the command lines of the devices in C have in common.
 *
 * SPDX-License-Identifier: MIT
 */

#ifndef PROGRAM_H
#define PROGRAM_H

#include "usbremote-device.h"

/** An option of one device: "--name" VALUE, or a flag. */
typedef struct ProgramOption {
    const char *name;           /**< with its dashes; NULL ends a table */
    const char **value;         /**< where VALUE goes, or NULL: */
    bool *flag;                 /**< what it sets */
} ProgramOption;

/** The options of every device, and what became of the connection. */
typedef struct Program {
    const char *name;
    const char *connect;        /**< one of the two is not NULL */
    const char *listen;
    unsigned speeds;            /**< set of 1 << USB_REMOTE_SPEED_* */
    int status;                 /**< for exit() */
} Program;

/**
 * Read the command line.  @usage is for --help: the options of this device
 * after those of all.  @speeds: those of the device, without --speed.
 * Does not return after --help or an error, which it tells in one line.
 */
void program_parse(Program *program, char **argv, const char *usage,
                   const ProgramOption *own, unsigned speeds);

/** One line about a wrong command line; exits with 2. */
void program_fail(const Program *program, const char *what,
                  const char *detail);

/** For UsbRemoteDeviceOps.closed. */
void program_closed(Program *program, UsbRemoteEnd end, const char *text);

/**
 * Connect or listen, and be @device until SIGINT, SIGTERM or the end of the
 * connection; frees it.  NULL is an error of usbremote_device_new().
 * Returns what to exit with.
 */
int program_run(Program *program, UsbRemoteDevice *device);

#endif
