/*
 * Small USB host controller drivers for qtest
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * One interface, one file per controller.  They drive any USB device of
 * QEMU's as a guest's driver would: bring the controller up, wait for a
 * port, reset it, address the device, queue transfers, unlink them, clear a
 * halt.  Nothing here sleeps: waiting steps the virtual clock and calls the
 * idle function (where a test plays the other side) until the transfer is
 * done or, with a message that says what was waited for, a limit in real
 * time has passed.
 */

#ifndef USBHC_H
#define USBHC_H

#include "libqtest.h"
#include "libqos/pci.h"
#include "libqos/libqos-malloc.h"

#define USBHC_DEADLINE_S    20          /* real time, for one wait */
#define USBHC_FRAME_NS      1000000     /* virtual time, for one step */

/* The same numbers as enum usb_device_speed in hw/usb/host.h */
typedef enum UsbHcSpeed {
    USBHC_LOW,
    USBHC_FULL,
    USBHC_HIGH,
    USBHC_SUPER,
} UsbHcSpeed;

/* As in bmAttributes of an endpoint descriptor */
typedef enum UsbHcType {
    USBHC_CONTROL,
    USBHC_ISO,
    USBHC_BULK,
    USBHC_INTERRUPT,
} UsbHcType;

/* What became of a transfer */
typedef enum UsbHcStatus {
    USBHC_PENDING,
    USBHC_OK,
    USBHC_SHORT,        /* an IN that ended before its length */
    USBHC_STALL,
    USBHC_BABBLE,
    USBHC_ERROR,        /* no or no sound answer (transaction error) */
    USBHC_CANCELLED,    /* by usbhc_cancel() */
    USBHC_STATUS_COUNT
} UsbHcStatus;

/* xHCI only: how a cancelled transfer is taken out of its ring */
typedef enum UsbHcUnlink {
    USBHC_UNLINK_MOVE,  /* a Link TRB over it, and the ring started anew */
    USBHC_UNLINK_LINK,  /* a Link TRB over it */
    USBHC_UNLINK_NOOP,  /* No-op TRBs in its place, as Linux does it */
} UsbHcUnlink;

typedef struct UsbHc UsbHc;
typedef struct UsbHcDevice UsbHcDevice;
typedef struct UsbHcEndpoint UsbHcEndpoint;
typedef struct UsbHcTransfer UsbHcTransfer;
typedef struct UsbHcDriver UsbHcDriver;
typedef struct UsbHcHw UsbHcHw;         /* the driver's own part */

typedef void UsbHcIdle(void *opaque);

typedef struct UsbHcPort {
    bool connected;
    bool enabled;
    bool changed;       /* connect status change, until cleared */
    bool resume;        /* the device signals remote wakeup */
    UsbHcSpeed speed;   /* valid once enabled */
} UsbHcPort;

/* What a controller can do; tests choose their sizes by it */
struct UsbHcDriver {
    const char *name;           /* "xhci", in the names of cases */
    const char *device;         /* -device argument, with id=hc */
    unsigned speeds;            /* set of 1 << UsbHcSpeed */
    UsbHcSpeed best;            /* the fastest that it offers */
    uint32_t max_transfer;      /* bytes in one UsbHcTransfer */
    bool sends_set_address;     /* as a request; xHCI does it by itself */
    unsigned max_streams;       /* of a bulk endpoint; 0: has none */

    UsbHcHw *(*start)(UsbHc *hc);
    void (*stop)(UsbHc *hc);
    unsigned (*ports)(UsbHc *hc);
    UsbHcPort (*port_status)(UsbHc *hc, unsigned port);
    void (*port_clear)(UsbHc *hc, unsigned port);
    void (*port_reset)(UsbHc *hc, unsigned port);
    void (*port_suspend)(UsbHc *hc, unsigned port);
    UsbHcStatus (*address)(UsbHcDevice *dev);
    void (*close)(UsbHcDevice *dev);
    void (*ep_open)(UsbHcEndpoint *ep);
    void (*ep_close)(UsbHcEndpoint *ep);
    void (*submit)(UsbHcTransfer *xfer);
    void (*harvest)(UsbHc *hc);
    void (*cancel)(UsbHcTransfer *xfer);
    void (*ep_recover)(UsbHcEndpoint *ep);
};

