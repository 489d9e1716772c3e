/*
 * The library's session and QEMU's end talk to each other in memory
 *
 * SPDX-License-Identifier: MIT
 */

#include <errno.h>
#include <stdlib.h>

#include "rig.h"

#define OK          USB_REMOTE_STATUS_OK
#define STALL       USB_REMOTE_STATUS_STALL
#define LARGEST     USB_REMOTE_MAX_PAYLOAD

/* USB 2.0 section 9.4: requests of a driver, and two of a class */
static const uint8_t get_device[8] = { 0x80, 6, 0, 1, 0, 0, 18, 0 };
static const uint8_t set_configuration[8] = { 0x00, 9, 1, 0, 0, 0, 0, 0 };
static const uint8_t set_interface[8] = { 0x01, 11, 1, 0, 0, 0, 0, 0 };
static const uint8_t class_out[8] = { 0x21, 9, 0, 0, 0, 0, 5, 0 };
static const UsbRemoteEndpoint table[1] = {
    { { 0x81 }, { USB_REMOTE_TYPE_BULK }, { 0, 2 }, { 0 }, { 0 }, { 0 },
      { 0 } }
};

/* The handshake */

static void a_handshake(size_t step)
{
    Rig *rig = rig_new(step, NULL);

    CHECK(rig_attach(rig) == -ENOTCONN);
    rig_up(rig);
    HEARD(rig, "");             /* the preamble is no message */
    rig_talk(rig);
    HEARD(rig, "HELLO");
    TOLD(rig, "greeted QEMU usb0 x; opened");
    CHECK(!usbremote_is_closed(rig->peer));
    rig_free(rig);
}

static void a_refusal(size_t step)
{
    Rig *rig = rig_new(step, NULL);

    rig->refusal = "no such device";
    rig_talk(rig);
    HEARD(rig, "ERROR 8");
    TOLD(rig, "greeted QEMU usb0 x; closed 0");
    rig_free(rig);
}

static void a_second_hello(size_t step)
{
    Rig *rig = rig_new(step, NULL);
    size_t size;
    const uint8_t *sent = qemu_end_output(rig->qemu, &size);
    size_t hello = size - sizeof(UsbRemotePreamble);

    usbremote_feed(rig->peer, sent, size);
    usbremote_feed(rig->peer, sent + sizeof(UsbRemotePreamble), hello);
    rig_up(rig);
    HEARD(rig, "HELLO; ERROR 3");
    TOLD(rig, "greeted QEMU usb0 x; opened; closed 3");
    rig_free(rig);
}

/* What QEMU's end sends first, with a byte of it changed. */
static void feed_changed(Rig *rig, size_t at)
{
    size_t size;
    const uint8_t *sent = qemu_end_output(rig->qemu, &size);
    uint8_t *changed = (uint8_t *)malloc(size);

    CHECK(changed && at < size);
    memcpy(changed, sent, size);
    changed[at] ^= 0x40;
    usbremote_feed(rig->peer, changed, size);
    free(changed);
}

static void another_version(size_t step)
{
    Rig *rig = rig_new(step, NULL);

    feed_changed(rig, offsetof(UsbRemotePreamble, minor));
    rig_talk(rig);
    HEARD(rig, "ERROR 1");
    TOLD(rig, "closed 3");
    rig_free(rig);
}

static void a_stranger(size_t step)
{
    Rig *rig = rig_new(step, NULL);
    size_t size;

    usbremote_output_sent(rig->peer, sizeof(UsbRemotePreamble));
    feed_changed(rig, 1);
    TOLD(rig, "closed 4");
    CHECK(!usbremote_output(rig->peer, &size) && size == 0);
    CHECK(usbremote_feed(rig->peer, "x", 1) == -ENOTCONN);
    rig_free(rig);
}

static void a_lost_connection(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig_in(rig, 0x81, 1);
    rig_talk(rig);
    usbremote_feed_eof(rig->peer);
    TOLD(rig, "submit 1; dropped 1; closed 5");
    usbremote_feed_eof(rig->peer);
    TOLD(rig, "");
    rig_free(rig);
}

/* Plugging in and out */

static void plugging_in_and_out(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);
    uint64_t id = rig_in(rig, 0x81, 64);

    rig_talk(rig);
    CHECK(usbremote_detach(rig->peer) == 0);
    CHECK(usbremote_detach(rig->peer) == -ENOTCONN);
    CHECK(usbremote_wakeup(rig->peer) == -ENOTCONN);
    TOLD(rig, "submit 1; dropped 1");
    CHECK(id == 1);
    rig_talk(rig);
    HEARD(rig, "DETACH 1");
    qemu_end_detached(rig->qemu);
    rig_talk(rig);
    TOLD(rig, "detached 1");
    CHECK(rig_attach(rig) == 0);
    CHECK(rig_attach(rig) == -ENOTCONN);
    rig_talk(rig);
    HEARD(rig, "ATTACH 2");
    qemu_end_attached(rig->qemu, OK, USB_REMOTE_SPEED_FULL, "");
    rig_talk(rig);
    TOLD(rig, "attached 1");
    rig_free(rig);
}

