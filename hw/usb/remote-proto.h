/*
 * usb-remote wire format: what QEMU's usb-remote device and the process that
 * is the USB device (the peer) say to each other over a byte stream.
 *
 * SPDX-License-Identifier: MIT
 *
 * This file is the only definition of the format.  The C code includes it;
 * the Python constants, the tables in docs/usb-remote.rst and the golden
 * vectors are generated from it or checked against it.  docs/usb-remote.rst
 * says what each message means, who may send it and when.
 *
 * Layout rules, which scripts/gen-proto relies on:
 *  - all integers are little-endian and unsigned;
 *  - a message is a UsbRemoteHeader, the fixed part named after the message,
 *    and then whatever its lengths say; nothing is padded or aligned;
 *  - every member is an array of bytes, so the structs have no padding and no
 *    alignment on any compiler; [1], [2], [4] and [8] are integers, unless
 *    the comment starts with "bytes:";
 *  - members named "reserved" are sent as zero and ignored on receipt.
 *
 * Versions: both ends send USB_REMOTE_MAJOR and USB_REMOTE_MINOR before
 * anything else.  While the major number is 0 both must be equal, from 1 on
 * only the major number must be.  What is added within a major number is
 * negotiated by a feature bit: both ends offer a set in HELLO and use the
 * intersection.  The length of a fixed part never changes within a major
 * number and never depends on a feature bit.  UsbRemotePreamble,
 * UsbRemoteHeader and UsbRemoteErrorMsg never change at all, so that any two
 * versions can tell each other that they do not match.
 *
 * Changes:
 *  0.1  first version
 */

#ifndef USB_REMOTE_PROTO_H
#define USB_REMOTE_PROTO_H

#include <stdint.h>

/* CR LF makes a transport that translates line ends fail at once. */
#define USB_REMOTE_MAGIC            "usbrem\r\n"
#define USB_REMOTE_MAGIC_SIZE       8
#define USB_REMOTE_MAJOR            0
#define USB_REMOTE_MINOR            1

/* First on the wire in each direction, once per connection. */
typedef struct UsbRemotePreamble {
    uint8_t magic[8];           /* bytes: USB_REMOTE_MAGIC without its NUL */
    uint8_t major[2];           /* USB_REMOTE_MAJOR */
    uint8_t minor[2];           /* USB_REMOTE_MINOR */
    uint8_t reserved[4];        /* 0 */
} UsbRemotePreamble;

/* Before every message. */
typedef struct UsbRemoteHeader {
    uint8_t type[2];            /* USB_REMOTE_MSG_* */
    uint8_t flags[2];           /* USB_REMOTE_FLAG_* */
    uint8_t length[4];          /* bytes that follow this header */
    uint8_t id[8];              /* request id; 0 where there is none */
    uint8_t attachment[4];      /* attachment number, 0 before the first */
    uint8_t epoch[4];           /* bus resets seen on this connection */
} UsbRemoteHeader;

/* Flags in the header; bits not named here are sent as 0 and ignored. */
enum {
    USB_REMOTE_FLAG_OPTIONAL        = 0x0001, /* skip me if unknown */
};

/* Message types. */
enum {
    USB_REMOTE_MSG_HELLO            = 0x0001,
    USB_REMOTE_MSG_ERROR            = 0x0002,
    USB_REMOTE_MSG_BYE              = 0x0003,
    USB_REMOTE_MSG_ATTACH           = 0x0010,
    USB_REMOTE_MSG_ATTACHED         = 0x0011,
    USB_REMOTE_MSG_DETACH           = 0x0012,
    USB_REMOTE_MSG_DETACHED         = 0x0013,
    USB_REMOTE_MSG_RESET            = 0x0020,
    USB_REMOTE_MSG_ADDRESS          = 0x0021,
    USB_REMOTE_MSG_VMSTATE          = 0x0022,
    USB_REMOTE_MSG_WAKEUP           = 0x0028,
    USB_REMOTE_MSG_READY            = 0x0029,
    USB_REMOTE_MSG_SUBMIT           = 0x0030,
    USB_REMOTE_MSG_COMPLETE         = 0x0031,
    USB_REMOTE_MSG_CANCEL           = 0x0032,
};