struct UsbHc {
    const UsbHcDriver *drv;
    QTestState *qts;
    QPCIBus *pcibus;
    QPCIDevice *pci;
    QPCIBar bar;
    QGuestAllocator alloc;
    GSList *blocks;             /* free 64-byte descriptors */
    GSList *devices;
    UsbHcIdle *idle;
    void *idle_opaque;
    uint8_t last_address;
    bool gone;                  /* reset under us: leave its registers */
    bool real;                  /* the virtual clock runs by itself */
    unsigned linger;            /* frames that UHCI leaves a queue out */
    unsigned retries;           /* EHCI: transaction errors to try again */
    unsigned absence;           /* and frames that all but xHCI do */
    UsbHcIdle *absent;          /* called with @idle_opaque when that begins */
    UsbHcUnlink unlink;
    UsbHcHw *hw;
};

struct UsbHcDevice {
    UsbHc *hc;
    unsigned port;              /* root port, from 0 */
    UsbHcDevice *hub;           /* NULL at a root port */
    unsigned hub_port;          /* from 1 */
    UsbHcSpeed speed;
    uint8_t address;
    uint32_t slot;              /* xHCI */
    uint64_t context[2];        /* xHCI: input and output */
    UsbHcEndpoint *ep0;
    GSList *endpoints;          /* ep0 too */
};

/* xHCI: a transfer ring, as far as it is filled */
typedef struct UsbHcRing {
    uint64_t base;
    uint32_t index;
    bool cycle;
} UsbHcRing;

struct UsbHcEndpoint {
    UsbHcDevice *dev;
    uint8_t address;
    UsbHcType type;
    uint16_t mps;
    uint8_t interval;           /* bInterval */
    unsigned streams;           /* their ids are 1 to this; 0: none */
    bool halted;
    GQueue transfers;           /* pending ones, oldest first */
    GSList *finished;           /* done, not freed yet */
    /* for the drivers */
    uint64_t head;              /* guest address of ED, QH or ring */
    uint64_t tail;              /* guest address of the empty TD at the end */
    uint32_t index;             /* ring's enqueue index */
    bool cycle;
    bool toggle;
    bool stopped;
    UsbHcRing *stream;          /* by stream id */
    /* xHCI: what a case may ask for */
    uint32_t trb_bytes;         /* cut transfers into TRBs of this size */
    bool noop;                  /* submit No-op TRBs */
    bool held;                  /* submit without ringing the doorbell */
    unsigned segments;          /* submit TDs of so many 64 KiB of TRBs */
    /* xHCI: of the last Stopped event */
    uint64_t stopped_at;
    uint32_t stopped_left;
};

struct UsbHcTransfer {
    UsbHc *hc;
    UsbHcEndpoint *ep;          /* NULL once it is closed */
    UsbHcStatus status;
    uint16_t stream;            /* id, 0 for none */
    uint8_t setup[8];
    uint32_t length;            /* of the data stage */
    uint32_t actual;
    uint8_t *data;              /* OUT: a copy; IN: filled on completion */
    bool foreign;               /* the buffer is not ours */
    /* for the drivers */
    uint64_t buffer;
    uint64_t setup_buffer;
    uint64_t *td;               /* guest addresses, in order */
    uint32_t *td_length;        /* bytes of data in each */
    uint32_t tds;
    uint32_t td_done;
};

extern const UsbHcDriver usbhc_xhci;
extern const UsbHcDriver usbhc_uhci;
extern const UsbHcDriver usbhc_ohci;
extern const UsbHcDriver usbhc_ehci;
extern const UsbHcDriver usbhc_ehci_companion;  /* UHCI beside an EHCI */

/* The controller is the PCI function that @drv->device puts there. */
UsbHc *usbhc_new(QTestState *qts, const UsbHcDriver *drv);
/* The same, in a QEMU whose accelerator is not qtest */
UsbHc *usbhc_new_real(QTestState *qts, const UsbHcDriver *drv);
void usbhc_free(UsbHc *hc);

/* Forget all devices and start anew, after a reset of the machine. */
UsbHc *usbhc_renew(UsbHc *hc);

