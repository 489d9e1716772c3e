/*
 * The C codec against the golden vectors of tests/vectors.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Run from the root of the repository.  Each vector is fed whole, byte by
 * byte and with trailing bytes; tests/unit/test_codec.py does the same to
 * the Python codec.
 */

#include <glib.h>
#include <string.h>

#include "codec-judge.h"

enum { NAME, SENDER, BYTES, RESULT, FIELDS, COLUMNS };

static const struct {
    const char *name;
    int code;
} results[] = {
    { "ok", USB_REMOTE_ERROR_NONE },
    { "ok lossy", USB_REMOTE_ERROR_NONE },
    { "skip", SKIP },
    { "VERSION", USB_REMOTE_ERROR_VERSION },
    { "MALFORMED", USB_REMOTE_ERROR_MALFORMED },
    { "UNEXPECTED", USB_REMOTE_ERROR_UNEXPECTED },
    { "UNKNOWN_TYPE", USB_REMOTE_ERROR_UNKNOWN_TYPE },
    { "LIMIT", USB_REMOTE_ERROR_LIMIT },
};

/* Where each member of a fixed part is; the name is the vectors'. */
#define MEMBER(message, type, member) \
    { USB_REMOTE_MSG_##message, #member, offsetof(type, member), \
      sizeof(((type *)NULL)->member), 0 }
#define ARRAY(message, type, member) \
    { USB_REMOTE_MSG_##message, #member, offsetof(type, member), \
      sizeof(((type *)NULL)->member), 1 }

static const struct {
    uint16_t type;
    const char *name;
    size_t offset;
    size_t size;
    int is_bytes;
} members[] = {
    MEMBER(HELLO, UsbRemoteHello, features),
    MEMBER(HELLO, UsbRemoteHello, max_payload),
    MEMBER(HELLO, UsbRemoteHello, max_control),
    MEMBER(HELLO, UsbRemoteHello, max_requests),
    MEMBER(HELLO, UsbRemoteHello, max_per_endpoint),
    MEMBER(HELLO, UsbRemoteHello, max_bytes),
    ARRAY(HELLO, UsbRemoteHello, session),
    MEMBER(HELLO, UsbRemoteHello, name_length),
    MEMBER(HELLO, UsbRemoteHello, id_length),
    MEMBER(HELLO, UsbRemoteHello, select_length),
    MEMBER(ERROR, UsbRemoteErrorMsg, code),
    MEMBER(ERROR, UsbRemoteErrorMsg, type),
    MEMBER(BYE, UsbRemoteBye, reason),
    MEMBER(ATTACH, UsbRemoteAttach, speeds),
    MEMBER(ATTACH, UsbRemoteAttach, address_policy),
    MEMBER(ATTACH, UsbRemoteAttach, flags),
    MEMBER(ATTACH, UsbRemoteAttach, gap_ms),
    MEMBER(ATTACH, UsbRemoteAttach, endpoint_count),
    MEMBER(ATTACHED, UsbRemoteAttached, result),
    MEMBER(ATTACHED, UsbRemoteAttached, speed),
    MEMBER(RESET, UsbRemoteReset, speed),
    MEMBER(ADDRESS, UsbRemoteAddress, address),
    MEMBER(VMSTATE, UsbRemoteVmstate, running),
    MEMBER(READY, UsbRemoteReady, endpoint),
    MEMBER(SUBMIT, UsbRemoteSubmit, endpoint),
    MEMBER(SUBMIT, UsbRemoteSubmit, type),
    MEMBER(SUBMIT, UsbRemoteSubmit, flags),
    MEMBER(SUBMIT, UsbRemoteSubmit, stream),
    MEMBER(SUBMIT, UsbRemoteSubmit, place),
    MEMBER(SUBMIT, UsbRemoteSubmit, region),
    MEMBER(SUBMIT, UsbRemoteSubmit, length),
    MEMBER(SUBMIT, UsbRemoteSubmit, offset),
    ARRAY(SUBMIT, UsbRemoteSubmit, setup),
    MEMBER(COMPLETE, UsbRemoteComplete, status),
    MEMBER(COMPLETE, UsbRemoteComplete, place),
    MEMBER(COMPLETE, UsbRemoteComplete, flags),
    MEMBER(COMPLETE, UsbRemoteComplete, length),
    MEMBER(COMPLETE, UsbRemoteComplete, endpoint_count),
    MEMBER(COMPLETE, UsbRemoteComplete, region),
    MEMBER(COMPLETE, UsbRemoteComplete, offset),
};

