/*
 * usb-remote cases: QEMU's own defects that a guest can reach
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each is mended by a patch to a host controller or to the USB core, and
 * fails without it.  Where QEMU has a device that shows the defect, that
 * device is used, and usb-remote is not there at all.
 */

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "hw/usb/ehci-regs.h"
#include "hw/usb/uhci-regs.h"
#include "usb-remote-rig.h"
#include "usbhc-ohci.h"
#include "usbhc-selftest.h"

#define BLOCK           512
#define TABLET          "-device usb-tablet,bus=hc.0"
#define KEYBOARD        "-device usb-kbd,bus=hc.0"
/* The first request at once, the next after minutes, or when QEMU stops */
#define SLOW_DISK \
    "-object throttle-group,id=slow,x-bps-total=1 -blockdev " \
    "driver=throttle,node-name=n0,throttle-group=slow,file.driver=null-co," \
    "file.size=1048576,file.read-zeroes=on " \
    "-device usb-storage,id=disk,drive=n0,bus=hc.0"

/* QEMU with one of its own devices, addressed and configured */
static Rig *rig_with(const UsbHcDriver *drv, const char *device)
{
    Rig *rig = rig_new_bare(drv, device);

    rig->dev = usbhc_attach(rig->hc);
    g_assert_cmpint(usbhc_control(rig->dev, 0x00, 9, 1, 0, NULL, 0, NULL), ==,
                    USBHC_OK);
    return rig;
}

/* GET_CONFIGURATION: controller and device still work. */
static void still_works(Rig *rig)
{
    uint8_t configuration = 0;

    g_assert_cmpint(usbhc_control(rig->dev, 0x80, 8, 0, 0, &configuration, 1,
                                  NULL), ==, USBHC_OK);
    g_assert_cmpint(configuration, ==, 1);
}

static void change32(UsbHc *hc, uint64_t addr, uint32_t clear, uint32_t set)
{
    usbhc_put32(hc, addr, (usbhc_get32(hc, addr) & ~clear) | set);
}

/* UHCI */

static uint16_t uhci_status(Rig *rig)
{
    return qpci_io_readw(rig->hc->pci, rig->hc->bar, UHCI_USBSTS);
}

static bool uhci_has_stopped(Rig *rig)
{
    return uhci_status(rig) & UHCI_STS_HCHALTED;
}

static void bad_pid_behind_a_pending_setup(const void *opaque)
{
    static const uint8_t setup[8] = { 0xc0, 1, 0, 0, 0, 0, 8, 0 };
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer;
    PeerMessage *m;

    rig->peer->auto_control = false;
    xfer = usbhc_submit_control(rig->dev, setup, NULL);
    change32(rig->hc, xfer->td[1] + 8, 0xff, 0);
    m = rig_submit(rig, 0);
    rig_run(rig, 3);
    g_assert_cmphex(uhci_status(rig) & UHCI_STS_HCPERR, ==, 0);
    peer_answer_ok(rig->peer, m, "answered", 8);
    rig_until(rig, uhci_has_stopped, "the controller stops at the bad pid");
    g_assert_cmphex(uhci_status(rig) & UHCI_STS_HCPERR, !=, 0);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void wait_for_completes(Rig *rig, uint64_t n)
{
    int64_t end = g_get_monotonic_time() +
                  PEER_DEADLINE_S * G_TIME_SPAN_SECOND;

    while (rig_qom_number(rig, "completes") < n) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
    }
}

/*
 * The answer comes when the guest has linked the queue in again, and long
 * before the controller throws an unused queue away.
 */
static void linked_in_again_without_the_transfer(const void *opaque)
{
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer = usbhc_submit(rig->bulk_in, NULL, 64);
    PeerMessage *m = rig_submit(rig, PEER_BULK_IN);
    uint64_t completes = rig_qom_number(rig, "completes");

    usbhc_cancel(xfer);
    usbhc_transfer_free(xfer);
    rig_step(rig);
    peer_answer_ok(rig->peer, m, "once", 4);
    wait_for_completes(rig, completes + 1);
    rig_step(rig);
    xfer = usbhc_submit(rig->bulk_in, NULL, 64);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    g_assert_cmpmem(xfer->data, xfer->actual, "once", 4);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* OHCI */

static void ohci_set_control(Rig *rig, uint32_t value)
{
    qpci_io_writel(rig->hc->pci, rig->hc->bar, HC_CONTROL, value);
}

/* A read that the disk leaves waiting, and its queue, of that type */
static void start_read(Rig *rig, UsbHcType type)
{
    static const uint8_t read10[10] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 1 };
    uint8_t block[BLOCK];

    rig->bulk_out = usbhc_ep(rig->dev, 0x02, USBHC_BULK, 64, 0);
    rig->bulk_in = usbhc_ep(rig->dev, 0x81, type, 64, 1);
    usbhc_storage_command(rig->bulk_out, rig->bulk_in, read10, sizeof(read10),
                          block, BLOCK);
    usbhc_storage_start(rig->bulk_out, read10, sizeof(read10), BLOCK);
}

