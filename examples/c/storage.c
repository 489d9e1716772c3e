/*
 * A USB disk: an image file, or an empty one of some size.
 *
 * SPDX-License-Identifier: MIT
 *
 *     truncate -s 64M disk.img
 *     storage --connect unix:./usb.sock --image disk.img
 *
 * Mass Storage Class, Bulk-Only Transport 1.0; scsi.c has the commands.
 * Section numbers are those of the transport's specification.
 */

#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "program.h"
#include "scsi.h"

#define BULK_IN         0x81
#define BULK_OUT        0x01
#define RESET           0xff    /* bRequest, sections 3.1 and 3.2 */
#define GET_MAX_LUN     0xfe

#define COMMAND_SIZE    31      /* CBW and CSW, sections 5.1 and 5.2 */
#define STATUS_SIZE     13
#define PIECE           65536   /* bytes moved at a time */

enum { PASSED = 0, FAILED = 1, PHASE_ERROR = 2 };   /* table 5.3 */

static const UsbRemoteEndpointInfo endpoints[] = {
    { BULK_IN, USB_REMOTE_TYPE_BULK, { 0, 64, 512, 1024 }, { 0, 0, 0, 0 } },
    { BULK_OUT, USB_REMOTE_TYPE_BULK, { 0, 64, 512, 1024 }, { 0, 0, 0, 0 } },
};

static const UsbRemoteInterfaceInfo interfaces[] = {
    { 0, 0, 0x08, 0x06, 0x50, 0, endpoints, 2, NULL, 0 },
};

static const UsbRemoteConfigurationInfo configurations[] = {
    { 1, 0, 0x80, 100, interfaces, 1 },
};

typedef struct Storage {
    Program program;
    UsbRemoteDevice *device;
    UsbRemotePipe *in;
    UsbRemotePipe *out;
    ScsiDisk disk;
    bool refusing;              /* a wrong command came: section 6.6.1 */

    /* of the command that is going on */
    uint8_t tag[4];
    uint32_t length;            /* what the guest expects to be moved */
    uint8_t status;
    uint32_t residue;
    ScsiOutcome outcome;
    uint32_t wanted;            /* of its data: to be moved */
    uint32_t moved;
    uint32_t piece;             /* of it from the guest: asked for */
    uint8_t data[PIECE];
} Storage;

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void put32(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value & 0xff);
    to[1] = (uint8_t)(value >> 8 & 0xff);
    to[2] = (uint8_t)(value >> 16 & 0xff);
    to[3] = (uint8_t)(value >> 24);
}

static uint32_t get32(const uint8_t *from)
{
    return from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
           (uint32_t)from[3] << 24;
}

/* Status: section 5.2 */

static void next_command(void *opaque, int result);

static void send_status(Storage *s)
{
    memcpy(s->data, "USBS", 4);
    memcpy(s->data + 4, s->tag, 4);
    put32(s->data + 8, s->residue);
    s->data[12] = s->status;
    usbremote_pipe_write(s->in, s->data, STATUS_SIZE, false, next_command, s);
}

/* Data to the guest: section 6.7.2; less than it expects ends in a STALL */

static void give(void *opaque, int result)
{
    Storage *s = (Storage *)opaque;
    uint32_t size = least(s->wanted - s->moved, PIECE);
    const uint8_t *from = s->disk.answer;

    if (result < 0) {
        return;
    }
    if (size && s->outcome.kind == SCSI_READ) {
        from = s->data;
        if (!scsi_read(&s->disk, s->data, size, s->outcome.at + s->moved)) {
            s->status = FAILED;
            s->residue = s->length - s->moved;
            s->wanted = s->moved;
            size = 0;
        }
    }
    if (size) {
        s->moved += size;
        usbremote_pipe_write(s->in, from, size, s->moved < s->length &&
                             s->moved == s->wanted, give, s);
        return;
    }
    if (s->wanted < s->length) {
        usbremote_pipe_halt(s->in);
    }
    send_status(s);
}

/*
 * Data from the guest: section 6.7.3; all of it is taken, wanted or not.  A
 * short packet ends it; if it came too early, its piece is not written.
 */

static void take(void *opaque, int result);

static void take_on(Storage *s)
{
    bool wanting = s->moved < s->wanted;

    s->piece = least((wanting ? s->wanted : s->length) - s->moved, PIECE);
    usbremote_pipe_read(s->out, s->data, s->piece, take, s);
}

/* Not all bytes of a piece came. */
static void cut_short(Storage *s)
{
    if (s->moved < s->wanted && s->status == PASSED) {
        s->status = PHASE_ERROR;
        s->residue = 0;
    }
    send_status(s);
}