/*
 * X(NAME, sender, fixed part, what may follow the fixed part)
 * sender: QEMU, PEER or BOTH.
 * what follows: NONE, TEXT (UTF-8), STRINGS (HELLO's three), TABLE
 * (UsbRemoteEndpoint[]), DATA (payload), DATA_TABLE (payload, then table).
 */
#define USB_REMOTE_MESSAGES(X) \
    X(HELLO,       BOTH, UsbRemoteHello,       STRINGS) \
    X(ERROR,       BOTH, UsbRemoteErrorMsg,    TEXT) \
    X(BYE,         BOTH, UsbRemoteBye,         TEXT) \
    X(ATTACH,      PEER, UsbRemoteAttach,      TABLE) \
    X(ATTACHED,    QEMU, UsbRemoteAttached,    TEXT) \
    X(DETACH,      PEER, UsbRemoteDetach,      NONE) \
    X(DETACHED,    QEMU, UsbRemoteDetached,    NONE) \
    X(RESET,       QEMU, UsbRemoteReset,       NONE) \
    X(ADDRESS,     QEMU, UsbRemoteAddress,     NONE) \
    X(VMSTATE,     QEMU, UsbRemoteVmstate,     NONE) \
    X(WAKEUP,      PEER, UsbRemoteWakeup,      NONE) \
    X(READY,       PEER, UsbRemoteReady,       NONE) \
    X(SUBMIT,      QEMU, UsbRemoteSubmit,      DATA) \
    X(COMPLETE,    PEER, UsbRemoteComplete,    DATA_TABLE) \
    X(CANCEL,      QEMU, UsbRemoteCancel,      NONE)

/*
 * Ranges reserved for what is designed but not implemented yet.  A message
 * in one of them is an unknown message until its feature bit is defined to
 * be implemented.
 */
enum {
    USB_REMOTE_RANGE_SUSPEND_FIRST   = 0x0024, /* SUSPEND, RESUME */
    USB_REMOTE_RANGE_SUSPEND_LAST    = 0x0027,
    USB_REMOTE_RANGE_STREAMS_FIRST   = 0x0038, /* allocation of streams */
    USB_REMOTE_RANGE_STREAMS_LAST    = 0x003f,
    USB_REMOTE_RANGE_ISO_FIRST       = 0x0040, /* isochronous transfers */
    USB_REMOTE_RANGE_ISO_LAST        = 0x004f,
    USB_REMOTE_RANGE_SHM_FIRST       = 0x0050, /* shared memory */
    USB_REMOTE_RANGE_SHM_LAST        = 0x005f,
    USB_REMOTE_RANGE_RECONNECT_FIRST = 0x0060, /* reconnect */
    USB_REMOTE_RANGE_RECONNECT_LAST  = 0x006f,
    USB_REMOTE_RANGE_PRIVATE_FIRST   = 0xf000, /* experiments, never shipped */
    USB_REMOTE_RANGE_PRIVATE_LAST    = 0xffff,
};

/* Feature bits of HELLO.  Version 0.1 implements none of them. */
enum {
    USB_REMOTE_FEATURE_ISO          = 0x01, /* not implemented yet */
    USB_REMOTE_FEATURE_STREAMS      = 0x02, /* not implemented yet */
    USB_REMOTE_FEATURE_SHM          = 0x04, /* not implemented yet */
    USB_REMOTE_FEATURE_SUSPEND      = 0x08, /* not implemented yet */
    USB_REMOTE_FEATURE_RECONNECT    = 0x10, /* not implemented yet */
};