static UsbHcTransfer *pending_read(Rig *rig, UsbHcType type)
{
    UsbHcTransfer *xfer;

    start_read(rig, type);
    xfer = usbhc_submit(rig->bulk_in, NULL, BLOCK);
    rig_run(rig, 3);
    g_assert_cmpint(xfer->status, ==, USBHC_PENDING);
    return xfer;
}

static void answer_read(Rig *rig)
{
    rig_stop(rig);
    rig_cont(rig);
}

/* In no frame: the packet is complete, and the controller has not seen it. */
static void answer_unseen(Rig *rig, uint32_t lists)
{
    ohci_set_control(rig, CONTROL_SUSPEND(lists));
    answer_read(rig);
}

static void completed_before_the_ed_is_skipped(const void *opaque)
{
    Rig *rig = rig_with(opaque, SLOW_DISK);
    UsbHcTransfer *xfer = pending_read(rig, USBHC_INTERRUPT);

    answer_unseen(rig, CONTROL_RUN);
    change32(rig->hc, rig->bulk_in->head, 0, ED_SKIP);
    ohci_set_control(rig, CONTROL_RUN);
    rig_run(rig, 3);
    still_works(rig);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void completed_before_the_list_is_disabled(const void *opaque)
{
    Rig *rig = rig_with(opaque, SLOW_DISK);
    UsbHcTransfer *xfer = pending_read(rig, USBHC_BULK);

    answer_unseen(rig, CONTROL_RUN & ~CONTROL_BLE);
    ohci_set_control(rig, CONTROL_RUN & ~CONTROL_BLE);
    rig_run(rig, 3);
    still_works(rig);
    ohci_set_control(rig, CONTROL_RUN);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

static void completed_before_the_unplug(const void *opaque)
{
    Rig *rig = rig_with(opaque, SLOW_DISK);
    UsbHcTransfer *xfer = pending_read(rig, USBHC_INTERRUPT);

    answer_unseen(rig, CONTROL_RUN);
    qtest_qmp_device_del(rig->qts, "disk");
    change32(rig->hc, rig->bulk_in->head, 0, ED_SKIP);
    ohci_set_control(rig, CONTROL_RUN);
    rig_run(rig, 3);
    usbhc_transfer_free(xfer);
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
    change32(hc, ep->head, 0, ED_ISO);
    return td;
}

/* The condition code of the first packet, 14 when there was none */
static unsigned ohci_iso_code(UsbHc *hc, uint64_t td)
{
    return (usbhc_get32(hc, td + 16) >> 12) & 15;
}

static void iso_td_at_a_bulk_endpoint(const void *opaque)
{
    Rig *rig = rig_with(opaque, SLOW_DISK);
    uint8_t block[BLOCK];
    uint64_t td;

    start_read(rig, USBHC_ISO);
    td = ohci_iso_td(rig->bulk_in);
    rig_run(rig, 4);
    g_assert_cmpint(ohci_iso_code(rig->hc, td), ==, CC_NO_ANSWER);
    usbhc_ep_close(rig->bulk_in);
    answer_read(rig);
    rig->bulk_in = usbhc_ep(rig->dev, 0x81, USBHC_BULK, 64, 0);
    g_assert_cmpint(usbhc_transfer(rig->bulk_in, block, BLOCK, NULL), ==,
                    USBHC_OK);
    rig_free(rig);
}

static void iso_td_that_is_a_setup(const void *opaque)
{
    Rig *rig = rig_with(opaque, TABLET);
    UsbHcEndpoint *iso = usbhc_ep(rig->dev, 0x81, USBHC_ISO, 64, 1);

    ohci_iso_td(iso);
    change32(rig->hc, iso->head, ED_IN, 0);
    rig_run(rig, 10);
    still_works(rig);
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

/* Polls know a control write again by its data, too. */
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

static void more_packets_than_a_frame_holds(const void *opaque)
{
    Rig *rig = rig_with(opaque, TABLET);
    uint8_t data[40 * 64] = { 0 };

    g_assert_cmpint(usbhc_control(rig->dev, 0x40, 1, 0, 0, data, sizeof(data),
                                  NULL), ==, USBHC_STALL);
    still_works(rig);
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

    change32(rig->hc, rig->dev->ep0->head, 0x7ff << 16, 0);
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

    change32(rig->hc, xfer->td[1], TD_ROUND, 0);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_SHORT);
    g_assert_cmpint(xfer->actual, ==, 18);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/*
 * As if a packet had been in flight: no device of QEMU's own that answers late
 * on OHCI can be migrated.  @mark is what the controller's buffer begins
 * with, the address of the TD follows the buffer.
 */
static void set_async_td(const char *file, const void *mark, size_t size,
                         uint32_t td)
{
    static const uint8_t none[5];
    g_autofree char *stream = NULL;
    char *at = NULL, *next;
    gsize length;

    g_assert_true(g_file_get_contents(file, &stream, &length, NULL));
    next = stream;
    while ((next = memmem(next, stream + length - next, mark, size))) {
        at = next++;
    }
    g_assert_nonnull(at);
    at += 8192;
    g_assert_cmpint(at + sizeof(none) - stream, <, length);
    g_assert_cmpmem(at, sizeof(none), none, sizeof(none));
    stl_be_p(at, td);
    g_assert_true(g_file_set_contents(file, stream, length, NULL));
}

static void packet_in_flight_at_a_migration(const void *opaque)
{
    Rig *rig = rig_with(opaque, KEYBOARD);
    UsbHcEndpoint *ep = usbhc_ep(rig->dev, 0x81, USBHC_INTERRUPT, 8, 7);
    UsbHcTransfer *xfer = usbhc_submit(ep, NULL, 8);
    g_autofree char *file = g_strdup_printf("%s/stream", rig->dir);
    g_autofree char *uri = g_strdup_printf("file:%s", file);
    uint8_t mark[64];

    rig_fill(mark, sizeof(mark), g_test_rand_int());
    usbhc_control(rig->dev, 0x21, 9, 0x200, 0, mark, sizeof(mark), NULL);
    rig_run(rig, 3);
    rig_migrate(rig, uri);
    qtest_quit(rig->qts);
    set_async_td(file, mark, sizeof(mark), xfer->td[0]);
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

/* EHCI */

#define QTD_TOKEN       8
#define QTD_PID_MASK    (3 << 8)
#define QTD_PID_SETUP   (2 << 8)
#define QTD_BYTES(n)    ((uint32_t)(n) << 16)

/* A qTD at a data endpoint with a token that makes EHCI reset itself */
static void ehci_with_token(const UsbHcDriver *drv, uint32_t clear,
                            uint32_t set)
{
    Rig *rig = rig_with(drv, TABLET);
    UsbHcEndpoint *ep = usbhc_ep(rig->dev, 0x81, USBHC_BULK, 64, 0);
    UsbHcTransfer *xfer = usbhc_submit(ep, NULL, 8);

    change32(rig->hc, xfer->td[0] + QTD_TOKEN, clear, set);
    rig_expect_log(rig, "resetting ehci HC");
    usbhc_done(xfer, USBHC_CANCELLED, 0);
    usbhc_transfer_free(xfer);
    rig->hc = usbhc_renew(rig->hc);
    rig->dev = usbhc_attach(rig->hc);
    usbhc_control(rig->dev, 0x00, 9, 1, 0, NULL, 0, NULL);
    still_works(rig);
    rig_free(rig);
}

static void setup_at_a_data_endpoint(const void *opaque)
{
    ehci_with_token(opaque, QTD_PID_MASK, QTD_PID_SETUP);
}

static void more_bytes_than_a_qtd_has(const void *opaque)
{
    ehci_with_token(opaque, QTD_BYTES(0x7fff), QTD_BYTES(5 * 4096 + 1));
}

/* A read past the end of an array: only a sanitizer sees it. */
static void key_at_the_last_port_of_a_hub(const void *opaque)
{
    Rig *rig = rig_new_bare(opaque, "-device usb-hub,bus=hc.0,port=1 "
                            "-device usb-kbd,bus=hc.0,port=1.8");
    UsbHcTransfer *xfer;

    rig->dev = usbhc_attach_behind(usbhc_attach(rig->hc), 8);
    usbhc_control(rig->dev, 0x00, 9, 1, 0, NULL, 0, NULL);
    xfer = usbhc_submit(usbhc_ep(rig->dev, 0x81, USBHC_INTERRUPT, 8, 7), NULL,
                        8);
    rig_run(rig, 3);
    usbhc_press_key(rig->qts);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    usbhc_transfer_free(xfer);
    rig_free(rig);
}

/* The core */

#define XHCI_CAPLENGTH      0x00
#define XHCI_DBOFF          0x14
#define XHCI_RUN            (1 << 0)

/* Changed while the controller stands still, and does not see a doorbell */
static void data_stage_shorter_than_its_length(const void *opaque)
{
    static const uint8_t setup[8] = { 0x21, 9, 0, 2, 0, 0, 8, 0 };
    Rig *rig = rig_with(opaque, TABLET);
    UsbHc *hc = rig->hc;
    uint32_t command = qpci_io_readb(hc->pci, hc->bar, XHCI_CAPLENGTH);
    uint32_t doorbells = qpci_io_readl(hc->pci, hc->bar, XHCI_DBOFF);
    uint32_t running = qpci_io_readl(hc->pci, hc->bar, command);
    UsbHcTransfer *xfer;

    qpci_io_writel(hc->pci, hc->bar, command, running & ~XHCI_RUN);
    xfer = usbhc_submit_control(rig->dev, setup, "8 bytes");
    change32(hc, xfer->td[0] + 4, 0xffff0000, 64 << 16);
    qpci_io_writel(hc->pci, hc->bar, command, running);
    qpci_io_writel(hc->pci, hc->bar, doorbells + 4 * rig->dev->slot, 1);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_STALL);
    usbhc_ep_recover(rig->dev->ep0);
    usbhc_transfer_free(xfer);
    still_works(rig);
    rig_free(rig);
}

#define PCAP_FILE_HEADER    24
#define PCAP_HEADER         16
#define USBMON_XFER_TYPE    9
#define USBMON_EPNUM        10
#define USBMON_BULK         3

/* The transfer type of the first record of that endpoint; -1 without one */
static int pcap_type(const char *file, uint8_t endpoint)
{
    g_autofree char *text = NULL;
    gsize length, at = PCAP_FILE_HEADER;

    g_assert_true(g_file_get_contents(file, &text, &length, NULL));
    while (at + PCAP_HEADER + USBMON_EPNUM < length) {
        const uint8_t *record = (uint8_t *)text + at + PCAP_HEADER;

        if (record[USBMON_EPNUM] == endpoint) {
            return record[USBMON_XFER_TYPE];
        }
        at += PCAP_HEADER + ldl_he_p(text + at + 8);
    }
    return -1;
}

static void pcap_of_an_endpoint_that_is_not_there(const void *opaque)
{
    g_autofree char *dir = g_dir_make_tmp("usb-remote-XXXXXX", NULL);
    g_autofree char *file = g_strdup_printf("%s/pcap", dir);
    g_autofree char *device = g_strdup_printf(TABLET ",pcap=%s", file);
    Rig *rig = rig_with(opaque, device);

    usbhc_transfer(usbhc_ep(rig->dev, 0x8e, USBHC_BULK, 64, 0), NULL, 8, NULL);
    still_works(rig);
    rig_free(rig);
    g_assert_cmpint(pcap_type(file, 0x8e), ==, USBMON_BULK);
    rig_remove_dir(dir);
}

void usb_remote_hcd_add(void)
{
    rig_add(&usbhc_uhci, "bad-pid-behind-a-pending-setup",
            bad_pid_behind_a_pending_setup);
    rig_add(&usbhc_uhci, "linked-in-again-without-the-transfer",
            linked_in_again_without_the_transfer);
    rig_add(&usbhc_xhci, "data-stage-shorter-than-its-length",
            data_stage_shorter_than_its_length);
    rig_add(&usbhc_uhci, "pcap-of-an-endpoint-that-is-not-there",
            pcap_of_an_endpoint_that_is_not_there);
    rig_add(&usbhc_ohci, "completed-before-the-ed-is-skipped",
            completed_before_the_ed_is_skipped);
    rig_add(&usbhc_ohci, "completed-before-the-list-is-disabled",
            completed_before_the_list_is_disabled);
    rig_add(&usbhc_ohci, "completed-before-the-unplug",
            completed_before_the_unplug);
    rig_add(&usbhc_ohci, "iso-td-at-a-bulk-endpoint-gets-no-answer",
            iso_td_at_a_bulk_endpoint);
    rig_add(&usbhc_ohci, "iso-td-that-is-a-setup", iso_td_that_is_a_setup);
    rig_add(&usbhc_ohci, "control-write-of-other-data-in-the-same-td",
            control_write_of_other_data_in_the_same_td);
    rig_add(&usbhc_ohci, "more-packets-than-a-frame-holds",
            more_packets_than_a_frame_holds);
    rig_add(&usbhc_ohci, "packets-of-no-bytes", packets_of_no_bytes);
    rig_add(&usbhc_ohci, "short-where-the-td-must-be-full",
            short_where_the_td_must_be_full);
    rig_add(&usbhc_ohci, "packet-in-flight-at-a-migration",
            packet_in_flight_at_a_migration);
    rig_add(&usbhc_ehci, "setup-at-a-data-endpoint",
            setup_at_a_data_endpoint);
    rig_add(&usbhc_ehci, "more-bytes-than-a-qtd-has",
            more_bytes_than_a_qtd_has);
    rig_add(&usbhc_ehci_companion, "key-at-the-last-port-of-a-hub",
            key_at_the_last_port_of_a_hub);
}