static void what_crosses_an_unplugging(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig_in(rig, 0x81, 64);
    rig_talk(rig);
    rig_answer(rig, 1, OK, "late", 4);
    CHECK(usbremote_detach(rig->peer) == 0);
    CHECK(rig_attach(rig) == 0);        /* need not wait for DETACHED */
    rig_in(rig, 0x81, 64);              /* these are of the old one */
    qemu_end_reset(rig->qemu, USB_REMOTE_SPEED_HIGH);
    qemu_end_address(rig->qemu, 5);
    qemu_end_cancel(rig->qemu, 2);
    rig_talk(rig);
    HEARD(rig, "DETACH 1; ATTACH 2");
    TOLD(rig, "submit 1");
    qemu_end_attached(rig->qemu, OK, USB_REMOTE_SPEED_HIGH, "");
    rig_in(rig, 0x81, 64);              /* with the epoch of that RESET */
    rig_talk(rig);
    TOLD(rig, "attached 2; submit 3");
    rig_free(rig);
}

static void a_detach_ends_the_wait(size_t step)
{
    Rig *rig = rig_new(step, NULL);
    uint32_t first;

    rig_talk(rig);
    CHECK(rig_attach(rig) == 0);
    rig_talk(rig);
    first = qemu_end_attachment(rig->qemu);
    CHECK(usbremote_detach(rig->peer) == 0);
    qemu_end_attached(rig->qemu, OK, USB_REMOTE_SPEED_HIGH, "");
    rig_down(rig);                      /* they cross */
    CHECK(rig_attach(rig) == 0);
    rig_talk(rig);
    CHECK(first == 1 && qemu_end_attachment(rig->qemu) == 2);
    HEARD(rig, "HELLO; ATTACH 1; DETACH 1; ATTACH 2");
    TOLD(rig, "greeted QEMU usb0 x; opened");
    rig_free(rig);
}

static void a_port_that_refuses(size_t step)
{
    Rig *rig = rig_new(step, NULL);

    rig_talk(rig);
    CHECK(rig_attach(rig) == 0);
    rig_talk(rig);
    qemu_end_attached(rig->qemu, USB_REMOTE_ATTACHED_NO_SPEED, 0, "a\nb");
    rig_talk(rig);
    TOLD(rig, "greeted QEMU usb0 x; opened; not attached 1 a?b");
    CHECK(usbremote_detach(rig->peer) == -ENOTCONN);
    CHECK(rig_attach(rig) == 0);
    rig_free(rig);
}

static void plugged_in_anew(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig_in(rig, 0x81, 64);
    rig_talk(rig);
    qemu_end_reset(rig->qemu, USB_REMOTE_SPEED_HIGH);   /* loadvm */
    qemu_end_attached(rig->qemu, OK, USB_REMOTE_SPEED_SUPER, "");
    rig_talk(rig);
    TOLD(rig, "submit 1; dropped 1; reset 2; attached 3");
    qemu_end_attached(rig->qemu, USB_REMOTE_ATTACHED_REFUSED, 0, "no");
    rig_talk(rig);
    TOLD(rig, "not attached 2 no");
    rig_free(rig);
}

static void what_the_device_hears(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    qemu_end_address(rig->qemu, 127);
    qemu_end_vmstate(rig->qemu, false);
    qemu_end_vmstate(rig->qemu, true);
    rig_talk(rig);
    TOLD(rig, "address 127; vmstate 0; vmstate 1");
    CHECK(usbremote_wakeup(rig->peer) == 0);
    CHECK(usbremote_ready(rig->peer, 0x83) == 0);
    rig_talk(rig);
    HEARD(rig, "WAKEUP; READY 83");
    rig_free(rig);
}

/* Requests */

static void control_requests(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);
    QemuHeard m;

    rig_control(rig, get_device, NULL);
    rig_talk(rig);
    CHECK(usbremote_is_in(rig_request(rig, 1)));
    CHECK(!memcmp(usbremote_setup(rig_request(rig, 1)), get_device, 8));
    rig_answer(rig, 1, OK, "eighteen bytes are", 18);
    rig_talk(rig);
    CHECK(qemu_end_next(rig->qemu, &m) && m.head.id == 1);
    CHECK(!memcmp(m.body + sizeof(UsbRemoteComplete), "eighteen", 8));
    rig_control(rig, class_out, "hello");
    rig_talk(rig);
    CHECK(!usbremote_is_in(rig_request(rig, 2)));
    CHECK(!memcmp(usbremote_data(rig_request(rig, 2)), "hello", 5));
    rig_answer(rig, 2, STALL, NULL, 0);
    rig_talk(rig);
    HEARD(rig, "COMPLETE 2 1 0");
    rig_free(rig);
}

