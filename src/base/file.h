/* SPDX-License-Identifier: MIT */
/* Whole files in, whole files out. */
#ifndef STOA_BASE_FILE_H
#define STOA_BASE_FILE_H

#include <stddef.h>

#include "base/error.h"

/* Read a whole regular file into memory from malloc (release with free()). Refuses folders, other non-regular
 * files and files over `limit` bytes. Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_FORMAT (over the
 * limit), STOA_ERR_MEMORY; the sentence begins with the path. An empty file gives *bytes = 0 and a pointer
 * that may be freed. */
stoa_status stoa_file_read(struct stoa_error *error, const char *path, size_t limit, void **data,
                           size_t *bytes);

/* Read how a regular file begins: up to `room` bytes, fewer where it is shorter. Errors: as of
 * stoa_file_read(). */
stoa_status stoa_file_begin(struct stoa_error *error, const char *path, void *head, size_t room,
                            size_t *bytes);

/* Write a whole file: to a temporary name in the same folder, synced, renamed over `path`, the folder synced.
 * On an error nothing stands under `path` that was not there before. The pieces are written one after the
 * other. */
struct stoa_file_piece {
    const void *data;
    size_t bytes;
};
stoa_status stoa_file_write(struct stoa_error *error, const char *path, const struct stoa_file_piece *pieces,
                            size_t count);

#endif
