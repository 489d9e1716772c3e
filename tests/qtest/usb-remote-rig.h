/*
 * What every usb-remote case stands on: QEMU, a controller, a peer
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

#ifndef USB_REMOTE_RIG_H
#define USB_REMOTE_RIG_H

#include "usbhc.h"
#include "usb-remote-peer.h"

/* What rig_device_add() and rig_device_add_behind_hub() do, for HMP */
#define RIG_ADD             "device_add usb-remote,id=dev0,bus=hc.0,chardev=c0"
#define RIG_ADD_BEHIND_HUB  RIG_ADD ",port=1.3"
#define RIG_HUB_PORT        3

/* The first request at once, the next after minutes, or when QEMU stops */
#define RIG_SLOW_DISK \
    "-object throttle-group,id=slow,x-bps-total=1 -blockdev " \
    "driver=throttle,node-name=n0,throttle-group=slow,file.driver=null-co," \
    "file.size=1048576,file.read-zeroes=on " \
    "-device usb-storage,id=disk,drive=n0,bus=hc.0"
#define RIG_BLOCK           512     /* bytes of it */

/* AddressSanitizer keeps freed memory, and the stack of each allocation. */
#ifdef QEMU_SANITIZE_ADDRESS
#define RIG_SANITIZER_KEEPS (32 * 1024 * 1024)
#else
#define RIG_SANITIZER_KEEPS 0
#endif

typedef struct Rig {
    const UsbHcDriver *drv;
    QTestState *qts;
    UsbHc *hc;
    Peer *peer;
    char *dir;                  /* everything that a case leaves behind */
    char *path;                 /* the chardev's socket */
    char *log;                  /* QEMU's stderr */
    bool quiet;                 /* the case has looked at the log itself */
    UsbHcDevice *dev;           /* after rig_plug() */
    UsbHcEndpoint *int_in, *int_out, *bulk_in, *bulk_out;
    GSList *strays;             /* transfers to free at the end */
    uint8_t speeds;             /* for ATTACH: only the controller's best */
} Rig;

/* QEMU with the chardev only; @extra may be NULL. */
Rig *rig_new_bare(const UsbHcDriver *drv, const char *extra);
/* And with the device, id=dev0; @options go after it (",select=x"). */
Rig *rig_new(const UsbHcDriver *drv, const char *options);
/*
 * As rig_new(), with an accelerator whose clock is the real one: time passes
 * by itself, also while QEMU is frozen, and loadvm sets it back.
 */
Rig *rig_new_real(const UsbHcDriver *drv, const char *options);
/* The peer has connected and said HELLO. */
Rig *rig_new_peer(const UsbHcDriver *drv);
/* Plugged, addressed, configured, endpoints open. */
Rig *rig_new_plugged(const UsbHcDriver *drv);
/*
 * The same, but QEMU takes its interrupt endpoints for slower: @interval is
 * their bInterval in the peer's own table, which the guest does not see.
 */
Rig *rig_new_slow(const UsbHcDriver *drv, uint8_t interval);
/* The same, with a peer that says @hello */
Rig *rig_new_with_hello(const UsbHcDriver *drv, const UsbRemoteHello *hello);
/* QEMU with one of its own devices, addressed and configured */
Rig *rig_with(const UsbHcDriver *drv, const char *device);
/* GET_CONFIGURATION: controller and device still work. */
void rig_still_works(Rig *rig);
/* A read of a block that it leaves waiting; opens bulk_in of that type */
void rig_start_slow_read(Rig *rig, UsbHcType type);
void rig_answer_slow_read(Rig *rig);
/* QEMU must have survived, and have had nothing to complain about. */
void rig_free(Rig *rig);

void rig_connect(Rig *rig);                 /* connect and shake hands */
void rig_plug(Rig *rig);                    /* the guest's side too */
void rig_configure(Rig *rig);
/* The guest closes the device; nothing is sent to it. */
void rig_unplug_guest(Rig *rig);

/* Virtual time passes, the peer is served. */
void rig_step(void *rig);
void rig_run(Rig *rig, unsigned ms);
void rig_until(Rig *rig, bool (*done)(Rig *rig), const char *what);
bool rig_qom_bool(Rig *rig, const char *property);
uint64_t rig_qom_number(Rig *rig, const char *property);
void rig_device_add(Rig *rig);
void rig_hmp(Rig *rig, const char *command);    /* that says nothing */
/* A hub at the controller's first port, and the device behind it */
void rig_hub_add(Rig *rig);
void rig_device_add_behind_hub(Rig *rig);
/* The chardev becomes another one, which listens at @path. */
void rig_chardev_change(Rig *rig, const char *path);
void rig_stop(Rig *rig);
void rig_cont(Rig *rig);
void rig_migrate(Rig *rig, const char *uri);   /* until it has completed */
int rig_unread(Rig *rig);                   /* bytes that the peer could read */
/* The peer reads nothing, until QEMU can send no more but what is due. */
void rig_deafen(Rig *rig);
/* QEMU is not scheduled in between. */
void rig_freeze(Rig *rig);
void rig_thaw(Rig *rig);
/* savevm wants an image that has room for snapshots; no guest uses it. */
void rig_add_snapshot_store(Rig *rig);
void rig_savevm(Rig *rig);
void rig_loadvm(Rig *rig);   /* what was saved last */