static void endpoint_tables(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);
    QemuHeard m;

    rig_control(rig, set_configuration, NULL);
    rig_talk(rig);
    CHECK(usbremote_complete_table(rig->waiting[0], table, 1) == 0);
    rig->count = 0;
    rig_talk(rig);
    CHECK(qemu_end_next(rig->qemu, &m) &&
          m.head.length == sizeof(UsbRemoteComplete) + sizeof(table));
    rig_control(rig, set_interface, NULL);
    rig_talk(rig);
    CHECK(usbremote_complete_table(rig->waiting[0], NULL, 0) == 0);
    rig->count = 0;
    rig_control(rig, class_out, "hello");
    rig_talk(rig);
    CHECK(usbremote_complete_table(rig->waiting[0], table, 1) == -EINVAL);
    CHECK(rig->code == USB_REMOTE_ERROR_NONE);
    rig_free(rig);
}

/* One OUT and one IN request of @size bytes, each byte looked at. */
static void move_both_ways(Rig *rig, const uint8_t *data, uint32_t size)
{
    uint64_t out = rig_out(rig, 0x02, data, size);
    uint64_t in = rig_in(rig, 0x81, size);
    QemuHeard m;

    rig_talk(rig);
    CHECK(usbremote_length(rig_request(rig, out)) == size);
    CHECK(!size || !memcmp(usbremote_data(rig_request(rig, out)), data,
                           size));
    rig_answer(rig, in, OK, data, size);
    rig_answer(rig, out, OK, NULL, size);
    rig_talk(rig);
    CHECK(qemu_end_next(rig->qemu, &m) && m.head.id == in);
    CHECK(m.head.length == sizeof(UsbRemoteComplete) + size);
    CHECK(!memcmp(m.body + sizeof(UsbRemoteComplete), data, size));
    CHECK(qemu_end_next(rig->qemu, &m) && m.head.id == out);
    rig->told[0] = 0;
}

static void bulk_of_every_size(size_t step)
{
    static const uint32_t sizes[] = { 0, 1, 511, 512, 513, 4096, 4097, 65536,
                                      LARGEST };
    Rig *rig = rig_plugged(step, NULL);
    uint8_t *data = (uint8_t *)malloc(LARGEST);
    uint32_t i;

    CHECK(data);
    for (i = 0; i < LARGEST; i++) {
        data[i] = (uint8_t)(i * 7 + (i >> 8));
    }
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        move_both_ways(rig, data, sizes[i]);
    }
    CHECK(qemu_end_in_flight(rig->qemu) == 0);
    free(data);
    rig_free(rig);
}

static void interrupts(size_t step)
{
    static const QemuSubmit in = { 0x83, USB_REMOTE_TYPE_INTERRUPT,
                                   USB_REMOTE_SUBMIT_SHORT_NOT_OK, 8, NULL,
                                   NULL };
    static const QemuSubmit out = { 0x03, USB_REMOTE_TYPE_INTERRUPT,
                                    USB_REMOTE_SUBMIT_RETRY, 3, NULL, "led" };
    Rig *rig = rig_plugged(step, NULL);
    UsbRemoteRequest *request;

    qemu_end_submit(rig->qemu, &in);
    qemu_end_submit(rig->qemu, &out);
    rig_talk(rig);
    request = rig_request(rig, 1);
    CHECK(usbremote_endpoint(request) == 0x83 &&
          usbremote_type(request) == USB_REMOTE_TYPE_INTERRUPT &&
          usbremote_flags(request) == USB_REMOTE_SUBMIT_SHORT_NOT_OK);
    CHECK(usbremote_flags(rig_request(rig, 2)) == USB_REMOTE_SUBMIT_RETRY);
    rig_answer(rig, 1, USB_REMOTE_STATUS_NAK, NULL, 0);
    rig_answer(rig, 2, OK, NULL, 3);
    CHECK(usbremote_ready(rig->peer, 0x83) == 0);
    rig_talk(rig);
    HEARD(rig, "COMPLETE 1 2 0; COMPLETE 2 0 3; READY 83");
    rig_free(rig);
}

static void answers_in_any_order(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);
    uint32_t i;

    for (i = 0; i < 4; i++) {
        rig_in(rig, i & 1 ? 0x81 : 0x82, 16);
    }
    rig_talk(rig);
    rig_answer(rig, 3, OK, "c", 1);
    rig_answer(rig, 1, USB_REMOTE_STATUS_BABBLE, "a", 1);
    rig_answer(rig, 4, USB_REMOTE_STATUS_IOERROR, NULL, 0);
    rig_answer(rig, 2, USB_REMOTE_STATUS_NODEV, NULL, 0);
    rig_talk(rig);
    HEARD(rig, "COMPLETE 3 0 1; COMPLETE 1 3 1; COMPLETE 4 4 0; "
          "COMPLETE 2 5 0");
    CHECK(qemu_end_in_flight(rig->qemu) == 0);
    rig_free(rig);
}