/* Bounds on what either end may announce or send. */
enum {
    USB_REMOTE_MAX_PACKET           = 1024,     /* wMaxPacketSize */
    USB_REMOTE_MIN_PAYLOAD          = 8192,     /* a packet of OHCI's */
    USB_REMOTE_MAX_PAYLOAD          = 1048576,
    USB_REMOTE_MIN_CONTROL          = 64,
    USB_REMOTE_MAX_CONTROL          = 4096,
    USB_REMOTE_MAX_REQUESTS         = 1024,
    USB_REMOTE_MAX_BYTES            = 16777216,
    USB_REMOTE_MAX_NAME             = 256,      /* HELLO's name and id */
    USB_REMOTE_MAX_SELECT           = 1024,
    USB_REMOTE_MAX_TEXT             = 512,      /* ERROR, BYE, ATTACHED */
    USB_REMOTE_MAX_ENDPOINTS        = 30,       /* 1-15, IN and OUT */
    USB_REMOTE_MAX_GAP_MS           = 60000,
    USB_REMOTE_DEFAULT_GAP_MS       = 200,
};

/*
 * HELLO: limits are what the sender can take; the smaller of the two holds.
 * Followed by name, device id and select text, in this order, no NULs.
 */
typedef struct UsbRemoteHello {
    uint8_t features[8];        /* USB_REMOTE_FEATURE_* */
    uint8_t max_payload[4];     /* data bytes in one SUBMIT or COMPLETE */
    uint8_t max_control[4];     /* data stage of a control request */
    uint8_t max_requests[4];    /* requests in flight in all, 1 or more */
    uint8_t max_per_endpoint[4];/* and on one endpoint, 1 or more */
    uint8_t max_bytes[4];       /* data bytes in flight, >= max_payload */
    uint8_t reserved[4];        /* 0 */
    uint8_t session[16];        /* bytes: RECONNECT's token; 0 without it */
    uint8_t name_length[2];     /* implementation name, for logs */
    uint8_t id_length[2];       /* QEMU: the device's id; peer: 0 */
    uint8_t select_length[2];   /* QEMU: the select= property; peer: 0 */
    uint8_t reserved2[2];       /* 0 */
} UsbRemoteHello;

/* ERROR: the receiver broke the protocol.  The sender closes after it. */
typedef struct UsbRemoteErrorMsg {
    uint8_t code[4];            /* USB_REMOTE_ERROR_* */
    uint8_t type[2];            /* offending message's type, or 0 */
    uint8_t reserved[2];        /* 0 */
} UsbRemoteErrorMsg;            /* header.id: the offending id, or 0 */

enum {
    USB_REMOTE_ERROR_NONE           = 0,
    USB_REMOTE_ERROR_VERSION        = 1, /* no common version */
    USB_REMOTE_ERROR_MALFORMED      = 2, /* a length or value is impossible */
    USB_REMOTE_ERROR_UNEXPECTED     = 3, /* wrong message for the state */
    USB_REMOTE_ERROR_UNKNOWN_TYPE   = 4, /* mandatory message not known */
    USB_REMOTE_ERROR_UNKNOWN_ID     = 5, /* never sent or answered before */
    USB_REMOTE_ERROR_LIMIT          = 6, /* beyond a limit of HELLO */
    USB_REMOTE_ERROR_TIMEOUT        = 7, /* handshake or CANCEL unanswered */
    USB_REMOTE_ERROR_REFUSED        = 8, /* e.g. no device of that name */
    USB_REMOTE_ERROR_INTERNAL       = 9, /* the sender cannot go on */
};

/* BYE: an orderly end of the connection.  The sender closes after it. */
typedef struct UsbRemoteBye {
    uint8_t reason[4];          /* USB_REMOTE_BYE_* */
    uint8_t reserved[4];        /* 0 */
} UsbRemoteBye;

enum {
    USB_REMOTE_BYE_DONE             = 0, /* peer: the program ends */
    USB_REMOTE_BYE_REMOVED          = 1, /* QEMU: device_del */
};

