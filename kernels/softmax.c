/* SPDX-License-Identifier: MIT */
/* Softmax over rows, its gradient, and softmax with cross entropy.
 *
 * A NaN in a row makes the whole row NaN through its exponential, whatever the maximum search did with it. */
#include "kernels/isa.h"
#include "kernels/polynomial.h"
#include "kernels/row.h"

/* y = exp(x - top); returns the sum. y may be x. */
static float row_exp(const float *x, float *y, size_t n, float top) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        float e = stoa_exp_nonpositive(x[i] - top);
        y[i] = e;
        sum += e;
    }
    return sum;
}

/* The sum alone. */
static float row_exp_sum(const float *x, size_t n, float top) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++) {
        sum += stoa_exp_nonpositive(x[i] - top);
    }
    return sum;
}

static void row_scale(float *y, size_t n, float scale) {
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        y[i] *= scale;
    }
}

void STOA_KERNEL(softmax)(const float *x, size_t rows, size_t columns, float *y) {
    for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
        float sum = row_exp(x, y, columns, stoa_row_max(x, columns));
        row_scale(y, columns, 1.0F / sum);
    }
}

void STOA_KERNEL(softmax_backward)(const float *y, const float *dy, size_t rows, size_t columns, float *dx) {
    for (size_t r = 0; r < rows; r++, y += columns, dy += columns, dx += columns) {
        float dot = 0;
#pragma omp simd reduction(+ : dot)
        for (size_t c = 0; c < columns; c++) {
            dot += y[c] * dy[c];
        }
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            dx[c] = y[c] * (dy[c] - dot);
        }
    }
}

/* sum over c of weight[c] * (log_sum - (x[c] - top)). */
static float weighted_losses(const float *x, size_t n, const float *weight, float top, float log_sum) {
    float sum = 0;
    if (weight) {
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < n; i++) {
            sum += weight[i] * (log_sum - (x[i] - top));
        }
    } else {
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < n; i++) {
            sum += log_sum - (x[i] - top);
        }
    }
    return sum;
}

void STOA_KERNEL(softmax_xent)(const float *restrict x, const int32_t *restrict label, size_t rows,
                               size_t columns, const float *restrict weight, float smoothing,
                               float *restrict probability, float *restrict loss) {
    for (size_t r = 0; r < rows; r++, x += columns) {
        float top = stoa_row_max(x, columns);
        float sum;
        if (probability) {
            sum = row_exp(x, probability + r * columns, columns, top);
            row_scale(probability + r * columns, columns, 1.0F / sum);
        } else {
            sum = row_exp_sum(x, columns, top);
        }
        float log_sum = stoa_log_positive(sum);
        float at_label = weight ? weight[label[r]] : 1.0F;
        float own = (1.0F - smoothing) * at_label * (log_sum - (x[label[r]] - top));
        float spread = smoothing > 0
                           ? smoothing / (float)columns * weighted_losses(x, columns, weight, top, log_sum)
                           : 0;
        loss[r] = own + spread;
    }
}

void STOA_KERNEL(softmax_xent_backward)(const float *probability, const int32_t *label, const float *dloss,
                                        size_t rows, size_t columns, const float *weight, float smoothing,
                                        float *dx) {
    float share = smoothing / (float)columns;
    float weights = (float)columns;
    if (weight && smoothing > 0) {
        STOA_KERNEL(sum)(weight, columns, &weights);
    }
    for (size_t r = 0; r < rows; r++, probability += columns, dx += columns) {
        float d = dloss[r];
        float own = (1.0F - smoothing) * (weight ? weight[label[r]] : 1.0F);
        float total = own + share * weights;
        float spread = share * (weight ? weight[label[r]] : 1.0F);
        /* Before dx, which may be the same array, changes it. */
        float at_label = (probability[label[r]] * total - own - spread) * d;
        if (weight && smoothing > 0) {
#pragma omp simd
            for (size_t c = 0; c < columns; c++) {
                dx[c] = (probability[c] * total - share * weight[c]) * d;
            }
        } else {
#pragma omp simd
            for (size_t c = 0; c < columns; c++) {
                dx[c] = (probability[c] * total - share) * d;
            }
        }
        dx[label[r]] = at_label;
    }
}
