/* SPDX-License-Identifier: MIT */
/* Exponential linear unit and its gradient. */
#include "kernels/isa.h"
#include "kernels/polynomial.h"

void STOA_KERNEL(elu)(const float *x, float *y, size_t n, float alpha) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float v = x[i];
        float below = alpha * stoa_expm1_nonpositive(v > 0 ? 0.0F : v);
        y[i] = v > 0 ? v : below;
    }
}

void STOA_KERNEL(elu_backward)(const float *y, const float *dy, float *dx, size_t n, float alpha) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        float g = dy[i];
        float below = g * (y[i] + alpha);
        dx[i] = y[i] > 0 ? g : below;
    }
}
