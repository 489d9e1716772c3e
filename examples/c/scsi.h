/*
 * The SCSI commands of a disk, on a file.
 *
 * SPDX-License-Identifier: MIT
 */

#ifndef SCSI_H
#define SCSI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCSI_BLOCK_SIZE     16  /* bytes of a command block here */
#define SCSI_ANSWER_SIZE    256

/** Sense key, additional sense code and its qualifier, SPC-4 section 4.5. */
typedef struct ScsiSense {
    uint8_t key;
    uint8_t code;
    uint8_t qualifier;
} ScsiSense;

typedef struct ScsiDisk {
    int file;
    uint32_t block;             /**< bytes, a power of 2 */
    uint64_t count;             /**< blocks */
    const char *serial;         /**< 12 to 126 characters */
    bool read_only;
    bool removable;
    bool ejected;
    bool prevented;             /**< the guest forbids to eject */
    ScsiSense sense;            /**< for REQUEST SENSE */
    uint8_t answer[SCSI_ANSWER_SIZE];
} ScsiDisk;

/** What a command does. */
typedef enum ScsiKind {
    SCSI_FAILED,                /**< the sense says why */
    SCSI_ANSWER,                /**< size bytes of answer for the guest */
    SCSI_READ,                  /**< size bytes of the medium for it */
    SCSI_WRITE                  /**< size bytes from it, for the medium */
} ScsiKind;

typedef struct ScsiOutcome {
    ScsiKind kind;
    uint32_t size;
    uint64_t at;                /**< READ, WRITE: offset, in bytes */
} ScsiOutcome;

/** Begin the command at @block, SCSI_BLOCK_SIZE bytes. */
ScsiOutcome scsi_execute(ScsiDisk *disk, unsigned lun, const uint8_t *block);

/** Move bytes of a SCSI_READ or _WRITE; false and a sense on an error. */
bool scsi_read(ScsiDisk *disk, void *data, size_t size, uint64_t at);
bool scsi_write(ScsiDisk *disk, const void *data, size_t size, uint64_t at);

#endif
