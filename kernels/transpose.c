/* SPDX-License-Identifier: MIT */
/* Matrix transpose in tiles.
 *
 * The tiles go along bands of so many rows that whole cache lines of the result are written, because
 * hardware prefetchers follow rows: measured 1.2 to 2 times as fast as square blocks, near memcpy(). Images
 * of a few channels are tiles that lie over each other. */
#include "kernels/isa.h"

/* So many columns of a band are done with at once: their cache lines of the result stay in the first cache
 * until the next band. */
enum { BAND = 16, WIDTH = 256, TILE = 8, HALF = 4 };

#define LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define ODD(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)

/* Transpose four columns of 8 rows, in registers; `rows` of them exist, and the last stands for the others.
 * Rows r and r + 4 share a vector from the start; then pairs interleave twice, inside halves, which every
 * instruction set does in one step. */
STOA_INLINE void transpose_half(const float *x, size_t x_stride, const size_t rows, stoa_vec8 *column) {
    stoa_vec8 both[4];
    STOA_UNROLL
    for (size_t r = 0; r < 4; r++) {
        stoa_vec4 upper = STOA_LOAD(stoa_vec4, x + (r < rows ? r : rows - 1) * x_stride);
        stoa_vec4 lower = STOA_LOAD(stoa_vec4, x + (r + 4 < rows ? r + 4 : rows - 1) * x_stride);
        both[r] = __builtin_shufflevector(upper, lower, 0, 1, 2, 3, 4, 5, 6, 7);
    }
    stoa_vec8 low01 = LOW(both[0], both[1]);
    stoa_vec8 high01 = HIGH(both[0], both[1]);
    stoa_vec8 low23 = LOW(both[2], both[3]);
    stoa_vec8 high23 = HIGH(both[2], both[3]);
    column[0] = EVEN(low01, low23);
    column[1] = ODD(low01, low23);
    column[2] = EVEN(high01, high23);
    column[3] = ODD(high01, high23);
}

/* Transpose eight rows by HALF columns. */
STOA_INLINE void transpose_eight(const float *restrict x, size_t x_stride, float *restrict y,
                                 size_t y_stride) {
    stoa_vec8 column[HALF];
    transpose_half(x, x_stride, TILE, column);
    STOA_UNROLL
    for (size_t c = 0; c < HALF; c++) {
        STOA_STORE(stoa_vec8, y + c * y_stride, column[c]);
    }
}

#if STOA_LANES == 16
#define LOW16(a, b) __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define HIGH16(a, b) __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define EVEN16(a, b) __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define ODD16(a, b) __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define PAIR(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7)
#define QUAD(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)

/* Transpose BAND rows by HALF columns; four rows share a vector from the start. */
STOA_INLINE void transpose_band(const float *restrict x, size_t x_stride, float *restrict y,
                                size_t y_stride) {
    stoa_vec four[HALF];
    STOA_UNROLL
    for (size_t r = 0; r < HALF; r++) {
        const float *row = x + r * x_stride;
        const stoa_vec4 first = STOA_LOAD(stoa_vec4, row);
        const stoa_vec4 second = STOA_LOAD(stoa_vec4, row + HALF * x_stride);
        const stoa_vec4 third = STOA_LOAD(stoa_vec4, row + 2 * HALF * x_stride);
        const stoa_vec4 fourth = STOA_LOAD(stoa_vec4, row + 3 * HALF * x_stride);
        four[r] = QUAD(PAIR(first, second), PAIR(third, fourth));
    }
    const stoa_vec low01 = LOW16(four[0], four[1]);
    const stoa_vec high01 = HIGH16(four[0], four[1]);
    const stoa_vec low23 = LOW16(four[2], four[3]);
    const stoa_vec high23 = HIGH16(four[2], four[3]);
    STOA_STORE(stoa_vec, y, EVEN16(low01, low23));
    STOA_STORE(stoa_vec, y + y_stride, ODD16(low01, low23));
    STOA_STORE(stoa_vec, y + 2 * y_stride, EVEN16(high01, high23));
    STOA_STORE(stoa_vec, y + 3 * y_stride, ODD16(high01, high23));
}
#else
STOA_INLINE void transpose_band(const float *restrict x, size_t x_stride, float *restrict y,
                                size_t y_stride) {
    transpose_eight(x, x_stride, y, y_stride);
    transpose_eight(x + TILE * x_stride, x_stride, y + TILE, y_stride);
}
#endif

static void transpose_edge(const float *restrict x, size_t rows, size_t columns, size_t x_stride,
                           float *restrict y, size_t y_stride) {
    for (size_t c = 0; c < columns; c++) {
        for (size_t r = 0; r < rows; r++) {
            y[c * y_stride + r] = x[r * x_stride + c];
        }
    }
}

/* Where a tile begins that follows the one at `at`: the last one may lie over it. */
static size_t next_tile(size_t at, size_t end) {
    return at + TILE < end && at + 2 * TILE > end ? end - TILE : at + TILE;
}