static GByteArray *from_hex(const char *hex)
{
    GByteArray *bytes = g_byte_array_new();

    g_assert_cmpuint(strlen(hex) % 2, ==, 0);
    for (; *hex; hex += 2) {
        int high = g_ascii_xdigit_value(hex[0]);
        int low = g_ascii_xdigit_value(hex[1]);
        guint8 byte = (guint8)(high * 16 + low);

        g_assert_true(high >= 0 && low >= 0);
        g_byte_array_append(bytes, &byte, 1);
    }
    return bytes;
}

static int result_code(const char *name)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(results); i++) {
        if (strcmp(results[i].name, name) == 0) {
            return results[i].code;
        }
    }
    g_error("the vectors have a result \"%s\"", name);
}

static int sender_of(const char *name)
{
    if (strcmp(name, "qemu") == 0) {
        return USB_REMOTE_FROM_QEMU;
    }
    g_assert_cmpstr(name, ==, "peer");
    return USB_REMOTE_FROM_PEER;
}

static int judge(const uint8_t *buf, size_t have, int from, size_t *used)
{
    UsbRemoteLimits limits = usb_remote_default_limits();

    return codec_judge(buf, have, from, &limits, used);
}

typedef void (*Check)(const char *name, char **columns);

/* Call @check with each line of a vector file, its columns trimmed. */
static void for_each_line(const char *file, guint count, Check check)
{
    char *path = g_build_filename("tests", "vectors", file, NULL);
    char *text;
    char **lines, **line;
    guint done = 0;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (line = lines; *line; line++) {
        char **columns = g_strsplit(*line, "|", -1);
        char **column;

        if (**line && **line != '#') {
            g_assert_cmpuint(g_strv_length(columns), ==, count);
            for (column = columns; *column; column++) {
                g_strstrip(*column);
            }
            g_test_message("%s", columns[NAME]);
            check(columns[NAME], columns);
            done++;
        }
        g_strfreev(columns);
    }
    g_assert_cmpuint(done, >, 0);
    g_strfreev(lines);
    g_free(text);
    g_free(path);
}

static void check_whole(const char *name, char **columns)
{
    GByteArray *bytes = from_hex(columns[BYTES]);
    int want = result_code(columns[RESULT]);
    size_t used;

    if (judge(bytes->data, bytes->len, sender_of(columns[SENDER]), &used)
        != want) {
        g_error("%s: not %s", name, columns[RESULT]);
    }
    if (want == USB_REMOTE_ERROR_NONE || want == SKIP) {
        g_assert_cmpuint(used, ==, bytes->len);
    }
    g_byte_array_free(bytes, TRUE);
}

/*
 * Each prefix is in a block of its own, so that a sanitizer or valgrind sees
 * a read beyond it.
 */
static void check_byte_by_byte(const char *name, char **columns)
{
    GByteArray *bytes = from_hex(columns[BYTES]);
    int from = sender_of(columns[SENDER]);
    guint have;

    for (have = 0; have <= bytes->len; have++) {
        uint8_t *copy = g_malloc(have ? have : 1);
        int want = have < bytes->len ? MORE : result_code(columns[RESULT]);
        size_t used;

        if (have) {
            memcpy(copy, bytes->data, have);
        }
        if (judge(copy, have, from, &used) != want) {
            g_error("%s: misjudged after %u bytes", name, have);
        }
        g_free(copy);
    }
    g_byte_array_free(bytes, TRUE);
}

