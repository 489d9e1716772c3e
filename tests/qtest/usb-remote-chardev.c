/*
 * usb-remote cases: the socket chardev, on which the device and others sit
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "usb-remote-rig.h"

#define LONG_MESSAGE    100000  /* bytes; no socket buffer is smaller */

#define SERIAL_DATA     0x3f8
#define SERIAL_STATUS   0x3fd
#define SERIAL_FULL     0x01    /* a byte can be read */

static char *trace_path(Rig *rig)
{
    return g_strdup_printf("%s/trace", rig->dir);
}

static bool long_message_was_read_at_once(Rig *rig)
{
    g_autofree char *path = trace_path(rig);
    g_autofree char *line = g_strdup_printf(
        "(c0): %zu bytes\n", sizeof(UsbRemoteHeader) + LONG_MESSAGE);
    g_autofree char *seen = NULL;

    return g_file_get_contents(path, &seen, NULL, NULL) && strstr(seen, line);
}

/* Everything that was sent is read at once, and not in pieces of 4096. */
static void much_is_read_at_once(const void *opaque)
{
    Rig *rig = rig_new_peer(opaque);
    g_autofree uint8_t *body = g_malloc0(LONG_MESSAGE);
    g_autofree char *path = trace_path(rig);
    g_autofree char *logfile = g_strdup_printf("logfile %s", path);
    UsbRemoteHead h = {
        .type = USB_REMOTE_RANGE_PRIVATE_FIRST,
        .flags = USB_REMOTE_FLAG_OPTIONAL, .length = LONG_MESSAGE
    };

    rig_hmp(rig, logfile);
    rig_hmp(rig, "log trace:chr_socket_read");
    rig_freeze(rig);
    peer_send_head(rig->peer, &h, body, LONG_MESSAGE, NULL, 0);
    rig_thaw(rig);
    rig_until(rig, long_message_was_read_at_once, "a single read");
    rig_free(rig);
}

/*
 * A serial port without FIFO has room for one byte.  Nobody reads it before
 * the other end has closed.
 */
static Rig *rig_new_serial(const void *opaque)
{
    return rig_new_bare(opaque, "-device isa-serial,chardev=c0");
}

static void say_and_close(Rig *rig, const char *text)
{
    peer_connect(rig->peer, rig->path);
    peer_send_bytes(rig->peer, text, strlen(text));
    peer_close(rig->peer);
}

static bool serial_is_full(Rig *rig)
{
    return qtest_inb(rig->qts, SERIAL_STATUS) & SERIAL_FULL;
}

static void expect_serial(Rig *rig, const char *text)
{
    for (; *text; text++) {
        rig_until(rig, serial_is_full, "a byte at the serial port");
        g_assert_cmpint(qtest_inb(rig->qts, SERIAL_DATA), ==, *text);
    }
}

static bool is_disconnected(Rig *rig)
{
    QDict *r = qtest_qmp(rig->qts, "{ 'execute': 'query-chardev' }");
    QListEntry *entry;
    bool found = false;

    QLIST_FOREACH_ENTRY(qdict_get_qlist(r, "return"), entry) {
        QDict *chardev = qobject_to(QDict, qlist_entry_obj(entry));

        if (!strcmp(qdict_get_str(chardev, "label"), "c0")) {
            found = g_str_has_prefix(qdict_get_str(chardev, "filename"),
                                     "disconnected:");
        }
    }
    qobject_unref(r);
    return found;
}

static void last_words_are_heard(const void *opaque)
{
    Rig *rig = rig_new_serial(opaque);

    say_and_close(rig, "what was said before the end");
    rig_until(rig, serial_is_full, "the first byte");
    rig_run(rig, 5);
    expect_serial(rig, "what was said before the end");
    rig_until(rig, is_disconnected, "the end");
    say_and_close(rig, "and the next");
    expect_serial(rig, "and the next");
    rig_free(rig);
}

static void last_words_are_heard_after_an_answer(const void *opaque)
{
    Rig *rig = rig_new_serial(opaque);

    say_and_close(rig, "what was said before the end");
    rig_until(rig, serial_is_full, "the first byte");
    qtest_outb(rig->qts, SERIAL_DATA, '?');
    rig_run(rig, 5);
    expect_serial(rig, "what was said before the end");
    rig_until(rig, is_disconnected, "the end");
    rig_free(rig);
}

/* Else a guest without a driver would keep the next client out. */
static void last_words_that_nobody_reads_are_dropped(const void *opaque)
{
    Rig *rig = rig_new_serial(opaque);

    say_and_close(rig, "12");
    rig_until(rig, serial_is_full, "the first byte");
    rig_until(rig, is_disconnected, "the end");
    say_and_close(rig, "34");
    expect_serial(rig, "134");
    rig_free(rig);
}

void usb_remote_chardev_add(void)
{
    const UsbHcDriver *drv = &usbhc_xhci;

    rig_add(drv, "much-is-read-at-once", much_is_read_at_once);
    rig_add(drv, "last-words-are-heard", last_words_are_heard);
    rig_add(drv, "last-words-are-heard-after-an-answer",
            last_words_are_heard_after_an_answer);
    rig_add(drv, "last-words-that-nobody-reads-are-dropped",
            last_words_that_nobody_reads_are_dropped);
}
