/*
 * Cases for the small host controller drivers themselves, against USB
 * devices that QEMU has anyway
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "usbhc.h"
#include "usbhc-selftest.h"

#define REPORT_BYTES    8
#define BLOCK           512

static QTestState *start(const UsbHcDriver *drv, const char *device)
{
    return qtest_initf("-machine pc -nodefaults -device %s %s",
                       drv->device, device);
}

static void stop(UsbHc *hc)
{
    QTestState *qts = hc->qts;

    usbhc_free(hc);
    qtest_quit(qts);
}

static void reads_descriptors(const void *opaque)
{
    const UsbHcDriver *drv = opaque;
    UsbHc *hc = usbhc_new(start(drv, "-device usb-tablet"), drv);
    UsbHcDevice *dev = usbhc_attach(hc);
    uint8_t buf[255];
    uint32_t actual;

    g_assert_cmpint(usbhc_control(dev, 0x80, 6, 0x100, 0, buf, 18, &actual),
                    ==, USBHC_OK);
    g_assert_cmpint(actual, ==, 18);
    g_assert_cmphex(lduw_le_p(buf + 8), ==, 0x0627);
    g_assert_cmpint(usbhc_control(dev, 0x80, 6, 0x200, 0, buf, 255, &actual),
                    ==, USBHC_SHORT);
    g_assert_cmpint(actual, ==, lduw_le_p(buf + 2));
    g_assert_cmpint(usbhc_control(dev, 0x00, 9, 1, 0, NULL, 0, NULL), ==,
                    USBHC_OK);
    g_assert_cmpint(usbhc_control(dev, 0xc0, 1, 0, 0, buf, 9, NULL), ==,
                    USBHC_STALL);
    g_assert_cmpint(usbhc_control(dev, 0x80, 8, 0, 0, buf, 1, NULL), ==,
                    USBHC_OK);
    g_assert_cmpint(buf[0], ==, 1);
    stop(hc);
}

void usbhc_press_key(QTestState *qts)
{
    qtest_qmp_assert_success(qts,
        "{ 'execute': 'input-send-event', 'arguments': { 'events': ["
        "{ 'type': 'key', 'data': { 'down': true,"
        "  'key': { 'type': 'qcode', 'data': 'a' } } } ] } }");
}

static void receives_a_report(const void *opaque)
{
    const UsbHcDriver *drv = opaque;
    UsbHc *hc = usbhc_new(start(drv, "-device usb-kbd"), drv);
    UsbHcDevice *dev = usbhc_attach(hc);
    UsbHcEndpoint *ep;
    UsbHcTransfer *xfer;

    usbhc_control(dev, 0x00, 9, 1, 0, NULL, 0, NULL);
    ep = usbhc_ep(dev, 0x81, USBHC_INTERRUPT, REPORT_BYTES, 7);
    xfer = usbhc_submit(ep, NULL, REPORT_BYTES);
    usbhc_run(hc, 50 * USBHC_FRAME_NS);
    g_assert_cmpint(xfer->status, ==, USBHC_PENDING);
    usbhc_press_key(hc->qts);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    g_assert_cmphex(xfer->data[2], ==, 4);
    usbhc_transfer_free(xfer);
    stop(hc);
}

void usbhc_storage_start(UsbHcEndpoint *out, const uint8_t *command, size_t n,
                         uint32_t length)
{
    uint8_t cbw[31] = { 'U', 'S', 'B', 'C', 1, 2, 3, 4 };

    stl_le_p(cbw + 8, length);
    cbw[12] = 0x80;
    cbw[14] = n;
    memcpy(cbw + 15, command, n);
    g_assert_cmpint(usbhc_transfer(out, cbw, 31, NULL), ==, USBHC_OK);
}

void usbhc_storage_command(UsbHcEndpoint *out, UsbHcEndpoint *in,
                           const uint8_t *command, size_t n, uint8_t *data,
                           uint32_t length)
{
    uint8_t csw[13];
    uint32_t actual;

    usbhc_storage_start(out, command, n, length);
    g_assert_cmpint(usbhc_transfer(in, data, length, &actual), ==, USBHC_OK);
    g_assert_cmpint(actual, ==, length);
    g_assert_cmpint(usbhc_transfer(in, csw, 13, NULL), ==, USBHC_OK);
    g_assert_cmpmem(csw, 4, "USBS", 4);
}

typedef struct Disk {
    UsbHc *hc;
    UsbHcEndpoint *in, *out;
} Disk;

static Disk open_disk(const UsbHcDriver *drv)
{
    QTestState *qts = start(drv, "-blockdev null-co,node-name=n0,size=1048576,"
                            "read-zeroes=on -device usb-storage,drive=n0");
    Disk d = { usbhc_new(qts, drv) };
    UsbHcDevice *dev = usbhc_attach(d.hc);
    uint16_t mps = dev->speed == USBHC_SUPER ? 1024 :
                   dev->speed == USBHC_HIGH ? 512 : 64;

    usbhc_control(dev, 0x00, 9, 1, 0, NULL, 0, NULL);
    d.in = usbhc_ep(dev, 0x81, USBHC_BULK, mps, 0);
    d.out = usbhc_ep(dev, 0x02, USBHC_BULK, mps, 0);
    return d;
}

static void reads_blocks(const void *opaque)
{
    static const uint8_t inquiry[6] = { 0x12, 0, 0, 0, 36, 0 };
    static const uint8_t sense[6] = { 0x03, 0, 0, 0, 18, 0 };
    static const uint8_t capacity[10] = { 0x25 };
    static const uint8_t read10[10] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 8 };
    Disk d = open_disk(opaque);
    g_autofree uint8_t *data = g_malloc0(8 * BLOCK);

    usbhc_storage_command(d.out, d.in, inquiry, 6, data, 36);
    g_assert_cmpmem(data + 8, 4, "QEMU", 4);
    usbhc_storage_command(d.out, d.in, sense, 6, data, 18);
    usbhc_storage_command(d.out, d.in, capacity, 10, data, 8);
    g_assert_cmpint(ldl_be_p(data), ==, 1048576 / BLOCK - 1);
    memset(data, 0xff, 8 * BLOCK);
    usbhc_storage_command(d.out, d.in, read10, 10, data, 8 * BLOCK);
    g_assert_true(buffer_is_zero(data, 8 * BLOCK));
    stop(d.hc);
}

/* A disk stalls a read that no command asked for. */
static void halts_and_clears(const void *opaque)
{
    static const uint8_t inquiry[6] = { 0x12, 0, 0, 0, 36, 0 };
    Disk d = open_disk(opaque);
    UsbHcDevice *dev = d.in->dev;
    uint8_t data[36];

    g_assert_cmpint(usbhc_transfer(d.in, data, 36, NULL), ==, USBHC_STALL);
    g_assert_true(d.in->halted);
    g_assert_cmpint(usbhc_clear_halt(d.in), ==, USBHC_OK);
    usbhc_storage_command(d.out, d.in, inquiry, 6, data, 36);
    g_assert_cmpmem(data + 8, 4, "QEMU", 4);
    g_assert_cmpint(usbhc_control(dev, 0x80, 6, 0x4200, 0, data, 9, NULL), ==,
                    USBHC_STALL);
    g_assert_cmpint(usbhc_control(dev, 0x80, 8, 0, 0, data, 1, NULL), ==,
                    USBHC_OK);
    g_assert_cmpint(data[0], ==, 1);
    stop(d.hc);
}