static void more_than_was_asked(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig_in(rig, 0x81, 2);
    rig_talk(rig);
    rig_answer(rig, 1, OK, "babble", 6);        /* a fault, no violation */
    rig_talk(rig);
    HEARD(rig, "COMPLETE 1 0 6");
    rig_free(rig);
}

/* Answers that the device gives from the callback. */
static void echo_length(Rig *rig, UsbRemoteRequest *request)
{
    (void)rig;
    CHECK(usbremote_complete(request, OK, NULL,
                             usbremote_is_in(request)
                             ? 0 : usbremote_length(request)) == 0);
}

static void answers_from_the_callback(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig->submit = echo_length;
    rig_out(rig, 0x01, "abc", 3);
    rig_in(rig, 0x81, 64);
    rig_talk(rig);
    HEARD(rig, "COMPLETE 1 0 3; COMPLETE 2 0 0");
    rig_free(rig);
}

static void say_bye(Rig *rig, UsbRemoteRequest *request)
{
    rig->waiting[rig->count++] = request;
    usbremote_bye(rig->peer, "enough");
}

static void the_end_from_a_callback(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig->submit = say_bye;
    rig_in(rig, 0x81, 64);
    rig_in(rig, 0x81, 64);
    rig_talk(rig);
    HEARD(rig, "BYE");
    TOLD(rig, "submit 1; dropped 1; closed 0");
    rig_free(rig);
}

static void unplug(Rig *rig, UsbRemoteRequest *request)
{
    rig->waiting[rig->count++] = request;
    CHECK(usbremote_detach(rig->peer) == 0);
}

static void an_unplugging_from_a_callback(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig->submit = unplug;
    rig_out(rig, 0x01, "abc", 3);
    rig_in(rig, 0x81, 64);
    rig_talk(rig);
    HEARD(rig, "DETACH 1");
    TOLD(rig, "submit 1; dropped 1");
    rig_free(rig);
}

static void end_it(Rig *rig, UsbRemoteRequest *request)
{
    (void)request;
    usbremote_bye(rig->peer, "enough");
}

/* What comes of QEMU's message is not told after the end. */
static void the_end_while_requests_are_dropped(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig->dropped = end_it;
    rig_in(rig, 0x81, 64);
    rig_in(rig, 0x81, 64);
    qemu_end_reset(rig->qemu, USB_REMOTE_SPEED_HIGH);
    rig_talk(rig);
    TOLD(rig, "submit 1; submit 2; dropped 1; dropped 2; closed 0");
    rig_free(rig);
    rig = rig_plugged(step, NULL);
    rig->dropped = end_it;
    rig_in(rig, 0x81, 64);
    qemu_end_attached(rig->qemu, OK, USB_REMOTE_SPEED_HIGH, "");
    rig_talk(rig);
    TOLD(rig, "submit 1; dropped 1; closed 0");
    CHECK(usbremote_is_closed(rig->peer));
    rig_free(rig);
}

static void unplug_when_dropped(Rig *rig, UsbRemoteRequest *request)
{
    (void)request;
    CHECK(usbremote_detach(rig->peer) == 0);
}

static void an_unplugging_while_requests_are_dropped(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig->dropped = unplug_when_dropped;
    rig_in(rig, 0x81, 64);
    qemu_end_reset(rig->qemu, USB_REMOTE_SPEED_HIGH);
    rig_talk(rig);
    TOLD(rig, "submit 1; dropped 1");
    HEARD(rig, "DETACH 1");
    rig_free(rig);
}

/* Cancel */

static void a_silent_device_answers_a_cancel(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig_in(rig, 0x81, 64);
    rig_out(rig, 0x01, "abcdef", 6);
    rig_out(rig, 0x01, "abcdef", 6);
    rig_talk(rig);
    CHECK(usbremote_consumed(rig_request(rig, 3), 4) == 0);
    qemu_end_cancel(rig->qemu, 1);
    qemu_end_cancel(rig->qemu, 2);
    qemu_end_cancel(rig->qemu, 3);
    rig_talk(rig);
    TOLD(rig, "submit 1; submit 2; submit 3; cancelled 1; cancelled 2; "
         "cancelled 3");
    HEARD(rig, "COMPLETE 1 6 0; COMPLETE 2 6 0; COMPLETE 3 6 4");
    rig_out(rig, 0x01, "abcdef", 6);    /* what was consumed is forgotten */
    qemu_end_cancel(rig->qemu, 4);
    rig_talk(rig);
    HEARD(rig, "COMPLETE 4 6 0");
    rig_free(rig);
}

static void answer_after_all(Rig *rig, UsbRemoteRequest *request)
{
    (void)rig;
    CHECK(usbremote_complete(request, OK, "data", 4) == 0);
}

