/*
 * The SCSI commands of a disk, on a file: SPC-4 and SBC-3.
 *
 * SPDX-License-Identifier: MIT
 */

#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include <string.h>
#include <unistd.h>

#include "scsi.h"

#define MAX_BLOCKS  0xffffu     /* of one command */

static const ScsiSense NO_MEDIUM = { 0x2, 0x3a, 0x00 };
static const ScsiSense WRITE_ERROR = { 0x3, 0x0c, 0x00 };
static const ScsiSense READ_ERROR = { 0x3, 0x11, 0x00 };
static const ScsiSense INVALID_COMMAND = { 0x5, 0x20, 0x00 };
static const ScsiSense OUT_OF_RANGE = { 0x5, 0x21, 0x00 };
static const ScsiSense INVALID_FIELD = { 0x5, 0x24, 0x00 };
static const ScsiSense INVALID_LUN = { 0x5, 0x25, 0x00 };
static const ScsiSense REMOVAL_PREVENTED = { 0x5, 0x53, 0x02 };
static const ScsiSense WRITE_PROTECTED = { 0x7, 0x27, 0x00 };

static const char vendor[] = "usbremot";
static const char product[] = "Storage         ";
static const char revision[] = "0100";

/* Integers in command blocks and answers are big-endian. */

static uint64_t get(const uint8_t *from, unsigned size)
{
    uint64_t value = 0;

    while (size--) {
        value = value << 8 | *from++;
    }
    return value;
}

static void put(uint8_t *to, unsigned size, uint64_t value)
{
    while (size--) {
        to[size] = (uint8_t)(value & 0xff);
        value >>= 8;
    }
}

static ScsiOutcome outcome(ScsiKind kind, uint32_t size, uint64_t at)
{
    ScsiOutcome o;

    o.kind = kind;
    o.size = size;
    o.at = at;
    return o;
}

static ScsiOutcome fail(ScsiDisk *disk, ScsiSense sense)
{
    disk->sense = sense;
    return outcome(SCSI_FAILED, 0, 0);
}

/* As much of an answer as the guest has room for. */
static ScsiOutcome answer(uint32_t size, uint64_t room)
{
    return outcome(SCSI_ANSWER, size < room ? size : (uint32_t)room, 0);
}

static ScsiOutcome done(void)
{
    return answer(0, 0);
}

static ScsiOutcome request_sense(ScsiDisk *disk, const uint8_t *block)
{
    static const ScsiSense none = { 0, 0, 0 };
    uint8_t *a = disk->answer;

    a[0] = 0x70;                /* current error, fixed format */
    a[2] = disk->sense.key;
    a[7] = 10;                  /* bytes that follow */
    a[12] = disk->sense.code;
    a[13] = disk->sense.qualifier;
    disk->sense = none;
    return answer(18, block[4]);
}

/* Returns the size of the page's contents at @a, -1 if there is no page. */
static int vital_product_data(const ScsiDisk *disk, uint8_t page, uint8_t *a)
{
    static const uint8_t pages[] = { 0x00, 0x80, 0x83, 0xb0 };
    size_t serial = strlen(disk->serial);

    switch (page) {
    case 0x00:
        memcpy(a, pages, sizeof(pages));
        return sizeof(pages);
    case 0x80:
        memcpy(a, disk->serial, serial);
        return (int)serial;
    case 0x83:
        a[0] = 2;               /* ASCII */
        a[1] = 1;               /* vendor's name first */
        a[3] = (uint8_t)(8 + serial);
        memcpy(a + 4, vendor, 8);
        memcpy(a + 12, disk->serial, serial);
        return (int)(12 + serial);
    case 0xb0:
        put(a + 2, 2, 1);
        put(a + 4, 4, MAX_BLOCKS);
        put(a + 8, 4, MAX_BLOCKS);
        return 60;
    }
    return -1;
}

static ScsiOutcome inquiry(ScsiDisk *disk, const uint8_t *block)
{
    uint64_t room = get(block + 3, 2);
    uint8_t *a = disk->answer;

    if (block[1] & 1) {
        int size = vital_product_data(disk, block[2], a + 4);

        if (size < 0) {
            return fail(disk, INVALID_FIELD);
        }
        a[1] = block[2];
        put(a + 2, 2, (uint64_t)size);
        return answer((uint32_t)size + 4, room);
    }
    if (block[2]) {
        return fail(disk, INVALID_FIELD);
    }
    a[1] = disk->removable ? 0x80 : 0;
    a[2] = 6;                   /* SPC-4 */
    a[3] = 2;                   /* format of this answer */
    a[4] = 31;                  /* bytes that follow */
    memcpy(a + 8, vendor, 8);
    memcpy(a + 16, product, 16);
    memcpy(a + 32, revision, 4);
    return answer(36, room);
}

