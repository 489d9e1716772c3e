/*
 * Process 1 of the test guest: mount, load modules, serve the host's commands.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent.h"
#include "hotplug.h"

static void say(const char *what, const char *detail)
{
    dprintf(STDERR_FILENO, "init: %s: %s: %s\n", what, detail,
            strerror(errno));
}

static void mount_filesystems(void)
{
    static const char *const table[][2] = {
        { "proc", "/proc" },     { "sysfs", "/sys" },
        { "devtmpfs", "/dev" },  { "debugfs", "/sys/kernel/debug" },
    };

    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (mount(table[i][0], table[i][1], table[i][0], 0, NULL) &&
            errno != EBUSY) {
            say("cannot mount", table[i][1]);
        }
    }
}

/*
 * The words MODULE.OPTION=VALUE of the kernel's command line are options of a
 * module that is loaded later, too.
 */
static void options_for(const char *path, char *options, size_t room)
{
    char line[4096] = "", name[64] = "";
    FILE *f = fopen("/proc/cmdline", "re");

    *options = '\0';
    sscanf(strrchr(path, '/') + 1, "%62[^.]", name);
    strcat(name, ".");
    if (f && fgets(line, sizeof(line), f)) {
        for (char *w = strtok(line, " \n"); w; w = strtok(NULL, " \n")) {
            size_t used = strlen(options);

            if (!strncmp(w, name, strlen(name))) {
                snprintf(options + used, room - used, "%s ",
                         w + strlen(name));
            }
        }
    }
    if (f) {
        fclose(f);
    }
}

static void load_module(const char *path)
{
    char options[1024];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    options_for(path, options, sizeof(options));
    if (fd < 0 || syscall(SYS_finit_module, fd, options, 0)) {
        if (errno != EEXIST) {
            say("cannot load", path);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* One path per line, already in dependency order. */
static void load_modules(const char *list)
{
    char line[256];
    FILE *f = fopen(list, "re");

    if (!f) {
        say("cannot read", list);
        return;
    }
    while (fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        load_module(line);
    }
    fclose(f);
}

/* The kernel passes words that it does not know, "shell" here, as argv. */
static int shell_wanted(int argc, char **argv)
{
    return argc > 1 && !strcmp(argv[1], "shell");
}

/* /dev/console cannot be a controlling terminal; the port behind it can. */
static void exec_shell(void)
{
    int fd;

    setsid();
    fd = open("/dev/ttyS0", O_RDWR);
    ioctl(fd, TIOCSCTTY, 0);
    for (int i = 0; i < 3; i++) {
        dup2(fd, i);
    }
    execl("/bin/sh", "-sh", NULL);
    _exit(127);
}

/* The boot was quiet; whoever plugs something in wants to see it. */
static void show_kernel_messages(void)
{
    enum { SET_CONSOLE_LEVEL = 8, ALL_BUT_DEBUG = 7 };

    klogctl(SET_CONSOLE_LEVEL, NULL, ALL_BUT_DEBUG);
}

/* A shell on the console; its end is the end of the guest. */
static void run_shell(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        exec_shell();
    }
    while (pid > 0 && agent_wait_child() != pid) {
        continue;
    }
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    setenv("PATH", "/bin", 1);
    setenv("HOME", "/", 1);
    setenv("TERM", "linux", 1);
    mount_filesystems();
    if (access("/lib/modules/hotplug", F_OK) == 0) {
        hotplug_start();
    }
    load_modules("/lib/modules/boot.list");
    if (shell_wanted(argc, argv)) {
        show_kernel_messages();
        run_shell();
    } else {
        agent_serve("/dev/vport0p1");
    }
    sync();
    reboot(RB_POWER_OFF);
    return 1;
}
