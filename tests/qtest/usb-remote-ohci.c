/*
 * usb-remote cases: what a guest can do to OHCI, and what OHCI does for it
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * As in usb-remote-hcd.c, a patch to QEMU's own code is behind each, and one
 * of QEMU's own devices is used where it shows the defect.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "usb-remote-rig.h"
#include "usbhc-ohci.h"
#include "usbhc-selftest.h"

#define TABLET          "-device usb-tablet,id=tablet,bus=hc.0"
#define KEYBOARD        "-device usb-kbd,bus=hc.0"
#define SERIAL          "-chardev null,id=n0 " \
                        "-device usb-serial,chardev=n0,bus=hc.0," \
                        "always-plugged=on"

static void ohci_set_control(Rig *rig, uint32_t value)
{
    qpci_io_writel(rig->hc->pci, rig->hc->bar, HC_CONTROL, value);
}

static UsbHcTransfer *pending_read(Rig *rig, UsbHcType type)
{
    UsbHcTransfer *xfer;

    rig_start_slow_read(rig, type);
    xfer = usbhc_submit(rig->bulk_in, NULL, RIG_BLOCK);
    rig_run(rig, 3);
    g_assert_cmpint(xfer->status, ==, USBHC_PENDING);
    return xfer;
}

/* In no frame: the packet is complete, and the controller has not seen it. */
static void answer_unseen(Rig *rig, uint32_t lists)
{
    ohci_set_control(rig, CONTROL_SUSPEND(lists));
    rig_answer_slow_read(rig);
}

