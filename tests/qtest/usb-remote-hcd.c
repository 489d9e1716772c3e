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
#include "usbhc-selftest.h"

#define TABLET          "-device usb-tablet,id=tablet,bus=hc.0"

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
    usbhc_change32(rig->hc, xfer->td[1] + 8, 0xff, 0);
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

    usbhc_change32(rig->hc, xfer->td[0] + QTD_TOKEN, clear, set);
    rig_expect_log(rig, "resetting ehci HC");
    usbhc_done(xfer, USBHC_CANCELLED, 0);
    usbhc_transfer_free(xfer);
    rig->hc = usbhc_renew(rig->hc);
    rig->dev = usbhc_attach(rig->hc);
    usbhc_control(rig->dev, 0x00, 9, 1, 0, NULL, 0, NULL);
    rig_still_works(rig);
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
    usbhc_change32(hc, xfer->td[0] + 4, 0xffff0000, 64 << 16);
    qpci_io_writel(hc->pci, hc->bar, command, running);
    qpci_io_writel(hc->pci, hc->bar, doorbells + 4 * rig->dev->slot, 1);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_STALL);
    usbhc_ep_recover(rig->dev->ep0);
    usbhc_transfer_free(xfer);
    rig_still_works(rig);
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
    rig_still_works(rig);
    rig_free(rig);
    g_assert_cmpint(pcap_type(file, 0x8e), ==, USBMON_BULK);
    rig_remove_dir(dir);
}

/* What the peer is asked for the first time is an error, then all is well. */
static void fail_once(Rig *rig, UsbHcTransfer *xfer, uint8_t endpoint,
                      const void *data, uint32_t size)
{
    rig->hc->retries = 1;
    peer_answer(rig->peer, rig_submit(rig, endpoint),
                USB_REMOTE_STATUS_IOERROR);
    rig_expect_out(rig, endpoint, data, size);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_OK);
    g_assert_cmpint(rig->hc->retries, ==, 0);
    usbhc_transfer_free(xfer);
}

static void out_is_tried_again_with_its_data(const void *opaque)
{
    static const uint8_t write[8] = { 0x40, 1, 0, 0, 0, 0, 4, 0 };
    static const uint8_t nothing[8] = { 0x40, 1 };
    Rig *rig = rig_new_plugged(opaque);

    fail_once(rig, usbhc_submit(rig->bulk_out, "data", 4), PEER_BULK_OUT,
              "data", 4);
    fail_once(rig, usbhc_submit(rig->int_out, "data", 4), PEER_INT_OUT,
              "data", 4);
    rig->peer->auto_control = false;
    fail_once(rig, usbhc_submit_control(rig->dev, write, "data"), 0, "data",
              4);
    fail_once(rig, usbhc_submit_control(rig->dev, nothing, NULL), 0, "", 0);
    rig_free(rig);
}

/* The guest gives up after the second time. */
static void setup_that_fails_twice(const void *opaque)
{
    static const uint8_t read[8] = { 0xc0, 1, 0, 0, 0, 0, 4, 0 };
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *in;

    rig->peer->auto_control = false;
    rig->hc->retries = 1;
    in = usbhc_submit_control(rig->dev, read, NULL);
    peer_answer(rig->peer, rig_submit(rig, 0), USB_REMOTE_STATUS_IOERROR);
    peer_answer(rig->peer, rig_submit(rig, 0), USB_REMOTE_STATUS_IOERROR);
    g_assert_cmpint(usbhc_wait(in), ==, USBHC_ERROR);
    usbhc_transfer_free(in);
    rig_free(rig);
}

/* Which of the SETUP and the status stage shows it? */
static void stage_that_fails(Rig *rig, const uint8_t *setup, uint8_t status,
                             UsbHcStatus seen, uint32_t stage)
{
    UsbHcTransfer *xfer = usbhc_submit_control(rig->dev, setup, NULL);

    peer_answer(rig->peer, rig_submit(rig, 0), status);
    g_assert_cmpint(usbhc_wait(xfer), ==, seen);
    g_assert_cmpint(xfer->td_done, ==, stage);
    usbhc_transfer_free(xfer);
    usbhc_ep_recover(rig->dev->ep0);
}

static void setup_that_nobody_acknowledges(const void *opaque)
{
    static const uint8_t configure[8] = { 0, 9, 1 };
    static const uint8_t address[8] = { 0, 5, 9 };
    Rig *rig = rig_new_plugged(opaque);
    UsbHcTransfer *xfer;

    rig->peer->auto_control = false;
    stage_that_fails(rig, configure, USB_REMOTE_STATUS_IOERROR, USBHC_ERROR,
                     0);
    stage_that_fails(rig, configure, USB_REMOTE_STATUS_STALL, USBHC_STALL, 1);
    rig_unplug_guest(rig);
    peer_send_attach(rig->peer, rig->speeds, USB_REMOTE_ADDRESS_IOERROR, 0,
                     NULL, 0);
    peer_expect_free(rig->peer, USB_REMOTE_MSG_ATTACHED);
    rig->dev = usbhc_open(rig->hc, usbhc_wait_connect(rig->hc));
    xfer = usbhc_submit_control(rig->dev, address, NULL);
    g_assert_cmpint(usbhc_wait(xfer), ==, USBHC_ERROR);
    g_assert_cmpint(xfer->td_done, ==, 0);
    usbhc_transfer_free(xfer);
    rig_free(rig);
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
    rig_add(&usbhc_ehci, "setup-at-a-data-endpoint",
            setup_at_a_data_endpoint);
    rig_add(&usbhc_ehci, "more-bytes-than-a-qtd-has",
            more_bytes_than_a_qtd_has);
    rig_add(&usbhc_ehci_companion, "key-at-the-last-port-of-a-hub",
            key_at_the_last_port_of_a_hub);
    rig_add(&usbhc_ehci, "out-is-tried-again-with-its-data",
            out_is_tried_again_with_its_data);
    rig_add(&usbhc_ehci, "setup-that-fails-twice", setup_that_fails_twice);
    rig_add(&usbhc_uhci, "setup-that-nobody-acknowledges",
            setup_that_nobody_acknowledges);
    rig_add(&usbhc_ohci, "setup-that-nobody-acknowledges",
            setup_that_nobody_acknowledges);
    rig_add(&usbhc_ehci, "setup-that-nobody-acknowledges",
            setup_that_nobody_acknowledges);
}
