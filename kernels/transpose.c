/* Matrix transpose by blocks. Floor 1.
 *
 * Blocks keep the lines of both matrices in the first cache; a block is transposed in tiles of 8 x 8. Images of a few
 * channels are tiles that lie over each other. */
#include "kernels/isa.h"

enum { BLOCK = 32, TILE = 8, HALF = 4 };

#define LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define ODD(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)

/* Four columns of 8 rows, in registers; `rows` of them exist, and the last stands for the others. Rows r and r + 4 share a
 * vector from the start; then pairs interleave twice, inside halves, which every instruction set does in one step. */
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

STOA_INLINE void transpose_tile(const float *restrict x, size_t x_stride, float *restrict y,
                                size_t y_stride) {
    for (size_t half = 0; half < 2; half++, x += 4, y += 4 * y_stride) {
        stoa_vec8 column[4];
        transpose_half(x, x_stride, TILE, column);
        STOA_UNROLL
        for (size_t c = 0; c < 4; c++) {
            STOA_STORE(stoa_vec8, y + c * y_stride, column[c]);
        }
    }
}

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

/* A column of `rows` numbers and, as far as the vector goes, some that the next ones overwrite. A macro: no vector crosses a
 * call. */
#define STORE_COLUMN(to, rows, column)                                                                       \
    do {                                                                                                     \
        if ((rows) <= HALF) {                                                                                \
            STOA_STORE(stoa_vec4, to, __builtin_shufflevector(column, column, 0, 1, 2, 3));                  \
        } else {                                                                                             \
            STOA_STORE(stoa_vec8, to, column);                                                               \
        }                                                                                                    \
    } while (0)

/* 2 to 7 rows to as many numbers of each column, side by side. */
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

/* The other way round: rows of 2 to 7 numbers, side by side, to as many columns. */
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
    size_t whole_columns = columns - columns % TILE;
    for (size_t r0 = 0; r0 < whole_rows; r0 += BLOCK) {
        size_t r1 = whole_rows - r0 < BLOCK ? whole_rows : r0 + BLOCK;
        for (size_t c0 = 0; c0 < whole_columns; c0 += BLOCK) {
            size_t c1 = whole_columns - c0 < BLOCK ? whole_columns : c0 + BLOCK;
            for (size_t c = c0; c < c1; c += TILE) {
                for (size_t r = r0; r < r1; r += TILE) {
                    transpose_tile(x + r * x_stride + c, x_stride, y + c * y_stride + r, y_stride);
                }
            }
        }
    }
    transpose_edge(x + whole_columns, whole_rows, columns - whole_columns, x_stride,
                   y + whole_columns * y_stride, y_stride);
    transpose_edge(x + whole_rows * x_stride, rows - whole_rows, columns, x_stride, y + whole_rows, y_stride);
}
