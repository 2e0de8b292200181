/* SPDX-License-Identifier: MIT */
/* The largest of a row, for softmax and its kin. */
#ifndef STOA_KERNELS_ROW_H
#define STOA_KERNELS_ROW_H

#include "kernels/isa.h"

/* NaN is passed over: the exponential of its place finds it. */
static inline float stoa_row_max(const float *x, size_t n) {
    float top = -__builtin_inff();
    size_t i = 0;
    if (n >= STOA_LANES) {
        float lane[STOA_LANES];
        memcpy(lane, x, sizeof lane);
        for (i = STOA_LANES; i + STOA_LANES <= n; i += STOA_LANES) {
#pragma omp simd
            for (size_t j = 0; j < STOA_LANES; j++) {
                lane[j] = x[i + j] > lane[j] ? x[i + j] : lane[j];
            }
        }
        for (size_t j = 0; j < STOA_LANES; j++) {
            top = lane[j] > top ? lane[j] : top;
        }
    }
    for (; i < n; i++) {
        top = x[i] > top ? x[i] : top;
    }
    return top;
}

#endif
