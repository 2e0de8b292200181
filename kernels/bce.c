/* SPDX-License-Identifier: MIT */
/* Binary cross entropy of rows of logits and its gradient. */
#include "kernels/isa.h"
#include "kernels/polynomial.h"

void STOA_KERNEL(bce)(const float *restrict x, const float *restrict t, size_t rows, size_t columns,
                      float parameter, float scale, float *restrict loss) {
    for (size_t r = 0; r < rows; r++, x += columns, t += columns) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t c = 0; c < columns; c++) {
            /* No differences: all terms are positive. */
            float both = stoa_log1p_unit(stoa_exp_nonpositive(x[c] < 0 ? x[c] : -x[c]));
            float wrong = (x[c] < 0 ? -x[c] : 0.0F) + both;
            float right = (x[c] > 0 ? x[c] : 0.0F) + both;
            sum += parameter * t[c] * wrong + (1.0F - t[c]) * right;
        }
        loss[r] = sum * scale;
    }
}

void STOA_KERNEL(bce_backward)(const float *restrict x, const float *restrict t, const float *restrict dloss,
                               size_t rows, size_t columns, float parameter, float scale,
                               float *restrict dx) {
    for (size_t r = 0; r < rows; r++, x += columns, t += columns, dx += columns) {
        float factor = scale * dloss[r];
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            float w = 1.0F + (parameter - 1.0F) * t[c];
            dx[c] = factor * (w * stoa_fast_sigmoid(x[c]) - parameter * t[c]);
        }
    }
}