/* ATTACH: plug in.  header.attachment is the previous one plus 1. */
typedef struct UsbRemoteAttach {
    uint8_t speeds[1];          /* set of (1 << USB_REMOTE_SPEED_*) */
    uint8_t address_policy[1];  /* USB_REMOTE_ADDRESS_* */
    uint8_t flags[2];           /* USB_REMOTE_ATTACH_* */
    uint8_t gap_ms[4];          /* least time unplugged before this */
    uint8_t endpoint_count[2];  /* entries that follow */
    uint8_t reserved[6];        /* bytes: 0 */
} UsbRemoteAttach;

enum {
    USB_REMOTE_ATTACH_ENDPOINTS     = 0x0001, /* the table overrides */
};

enum {
    USB_REMOTE_SPEED_LOW            = 0,
    USB_REMOTE_SPEED_FULL           = 1,
    USB_REMOTE_SPEED_HIGH           = 2,
    USB_REMOTE_SPEED_SUPER          = 3,
};

/* How SET_ADDRESS is answered (it never reaches the peer as a request). */
enum {
    USB_REMOTE_ADDRESS_ACCEPT       = 0,
    USB_REMOTE_ADDRESS_STALL        = 1,
    USB_REMOTE_ADDRESS_IOERROR      = 2,
    USB_REMOTE_ADDRESS_SILENCE      = 3, /* no answer at all */
};

/* One entry of an endpoint table, as in an endpoint descriptor (9.6.6). */
typedef struct UsbRemoteEndpoint {
    uint8_t address[1];         /* bEndpointAddress: 0x01-0x0f, 0x81-0x8f */
    uint8_t type[1];            /* USB_REMOTE_TYPE_*, not CONTROL */
    uint8_t max_packet[2];      /* wMaxPacketSize; bits 0-10 not 0 */
    uint8_t interval[1];        /* bInterval */
    uint8_t interface[1];       /* bInterfaceNumber, 0-15 */
    uint8_t max_streams[1];     /* exponent, 0-16; 0 without STREAMS */
    uint8_t reserved[1];        /* 0 */
} UsbRemoteEndpoint;

/* Transfer types, as in bmAttributes (9.6.6). */
enum {
    USB_REMOTE_TYPE_CONTROL         = 0,
    USB_REMOTE_TYPE_ISO             = 1,
    USB_REMOTE_TYPE_BULK            = 2,
    USB_REMOTE_TYPE_INTERRUPT       = 3,
};

/* ATTACHED: the answer to ATTACH, once the VM runs and the gap is over. */
typedef struct UsbRemoteAttached {
    uint8_t result[1];          /* USB_REMOTE_ATTACHED_* */
    uint8_t speed[1];           /* USB_REMOTE_SPEED_*, with result OK */
    uint8_t reserved[6];        /* bytes: 0 */
} UsbRemoteAttached;            /* text: why not */

enum {
    USB_REMOTE_ATTACHED_OK          = 0,
    USB_REMOTE_ATTACHED_NO_SPEED    = 1, /* the port has none of them */
    USB_REMOTE_ATTACHED_REFUSED     = 2, /* any other reason, see text */
};

/* DETACH: unplug header.attachment. */
typedef struct UsbRemoteDetach {
    uint8_t reserved[8];        /* 0 */
} UsbRemoteDetach;

/* DETACHED: header.attachment and all before it are unplugged. */
typedef struct UsbRemoteDetached {
    uint8_t reserved[8];        /* 0 */
} UsbRemoteDetached;

/* RESET: the guest reset the bus; header.epoch is the new one. */
typedef struct UsbRemoteReset {
    uint8_t speed[1];           /* USB_REMOTE_SPEED_* now in force */
    uint8_t reserved[7];        /* bytes: 0 */
} UsbRemoteReset;