static void a_result_after_all(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig->cancelled = answer_after_all;
    rig_in(rig, 0x81, 64);
    rig_talk(rig);
    qemu_end_cancel(rig->qemu, 1);
    rig_talk(rig);
    HEARD(rig, "COMPLETE 1 0 4");
    rig_free(rig);
}

static void a_cancelled_request_is_not_dropped_as_well(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig->cancelled = end_it;
    rig_in(rig, 0x81, 64);
    rig_in(rig, 0x81, 64);
    qemu_end_cancel(rig->qemu, 1);
    rig_talk(rig);
    TOLD(rig, "submit 1; submit 2; cancelled 1; dropped 2; closed 0");
    HEARD(rig, "BYE");
    rig_free(rig);
}

static void a_cancel_that_crosses_the_answer(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig_in(rig, 0x81, 64);
    rig_talk(rig);
    rig_answer(rig, 1, OK, "x", 1);
    qemu_end_cancel(rig->qemu, 1);
    rig_talk(rig);
    TOLD(rig, "submit 1");
    HEARD(rig, "COMPLETE 1 0 1");
    rig_free(rig);
}

/* Resets */

static void a_reset_drops_oldest_first(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig_control(rig, get_device, NULL);
    rig_in(rig, 0x81, 64);
    rig_out(rig, 0x01, "abc", 3);
    rig_talk(rig);
    qemu_end_reset(rig->qemu, USB_REMOTE_SPEED_FULL);
    qemu_end_reset(rig->qemu, USB_REMOTE_SPEED_FULL);
    rig_in(rig, 0x81, 8);
    rig_talk(rig);
    TOLD(rig, "submit 1; submit 2; submit 3; dropped 1; dropped 2; "
         "dropped 3; reset 1; reset 1; submit 4");
    rig_answer(rig, 4, OK, "new", 3);
    rig_talk(rig);
    HEARD(rig, "COMPLETE 4 0 3");
    rig_free(rig);
}

static void answers_that_cross_a_reset(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig_in(rig, 0x81, 64);
    rig_in(rig, 0x81, 64);
    rig_talk(rig);
    rig_answer(rig, 1, OK, "old", 3);
    CHECK(usbremote_ready(rig->peer, 0x81) == 0);
    CHECK(usbremote_wakeup(rig->peer) == 0);
    qemu_end_reset(rig->qemu, USB_REMOTE_SPEED_HIGH);
    qemu_end_cancel(rig->qemu, 2);      /* of the epoch before */
    rig_up(rig);
    HEARD(rig, "WAKEUP");               /* it counts by attachment only */
    rig_talk(rig);
    HEARD(rig, "");
    TOLD(rig, "submit 1; submit 2; dropped 2; reset 2");
    CHECK(qemu_end_in_flight(rig->qemu) == 0 && qemu_end_epoch(rig->qemu));
    rig_free(rig);
}

/* The end */

static void qemu_ends_it(size_t step)
{
    static const uint32_t reasons[] = { USB_REMOTE_BYE_REMOVED,
                                        USB_REMOTE_BYE_DONE, 77 };
    static const char *const told[] = { "submit 1; dropped 1; closed 1",
                                        "submit 1; dropped 1; closed 0",
                                        "submit 1; dropped 1; closed 0" };
    size_t i;

    for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        Rig *rig = rig_plugged(step, NULL);

        rig_in(rig, 0x81, 64);
        qemu_end_bye(rig->qemu, reasons[i]);
        rig_talk(rig);
        TOLD(rig, told[i]);
        HEARD(rig, "");
        CHECK(rig_attach(rig) == -ENOTCONN);
        rig_free(rig);
    }
}

static void the_peer_ends_it(size_t step)
{
    Rig *rig = rig_plugged(step, NULL);

    rig_out(rig, 0x01, "abc", 3);
    rig_talk(rig);
    usbremote_bye(rig->peer, "that is all");
    usbremote_bye(rig->peer, "twice");
    rig_talk(rig);
    HEARD(rig, "BYE");
    TOLD(rig, "submit 1; dropped 1; closed 0");
    rig_free(rig);
}

/* Limits */

static const UsbRemoteCapacity small = { 8192, 64, 3, 2, 16384 };

static void limits_are_the_smaller_ones(size_t step)
{
    Rig *rig = rig_plugged(step, &small);
    static const uint8_t data[8192];

    rig_in(rig, 0x81, 8192);
    rig_in(rig, 0x81, 8192);
    rig_out(rig, 0x01, data, 0);
    rig_control(rig, get_device, NULL);         /* needs no credit */
    rig_talk(rig);
    CHECK(rig->count == 4);
    CHECK(usbremote_complete(rig_request(rig, 1), OK, data, 8193) ==
          -EMSGSIZE);
    rig_answer(rig, 1, OK, data, 8192);
    rig_out(rig, 0x02, data, 8192);
    rig_talk(rig);
    TOLD(rig, "submit 1; submit 2; submit 3; submit 4; submit 5");
    HEARD(rig, "COMPLETE 1 0 8192");
    rig_free(rig);
}

