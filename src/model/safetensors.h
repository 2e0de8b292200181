/* SPDX-License-Identifier: MIT */
/* Safetensors files in memory: an 8-byte little-endian header length, a JSON header, data. The reader checks
 * everything before it hands out a pointer; the writer makes the header. Knows nothing of models. */
#ifndef STOA_MODEL_SAFETENSORS_H
#define STOA_MODEL_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Limit on the header, the reference implementation's; and on dimensions, ours. */
enum { STOA_SAFETENSORS_MAX_HEADER = 100000000, STOA_SAFETENSORS_MAX_RANK = 8 };

struct stoa_safetensors;

/* One tensor. Name, type and shape belong to the open file, `data` points into the caller's buffer,
 * unaligned. */
struct stoa_safetensors_tensor {
    const char *name;
    const char *dtype; /* "F32", "BF16", ...: any type of the format */
    size_t rank;
    const size_t *shape;
    const unsigned char *data; /* little-endian */
    size_t bytes;
    size_t begin; /* offset in the data */
};

/* Check a whole file in memory and index it. `data` is borrowed and must outlive the result.
 * Errors: STOA_ERR_FORMAT with what was found and expected; STOA_ERR_MEMORY. */
stoa_status stoa_safetensors_open(struct stoa_error *error, const void *data, size_t bytes,
                                  struct stoa_safetensors **file);
void stoa_safetensors_close(struct stoa_safetensors *file);

/* Tensors in the order of their data. */
size_t stoa_safetensors_count(const struct stoa_safetensors *file);
const struct stoa_safetensors_tensor *stoa_safetensors_at(const struct stoa_safetensors *file, size_t index);
/* By name; NULL when there is none. */
const struct stoa_safetensors_tensor *stoa_safetensors_find(const struct stoa_safetensors *file,
                                                            const char *name);
/* Give a tensor another name, borrowed until the file is closed; NULL takes it out. False: there is none of
 * that name. Names are those from before until stoa_safetensors_renamed(), which follows the last. */
bool stoa_safetensors_rename(struct stoa_safetensors *file, const char *from, const char *to);
/* Errors: STOA_ERR_ARGUMENT (a name twice). */
stoa_status stoa_safetensors_renamed(struct stoa_error *error, struct stoa_safetensors *file);
/* Value of a key of `__metadata__`, or NULL. */
const char *stoa_safetensors_metadata(const struct stoa_safetensors *file, const char *key);

/* A shape for people, as PyTorch prints it: "(6, 1, 5, 5)". Room for the longest. */
enum { STOA_SAFETENSORS_SHAPE = 200 };
const char *stoa_safetensors_shape(size_t rank, const size_t *shape, char out[STOA_SAFETENSORS_SHAPE]);

/* A float32 tensor to be written. */
struct stoa_safetensors_item {
    const char *name;
    size_t rank;
    const size_t *shape;
};

/* Make the start of a file (header length, header, padding to a multiple of 64 bytes) for tensors whose data
 * follow in this order without gaps, and one metadata entry. Equal arguments give equal bytes. `*start` is
 * released with free().
 * @param sealed  With room for a checksum, which stoa_safetensors_seal() puts in when the data are there.
 * @param[out] data_bytes  Bytes of data that must follow.
 * Errors: STOA_ERR_ARGUMENT (text that is not UTF-8, a name twice, too large), STOA_ERR_MEMORY. */
stoa_status stoa_safetensors_start(struct stoa_error *error, const struct stoa_safetensors_item *items,
                                   size_t count, const char *key, const char *value, bool sealed,
                                   char **start, size_t *start_bytes, size_t *data_bytes);

/* Put the checksum of a whole file, whose start was made for one, into its place. */
void stoa_safetensors_seal(void *data, size_t bytes);
/* Whether the checksum of a whole file holds. Errors: STOA_ERR_FORMAT (it does not, or there is none). */
stoa_status stoa_safetensors_check_seal(struct stoa_error *error, const void *data, size_t bytes);

#endif