static void take(void *opaque, int result)
{
    Storage *s = (Storage *)opaque;
    uint32_t size = (uint32_t)result;

    if (result < 0) {
        return;
    }
    if (size && size < s->piece) {
        cut_short(s);
        return;
    }
    if (size && s->moved < s->wanted && s->status == PASSED &&
        !scsi_write(&s->disk, s->data, size, s->outcome.at + s->moved)) {
        s->status = FAILED;
    }
    s->moved += size;
    if (s->moved < s->length) {
        take_on(s);             /* also after an empty packet */
    } else {
        send_status(s);
    }
}

/*
 * The 13 cases of section 6.7 are those of what the guest expects (@length,
 * @to_guest) against what the device does (outcome).
 */
static void run(Storage *s, bool to_guest)
{
    const ScsiOutcome *o = &s->outcome;
    bool from_guest = o->kind == SCSI_WRITE;
    uint32_t room = to_guest == !from_guest ? s->length : 0;
    bool wrong = o->size > room;    /* 2, 3, 7, 8, 10, 13 */

    s->status = wrong ? PHASE_ERROR : o->kind == SCSI_FAILED ? FAILED
                                                             : PASSED;
    s->residue = wrong ? 0 : s->length - o->size;
    s->wanted = from_guest && wrong ? 0 : least(o->size, room);
    s->moved = 0;
    if (to_guest) {
        give(s, 0);
    } else {
        take(s, 0);
    }
}

/* Commands: section 5.1; each is a short packet */

static void command(void *opaque, int result)
{
    Storage *s = (Storage *)opaque;
    uint8_t block[SCSI_BLOCK_SIZE];
    const uint8_t *cbw = s->data;

    if (result <= 0) {
        next_command(s, result);    /* 0: the end of the data before */
        return;
    }
    if (result != COMMAND_SIZE || memcmp(cbw, "USBC", 4)) {
        s->refusing = true;
        usbremote_pipe_halt(s->in);
        usbremote_pipe_halt(s->out);
        return;
    }
    memcpy(s->tag, cbw + 4, 4);
    s->length = get32(cbw + 8);
    memset(block, 0, sizeof(block));
    memcpy(block, cbw + 15, least(cbw[14] & 0x1f, sizeof(block)));
    s->outcome = scsi_execute(&s->disk, cbw[13] & 0x0f, block);
    run(s, cbw[12] & 0x80);
}

static void next_command(void *opaque, int result)
{
    Storage *s = (Storage *)opaque;

    if (result >= 0) {
        usbremote_pipe_read(s->out, s->data,
                            usbremote_pipe_max_packet(s->out), command, s);
    }
}

static void begin(Storage *s)
{
    s->refusing = false;
    usbremote_pipe_cancel(s->in);
    usbremote_pipe_cancel(s->out);
    next_command(s, 0);
}

/* CLEAR_FEATURE(ENDPOINT_HALT), USB 2.0 section 9.4.1; true: answered. */
static bool clear_halt(Storage *s, UsbRemoteRequest *r)
{
    const uint8_t *setup = usbremote_setup(r);
    UsbRemotePipe *pipe = usbremote_device_pipe(s->device, setup[4] & 0x8f);

    if (pipe != s->in && pipe != s->out) {
        return false;
    }
    if (!s->refusing && !usbremote_pipe_moved(pipe)) {
        return false;
    }
    usbremote_reply(r, NULL, 0);
    if (!s->refusing) {         /* else halted until RESET, whatever */
        usbremote_pipe_clear_halt(pipe);
        begin(s);               /* the guest gave the command up */
    }
    return true;
}

/* The device */

static bool control(void *opaque, UsbRemoteRequest *r)
{
    Storage *s = (Storage *)opaque;
    const uint8_t *setup = usbremote_setup(r);

    if (!usbremote_device_configuration(s->device)) {
        return false;
    }
    if (setup[0] == 0x02 && setup[1] == 1 && !setup[2] && !setup[3]) {
        return clear_halt(s, r);
    }
    if (setup[4]) {
        return false;           /* of another interface */
    }
    if (setup[0] == 0x21 && setup[1] == RESET) {
        usbremote_reply(r, NULL, 0);
        begin(s);
        return true;
    }
    if (setup[0] == 0xa1 && setup[1] == GET_MAX_LUN) {
        usbremote_reply(r, "", 1);
        return true;
    }
    return false;
}

static void setting(void *opaque, uint8_t interface, uint8_t alternate)
{
    (void)interface;
    (void)alternate;
    begin((Storage *)opaque);
}

static void closed(void *opaque, UsbRemoteEnd end, const char *text)
{
    program_closed(&((Storage *)opaque)->program, end, text);
}

