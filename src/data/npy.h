/* SPDX-License-Identifier: MIT */
/* NumPy's .npy format, versions 1 to 3: a header that describes an array, then its values. */
#ifndef STOA_DATA_NPY_H
#define STOA_DATA_NPY_H

#include "data/dataset.h"

enum { STOA_NPY_MAX_RANK = 4 };

struct stoa_npy {
    enum stoa_sample_type type;
    size_t text;        /* bytes of a letter, 1 or 4, where values are texts, which have no type; else 0 */
    size_t value_bytes; /* of a number, or of a text */
    bool swapped;       /* the bytes of a value lie in the order that this machine has not */
    bool fortran;       /* the first index runs fastest, where that makes a difference */
    size_t rank;
    size_t size[STOA_NPY_MAX_RANK];
    size_t values; /* product of the sizes */
    size_t offset; /* of the first value from the beginning of the file */
};

/* Bytes that a header, with what is before it, may have. */
enum { STOA_NPY_MAX_HEAD = 12 + 10000 };

/* Read the header of an array of `bytes` bytes, of which `data` need hold no more than the first
 * STOA_NPY_MAX_HEAD, of one of the types of enum stoa_sample_type, with 1 to STOA_NPY_MAX_RANK sizes, none of
 * them 0; `bytes` must be what it announces. `name` begins the sentence of an error. Errors:
 * STOA_ERR_FORMAT. */
stoa_status stoa_npy_read(stoa_context *context, const char *name, const void *data, size_t bytes,
                          struct stoa_npy *npy);

/* Refuse values that are not finite as floats. `first` is the number of values before `values`, for the
 * sentence. */
stoa_status stoa_npy_check_values(stoa_context *context, const char *name, const struct stoa_npy *npy,
                                  const void *values, size_t first, size_t count);
/* The same of all values in a file, a piece at a time. Errors also: STOA_ERR_IO. */
stoa_status stoa_npy_check_file(stoa_context *context, const char *name, const struct stoa_npy *npy,
                                struct stoa_disk_file *file);

#endif
