/* SPDX-License-Identifier: MIT */
/* Squared error of rows and its gradient. */
#include "kernels/isa.h"

void STOA_KERNEL(squared_error)(const float *restrict x, const float *restrict t, size_t rows, size_t columns,
                                float parameter, float scale, float *restrict loss) {
    (void)parameter;
    for (size_t r = 0; r < rows; r++, x += columns, t += columns) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t c = 0; c < columns; c++) {
            float d = x[c] - t[c];
            sum += d * d;
        }
        loss[r] = sum * scale;
    }
}

void STOA_KERNEL(squared_error_backward)(const float *restrict x, const float *restrict t,
                                         const float *restrict dloss, size_t rows, size_t columns,
                                         float parameter, float scale, float *restrict dx) {
    (void)parameter;
    for (size_t r = 0; r < rows; r++, x += columns, t += columns, dx += columns) {
        float factor = scale * dloss[r];
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            dx[c] = 2.0F * factor * (x[c] - t[c]);
        }
    }
}