/* @idle is called at every step of every wait. */
void usbhc_set_idle(UsbHc *hc, UsbHcIdle *idle, void *opaque);

/* The same guest in another QEMU (migration). */
void usbhc_move(UsbHc *hc, QTestState *qts);

/* Nothing but virtual time */
void usbhc_pass(UsbHc *hc, int64_t ns);
/* A queue is out of the schedule for so many frames, or for the absence. */
void usbhc_leave_out(UsbHc *hc, unsigned frames);
/* One step: virtual time, idle function, completed transfers. */
void usbhc_step(UsbHc *hc, int64_t ns);
void usbhc_run(UsbHc *hc, int64_t ns);          /* in steps of a frame */

/* The idle function and the clock until @done(); false at the deadline. */
typedef bool UsbHcDone(void *opaque);
bool usbhc_until(UsbHc *hc, UsbHcDone *done, void *opaque);

/* Ports count from 0.  -1 where there is none. */
int usbhc_find_port(UsbHc *hc);                 /* with a device, now */
unsigned usbhc_wait_connect(UsbHc *hc);
void usbhc_wait_disconnect(UsbHc *hc, unsigned port);
UsbHcPort usbhc_port(UsbHc *hc, unsigned port);
void usbhc_port_reset(UsbHc *hc, unsigned port);
void usbhc_port_suspend(UsbHc *hc, unsigned port);

/* A device at the default address; the port has been reset. */
UsbHcDevice *usbhc_open(UsbHc *hc, unsigned port);
UsbHcDevice *usbhc_open_behind(UsbHcDevice *hub, unsigned hub_port);
UsbHcStatus usbhc_address(UsbHcDevice *dev);
void usbhc_close(UsbHcDevice *dev);

/* Wait for a port, reset it, address the device: or the test fails. */
UsbHcDevice *usbhc_attach(UsbHc *hc);

/* Hubs: power the ports up, wait for and reset the port. */
UsbHcDevice *usbhc_attach_behind(UsbHcDevice *hub, unsigned hub_port);

UsbHcEndpoint *usbhc_ep(UsbHcDevice *dev, uint8_t address, UsbHcType type,
                        uint16_t mps, uint8_t interval);
void usbhc_ep_close(UsbHcEndpoint *ep);

/* A bulk endpoint with @streams streams, at most the driver's max_streams */
UsbHcEndpoint *usbhc_ep_streams(UsbHcDevice *dev, uint8_t address,
                                uint16_t mps, unsigned streams);

/* As a guest does after a STALL, without the request to the device. */
void usbhc_ep_recover(UsbHcEndpoint *ep);
/* And with it: CLEAR_FEATURE(ENDPOINT_HALT). */
UsbHcStatus usbhc_clear_halt(UsbHcEndpoint *ep);

/* @data of an OUT is copied; for an IN it may be NULL. */
UsbHcTransfer *usbhc_submit(UsbHcEndpoint *ep, const void *data,
                            uint32_t length);
UsbHcTransfer *usbhc_submit_stream(UsbHcEndpoint *ep, uint16_t stream,
                                   const void *data, uint32_t length);
/* The data stage is at @buffer, which may be anything but memory. */
UsbHcTransfer *usbhc_submit_at(UsbHcEndpoint *ep, uint64_t buffer,
                               uint32_t length);
UsbHcTransfer *usbhc_submit_control(UsbHcDevice *dev, const uint8_t *setup,
                                    const void *data);
UsbHcStatus usbhc_wait(UsbHcTransfer *xfer);
void usbhc_cancel(UsbHcTransfer *xfer);
void usbhc_transfer_free(UsbHcTransfer *xfer);

/* Synchronous: @data is read or filled, @actual may be NULL. */
UsbHcStatus usbhc_transfer(UsbHcEndpoint *ep, void *data, uint32_t length,
                           uint32_t *actual);
UsbHcStatus usbhc_control(UsbHcDevice *dev, uint8_t type, uint8_t request,
                          uint16_t value, uint16_t index, void *data,
                          uint16_t length, uint32_t *actual);

