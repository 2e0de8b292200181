/* SPDX-License-Identifier: MIT */
/* Checked size arithmetic: every size that comes from outside goes through here. */
#ifndef STOA_BASE_SIZE_H
#define STOA_BASE_SIZE_H

#include <stdbool.h>
#include <stddef.h>

/* Alignment of every tensor in bytes and in floats: a cache line, and the widest vector. */
enum { STOA_ALIGN_BYTES = 64, STOA_ALIGN_FLOATS = 16 };

/* Largest dimension and element count accepted from outside: cblas takes an int. Where size_t has 64 bits,
 * products of two fit it. */
#define STOA_MAX_DIMENSION ((size_t)1 << 30)

static inline bool stoa_size_mul(size_t a, size_t b, size_t *product) {
    return !__builtin_mul_overflow(a, b, product);
}

static inline bool stoa_size_add(size_t a, size_t b, size_t *sum) {
    return !__builtin_add_overflow(a, b, sum);
}

/* Multiply `*size` by `factor` in place; false on overflow. */
static inline bool stoa_size_scale(size_t *size, size_t factor) {
    return stoa_size_mul(*size, factor, size);
}

/* `n` rounded up to a multiple of `unit` (> 0); `n` must not be within `unit` of SIZE_MAX. */
static inline size_t stoa_round_up(size_t n, size_t unit) {
    return (n + unit - 1) / unit * unit;
}

static inline size_t stoa_ceil_div(size_t n, size_t unit) {
    return n / unit + (n % unit != 0);
}

static inline size_t stoa_min(size_t a, size_t b) {
    return a < b ? a : b;
}

static inline size_t stoa_max(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Bytes of `count` floats, rounded up to whole alignment units; false on overflow. */
static inline bool stoa_float_bytes(size_t count, size_t *bytes) {
    if (count > (size_t)-1 / sizeof(float) - STOA_ALIGN_FLOATS) {
        return false;
    }
    *bytes = stoa_round_up(count, STOA_ALIGN_FLOATS) * sizeof(float);
    return true;
}

#endif
