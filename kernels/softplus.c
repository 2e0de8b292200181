/* SPDX-License-Identifier: MIT */
/* Softplus and its gradient, the sigmoid of x, which 1 - exp(-y) is too. */
#include "kernels/isa.h"
#include "kernels/polynomial.h"

void STOA_KERNEL(softplus)(const float *x, float *y, size_t n, float beta) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        /* x itself outside of the quotient: beta * x may leave the range of floats. */
        y[i] = (x[i] < 0 ? 0.0F : x[i]) + stoa_fast_softplus_rise(beta * x[i]) / beta;
    }
}

void STOA_KERNEL(softplus_backward)(const float *y, const float *dy, float *dx, size_t n, float beta) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        dx[i] = dy[i] * -stoa_expm1_nonpositive(-beta * y[i]);
    }
}