/* MODE SENSE(6) or (10): only the caching page; the write cache is on. */
static ScsiOutcome mode_sense(ScsiDisk *disk, const uint8_t *block)
{
    unsigned control = block[2] >> 6, page = block[2] & 0x3f;
    bool six = block[0] == 0x1a;
    uint8_t *a = disk->answer, *caching = a + (six ? 4 : 8);
    uint8_t parameter = disk->read_only ? 0x80 : 0;

    if (control == 3 || (page != 0x08 && page != 0x3f)) {
        return fail(disk, INVALID_FIELD);   /* 3: saved values */
    }
    caching[0] = 0x08;
    caching[1] = 18;
    caching[2] = control == 1 ? 0 : 0x04;   /* 1: what can be changed */
    if (six) {
        a[0] = 3 + 20;
        a[2] = parameter;
        return answer(4 + 20, block[4]);
    }
    put(a, 2, 6 + 20);
    a[3] = parameter;
    return answer(8 + 20, get(block + 7, 2));
}

static ScsiOutcome read_capacity_10(ScsiDisk *disk)
{
    uint64_t last = disk->count - 1;

    put(disk->answer, 4, last < 0xffffffff ? last : 0xffffffff);
    put(disk->answer + 4, 4, disk->block);
    return answer(8, 8);
}

static ScsiOutcome read_capacity_16(ScsiDisk *disk, const uint8_t *block)
{
    put(disk->answer, 8, disk->count - 1);
    put(disk->answer + 8, 4, disk->block);
    return answer(32, get(block + 10, 4));
}

/* READ and WRITE of 10 and 16 bytes. */
static ScsiOutcome move(ScsiDisk *disk, const uint8_t *block, ScsiKind kind)
{
    bool ten = block[0] < 0x80;
    uint64_t lba = get(block + 2, ten ? 4 : 8);
    uint64_t count = ten ? get(block + 7, 2) : get(block + 10, 4);

    if (lba > disk->count || count > disk->count - lba) {
        return fail(disk, OUT_OF_RANGE);
    }
    if (count > MAX_BLOCKS) {
        return fail(disk, INVALID_FIELD);
    }
    if (kind == SCSI_WRITE && disk->read_only) {
        return fail(disk, WRITE_PROTECTED);
    }
    if (!count) {
        return done();
    }
    return outcome(kind, (uint32_t)count * disk->block, lba * disk->block);
}

static ScsiOutcome synchronize_cache(ScsiDisk *disk)
{
    return fsync(disk->file) ? fail(disk, WRITE_ERROR) : done();
}

static ScsiOutcome start_stop(ScsiDisk *disk, const uint8_t *block)
{
    bool load_or_eject = block[4] & 2, start = block[4] & 1;

    if (load_or_eject && disk->removable) {
        if (disk->prevented && !start) {
            return fail(disk, REMOVAL_PREVENTED);
        }
        disk->ejected = !start;
    }
    return done();
}

/* Commands that need a medium. */
static ScsiOutcome with_medium(ScsiDisk *disk, const uint8_t *block)
{
    if (disk->ejected) {
        return fail(disk, NO_MEDIUM);
    }
    switch (block[0]) {
    case 0x25:
        return read_capacity_10(disk);
    case 0x28:
    case 0x88:
        return move(disk, block, SCSI_READ);
    case 0x2a:
    case 0x8a:
        return move(disk, block, SCSI_WRITE);
    case 0x35:
    case 0x91:
        return synchronize_cache(disk);
    case 0x9e:
        return read_capacity_16(disk, block);
    }
    return done();              /* TEST UNIT READY */
}

ScsiOutcome scsi_execute(ScsiDisk *disk, unsigned lun, const uint8_t *block)
{
    memset(disk->answer, 0, sizeof(disk->answer));
    if (lun) {
        return fail(disk, INVALID_LUN);
    }
    switch (block[0]) {
    case 0x03:
        return request_sense(disk, block);
    case 0x12:
        return inquiry(disk, block);
    case 0x1a:
    case 0x5a:
        return mode_sense(disk, block);
    case 0x1b:
        return start_stop(disk, block);
    case 0x1e:
        disk->prevented = block[4] & 1;
        return done();
    case 0x9e:
        if ((block[1] & 0x1f) != 0x10) {    /* the service action */
            return fail(disk, INVALID_COMMAND);
        }
        return with_medium(disk, block);
    case 0x00: case 0x25: case 0x28: case 0x88: case 0x2a: case 0x8a:
    case 0x35: case 0x91:
        return with_medium(disk, block);
    }
    return fail(disk, INVALID_COMMAND);
}

bool scsi_read(ScsiDisk *disk, void *data, size_t size, uint64_t at)
{
    uint8_t *to = (uint8_t *)data;

    while (size) {
        ssize_t n = pread(disk->file, to, size, (off_t)at);

        if (n <= 0) {           /* 0: the file has become shorter */
            disk->sense = READ_ERROR;
            return false;
        }
        to += n;
        at += (uint64_t)n;
        size -= (size_t)n;
    }
    return true;
}

bool scsi_write(ScsiDisk *disk, const void *data, size_t size, uint64_t at)
{
    const uint8_t *from = (const uint8_t *)data;

    while (size) {
        ssize_t n = pwrite(disk->file, from, size, (off_t)at);

        if (n <= 0) {           /* 0 would be tried for ever */
            disk->sense = WRITE_ERROR;
            return false;
        }
        from += n;
        at += (uint64_t)n;
        size -= (size_t)n;
    }
    return true;
}
