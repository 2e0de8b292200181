/* SPDX-License-Identifier: MIT */
/* Sums of arrays, element by element. */
#include "kernels/isa.h"

void STOA_KERNEL(add)(const float *a, const float *b, float *y, size_t n) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        y[i] = a[i] + b[i];
    }
}

void STOA_KERNEL(accumulate)(const float *restrict x, float *restrict y, size_t n) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        y[i] += x[i];
    }
}
