/*
 * What every usb-remote case stands on: QEMU, a controller, a peer
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include <sys/ioctl.h>
#include <sys/wait.h>
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "usb-remote-rig.h"
#include "usbhc-selftest.h"

#define FRAME_MS        1
#define HANG_S      60          /* real time, for what QEMU answers at once */
#define DEFAULT_SEED    3
#define FIRMWARE_SIZE   65536

const UsbHcDriver *const rig_drivers[4] = {
    &usbhc_xhci, &usbhc_uhci, &usbhc_ohci, &usbhc_ehci
};

static unsigned rigs;

/* libqtest waits for QEMU without a limit: this is one. */
static void hung(int signum)
{
    static const char text[] = "Bail out! QEMU does not answer the test\n";
    ssize_t n = write(STDOUT_FILENO, text, sizeof(text) - 1);

    (void)n;
    abort();
}

static void rig_idle(void *opaque)
{
    Rig *rig = opaque;

    alarm(HANG_S);
    peer_pump(rig->peer);
}

/* What QEMU said before it, or a case, died: LeakSanitizer's report too. */
static void show_log(void *opaque)
{
    Rig *rig = opaque;
    g_autofree char *text = NULL;

    if (g_file_get_contents(rig->log, &text, NULL, NULL) && *text) {
        fprintf(stderr, "QEMU says:\n%s", text);
    }
}

/* QEMU inherits stderr: while it starts, stderr is the log. */
static QTestState *start_logged(const char *log, const char *args)
{
    int saved = dup(STDERR_FILENO);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    QTestState *qts;

    g_assert_cmpint(fd, >=, 0);
    fflush(stderr);
    dup2(fd, STDERR_FILENO);
    close(fd);
    qts = qtest_init(args);
    dup2(saved, STDERR_FILENO);
    close(saved);
    return qts;
}

/* The processor halts where it starts (cli; hlt; jmp): the test is the guest */
static char *write_firmware(Rig *rig)
{
    static const uint8_t halt[] = { 0xfa, 0xf4, 0xeb, 0xfc };
    g_autofree char *bytes = g_malloc0(FIRMWARE_SIZE);
    char *path = g_strdup_printf("%s/firmware", rig->dir);

    memcpy(bytes + FIRMWARE_SIZE - 16, halt, sizeof(halt));
    g_assert_true(g_file_set_contents(path, bytes, FIRMWARE_SIZE, NULL));
    return path;
}

static void start_qtest(Rig *rig, const char *args)
{
    rig->qts = start_logged(rig->log, args);
    rig->hc = usbhc_new(rig->qts, rig->drv);
}

static void start_real(Rig *rig, const char *args)
{
    g_autofree char *firmware = write_firmware(rig);
    g_autofree char *all = g_strdup_printf("-accel tcg -bios %s %s", firmware,
                                           args);

    rig->qts = start_logged(rig->log, all);
    rig->hc = usbhc_new_real(rig->qts, rig->drv);
}

static Rig *start(const UsbHcDriver *drv, const char *extra,
                  void (*start_qemu)(Rig *rig, const char *args))
{
    const struct sigaction action = { .sa_handler = hung };
    Rig *rig = g_new0(Rig, 1);
    g_autofree char *args = NULL;

    rig->drv = drv;
    rig->speeds = 1 << drv->best;
    rig->dir = g_dir_make_tmp("usb-remote-XXXXXX", NULL);
    g_assert_nonnull(rig->dir);
    rig->path = g_strdup_printf("%s/peer%u", rig->dir, rigs++);
    rig->log = g_strdup_printf("%s/log", rig->dir);
    args = g_strdup_printf(
        "-machine pc -nodefaults -device %s "
        "-chardev socket,id=c0,path=%s,server=on,wait=off %s",
        drv->device, rig->path, extra ?: "");
    qtest_add_abrt_handler(show_log, rig);
    start_qemu(rig, args);
    rig->peer = peer_new(rig_step, rig);
    usbhc_set_idle(rig->hc, rig_idle, rig);
    sigaction(SIGALRM, &action, NULL);
    alarm(HANG_S);
    return rig;
}

Rig *rig_new_bare(const UsbHcDriver *drv, const char *extra)
{
    return start(drv, extra, start_qtest);
}

static char *device_argument(const char *options)
{
    return g_strdup_printf("-device usb-remote,chardev=c0,id=dev0,bus=hc.0%s",
                           options ?: "");
}

