/* SPDX-License-Identifier: MIT */
/* Reference clipping and averaging. */
#include "kernels/ref/ref.h"

void STOA_REFERENCE(clip)(real *y, size_t n, real limit) {
    for (size_t i = 0; i < n; i++) {
        y[i] = y[i] > limit ? limit : y[i] < -limit ? -limit : y[i];
    }
}

void STOA_REFERENCE(scale)(real *y, size_t n, real factor) {
    for (size_t i = 0; i < n; i++) {
        y[i] *= factor;
    }
}

void STOA_REFERENCE(average)(real *mean, const real *x, size_t n, real keep) {
    for (size_t i = 0; i < n; i++) {
        mean[i] = keep * mean[i] + (1 - keep) * x[i];
    }
}

void STOA_REFERENCE(sum_squares)(const real *x, size_t n, double *sum) {
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        total += (double)x[i] * (double)x[i];
    }
    *sum = total;
}
