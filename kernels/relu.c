/* SPDX-License-Identifier: MIT */
/* Rectified linear unit and its gradient. */
#include "kernels/isa.h"

void STOA_KERNEL(relu)(const float *x, float *y, size_t n) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] < 0 ? 0 : x[i]; /* not x > 0 ? x : 0, which would lose NaN */
    }
}

void STOA_KERNEL(relu_backward)(const float *y, const float *dy, float *dx, size_t n) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float g = dy[i];
        dx[i] = y[i] > 0 ? g : 0;
    }
}