static void limits_of_qemus_are_kept(size_t step)
{
    UsbRemoteLimits limits = usb_remote_default_limits();
    Rig *rig = rig_new(step, NULL);
    static const uint8_t data[8193];

    qemu_end_free(rig->qemu);
    limits.max_payload = 8192;
    rig->qemu = qemu_end_new("usb0", "x", &limits);
    rig_plug(rig);
    rig_in(rig, 0x81, 8192);
    rig_talk(rig);
    CHECK(usbremote_complete(rig_request(rig, 1), OK, data, 8193) ==
          -EMSGSIZE);
    rig_free(rig);
}

/* Requests too many, of which the last one is refused. */
static void beyond_the_limits(size_t step)
{
    static const int endpoints[3][4] = {
        { 0x81, 0x81, 0x81, 0 },        /* on one endpoint */
        { 0x81, 0x82, 0x83, 0x84 },     /* in all */
        { 0x81, 0x82, 0x83, 0 },        /* bytes */
    };
    static const uint32_t length[3] = { 1, 1, 8192 };
    size_t i, j;

    for (i = 0; i < 3; i++) {
        Rig *rig = rig_plugged(step, &small);

        for (j = 0; j < 4 && endpoints[i][j]; j++) {
            rig_in(rig, endpoints[i][j], length[i]);
        }
        rig_talk(rig);
        HEARD(rig, "ERROR 6");
        CHECK(rig->count == 0 && usbremote_is_closed(rig->peer));
        rig_free(rig);
    }
}

/* Violations */

/* What QEMU says, plugged in or not, and the ERROR that it gets. */
typedef struct Wrong {
    UsbRemoteHead head;         /* its epoch is added to the one in force */
    uint8_t body[sizeof(UsbRemoteHello)];
    uint32_t code;
    bool unplugged;
} Wrong;