/* Store a column of `rows` numbers and, as far as the vector goes, some that the next ones overwrite. It is
 * a macro, because no vector crosses a call. */
#define STORE_COLUMN(to, rows, column)                                                                       \
    do {                                                                                                     \
        if ((rows) <= HALF) {                                                                                \
            STOA_STORE(stoa_vec4, to, __builtin_shufflevector(column, column, 0, 1, 2, 3));                  \
        } else {                                                                                             \
            STOA_STORE(stoa_vec8, to, column);                                                               \
        }                                                                                                    \
    } while (0)

/* Transpose 2 to 7 rows to as many numbers of each column, which become contiguous. */
STOA_INLINE void interleave(const float *restrict x, const size_t rows, size_t columns, size_t x_stride,
                            float *restrict y) {
    for (size_t c = 0; c < columns; c = next_tile(c, columns)) {
        float *to = y + c * rows;
        stoa_vec8 column[HALF];
        transpose_half(x + c, x_stride, rows, column);
        STOA_UNROLL
        for (size_t i = 0; i < HALF; i++) {
            STORE_COLUMN(to + i * rows, rows, column[i]);
        }
        transpose_half(x + c + HALF, x_stride, rows, column);
        STOA_UNROLL
        for (size_t i = 0; i < HALF - 1; i++) {
            STORE_COLUMN(to + (HALF + i) * rows, rows, column[i]);
        }
        float last[TILE];
        STOA_STORE(stoa_vec8, last, column[HALF - 1]);
        memcpy(to + (TILE - 1) * rows, last, rows * sizeof *last);
    }
}

/* The other way round: transpose rows of 2 to 7 contiguous numbers to as many columns. */
STOA_INLINE void separate(const float *restrict x, size_t rows, const size_t columns, float *restrict y,
                          size_t y_stride) {
    for (size_t r = 0; r < rows; r = next_tile(r, rows)) {
        const float *tile = x + r * columns;
        float last[TILE * TILE];
        if (r + TILE == rows) { /* the last row's vectors would end behind it */
            memcpy(last, tile, TILE * columns * sizeof *last);
            tile = last;
        }
        stoa_vec8 column[HALF];
        transpose_half(tile, columns, TILE, column);
        STOA_UNROLL
        for (size_t c = 0; c < (columns < HALF ? columns : HALF); c++) {
            STOA_STORE(stoa_vec8, y + c * y_stride + r, column[c]);
        }
        if (columns > HALF) {
            transpose_half(tile + HALF, columns, TILE, column);
            STOA_UNROLL
            for (size_t c = HALF; c < columns; c++) {
                STOA_STORE(stoa_vec8, y + c * y_stride + r, column[c - HALF]);
            }
        }
    }
}

#define STOA_FEW(CASE) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6) CASE(7)

static void interleave_any(const float *x, size_t rows, size_t columns, size_t x_stride, float *y) {
#define CASE(count)                                                                                          \
    case count:                                                                                              \
        interleave(x, count, columns, x_stride, y);                                                          \
        break;
    switch (rows) { STOA_FEW(CASE) default : break; }
#undef CASE
}

static void separate_any(const float *x, size_t rows, size_t columns, float *y, size_t y_stride) {
#define CASE(count)                                                                                          \
    case count:                                                                                              \
        separate(x, rows, count, y, y_stride);                                                               \
        break;
    switch (columns) { STOA_FEW(CASE) default : break; }
#undef CASE
}

void STOA_KERNEL(transpose)(const float *x, size_t rows, size_t columns, size_t x_stride, float *y,
                            size_t y_stride) {
    if ((rows == 1 && y_stride == 1) || (columns == 1 && x_stride == 1)) {
        memcpy(y, x, rows * columns * sizeof *y);
        return;
    }
    if (rows > 1 && rows < TILE && columns >= TILE && y_stride == rows) {
        interleave_any(x, rows, columns, x_stride, y);
        return;
    }
    if (columns > 1 && columns < TILE && rows >= TILE && x_stride == columns) {
        separate_any(x, rows, columns, y, y_stride);
        return;
    }
    size_t whole_rows = rows - rows % TILE;
    size_t whole_columns = columns - columns % HALF;
    for (size_t c0 = 0; c0 < whole_columns; c0 += WIDTH) {
        size_t c1 = whole_columns - c0 < WIDTH ? whole_columns : c0 + WIDTH;
        for (size_t r = 0; r < whole_rows;) {
            const bool band = r + BAND <= whole_rows;
            for (size_t c = c0; c < c1; c += HALF) {
                if (band) {
                    transpose_band(x + r * x_stride + c, x_stride, y + c * y_stride + r, y_stride);
                } else {
                    transpose_eight(x + r * x_stride + c, x_stride, y + c * y_stride + r, y_stride);
                }
            }
            r += band ? BAND : TILE;
        }
    }
    transpose_edge(x + whole_columns, whole_rows, columns - whole_columns, x_stride,
                   y + whole_columns * y_stride, y_stride);
    transpose_edge(x + whole_rows * x_stride, rows - whole_rows, columns, x_stride, y + whole_rows, y_stride);
}
