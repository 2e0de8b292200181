/* SPDX-License-Identifier: MIT */
/* Huber loss of rows and its gradient. */
#include "kernels/isa.h"

void STOA_KERNEL(huber)(const float *restrict x, const float *restrict t, size_t rows, size_t columns,
                        float parameter, float scale, float *restrict loss) {
    for (size_t r = 0; r < rows; r++, x += columns, t += columns) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t c = 0; c < columns; c++) {
            float d = x[c] - t[c];
            float far = d < 0 ? -d : d;
            float square = 0.5F * d * d;
            float line = parameter * (far - 0.5F * parameter);
            sum += far > parameter ? line : square;
        }
        loss[r] = sum * scale;
    }
}

void STOA_KERNEL(huber_backward)(const float *restrict x, const float *restrict t,
                                 const float *restrict dloss, size_t rows, size_t columns, float parameter,
                                 float scale, float *restrict dx) {
    for (size_t r = 0; r < rows; r++, x += columns, t += columns, dx += columns) {
        float factor = scale * dloss[r];
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            float d = x[c] - t[c];
            d = d < -parameter ? -parameter : d;
            d = d > parameter ? parameter : d;
            dx[c] = factor * d;
        }
    }
}
