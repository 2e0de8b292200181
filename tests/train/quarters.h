/* SPDX-License-Identifier: MIT */
/* Images that a small network learns: noise, in which a bright quarter says the class. */
#ifndef STOA_TESTS_TRAIN_QUARTERS_H
#define STOA_TESTS_TRAIN_QUARTERS_H

#include <stddef.h>
#include <stdint.h>

/* `count` images of `size` x `size` pixels in four classes; `bright` is what the quarter has more. */
static inline void fill_quarters(size_t size, size_t count, float bright, float *images, int32_t *labels) {
    uint32_t state = 1;
    for (size_t n = 0; n < count; n++) {
        labels[n] = (int32_t)(n % 4);
        for (size_t i = 0; i < size * size; i++) {
            state = state * 1664525U + 1013904223U;
            size_t quarter = i / size / (size / 2) * 2 + i % size / (size / 2);
            images[n * size * size + i] =
                (float)(state >> 8) / 33554432.0F + (quarter == (size_t)labels[n] ? bright : 0);
        }
    }
}

#endif