/* How often @text is in the log, after it has been waited for once. */
unsigned rig_log_count(Rig *rig, const char *text);
void rig_expect_log(Rig *rig, const char *text);
/* What QEMU wrote, less empty lines and what a sanitizer notes of itself */
char *rig_without_notes(const char *text);
/* QEMU answers the monitor and the peer is gone and the port empty. */
void rig_expect_unplugged(Rig *rig);
unsigned rig_fds(Rig *rig);
size_t rig_rss(Rig *rig);                   /* bytes */

/* The next SUBMIT of that endpoint */
PeerMessage *rig_submit(Rig *rig, uint8_t endpoint);
/* It has these bytes, and is answered OK. */
void rig_expect_out(Rig *rig, uint8_t endpoint, const void *data,
                    uint32_t size);
/* And the next @n of them, which have all arrived before one is answered */
void rig_submits(Rig *rig, PeerMessage **m, unsigned n, uint8_t endpoint);
/*
 * A bulk IN of @asked bytes that the guest has given up is answered OK with
 * these; the peer answers no CANCEL from now on.
 */
void rig_late_in(Rig *rig, uint32_t asked, const void *data, uint32_t size);
void rig_remove_dir(const char *path);
/* QTEST_SEED, or always the same without it: make check is no lottery. */
uint32_t rig_seed(void);
/* A number from the environment, or @otherwise */
unsigned rig_setting(const char *name, unsigned otherwise);
/* One QEMU; @fn with a device of each of the controller's speeds in turn */
void rig_at_every_speed(const UsbHcDriver *drv, void (*fn)(Rig *rig));
/* Numbers that look like no others with another @salt or QTEST_SEED */
void rig_fill(uint8_t *buf, size_t size, uint32_t salt);
/* 0 .. @n-1 in an order that the seed chooses */
void rig_shuffle(uint8_t *order, unsigned n);

/*
 * Whole transfers with both ends checked.  The peer of an IN gives @given
 * bytes and then no more; that of a control write takes everything.
 */
void rig_control_write(Rig *rig, uint16_t length);
void rig_control_read(Rig *rig, uint16_t length, uint16_t given);
void rig_out(Rig *rig, UsbHcEndpoint *ep, uint32_t size);
void rig_in(Rig *rig, UsbHcEndpoint *ep, uint32_t size, uint32_t given);
/* A request to endpoint 0 whose answer has an endpoint table */
void rig_control_with_table(Rig *rig, const uint8_t *setup,
                            const UsbRemoteEndpoint *table, int count);

/* Each status that is an error, and what a guest sees of it */
#define RIG_FAULTS      5

typedef struct RigFault {
    uint8_t status;
    UsbHcStatus seen;
} RigFault;

extern const RigFault rig_faults[RIG_FAULTS];

/* A guest sees each, clears the halt, and the endpoint works. */
void rig_see_faults(Rig *rig, UsbHcEndpoint *ep);

/* Something in flight on each kind of endpoint, which the peer keeps */
#define RIG_FLIGHT      5

typedef struct RigFlight {
    UsbHcTransfer *xfer[RIG_FLIGHT];
    UsbRemoteHead submit[RIG_FLIGHT];   /* in the order of their arrival */
} RigFlight;

RigFlight rig_take_off(Rig *rig);
/* None may have succeeded. */
void rig_land(Rig *rig, RigFlight *f);

/* A case for one controller: /usb-remote/NAME/WHAT */
void rig_add(const UsbHcDriver *drv, const char *what, GTestDataFunc fn);
/* And for each of the controllers */
void rig_add_all(const char *what, GTestDataFunc fn);
/* For each of the drivers in turn */
extern const UsbHcDriver *const rig_drivers[4];

/* The files with cases, each adds its own */
void usb_remote_connection_add(void);
void usb_remote_violation_add(void);
void usb_remote_lifecycle_add(void);
void usb_remote_transfer_add(void);
void usb_remote_cancel_add(void);
void usb_remote_coverage_add(void);
void usb_remote_credit_add(void);
void usb_remote_machine_add(void);
void usb_remote_fuzz_peer_add(void);
void usb_remote_xhci_add(void);
void usb_remote_xhci_cancel_add(void);
void usb_remote_goodbye_add(void);
void usb_remote_halt_add(void);
void usb_remote_hcd_add(void);
void usb_remote_ohci_add(void);
void usb_remote_ohci_flight_add(void);
void usb_remote_bench_add(void);
void usb_remote_clock_add(void);
void usb_remote_due_add(void);
void usb_remote_chardev_add(void);
void usb_remote_matrix_add(void);
void usb_remote_migrate_add(void);
void usb_remote_scenario_add(void);
void usb_remote_fuzz_guest_add(void);
void usb_remote_stream_add(void);
void usb_remote_hotplug_add(void);
void usb_remote_gone_add(void);
void usb_remote_walk_add(void);

#endif