Rig *rig_new(const UsbHcDriver *drv, const char *options)
{
    g_autofree char *device = device_argument(options);

    return rig_new_bare(drv, device);
}

Rig *rig_new_real(const UsbHcDriver *drv, const char *options)
{
    g_autofree char *device = device_argument(options);

    return start(drv, device, start_real);
}

Rig *rig_new_peer(const UsbHcDriver *drv)
{
    Rig *rig = rig_new(drv, NULL);

    rig_connect(rig);
    return rig;
}

Rig *rig_new_with_hello(const UsbHcDriver *drv, const UsbRemoteHello *hello)
{
    Rig *rig = rig_new(drv, NULL);

    peer_connect(rig->peer, rig->path);
    peer_send_preamble(rig->peer, USB_REMOTE_MAJOR, USB_REMOTE_MINOR);
    peer_send(rig->peer, USB_REMOTE_MSG_HELLO, hello, sizeof(*hello));
    peer_expect_free(rig->peer, USB_REMOTE_MSG_HELLO);
    rig_plug(rig);
    return rig;
}

Rig *rig_new_plugged(const UsbHcDriver *drv)
{
    Rig *rig = rig_new_peer(drv);

    rig_plug(rig);
    return rig;
}

/* AddressSanitizer notes once that QEMU's coroutines switch stacks. */
static bool is_sanitizer_note(const char *line)
{
    return strstr(line, "ASan doesn't fully support makecontext") ||
           strstr(line, "requested __asan_handle_no_return") ||
           g_str_has_prefix(line, "False positive error reports may") ||
           strstr(line, "google/sanitizers/issues/189");
}

char *rig_without_notes(const char *text)
{
    g_autoptr(GString) kept = g_string_new("");
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    char **line;

    for (line = lines; *line; line++) {
        if (**line && !is_sanitizer_note(*line)) {
            g_string_append_printf(kept, "%s\n", *line);
        }
    }
    return g_string_free(g_steal_pointer(&kept), false);
}

static char *log_text(Rig *rig)
{
    g_autofree char *text = NULL;

    g_assert_true(g_file_get_contents(rig->log, &text, NULL, NULL));
    return rig_without_notes(text);
}

void rig_remove_dir(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *file = g_build_filename(path, name, NULL);

        unlink(file);
    }
    g_dir_close(dir);
    rmdir(path);
}

void rig_free(Rig *rig)
{
    g_autofree char *text = NULL;

    g_assert_true(qtest_probe_child(rig->qts));
    usbhc_set_idle(rig->hc, NULL, NULL);
    g_slist_free_full(rig->strays, (GDestroyNotify)usbhc_transfer_free);
    usbhc_free(rig->hc);
    qtest_quit(rig->qts);
    alarm(0);
    text = log_text(rig);
    if (!rig->quiet && *text) {
        g_error("QEMU says: %s", text);
    }
    qtest_remove_abrt_handler(rig);
    peer_free(rig->peer);
    rig_remove_dir(rig->dir);
    g_free(rig->dir);
    g_free(rig->path);
    g_free(rig->log);
    g_free(rig);
}

/* Stages */

void rig_connect(Rig *rig)
{
    peer_connect(rig->peer, rig->path);
    peer_handshake(rig->peer);
}

void rig_configure(Rig *rig)
{
    const PeerDevice *d = &rig->peer->device;
    UsbHcDevice *dev = rig->dev;

    g_assert_cmpint(usbhc_control(dev, 0x80, 6, 0x200, 0, NULL, 255, NULL),
                    ==, USBHC_SHORT);
    g_assert_cmpint(usbhc_control(dev, 0x00, 9, 1, 0, NULL, 0, NULL), ==,
                    USBHC_OK);
    rig->int_in = usbhc_ep(dev, PEER_INT_IN, USBHC_INTERRUPT, d->int_mps,
                           d->int_interval);
    if (dev->speed != USBHC_LOW) {
        rig->int_out = usbhc_ep(dev, PEER_INT_OUT, USBHC_INTERRUPT,
                                d->int_mps, d->int_interval);
        rig->bulk_in = usbhc_ep(dev, PEER_BULK_IN, USBHC_BULK, d->bulk_mps, 0);
        rig->bulk_out = usbhc_ep(dev, PEER_BULK_OUT, USBHC_BULK, d->bulk_mps,
                                 0);
    }
}

