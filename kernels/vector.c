/* SPDX-License-Identifier: MIT */
/* Products of a matrix and one vector: every element of the matrix is used once, so memory is their limit. */
#include "base/size.h"
#include "kernels/isa.h"

/* SUMS sums are in registers at once, and a block has so many terms: blocks are added up, so that errors
 * grow with a block's length and the number of blocks, not with the number of terms. */
enum { SUMS = 8, BLOCK = 512 };

/* So many columns and rows of a wide matrix are read together: runs of a page, as many as prefetchers
 * follow. */
enum { WIDE_COLUMNS = 1024, WIDE_ROWS = 4 };

/* Sum SUMS vectors of columns, or one in as many chains: a chain waits for its own multiply-adds. */
STOA_INLINE void columns_times(const float *restrict x, const float *restrict w, size_t k, size_t stride,
                               float *restrict y, const size_t vectors) {
    const size_t chains = SUMS / vectors;
    stoa_vec total[SUMS];
    stoa_vec sum[SUMS];
    STOA_UNROLL
    for (size_t v = 0; v < vectors; v++) {
        total[v] = (stoa_vec){0};
    }
    for (size_t first = 0; first < k; first += BLOCK) {
        const size_t end = stoa_min(k, first + BLOCK);
        size_t i = first;
        STOA_UNROLL
        for (size_t s = 0; s < SUMS; s++) {
            sum[s] = (stoa_vec){0};
        }
        for (; i + chains <= end; i += chains) {
            STOA_UNROLL
            for (size_t s = 0; s < SUMS; s++) {
                const float *row = w + (i + s / vectors) * stride;
                sum[s] += x[i + s / vectors] * STOA_LOAD(stoa_vec, row + s % vectors * STOA_LANES);
            }
        }
        for (; i < end; i++) {
            STOA_UNROLL
            for (size_t v = 0; v < vectors; v++) {
                sum[v] += x[i] * STOA_LOAD(stoa_vec, w + i * stride + v * STOA_LANES);
            }
        }
        if (vectors == 1) {
            sum[0] = ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
        }
        STOA_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            total[v] += sum[v];
        }
    }
    STOA_UNROLL
    for (size_t v = 0; v < vectors; v++) {
        STOA_STORE(stoa_vec, y + v * STOA_LANES, total[v]);
    }
}

/* sum[j] += the terms of neighbouring rows, for whole vectors of columns, four at a time. */
STOA_INLINE void add_rows(const float *restrict x, const float *restrict w, size_t stride, size_t n,
                          float *restrict sum, const size_t rows) {
    enum { VECTORS = SUMS / 2 };
    const float *next = w + rows * stride;
    for (size_t j = 0; j < n; j += VECTORS * STOA_LANES) {
        stoa_vec add[VECTORS];
        STOA_UNROLL
        for (size_t v = 0; v < VECTORS; v++) {
            add[v] = STOA_LOAD(stoa_vec, sum + j + v * STOA_LANES);
        }
        STOA_UNROLL
        for (size_t i = 0; i < rows; i++) {
            STOA_UNROLL
            for (size_t v = 0; v < VECTORS; v++) {
                __builtin_prefetch(next + i * stride + j + v * STOA_LANES);
                add[v] += x[i] * STOA_LOAD(stoa_vec, w + i * stride + j + v * STOA_LANES);
            }
        }
        STOA_UNROLL
        for (size_t v = 0; v < VECTORS; v++) {
            STOA_STORE(stoa_vec, sum + j + v * STOA_LANES, add[v]);
        }
    }
}

/* Sum up to WIDE_COLUMNS columns, a multiple of SUMS vectors, in the same order as columns_times(): rows
 * that lie far apart are read in long runs, each of whose pages is met once. */
static void wide_columns_times(const float *restrict x, const float *restrict w, size_t k, size_t n,
                               size_t stride, float *restrict y) {
    float sum[WIDE_COLUMNS];
    memset(y, 0, n * sizeof *y);
    for (size_t first = 0; first < k; first += BLOCK) {
        const size_t end = stoa_min(k, first + BLOCK);
        size_t i = first;
        memset(sum, 0, n * sizeof *sum);
        for (; i + WIDE_ROWS <= end; i += WIDE_ROWS) {
            add_rows(x + i, w + i * stride, stride, n, sum, WIDE_ROWS);
        }
        for (; i < end; i++) {
            add_rows(x + i, w + i * stride, stride, n, sum, 1);
        }
        for (size_t j = 0; j < n; j++) {
            y[j] += sum[j];
        }
    }
}

