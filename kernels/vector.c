/* SPDX-License-Identifier: MIT */
/* Products of a matrix and one vector: every element of the matrix is used once, so memory is their limit. */
#include "kernels/isa.h"

enum { WIDTH = 8 * STOA_LANES, ROWS = 8 };

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

/* Sums of neighbouring rows at once: their chains of multiply-adds overlap, and v is loaded once. Each row's
 * is in the same order however many there are. */
STOA_INLINE void rows_times_column(const float *restrict w, size_t n, const float *restrict v,
                                   float *restrict y, const size_t rows) {
    stoa_vec sum[ROWS];
    STOA_UNROLL
    for (size_t i = 0; i < rows; i++) {
        sum[i] = (stoa_vec){0};
    }
    size_t j = 0;
    for (; j + STOA_LANES <= n; j += STOA_LANES) {
        const stoa_vec x = STOA_LOAD(stoa_vec, v + j);
        STOA_UNROLL
        for (size_t i = 0; i < rows; i++) {
            sum[i] += STOA_LOAD(stoa_vec, w + i * n + j) * x;
        }
    }
    for (size_t i = 0; i < rows; i++) {
        float lane[STOA_LANES];
        STOA_STORE(stoa_vec, lane, sum[i]);
        stoa_vec4 quarter = STOA_LOAD(stoa_vec4, lane);
        for (size_t k = 4; k < STOA_LANES; k += 4) {
            quarter += STOA_LOAD(stoa_vec4, lane + k);
        }
        float total = (quarter[0] + quarter[1]) + (quarter[2] + quarter[3]);
        for (size_t k = j; k < n; k++) {
            total += w[i * n + k] * v[k];
        }
        y[i] = total;
    }
}

void STOA_KERNEL(matrix_times_column)(const float *restrict w, size_t rows, size_t n, const float *restrict v,
                                      float *restrict y) {
    size_t i = 0;
    for (; i + ROWS <= rows; i += ROWS) {
        rows_times_column(w + i * n, n, v, y + i, ROWS);
    }
    for (; i < rows; i++) {
        rows_times_column(w + i * n, n, v, y + i, 1);
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
