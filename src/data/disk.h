/* SPDX-License-Identifier: MIT */
/* Files that stay on disk and are read piece by piece. The system's page cache is the buffer; nothing of a
 * file is the process's own memory, and none is mapped: a file that shrinks meanwhile is an error, not a
 * signal. */
#ifndef STOA_DATA_DISK_H
#define STOA_DATA_DISK_H

#include <stdbool.h>

#include "core/context.h"

struct stoa_disk_file;

/* Open a regular file to be read in pieces, `memory` bytes being what its reader may hold at once. Errors:
 * STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_MEMORY. */
stoa_status stoa_disk_open(stoa_context *context, const char *path, size_t memory,
                           struct stoa_disk_file **file);
/* NULL is allowed. */
void stoa_disk_close(struct stoa_disk_file *file);

size_t stoa_disk_bytes(const struct stoa_disk_file *file);
size_t stoa_disk_memory(const struct stoa_disk_file *file);

/* Copy `bytes` bytes from `offset` on. False when that fails, or when the file is no longer as it was opened
 * (told by its size and its time of change), from then on for ever. From any thread. */
bool stoa_disk_read(struct stoa_disk_file *file, size_t offset, size_t bytes, void *out);

/* STOA_OK, or the sentence of what made stoa_disk_read() fail first: STOA_ERR_IO. */
stoa_status stoa_disk_check(const struct stoa_disk_file *file, stoa_context *context);

/* Size of a regular file, SIZE_MAX if it is larger than that; 0 when there is none. */
size_t stoa_file_size(const char *path);

#endif
