/* SPDX-License-Identifier: MIT */
/* Leaky rectified linear unit and its gradient. */
#include "kernels/isa.h"

void STOA_KERNEL(leaky_relu)(const float *x, float *y, size_t n, float slope) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float v = x[i];
        y[i] = v < 0 ? slope * v : v;
    }
}

void STOA_KERNEL(leaky_relu_backward)(const float *z, const float *dy, float *dx, size_t n, float slope) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float g = dy[i];
        dx[i] = z[i] > 0 ? g : slope * g;
    }
}
