/* SPDX-License-Identifier: MIT */
/* What happens to gradients and parameters around an optimiser's step: clipping, and a moving average. */
#include "kernels/isa.h"

void STOA_KERNEL(clip)(float *y, size_t n, float limit) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        /* In this order a NaN stays one. */
        float below = y[i] > limit ? limit : y[i];
        y[i] = below < -limit ? -limit : below;
    }
}

void STOA_KERNEL(scale)(float *y, size_t n, float factor) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        y[i] *= factor;
    }
}

void STOA_KERNEL(average)(float *restrict mean, const float *restrict x, size_t n, float keep) {
    float fresh = 1 - keep;
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        mean[i] = keep * mean[i] + fresh * x[i];
    }
}

/* In double throughout: squares of floats fit it, so nothing overflows or vanishes. */
void STOA_KERNEL(sum_squares)(const float *x, size_t n, double *sum) {
    enum { SUMS = 2 * STOA_LANES };
    double part[SUMS] = {0};
    size_t i = 0;
    for (; i + SUMS <= n; i += SUMS) {
#pragma omp simd
        for (size_t j = 0; j < SUMS; j++) {
            double value = (double)x[i + j];
            part[j] += value * value;
        }
    }
    for (; i < n; i++) {
        part[i % SUMS] += (double)x[i] * (double)x[i];
    }
    double total = 0;
    for (size_t j = 0; j < SUMS; j++) {
        total += part[j];
    }
    *sum = total;
}