/* Behind a hub */

static void works_behind_a_hub(const void *opaque)
{
    const UsbHcDriver *drv = opaque;
    UsbHc *hc = usbhc_new(start(drv, "-device usb-hub,bus=hc.0,port=1 "
                                "-device usb-kbd,bus=hc.0,port=1.2"), drv);
    UsbHcDevice *dev = usbhc_attach_behind(usbhc_attach(hc), 2);
    UsbHcTransfer *xfer;
    uint8_t buf[18];

    g_assert_cmpint(usbhc_control(dev, 0x80, 6, 0x100, 0, buf, 18, NULL), ==,
                    USBHC_OK);
    g_assert_cmphex(lduw_le_p(buf + 8), ==, 0x0627);
    usbhc_control(dev, 0x00, 9, 1, 0, NULL, 0, NULL);
    xfer = usbhc_submit(usbhc_ep(dev, 0x81, USBHC_INTERRUPT, REPORT_BYTES, 7),
                        NULL, REPORT_BYTES);
    usbhc_press_key(hc->qts);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    g_assert_cmphex(xfer->data[2], ==, 4);
    usbhc_transfer_free(xfer);
    stop(hc);
}

/* Bulk streams: USB Attached SCSI, one command for each stream */

#define UAS_COMMAND     0x01
#define UAS_STATUS      0x82
#define UAS_DATA_IN     0x83
#define UAS_STREAMS     16
#define UAS_SENSE       3               /* the id of that information unit */

typedef struct Uas {
    UsbHc *hc;
    UsbHcEndpoint *command, *status, *data;
} Uas;

static Uas open_uas(const UsbHcDriver *drv)
{
    QTestState *qts = start(drv, "-blockdev null-co,node-name=n0,size=1048576,"
                            "read-zeroes=on -device usb-uas,id=uas "
                            "-device scsi-hd,bus=uas.0,scsi-id=0,lun=0,"
                            "drive=n0");
    Uas u = { usbhc_new(qts, drv) };
    UsbHcDevice *dev = usbhc_attach(u.hc);

    usbhc_control(dev, 0x00, 9, 1, 0, NULL, 0, NULL);
    u.command = usbhc_ep(dev, UAS_COMMAND, USBHC_BULK, 1024, 0);
    u.status = usbhc_ep_streams(dev, UAS_STATUS, 1024, UAS_STREAMS);
    u.data = usbhc_ep_streams(dev, UAS_DATA_IN, 1024, UAS_STREAMS);
    return u;
}