void rig_plug(Rig *rig)
{
    peer_attach(rig->peer, rig->speeds);
    rig->dev = usbhc_attach(rig->hc);
    g_assert_cmpint(rig->dev->speed, ==, rig->peer->speed);
    rig_configure(rig);
}

Rig *rig_new_slow(const UsbHcDriver *drv, uint8_t interval)
{
    const UsbRemoteEndpoint table[] = {
        { .address = { PEER_INT_IN }, .type = { USB_REMOTE_TYPE_INTERRUPT },
          .max_packet = { 64 }, .interval = { interval } },
        { .address = { PEER_INT_OUT }, .type = { USB_REMOTE_TYPE_INTERRUPT },
          .max_packet = { 64 }, .interval = { interval } },
    };
    Rig *rig = rig_new_peer(drv);

    peer_send_attach(rig->peer, rig->speeds, USB_REMOTE_ADDRESS_ACCEPT, 0,
                     table, G_N_ELEMENTS(table));
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    peer_device_init(&rig->peer->device, drv->best);
    rig->dev = usbhc_attach(rig->hc);
    rig_configure(rig);
    return rig;
}

void rig_unplug_guest(Rig *rig)
{
    if (rig->dev) {
        usbhc_close(rig->dev);
    }
    rig->dev = NULL;
    rig->int_in = rig->int_out = rig->bulk_in = rig->bulk_out = NULL;
}

/* Other devices */

Rig *rig_with(const UsbHcDriver *drv, const char *device)
{
    Rig *rig = rig_new_bare(drv, device);

    rig->dev = usbhc_attach(rig->hc);
    g_assert_cmpint(usbhc_control(rig->dev, 0x00, 9, 1, 0, NULL, 0, NULL), ==,
                    USBHC_OK);
    return rig;
}

void rig_still_works(Rig *rig)
{
    uint8_t configuration = 0;

    g_assert_cmpint(usbhc_control(rig->dev, 0x80, 8, 0, 0, &configuration, 1,
                                  NULL), ==, USBHC_OK);
    g_assert_cmpint(configuration, ==, 1);
}

void rig_start_slow_read(Rig *rig, UsbHcType type)
{
    static const uint8_t read10[10] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 1 };
    uint8_t block[RIG_BLOCK];

    rig->bulk_out = usbhc_ep(rig->dev, 0x02, USBHC_BULK, 64, 0);
    rig->bulk_in = usbhc_ep(rig->dev, 0x81, type, 64, 1);
    usbhc_storage_command(rig->bulk_out, rig->bulk_in, read10, sizeof(read10),
                          block, RIG_BLOCK);
    usbhc_storage_start(rig->bulk_out, read10, sizeof(read10), RIG_BLOCK);
}

void rig_answer_slow_read(Rig *rig)
{
    rig_stop(rig);
    rig_cont(rig);
}

/* Time */

void rig_step(void *opaque)
{
    Rig *rig = opaque;

    alarm(HANG_S);
    usbhc_step(rig->hc, FRAME_MS * USBHC_FRAME_NS);
}

void rig_run(Rig *rig, unsigned ms)
{
    usbhc_run(rig->hc, (int64_t)ms * USBHC_FRAME_NS);
}

void rig_until(Rig *rig, bool (*done)(Rig *rig), const char *what)
{
    int64_t end = g_get_monotonic_time() +
                  PEER_DEADLINE_S * G_TIME_SPAN_SECOND;

    while (!done(rig)) {
        if (g_get_monotonic_time() > end) {
            g_error("%s: not within %d s", what, PEER_DEADLINE_S);
        }
        rig_step(rig);
    }
}

/* The monitor */

static QDict *qom_get(Rig *rig, const char *property)
{
    QDict *r = qtest_qmp(rig->qts, "{ 'execute': 'qom-get', 'arguments': "
                         "{ 'path': 'dev0', 'property': %s } }", property);

    g_assert_true(qdict_haskey(r, "return"));
    return r;
}

bool rig_qom_bool(Rig *rig, const char *property)
{
    QDict *r = qom_get(rig, property);
    bool value = qdict_get_bool(r, "return");

    qobject_unref(r);
    return value;
}

uint64_t rig_qom_number(Rig *rig, const char *property)
{
    QDict *r = qom_get(rig, property);
    uint64_t value = qdict_get_int(r, "return");

    qobject_unref(r);
    return value;
}

