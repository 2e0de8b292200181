/* SPDX-License-Identifier: MIT */
/* One block of memory cut into areas. The same calls, in the same order, give first the size of the block
 * (begun with NULL) and later its areas, so that size and use cannot differ. */
#ifndef STOA_BASE_CARVE_H
#define STOA_BASE_CARVE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/size.h"

/* What holds by construction where compilers and analysers cannot see it: areas of a run are not NULL. */
#define STOA_ASSUME(condition)                                                                               \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            __builtin_unreachable();                                                                         \
        }                                                                                                    \
    } while (0)

struct stoa_carve {
    char *memory;  /* aligned to STOA_ALIGN_BYTES; NULL: only counts */
    size_t bytes;  /* taken so far */
    bool overflow; /* the size does not fit */
};

/* The next `count` elements of `size` bytes, aligned to STOA_ALIGN_BYTES; NULL when only counting, and for no
 * elements. */
static inline void *stoa_carve_bytes(struct stoa_carve *carve, size_t count, size_t size) {
    size_t bytes;
    size_t begin = carve->bytes;
    if (!stoa_size_mul(count, size, &bytes) || bytes > (size_t)-1 - STOA_ALIGN_BYTES ||
        !stoa_size_add(begin, stoa_round_up(bytes, STOA_ALIGN_BYTES), &carve->bytes)) {
        carve->overflow = true;
        carve->bytes = begin;
        return NULL;
    }
    return carve->memory && bytes > 0 ? carve->memory + begin : NULL;
}

static inline float *stoa_carve_floats(struct stoa_carve *carve, size_t count) {
    return stoa_carve_bytes(carve, count, sizeof(float));
}

static inline size_t *stoa_carve_sizes(struct stoa_carve *carve, size_t count) {
    return stoa_carve_bytes(carve, count, sizeof(size_t));
}

#endif
