/* The IDX format of MNIST: a magic number, the sizes, then unsigned bytes; plain or gzip, told by the
 * content. Floor 6. */
#ifndef STOA_DATA_IDX_H
#define STOA_DATA_IDX_H

#include <stddef.h>
#include <stdint.h>

#include "core/context.h"

enum { STOA_IDX_MAX_RANK = 4 };

/* An array read from IDX. `data` holds the product of the sizes, in bytes, from stoa_allocate(). */
struct stoa_idx {
    size_t rank;
    size_t size[STOA_IDX_MAX_RANK];
    size_t bytes;
    uint8_t *data;
};

/* Read an array of unsigned bytes with `rank` dimensions, none of them 0; nothing may follow it. On an error
 * *idx is untouched. Errors: as stoa_dataset_open(); the sentence begins with the path. */
stoa_status stoa_idx_read(stoa_context *context, const char *path, size_t rank, struct stoa_idx *idx);

/* The same from memory; `name` stands in error sentences. */
stoa_status stoa_idx_parse(stoa_context *context, const char *name, const void *data, size_t bytes,
                           size_t rank, struct stoa_idx *idx);

/* The header of a plain array alone; idx->data is NULL, and *values points into `data`. */
stoa_status stoa_idx_view(stoa_context *context, const char *name, const void *data, size_t bytes,
                          size_t rank, struct stoa_idx *idx, const uint8_t **values);

void stoa_idx_release(stoa_context *context, struct stoa_idx *idx);

#endif
