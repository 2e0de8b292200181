/* SPDX-License-Identifier: MIT */
/* Logarithm of softmax over rows, and its gradient. */
#include "kernels/isa.h"
#include "kernels/polynomial.h"
#include "kernels/row.h"

void STOA_KERNEL(log_softmax)(const float *x, size_t rows, size_t columns, float *y) {
    for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
        float top = stoa_row_max(x, columns);
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t c = 0; c < columns; c++) {
            sum += stoa_exp_nonpositive(x[c] - top);
        }
        float log_sum = stoa_log_positive(sum);
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            y[c] = x[c] - top - log_sum;
        }
    }
}

void STOA_KERNEL(log_softmax_backward)(const float *y, const float *dy, size_t rows, size_t columns,
                                       float *dx) {
    for (size_t r = 0; r < rows; r++, y += columns, dy += columns, dx += columns) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t c = 0; c < columns; c++) {
            sum += dy[c];
        }
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            /* Rounding may have put y above 0. */
            dx[c] = dy[c] - stoa_exp_nonpositive(y[c] > 0 ? 0 : y[c]) * sum;
        }
    }
}
