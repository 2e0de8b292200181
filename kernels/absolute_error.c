/* SPDX-License-Identifier: MIT */
/* Absolute error of rows and its gradient. */
#include "kernels/isa.h"

void STOA_KERNEL(absolute_error)(const float *restrict x, const float *restrict t, size_t rows,
                                 size_t columns, float parameter, float scale, float *restrict loss) {
    (void)parameter;
    for (size_t r = 0; r < rows; r++, x += columns, t += columns) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t c = 0; c < columns; c++) {
            float d = x[c] - t[c];
            sum += d < 0 ? -d : d;
        }
        loss[r] = sum * scale;
    }
}

void STOA_KERNEL(absolute_error_backward)(const float *restrict x, const float *restrict t,
                                          const float *restrict dloss, size_t rows, size_t columns,
                                          float parameter, float scale, float *restrict dx) {
    (void)parameter;
    for (size_t r = 0; r < rows; r++, x += columns, t += columns, dx += columns) {
        float factor = scale * dloss[r];
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            float d = x[c] - t[c];
            float sign = d < 0 ? -factor : d > 0 ? factor : d; /* 0 or NaN */
            dx[c] = sign;
        }
    }
}