void rig_device_add(Rig *rig)
{
    qtest_qmp_device_add(rig->qts, "usb-remote", "dev0",
                         "{ 'bus': 'hc.0', 'chardev': 'c0' }");
}

void rig_hmp(Rig *rig, const char *command)
{
    g_autofree char *answer = qtest_hmp(rig->qts, "%s", command);

    g_assert_cmpstr(answer, ==, "");
}

void rig_hub_add(Rig *rig)
{
    qtest_qmp_device_add(rig->qts, "usb-hub", "hub",
                         "{ 'bus': 'hc.0', 'port': '1' }");
}

void rig_device_add_behind_hub(Rig *rig)
{
    g_autofree char *port = g_strdup_printf("1.%d", RIG_HUB_PORT);

    qtest_qmp_device_add(rig->qts, "usb-remote", "dev0",
                         "{ 'bus': 'hc.0', 'port': %s, 'chardev': 'c0' }",
                         port);
}

void rig_chardev_change(Rig *rig, const char *path)
{
    qtest_qmp_assert_success(rig->qts,
        "{ 'execute': 'chardev-change', 'arguments': { 'id': 'c0', "
        "'backend': { 'type': 'socket', 'data': { 'addr': { 'type': 'unix', "
        "'data': { 'path': %s } }, 'server': true, 'wait': false } } } }",
        path);
    g_free(rig->path);
    rig->path = g_strdup(path);
}

void rig_stop(Rig *rig)
{
    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'stop' }");
}

void rig_cont(Rig *rig)
{
    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'cont' }");
}

static bool migrated(QTestState *qts)
{
    QDict *r = qtest_qmp(qts, "{ 'execute': 'query-migrate' }");
    const char *status = qdict_get_str(qdict_get_qdict(r, "return"),
                                       "status");
    bool done = !strcmp(status, "completed");

    g_assert_cmpstr(status, !=, "failed");
    qobject_unref(r);
    return done;
}

void rig_migrate(Rig *rig, const char *uri)
{
    int64_t end = g_get_monotonic_time() + 20 * G_TIME_SPAN_SECOND;

    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'migrate', "
                             "'arguments': { 'uri': %s } }", uri);
    while (!migrated(rig->qts)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(1000);
    }
}

void rig_freeze(Rig *rig)
{
    pid_t pid = qtest_pid(rig->qts);
    int status;

    g_assert_cmpint(kill(pid, SIGSTOP), ==, 0);
    g_assert_cmpint(waitpid(pid, &status, WUNTRACED), ==, pid);
    g_assert_true(WIFSTOPPED(status));
}

void rig_thaw(Rig *rig)
{
    g_assert_cmpint(kill(qtest_pid(rig->qts), SIGCONT), ==, 0);
}

/* Bytes that have arrived at the peer */
int rig_unread(Rig *rig)
{
    int bytes;

    rig_run(rig, 5);
    g_assert_cmpint(ioctl(rig->peer->fd, FIONREAD, &bytes), ==, 0);
    return bytes;
}

void rig_deafen(Rig *rig)
{
    int before;

    rig->peer->deaf = true;
    do {
        before = rig_unread(rig);
        rig_stop(rig);
        rig_cont(rig);
    } while (rig_unread(rig) != before);
}

/* Snapshots */

static bool job_is_done(Rig *rig)
{
    QDict *r = qtest_qmp(rig->qts, "{ 'execute': 'query-jobs' }");
    QDict *job = qobject_to(QDict, qlist_peek(qdict_get_qlist(r, "return")));
    bool done = !strcmp(qdict_get_str(job, "status"), "concluded");

    g_assert_false(done && qdict_haskey(job, "error"));
    qobject_unref(r);
    return done;
}

static void create_image(Rig *rig, const char *driver, const char *key,
                         const char *value, uint64_t size)
{
    int64_t end = g_get_monotonic_time() + HANG_S * G_TIME_SPAN_SECOND;
    QDict *options = qdict_new();

    qdict_put_str(options, "driver", driver);
    qdict_put_str(options, key, value);
    qdict_put_int(options, "size", size);
    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'blockdev-create', "
                             "'arguments': { 'job-id': 'j', 'options': %p } }",
                             options);
    while (!job_is_done(rig)) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(1000);
    }
    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'job-dismiss', "
                             "'arguments': { 'id': 'j' } }");
}