/* ADDRESS: the guest gave the device this address. */
typedef struct UsbRemoteAddress {
    uint8_t address[1];         /* 0-127 */
    uint8_t reserved[7];        /* bytes: 0 */
} UsbRemoteAddress;

/* VMSTATE: the machine stopped or runs again. */
typedef struct UsbRemoteVmstate {
    uint8_t running[1];         /* 0 or 1 */
    uint8_t reserved[7];        /* bytes: 0 */
} UsbRemoteVmstate;

/* WAKEUP: remote wakeup signalling (USB 2.0 section 9.1.1.6). */
typedef struct UsbRemoteWakeup {
    uint8_t reserved[8];        /* 0 */
} UsbRemoteWakeup;

/* READY: an endpoint that answered nak wants to be asked again. */
typedef struct UsbRemoteReady {
    uint8_t endpoint[1];        /* as in SUBMIT */
    uint8_t reserved[7];        /* bytes: 0 */
} UsbRemoteReady;

/* SUBMIT: one request.  header.id is greater than any before it. */
typedef struct UsbRemoteSubmit {
    uint8_t endpoint[1];        /* bEndpointAddress; 0 for control */
    uint8_t type[1];            /* USB_REMOTE_TYPE_* as QEMU knows it */
    uint8_t flags[2];           /* USB_REMOTE_SUBMIT_* */
    uint8_t stream[2];          /* bulk stream id, 0 = none */
    uint8_t place[1];           /* USB_REMOTE_PLACE_* of OUT data */
    uint8_t region[1];          /* shared memory region; 0 when inline */
    uint8_t length[4];          /* bytes requested or sent */
    uint8_t reserved[4];        /* 0 */
    uint8_t offset[8];          /* into the region; 0 when inline */
    uint8_t setup[8];           /* bytes: the SETUP packet; 0 otherwise */
} UsbRemoteSubmit;              /* data: OUT's, exactly length bytes */

enum {
    USB_REMOTE_SUBMIT_SHORT_NOT_OK  = 0x0001, /* a short IN is an error */
    USB_REMOTE_SUBMIT_MORE          = 0x0002, /* this transfer goes on */
    USB_REMOTE_SUBMIT_RETRY         = 0x0004, /* asked before */
};

enum {
    USB_REMOTE_PLACE_INLINE         = 0,
    USB_REMOTE_PLACE_REGION         = 1, /* needs SHM */
};

/* COMPLETE: the one answer to a SUBMIT; id, attachment, epoch are its. */
typedef struct UsbRemoteComplete {
    uint8_t status[1];          /* USB_REMOTE_STATUS_* */
    uint8_t place[1];           /* USB_REMOTE_PLACE_* of IN data */
    uint8_t flags[2];           /* USB_REMOTE_COMPLETE_* */
    uint8_t length[4];          /* bytes given (IN) or consumed (OUT) */
    uint8_t endpoint_count[2];  /* entries after the data */
    uint8_t region[1];          /* shared memory region; 0 when inline */
    uint8_t reserved[5];        /* bytes: 0 */
    uint8_t offset[8];          /* into the region; 0 when inline */
} UsbRemoteComplete;            /* data: IN's, exactly length bytes */

enum {
    USB_REMOTE_COMPLETE_ENDPOINTS   = 0x0001, /* the table overrides */
};

enum {
    USB_REMOTE_STATUS_OK            = 0,
    USB_REMOTE_STATUS_STALL         = 1,
    USB_REMOTE_STATUS_NAK           = 2,
    USB_REMOTE_STATUS_BABBLE        = 3,
    USB_REMOTE_STATUS_IOERROR       = 4,
    USB_REMOTE_STATUS_NODEV         = 5,
    USB_REMOTE_STATUS_CANCELLED     = 6,
};

/* CANCEL: header.id is no longer wanted; it must still be answered. */
typedef struct UsbRemoteCancel {
    uint8_t reserved[8];        /* 0 */
} UsbRemoteCancel;

#endif /* USB_REMOTE_PROTO_H */