static const UsbRemoteDeviceOps ops = {
    sizeof(ops), control, NULL, setting, closed
};

/* The command line */

static const char usage[] =
    "  --image FILE    a disk image\n"
    "  --size SIZE     instead: an empty disk, such as 64M, that is lost\n"
    "                  with the program\n"
    "  --read-only     refuse to write\n"
    "  --removable     let the guest eject the medium\n"
    "  --block-size N  512, 1024, 2048 or 4096 bytes (512)\n"
    "  --serial DIGITS 12 or more of 0-9 and A-F (000000000001)\n";

/* An empty file of so many bytes, which has no name. */
static int empty_file(Storage *s, const char *text)
{
    static const char units[] = "KMG";
    char *end, name[] = "/tmp/usb-remote-XXXXXX";
    unsigned long long size = strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
    int file;

    if (*text < '0' || *text > '9' || (unit ? end[1] : *end) ||
        size > 1ull << 43 >> shift || size << shift < 4096) {
        program_fail(&s->program, "no size from 4K to 8192G: ", text);
    }
    file = mkstemp(name);
    if (file >= 0 && (unlink(name) || ftruncate(file,
                                                (off_t)(size << shift)))) {
        return -1;
    }
    return file;
}

/* Its size in bytes; -1 and errno for what cannot be a medium. */
static off_t medium_size(int file)
{
    struct stat st;

    if (file < 0 || fstat(file, &st)) {
        return -1;
    }
    if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;         /* read-only it can be opened, too */
        return -1;
    }
    return lseek(file, 0, SEEK_END);
}

static void open_medium(Storage *s, const char *image, const char *size)
{
    off_t bytes;

    if (!image == !size) {
        program_fail(&s->program, "one of --image and --size is needed", "");
    }
    /* a pipe would wait for who writes to it */
    s->disk.file = size ? empty_file(s, size) :
                   open(image, (s->disk.read_only ? O_RDONLY : O_RDWR) |
                               O_NONBLOCK);
    bytes = medium_size(s->disk.file);
    s->disk.count = bytes < 0 ? 0 : (uint64_t)bytes / s->disk.block;
    if (!s->disk.count) {
        fprintf(stderr, "%s: %s: %s\n", s->program.name,
                image ? image : "/tmp",
                bytes >= 0 ? "has not even one block" :
                errno == ESPIPE ? "is neither a file nor a disk" :
                                  strerror(errno));
        exit(1);
    }
}

static void check_disk(Storage *s, const char *block)
{
    size_t size = strlen(s->disk.serial);

    if (size < 12 || size > 126 ||
        strspn(s->disk.serial, "0123456789ABCDEF") != size) {
        program_fail(&s->program, "not 12 to 126 of 0-9 and A-F: ",
                     s->disk.serial);
    }
    for (s->disk.block = 512; s->disk.block <= 4096; s->disk.block *= 2) {
        char text[8];

        snprintf(text, sizeof(text), "%u", (unsigned)s->disk.block);
        if (!strcmp(text, block)) {
            return;
        }
    }
    program_fail(&s->program, "no such block size: ", block);
}

int main(int argc, char **argv)
{
    static Storage s;
    const char *image = NULL, *size = NULL, *block = "512";
    const char *strings[] = { "usb-remote", "Storage", NULL };
    const ProgramOption options[] = {
        { "--image", &image, NULL }, { "--size", &size, NULL },
        { "--read-only", NULL, &s.disk.read_only },
        { "--removable", NULL, &s.disk.removable },
        { "--block-size", &block, NULL },
        { "--serial", &s.disk.serial, NULL }, { NULL, NULL, NULL }
    };
    UsbRemoteDeviceInfo info = {
        0, 0x1209, 0x0008, 0x0100, 0, 0, 0, 1, 2, 3, NULL, 3,
        configurations, 1
    };

    (void)argc;
    s.disk.serial = "000000000001";
    program_parse(&s.program, argv, usage, options,
                  1u << USB_REMOTE_SPEED_FULL | 1u << USB_REMOTE_SPEED_HIGH |
                  1u << USB_REMOTE_SPEED_SUPER);
    check_disk(&s, block);
    open_medium(&s, image, size);
    strings[2] = s.disk.serial;
    info.strings = strings;
    info.speeds = s.program.speeds;
    s.device = usbremote_device_new(&info, &ops, &s, "storage.c");
    if (s.device) {
        s.in = usbremote_device_pipe(s.device, BULK_IN);
        s.out = usbremote_device_pipe(s.device, BULK_OUT);
    }
    return program_run(&s.program, s.device);
}