#define WRONG(type, flags, length, id, attachment, epoch) \
    { USB_REMOTE_MSG_##type, flags, length, id, attachment, epoch }
#define BULK_IN { 0x81, USB_REMOTE_TYPE_BULK }

static const Wrong wrongs[] = {
    { WRONG(SUBMIT, 0, 32, 2, 1, 1), BULK_IN, USB_REMOTE_ERROR_UNEXPECTED,
      false },
    { WRONG(SUBMIT, 0, 32, 1, 1, 0), BULK_IN, USB_REMOTE_ERROR_UNEXPECTED,
      false },                  /* an id that is not new */
    { WRONG(SUBMIT, 0, 32, 2, 2, 0), BULK_IN, USB_REMOTE_ERROR_UNEXPECTED,
      false },
    { WRONG(SUBMIT, 0, 32, 2, 0, 0), BULK_IN, USB_REMOTE_ERROR_UNEXPECTED,
      true },
    { WRONG(SUBMIT, 0, 33, 2, 1, 0), BULK_IN, USB_REMOTE_ERROR_MALFORMED,
      false },
    { WRONG(SUBMIT, 0, 31, 2, 1, 0), BULK_IN, USB_REMOTE_ERROR_MALFORMED,
      false },
    { WRONG(SUBMIT, 0, 0xffffffff, 2, 1, 0), BULK_IN, USB_REMOTE_ERROR_LIMIT,
      false },
    { WRONG(SUBMIT, 0, 32, 0, 1, 0), BULK_IN, USB_REMOTE_ERROR_MALFORMED,
      false },
    { WRONG(SUBMIT, 0, 32, 2, 1, 0), { 0 }, USB_REMOTE_ERROR_NONE, false },
    { WRONG(CANCEL, 0, 8, 2, 1, 0), { 0 }, USB_REMOTE_ERROR_UNKNOWN_ID,
      false },
    { WRONG(RESET, 0, 8, 0, 1, 0), { 0 }, USB_REMOTE_ERROR_UNEXPECTED,
      false },
    { WRONG(RESET, 0, 8, 0, 1, 1), { 4 }, USB_REMOTE_ERROR_MALFORMED,
      false },
    { WRONG(ADDRESS, 0, 8, 0, 1, 0), { 128 }, USB_REMOTE_ERROR_MALFORMED,
      false },
    { WRONG(VMSTATE, 0, 8, 0, 1, 0), { 2 }, USB_REMOTE_ERROR_MALFORMED,
      false },
    { WRONG(ATTACHED, 0, 8, 0, 2, 0), { 0 }, USB_REMOTE_ERROR_UNKNOWN_ID,
      false },
    { WRONG(ATTACHED, 0, 8, 0, 0, 0), { 0 }, USB_REMOTE_ERROR_UNKNOWN_ID,
      true },
    { WRONG(DETACHED, 0, 8, 0, 1, 0), { 0 }, USB_REMOTE_ERROR_UNEXPECTED,
      false },
    { WRONG(DETACHED, 0, 8, 0, 2, 0), { 0 }, USB_REMOTE_ERROR_UNKNOWN_ID,
      false },
    { WRONG(DETACHED, 0, 8, 0, 0, 0), { 0 }, USB_REMOTE_ERROR_UNKNOWN_ID,
      false },
    { WRONG(HELLO, 0, 56, 0, 1, 0), { 0 }, USB_REMOTE_ERROR_MALFORMED,
      false },
    { WRONG(COMPLETE, 0, 24, 1, 1, 0), { 0 }, USB_REMOTE_ERROR_UNEXPECTED,
      false },
    { WRONG(ATTACH, 0, 16, 0, 1, 0), { 2 }, USB_REMOTE_ERROR_UNEXPECTED,
      false },
    { { USB_REMOTE_RANGE_PRIVATE_FIRST, 0, 0, 0, 1, 0 }, { 0 },
      USB_REMOTE_ERROR_UNKNOWN_TYPE, false },
    { { USB_REMOTE_RANGE_PRIVATE_FIRST, USB_REMOTE_FLAG_OPTIONAL, 40, 0, 1,
        0 }, { 0 }, USB_REMOTE_ERROR_NONE, false },
};

/* So much of it is said: there is no more. */
static size_t body_size(const Wrong *wrong)
{
    return wrong->head.length < sizeof(wrong->body) ? wrong->head.length
                                                    : sizeof(wrong->body);
}

static Rig *rig_opened(size_t step)
{
    Rig *rig = rig_new(step, NULL);

    rig_talk(rig);
    HEARD(rig, "HELLO");
    TOLD(rig, "greeted QEMU usb0 x; opened");
    return rig;
}

static void tell_wrong(size_t step, const Wrong *wrong)
{
    Rig *rig = wrong->unplugged ? rig_opened(step) : rig_plugged(step, NULL);
    UsbRemoteHead head = wrong->head;
    bool open = wrong->code == USB_REMOTE_ERROR_NONE;
    QemuHeard m;

    if (!wrong->unplugged) {
        rig_in(rig, 0x81, 1);
    }
    head.epoch += qemu_end_epoch(rig->qemu);
    qemu_end_send(rig->qemu, &head, wrong->body, body_size(wrong));
    rig_talk(rig);
    check(usbremote_is_closed(rig->peer) == !open, __FILE__, __LINE__,
          "wrongs[%d] was told", (int)(wrong - wrongs));
    CHECK(qemu_end_next(rig->qemu, &m) == !open);
    if (!open) {
        CHECK(m.head.type == USB_REMOTE_MSG_ERROR &&
              m.head.id == wrong->head.id &&
              usb_remote_get32(m.body) == wrong->code);
        CHECK(rig->count == 0);
    }
    rig_free(rig);
}

static void qemu_breaks_the_protocol(size_t step)
{
    size_t i;

    for (i = 0; i < sizeof(wrongs) / sizeof(wrongs[0]); i++) {
        tell_wrong(step, &wrongs[i]);
    }
}

/* What a peer never says through the library, and the ERROR that it gets. */
static const Wrong wrong_peers[] = {
    { WRONG(COMPLETE, 0, 24, 2, 1, 0), { 0 }, USB_REMOTE_ERROR_UNKNOWN_ID,
      false },
    { WRONG(COMPLETE, 0, 24, 1, 1, 1), { 0 }, USB_REMOTE_ERROR_UNKNOWN_ID,
      false },
    { WRONG(COMPLETE, 0, 24, 1, 2, 0), { 0 }, USB_REMOTE_ERROR_UNKNOWN_ID,
      false },
    { WRONG(COMPLETE, 0, 24, 1, 1, 0), { 7 }, USB_REMOTE_ERROR_MALFORMED,
      false },
    { WRONG(COMPLETE, 0, 24, 1, 1, 0), { 0, 0, 1 },
      USB_REMOTE_ERROR_MALFORMED, false },      /* a table, of bulk */
    { WRONG(COMPLETE, 0, 25, 1, 1, 0), { 0 }, USB_REMOTE_ERROR_MALFORMED,
      false },
    { WRONG(ATTACH, 0, 16, 0, 3, 0), { 2 }, USB_REMOTE_ERROR_UNEXPECTED,
      false },
    { WRONG(ATTACH, 0, 16, 0, 2, 0), { 0 }, USB_REMOTE_ERROR_MALFORMED,
      false },
    { WRONG(DETACH, 0, 8, 0, 2, 0), { 0 }, USB_REMOTE_ERROR_UNEXPECTED,
      false },
    { WRONG(DETACH, 0, 8, 0, 0, 0), { 0 }, USB_REMOTE_ERROR_UNEXPECTED,
      true },
    { WRONG(READY, 0, 8, 0, 1, 0), { 0x80 }, USB_REMOTE_ERROR_MALFORMED,
      false },
    { WRONG(READY, 0, 8, 0, 1, 1), { 0x81 }, USB_REMOTE_ERROR_UNKNOWN_ID,
      false },
    { WRONG(WAKEUP, 0, 8, 0, 2, 0), { 0 }, USB_REMOTE_ERROR_UNKNOWN_ID,
      false },
    { WRONG(WAKEUP, 0, 8, 9, 1, 0), { 0 }, USB_REMOTE_ERROR_MALFORMED,
      false },
    { WRONG(SUBMIT, 0, 32, 9, 1, 0), BULK_IN, USB_REMOTE_ERROR_UNEXPECTED,
      false },
    { { USB_REMOTE_RANGE_ISO_FIRST, 0, 0, 0, 1, 0 }, { 0 },
      USB_REMOTE_ERROR_UNKNOWN_TYPE, false },
    { { USB_REMOTE_RANGE_ISO_FIRST, USB_REMOTE_FLAG_OPTIONAL, 40, 0, 1, 0 },
      { 0 }, USB_REMOTE_ERROR_NONE, false },
    { WRONG(COMPLETE, 0, 24, 1, 0, 0), { 0 }, USB_REMOTE_ERROR_NONE, false },
    { WRONG(WAKEUP, 0, 8, 0, 0, 0), { 0 }, USB_REMOTE_ERROR_NONE, false },
};

/* As if the peer had sent it. */
static uint32_t forge(Rig *rig, const Wrong *wrong)
{
    uint8_t header[sizeof(UsbRemoteHeader)];
    UsbRemoteHead head = wrong->head;
    uint32_t code;

    head.epoch += qemu_end_epoch(rig->qemu);
    usb_remote_put_header(header, &head);
    code = qemu_end_feed(rig->qemu, header, sizeof(header));
    return code ? code
           : qemu_end_feed(rig->qemu, wrong->body, body_size(wrong));
}

static void the_peer_breaks_the_protocol(size_t step)
{
    size_t i;

    for (i = 0; i < sizeof(wrong_peers) / sizeof(wrong_peers[0]); i++) {
        const Wrong *w = &wrong_peers[i];
        Rig *rig = w->unplugged ? rig_opened(step) : rig_plugged(step, NULL);

        if (!w->unplugged) {
            rig_in(rig, 0x81, 1);
        }
        CHECK(forge(rig, w) == w->code);
        HEARD(rig, "");
        rig_talk(rig);          /* the peer is told: refused */
        CHECK(usbremote_is_closed(rig->peer) == (w->code != 0));
        rig_free(rig);
    }
}

static void a_second_answer(size_t step)
{
    static const Wrong answer = { WRONG(COMPLETE, 0, 24, 1, 1, 0), { 0 }, 0,
                                  false };
    Rig *rig = rig_plugged(step, NULL);

    rig_in(rig, 0x81, 1);
    rig_talk(rig);
    CHECK(forge(rig, &answer) == USB_REMOTE_ERROR_NONE);
    CHECK(forge(rig, &answer) == USB_REMOTE_ERROR_UNKNOWN_ID);
    HEARD(rig, "COMPLETE 1 0 0");
    rig_talk(rig);
    TOLD(rig, "submit 1; dropped 1; closed 2");
    rig_free(rig);
}

static const struct {
    const char *name;
    void (*run)(size_t step);
} all[] = {
#define CASE(name)  { #name, name }
    CASE(a_handshake),
    CASE(a_refusal),
    CASE(a_second_hello),
    CASE(another_version),
    CASE(a_stranger),
    CASE(a_lost_connection),
    CASE(plugging_in_and_out),
    CASE(what_crosses_an_unplugging),
    CASE(a_detach_ends_the_wait),
    CASE(a_port_that_refuses),
    CASE(plugged_in_anew),
    CASE(what_the_device_hears),
    CASE(control_requests),
    CASE(endpoint_tables),
    CASE(bulk_of_every_size),
    CASE(interrupts),
    CASE(answers_in_any_order),
    CASE(more_than_was_asked),
    CASE(answers_from_the_callback),
    CASE(the_end_from_a_callback),
    CASE(an_unplugging_from_a_callback),
    CASE(the_end_while_requests_are_dropped),
    CASE(an_unplugging_while_requests_are_dropped),
    CASE(a_silent_device_answers_a_cancel),
    CASE(a_result_after_all),
    CASE(a_cancelled_request_is_not_dropped_as_well),
    CASE(a_cancel_that_crosses_the_answer),
    CASE(a_reset_drops_oldest_first),
    CASE(answers_that_cross_a_reset),
    CASE(qemu_ends_it),
    CASE(the_peer_ends_it),
    CASE(limits_are_the_smaller_ones),
    CASE(limits_of_qemus_are_kept),
    CASE(beyond_the_limits),
    CASE(qemu_breaks_the_protocol),
    CASE(the_peer_breaks_the_protocol),
    CASE(a_second_answer),
};

int main(void)
{
    size_t i;

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        check_case(all[i].name, all[i].run, 0);
        check_case(all[i].name, all[i].run, 1);
    }
    return check_done();
}