/* xHCI: the dequeue pointer and cycle bit that the controller shows */
uint64_t usbhc_xhci_dequeue(UsbHcEndpoint *ep);
/* xHCI: both in one command, again; its completion code */
#define USBHC_XHCI_RESOURCE_ERROR   7
unsigned usbhc_xhci_configure(UsbHcEndpoint *a, UsbHcEndpoint *b);
/* xHCI: Reset Device, which leaves endpoint 0 only */
UsbHcStatus usbhc_xhci_reset_device(UsbHcDevice *dev);
/* xHCI: Stop Endpoint; go on where it stopped, or with the oldest transfer */
void usbhc_xhci_stop(UsbHcEndpoint *ep);
void usbhc_xhci_ring(UsbHcEndpoint *ep);
void usbhc_xhci_ring_stream(UsbHcEndpoint *ep, uint16_t stream);
/* xHCI: a guest that says that endpoint 0 has streams; it uses the first. */
void usbhc_xhci_control_on_streams(UsbHcDevice *dev);
void usbhc_xhci_restart(UsbHcEndpoint *ep);
/* xHCI: events go to @base from now on; a ring of TRBs, all zero. */
void usbhc_xhci_set_events(UsbHc *hc, uint64_t base, uint32_t trbs);
/* xHCI: guest address of the doorbell registers */
uint64_t usbhc_xhci_doorbells(UsbHc *hc);
/* xHCI: Disable Slot, for when something rings the command doorbell */
void usbhc_xhci_prepare_disable(UsbHcDevice *dev);
/* xHCI: interrupts are writes of 0 to @address from now on */
void usbhc_xhci_aim_msi(UsbHc *hc, uint64_t address);
/* xHCI: has it stopped with an error? */
bool usbhc_xhci_is_dead(UsbHc *hc);

const char *usbhc_status_name(UsbHcStatus status);

/*
 * xHCI: a queue of transfers for each of a few endpoints, which is given to
 * the controller and taken back as a whole, with a few register accesses, as
 * often as one likes.  Nothing tells how they end; they are there to be
 * cancelled.  Close the endpoints when the burst is freed.
 */
#define USBHC_BURST_ENDPOINTS   2
#define USBHC_BURST_DEPTH       16      /* QEMU takes no more at a time */

typedef struct UsbHcBurst UsbHcBurst;
UsbHcBurst *usbhc_xhci_burst_new(UsbHcEndpoint *const *eps, unsigned endpoints,
                                 unsigned depth, uint32_t length);
void usbhc_xhci_burst_submit(UsbHcBurst *burst);
void usbhc_xhci_burst_cancel(UsbHcBurst *burst);
void usbhc_xhci_burst_free(UsbHcBurst *burst);

/* For the drivers. */
static inline bool usbhc_is_in(const UsbHcTransfer *xfer)
{
    return xfer->ep->type == USBHC_CONTROL ? (xfer->setup[0] & 0x80) != 0
                                           : (xfer->ep->address & 0x80) != 0;
}

static inline bool usbhc_is_control(const UsbHcTransfer *xfer)
{
    return xfer->ep->type == USBHC_CONTROL;
}

uint64_t usbhc_alloc(UsbHc *hc, size_t size);           /* zeroed, a page */
void usbhc_release(UsbHc *hc, uint64_t addr);
uint64_t usbhc_block_alloc(UsbHc *hc);                  /* 64 bytes */
void usbhc_block_free(UsbHc *hc, uint64_t addr);
void usbhc_pci_start(UsbHc *hc, int bar);
void usbhc_read32(UsbHc *hc, uint64_t addr, uint32_t *words, unsigned n);
void usbhc_write32(UsbHc *hc, uint64_t addr, const uint32_t *words,
                   unsigned n);
uint32_t usbhc_get32(UsbHc *hc, uint64_t addr);
void usbhc_put32(UsbHc *hc, uint64_t addr, uint32_t value);
void usbhc_change32(UsbHc *hc, uint64_t addr, uint32_t clear, uint32_t set);
/* Cut the data stage: @limit bytes in a TD, @extra TDs without data. */
void usbhc_cut(UsbHcTransfer *xfer, uint32_t limit, unsigned extra);
void usbhc_done(UsbHcTransfer *xfer, UsbHcStatus status, uint32_t actual);

#endif