static void check_trailing(const char *name, char **columns)
{
    static const uint8_t trail[] = { 0x30, 0x00, 0xff, 0xff, 0xff };
    GByteArray *bytes = from_hex(columns[BYTES]);
    guint length = bytes->len;
    int want = result_code(columns[RESULT]);
    size_t used;

    g_byte_array_append(bytes, trail, sizeof(trail));
    if (judge(bytes->data, bytes->len, sender_of(columns[SENDER]), &used)
        != want) {
        g_error("%s: misjudged with bytes after it", name);
    }
    if (want == USB_REMOTE_ERROR_NONE || want == SKIP) {
        g_assert_cmpuint(used, ==, length);
    }
    g_byte_array_free(bytes, TRUE);
}

static uint64_t get_integer(const uint8_t *p, size_t size)
{
    switch (size) {
    case 1:
        return *p;
    case 2:
        return usb_remote_get16(p);
    case 4:
        return usb_remote_get32(p);
    case 8:
        return usb_remote_get64(p);
    default:
        g_assert_not_reached();
    }
}

static void check_bytes(const char *name, const uint8_t *found, size_t size,
                        const char *want)
{
    GByteArray *bytes;

    g_assert_true(g_str_has_prefix(want, "x:"));
    bytes = from_hex(want + 2);
    if (bytes->len != size ||
        (size && memcmp(found, bytes->data, size) != 0)) {
        g_error("%s is not %s", name, want);
    }
    g_byte_array_free(bytes, TRUE);
}

static void check_member(uint16_t type, const uint8_t *body,
                         const char *name, const char *want)
{
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(members); i++) {
        if (members[i].type == type && strcmp(members[i].name, name) == 0) {
            const uint8_t *p = body + members[i].offset;

            if (members[i].is_bytes) {
                check_bytes(name, p, members[i].size, want);
            } else {
                g_assert_cmphex(get_integer(p, members[i].size), ==,
                                g_ascii_strtoull(want, NULL, 0));
            }
            return;
        }
    }
    g_error("%s has no member \"%s\" in this test",
            usb_remote_message_name(type), name);
}

static void check_head(const UsbRemoteHead *head, const char *name,
                       const char *want)
{
    uint64_t value = g_ascii_strtoull(want, NULL, 0);

    if (strcmp(name, "type") == 0) {
        g_assert_cmphex(head->type, ==, value);
    } else if (strcmp(name, "id") == 0) {
        g_assert_cmphex(head->id, ==, value);
    } else if (strcmp(name, "attachment") == 0) {
        g_assert_cmphex(head->attachment, ==, value);
    } else {
        g_assert_cmpstr(name, ==, "epoch");
        g_assert_cmphex(head->epoch, ==, value);
    }
}

/*
 * A part after the fixed one: strings and texts one after the other, data
 * as long as usb_remote_complete_data() says, the table at the end.
 */
static void check_tail(const UsbRemoteHead *head, const uint8_t *body,
                       size_t *at, const char *name, const char *want)
{
    size_t size = strlen(want) / 2 - 1;

    if (head->type == USB_REMOTE_MSG_COMPLETE && strcmp(name, "data") == 0) {
        g_assert_cmpuint(usb_remote_complete_data(
            (const UsbRemoteComplete *)body, head->length), ==, size);
    }
    g_assert_cmpuint(*at + size, <=, head->length);
    check_bytes(name, body + *at, size, want);
    *at += size;
}