void rig_add_snapshot_store(Rig *rig)
{
    g_autofree char *file = g_strdup_printf("%s/store", rig->dir);

    create_image(rig, "file", "filename", file, 0);
    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'blockdev-add', "
                             "'arguments': { 'driver': 'file', "
                             "'node-name': 'f', 'filename': %s } }", file);
    create_image(rig, "qcow2", "file", "f", 65536);
    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'blockdev-add', "
                             "'arguments': { 'driver': 'qcow2', "
                             "'node-name': 'q', 'file': 'f' } }");
}

void rig_savevm(Rig *rig)
{
    rig_hmp(rig, "savevm here");
}

void rig_loadvm(Rig *rig)
{
    rig_hmp(rig, "loadvm here");
}

/* What can be seen from outside */

unsigned rig_log_count(Rig *rig, const char *text)
{
    g_autofree char *log = log_text(rig);
    const char *at = log;
    unsigned n = 0;

    rig->quiet = true;
    while ((at = strstr(at, text))) {
        at += strlen(text);
        n++;
    }
    return n;
}

void rig_expect_log(Rig *rig, const char *text)
{
    int64_t end = g_get_monotonic_time() +
                  PEER_DEADLINE_S * G_TIME_SPAN_SECOND;

    while (!rig_log_count(rig, text)) {
        if (g_get_monotonic_time() > end) {
            g_autofree char *log = log_text(rig);

            g_error("'%s' is not in the log: %s", text, log);
        }
        rig_step(rig);
    }
}

static bool port_is_empty(Rig *rig)
{
    return usbhc_find_port(rig->hc) < 0;
}

void rig_expect_unplugged(Rig *rig)
{
    rig_until(rig, port_is_empty, "the port is empty");
}

unsigned rig_fds(Rig *rig)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd",
                                            (int)qtest_pid(rig->qts));
    GDir *dir = g_dir_open(path, 0, NULL);
    unsigned n = 0;

    g_assert_nonnull(dir);
    while (g_dir_read_name(dir)) {
        n++;
    }
    g_dir_close(dir);
    return n;
}

size_t rig_rss(Rig *rig)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status",
                                            (int)qtest_pid(rig->qts));
    g_autofree char *text = NULL;
    const char *at;
    size_t kib;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    at = strstr(text, "VmRSS:");
    g_assert_nonnull(at);
    g_assert_cmpint(sscanf(at, "VmRSS: %zu", &kib), ==, 1);
    return kib * 1024;
}

PeerMessage *rig_submit(Rig *rig, uint8_t endpoint)
{
    PeerMessage *m = peer_expect(rig->peer, USB_REMOTE_MSG_SUBMIT);

    g_assert_cmphex(peer_submit(m)->endpoint[0], ==, endpoint);
    return m;
}

void rig_expect_out(Rig *rig, uint8_t endpoint, const void *data,
                    uint32_t size)
{
    PeerMessage *m = rig_submit(rig, endpoint);

    g_assert_cmpmem(peer_submit_data(m), peer_submit_length(m), data, size);
    peer_answer_ok(rig->peer, m, NULL, size);
}

void rig_late_in(Rig *rig, uint32_t asked, const void *data, uint32_t size)
{
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, asked);
    PeerMessage *m = rig_submit(rig, PEER_BULK_IN);

    rig->peer->auto_cancel = false;
    usbhc_cancel(xfer);
    usbhc_transfer_free(xfer);
    peer_answer_ok(rig->peer, m, data, size);
}

void rig_submits(Rig *rig, PeerMessage **m, unsigned n, uint8_t endpoint)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        m[i] = rig_submit(rig, endpoint);
    }
}

unsigned rig_setting(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    unsigned value;

    if (!text || !*text) {
        return otherwise;
    }
    if (qemu_strtoui(text, NULL, 0, &value) < 0) {
        g_error("%s=%s: not a number", name, text);
    }
    return value;
}

uint32_t rig_seed(void)
{
    return rig_setting("QTEST_SEED", DEFAULT_SEED);
}

void rig_at_every_speed(const UsbHcDriver *drv, void (*fn)(Rig *rig))
{
    Rig *rig = rig_new_peer(drv);
    int speed;

    for (speed = USBHC_LOW; speed <= USBHC_SUPER; speed++) {
        if (drv->speeds & (1 << speed)) {
            rig->speeds = 1 << speed;
            rig_plug(rig);
            g_assert_cmpint(rig->dev->speed, ==, speed);
            fn(rig);
            rig_unplug_guest(rig);
        }
    }
    rig_free(rig);
}

