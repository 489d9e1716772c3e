/*
 * What the command lines of the devices in C have in common.
 *
 * SPDX-License-Identifier: MIT
 */

#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program.h"

static volatile int stop;

static void on_signal(int number)
{
    stop = number;
}

void program_fail(const Program *program, const char *what,
                  const char *detail)
{
    fprintf(stderr, "%s: %s%s (see --help)\n", program->name, what, detail);
    exit(2);
}

/* "full" or "full,high", as a set of 1 << USB_REMOTE_SPEED_*. */
static unsigned parse_speeds(const Program *program, const char *text)
{
    static const char *const names[] = { "low", "full", "high", "super" };
    const char *at = text;
    unsigned speeds = 0, speed;

    do {
        size_t size = strcspn(at, ",");

        for (speed = 0; speed < USBREMOTE_SPEEDS; speed++) {
            if (size == strlen(names[speed]) &&
                !strncmp(at, names[speed], size)) {
                speeds |= 1u << speed;
                break;
            }
        }
        if (speed == USBREMOTE_SPEEDS) {
            program_fail(program, "no such speed: ", text);
        }
        at += size;
    } while (*at++);
    return speeds;
}

static void show_help(const Program *program, const char *usage)
{
    printf("usage: %s (--connect ADDR | --listen ADDR) [options]\n\n"
           "  --connect ADDR  connect to QEMU's character device: unix:PATH\n"
           "                  or tcp:HOST:PORT\n"
           "  --listen ADDR   wait there for QEMU to connect\n"
           "  --speed SPEED   low, full, high, super, or several with commas\n%s",
           program->name, usage);
    exit(0);
}

static const ProgramOption *find_option(const ProgramOption *table,
                                        const char *name)
{
    while (table->name && strcmp(table->name, name)) {
        table++;
    }
    return table->name ? table : NULL;
}

/* One option, and its value if it has one; returns the last word used. */
static char **take_option(const Program *program, char **argv,
                          const ProgramOption *option)
{
    if (!option) {
        program_fail(program, "no such option: ", *argv);
    } else if (option->flag) {
        *option->flag = true;
    } else if (argv[1]) {
        *option->value = *++argv;
    } else {
        program_fail(program, "a value is missing after ", *argv);
    }
    return argv;
}

void program_parse(Program *program, char **argv, const char *usage,
                   const ProgramOption *own, unsigned speeds)
{
    const char *speed = NULL;
    ProgramOption common[4];

    memset(common, 0, sizeof(common));
    common[0].name = "--connect";
    common[0].value = &program->connect;
    common[1].name = "--listen";
    common[1].value = &program->listen;
    common[2].name = "--speed";
    common[2].value = &speed;
    program->name = strrchr(*argv, '/') ? strrchr(*argv, '/') + 1 : *argv;
    for (argv++; *argv; argv++) {
        const ProgramOption *option = find_option(common, *argv);

        if (!strcmp(*argv, "--help")) {
            show_help(program, usage);
        }
        argv = take_option(program, argv,
                           option ? option : find_option(own, *argv));
    }
    if (!program->connect == !program->listen) {
        program_fail(program, "one of --connect and --listen is needed", "");
    }
    program->speeds = speed ? parse_speeds(program, speed) : speeds;
}

void program_closed(Program *program, UsbRemoteEnd end, const char *text)
{
    bool well = end == USBREMOTE_END_BYE || end == USBREMOTE_END_REMOVED;

    program->status = well ? 0 : 1;
    fprintf(well ? stdout : stderr, "%s: %s\n", program->name, text);
}

/* Returns 0 or an error. */
static int connect_and_run(const Program *program, UsbRemotePeer *peer)
{
    int error, listening = -1;

    if (program->connect) {
        error = usbremote_connect(peer, program->connect);
    } else {
        listening = error = usbremote_listen(program->listen);
    }
    if (listening >= 0) {
        error = usbremote_accept(peer, listening);
        close(listening);
    }
    return error < 0 ? error : usbremote_run(peer, &stop);
}

/* One line about an address that is of no use. */
static void tell_error(const Program *program, int error)
{
    const char *address = program->connect ? program->connect
                                           : program->listen;
    bool no_host = error == -ENOENT && !strncmp(address, "tcp:", 4);

    if (error == -EINVAL) {
        fprintf(stderr, "%s: bad address '%s': it must be unix:PATH or "
                "tcp:HOST:PORT\n", program->name, address);
    } else {
        fprintf(stderr, "%s: %s: %s\n", program->name, address,
                no_host ? "no such host is known" : strerror(-error));
    }
}

int program_run(Program *program, UsbRemoteDevice *device)
{
    struct sigaction action;
    int error;

    if (!device) {
        fprintf(stderr, "%s: no device: %s\n", program->name,
                strerror(errno));
        return 1;
    }
    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    error = connect_and_run(program, usbremote_device_peer(device));
    usbremote_device_free(device);
    if (error && !stop) {
        tell_error(program, error);
        return 1;
    }
    return program->status;
}
