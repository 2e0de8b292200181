/* Matrix transpose by blocks. Floor 1.
 *
 * Blocks keep the lines of both matrices in the first cache; a block is transposed in tiles of 8 x 8. */
#include "kernels/isa.h"

enum { BLOCK = 32, TILE = 8 };

#define LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define EVEN(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define ODD(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)

/* An 8 x 8 tile in registers. Halves of rows r and r + 4 share a vector from the start; then pairs interleave
 * twice, inside halves, which every instruction set does in one step. */
STOA_INLINE void transpose_tile(const float *restrict x, size_t x_stride, float *restrict y,
                                size_t y_stride) {
    for (size_t half = 0; half < 2; half++, x += 4, y += 4 * y_stride) {
        stoa_vec8 row[4];
        for (size_t r = 0; r < 4; r++) {
            stoa_vec4 upper = STOA_LOAD(stoa_vec4, x + r * x_stride);
            stoa_vec4 lower = STOA_LOAD(stoa_vec4, x + (r + 4) * x_stride);
            row[r] = __builtin_shufflevector(upper, lower, 0, 1, 2, 3, 4, 5, 6, 7);
        }
        stoa_vec8 low01 = LOW(row[0], row[1]);
        stoa_vec8 high01 = HIGH(row[0], row[1]);
        stoa_vec8 low23 = LOW(row[2], row[3]);
        stoa_vec8 high23 = HIGH(row[2], row[3]);
        STOA_STORE(stoa_vec8, y, EVEN(low01, low23));
        STOA_STORE(stoa_vec8, y + y_stride, ODD(low01, low23));
        STOA_STORE(stoa_vec8, y + 2 * y_stride, EVEN(high01, high23));
        STOA_STORE(stoa_vec8, y + 3 * y_stride, ODD(high01, high23));
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

void STOA_KERNEL(transpose)(const float *x, size_t rows, size_t columns, size_t x_stride, float *y,
                            size_t y_stride) {
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
