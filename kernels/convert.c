/* SPDX-License-Identifier: MIT */
/* Bytes to numbers. */
#include "kernels/isa.h"

void STOA_KERNEL(bytes_to_real)(const uint8_t *restrict x, size_t n, float scale, float shift,
                                float *restrict y) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        y[i] = (float)x[i] * scale + shift;
    }
}