static void check_fields(const char *name, char **columns)
{
    GByteArray *bytes = from_hex(columns[BYTES]);
    const uint8_t *body = bytes->data + sizeof(UsbRemoteHeader);
    char **fields = g_strsplit(columns[FIELDS], " ", -1);
    char **field;
    UsbRemoteHead head;
    size_t at;

    (void)name;
    if (!g_str_has_prefix(columns[RESULT], "ok")) {
        g_assert_cmpstr(columns[FIELDS], ==, "");
        goto out;
    }
    head = usb_remote_get_header(bytes->data);
    at = usb_remote_message(head.type)->fixed;
    for (field = fields; *field; field++) {
        char **pair = g_strsplit(*field, "=", 2);

        g_assert_cmpuint(g_strv_length(pair), ==, 2);
        if (g_str_has_prefix(pair[0], "fixed.")) {
            check_member(head.type, body, pair[0] + 6, pair[1]);
        } else if (g_str_has_prefix(pair[0], "tail.")) {
            check_tail(&head, body, &at, pair[0] + 5, pair[1]);
        } else {
            check_head(&head, pair[0], pair[1]);
        }
        g_strfreev(pair);
    }
    g_assert_cmpuint(at, ==, head.length);
out:
    g_strfreev(fields);
    g_byte_array_free(bytes, TRUE);
}

static void check_encoded_again(const char *name, char **columns)
{
    GByteArray *bytes = from_hex(columns[BYTES]);
    uint8_t out[sizeof(UsbRemoteHeader)];
    UsbRemoteHead head = usb_remote_get_header(bytes->data);

    usb_remote_put_header(out, &head);
    if (memcmp(out, bytes->data, sizeof(out)) != 0) {
        g_error("%s: not the same header", name);
    }
    g_byte_array_free(bytes, TRUE);
}

static void check_preamble(const char *name, char **columns)
{
    GByteArray *bytes = from_hex(columns[1]);
    const UsbRemotePreamble *p = (const UsbRemotePreamble *)bytes->data;
    int want = result_code(columns[2]);
    guint have;

    for (have = 0; have < bytes->len; have++) {
        g_assert_true(usb_remote_magic_ok(bytes->data, have));
    }
    if (usb_remote_magic_ok(bytes->data, have) !=
        (want != USB_REMOTE_ERROR_MALFORMED)) {
        g_error("%s: magic misjudged", name);
    }
    if (have == sizeof(*p)) {
        g_assert_cmpint(usb_remote_version_ok(p), ==,
                        want == USB_REMOTE_ERROR_NONE);
    }
    g_byte_array_free(bytes, TRUE);
}

static void check_answer(const char *name, char **columns)
{
    GByteArray *bytes = from_hex(columns[4]);
    size_t used;
    int code;

    g_assert_cmpint(judge(bytes->data, bytes->len, USB_REMOTE_FROM_PEER,
                          &used), ==, USB_REMOTE_ERROR_NONE);
    code = usb_remote_check_answer(
        (const UsbRemoteComplete *)(bytes->data + sizeof(UsbRemoteHeader)),
        used - sizeof(UsbRemoteHeader), strcmp(columns[1], "in") == 0,
        (uint32_t)g_ascii_strtoull(columns[2], NULL, 10),
        strcmp(columns[3], "yes") == 0);
    if (code != result_code(columns[5])) {
        g_error("%s: not %s", name, columns[5]);
    }
    g_byte_array_free(bytes, TRUE);
}

static void test_whole(void)
{
    for_each_line("messages.txt", COLUMNS, check_whole);
}

static void test_byte_by_byte(void)
{
    for_each_line("messages.txt", COLUMNS, check_byte_by_byte);
}

static void test_trailing(void)
{
    for_each_line("messages.txt", COLUMNS, check_trailing);
}

static void test_fields(void)
{
    for_each_line("messages.txt", COLUMNS, check_fields);
}

static void test_encoded_again(void)
{
    for_each_line("messages.txt", COLUMNS, check_encoded_again);
}

static void test_preambles(void)
{
    for_each_line("preambles.txt", 3, check_preamble);
}

