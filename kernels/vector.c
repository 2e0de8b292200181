/* SPDX-License-Identifier: MIT */
/* Products of a matrix and one vector: every element of the matrix is used once, so memory is their limit. */
#include "kernels/isa.h"

enum { WIDTH = 8 * STOA_LANES };

/* Sums of up to WIDTH columns. Called with the constant WIDTH where possible, so that they stay in
 * registers. */
STOA_INLINE void block_times(const float *restrict x, const float *restrict w, size_t k, size_t n,
                             size_t stride, float *restrict y) {
    float sum[WIDTH] = {0};
    for (size_t i = 0; i < k; i++, w += stride) {
        float factor = x[i];
#pragma omp simd
        for (size_t j = 0; j < n; j++) {
            sum[j] += factor * w[j];
        }
    }
    for (size_t j = 0; j < n; j++) {
        y[j] = sum[j];
    }
}

void STOA_KERNEL(row_times_matrix)(const float *x, const float *w, size_t k, size_t n, size_t stride,
                                   float *y) {
    size_t j = 0;
    for (; j + WIDTH <= n; j += WIDTH) {
        block_times(x, w + j, k, WIDTH, stride, y + j);
    }
    for (; j + STOA_LANES <= n; j += STOA_LANES) {
        block_times(x, w + j, k, STOA_LANES, stride, y + j);
    }
    if (j < n) {
        block_times(x, w + j, k, n - j, stride, y + j);
    }
}

void STOA_KERNEL(matrix_times_column)(const float *restrict w, size_t rows, size_t n, const float *restrict v,
                                      float *restrict y) {
    for (size_t i = 0; i < rows; i++, w += n) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t j = 0; j < n; j++) {
            sum += w[j] * v[j];
        }
        y[i] = sum;
    }
}

void STOA_KERNEL(outer)(const float *restrict x, size_t rows, const float *restrict v, size_t n,
                        float *restrict y) {
    for (size_t i = 0; i < rows; i++, y += n) {
        float factor = x[i];
#pragma omp simd
        for (size_t j = 0; j < n; j++) {
            y[j] = factor * v[j];
        }
    }
}
