/* SPDX-License-Identifier: MIT */
/* Cross entropy of rows of probabilities and its gradient. */
#include "kernels/isa.h"
#include "kernels/polynomial.h"

/* log(max(p, least)); NaN stays. */
STOA_INLINE float bounded_log(float p, float least) {
    return stoa_log_positive(p < least ? least : p);
}

void STOA_KERNEL(xent)(const float *restrict p, const int32_t *restrict label, size_t rows, size_t columns,
                       const float *restrict weight, float smoothing, float least, float *restrict loss) {
    for (size_t r = 0; r < rows; r++, p += columns) {
        float spread = 0;
        if (smoothing > 0) {
#pragma omp simd reduction(+ : spread)
            for (size_t c = 0; c < columns; c++) {
                spread += (weight ? weight[c] : 1.0F) * bounded_log(p[c], least);
            }
        }
        float own = (weight ? weight[label[r]] : 1.0F) * bounded_log(p[label[r]], least);
        loss[r] = (smoothing - 1.0F) * own - smoothing / (float)columns * spread;
    }
}

void STOA_KERNEL(xent_backward)(const float *p, const int32_t *label, const float *dloss, size_t rows,
                                size_t columns, const float *weight, float smoothing, float least,
                                float *dx) {
    for (size_t r = 0; r < rows; r++, p += columns, dx += columns) {
        float share = -smoothing / (float)columns * dloss[r];
        float own = (smoothing - 1.0F) * dloss[r];
        size_t l = (size_t)label[r];
        float at_label = (own + share) * (weight ? weight[l] : 1.0F);
        at_label = p[l] < least ? 0 : at_label / p[l];
        if (smoothing > 0) {
#pragma omp simd
            for (size_t c = 0; c < columns; c++) {
                float d = share * (weight ? weight[c] : 1.0F) / p[c];
                dx[c] = p[c] < least ? 0 : d;
            }
        } else {
            memset(dx, 0, columns * sizeof *dx);
        }
        dx[l] = at_label;
    }
}
