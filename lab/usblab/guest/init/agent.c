/*
 * The guest's end of the result channel: runs commands, carries their output.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent.h"

typedef struct Job {
    unsigned long id;
    pid_t pid;                  /* 0: this slot is free */
    int fd;                     /* its output */
} Job;

static Job jobs[AGENT_JOBS];
static int channel;

static void send_all(const char *data, size_t length)
{
    while (length) {
        ssize_t n = write(channel, data, length);

        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            return;             /* the host has gone; reading will tell */
        }
        if (n > 0) {
            data += n;
            length -= n;
        }
    }
}

static void send_line(const char *word, unsigned long id, long value)
{
    char line[64];

    send_all(line, snprintf(line, sizeof(line), "%s %lu %ld\n",
                            word, id, value));
}

static void send_output(unsigned long id, const char *data, size_t length)
{
    send_line("out", id, (long)length);
    send_all(data, length);
}

static Job *find_job(unsigned long id)
{
    for (int i = 0; i < AGENT_JOBS; i++) {
        if (jobs[i].pid && jobs[i].id == id) {
            return &jobs[i];
        }
    }
    return NULL;
}

static Job *free_job(void)
{
    for (int i = 0; i < AGENT_JOBS; i++) {
        if (!jobs[i].pid) {
            return &jobs[i];
        }
    }
    return NULL;
}

/* In the child: a group of its own, so that kill reaches all of it. */
static void exec_command(const char *command, int output)
{
    setsid();
    signal(SIGPIPE, SIG_DFL);
    dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execl("/bin/sh", "sh", "-c", command, NULL);
    _exit(127);
}

static void start_job(unsigned long id, const char *command)
{
    static const char full[] = "agent: too many commands at once\n";
    Job *job = free_job();
    int ends[2];

    if (!job || pipe2(ends, O_CLOEXEC)) {
        send_output(id, full, sizeof(full) - 1);
        send_line("end", id, 126);
        return;
    }
    job->id = id;
    job->fd = ends[0];
    job->pid = fork();
    if (job->pid == 0) {
        exec_command(command, ends[1]);
    }
    close(ends[1]);
}

static void kill_job(unsigned long id)
{
    Job *job = find_job(id);

    if (job) {
        kill(-job->pid, SIGKILL);
    }
}

static void obey(char *line)
{
    unsigned long id;
    int used = 0;

    if (sscanf(line, "run %lu %n", &id, &used) == 1 && used) {
        start_job(id, line + used);
    } else if (sscanf(line, "kill %lu", &id) == 1) {
        kill_job(id);
    }
}

/* Take what has come, obey each whole line, keep the rest; 0 at the end. */
static int read_commands(void)
{
    static char buffer[65536];
    static size_t have;
    char *end;
    ssize_t n = read(channel, buffer + have, sizeof(buffer) - 1 - have);

    if (n <= 0) {
        return n < 0 && (errno == EINTR || errno == EAGAIN);
    }
    have += n;
    buffer[have] = '\0';
    while ((end = memchr(buffer, '\n', have))) {
        *end = '\0';
        obey(buffer);
        have -= end + 1 - buffer;
        memmove(buffer, end + 1, have);
    }
    return 1;
}

static int exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* End of output means that the last of the job's processes has gone. */
static void finish_job(Job *job)
{
    int status = 0;

    close(job->fd);
    while (waitpid(job->pid, &status, 0) < 0 && errno == EINTR) {
        continue;
    }
    send_line("end", job->id, exit_status(status));
    job->pid = 0;
}

static void read_job(Job *job)
{
    char data[16384];
    ssize_t n = read(job->fd, data, sizeof(data));

    if (n > 0) {
        send_output(job->id, data, n);
    } else if (n == 0 || errno != EINTR) {
        finish_job(job);
    }
}

static void serve_once(int *running)
{
    struct pollfd fds[AGENT_JOBS + 1] = { { channel, POLLIN, 0 } };

    for (int i = 0; i < AGENT_JOBS; i++) {
        fds[i + 1].fd = jobs[i].pid ? jobs[i].fd : -1;
        fds[i + 1].events = POLLIN;
    }
    if (poll(fds, AGENT_JOBS + 1, -1) < 0) {
        return;
    }
    for (int i = 0; i < AGENT_JOBS; i++) {
        if (fds[i + 1].revents && jobs[i].pid) {
            read_job(&jobs[i]);
        }
    }
    if (fds[0].revents) {
        *running = read_commands();
    }
}

void agent_serve(const char *path)
{
    struct utsname name;
    int running = 1;

    channel = open(path, O_RDWR | O_CLOEXEC);
    if (channel < 0) {
        dprintf(STDERR_FILENO, "init: no result channel: %s: %s\n", path,
                strerror(errno));
        return;
    }
    uname(&name);
    send_all("hello ", 6);
    send_all(name.release, strlen(name.release));
    send_all("\n", 1);
    while (running) {
        serve_once(&running);
    }
}

pid_t agent_wait_child(void)
{
    pid_t pid;

    do {
        pid = wait(NULL);
    } while (pid < 0 && errno == EINTR);
    return pid;
}
