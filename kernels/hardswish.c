/* SPDX-License-Identifier: MIT */
/* Hard swish and its gradient. */
#include "kernels/isa.h"

void STOA_KERNEL(hardswish)(const float *x, float *y, size_t n, float unused) {
    (void)unused;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float v = x[i];
        float gate = v + 3.0F;
        gate = gate < 0 ? 0.0F : gate;
        gate = gate > 6.0F ? 6.0F : gate;
        y[i] = v * (gate * (1.0F / 6.0F));
    }
}

void STOA_KERNEL(hardswish_backward)(const float *x, const float *dy, float *dx, size_t n, float unused) {
    (void)unused;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float v = x[i];
        float slope = v * (1.0F / 3.0F) + 0.5F;
        slope = v < -3.0F ? 0.0F : slope;
        slope = v > 3.0F ? 1.0F : slope;
        dx[i] = dy[i] * slope;
    }
}
