/* SPDX-License-Identifier: MIT */
/* Sums over rows and over arrays: floats within chunks of a fixed size, doubles over the chunks, so that the
 * error does not grow with the length. */
#include "base/size.h"
#include "kernels/isa.h"

enum { COLUMNS = 4 * STOA_LANES, CHUNK_ROWS = 64, CHUNK = 1024, NARROW_ROWS = CHUNK_ROWS * STOA_LANES };

/* Sum up to COLUMNS columns. It is called with the constant COLUMNS where possible, so that sums stay in
 * registers. */
STOA_INLINE void block_sums(const float *restrict x, size_t rows, size_t columns, size_t stride,
                            float *restrict sum) {
    double total[COLUMNS] = {0};
    for (size_t done = 0; done < rows;) {
        size_t n = stoa_min(CHUNK_ROWS, rows - done);
        float part[COLUMNS] = {0};
        for (size_t r = 0; r < n; r++, x += stride) {
#pragma omp simd
            for (size_t c = 0; c < columns; c++) {
                part[c] += x[c];
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

/* Fewer columns than lanes: as many rows as there are lanes are whole vectors, which are summed place by
 * place. */
static void narrow_sums(const float *restrict x, size_t rows, size_t columns, float *restrict sum) {
    size_t group = STOA_LANES * columns;
    double total[STOA_LANES] = {0};
    while (rows > 0) {
        size_t chunk = rows < NARROW_ROWS ? rows : NARROW_ROWS;
        float part[STOA_LANES * STOA_LANES] = {0};
        size_t groups = chunk / STOA_LANES;
        for (size_t g = 0; g < groups; g++, x += group) {
#pragma omp simd
            for (size_t i = 0; i < group; i++) {
                part[i] += x[i];
            }
        }
        for (size_t i = 0; i < (chunk % STOA_LANES) * columns; i++) {
            part[i] += x[i];
        }
        x += (chunk % STOA_LANES) * columns;
        for (size_t i = 0; i < group; i += columns) {
            for (size_t c = 0; c < columns; c++) {
                total[c] += (double)part[i + c];
            }
        }
        rows -= chunk;
    }
    for (size_t c = 0; c < columns; c++) {
        sum[c] = (float)total[c];
    }
}

void STOA_KERNEL(column_sums)(const float *x, size_t rows, size_t columns, size_t stride, float *sum) {
    if (columns < STOA_LANES && stride == columns) {
        narrow_sums(x, rows, columns, sum);
        return;
    }
    size_t c = 0;
    for (; c + COLUMNS <= columns; c += COLUMNS) {
        block_sums(x + c, rows, COLUMNS, stride, sum + c);
    }
    for (; c + STOA_LANES <= columns; c += STOA_LANES) {
        block_sums(x + c, rows, STOA_LANES, stride, sum + c);
    }
    if (c < columns) {
        block_sums(x + c, rows, columns - c, stride, sum + c);
    }
}

void STOA_KERNEL(sum)(const float *x, size_t n, float *sum) {
    double total = 0;
    for (size_t begin = 0; begin < n; begin += CHUNK) {
        size_t end = n - begin < CHUNK ? n : begin + CHUNK;
        float part = 0;
#pragma omp simd reduction(+ : part)
        for (size_t i = begin; i < end; i++) {
            part += x[i];
        }
        total += (double)part;
    }
    *sum = (float)total;
}
