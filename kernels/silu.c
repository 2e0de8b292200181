/* SPDX-License-Identifier: MIT */
/* Sigmoid-weighted linear unit and its gradient. */
#include "kernels/isa.h"
#include "kernels/polynomial.h"

void STOA_KERNEL(silu)(const float *x, float *y, size_t n, float unused) {
    (void)unused;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] * stoa_fast_sigmoid(x[i]);
    }
}

void STOA_KERNEL(silu_backward)(const float *x, const float *dy, float *dx, size_t n, float unused) {
    (void)unused;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float v = x[i];
        float e = stoa_exp_nonpositive(v < 0 ? v : -v);
        float d = 1.0F / (1.0F + e);
        float s = v < 0 ? e * d : d;
        float rest = v < 0 ? d : e * d; /* 1 - s, without cancellation */
        dx[i] = dy[i] * (s * (1.0F + v * rest));
    }
}
