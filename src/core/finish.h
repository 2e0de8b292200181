/* SPDX-License-Identifier: MIT */
/* What is done to results while they are in cache, by whoever writes them: known to operators, called by the
 * floors below. */
#ifndef STOA_CORE_FINISH_H
#define STOA_CORE_FINISH_H

#include <stddef.h>

#include "core/context.h"

/* In place, to numbers [first, first + count) of a result, counted as it would lie without gaps; they lie at
 * `numbers`. Called for every number once, in pieces of any size, from several threads at once. `map` NULL:
 * nothing is done. */
struct stoa_finish {
    void (*map)(const void *with, float *numbers, size_t first, size_t count);
    const void *with;
};

static inline void stoa_finish(const struct stoa_finish *finish, float *numbers, size_t first, size_t count) {
    if (finish->map) {
        finish->map(finish->with, numbers, first, count);
    }
}

/* The same to numbers [at, at + columns) of each of `count` pixels from `first` on. Pixels of the result have
 * `numbers` numbers and lie `stride` apart. */
void stoa_finish_pixels(const struct stoa_finish *finish, float *result, size_t numbers, size_t stride,
                        size_t first, size_t count, size_t at, size_t columns);

/* And to all of a result of so many pixels, in parallel. */
void stoa_finish_all(const stoa_context *context, const struct stoa_finish *finish, float *result,
                     size_t numbers, size_t stride, size_t pixels);

#endif
