/* SPDX-License-Identifier: MIT */
/* Rectified linear unit with a learned slope a column, and its gradients. */
#include "base/size.h"
#include "kernels/isa.h"

enum { CHUNK_ROWS = 64, COLUMNS = 4 * STOA_LANES };

void STOA_KERNEL(prelu)(const float *x, size_t rows, size_t columns, const float *slope, float *y) {
    for (size_t r = 0; r < rows; r++, x += columns, y += columns) {
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            float v = x[c];
            float below = slope[c] * v;
            y[c] = v < 0 ? below : v;
        }
    }
}

void STOA_KERNEL(prelu_backward)(const float *x, const float *dy, size_t rows, size_t columns,
                                 const float *slope, float *dx) {
    for (size_t r = 0; r < rows; r++, x += columns, dy += columns, dx += columns) {
#pragma omp simd
        for (size_t c = 0; c < columns; c++) {
            float g = dy[c];
            float below = slope[c] * g;
            dx[c] = x[c] > 0 ? g : below;
        }
    }
}

/* Up to COLUMNS columns: chunks of rows, their totals in double. */
STOA_INLINE void block_sums(const float *restrict x, const float *restrict dy, size_t rows, size_t stride,
                            size_t columns, float *restrict sum) {
    double total[COLUMNS] = {0};
    for (size_t done = 0; done < rows;) {
        size_t n = stoa_min(CHUNK_ROWS, rows - done);
        float part[COLUMNS] = {0};
        for (size_t r = 0; r < n; r++, x += stride, dy += stride) {
#pragma omp simd
            for (size_t c = 0; c < columns; c++) {
                float product = dy[c] * x[c];
                part[c] += x[c] > 0 ? 0 : product;
            }
        }
        for (size_t c = 0; c < columns; c++) {
            total[c] += (double)part[c];
        }
        done += n;
    }
    for (size_t c = 0; c < columns; c++) {
        sum[c] = (float)total[c];
    }
}

void STOA_KERNEL(prelu_backward_slope)(const float *x, const float *dy, size_t rows, size_t columns,
                                       float *dslope) {
    size_t c = 0;
    for (; c + COLUMNS <= columns; c += COLUMNS) {
        block_sums(x + c, dy + c, rows, columns, COLUMNS, dslope + c);
    }
    for (; c + STOA_LANES <= columns; c += STOA_LANES) {
        block_sums(x + c, dy + c, rows, columns, STOA_LANES, dslope + c);
    }
    if (c < columns) {
        block_sums(x + c, dy + c, rows, columns, columns - c, dslope + c);
    }
}
