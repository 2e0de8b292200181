/* SPDX-License-Identifier: MIT */
/* Logistic sigmoid and its gradient. */
#include "kernels/isa.h"
#include "kernels/polynomial.h"

void STOA_KERNEL(sigmoid)(const float *x, float *y, size_t n, float unused) {
    (void)unused;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        y[i] = stoa_fast_sigmoid(x[i]);
    }
}

void STOA_KERNEL(sigmoid_backward)(const float *y, const float *dy, float *dx, size_t n, float unused) {
    (void)unused;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        dx[i] = dy[i] * (y[i] * (1.0F - y[i]));
    }
}