void rig_fill(uint8_t *buf, size_t size, uint32_t salt)
{
    uint32_t state = salt ^ rig_seed() * 2654435761u;
    size_t i;

    for (i = 0; i < size; i++) {
        state = state * 1103515245 + 12345;
        buf[i] = state >> 16;
    }
}

void rig_shuffle(uint8_t *order, unsigned n)
{
    GRand *rand = g_rand_new_with_seed(rig_seed());
    unsigned i, at;

    for (i = 0; i < n; i++) {
        at = g_rand_int_range(rand, 0, i + 1);
        order[i] = order[at];
        order[at] = i;
    }
    g_rand_free(rand);
}

/* Traffic */

void rig_control_write(Rig *rig, uint16_t length)
{
    uint8_t setup[8] = { 0x40, 0x77, 0x34, 0x12, 0x78, 0x56 };
    g_autofree uint8_t *data = g_malloc(length + 1);
    UsbHcTransfer *xfer;
    PeerMessage *m;

    rig_fill(data, length, length);
    stw_le_p(setup + 6, length);
    xfer = usbhc_submit_control(rig->dev, setup, data);
    m = rig_submit(rig, 0);
    g_assert_cmpmem(peer_submit(m)->setup, 8, setup, 8);
    g_assert_cmpint(peer_submit_length(m), ==, length);
    g_assert_cmpmem(peer_submit_data(m), length, data, length);
    peer_answer_ok(rig->peer, m, NULL, length);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
}

void rig_control_read(Rig *rig, uint16_t length, uint16_t given)
{
    uint8_t setup[8] = { 0xc0, 0x78, 1, 2, 3, 4 };
    g_autofree uint8_t *data = g_malloc(length + 1);
    UsbHcTransfer *xfer;

    rig_fill(data, given, length);
    stw_le_p(setup + 6, length);
    xfer = usbhc_submit_control(rig->dev, setup, NULL);
    peer_answer_ok(rig->peer, rig_submit(rig, 0), data, given);
    g_assert_cmpint(usbhc_wait(xfer), ==,
                    given < length ? USBHC_SHORT : USBHC_OK);
    g_assert_cmpmem(xfer->data, xfer->actual, data, given);
    usbhc_transfer_free(xfer);
}

/* The peer takes OUT data until the transfer is done. */
static void serve_out(Rig *rig, UsbHcTransfer *xfer, GByteArray *got)
{
    while (xfer->status == USBHC_PENDING) {
        PeerMessage *m = peer_take(rig->peer, USB_REMOTE_MSG_SUBMIT);

        if (!m) {
            rig_step(rig);
            continue;
        }
        g_assert_cmphex(peer_submit(m)->endpoint[0], ==, xfer->ep->address);
        g_byte_array_append(got, peer_submit_data(m), peer_submit_length(m));
        peer_answer_ok(rig->peer, m, NULL, peer_submit_length(m));
    }
}

void rig_out(Rig *rig, UsbHcEndpoint *ep, uint32_t size)
{
    g_autofree uint8_t *data = g_malloc(size + 1);
    GByteArray *got = g_byte_array_new();
    UsbHcTransfer *xfer;

    rig_fill(data, size, size + 1);
    xfer = usbhc_submit(ep, data, size);
    serve_out(rig, xfer, got);
    g_assert_cmpint(xfer->status, ==, USBHC_OK);
    g_assert_cmpint(xfer->actual, ==, size);
    g_assert_cmpmem(got->data, got->len, data, size);
    g_byte_array_free(got, true);
    usbhc_transfer_free(xfer);
}

/* The peer is a stream of @size bytes, then silent. */
static void serve_in(Rig *rig, UsbHcTransfer *xfer, const uint8_t *data,
                     uint32_t size)
{
    uint32_t at = 0;

    while (xfer->status == USBHC_PENDING) {
        PeerMessage *m = peer_take(rig->peer, USB_REMOTE_MSG_SUBMIT);
        uint32_t n;

        if (!m) {
            rig_step(rig);
            continue;
        }
        g_assert_cmphex(peer_submit(m)->endpoint[0], ==, xfer->ep->address);
        n = MIN(peer_submit_length(m), size - at);
        peer_answer_ok(rig->peer, m, data + at, n);
        at += n;
    }
}

