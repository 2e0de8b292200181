/* Softmax over rows, its gradient, and softmax with cross entropy. Floor 1.
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

void STOA_KERNEL(softmax_xent)(const float *restrict x, const int32_t *restrict label, size_t rows,
                               size_t columns, float *restrict probability, float *restrict loss) {
    for (size_t r = 0; r < rows; r++, x += columns, probability += columns) {
        float top = stoa_row_max(x, columns);
        float sum = row_exp(x, probability, columns, top);
        row_scale(probability, columns, 1.0F / sum);
        loss[r] = stoa_log_positive(sum) - (x[label[r]] - top);
    }
}

void STOA_KERNEL(softmax_xent_backward)(const float *probability, const int32_t *label, const float *dloss,
                                        size_t rows, size_t columns, float *dx) {
    for (size_t r = 0; r < rows; r++, probability += columns, dx += columns) {
        float d = dloss[r];
        float at_label =
            (probability[label[r]] - 1) * d; /* before dx, which may be the same array, changes it */
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            dx[c] = probability[c] * d;
        }
        dx[label[r]] = at_label;
    }
}