static void completed_before_the_ed_is_skipped(const void *opaque)
{
    Rig *rig = rig_with(opaque, RIG_SLOW_DISK);
    UsbHcTransfer *xfer = pending_read(rig, USBHC_INTERRUPT);

    answer_unseen(rig, CONTROL_RUN);
    usbhc_change32(rig->hc, rig->bulk_in->head, 0, ED_SKIP);
    ohci_set_control(rig, CONTROL_RUN);
    rig_run(rig, 3);
    rig_still_works(rig);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void completed_before_the_list_is_disabled(const void *opaque)
{
    Rig *rig = rig_with(opaque, RIG_SLOW_DISK);
    UsbHcTransfer *xfer = pending_read(rig, USBHC_BULK);

    answer_unseen(rig, CONTROL_RUN & ~CONTROL_BLE);
    ohci_set_control(rig, CONTROL_RUN & ~CONTROL_BLE);
    rig_run(rig, 3);
    rig_still_works(rig);
    ohci_set_control(rig, CONTROL_RUN);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void completed_before_the_unplug(const void *opaque)
{
    Rig *rig = rig_with(opaque, RIG_SLOW_DISK);
    UsbHcTransfer *xfer = pending_read(rig, USBHC_INTERRUPT);

    answer_unseen(rig, CONTROL_RUN);
    qtest_qmp_device_del(rig->qts, "disk");
    usbhc_change32(rig->hc, rig->bulk_in->head, 0, ED_SKIP);
    ohci_set_control(rig, CONTROL_RUN);
    rig_run(rig, 3);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* Its blocks come after so many ms of real time. */
#define LATE_DISK(id, ms) \
    "-blockdev driver=null-aio,node-name=b" id ",size=1048576," \
    "read-zeroes=on,latency-ns=" ms "000000 " \
    "-device usb-bot,id=" id ",bus=hc.0 " \
    "-device scsi-hd,drive=b" id ",bus=" id ".0 "

static void set_attached(Rig *rig, const char *id, bool attached)
{
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", id);

    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'qom-set', 'arguments': "
                             "{ 'path': %s, 'property': 'attached', "
                             "'value': %i } }", path, attached);
}

/* The first command fails at once: the disk was reset. */
static UsbHcTransfer *read_late_disk(UsbHc *hc, unsigned port)
{
    static const uint8_t read10[10] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 1 };
    uint8_t block[RIG_BLOCK];
    UsbHcEndpoint *in, *out;
    UsbHcDevice *dev;

    usbhc_port_reset(hc, port);
    dev = usbhc_open(hc, port);
    g_assert_cmpint(usbhc_address(dev), ==, USBHC_OK);
    g_assert_cmpint(usbhc_control(dev, 0x00, 9, 1, 0, NULL, 0, NULL), ==,
                    USBHC_OK);
    out = usbhc_ep(dev, 0x02, USBHC_BULK, 64, 0);
    in = usbhc_ep(dev, 0x81, USBHC_BULK, 64, 0);
    usbhc_storage_command(out, in, read10, sizeof(read10), block, RIG_BLOCK);
    usbhc_storage_start(out, read10, sizeof(read10), RIG_BLOCK);
    return usbhc_submit(in, NULL, RIG_BLOCK);
}

/* The unplug waits for the first disk, and the second one's block comes. */
static void completed_while_another_is_unplugged(const void *opaque)
{
    Rig *rig = rig_new_bare(opaque, LATE_DISK("first", "800")
                            LATE_DISK("second", "500"));
    UsbHcTransfer *xfer[2];

    set_attached(rig, "first", true);
    set_attached(rig, "second", true);
    xfer[0] = read_late_disk(rig->hc, 0);
    xfer[1] = read_late_disk(rig->hc, 1);
    rig_run(rig, 3);
    set_attached(rig, "first", false);
    rig_answer_slow_read(rig);
    g_assert_cmpint(usbhc_wait(xfer[1]), ==, USBHC_OK);
    usbhc_transfer_free(xfer[0]);
    usbhc_transfer_free(xfer[1]);
    rig_free(rig);
}

/*
 * An isochronous TD for the next eight frames, of eight bytes each, in a
 * queue that has nothing else.  Returns its guest address.
 */
static uint64_t ohci_iso_td(UsbHcEndpoint *ep)
{
    UsbHc *hc = ep->dev->hc;
    uint64_t td = usbhc_block_alloc(hc), buffer = usbhc_alloc(hc, 64);
    uint32_t frame = qpci_io_readl(hc->pci, hc->bar, HC_FRAME);
    uint32_t words[8] = {
        TD_UNTOUCHED | (7 << 24) | TD_NO_IRQ | ((frame + 1) & 0xffff),
        buffer, ep->tail, buffer + 63
    };
    unsigned i;

    for (i = 0; i < 8; i++) {
        words[4 + i / 2] |= (0xe000 | i * 8) << 16 * (i % 2);
    }
    usbhc_write32(hc, td, words, 8);
    usbhc_put32(hc, ep->head + 8, td);
    usbhc_change32(hc, ep->head, 0, ED_ISO);
    return td;
}

/* The condition code of the first packet, 14 when there was none */
static unsigned ohci_iso_code(UsbHc *hc, uint64_t td)
{
    return (usbhc_get32(hc, td + 16) >> 12) & 15;
}

static void iso_td_at_a_bulk_endpoint(const void *opaque)
{
    Rig *rig = rig_with(opaque, RIG_SLOW_DISK);
    uint8_t block[RIG_BLOCK];
    uint64_t td;

    rig_start_slow_read(rig, USBHC_ISO);
    td = ohci_iso_td(rig->bulk_in);
    rig_run(rig, 4);
    g_assert_cmpint(ohci_iso_code(rig->hc, td), ==, CC_NO_ANSWER);
    usbhc_ep_close(rig->bulk_in);
    rig_answer_slow_read(rig);
    rig->bulk_in = usbhc_ep(rig->dev, 0x81, USBHC_BULK, 64, 0);
    g_assert_cmpint(usbhc_transfer(rig->bulk_in, block, RIG_BLOCK, NULL), ==,
                    USBHC_OK);
    rig_free(rig);
}

static void iso_td_that_is_a_setup(const void *opaque)
{
    Rig *rig = rig_with(opaque, TABLET);
    UsbHcEndpoint *iso = usbhc_ep(rig->dev, 0x81, USBHC_ISO, 64, 1);

    ohci_iso_td(iso);
    usbhc_change32(rig->hc, iso->head, ED_IN, 0);
    rig_run(rig, 10);
    rig_still_works(rig);
    rig_free(rig);
}

/* The three descriptors that were freed last come back as they were. */
static void turn_blocks(UsbHc *hc)
{
    uint64_t block[3];
    unsigned i;

    for (i = 0; i < 3; i++) {
        block[i] = usbhc_block_alloc(hc);
    }
    for (i = 0; i < 3; i++) {
        usbhc_block_free(hc, block[i]);
    }
}

/* The controller knows a packet by its TD, whose memory comes back at once. */
static void control_write_of_other_data_in_the_same_td(const void *opaque)
{
    static const uint8_t setup[8] = { 0x40, 1, 0, 0, 0, 0, 4, 0 };
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer;
    PeerMessage *m;
    uint64_t td;

    rig->peer->auto_control = false;
    xfer = usbhc_submit_control(rig->dev, setup, "aaaa");
    m = rig_submit(rig, 0);
    td = xfer->td[2];
    peer_message_free(m);
    usbhc_cancel(xfer);
    usbhc_transfer_free(xfer);
    turn_blocks(rig->hc);
    xfer = usbhc_submit_control(rig->dev, setup, "bbbb");
    g_assert_cmphex(xfer->td[2], ==, td);
    rig_expect_out(rig, 0, "bbbb", 4);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* It takes all that is written to it at once. */
static Rig *rig_with_a_serial_port(const UsbHcDriver *drv)
{
    Rig *rig = rig_with(drv, SERIAL);

    rig->bulk_out = usbhc_ep(rig->dev, 0x02, USBHC_BULK, 64, 0);
    return rig;
}

static void more_packets_than_a_frame_holds(const void *opaque)
{
    Rig *rig = rig_with_a_serial_port(opaque);
    UsbHcTransfer *xfer[40];
    unsigned i;

    for (i = 0; i < G_N_ELEMENTS(xfer); i++) {
        xfer[i] = usbhc_submit(rig->bulk_out, "8 bytes", 8);
    }
    for (i = 0; i < G_N_ELEMENTS(xfer); i++) {
        g_assert_cmpint(usbhc_wait(xfer[i]), ==, USBHC_OK);
        usbhc_transfer_free(xfer[i]);
    }
    rig_still_works(rig);
    rig_free(rig);
}

/*
 * Two TDs, and the controller's done queue begins with the second: whichever
 * it retires, it links it to one of them, so the ED's queue has no end.
 */
static void queue_without_an_end(const void *opaque)
{
    Rig *rig = rig_with_a_serial_port(opaque);
    UsbHc *hc = rig->hc;
    uint64_t ed = rig->bulk_out->head, td[2];
    unsigned i;

    for (i = 0; i < 2; i++) {
        uint32_t words[4] = { TD_UNTOUCHED | TD_NO_IRQ };

        td[i] = usbhc_block_alloc(hc);
        words[2] = i ? rig->bulk_out->tail : td[0];
        usbhc_write32(hc, td[i], words, 4);
    }
    usbhc_put32(hc, ed + 8, td[1]);
    qpci_io_writel(hc->pci, hc->bar, HC_COMMAND, COMMAND_BLF);
    rig_run(rig, 3);
    g_assert_cmphex(usbhc_get32(hc, ed + 8) & ~15, ==, rig->bulk_out->tail);
    usbhc_put32(hc, td[1] + 8, td[0]);
    usbhc_put32(hc, ed + 8, td[0]);
    qpci_io_writel(hc->pci, hc->bar, HC_COMMAND, COMMAND_BLF);
    rig_run(rig, 3);
    rig_still_works(rig);
    rig_free(rig);
}

/*
 * In the ED: the controller makes no headway, gives up, or hands the device
 * a SETUP of no bytes, by its version.
 */
static void packets_of_no_bytes(const void *opaque)
{
    static const uint8_t setup[8] = { 0x80, 8, 0, 0, 0, 0, 1, 0 };
    Rig *rig = rig_with(opaque, TABLET);
    UsbHcTransfer *xfer;

    usbhc_change32(rig->hc, rig->dev->ep0->head, 0x7ff << 16, 0);
    xfer = usbhc_submit_control(rig->dev, setup, NULL);
    rig_run(rig, 3);
    g_assert_cmpint(xfer->status, !=, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void short_where_the_td_must_be_full(const void *opaque)
{
    static const uint8_t setup[8] = { 0x80, 6, 0, 1, 0, 0, 255, 0 };
    Rig *rig = rig_with(opaque, TABLET);
    UsbHcTransfer *xfer = usbhc_submit_control(rig->dev, setup, NULL);

    usbhc_change32(rig->hc, xfer->td[1], TD_ROUND, 0);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    g_assert_cmpint(xfer->actual, ==, 18);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* A descriptor's first four bytes in HcControl are a reset of the bus. */
static void data_cannot_reset_the_controller(const void *opaque)
{
    static const uint8_t setup[8] = { 0x80, 6, 0, 1, 0, 0, 4, 0 };
    Rig *rig = rig_with(opaque, TABLET);
    uint32_t at = rig->hc->bar.addr + HC_CONTROL;
    UsbHcTransfer *xfer = usbhc_submit_control(rig->dev, setup, NULL);

    usbhc_put32(rig->hc, xfer->td[1] + 4, at);
    usbhc_put32(rig->hc, xfer->td[1] + 12, at + 3);
    rig_run(rig, 3);
    g_assert_cmphex(qpci_io_readl(rig->hc->pci, rig->hc->bar, HC_CONTROL), ==,
                    CONTROL_RUN);
    g_assert_cmphex(qpci_io_readl(rig->hc->pci, rig->hc->bar, HC_INTR_STATUS) &
                    INTR_UE, !=, 0);
    rig->hc->gone = true;
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

#define OLD_BUFFER      8192

/*
 * As if a packet had been in flight at an older QEMU, of which the stream has
 * a buffer, the address of the TD and whether it was complete.  They follow
 * the lists that were enabled in the frame before, and that what only PXA27x
 * has, and are zero today.
 */
static void set_async_td(const char *file, uint32_t td)
{
    static const uint8_t before[] = { 0, 0, 0, 0, 0, 0, 0, CONTROL_RUN };
    static const uint8_t none[OLD_BUFFER + 5];
    g_autofree char *stream = NULL;
    char *at;
    gsize length;

    g_assert_true(g_file_get_contents(file, &stream, &length, NULL));
    at = stream;
    do {
        at = memmem(at + 1, stream + length - at - 1, before, sizeof(before));
        g_assert_nonnull(at);
        g_assert_cmpint(at + sizeof(before) + sizeof(none) - stream, <,
                        length);
    } while (memcmp(at + sizeof(before), none, sizeof(none)));
    stl_be_p(at + sizeof(before) + OLD_BUFFER, td);
    g_assert_true(g_file_set_contents(file, stream, length, NULL));
}

static void packet_in_flight_at_a_migration(const void *opaque)
{
    Rig *rig = rig_with(opaque, KEYBOARD);
    UsbHcEndpoint *ep = usbhc_ep(rig->dev, 0x81, USBHC_INTERRUPT, 8, 7);
    UsbHcTransfer *xfer = usbhc_submit(ep, NULL, 8);
    g_autofree char *file = g_strdup_printf("%s/stream", rig->dir);
    g_autofree char *uri = g_strdup_printf("file:%s", file);

    rig_run(rig, 3);
    rig_migrate(rig, uri);
    qtest_quit(rig->qts);
    set_async_td(file, xfer->td[0]);
    rig->qts = qtest_initf("-machine pc -nodefaults -device %s %s "
                           "-incoming defer", rig->drv->device, KEYBOARD);
    qtest_qmp_assert_success(rig->qts, "{ 'execute': 'migrate-incoming', "
                             "'arguments': { 'uri': %s } }", uri);
    qtest_qmp_eventwait(rig->qts, "RESUME");
    usbhc_move(rig->hc, rig->qts);
    usbhc_press_key(rig->qts);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    g_assert_cmphex(xfer->data[2], ==, 4);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* The port's suspend, and its end */

static uint32_t port_status(Rig *rig)
{
    return qpci_io_readl(rig->hc->pci, rig->hc->bar, HC_PORT(rig->dev->port));
}

static Rig *rig_with_a_suspended_tablet(const UsbHcDriver *drv)
{
    Rig *rig = rig_with(drv, TABLET);

    usbhc_port_suspend(rig->hc, rig->dev->port);
    g_assert_cmphex(port_status(rig) & PORT_PSS, !=, 0);
    return rig;
}

static void suspended_port_resumes_when_told(const void *opaque)
{
    Rig *rig = rig_with_a_suspended_tablet(opaque);
    QPCIDevice *pci = rig->hc->pci;

    qpci_io_writel(pci, rig->hc->bar, HC_INTR_STATUS, INTR_RHSC);
    qpci_io_writel(pci, rig->hc->bar, HC_PORT(rig->dev->port), PORT_POCI);
    g_assert_cmphex(port_status(rig) & (PORT_PSS | PORT_PSSC), ==, PORT_PSSC);
    g_assert_cmphex(qpci_io_readl(pci, rig->hc->bar, HC_INTR_STATUS) &
                    INTR_RHSC, !=, 0);
    rig_still_works(rig);
    rig_free(rig);
}

static void reset_ends_the_suspension(const void *opaque)
{
    Rig *rig = rig_with_a_suspended_tablet(opaque);

    usbhc_port_reset(rig->hc, rig->dev->port);
    g_assert_cmphex(port_status(rig) & PORT_PSS, ==, 0);
    rig_free(rig);
}

static void next_device_is_not_suspended(const void *opaque)
{
    Rig *rig = rig_with_a_suspended_tablet(opaque);
    g_autofree char *port = g_strdup_printf("%u", rig->dev->port + 1);

    qtest_qmp_device_del(rig->qts, "tablet");
    qtest_qmp_device_add(rig->qts, "usb-tablet", "tablet",
                         "{ 'bus': 'hc.0', 'port': %s }", port);
    g_assert_cmphex(port_status(rig) & (PORT_CCS | PORT_PSS), ==, PORT_CCS);
    rig_free(rig);
}

static bool saw_sof(Rig *rig, unsigned frames)
{
    qpci_io_writel(rig->hc->pci, rig->hc->bar, HC_INTR_STATUS, INTR_SF);
    rig_run(rig, frames);
    return qpci_io_readl(rig->hc->pci, rig->hc->bar, HC_INTR_STATUS) & INTR_SF;
}

/* Without a list, until it is over for sure; or until there is a list. */
static void resume_is_followed_by_no_sof(const void *opaque)
{
    static const uint32_t lists[] = { CONTROL_NO_LISTS, CONTROL_RUN };
    Rig *rig = rig_new_bare(opaque, NULL);
    size_t i;

    for (i = 0; i < G_N_ELEMENTS(lists); i++) {
        ohci_set_control(rig, CONTROL_SUSPEND(CONTROL_NO_LISTS));
        ohci_set_control(rig, CONTROL_RESUME(CONTROL_NO_LISTS));
        ohci_set_control(rig, CONTROL_NO_LISTS);
        g_assert_false(saw_sof(rig, 100));
        ohci_set_control(rig, lists[i]);
        g_assert_true(saw_sof(rig, lists[i] == CONTROL_RUN ? 2 : 200));
    }
    rig_free(rig);
}

/* Nobody at an address */

static void unplugged_iso_does_not_answer(const void *opaque)
{
    Rig *rig = rig_with(opaque, TABLET);
    UsbHcEndpoint *iso = usbhc_ep(rig->dev, 0x81, USBHC_ISO, 64, 1);
    uint64_t td;

    qtest_qmp_device_del(rig->qts, "tablet");
    td = ohci_iso_td(iso);
    rig_run(rig, 4);
    g_assert_cmpint(ohci_iso_code(rig->hc, td), ==, CC_NO_ANSWER);
    rig_free(rig);
}

void usb_remote_ohci_add(void)
{
    rig_add(&usbhc_ohci, "completed-before-the-ed-is-skipped",
            completed_before_the_ed_is_skipped);
    rig_add(&usbhc_ohci, "completed-before-the-list-is-disabled",
            completed_before_the_list_is_disabled);
    rig_add(&usbhc_ohci, "completed-before-the-unplug",
            completed_before_the_unplug);
    rig_add(&usbhc_ohci, "completed-while-another-is-unplugged",
            completed_while_another_is_unplugged);
    rig_add(&usbhc_ohci, "iso-td-at-a-bulk-endpoint-gets-no-answer",
            iso_td_at_a_bulk_endpoint);
    rig_add(&usbhc_ohci, "iso-td-that-is-a-setup", iso_td_that_is_a_setup);
    rig_add(&usbhc_ohci, "control-write-of-other-data-in-the-same-td",
            control_write_of_other_data_in_the_same_td);
    rig_add(&usbhc_ohci, "more-packets-than-a-frame-holds",
            more_packets_than_a_frame_holds);
    rig_add(&usbhc_ohci, "queue-without-an-end", queue_without_an_end);
    rig_add(&usbhc_ohci, "packets-of-no-bytes", packets_of_no_bytes);
    rig_add(&usbhc_ohci, "short-where-the-td-must-be-full",
            short_where_the_td_must_be_full);
    rig_add(&usbhc_ohci, "data-cannot-reset-the-controller",
            data_cannot_reset_the_controller);
    rig_add(&usbhc_ohci, "packet-in-flight-at-a-migration",
            packet_in_flight_at_a_migration);
    rig_add(&usbhc_ohci, "suspended-port-resumes-when-told",
            suspended_port_resumes_when_told);
    rig_add(&usbhc_ohci, "reset-ends-the-suspension",
            reset_ends_the_suspension);
    rig_add(&usbhc_ohci, "next-device-is-not-suspended",
            next_device_is_not_suspended);
    rig_add(&usbhc_ohci, "resume-is-followed-by-no-sof",
            resume_is_followed_by_no_sof);
    rig_add(&usbhc_ohci, "unplugged-iso-does-not-answer",
            unplugged_iso_does_not_answer);
}
