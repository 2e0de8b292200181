/* SPDX-License-Identifier: MIT */
/* How values lie in memory, and what they are as numbers. */
#ifndef STOA_DATA_VALUES_H
#define STOA_DATA_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Types of single values. Bytes are pixels: data sets give them as value / 255. */
enum stoa_sample_type {
    STOA_SAMPLE_U8,
    STOA_SAMPLE_F32,
    STOA_SAMPLE_F64,
    STOA_SAMPLE_I32,
    STOA_SAMPLE_I64,
    STOA_SAMPLE_F16,
    STOA_SAMPLE_BOOL,
    STOA_SAMPLE_I8,
    STOA_SAMPLE_I16,
    STOA_SAMPLE_U16,
    STOA_SAMPLE_U32,
    STOA_SAMPLE_U64,
};

/* NumPy's name of the type. */
const char *stoa_sample_name(enum stoa_sample_type type);

/* Bytes of one value. */
size_t stoa_sample_bytes(enum stoa_sample_type type);

/* Whether values are fractions, infinite or none at times. */
bool stoa_sample_is_float(enum stoa_sample_type type);

/* Values `first` to `first` + `count` - 1 of `from` as floats; bytes from 0 to 255. They may lie at any
 * address; `swapped`: in the byte order that this machine has not. */
void stoa_values_read(enum stoa_sample_type type, bool swapped, const void *from, size_t first, size_t count,
                      float *out);

/* A value as doubles and whole numbers have it. */
struct stoa_number {
    double value;
    int64_t whole; /* the same, where it is a whole number of that range */
    bool is_whole;
};
struct stoa_number stoa_value_number(enum stoa_sample_type type, bool swapped, const void *from, size_t at);

/* Copy an array in Fortran order, whose first index runs fastest, into C order, whose last does. `bytes` is
 * the size of an element. */
void stoa_values_to_c_order(const void *from, size_t bytes, const size_t *size, size_t rank, void *to);

#endif
