/* SPDX-License-Identifier: MIT */
/* Reference sums. */
#include "kernels/ref/ref.h"

void STOA_REFERENCE(column_sums)(const real *x, size_t rows, size_t columns, size_t stride, real *sum) {
    for (size_t c = 0; c < columns; c++) {
        sum[c] = 0;
        for (size_t r = 0; r < rows; r++) {
            sum[c] += x[r * stride + c];
        }
    }
}

void STOA_REFERENCE(sum)(const real *x, size_t n, real *sum) {
    *sum = 0;
    for (size_t i = 0; i < n; i++) {
        *sum += x[i];
    }
}