void rig_in(Rig *rig, UsbHcEndpoint *ep, uint32_t size, uint32_t given)
{
    g_autofree uint8_t *data = g_malloc(size + 1);
    UsbHcTransfer *xfer;

    rig_fill(data, size, size + 1);
    xfer = usbhc_submit(ep, NULL, size);
    serve_in(rig, xfer, data, given);
    g_assert_cmpint(xfer->status, ==, given < size ? USBHC_SHORT : USBHC_OK);
    g_assert_cmpint(xfer->actual, ==, given);
    g_assert_cmpmem(xfer->data, given, data, given);
    usbhc_transfer_free(xfer);
}

void rig_control_with_table(Rig *rig, const uint8_t *setup,
                            const UsbRemoteEndpoint *table, int count)
{
    UsbHcTransfer *xfer;
    PeerMessage *m;

    rig->peer->auto_control = false;
    xfer = usbhc_submit_control(rig->dev, setup, NULL);
    m = rig_submit(rig, 0);
    peer_send_complete(rig->peer, &m->head, 0, NULL, 0, table, count);
    peer_message_free(m);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig->peer->auto_control = true;
}

const RigFault rig_faults[RIG_FAULTS] = {
    { USB_REMOTE_STATUS_STALL, USBHC_STALL },
    { USB_REMOTE_STATUS_BABBLE, USBHC_BABBLE },
    { USB_REMOTE_STATUS_IOERROR, USBHC_ERROR },
    { USB_REMOTE_STATUS_NODEV, USBHC_ERROR },
    { USB_REMOTE_STATUS_CANCELLED, USBHC_ERROR },
};

void rig_see_faults(Rig *rig, UsbHcEndpoint *ep)
{
    uint32_t size = MIN(ep->mps, 64);
    bool in = ep->address & 0x80;
    size_t i;

    for (i = 0; i < RIG_FAULTS; i++) {
        UsbHcTransfer *xfer = usbhc_submit(ep, NULL, size);

        peer_answer(rig->peer, rig_submit(rig, ep->address),
                    rig_faults[i].status);
        g_assert_cmpint(usbhc_wait(xfer), ==, rig_faults[i].seen);
        usbhc_transfer_free(xfer);
        g_assert_cmpint(usbhc_clear_halt(ep), ==, USBHC_OK);
        if (in) {
            rig_in(rig, ep, size, size);
        } else {
            rig_out(rig, ep, size);
        }
    }
}

RigFlight rig_take_off(Rig *rig)
{
    static const uint8_t setup[8] = { 0xc0, 1, 0, 0, 0, 0, 8, 0 };
    RigFlight f;
    unsigned i;

    rig->peer->auto_control = false;
    f.xfer[0] = usbhc_submit(rig->bulk_in, NULL, 64);
    f.xfer[1] = usbhc_submit(rig->bulk_out, "data", 4);
    f.xfer[2] = usbhc_submit(rig->int_in, NULL, 8);
    f.xfer[3] = usbhc_submit(rig->int_out, "data", 4);
    f.xfer[4] = usbhc_submit_control(rig->dev, setup, NULL);
    for (i = 0; i < RIG_FLIGHT; i++) {
        PeerMessage *m = peer_expect(rig->peer, USB_REMOTE_MSG_SUBMIT);

        f.submit[i] = m->head;
        peer_message_free(m);
    }
    rig->peer->auto_control = true;
    return f;
}

/* None may have succeeded. */
void rig_land(Rig *rig, RigFlight *f)
{
    unsigned i;

    for (i = 0; i < RIG_FLIGHT; i++) {
        g_assert_cmpint(f->xfer[i]->status, !=, USBHC_OK);
        g_assert_cmpint(f->xfer[i]->status, !=, USBHC_SHORT);
        usbhc_transfer_free(f->xfer[i]);
    }
}

void rig_add(const UsbHcDriver *drv, const char *what, GTestDataFunc fn)
{
    g_autofree char *path = g_strdup_printf("/usb-remote/%s/%s", drv->name,
                                            what);

    qtest_add_data_func(path, drv, fn);
}

void rig_add_all(const char *what, GTestDataFunc fn)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(rig_drivers); i++) {
        rig_add(rig_drivers[i], what, fn);
    }
}