/* INQUIRY of @length bytes with the stream's id as its tag */
static void uas_inquire(Uas *u, uint16_t stream, uint8_t length)
{
    uint8_t iu[32] = { 1, 0, stream >> 8, stream };

    iu[16] = 0x12;
    iu[20] = length;
    g_assert_cmpint(usbhc_transfer(u->command, iu, sizeof(iu), NULL), ==,
                    USBHC_OK);
}

static void expect_status(UsbHcTransfer *xfer, uint16_t stream)
{
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    g_assert_cmpint(xfer->data[0], ==, UAS_SENSE);
    g_assert_cmpint(lduw_be_p(xfer->data + 2), ==, stream);
    g_assert_cmpint(xfer->data[6], ==, 0);
    usbhc_transfer_free(xfer);
}

static void expect_inquiry(UsbHcTransfer *xfer)
{
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    g_assert_cmpmem(xfer->data + 8, 4, "QEMU", 4);
    usbhc_transfer_free(xfer);
}

/* Each stream has data of its own length waiting; the last goes first. */
static void streams_are_told_apart(const void *opaque)
{
    Uas u = open_uas(opaque);
    UsbHcTransfer *status[UAS_STREAMS + 1], *data[UAS_STREAMS + 1];
    unsigned i, round;

    for (round = 0; round < 2; round++) {
        for (i = 1; i <= UAS_STREAMS; i++) {
            status[i] = usbhc_submit_stream(u.status, i, NULL, 64);
            data[i] = usbhc_submit_stream(u.data, i, NULL, 16 + i);
        }
        for (i = UAS_STREAMS; i > 0; i--) {
            uas_inquire(&u, i, 16 + i);
            expect_inquiry(data[i]);
            expect_status(status[i], i);
            g_assert_cmpint(i == 1 || status[i - 1]->status == USBHC_PENDING,
                            ==, 1);
        }
    }
    stop(u.hc);
}

static void cancels_in_a_stream(const void *opaque)
{
    Uas u = open_uas(opaque);
    UsbHcTransfer *status = usbhc_submit_stream(u.status, 2, NULL, 64);
    UsbHcTransfer *a = usbhc_submit_stream(u.data, 1, NULL, 36);
    UsbHcTransfer *b = usbhc_submit_stream(u.data, 2, NULL, 36);

    usbhc_cancel(a);
    g_assert_cmpint(a->status, ==, USBHC_CANCELLED);
    g_assert_cmpint(b->status, ==, USBHC_PENDING);
    usbhc_transfer_free(a);
    uas_inquire(&u, 2, 36);
    expect_inquiry(b);
    expect_status(status, 2);
    stop(u.hc);
}

static void cancels_a_transfer(const void *opaque)
{
    const UsbHcDriver *drv = opaque;
    UsbHc *hc = usbhc_new(start(drv, "-device usb-kbd"), drv);
    UsbHcDevice *dev = usbhc_attach(hc);
    UsbHcEndpoint *ep;
    UsbHcTransfer *xfer;
    uint8_t config = 0;

    usbhc_control(dev, 0x00, 9, 1, 0, NULL, 0, NULL);
    ep = usbhc_ep(dev, 0x81, USBHC_INTERRUPT, REPORT_BYTES, 7);
    xfer = usbhc_submit(ep, NULL, REPORT_BYTES);
    usbhc_run(hc, 10 * USBHC_FRAME_NS);
    usbhc_cancel(xfer);
    g_assert_cmpint(xfer->status, ==, USBHC_CANCELLED);
    usbhc_transfer_free(xfer);
    usbhc_control(dev, 0x80, 8, 0, 0, &config, 1, NULL);
    g_assert_cmpint(config, ==, 1);
    stop(hc);
}

static void add(const UsbHcDriver *drv, const char *what, GTestDataFunc fn)
{
    g_autofree char *path = g_strdup_printf("/usbhc/%s/%s", drv->name, what);

    qtest_add_data_func(path, drv, fn);
}

void usbhc_selftest_add(const UsbHcDriver *drv)
{
    add(drv, "reads-the-descriptors-of-a-tablet", reads_descriptors);
    add(drv, "receives-a-key-from-a-keyboard", receives_a_report);
    add(drv, "reads-blocks-of-a-disk", reads_blocks);
    add(drv, "cancels-a-transfer", cancels_a_transfer);
    add(drv, "halts-and-clears-with-a-disk", halts_and_clears);
    if (drv->speeds & (1 << USBHC_FULL)) {
        add(drv, "works-behind-a-hub", works_behind_a_hub);
    }
    if (drv->max_streams) {
        add(drv, "tells-the-streams-of-a-uas-disk-apart",
            streams_are_told_apart);
        add(drv, "cancels-in-a-stream-of-a-uas-disk", cancels_in_a_stream);
    }
}