/* Sum less than a vector of columns. What a load reads beside them is not used, but the last rows have
 * nothing behind them. */
static void few_columns_times(const float *x, const float *w, size_t k, size_t n, size_t stride, float *y) {
    float sum[STOA_LANES];
    const size_t rows = k - stoa_min(k, stoa_ceil_div(STOA_LANES - n, stoa_max(1, stride)));
    columns_times(x, w, rows, stride, sum, 1);
    for (size_t j = 0; j < n; j++) {
        for (size_t i = rows; i < k; i++) {
            sum[j] += x[i] * w[i * stride + j];
        }
        y[j] = sum[j];
    }
}

void STOA_KERNEL(row_times_matrix)(const float *x, const float *w, size_t k, size_t n, size_t stride,
                                   float *y) {
    size_t j = 0;
    if (n < STOA_LANES) {
        if (n > 0) {
            few_columns_times(x, w, k, n, stride, y);
        }
        return;
    }
    const size_t whole = n / (SUMS * STOA_LANES) * (SUMS * STOA_LANES);
    for (size_t columns; j < whole; j += columns) {
        columns = stoa_min(WIDE_COLUMNS, whole - j);
        if (columns > SUMS * STOA_LANES) {
            wide_columns_times(x, w + j, k, columns, stride, y + j);
        } else {
            columns_times(x, w + j, k, stride, y + j, SUMS);
        }
    }
    for (; j < n; j += STOA_LANES) {
        const size_t last = stoa_min(j, n - STOA_LANES); /* the last may overlap the one before */
        columns_times(x, w + last, k, stride, y + last, 1);
    }
}

/* Sum neighbouring rows at once, so that their chains of multiply-adds overlap and v is loaded once. Each
 * row's sum is in the same order however many there are. */
STOA_INLINE void rows_times_column(const float *restrict w, size_t n, size_t stride, const float *restrict v,
                                   float *restrict y, const size_t rows) {
    const size_t whole = n / STOA_LANES * STOA_LANES;
    stoa_vec total[SUMS];
    stoa_vec sum[SUMS];
    STOA_UNROLL
    for (size_t i = 0; i < rows; i++) {
        total[i] = (stoa_vec){0};
    }
    for (size_t j = 0; j < whole;) {
        const size_t end = stoa_min(whole, j + (size_t)BLOCK * STOA_LANES);
        STOA_UNROLL
        for (size_t i = 0; i < rows; i++) {
            sum[i] = (stoa_vec){0};
        }
        for (; j < end; j += STOA_LANES) {
            const stoa_vec x = STOA_LOAD(stoa_vec, v + j);
            STOA_UNROLL
            for (size_t i = 0; i < rows; i++) {
                sum[i] += STOA_LOAD(stoa_vec, w + i * stride + j) * x;
            }
        }
        STOA_UNROLL
        for (size_t i = 0; i < rows; i++) {
            total[i] += sum[i];
        }
    }
    for (size_t i = 0; i < rows; i++) {
        float lane[STOA_LANES];
        STOA_STORE(stoa_vec, lane, total[i]);
        stoa_vec4 quarter = STOA_LOAD(stoa_vec4, lane);
        for (size_t k = 4; k < STOA_LANES; k += 4) {
            quarter += STOA_LOAD(stoa_vec4, lane + k);
        }
        float rest = (quarter[0] + quarter[1]) + (quarter[2] + quarter[3]);
        for (size_t k = whole; k < n; k++) {
            rest += w[i * stride + k] * v[k];
        }
        y[i] = rest;
    }
}

void STOA_KERNEL(matrix_times_column)(const float *restrict w, size_t rows, size_t n, size_t stride,
                                      const float *restrict v, float *restrict y) {
    size_t i = 0;
    for (; i + SUMS <= rows; i += SUMS) {
        rows_times_column(w + i * stride, n, stride, v, y + i, SUMS);
    }
    for (; i < rows; i++) {
        rows_times_column(w + i * stride, n, stride, v, y + i, 1);
    }
}

void STOA_KERNEL(outer)(const float *restrict x, size_t rows, const float *restrict v, size_t n,
                        float *restrict y, size_t stride) {
    for (size_t i = 0; i < rows; i++, y += stride) {
        float factor = x[i];
#pragma omp simd
        for (size_t j = 0; j < n; j++) {
            y[j] = factor * v[j];
        }
    }
}
