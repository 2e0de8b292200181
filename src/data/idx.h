/* SPDX-License-Identifier: MIT */
/* The IDX format of MNIST: a magic number with the type and the number of dimensions, the sizes, then the
 * values, the higher byte first; plain or gzip, told by the content. */
#ifndef STOA_DATA_IDX_H
#define STOA_DATA_IDX_H

#include "data/npy.h"

enum { STOA_IDX_MAX_RANK = STOA_NPY_MAX_RANK };

/* An array read from IDX. `data` holds the values, in `bytes` bytes, from stoa_allocate(); npy.offset is
 * where they lie in a plain file. */
struct stoa_idx {
    struct stoa_npy npy;
    size_t bytes;
    uint8_t *data;
};

/* Labels that were read before, and what they are called: there must be as many images. */
struct stoa_idx_labels {
    const char *name;
    size_t count;
};

/* Read an array of numbers of any type with 1 to `rank` dimensions, none of them 0; nothing may follow it.
 * Gzip data may have several members, and zeros behind them. With `labels`, which may be NULL, the first
 * dimension is held against their count as soon as it is known. On an error *idx is untouched. Errors: as
 * stoa_dataset_open(); the sentence begins with the path. */
stoa_status stoa_idx_read(stoa_context *context, const char *path, size_t rank,
                          const struct stoa_idx_labels *labels, struct stoa_idx *idx);

/* The same from memory; `name` stands in error sentences. */
stoa_status stoa_idx_parse(stoa_context *context, const char *name, const void *data, size_t bytes,
                           size_t rank, const struct stoa_idx_labels *labels, struct stoa_idx *idx);

/* The header of a plain array of `bytes` bytes alone: `head` need hold no more than the first STOA_IDX_HEAD
 * of them. idx->data is NULL. */
enum { STOA_IDX_HEAD = 4 + 4 * STOA_IDX_MAX_RANK };
stoa_status stoa_idx_view(stoa_context *context, const char *name, const void *head, size_t bytes,
                          size_t rank, const struct stoa_idx_labels *labels, struct stoa_idx *idx);

void stoa_idx_release(stoa_context *context, struct stoa_idx *idx);

#endif
