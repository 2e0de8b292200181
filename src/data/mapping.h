/* Files that are mapped rather than read, with a bound on how much of them stays in memory. Floor 6. */
#ifndef STOA_DATA_MAPPING_H
#define STOA_DATA_MAPPING_H

#include "core/context.h"

struct stoa_mapping;

/* Map a regular file, read-only; it must not change while it is mapped. Pages that were read are given back once the
 * part in use spans more than `most` bytes. Errors: STOA_ERR_NOT_FOUND, STOA_ERR_IO, STOA_ERR_MEMORY. */
stoa_status stoa_mapping_open(stoa_context *context, const char *path, size_t most,
                              struct stoa_mapping **mapping);
/* NULL is allowed. */
void stoa_mapping_close(struct stoa_mapping *mapping);

const uint8_t *stoa_mapping_data(const struct stoa_mapping *mapping);
size_t stoa_mapping_bytes(const struct stoa_mapping *mapping);
size_t stoa_mapping_most(const struct stoa_mapping *mapping);

/* Say that `bytes` bytes at `at`, within the mapping, are read next. From any thread. */
void stoa_mapping_touch(struct stoa_mapping *mapping, const void *at, size_t bytes);

/* Size of a regular file; 0 when there is none. */
size_t stoa_file_size(const char *path);

#endif