static void test_own_preamble(void)
{
    UsbRemotePreamble p;

    memset(&p, 0xff, sizeof(p));
    usb_remote_put_preamble(&p);
    g_assert_true(usb_remote_magic_ok((const uint8_t *)&p, sizeof(p)));
    g_assert_true(usb_remote_version_ok(&p));
    g_assert_cmpuint(usb_remote_get32(p.reserved), ==, 0);
}

static void test_answers(void)
{
    for_each_line("answers.txt", 6, check_answer);
}

static void test_limits(void)
{
    UsbRemoteLimits own = usb_remote_default_limits();
    UsbRemoteLimits other = { 6, 2048, 1024, 10, 100, 1 << 20 };
    UsbRemoteHello hello;
    UsbRemoteLimits both;

    own.features = 5;
    memset(&hello, 0, sizeof(hello));
    usb_remote_put_limits(&hello, &other);
    both = usb_remote_join_limits(&own, &hello);
    g_assert_cmphex(both.features, ==, 4);
    g_assert_cmpuint(both.max_payload, ==, 2048);
    g_assert_cmpuint(both.max_control, ==, 1024);
    g_assert_cmpuint(both.max_requests, ==, 10);
    g_assert_cmpuint(both.max_per_endpoint, ==, own.max_per_endpoint);
    g_assert_cmpuint(both.max_bytes, ==, 1 << 20);

    /* a control stage is no larger than a payload */
    usb_remote_put32(hello.max_control, 4096);
    both = usb_remote_join_limits(&own, &hello);
    g_assert_cmpuint(both.max_control, ==, 2048);
}

/* A message that is in the limits of this version but not in these. */
static void test_limits_in_force(void)
{
    UsbRemoteLimits limits = usb_remote_default_limits();
    UsbRemoteSubmit submit;
    UsbRemoteComplete complete;
    UsbRemoteHead head = { USB_REMOTE_MSG_SUBMIT, 0, sizeof(submit), 1, 1, 0 };

    memset(&submit, 0, sizeof(submit));
    submit.endpoint[0] = 0x81;
    submit.type[0] = USB_REMOTE_TYPE_BULK;
    usb_remote_put32(submit.length, 2049);
    g_assert_cmpint(usb_remote_check_body(&head, (uint8_t *)&submit, &limits),
                    ==, USB_REMOTE_ERROR_NONE);
    limits.max_payload = 2048;
    g_assert_cmpint(usb_remote_check_body(&head, (uint8_t *)&submit, &limits),
                    ==, USB_REMOTE_ERROR_LIMIT);

    memset(&complete, 0, sizeof(complete));
    usb_remote_put32(complete.length, 2049);
    head.type = USB_REMOTE_MSG_COMPLETE;
    head.length = sizeof(complete);
    g_assert_cmpint(usb_remote_check_body(&head, (uint8_t *)&complete,
                                          &limits), ==,
                    USB_REMOTE_ERROR_LIMIT);
}

static void test_names(void)
{
    g_assert_cmpstr(usb_remote_message_name(USB_REMOTE_MSG_SUBMIT), ==,
                    "SUBMIT");
    g_assert_cmpstr(usb_remote_message_name(0x7fff), ==, "unknown message");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/codec/messages are judged as the vectors say",
                    test_whole);
    g_test_add_func("/codec/byte by byte, no byte too late or too early",
                    test_byte_by_byte);
    g_test_add_func("/codec/bytes after a message change nothing",
                    test_trailing);
    g_test_add_func("/codec/fields are where the vectors say", test_fields);
    g_test_add_func("/codec/headers encoded again are the same bytes",
                    test_encoded_again);
    g_test_add_func("/codec/preambles are judged as the vectors say",
                    test_preambles);
    g_test_add_func("/codec/its own preamble is a good one",
                    test_own_preamble);
    g_test_add_func("/codec/answers are judged by their requests",
                    test_answers);
    g_test_add_func("/codec/the smaller limit of both holds", test_limits);
    g_test_add_func("/codec/limits in force are kept", test_limits_in_force);
    g_test_add_func("/codec/messages have names", test_names);
    return g_test_run();
}
